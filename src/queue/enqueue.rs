//! A message into the queue.

use super::Queue;
use super::claim::LEASE_MS;
use crate::mailstore::append::Prepared;
use crate::model::dsn::{MessageOptions, RecipientDsn};
use crate::model::error::{Error, Result};
use crate::model::id::UserId;
use crate::model::limits::RECIPIENTS_MAX;
use crate::model::message::TimeMs;
use crate::model::queue::{Entry, QueueId, Reason, TraceId};
use crate::model::target::{ForwardTarget, TargetKind};
use crate::model::trace::{Detail, Event, Happening};
use crate::storage::field::new_id;
use crate::storage::{queue, transaction};

/// One recipient of an outgoing message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Destination {
    /// Forward-path.
    pub recipient: String,
    /// Another server or program that gets it; `None`: the recipient's own server.
    pub via: Option<ForwardTarget>,
    /// The recipient is one of ours; if the message is due, its entry is leased to the caller.
    pub is_local: bool,
    /// Nothing is to be sent to him: his entry is leased to the caller, who bounces it.
    pub is_suppressed: bool,
    /// What the sender wants to be told.
    pub dsn: RecipientDsn,
}

/// A message to send.
#[derive(Clone, Debug)]
pub struct Outgoing {
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
    /// Reverse-path, empty for the null path.
    pub sender: String,
    /// The content.
    pub prepared: Prepared,
    /// Header fields in front of it, CRLF-ended lines.
    pub prefix: Vec<u8>,
    /// What the sender asked for.
    pub options: MessageOptions,
    /// Not before.
    pub due_ms: TimeMs,
    /// To whom.
    pub destinations: Vec<Destination>,
}

impl Outgoing {
    fn entries(&self, now: TimeMs) -> Vec<Entry> {
        let mut entries = Vec::with_capacity(self.destinations.len());
        for (destination, seq) in self.destinations.iter().zip(1..) {
            let Destination { recipient, via, is_local, is_suppressed, dsn } = destination;
            let own = || ForwardTarget { kind: TargetKind::Mail, value: recipient.clone() };
            let target = via.clone().unwrap_or_else(own);
            // whoever enqueues delivers to our own users at once: born with a lease
            let is_leased = *is_suppressed || (*is_local && self.due_ms <= now);
            let lease_end = now.saturating_add(LEASE_MS);
            entries.push(Entry {
                id: new_id(),
                queue_id: self.queue_id,
                trace: self.trace,
                seq,
                user: self.user,
                forwarder: self.forwarder.clone(),
                reason: self.reason,
                sender: self.sender.clone(),
                recipient: recipient.clone(),
                domain: target.domain(),
                target,
                is_local: *is_local,
                content: self.prepared.hash,
                content_octets: u64::try_from(self.prepared.content.len()).unwrap_or(u64::MAX),
                prefix: self.prefix.clone(),
                options: self.options.clone(),
                dsn: dsn.clone(),
                is_delay_told: false,
                due_ms: if is_leased { lease_end } else { self.due_ms },
                paused_due_ms: None,
                created_ms: now,
                locked_until_ms: if is_leased { lease_end } else { 0 },
                tries: 0,
                fence: 0,
                attempts: Vec::new(),
            });
        }
        entries
    }
}

impl Queue {
    /// Writes a message's entries, all or none; acknowledged when it returns.
    ///
    /// The content's count is raised (or the content stored) before; the entries are one
    /// transaction of one round trip and its commit.
    ///
    /// # Errors
    /// `LimitReached` recipients, `Unavailable`; nothing is queued then.
    pub async fn enqueue(&self, message: &Outgoing) -> Result<Vec<Entry>> {
        if message.destinations.len() > RECIPIENTS_MAX {
            return Err(Error::LimitReached { limit: format!("{RECIPIENTS_MAX} recipients") });
        }
        let entries = message.entries(self.clock.now_ms());
        let count = u64::try_from(entries.len()).unwrap_or(0);
        if count == 0 {
            return Ok(entries);
        }
        self.mailstore.hold_content(&message.prepared, count).await?;
        let inserted = transaction::run!(&self.storage, async |session| {
            queue::insert(&self.storage, session, &entries, &self.node).await
        })
        .await;
        if let Err(error) = inserted {
            let id = message.queue_id;
            let found = match transaction::is_doubtful(&error) {
                true => transaction::look_again!(queue::list_of_message(&self.storage, id)),
                false => Some(Vec::new()),
            };
            match found {
                Some(found) if !found.is_empty() => {}
                Some(_) if !matches!(error, Error::Unavailable { .. } | Error::Internal { .. }) => {
                    self.mailstore.release_content(message.prepared.hash, count).await?;
                    return Err(error);
                }
                // a count too high is harmless, too low is not
                Some(_) | None => return Err(error),
            }
        }
        if entries.iter().any(|entry| !entry.is_local) {
            self.rung.notify_one();
        }
        self.tell_queued(&entries, &message.prepared);
        metrics::counter!("eider_queue_entries_total", "reason" => message.reason.name())
            .increment(count);
        Ok(entries)
    }

    fn tell_queued(&self, entries: &[Entry], prepared: &Prepared) {
        for entry in entries {
            let mut event = Event::of_entry(entry, Happening::Queued)
                .message_id(&prepared.structure.summary.message_id)
                .with(Detail::Reason, entry.reason.name());
            if entry.due_ms > entry.created_ms && entry.locked_until_ms == 0 {
                event = event.with(Detail::Due, entry.due_ms);
            }
            if entry.target.kind != TargetKind::Mail {
                // not the URL: it may have a password
                event = event.with(Detail::Target, &entry.domain);
            }
            self.trace.record(event);
        }
    }
}
