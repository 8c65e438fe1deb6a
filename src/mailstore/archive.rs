//! What users removed: listing it, and bringing it back.

use super::Mailstore;
use super::copy::Sum;
use super::mailbox::NewMailbox;
use crate::model::error::{Error, Result};
use crate::model::id::{MailboxId, MessageId, UserId};
use crate::model::mailbox::MailboxName;
use crate::model::message::Message;
use crate::model::uid::{Uid, UidSet};
use crate::storage::changes::{self, Kind};
use crate::storage::mailboxes::{self, Bump};
use crate::storage::message_copy::{self, no_uids_left};
use crate::storage::transaction::{self, Session};
use crate::storage::{archive, usage};

/// Messages restored by one transaction.
const STEP: i64 = 500;

/// Where a message was restored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Restored {
    /// The mailbox.
    pub mailbox: MailboxId,
    /// Its new UID there.
    pub uid: Uid,
}

/// A page of the archive.
#[derive(Clone, Copy, Debug, Default)]
pub struct ArchiveQuery {
    /// Oldest first.
    pub ascending: bool,
    /// Rows strictly after this one, in the order asked for.
    pub after: Option<MessageId>,
    /// Rows strictly before it; the page nearest to it.
    pub before: Option<MessageId>,
    /// Rows at most.
    pub limit: usize,
}

impl Mailstore {
    /// A page of a user's archived messages, whether more follow in the direction of reading, and
    /// how many there are. Two round trips.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn list_archived(
        &self,
        user: UserId,
        query: &ArchiveQuery,
    ) -> Result<(Vec<Message>, bool, u64)> {
        let backwards = query.before.is_some() && query.after.is_none();
        let ascending = query.ascending != backwards;
        let beyond = query.after.or(query.before);
        let asked = i64::try_from(query.limit.min(1000)).unwrap_or(1000) + 1;
        let mut rows = archive::page(self.storage(), user, beyond, ascending, asked).await?;
        let more = rows.len() > query.limit;
        rows.truncate(query.limit);
        if backwards {
            rows.reverse();
        }
        let total = archive::count(self.storage(), user).await?;
        Ok((rows, more, total))
    }

    /// Restores one message: into the mailbox asked for, else where it was, else into INBOX. Two
    /// look-ups and one transaction of seven round trips. The quota is not looked at.
    ///
    /// # Errors
    /// `NotFound` message or mailbox, `Unavailable`.
    pub async fn restore(
        &self,
        user: UserId,
        message: MessageId,
        target: Option<MailboxId>,
    ) -> Result<Restored> {
        let storage = self.storage();
        let gone = || Error::NotFound { what: "message" };
        let was_in = archive::find_mailbox(storage, user, message).await?.ok_or_else(gone)?;
        let mailbox = match target {
            Some(target) => target,
            None if mailboxes::find(storage, user, was_in).await?.is_some() => was_in,
            None => {
                let inbox = self.find_mailbox_by_name(user, &MailboxName::inbox()).await?;
                inbox.ok_or(Error::NotFound { what: "mailbox" })?.id
            }
        };
        let uids = self.restore_into(user, mailbox, &[message]).await?;
        let uid = uids.first().ok_or_else(gone)?;
        Ok(Restored { mailbox, uid })
    }

    /// Restores all that was archived in this time into a mailbox of its own. As
    /// [`Mailstore::restore`] for every 500 messages.
    ///
    /// # Errors
    /// `NotFound`, `LimitReached`, `Unavailable`.
    pub async fn restore_between(&self, user: UserId, start_ms: i64, end_ms: i64) -> Result<()> {
        let range = (start_ms, end_ms);
        let mut mailbox = None;
        loop {
            let ids = archive::find_between(self.storage(), user, range, STEP).await?;
            if ids.is_empty() {
                return Ok(());
            }
            let mailbox = match mailbox {
                Some(mailbox) => mailbox,
                None => *mailbox.insert(self.restoration_mailbox(user).await?),
            };
            self.restore_into(user, mailbox, &ids).await?;
        }
    }

    /// `Restored (2026-11-24)`, INBOX if it cannot be had.
    async fn restoration_mailbox(&self, user: UserId) -> Result<MailboxId> {
        let day = jiff::Timestamp::from_millisecond(self.clock().now_ms()).unwrap_or_default();
        let name = MailboxName::new(&format!("Restored ({})", day.strftime("%Y-%m-%d")))?;
        if let Some(found) = self.find_mailbox_by_name(user, &name).await? {
            return Ok(found.id);
        }
        match self.create_mailbox(user, NewMailbox::new(name.clone())).await {
            Ok(created) => return Ok(created.id),
            Err(Error::AlreadyExists { .. } | Error::LimitReached { .. }) => {}
            Err(error) => return Err(error),
        }
        for name in [name, MailboxName::inbox()] {
            if let Some(found) = self.find_mailbox_by_name(user, &name).await? {
                return Ok(found.id);
            }
        }
        Err(Error::NotFound { what: "mailbox" })
    }

    /// Brings archived messages back; those that are no longer there are passed over. Returns their
    /// new UIDs.
    async fn restore_into(
        &self,
        user: UserId,
        mailbox: MailboxId,
        ids: &[MessageId],
    ) -> Result<UidSet> {
        let turn = self.writers().turn(user).await;
        let restored = transaction::run!(self.storage(), async |session| {
            self.restore_once(session, user, mailbox, ids).await
        })
        .await;
        drop(turn);
        restored
    }

    async fn restore_once(
        &self,
        session: &mut Session,
        user: UserId,
        mailbox: MailboxId,
        ids: &[MessageId],
    ) -> Result<UidSet> {
        let storage = self.storage();
        let bumped = mailboxes::bump(storage, session, user, mailbox, &Bump::default()).await?;
        let after = bumped.ok_or(Error::NotFound { what: "mailbox" })?;
        let documents = archive::take(storage, session, user, ids).await?;
        if documents.is_empty() {
            return Err(Error::NotFound { what: "message" });
        }
        let count = u32::try_from(documents.len()).map_err(|_| no_uids_left())?;
        let last = after.uid_next.checked_add(count).ok_or_else(no_uids_left)?;
        let retention_ms = usage::find_retention(storage, session, user).await?;
        let place = self.target(&after, retention_ms);
        let mut sum = Sum::default();
        for row in message_copy::put_back(storage, session, &documents, &place).await? {
            sum.add(&row);
        }
        usage::add(storage, session, user, sum.octets).await?;
        mailboxes::adjust(storage, session, user, mailbox, &sum.into_bump(&after, count)?).await?;
        let uids = UidSet::from_range(after.uid_next, last - 1);
        let change = self.change(&after, Kind::Append, uids.clone());
        changes::insert(storage, session, &[change]).await?;
        Ok(uids)
    }
}
