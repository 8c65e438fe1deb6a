//! Answering by itself for a user who is away (RFC 3834, `reference/behaviours.md` §6).

use super::Delivery;
use super::accept::{Arrival, Recipient};
use super::send::{Addressed, Letter};
use crate::codec::mime::build::{Draft, compose};
use crate::model::address::EmailAddress;
use crate::model::dsn::MessageOptions;
use crate::model::error::{Error, Result};
use crate::model::filter::Autoreply;
use crate::model::id::{ObjectId, UserId};
use crate::model::queue::Reason;
use crate::model::structure::NamedAddress;
use crate::model::transaction::ForwardPath;
use crate::storage::field::new_id;
use crate::storage::{autoreplies, rate_limits, users};

/// Local parts of addresses nobody reads.
const NOBODIES: [&str; 5] = ["mailer-daemon", "postmaster", "no-reply", "noreply", "do-not-reply"];

/// Who answers: a user, or an address without one.
#[derive(Clone, Debug)]
pub(super) struct Answerer<'a> {
    /// His id, or that of the address.
    pub id: [u8; 12],
    /// The user, if it is one: an autoreply without a name has his.
    pub user: Option<UserId>,
    /// From whom; empty: from the address the message came to.
    pub address: String,
    /// The address the message came to.
    pub path: &'a ForwardPath,
}

impl Delivery {
    /// Answers a message for a user who has switched that on.
    ///
    /// # Errors
    /// `Unavailable`; nothing is sent then.
    pub(super) async fn autoreply(
        &self,
        arrival: &Arrival<'_>,
        recipient: &Recipient,
    ) -> Result<()> {
        if sender_of(arrival).is_none() {
            return Ok(());
        }
        let user = &recipient.user;
        let Some((_, autoreply)) = autoreplies::find(&self.storage, user.id).await? else {
            return Ok(());
        };
        let answerer = Answerer {
            id: user.id.octets(),
            user: Some(user.id),
            address: user.address.clone(),
            path: &recipient.path,
        };
        self.answer(arrival, &answerer, autoreply).await
    }

    /// Answers a message, unless it came from a program or its sender was answered lately.
    ///
    /// # Errors
    /// `Unavailable`; nothing is sent then.
    pub(super) async fn answer(
        &self,
        arrival: &Arrival<'_>,
        answerer: &Answerer<'_>,
        autoreply: Autoreply,
    ) -> Result<()> {
        let Some(sender) = sender_of(arrival) else { return Ok(()) };
        if !autoreply.is_active(arrival.now) {
            return Ok(());
        }
        // RFC 3834 §2: not to the same one too often, whichever node it comes to
        let interval = self.autoreply_interval_ms().await?;
        let key =
            format!("autoreply:{}:{}", ObjectId::from_octets(answerer.id), sender.lookup_form());
        if !rate_limits::is_first(&self.storage, &key, arrival.now, interval).await? {
            return Ok(());
        }
        let sent = self.send_autoreply(arrival, answerer, sender, &autoreply).await;
        if sent.is_err() {
            rate_limits::forget(&self.storage, &key).await?;
        }
        sent
    }

    async fn send_autoreply(
        &self,
        arrival: &Arrival<'_>,
        answerer: &Answerer<'_>,
        sender: &EmailAddress,
        autoreply: &Autoreply,
    ) -> Result<()> {
        let name = match (autoreply.name.as_str(), answerer.user) {
            ("", Some(user)) => users::load(&self.storage, user).await?.profile.name,
            (name, _) => name.to_owned(),
        };
        let address = match answerer.address.as_str() {
            "" => answerer.path.address.to_string(),
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
            trace: arrival.transaction.trace,
            user: answerer.user,
            forwarder: None,
            reason: Reason::Autoreply,
            // RFC 3834 §3.3: the null path, so that nothing answers it
            sender: None,
            prepared: self.mailstore.prepare(content.into()).await?,
            lines: Vec::new(),
            options: MessageOptions::default(),
            due_ms: arrival.now,
            recipients: vec![Addressed::new(sender.clone(), None)],
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

/// Who would be answered (RFC 3834 §2): never the null path, a list, a program.
fn sender_of<'a>(arrival: &Arrival<'a>) -> Option<&'a EmailAddress> {
    let sender = arrival.transaction.reverse_path.as_ref()?;
    (!arrival.traits.is_automatic && !is_nobody(sender)).then_some(sender)
}

fn is_nobody(sender: &EmailAddress) -> bool {
    let local = sender.local().to_lowercase();
    NOBODIES.contains(&local.as_str()) || local.starts_with("owner-") || local.ends_with("-request")
}
