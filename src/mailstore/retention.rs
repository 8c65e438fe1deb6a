//! Messages that expire, archived ones that are purged, contents nothing refers to.
//!
//! Run by the jobs, in bounded steps that may be repeated; two nodes at once do no harm.

use super::Mailstore;
use crate::model::error::{Error, Result};
use crate::model::id::{MailboxId, UserId};
use crate::model::uid::UidSet;
use crate::storage::archive::{self, Purge};
use crate::storage::{contents, mailboxes, retention, transaction, usage};

pub use crate::storage::retention::Notes;

/// Messages looked at by one step.
const STEP: i64 = 1000;

impl Mailstore {
    /// Removes some messages that have expired, into the archive. Says how many: 0 when none is
    /// left. One query, and what [`Mailstore::expire`] costs for each mailbox.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn expire_some(&self) -> Result<u64> {
        let due = retention::find_due(self.storage(), self.clock().now_ms(), STEP).await?;
        let mut expired = 0;
        for ((user, mailbox), uids) in due {
            expired += match self.expire(user, mailbox, &uids).await {
                Ok(removed) => removed.len(),
                // The mailbox went, and its messages were left behind
                Err(Error::NotFound { .. }) => {
                    self.drain(user, Some(mailbox), true).await?;
                    uids.len()
                }
                Err(error) => return Err(error),
            };
        }
        Ok(expired)
    }

    /// Purges some messages that were archived `kept_ms` ago or before. Says how many: 0 when none
    /// is left. One transaction of three round trips; then the counts of their contents are lowered.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn purge_some(&self, kept_ms: u64) -> Result<u64> {
        let kept_ms = i64::try_from(kept_ms).unwrap_or(i64::MAX);
        let until_ms = self.clock().now_ms().saturating_sub(kept_ms);
        self.purge_archive(Purge::Until(until_ms)).await
    }

    /// Purges some archived messages.
    pub(super) async fn purge_archive(&self, which: Purge) -> Result<u64> {
        let storage = self.storage();
        let counts = transaction::run!(storage, async |session| {
            archive::purge(storage, session, which, STEP).await
        })
        .await?;
        contents::lower_many(storage, &counts).await?;
        Ok(counts.values().sum())
    }

    /// Removes some contents and attachments that nothing refers to and that a crash left behind.
    /// Says how many.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn collect_garbage(&self) -> Result<u64> {
        contents::collect_garbage(self.storage(), STEP).await
    }

    /// Stamps the expiry of the messages of a mailbox, or of all of a user's, anew: after retention
    /// was changed. Two round trips, and one for each mailbox.
    ///
    /// # Errors
    /// `NotFound` mailbox or user, `Unavailable`.
    pub async fn restamp(&self, user: UserId, mailbox: Option<MailboxId>) -> Result<()> {
        let storage = self.storage();
        let concerned = match mailbox {
            None => mailboxes::list(storage, user).await?,
            Some(mailbox) => {
                let found = mailboxes::find(storage, user, mailbox).await?;
                vec![found.ok_or(Error::NotFound { what: "mailbox" })?]
            }
        };
        let of_user = usage::find(storage, user).await?.map_or(0, |usage| usage.retention_ms);
        for mailbox in concerned {
            retention::restamp(storage, user, mailbox.id, mailbox.kept_ms(of_user)).await?;
        }
        Ok(())
    }

    /// How long a user's messages are kept where the mailbox says nothing, milliseconds; 0: for
    /// ever. One round trip.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn user_retention_ms(&self, user: UserId) -> Result<u64> {
        Ok(usage::find(self.storage(), user).await?.map_or(0, |usage| usage.retention_ms))
    }

    /// Notes something about messages for the API: the caller's data, their own expiry. Says how
    /// many there were. One round trip for a range.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn annotate(
        &self,
        user: UserId,
        mailbox: MailboxId,
        uids: &UidSet,
        notes: &Notes,
    ) -> Result<u64> {
        retention::annotate(self.storage(), (user, mailbox), uids, notes).await
    }
}
