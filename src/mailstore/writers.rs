//! Turns of a node's writers.
//!
//! Two transactions on one mailbox, or two that count octets of one user, conflict in the database,
//! and the loser
//! starts again. Between nodes that decides; inside a node the writers of one user wait for each
//! other in order of
//! arrival, so that a long one is not overtaken for ever and nobody repeats work.

use crate::model::id::UserId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::OwnedMutexGuard;

/// The turns of all users who are being written to.
#[derive(Debug, Default)]
pub(super) struct Writers {
    turns: Mutex<Turns>,
}

#[derive(Debug, Default)]
struct Turns {
    turns: HashMap<UserId, Weak<tokio::sync::Mutex<()>>>,
    /// The number of entries at which those without a writer are dropped.
    sweep_at: usize,
}

impl Writers {
    /// Waits for the user's turn; it ends when the guard is dropped. A guard is held over one
    /// transaction.
    pub(super) async fn turn(&self, user: UserId) -> OwnedMutexGuard<()> {
        let turn = self.turns.lock().unwrap_or_else(PoisonError::into_inner).find(user);
        turn.lock_owned().await
    }
}

impl Turns {
    fn find(&mut self, user: UserId) -> Arc<tokio::sync::Mutex<()>> {
        if let Some(turn) = self.turns.get(&user).and_then(Weak::upgrade) {
            return turn;
        }
        if self.turns.len() >= self.sweep_at {
            self.turns.retain(|_, turn| turn.strong_count() > 0);
            self.sweep_at = self.turns.len() * 2 + 256;
        }
        let turn = Arc::default();
        self.turns.insert(user, Arc::downgrade(&turn));
        turn
    }
}
