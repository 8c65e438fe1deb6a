//! Taking entries to work on.

use super::Queue;
use crate::model::error::Result;
use crate::model::id::UserId;
use crate::model::message::TimeMs;
use crate::model::queue::Entry;
use crate::storage::queue::{self, Lease};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How long a worker has an entry before another may take it.
pub const LEASE_MS: TimeMs = 10 * 60 * 1000;

/// Next hops whose turns are remembered.
const TURNS_MAX: usize = 10_000;

/// Which user each next hop served last, on this node; cheap to clone.
#[derive(Clone, Default, Debug)]
pub(super) struct Turns {
    /// By next hop. Held for a look-up only.
    last: Arc<Mutex<HashMap<String, UserId>>>,
}

impl Turns {
    fn last(&self, domain: &str) -> Option<UserId> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).get(domain).copied()
    }

    /// Entries without a user come before all users.
    fn served(&self, domain: &str, user: Option<UserId>) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() >= TURNS_MAX && !last.contains_key(domain) {
            last.clear();
        }
        last.insert(domain.to_owned(), user.unwrap_or(UserId::from_octets([0; 12])));
    }
}

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
    /// are passed over, however much is due there. At a next hop the users take turns, too: this
    /// node goes on after the one it served last, so that who sends much delays the others by one
    /// batch. Four round trips, three more when the turns start again, one if nothing is due.
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
        let lease = self.lease(now);
        let left = |entries: &Vec<Entry>| {
            i64::try_from(max.saturating_sub(entries.len())).unwrap_or(i64::MAX)
        };
        let mut entries = Vec::new();
        if let Some(user) = self.turns.last(&domain) {
            let others = (domain.as_str(), Some(user));
            let left = left(&entries);
            entries = queue::claim_domain(&self.storage, others, (&lease, now), left).await?;
        }
        if left(&entries) > 0 {
            let (all, left) = ((domain.as_str(), None), left(&entries));
            entries.extend(queue::claim_domain(&self.storage, all, (&lease, now), left).await?);
        }
        if let Some(entry) = entries.last() {
            self.turns.served(&domain, entry.user);
        }
        Ok(entries)
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
