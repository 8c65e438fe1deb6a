//! EXPUNGE (RFC 9051 §6.4.3, RFC 4315 §2.1) and removal whatever the flags.
//!
//! What a user removes goes to the archive (`storage/archive.rs`) in the same transaction, but for
//! drafts and messages that were copied before: clients without MOVE move like that.
use super::Mailstore;
use super::copy::{References, Sum, note_gone};
use super::flags::{is_unchanged, unchanged};
use crate::model::error::{Error, Result};
use crate::model::flag::Flag;
use crate::model::id::{MailboxId, UserId};
use crate::model::limits::TRANSACTION_MESSAGES_MAX;
use crate::model::uid::{Uid, UidSet};
use crate::storage::archive::{self, Kept};
use crate::storage::changes::{self, Gone, Kind};
use crate::storage::mailboxes::{self, Bump};
use crate::storage::messages::{self, Selection};
use crate::storage::transaction::{self, Session};
use crate::storage::usage;

/// What one transaction removed.
#[derive(Default)]
pub(super) struct Removed {
    pub(super) uids: UidSet,
    /// Of what was not archived.
    pub(super) references: References,
    gone: Vec<Gone>,
}

/// Which messages of a set are removed, and how.
#[derive(Clone, Copy, Debug)]
struct Removal {
    flags_all: u8,
    due_ms: Option<i64>,
    kept: Kept,
}

impl Mailstore {
    /// Removes the messages of the set (`None`: all) that have \Deleted. Returns what was removed.
    ///
    /// Per 1,000 messages one transaction (EXPUNGE need not be atomic): mailbox update, read of the
    /// documents and their insert into the archive, delete, quota, counters, one change, commit: eight round
    /// trips; then the counts of contents that were not archived are lowered. Nothing to do: one,
    /// and an abort.
    ///
    /// # Errors
    /// `NotFound` mailbox, `Unavailable`; what earlier transactions removed stays removed.
    pub async fn expunge_deleted(
        &self,
        user: UserId,
        mailbox: MailboxId,
        uids: Option<&UidSet>,
    ) -> Result<UidSet> {
        let all = UidSet::from_range(1, Uid::MAX);
        let removal = Removal { flags_all: Flag::Deleted.bit(), due_ms: None, kept: Kept::Usual };
        self.remove_matching(user, mailbox, uids.unwrap_or(&all), removal).await
    }

    /// Removes messages whatever their flags. Returns what was removed. Costs as
    /// [`Self::expunge_deleted`].
    ///
    /// # Errors
    /// `NotFound` mailbox, `Unavailable`; what earlier transactions removed stays removed.
    pub async fn remove(&self, user: UserId, mailbox: MailboxId, uids: &UidSet) -> Result<UidSet> {
        let removal = Removal { flags_all: 0, due_ms: None, kept: Kept::Usual };
        self.remove_matching(user, mailbox, uids, removal).await
    }

    /// The same of messages nobody named: drafts among them go to the archive, too.
    ///
    /// # Errors
    /// As [`Self::remove`].
    pub async fn remove_along(
        &self,
        user: UserId,
        mailbox: MailboxId,
        uids: &UidSet,
    ) -> Result<UidSet> {
        let removal = Removal { flags_all: 0, due_ms: None, kept: Kept::DraftsToo };
        self.remove_matching(user, mailbox, uids, removal).await
    }

    /// The same for good: nothing goes to the archive.
    ///
    /// # Errors
    /// As [`Self::remove`].
    pub async fn remove_for_good(
        &self,
        user: UserId,
        mailbox: MailboxId,
        uids: &UidSet,
    ) -> Result<UidSet> {
        let removal = Removal { flags_all: 0, due_ms: None, kept: Kept::Nothing };
        self.remove_matching(user, mailbox, uids, removal).await
    }

    /// Removes those messages of a set that have expired by now. Costs as
    /// [`Self::expunge_deleted`].
    ///
    /// # Errors
    /// As [`Self::remove`].
    pub async fn expire(&self, user: UserId, mailbox: MailboxId, uids: &UidSet) -> Result<UidSet> {
        let due_ms = Some(self.clock().now_ms());
        let removal = Removal { flags_all: 0, due_ms, kept: Kept::Usual };
        self.remove_matching(user, mailbox, uids, removal).await
    }

    async fn remove_matching(
        &self,
        user: UserId,
        mailbox: MailboxId,
        uids: &UidSet,
        removal: Removal,
    ) -> Result<UidSet> {
        let Removal { flags_all, due_ms, kept } = removal;
        let mut all = UidSet::new();
        let mut left = uids.clone();
        while !left.is_empty() {
            let uids = &left;
            let selection = Selection {
                user,
                mailbox,
                uids,
                flags_all,
                due_ms,
                limit: TRANSACTION_MESSAGES_MAX,
            };
            let mut removed = Removed::default();
            let turn = self.writers().turn(user).await;
            let outcome = transaction::run!(self.storage(), async |session| {
                removed = self.remove_once(session, &selection, kept).await?;
                if removed.uids.is_empty() { Err(unchanged()) } else { Ok(()) }
            })
            .await;
            drop(turn);
            match outcome {
                Err(error) if is_unchanged(&error) => break,
                Err(error) => return Err(error),
                Ok(()) => {}
            }
            // After the commit, so that a crash in between leaves counts too high, never too low
            self.lower(&removed.references).await;
            let Some(last) = removed.uids.last() else { break };
            let complete = removed.uids.len() < TRANSACTION_MESSAGES_MAX;
            all = all.union(&removed.uids);
            if complete {
                break;
            }
            left = left.above(last);
        }
        Ok(all)
    }

    pub(super) async fn remove_once(
        &self,
        session: &mut Session,
        selection: &Selection<'_>,
        kept: Kept,
    ) -> Result<Removed> {
        let (user, mailbox) = (selection.user, selection.mailbox);
        let storage = self.storage();
        let bumped = mailboxes::bump(storage, session, user, mailbox, &Bump::default()).await?;
        let after = bumped.ok_or(Error::NotFound { what: "mailbox" })?;
        let (mut removed, mut sum) = (Removed::default(), Sum::default());
        // The counter is exact, and CLOSE on a mailbox without \Deleted is the common case
        if selection.flags_all == Flag::Deleted.bit() && after.counts.deleted == 0 {
            return Ok(removed);
        }
        let kept = (kept, self.clock().now_ms());
        archive::visit(storage, session, selection, kept, &mut |message, is_archived| {
            removed.uids.insert(message.row.uid);
            sum.add(&message.row);
            note_gone(&mut removed.gone, &message);
            if !is_archived {
                *removed.references.entry(message.content).or_default() += 1;
            }
        })
        .await?;
        let (Some(first), Some(last)) = (removed.uids.first(), removed.uids.last()) else {
            return Ok(removed);
        };
        // Few wide ranges instead of the many exact ones: the flags are in the filter again
        let cover = selection.uids.intersection(&UidSet::from_range(first, last));
        let selection = Selection { uids: &cover, ..selection.clone() };
        if messages::delete(storage, session, &selection).await? != removed.uids.len() {
            return Err(messages::miscounted());
        }
        let count = u32::try_from(removed.uids.len()).unwrap_or(u32::MAX);
        usage::add(storage, session, user, -sum.octets).await?;
        mailboxes::adjust(storage, session, user, mailbox, &sum.negated(count)).await?;
        let change = self.change(&after, Kind::Expunge, removed.uids.clone());
        changes::insert_with_gone(storage, session, &[change], &removed.gone).await?;
        Ok(removed)
    }
}
