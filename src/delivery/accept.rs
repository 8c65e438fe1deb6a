//! Everything that happens when a message arrives: one outcome per recipient.
//!
//! The content is parsed and stored once; each recipient's mailbox gets it with a trace prefix of
//! its own.
//! A recipient is answered as delivered only when the write is acknowledged (law 1).

use super::{Delivery, trace};
use crate::mailstore::append::{Appended, NewMessage, Prepared, Target};
use crate::model::error::{Error, Result};
use crate::model::flag::FlagSet;
use crate::model::id::UserId;
use crate::model::mailbox::MailboxName;
use crate::model::message::TimeMs;
use crate::model::transaction::{ForwardPath, MailTransaction};
use crate::model::user::User;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use std::collections::HashMap;
use std::error::Error as StdError;
use std::sync::Arc;
use tokio::time::Instant;

/// Recipients of one message whose mailboxes are looked up at the same time.
const CONCURRENT_MAX: usize = 16;

/// A recipient that was resolved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recipient {
    /// As the sender named it.
    pub path: ForwardPath,
    /// Whose address it is.
    pub user: User,
}

/// What became of the message for one recipient.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It is in the mailbox, durably.
    Delivered(Appended),
    /// It has passed too many hosts (RFC 5321 §6.3).
    Looping,
    /// It is not there; shared when it failed for several recipients at once.
    Failed(Arc<Error>),
}

/// One message on its way to several users.
struct Arrival<'a> {
    transaction: &'a MailTransaction,
    prepared: Prepared,
    now: TimeMs,
}

impl Delivery {
    /// Delivers a message. Returns one outcome per recipient, in their order. A user who is named
    /// more than
    /// once gets the message once, under the first address; each of the names has that outcome.
    ///
    /// Round trips: one lookup of INBOX per distinct user, users in parallel, and those of one
    /// `append_to_many`, which raises the content's count once.
    pub async fn accept(
        &self,
        transaction: &MailTransaction,
        recipients: &[Recipient],
        content: Bytes,
    ) -> Vec<Outcome> {
        let octets = content.len();
        if trace::is_looping(&content) {
            return self.refuse_all(transaction, recipients, octets, &Outcome::Looping);
        }
        let prepared = match self.mailstore.prepare(content).await {
            Ok(prepared) => prepared,
            Err(error) => {
                let outcome = Outcome::Failed(Arc::new(error));
                return self.refuse_all(transaction, recipients, octets, &outcome);
            }
        };
        let arrival = Arrival { transaction, prepared, now: self.clock.now_ms() };
        let mut first_of: HashMap<UserId, usize> = HashMap::new();
        let mut distinct = Vec::new();
        for recipient in recipients {
            first_of.entry(recipient.user.id).or_insert_with(|| {
                distinct.push(recipient);
                distinct.len() - 1
            });
        }
        let outcomes = self.deliver(&arrival, &distinct).await;
        let outcome_of = |recipient: &Recipient| {
            first_of.get(&recipient.user.id).and_then(|index| outcomes.get(*index)).cloned()
        };
        recipients.iter().filter_map(outcome_of).collect()
    }

    /// Delivers to distinct users: one outcome each, in their order.
    async fn deliver(&self, arrival: &Arrival<'_>, recipients: &[&Recipient]) -> Vec<Outcome> {
        let started = Instant::now();
        let lookups: Vec<_> =
            recipients.iter().map(|recipient| Box::pin(self.target(arrival, recipient))).collect();
        let found: Vec<Result<Target>> =
            stream::iter(lookups).buffered(CONCURRENT_MAX).collect().await;
        let mut targets = Vec::with_capacity(found.len());
        let found: Vec<Result<()>> =
            found.into_iter().map(|target| target.map(|target| targets.push(target))).collect();
        let mut appended = self.mailstore.append_to_many(targets).await.into_iter();
        let missing = || Err(Error::Internal { reason: "append returned nothing", source: None });
        let octets = arrival.prepared.content.len();
        let mut outcomes = Vec::with_capacity(found.len());
        for (recipient, found) in recipients.iter().zip(found) {
            let result = found.and_then(|()| appended.next().unwrap_or_else(missing));
            let outcome = match result {
                Ok(appended) => Outcome::Delivered(appended),
                Err(error) => Outcome::Failed(Arc::new(error)),
            };
            record(arrival.transaction, recipient, octets, &outcome, started);
            outcomes.push(outcome);
        }
        outcomes
    }

    /// The recipient's INBOX and what goes there.
    async fn target(&self, arrival: &Arrival<'_>, recipient: &Recipient) -> Result<Target> {
        let user = recipient.user.id;
        let inbox = self.mailstore.find_mailbox_by_name(user, &MailboxName::inbox()).await?;
        // A user without INBOX is being made or removed just now: the sender tries again.
        let inbox = inbox
            .ok_or(Error::Unavailable { reason: "the user has no INBOX yet", source: None })?;
        let prefix =
            trace::prefix(arrival.transaction, &recipient.path, &self.hostname, arrival.now);
        let message = NewMessage {
            prepared: arrival.prepared.clone(),
            prefix: Bytes::from(prefix),
            flags: FlagSet::default(),
            internal_date: arrival.now,
            meta: None,
            info: None,
        };
        Ok(Target { user, mailbox: inbox.id, message })
    }

    fn refuse_all(
        &self,
        transaction: &MailTransaction,
        recipients: &[Recipient],
        octets: usize,
        outcome: &Outcome,
    ) -> Vec<Outcome> {
        let started = Instant::now();
        for recipient in recipients {
            record(transaction, recipient, octets, outcome, started);
        }
        vec![outcome.clone(); recipients.len()]
    }
}

/// The log line and the counters of one delivery.
fn record(
    transaction: &MailTransaction,
    recipient: &Recipient,
    octets: usize,
    outcome: &Outcome,
    started: Instant,
) {
    let took = started.elapsed();
    let result = result_name(outcome);
    metrics::counter!("eider_deliveries_total", "result" => result).increment(1);
    metrics::histogram!("eider_delivery_duration_seconds").record(took.as_secs_f64());
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let session = transaction.session.as_str();
    let user = &recipient.user.id;
    match outcome {
        Outcome::Delivered(appended) => {
            metrics::counter!("eider_delivered_octets_total").increment(octets as u64);
            tracing::info!(
                session.id = session,
                user.id = %user,
                message.id = %appended.id,
                uid = %appended.uid,
                octets,
                duration_ms,
                result,
                "message delivered"
            );
        }
        Outcome::Looping => {
            tracing::warn!(session.id = session, user.id = %user, octets, result, "message loops");
        }
        Outcome::Failed(error) => {
            let error = chain(error.as_ref());
            tracing::warn!(
                session.id = session,
                user.id = %user,
                octets,
                duration_ms,
                result,
                error,
                "message not delivered"
            );
        }
    }
}

/// The error and its causes in one line.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn result_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Delivered(_) => "delivered",
        Outcome::Looping => "looping",
        Outcome::Failed(error) => match error.as_ref() {
            Error::OverQuota => "over_quota",
            Error::Unavailable { .. } => "unavailable",
            Error::Internal { .. } => "internal",
            _ => "refused",
        },
    }
}
