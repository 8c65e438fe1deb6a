//! STORE.
use super::Mailstore;
use crate::model::error::Result;
use crate::model::flag::FlagChange;
use crate::model::id::{MailboxId, UserId};
use crate::model::uid::{ModSeq, UidSet};
/// What a STORE did.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Stored {
    /// The ModSeq of the change; `None` when nothing changed.
    pub mod_seq: Option<ModSeq>,
    /// UIDs not changed because their ModSeq is above `unchanged_since` (RFC 7162 §3.1.3 MODIFIED).
    pub modified: UidSet,
}
impl Mailstore {
    /// Changes flags of the messages of a set that exist. One mailbox update, one updateMany, one change.
    pub async fn store_flags(
        &self,
        _user: UserId,
        _mailbox: MailboxId,
        _uids: &UidSet,
        _change: &FlagChange,
        _unchanged_since: Option<ModSeq>,
    ) -> Result<Stored> {
        todo!()
    }
}
