//! Which messages nobody has been told of: `\Recent` (RFC 3501 §2.3.2).
//!
//! Each mailbox has a mark, the first UID that no session which may change the mailbox was told of.
//! Whoever is told of new messages moves it, and has them as recent; while somebody on this node has
//! the mailbox selected the mark is in memory, and when the last one leaves it is written to the
//! mailbox document. So after a crash, and in sessions on two nodes at once, a message may be recent
//! twice, which RFC 3501 allows: "if it is not possible to determine …, then that message SHOULD be
//! considered recent". It never is recent nowhere.

use super::Mailstore;
use crate::model::error::Result;
use crate::model::id::{MailboxId, UserId};
use crate::model::mailbox::Mailbox;
use crate::model::uid::Uid;
use crate::storage::{mailboxes, messages};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The marks of the mailboxes that are selected on this node.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// Held for a few instructions, never across an await.
    table: Mutex<HashMap<MailboxId, Mark>>,
}

#[derive(Debug)]
struct Mark {
    next: Uid,
    stored: Uid,
    sessions: u32,
    is_writing: bool,
}

impl Marks {
    fn lock(&self) -> MutexGuard<'_, HashMap<MailboxId, Mark>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session's share in the mark of its selected mailbox.
#[derive(Debug)]
pub struct Recent {
    mailstore: Mailstore,
    user: UserId,
    mailbox: MailboxId,
}

impl Recent {
    /// The mark as it is.
    pub fn mark(&self) -> Uid {
        self.with(|mark| mark.next)
    }

    /// Tells that a session has been told of all below `uid_next`; returns the mark before.
    pub fn claim(&self, uid_next: Uid) -> Uid {
        self.with(|mark| {
            let before = mark.next;
            mark.next = before.max(uid_next);
            before
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Mark) -> T) -> T {
        let mut table = self.mailstore.recent_marks().lock();
        let fresh = Mark { next: 1, stored: 1, sessions: 1, is_writing: false };
        act(table.entry(self.mailbox).or_insert(fresh))
    }
}

impl Drop for Recent {
    fn drop(&mut self) {
        let (mailstore, user, mailbox) = (self.mailstore.clone(), self.user, self.mailbox);
        let mut table = mailstore.recent_marks().lock();
        let Some(mark) = table.get_mut(&mailbox) else { return };
        mark.sessions = mark.sessions.saturating_sub(1);
        if mark.sessions > 0 || mark.is_writing {
            return;
        }
        if mark.next == mark.stored {
            table.remove(&mailbox);
            return;
        }
        mark.is_writing = true;
        drop(table);
        let tasks = mailstore.tasks().clone();
        tasks.spawn("recent", async move { mailstore.write_mark(user, mailbox).await });
    }
}

impl Mailstore {
    fn recent_marks(&self) -> &Marks {
        &self.inner.recent
    }

    /// The share of a session that selects a mailbox.
    pub fn follow_recent(&self, mailbox: &Mailbox) -> Recent {
        let next = mailbox.recent_from;
        let mut table = self.recent_marks().lock();
        let fresh = Mark { next, stored: next, sessions: 0, is_writing: false };
        let mark = table.entry(mailbox.id).or_insert(fresh);
        mark.sessions += 1;
        // another node may be ahead
        mark.next = mark.next.max(next);
        Recent { mailstore: self.clone(), user: mailbox.user, mailbox: mailbox.id }
    }

    /// How many messages are recent to a session that would select the mailbox now. Without new ones
    /// no round trip, else at most one.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn count_recent(&self, mailbox: &Mailbox) -> Result<u64> {
        let known = self.recent_marks().lock().get(&mailbox.id).map_or(0, |mark| mark.next);
        let mark = known.max(mailbox.recent_from);
        if mark >= mailbox.uid_next {
            return Ok(0);
        }
        if mark <= 1 {
            return Ok(mailbox.counts.messages);
        }
        messages::count_from(self.storage(), mailbox.user, mailbox.id, mark).await
    }

    /// Writes a mark that nobody moves any more. A failure leaves messages recent once more.
    async fn write_mark(&self, user: UserId, mailbox: MailboxId) {
        let next = self.recent_marks().lock().get(&mailbox).map_or(0, |mark| mark.next);
        if let Err(error) = mailboxes::set_recent(self.storage(), user, mailbox, next).await {
            tracing::warn!(mailbox.id = %mailbox, %error, "which messages are recent was not kept");
        }
        let mut table = self.recent_marks().lock();
        let Some(mark) = table.get_mut(&mailbox) else { return };
        (mark.stored, mark.is_writing) = (next, false);
        if mark.sessions == 0 {
            // what was claimed while this was written is recent once more
            table.remove(&mailbox);
        }
    }
}
