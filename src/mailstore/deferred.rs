//! Work that a request begins and does not wait for.
//!
//! Noted in the database first; then this node does it at once, and if it dies the job of another
//! one does it later. Every kind of work can be done twice without harm.

use super::Mailstore;
use crate::model::error::{Error, Result};
use crate::model::flag::{FlagChange, FlagSet};
use crate::model::id::{MailboxId, ObjectId, UserId};
use crate::model::uid::{Uid, UidSet};
use crate::storage::deferred::{self, Deferred};
use crate::storage::field::new_id;

pub use crate::storage::deferred::{Action, Work};

/// How long whoever took work is left alone with it.
const TERM_MS: i64 = 10 * 60_000;
/// Ranges of UIDs in one document.
const RANGES_MAX: usize = 50_000;

impl Mailstore {
    /// Notes work and begins with it. Returns the task's identifier. One round trip.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn defer(&self, user: UserId, work: Work) -> Result<ObjectId> {
        let deferred = Deferred { id: new_id(), user, work };
        let due_ms = self.clock().now_ms() + TERM_MS;
        deferred::insert(self.storage(), None, &deferred, due_ms).await?;
        let (store, id) = (self.clone(), deferred.id);
        self.tasks().spawn("deferred", async move { store.finish(deferred).await });
        Ok(id)
    }

    /// The same for one action on many messages, in as many tasks as it takes; the first one's
    /// identifier. One round trip for 50,000 ranges of UIDs.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn defer_action(
        &self,
        user: UserId,
        sets: Vec<(MailboxId, UidSet)>,
        action: Action,
    ) -> Result<ObjectId> {
        let (mut parts, mut part, mut ranges) = (Vec::new(), Vec::new(), 0);
        for (mailbox, uids) in sets {
            for piece in uids.ranges().chunks(RANGES_MAX) {
                ranges += piece.len();
                if ranges > RANGES_MAX {
                    parts.push(std::mem::take(&mut part));
                    ranges = piece.len();
                }
                part.push((mailbox, UidSet::from_ranges(piece.to_vec())));
            }
        }
        let first = self.defer(user, Work::Apply { sets: part, action }).await?;
        for sets in parts {
            self.defer(user, Work::Apply { sets, action }).await?;
        }
        Ok(first)
    }

    /// Clears a mailbox, unless that is being done: then that task's identifier and `true`. Two
    /// round trips.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn defer_clear(
        &self,
        user: UserId,
        mailbox: MailboxId,
        archives: bool,
    ) -> Result<(ObjectId, bool)> {
        if let Some(task) = deferred::find_clear(self.storage(), user, mailbox).await? {
            return Ok((task, true));
        }
        Ok((self.defer(user, Work::Clear { mailbox, archives }).await?, false))
    }

    /// What a transaction has to note so that a crash after it does not lose it; give it to
    /// [`Self::finish`] after the commit.
    pub(super) async fn note(
        &self,
        session: &mut crate::storage::transaction::Session,
        user: UserId,
        work: Work,
    ) -> Result<Deferred> {
        let deferred = Deferred { id: new_id(), user, work };
        let due_ms = self.clock().now_ms() + TERM_MS;
        deferred::insert(self.storage(), Some(session), &deferred, due_ms).await?;
        Ok(deferred)
    }

    /// Does what nodes that died have left, at most so many tasks. Says how many.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn run_deferred(&self, limit: usize) -> Result<usize> {
        for done in 0..limit {
            let now_ms = self.clock().now_ms();
            let claimed = deferred::claim(self.storage(), now_ms, now_ms + TERM_MS).await?;
            let Some(deferred) = claimed else { return Ok(done) };
            self.finish(deferred).await;
        }
        Ok(limit)
    }

    /// Does it and forgets it; a failure leaves it for later.
    pub(super) async fn finish(&self, deferred: Deferred) {
        let outcome = match self.perform(deferred.user, deferred.work).await {
            // What it was about is gone
            Ok(()) | Err(Error::NotFound { .. }) => {
                deferred::delete(self.storage(), deferred.id).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = outcome {
            tracing::warn!(task.id = %deferred.id, %error, "deferred work is tried again later");
        }
    }

    async fn perform(&self, user: UserId, work: Work) -> Result<()> {
        match work {
            Work::Drain { mailbox } => self.drain(user, Some(mailbox), true).await,
            Work::Clear { mailbox, archives } => {
                let all = UidSet::from_range(1, Uid::MAX);
                if archives {
                    self.remove(user, mailbox, &all).await.map(drop)
                } else {
                    self.remove_for_good(user, mailbox, &all).await.map(drop)
                }
            }
            Work::Restamp { mailbox } => self.restamp(user, mailbox).await,
            Work::Restore { start_ms, end_ms } => {
                self.restore_between(user, start_ms, end_ms).await
            }
            Work::Apply { sets, action } => {
                for (mailbox, uids) in sets {
                    match self.apply(user, mailbox, &uids, action).await {
                        Ok(()) | Err(Error::NotFound { .. }) => {}
                        Err(error) => return Err(error),
                    }
                }
                Ok(())
            }
        }
    }

    async fn apply(
        &self,
        user: UserId,
        mailbox: MailboxId,
        uids: &UidSet,
        action: Action,
    ) -> Result<()> {
        match action {
            Action::Remove => self.remove(user, mailbox, uids).await.map(drop),
            Action::Flag { set, cleared } => {
                let set = FlagChange::Add(FlagSet::new(set, Vec::new()));
                let cleared = FlagChange::Remove(FlagSet::new(cleared, Vec::new()));
                for change in [set, cleared] {
                    if !change.flags().is_empty() {
                        self.store_flags(user, mailbox, uids, &change, None).await?;
                    }
                }
                Ok(())
            }
            Action::Move { target } if target == mailbox => Ok(()),
            Action::Move { target } => {
                self.move_messages(user, mailbox, uids, target).await.map(drop)
            }
        }
    }
}
