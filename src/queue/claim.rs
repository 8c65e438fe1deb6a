//! Taking entries to work on.

use super::Queue;
use crate::model::error::Result;
use crate::model::message::TimeMs;
use crate::model::queue::Entry;
use crate::storage::queue;

pub use crate::storage::queue::Claim;

/// How long a worker has an entry before another may take it.
pub const LEASE_MS: TimeMs = 10 * 60 * 1000;

impl Queue {
    /// Takes the entry that is due longest, if any: one round trip.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn claim(&self, what: Claim<'_>) -> Result<Option<Entry>> {
        let now = self.clock.now_ms();
        queue::claim(&self.storage, what, now, now.saturating_add(LEASE_MS)).await
    }

    /// Takes the entry that is due longest, and up to `max` in all of the same next hop, so that
    /// they share a connection. One round trip each, and one to see that there are no more.
    ///
    /// # Errors
    /// `Unavailable`; entries claimed until then are free again when their lease ends.
    pub async fn claim_batch(&self, max: usize) -> Result<Vec<Entry>> {
        let Some(first) = self.claim(Claim::Remote).await? else { return Ok(Vec::new()) };
        let domain = first.domain.clone();
        let mut batch = vec![first];
        while batch.len() < max {
            let Some(entry) = self.claim(Claim::Domain(&domain)).await? else { break };
            batch.push(entry);
        }
        Ok(batch)
    }

    /// Prolongs a lease by its whole length. `false`: the entry is lost to another worker.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn prolong(&self, entry: &Entry) -> Result<bool> {
        let until = self.clock.now_ms().saturating_add(LEASE_MS);
        queue::prolong(&self.storage, entry, until).await
    }
}
