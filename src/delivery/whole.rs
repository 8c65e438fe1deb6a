//! A message that has one answer for all its recipients (RFC 5321 §4.2.5, RFC 2033 §1).
//!
//! Once one recipient has it, the sender must not send it again: those who cannot have it now get
//! it out of the queue, as soon as they can, or their failure is reported to the sender.

use super::Delivery;
use super::accept::{Addressee, Outcome};
use super::trace;
use crate::model::error::{Error, Result};
use crate::model::message::TimeMs;
use crate::model::queue::Reason;
use crate::model::transaction::MailTransaction;
use crate::queue::enqueue::{Destination, Outgoing};
use crate::storage::field::new_id;
use bytes::Bytes;
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
    /// Round trips: those of [`Self::accept`]; where some addressees failed, one more enqueues for
    /// them.
    pub async fn accept_whole(
        &self,
        transaction: &MailTransaction,
        addressees: &[Addressee],
        content: Bytes,
    ) -> Whole {
        let outcomes = self.accept(transaction, addressees, content.clone()).await;
        let pairs = addressees.iter().zip(&outcomes);
        let failed: Vec<&Addressee> = pairs
            .filter(|(_, outcome)| is_failure(outcome))
            .map(|(addressee, _)| addressee)
            .collect();
        if failed.is_empty() {
            return Whole::Accepted;
        }
        if failed.len() == addressees.len() {
            // what may go well later is worth another try
            let later = outcomes.iter().find(|outcome| is_temporary(outcome));
            let missing = Error::Internal { reason: "no recipient, no outcome", source: None };
            let outcome = later.or(outcomes.first()).cloned();
            return Whole::Refused(outcome.unwrap_or(Outcome::Failed(Arc::new(missing))));
        }
        match self.keep_for(transaction, &failed, content).await {
            Ok(()) => Whole::Accepted,
            Err(error) => Whole::Refused(Outcome::Failed(Arc::new(error))),
        }
    }

    /// Puts a message into the queue for some of its addressees.
    async fn keep_for(
        &self,
        transaction: &MailTransaction,
        failed: &[&Addressee],
        content: Bytes,
    ) -> Result<()> {
        let now = self.clock.now_ms();
        let mut prefix = trace::received(transaction, None, &self.hostname, now).into_bytes();
        prefix.extend_from_slice(&transaction.lines);
        let destinations = failed.iter().map(|addressee| Destination {
            recipient: addressee.path().address.to_string(),
            via: None,
            is_local: true,
            dsn: addressee.path().dsn.clone(),
        });
        let outgoing = Outgoing {
            queue_id: new_id(),
            trace: transaction.trace,
            user: None,
            reason: Reason::Arrival,
            sender: transaction.reverse_path.as_ref().map(ToString::to_string).unwrap_or_default(),
            prepared: self.mailstore.prepare(content).await?,
            prefix,
            options: transaction.options.clone(),
            due_ms: now.saturating_add(RETRY_MS),
            destinations: destinations.collect(),
        };
        self.queue.enqueue(&outgoing).await?;
        tracing::info!(
            session.id = transaction.session,
            queue.id = %outgoing.queue_id,
            count = failed.len(),
            "recipients who cannot have a message now wait for it"
        );
        Ok(())
    }
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
