//! How anything leaves: into the queue, all recipients in one write; then those who are ours are
//! delivered at once by this node, under the lease their entries were written with.
//!
//! So what was promised is kept whatever crashes: an entry that was not finished is claimed again,
//! by `deliver_due` of any node.

use super::Delivery;
use crate::codec::mime::header;
use crate::mailstore::append::Prepared;
use crate::model::address::EmailAddress;
use crate::model::dsn::{MessageOptions, RecipientDsn};
use crate::model::error::Result;
use crate::model::id::UserId;
use crate::model::message::TimeMs;
use crate::model::queue::{Entry, QueueId, Reason, TraceId};
use crate::model::target::ForwardTarget;
use crate::queue::enqueue::{Destination, Outgoing};

/// Octets of the name of a pool in a header.
const ZONE_OCTETS_MAX: usize = 256;

/// One recipient of a message to send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Addressed {
    /// Forward-path.
    pub address: EmailAddress,
    /// The server or program that gets the message instead of his own.
    pub via: Option<ForwardTarget>,
    /// What the sender wants to be told.
    pub dsn: RecipientDsn,
}

impl Addressed {
    /// A recipient whose sender said nothing about reports.
    pub fn new(address: EmailAddress, via: Option<ForwardTarget>) -> Self {
        Self { address, via, dsn: RecipientDsn::default() }
    }
}

/// A message to send.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Its name in the queue.
    pub queue_id: QueueId,
    /// Its story.
    pub trace: TraceId,
    /// On whose behalf.
    pub user: Option<UserId>,
    /// The address of ours that forwards it.
    pub forwarder: Option<String>,
    /// Why.
    pub reason: Reason,
    /// Reverse-path; `None` is the null path.
    pub sender: Option<EmailAddress>,
    /// The content.
    pub prepared: Prepared,
    /// Header fields in front of it, CRLF-ended lines.
    pub lines: Vec<u8>,
    /// What the sender asked for.
    pub options: MessageOptions,
    /// Not before.
    pub due_ms: TimeMs,
    /// To whom.
    pub recipients: Vec<Addressed>,
}

impl Delivery {
    /// Sends a message; acknowledged when it returns. The entries as they were enqueued.
    ///
    /// Round trips: a look-up for each recipient, one in the suppression list, those of
    /// `Queue::enqueue`, and a delivery for
    /// each that is ours.
    ///
    /// # Errors
    /// `LimitReached`, `Unavailable`; nothing is sent then.
    pub async fn send(&self, letter: Letter) -> Result<Vec<Entry>> {
        let now = self.clock.now_ms();
        let mut destinations = Vec::with_capacity(letter.recipients.len());
        for Addressed { address, via, dsn } in &letter.recipients {
            let is_local = via.is_none() && self.is_ours(address).await?;
            destinations.push(Destination {
                recipient: address.to_string(),
                via: via.clone(),
                is_local,
                is_suppressed: false,
                dsn: dsn.clone(),
            });
        }
        if letter.reason != Reason::Bounce {
            self.mark_suppressed(&mut destinations, letter.user).await?;
        }
        let field = |name| header::first(&letter.prepared.content, name).map(header::unfold);
        // RFC 8689 §5
        let waives_tls = field("tls-required")
            .is_some_and(|value| value.trim_ascii().eq_ignore_ascii_case(b"no"));
        let zone = field("x-sending-zone")
            .map(|value| String::from_utf8_lossy(value.trim_ascii()).into_owned())
            .filter(|zone| zone.len() <= ZONE_OCTETS_MAX);
        let outgoing = Outgoing {
            queue_id: letter.queue_id,
            trace: letter.trace,
            user: letter.user,
            forwarder: letter.forwarder,
            reason: letter.reason,
            sender: letter.sender.as_ref().map(ToString::to_string).unwrap_or_default(),
            prepared: letter.prepared,
            prefix: letter.lines,
            options: MessageOptions { waives_tls, zone, ..letter.options },
            due_ms: letter.due_ms.max(now),
            destinations,
        };
        let entries = self.queue.enqueue(&outgoing).await?;
        let (local, suppressed): (Vec<&Entry>, Vec<&Entry>) = entries
            .iter()
            .filter(|entry| entry.locked_until_ms > now)
            .partition(|entry| entry.is_local);
        for entry in local {
            // forwarding chains are a recursion
            Box::pin(self.deliver_entry(entry, Some(&outgoing.prepared))).await;
        }
        if !suppressed.is_empty() {
            let suppressed = suppressed.into_iter().cloned().collect();
            Box::pin(self.bounce_suppressed(suppressed)).await;
        }
        Ok(entries)
    }

    /// Marks those whose addresses are on the suppression list: they come back at once. Other
    /// servers and programs that get a message decide for themselves.
    async fn mark_suppressed(
        &self,
        destinations: &mut [Destination],
        user: Option<UserId>,
    ) -> Result<()> {
        let is_remote = |to: &&mut Destination| !to.is_local && to.via.is_none();
        let remote: Vec<&mut Destination> = destinations.iter_mut().filter(is_remote).collect();
        let addresses: Vec<String> = remote.iter().map(|to| to.recipient.to_lowercase()).collect();
        let found = self.find_suppressed(&addresses, user).await?;
        for (to, address) in remote.into_iter().zip(addresses) {
            to.is_suppressed = found.iter().any(|row| row.address == address);
        }
        Ok(())
    }

    async fn is_ours(&self, address: &EmailAddress) -> Result<bool> {
        let user = self.directory.resolve_recipient(address).await?;
        Ok(user.is_some_and(|user| !user.disabled))
    }
}
