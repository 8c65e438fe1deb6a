//! Events to their hooks, one hook at a time by one node at a time; the posting itself is
//! `jobs::webhooks`.

use super::Directory;
use crate::model::error::Result;
use crate::model::message::TimeMs;
use crate::model::webhook::{Notice, Turn};
use crate::storage::webhooks;

/// A turn ends so long after its last sign of life: longer than any post takes.
const TURN_MS: TimeMs = 60 * 1000;
/// Events read at once.
const NOTICES_MAX: i64 = 50;
/// Times an event is tried (`reference/behaviours.md` §14).
const ATTEMPTS_MAX: u64 = 5;
/// The pause after the first try; it doubles.
const PAUSE_MS: TimeMs = 2000;

impl Directory {
    /// Takes the turn of a hook that has an event due, if any.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn claim_turn(&self) -> Result<Option<Turn>> {
        let now = self.clock.now_ms();
        webhooks::claim(&self.storage, now, now.saturating_add(TURN_MS)).await
    }

    /// Keeps a turn for another post. `None`: it is lost, or the hook is gone.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn keep_turn(&self, turn: &Turn) -> Result<Option<Turn>> {
        webhooks::prolong(&self.storage, turn, self.clock.now_ms().saturating_add(TURN_MS)).await
    }

    /// Ends a turn. `false`: an event came meanwhile, or the turn is lost.
    ///
    /// # Errors
    /// `Unavailable`; it ends by itself.
    pub async fn end_turn(&self, turn: &Turn) -> Result<bool> {
        webhooks::end_turn(&self.storage, turn).await
    }

    /// The next events of a hook.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn due_notices(&self, turn: &Turn) -> Result<Vec<Notice>> {
        let now = self.clock.now_ms();
        webhooks::due_notices(&self.storage, turn.hook.id, now, NOTICES_MAX).await
    }

    /// An event arrived.
    ///
    /// # Errors
    /// `Unavailable`; it is posted again then.
    pub async fn notice_posted(&self, notice: &Notice) -> Result<()> {
        webhooks::delete_notice(&self.storage, notice.id).await
    }

    /// An event did not arrive: it is tried again later, or kept as a dead letter.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn notice_failed(&self, notice: &Notice, error: &str) -> Result<()> {
        let tried = notice.attempts.saturating_add(1);
        let due = (tried < ATTEMPTS_MAX).then(|| {
            let doublings = u32::try_from(notice.attempts).unwrap_or(0).min(16);
            self.clock.now_ms().saturating_add(PAUSE_MS << doublings)
        });
        webhooks::fail_notice(&self.storage, notice.id, error, due).await
    }
}
