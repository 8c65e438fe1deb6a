//! Everything that happens when a message arrives: one outcome per recipient.
//!
//! The content is parsed and stored once; each recipient's mailbox gets it with a trace prefix of
//! its own.
//! A recipient is answered as delivered only when the write is acknowledged (law 1).

use super::{Delivery, trace};
use crate::mailstore::append::{Appended, NewMessage, Prepared};
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

/// Recipients of one message that are written at the same time.
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
    /// Round trips: those of one `append` (and one lookup of INBOX) per distinct user, users in
    /// parallel.
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
        let deliveries: Vec<_> = distinct
            .into_iter()
            .map(|recipient| Box::pin(self.deliver(&arrival, recipient)))
            .collect();
        let outcomes: Vec<Outcome> =
            stream::iter(deliveries).buffered(CONCURRENT_MAX).collect().await;
        let outcome_of = |recipient: &Recipient| {
            first_of.get(&recipient.user.id).and_then(|index| outcomes.get(*index)).cloned()
        };
        recipients.iter().filter_map(outcome_of).collect()
    }

    async fn deliver(&self, arrival: &Arrival<'_>, recipient: &Recipient) -> Outcome {
        let started = Instant::now();
        let outcome = match self.append_to_inbox(arrival, recipient).await {
            Ok(appended) => Outcome::Delivered(appended),
            Err(error) => Outcome::Failed(Arc::new(error)),
        };
        let octets = arrival.prepared.content.len();
        record(arrival.transaction, recipient, octets, &outcome, started);
        outcome
    }

    async fn append_to_inbox(
        &self,
        arrival: &Arrival<'_>,
        recipient: &Recipient,
    ) -> Result<Appended> {
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
        };
        let appended = self.mailstore.append(user, inbox.id, vec![message]).await?;
        appended
            .first()
            .copied()
            .ok_or(Error::Internal { reason: "append returned nothing", source: None })
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
