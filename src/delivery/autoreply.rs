//! Answering by itself for a user who is away (RFC 3834, `reference/behaviours.md` §6).

use super::Delivery;
use super::accept::{Arrival, Recipient};
use super::send::Letter;
use crate::codec::mime::build::{Draft, compose};
use crate::model::address::EmailAddress;
use crate::model::error::{Error, Result};
use crate::model::filter::Autoreply;
use crate::model::queue::Reason;
use crate::model::structure::NamedAddress;
use crate::storage::field::new_id;
use crate::storage::{autoreplies, rate_limits, users};

/// Local parts of addresses nobody reads.
const NOBODIES: [&str; 5] = ["mailer-daemon", "postmaster", "no-reply", "noreply", "do-not-reply"];

impl Delivery {
    /// Answers a message, unless it came from a program or its sender was answered lately.
    ///
    /// # Errors
    /// `Unavailable`; nothing is sent then.
    pub(super) async fn autoreply(
        &self,
        arrival: &Arrival<'_>,
        recipient: &Recipient,
    ) -> Result<()> {
        // RFC 3834 §2: never to the null path, to lists, to answers of programs
        let Some(sender) = &arrival.transaction.reverse_path else { return Ok(()) };
        if arrival.traits.is_automatic || is_nobody(sender) {
            return Ok(());
        }
        let user = recipient.user.id;
        let Some((_, autoreply)) = autoreplies::find(&self.storage, user).await? else {
            return Ok(());
        };
        if !autoreply.is_active(arrival.now) {
            return Ok(());
        }
        // RFC 3834 §2: not to the same one too often, whichever node it comes to
        let interval = self.autoreply_interval_ms().await?;
        let key = format!("autoreply:{user}:{}", sender.lookup_form());
        if !rate_limits::is_first(&self.storage, &key, arrival.now, interval).await? {
            return Ok(());
        }
        let sent = self.send_autoreply(arrival, recipient, sender, &autoreply).await;
        if sent.is_err() {
            rate_limits::forget(&self.storage, &key).await?;
        }
        sent
    }

    async fn send_autoreply(
        &self,
        arrival: &Arrival<'_>,
        recipient: &Recipient,
        sender: &EmailAddress,
        autoreply: &Autoreply,
    ) -> Result<()> {
        let user = &recipient.user;
        let name = match autoreply.name.as_str() {
            "" => users::load(&self.storage, user.id).await?.profile.name,
            name => name.to_owned(),
        };
        let address = match user.address.as_str() {
            "" => recipient.path.address.to_string(),
            address => address.to_owned(),
        };
        let queue_id = new_id();
        let mut draft = draft(arrival, autoreply);
        draft.from = Some(NamedAddress { name, address });
        draft.to = vec![NamedAddress { name: String::new(), address: sender.to_string() }];
        draft.message_id = format!("{queue_id}.autoreply@{}", self.hostname);
        let content = tokio::task::spawn_blocking(move || compose(draft)).await;
        let content = content.map_err(|error| Error::internal("composing a message", error))??;
        let letter = Letter {
            queue_id,
            user: Some(user.id),
            reason: Reason::Autoreply,
            // RFC 3834 §3.3: the null path, so that nothing answers it
            sender: None,
            prepared: self.mailstore.prepare(content.into()).await?,
            lines: Vec::new(),
            due_ms: arrival.now,
            recipients: vec![(sender.clone(), None)],
        };
        metrics::counter!("eider_autoreplies_total").increment(1);
        self.send(letter).await.map(|_| ())
    }
}

/// What is answered, without names and addresses.
fn draft(arrival: &Arrival<'_>, autoreply: &Autoreply) -> Draft {
    let summary = &arrival.prepared.structure.summary;
    let subject = match autoreply.subject.as_str() {
        "" => format!("Auto: Re: {}", summary.subject),
        subject => format!("Auto: {subject}"),
    };
    // RFC 3834 §3.1.7 and §5
    let mut headers = vec![("Auto-Submitted".to_owned(), "auto-replied".to_owned())];
    if !summary.message_id.is_empty() {
        headers.push(("In-Reply-To".to_owned(), summary.message_id.clone()));
        let earlier = summary.references.iter().filter(|id| **id != summary.message_id);
        let mut references: Vec<&str> = earlier.map(String::as_str).collect();
        references.push(&summary.message_id);
        headers.push(("References".to_owned(), references.join(" ")));
    }
    Draft {
        subject: Some(subject),
        headers,
        text: Some(autoreply.text.clone()).filter(|text| !text.is_empty()),
        html: Some(autoreply.html.clone()).filter(|html| !html.is_empty()),
        date_ms: arrival.now,
        ..Draft::default()
    }
}

fn is_nobody(sender: &EmailAddress) -> bool {
    let local = sender.local().to_lowercase();
    NOBODIES.contains(&local.as_str()) || local.starts_with("owner-") || local.ends_with("-request")
}
