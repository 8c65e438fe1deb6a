//! An entry that could not be delivered yet.

use super::Queue;
use crate::model::error::Result;
use crate::model::message::TimeMs;
use crate::model::queue::{Attempt, Entry};
use crate::storage::queue;

const MINUTE_MS: TimeMs = 60 * 1000;

/// Pauses between tries, in minutes: those of `const:sender:defer_times`' default, the last one
/// again and again until [`MAX_AGE_MS`].
const PAUSES_MIN: [TimeMs; 7] = [5, 7, 8, 25, 75, 120, 240];

/// After this an entry is given up: the first six pauses and eleven of four hours.
pub const MAX_AGE_MS: TimeMs = (5 + 7 + 8 + 25 + 75 + 120 + 11 * 240) * MINUTE_MS;

/// When an entry is tried again after so many tries; `None`: it has been tried long enough.
pub fn next_due(entry: &Entry, now: TimeMs) -> Option<TimeMs> {
    let tries = entry.attempts.len().min(PAUSES_MIN.len() - 1);
    let pause = PAUSES_MIN.get(tries).copied().unwrap_or(240) * MINUTE_MS;
    let due = now.saturating_add(pause);
    (due.saturating_sub(entry.created_ms.max(0)) <= MAX_AGE_MS).then_some(due)
}

impl Queue {
    /// Gives an entry back to be tried again, with the reply of this try in its log. `false`:
    /// another worker has it.
    ///
    /// # Errors
    /// `Unavailable`; it is tried again when the lease ends.
    pub async fn reschedule(&self, entry: &Entry, tried: &Attempt, due: TimeMs) -> Result<bool> {
        queue::reschedule(&self.storage, entry, tried, due).await
    }
}
