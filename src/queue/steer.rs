//! What operators do to entries: pause, resume, retry, reroute, delete; in steps of one page.
//!
//! An entry that a worker has at that moment is left to it. Bouncing is `delivery::steer`'s.

use super::Queue;
use super::claim::LEASE_MS;
use crate::model::error::Result;
use crate::model::id::ObjectId;
use crate::model::queue::{Entry, Steer};
use crate::model::target::{ForwardTarget, TargetKind};
use crate::model::trace::{Detail, Event, Happening};
use crate::storage::queue_query;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

/// Entries changed one by one at the same time.
const CONCURRENT_MAX: usize = 8;

impl Queue {
    /// Does it to these entries; how many it was done to. The others are being sent at this moment,
    /// are gone, or are so already.
    ///
    /// One round trip for all of them; for `Reroute` one and for `Delete` three each.
    ///
    /// # Errors
    /// `Unavailable`; it may be done to some then.
    pub async fn steer(&self, entries: &[Entry], how: &Steer) -> Result<u64> {
        let ids: Vec<ObjectId> = entries.iter().map(|entry| entry.id).collect();
        let now = self.clock.now_ms();
        let done = match how {
            Steer::Pause => queue_query::pause(&self.storage, &ids, now).await?,
            Steer::Resume => queue_query::resume(&self.storage, &ids, now).await?,
            Steer::Retry => queue_query::retry(&self.storage, &ids, now).await?,
            // `delivery`'s: the sender is told
            Steer::Bounce => 0,
            Steer::Reroute(_) | Steer::Delete => {
                let each: Vec<_> =
                    entries.iter().map(|entry| Box::pin(self.steer_one(entry, how))).collect();
                let done: Vec<bool> =
                    stream::iter(each).buffer_unordered(CONCURRENT_MAX).try_collect().await?;
                u64::try_from(done.iter().filter(|is_done| **is_done).count()).unwrap_or(0)
            }
        };
        if matches!(how, Steer::Pause | Steer::Resume | Steer::Retry) && done > 0 {
            for entry in entries.iter().filter(|entry| entry.locked_until_ms <= now) {
                self.tell_steered(entry, how);
            }
        }
        metrics::counter!("eider_queue_steered_total", "how" => how.name()).increment(done);
        Ok(done)
    }

    async fn steer_one(&self, entry: &Entry, how: &Steer) -> Result<bool> {
        let done = match how {
            Steer::Reroute(target) => {
                let own =
                    || ForwardTarget { kind: TargetKind::Mail, value: entry.recipient.clone() };
                let target = target.clone().unwrap_or_else(own);
                let now = self.clock.now_ms();
                queue_query::reroute(&self.storage, entry.id, &target, now).await?
            }
            Steer::Delete => match self.take(entry).await? {
                Some(taken) => self.finish(&taken).await?,
                None => false,
            },
            Steer::Pause | Steer::Resume | Steer::Retry | Steer::Bounce => false,
        };
        if done {
            self.tell_steered(entry, how);
        }
        Ok(done)
    }

    /// Takes an entry to work on, whenever it is due. `None`: a worker has it, or it is gone.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn take(&self, entry: &Entry) -> Result<Option<Entry>> {
        let now = self.clock.now_ms();
        queue_query::take(&self.storage, entry.id, now, now.saturating_add(LEASE_MS)).await
    }

    fn tell_steered(&self, entry: &Entry, how: &Steer) {
        let event = match how {
            Steer::Delete => Event::of_entry(entry, Happening::Cancelled),
            Steer::Pause | Steer::Resume | Steer::Retry | Steer::Bounce | Steer::Reroute(_) => {
                Event::of_entry(entry, Happening::Steered)
            }
        };
        let event = event.with(Detail::Reason, how.name());
        self.trace.record(match how {
            Steer::Reroute(Some(target)) => event.with(Detail::Target, target.domain()),
            _ => event,
        });
    }
}
