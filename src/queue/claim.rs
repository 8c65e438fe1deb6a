//! Taking entries to work on.

use super::Queue;
use crate::model::error::Result;
use crate::model::message::TimeMs;
use crate::model::queue::Entry;
use crate::storage::queue::{self, Lease};

/// How long a worker has an entry before another may take it.
pub const LEASE_MS: TimeMs = 10 * 60 * 1000;

impl Queue {
    /// Takes the entry for one of our own users that is due longest, if any: one round trip.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn claim_local(&self) -> Result<Option<Entry>> {
        let now = self.clock.now_ms();
        queue::claim_local(&self.storage, &self.lease(now), now).await
    }

    /// Takes up to `max` entries of one next hop that are due, so that they share a connection. The
    /// next hops take turns in order of their names: this one comes after `after`. Those of `busy`
    /// are passed over, however much is due there. Four round trips, one if nothing is due.
    ///
    /// # Errors
    /// `Unavailable`; entries claimed until then are free again when their lease ends.
    pub async fn claim_batch(
        &self,
        after: &str,
        busy: &[String],
        max: usize,
    ) -> Result<Vec<Entry>> {
        let now = self.clock.now_ms();
        let find = |after| queue::find_due_domain(&self.storage, after, busy, now);
        let domain = match find(after).await? {
            Some(domain) => domain,
            // the turns start again
            None if after.is_empty() => return Ok(Vec::new()),
            None => match find("").await? {
                Some(domain) => domain,
                None => return Ok(Vec::new()),
            },
        };
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        queue::claim_domain(&self.storage, &domain, (&self.lease(now), now), max).await
    }

    fn lease(&self, now: TimeMs) -> Lease {
        Lease { until_ms: now.saturating_add(LEASE_MS), node: self.node.to_string() }
    }

    /// Prolongs a lease by its whole length. `false`: the entry is lost to another worker.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn prolong(&self, entry: &Entry) -> Result<bool> {
        let until = self.clock.now_ms().saturating_add(LEASE_MS);
        queue::prolong(&self.storage, entry, until).await
    }

    /// Gives entries back as they were: they are due at once, for any worker.
    ///
    /// # Errors
    /// `Unavailable`; they are free again when their leases end.
    pub async fn release(&self, entries: &[&Entry]) -> Result<()> {
        queue::release(&self.storage, entries, self.clock.now_ms()).await
    }

    /// Gives back what this node had claimed when it died: nobody works on it any more. To be
    /// called before it claims anything. Returns how much: one round trip.
    ///
    /// # Errors
    /// `Unavailable`; it is free again when the leases end.
    pub async fn release_orphans(&self) -> Result<u64> {
        if self.node.is_empty() {
            return Ok(0);
        }
        let now = self.clock.now_ms();
        queue::release_of_node(&self.storage, &self.lease(now), now).await
    }
}
