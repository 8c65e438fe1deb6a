//! The views of a node: found by mailbox, bounded in octets, evicted least recently used.

use super::view::View;
use crate::model::id::{MailboxId, UserId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Octets of views that nobody has selected, kept for the next one who does.
const IDLE_OCTETS_MAX: usize = 64 * 1024 * 1024;
/// Views that nobody has selected, at most.
const IDLE_MAX: usize = 1024;

/// The views of a node. A view is pinned while a session holds it.
#[derive(Debug, Default)]
pub(super) struct Views {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    views: HashMap<(UserId, MailboxId), Entry>,
    uses: u64,
}

#[derive(Debug)]
struct Entry {
    view: Arc<View>,
    used: u64,
}

impl Views {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The view of a mailbox, made if there is none; others may have to go for it.
    pub(super) fn get_or_insert(
        &self,
        user: UserId,
        mailbox: MailboxId,
        make: impl FnOnce() -> Arc<View>,
    ) -> Arc<View> {
        let mut table = self.lock();
        table.uses += 1;
        let used = table.uses;
        let known = table.views.contains_key(&(user, mailbox));
        if !known {
            table.evict();
        }
        let entry =
            table.views.entry((user, mailbox)).or_insert_with(|| Entry { view: make(), used });
        entry.used = used;
        Arc::clone(&entry.view)
    }

    /// Forgets the view of a mailbox that is gone.
    pub(super) fn remove(&self, user: UserId, mailbox: MailboxId) {
        self.lock().views.remove(&(user, mailbox));
    }

    /// Views and their octets, for the metrics.
    pub(super) fn census(&self) -> (usize, usize) {
        let table = self.lock();
        (table.views.len(), table.views.values().map(|entry| entry.view.cost()).sum())
    }
}

impl Table {
    fn evict(&mut self) {
        let mut idle: Vec<(u64, (UserId, MailboxId), usize)> = self
            .views
            .iter()
            .filter(|(_, entry)| Arc::strong_count(&entry.view) == 1)
            .map(|(key, entry)| (entry.used, *key, entry.view.cost()))
            .collect();
        let mut octets: usize = idle.iter().map(|each| each.2).sum();
        let mut count = idle.len();
        idle.sort_unstable_by_key(|each| each.0);
        for (_, key, cost) in idle {
            if octets <= IDLE_OCTETS_MAX && count < IDLE_MAX {
                break;
            }
            self.views.remove(&key);
            octets -= cost;
            count -= 1;
        }
    }
}
