//! Failed attempts per name: twelve in two minutes, counted for all nodes
//! (`reference/behaviours.md` §7).
//!
//! A success costs one read here and writes only where there were failures.

use crate::clock::Clock;
use crate::model::error::{Error, Result};
use crate::storage::{Storage, rate_limits};

/// Failures after which a name waits.
const FAILURES_MAX: u64 = 12;
/// The window, milliseconds.
const WINDOW_MS: i64 = 120_000;

/// Counts failed attempts; cheap to clone.
#[derive(Clone, Debug)]
pub struct Throttle {
    storage: Storage,
    clock: Clock,
}

impl Throttle {
    /// Counters in this database.
    pub const fn new(storage: Storage, clock: Clock) -> Self {
        Self { storage, clock }
    }

    /// Refuses a name with too many failures; otherwise says whether it has any. One round trip.
    ///
    /// # Errors
    /// `Throttled`, `Unavailable`.
    pub async fn check(&self, name: &str) -> Result<bool> {
        let now = self.clock.now_ms();
        let Some(counted) = rate_limits::find(&self.storage, &key(name), now).await? else {
            return Ok(false);
        };
        if counted.count >= FAILURES_MAX {
            let left = counted.expires_ms.saturating_sub(now).max(0);
            let retry_after_s = u64::try_from(left).unwrap_or(0) / 1000 + 1;
            return Err(Error::Throttled { retry_after_s });
        }
        Ok(true)
    }

    /// Counts a failure: one round trip.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn failed(&self, name: &str) -> Result<()> {
        rate_limits::count(&self.storage, &key(name), self.clock.now_ms(), WINDOW_MS).await
    }

    /// Forgets the failures of a name that has succeeded.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn succeeded(&self, name: &str) -> Result<()> {
        rate_limits::forget(&self.storage, &key(name)).await
    }
}

/// A digest: names are as long as clients like, and what was typed may be a password.
fn key(name: &str) -> String {
    format!("auth:{}", blake3::hash(name.as_bytes()).to_hex())
}
