//! What a user may do in a time: counted for all nodes, forgotten at the end of a window that began
//! with the first count (`reference/behaviours.md` §8).

use crate::clock::Clock;
use crate::model::error::Result;
use crate::model::id::UserId;
use crate::storage::{Storage, rate_limits};

/// Something that is counted for each user.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Counter {
    /// Octets of messages read over POP3.
    Pop3Download,
    /// Logins over POP3 (RFC 2449 §6.5).
    Pop3Login,
}

impl Counter {
    fn key(self, user: UserId) -> String {
        let name = match self {
            Self::Pop3Download => "pop3-download",
            Self::Pop3Login => "pop3-login",
        };
        format!("{name}:{user}")
    }
}

/// How much was counted, and when that is forgotten.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Used {
    /// How much.
    pub count: u64,
    /// Seconds until the window ends; 0: none is open.
    pub left_s: u64,
}

/// The counters; cheap to clone.
#[derive(Clone, Debug)]
pub struct Allowances {
    storage: Storage,
    clock: Clock,
}

impl Allowances {
    /// Counters in this database.
    pub const fn new(storage: Storage, clock: Clock) -> Self {
        Self { storage, clock }
    }

    /// What was counted in the present window. One round trip.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn used(&self, user: UserId, counter: Counter) -> Result<Used> {
        let now = self.clock.now_ms();
        let found = rate_limits::find(&self.storage, &counter.key(user), now).await?;
        Ok(found.map_or_else(Used::default, |counted| {
            let left = counted.expires_ms.saturating_sub(now);
            Used { count: counted.count, left_s: u64::try_from(left).unwrap_or(0).div_ceil(1000) }
        }))
    }

    /// Counts; the first count opens a window of so many seconds. One round trip.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn add(
        &self,
        user: UserId,
        counter: Counter,
        amount: u64,
        window_s: u64,
    ) -> Result<()> {
        let window_ms = i64::try_from(window_s.saturating_mul(1000)).unwrap_or(i64::MAX);
        let now = self.clock.now_ms();
        rate_limits::add(&self.storage, &counter.key(user), amount, now, window_ms).await
    }

    /// Forgets what was counted. One round trip.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn reset(&self, user: UserId, counter: Counter) -> Result<()> {
        rate_limits::forget(&self.storage, &counter.key(user)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::field::new_id;
    use crate::storage::testing::storage;

    #[tokio::test]
    async fn counts_are_forgotten_after_the_window() {
        let storage = storage("allowance").await;
        let clock = Clock::default();
        let allowances = Allowances::new(storage.clone(), clock.clone());
        let (user, other) = (new_id(), new_id());
        let counter = Counter::Pop3Download;
        assert_eq!(allowances.used(user, counter).await.unwrap(), Used::default());
        allowances.add(user, counter, 5, 60).await.unwrap();
        allowances.add(user, counter, 7, 60).await.unwrap();
        let used = allowances.used(user, counter).await.unwrap();
        assert!(used.count == 12 && (1..=60).contains(&used.left_s), "{used:?}");
        assert_eq!(allowances.used(other, counter).await.unwrap().count, 0);
        assert_eq!(allowances.used(user, Counter::Pop3Login).await.unwrap().count, 0);
        clock.advance_ms(61_000);
        assert_eq!(allowances.used(user, counter).await.unwrap(), Used::default());
        allowances.add(user, counter, 1, 60).await.unwrap();
        assert_eq!(allowances.used(user, counter).await.unwrap().count, 1);
        storage.drop_database().await.unwrap();
    }
}
