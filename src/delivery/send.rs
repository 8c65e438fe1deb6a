//! How anything leaves: into the queue, all recipients in one write; then those who are ours are
//! delivered at once by this node, under the lease their entries were written with.
//!
//! So what was promised is kept whatever crashes: an entry that was not finished is claimed again,
//! by `deliver_due` of any node.

use super::Delivery;
use crate::mailstore::append::Prepared;
use crate::model::address::EmailAddress;
use crate::model::error::Result;
use crate::model::id::UserId;
use crate::model::message::TimeMs;
use crate::model::queue::{Entry, QueueId, Reason};
use crate::model::target::ForwardTarget;
use crate::queue::enqueue::{Destination, Outgoing};

/// A message to send.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Its name in the queue.
    pub queue_id: QueueId,
    /// On whose behalf.
    pub user: Option<UserId>,
    /// Why.
    pub reason: Reason,
    /// Reverse-path; `None` is the null path.
    pub sender: Option<EmailAddress>,
    /// The content.
    pub prepared: Prepared,
    /// Header fields in front of it, CRLF-ended lines.
    pub lines: Vec<u8>,
    /// Not before.
    pub due_ms: TimeMs,
    /// Forward-paths, and the server or program that gets the message instead of their own.
    pub recipients: Vec<(EmailAddress, Option<ForwardTarget>)>,
}

impl Delivery {
    /// Sends a message; acknowledged when it returns. The entries as they were enqueued.
    ///
    /// Round trips: a look-up for each recipient, those of `Queue::enqueue`, and a delivery for
    /// each that is ours.
    ///
    /// # Errors
    /// `LimitReached`, `Unavailable`; nothing is sent then.
    pub async fn send(&self, letter: Letter) -> Result<Vec<Entry>> {
        let now = self.clock.now_ms();
        let mut destinations = Vec::with_capacity(letter.recipients.len());
        for (address, via) in &letter.recipients {
            let is_local = via.is_none() && self.is_ours(address).await?;
            destinations.push(Destination {
                recipient: address.to_string(),
                via: via.clone(),
                is_local,
            });
        }
        let outgoing = Outgoing {
            queue_id: letter.queue_id,
            user: letter.user,
            reason: letter.reason,
            sender: letter.sender.as_ref().map(ToString::to_string).unwrap_or_default(),
            prepared: letter.prepared,
            prefix: letter.lines,
            due_ms: letter.due_ms.max(now),
            destinations,
        };
        let entries = self.queue.enqueue(&outgoing).await?;
        for entry in entries.iter().filter(|entry| entry.locked_until_ms > now) {
            // forwarding chains are a recursion
            Box::pin(self.deliver_entry(entry, Some(&outgoing.prepared))).await;
        }
        Ok(entries)
    }

    async fn is_ours(&self, address: &EmailAddress) -> Result<bool> {
        let user = self.directory.resolve_recipient(address).await?;
        Ok(user.is_some_and(|user| !user.disabled))
    }
}
