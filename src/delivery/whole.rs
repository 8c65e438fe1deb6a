//! A message that has one answer for all its recipients (RFC 5321 §4.2.5, RFC 2033 §1).
//!
//! Once one recipient has it, the sender must not send it again: those who cannot have it now get
//! it out of the queue, as soon as they can, or their failure is reported to the sender.

use super::Delivery;
use super::accept::{Addressee, Outcome};
use super::trace;
use crate::mailstore::append::Prepared;
use crate::model::error::{Error, Result};
use crate::model::message::TimeMs;
use crate::model::queue::{Entry, Reason};
use crate::model::transaction::MailTransaction;
use crate::queue::enqueue::{Destination, Outgoing};
use crate::storage::field::new_id;
use bytes::Bytes;
use std::collections::HashSet;
use std::sync::Arc;

/// How long those who could not have it wait.
const RETRY_MS: TimeMs = 60 * 1000;

/// What became of a message for all.
#[derive(Debug)]
pub enum Whole {
    /// Each recipient has it, or it waits for him in the queue.
    Accepted,
    /// Nobody has it: why not, for the sender.
    Refused(Outcome),
}

impl Delivery {
    /// Delivers a message for all addressees or for none.
    ///
    /// Round trips: those of [`Self::accept`]; one more enqueues for addressees who failed, and one
    /// for those whose sender wants to be told of success (RFC 3461 §4.1): they are delivered out
    /// of the queue at once, because the queue reports.
    pub async fn accept_whole(
        &self,
        transaction: &MailTransaction,
        addressees: &[Addressee],
        content: Bytes,
    ) -> Whole {
        let wanting: Vec<&Addressee> = addressees.iter().filter(|it| wants_success(it)).collect();
        let told = distinct(wanting);
        let names = |it: &Addressee| told.iter().any(|told| told.id() == it.id());
        let plain: Vec<Addressee> = addressees.iter().filter(|it| !names(it)).cloned().collect();
        let failed = match self.accept_plain(transaction, &plain, &content).await {
            Ok(failed) => failed,
            Err(outcome) => return Whole::Refused(outcome),
        };
        match self.keep(transaction, &distinct(failed), &told, content).await {
            Ok(()) => Whole::Accepted,
            Err(error) => Whole::Refused(Outcome::Failed(Arc::new(error))),
        }
    }

    /// Delivers to those whom nothing is said of. Returns who cannot have it now; an error where
    /// nobody can.
    async fn accept_plain<'a>(
        &self,
        transaction: &MailTransaction,
        plain: &'a [Addressee],
        content: &Bytes,
    ) -> Result<Vec<&'a Addressee>, Outcome> {
        if plain.is_empty() {
            let is_looping = trace::is_looping(content);
            return if is_looping { Err(Outcome::Looping) } else { Ok(Vec::new()) };
        }
        let outcomes = self.accept(transaction, plain, content.clone()).await;
        let pairs = plain.iter().zip(&outcomes).filter(|(_, outcome)| is_failure(outcome));
        let failed: Vec<&Addressee> = pairs.map(|(addressee, _)| addressee).collect();
        if failed.len() < plain.len() {
            return Ok(failed);
        }
        // what may go well later is worth another try
        let later = outcomes.iter().find(|outcome| is_temporary(outcome));
        let missing = Error::Internal { reason: "no recipient, no outcome", source: None };
        let outcome = later.or(outcomes.first()).cloned();
        Err(outcome.unwrap_or(Outcome::Failed(Arc::new(missing))))
    }

    /// Puts a message into the queue: for some at once, for others later.
    async fn keep(
        &self,
        transaction: &MailTransaction,
        failed: &[&Addressee],
        told: &[&Addressee],
        content: Bytes,
    ) -> Result<()> {
        if failed.is_empty() && told.is_empty() {
            return Ok(());
        }
        let (prepared, now) = (self.mailstore.prepare(content).await?, self.clock.now_ms());
        if !failed.is_empty() {
            let later = now.saturating_add(RETRY_MS);
            self.enqueue_for(transaction, failed, &prepared, later).await?;
            let (session, count) = (&transaction.session, failed.len());
            tracing::info!(session.id = session, count, "recipients wait for a message");
        }
        if !told.is_empty() {
            self.tell_received(transaction, &prepared);
            for entry in self.enqueue_for(transaction, told, &prepared, now).await? {
                Box::pin(self.deliver_entry(&entry, Some(&prepared))).await;
            }
        }
        Ok(())
    }

    async fn enqueue_for(
        &self,
        transaction: &MailTransaction,
        addressees: &[&Addressee],
        prepared: &Prepared,
        due_ms: TimeMs,
    ) -> Result<Vec<Entry>> {
        let now = self.clock.now_ms();
        let mut prefix = trace::received(transaction, None, &self.hostname, now).into_bytes();
        prefix.extend_from_slice(&transaction.lines);
        let destinations = addressees.iter().map(|addressee| Destination {
            recipient: addressee.path().address.to_string(),
            via: None,
            is_suppressed: false,
            is_local: true,
            dsn: addressee.path().dsn.clone(),
        });
        let outgoing = Outgoing {
            queue_id: new_id(),
            trace: transaction.trace,
            user: None,
            forwarder: None,
            reason: Reason::Arrival,
            sender: transaction.reverse_path.as_ref().map(ToString::to_string).unwrap_or_default(),
            prepared: prepared.clone(),
            prefix,
            options: transaction.options.clone(),
            due_ms,
            destinations: destinations.collect(),
        };
        self.queue.enqueue(&outgoing).await
    }
}

/// Several names of one addressee are one.
fn distinct(mut addressees: Vec<&Addressee>) -> Vec<&Addressee> {
    let mut seen = HashSet::new();
    addressees.retain(|addressee| seen.insert(addressee.id()));
    addressees
}

fn wants_success(addressee: &Addressee) -> bool {
    addressee.path().dsn.notify.is_some_and(|notify| notify.success)
}

const fn is_failure(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Delivered(_) | Outcome::Dropped | Outcome::PassedOn => false,
        Outcome::Looping | Outcome::Failed(_) => true,
    }
}

fn is_temporary(outcome: &Outcome) -> bool {
    let Outcome::Failed(error) = outcome else { return false };
    matches!(
        error.as_ref(),
        Error::Unavailable { .. }
            | Error::Internal { .. }
            | Error::Conflict { .. }
            | Error::Throttled { .. }
            | Error::LimitReached { .. }
    )
}
