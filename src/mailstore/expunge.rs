//! Removing messages.
use super::Mailstore;
use crate::model::error::Result;
use crate::model::id::{MailboxId, UserId};
use crate::model::uid::UidSet;
impl Mailstore {
    /// Removes the messages of the set (`None`: all) that have \Deleted. Returns what was removed.
    pub async fn expunge_deleted(
        &self,
        _user: UserId,
        _mailbox: MailboxId,
        _uids: Option<&UidSet>,
    ) -> Result<UidSet> {
        todo!()
    }
    /// Removes messages whatever their flags. Returns what was removed.
    pub async fn remove(
        &self,
        _user: UserId,
        _mailbox: MailboxId,
        _uids: &UidSet,
    ) -> Result<UidSet> {
        todo!()
    }
}
