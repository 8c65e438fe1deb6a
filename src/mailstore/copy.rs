//! COPY and MOVE.
use super::Mailstore;
use crate::model::error::Result;
use crate::model::id::{MailboxId, UserId};
use crate::model::uid::{Uid, UidSet, UidValidity};
/// COPYUID (RFC 4315 §3): pairs in ascending order of source.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Copied {
    /// UIDVALIDITY of the target.
    pub uid_validity: UidValidity,
    /// (source, target) UIDs.
    pub uids: Vec<(Uid, Uid)>,
}
impl Mailstore {
    /// Copies messages, all or none; content is shared.
    pub async fn copy(
        &self,
        _user: UserId,
        _source: MailboxId,
        _uids: &UidSet,
        _target: MailboxId,
    ) -> Result<Copied> {
        todo!()
    }
    /// Moves messages in one transaction over both mailboxes (RFC 6851). Same mailbox: new UIDs.
    pub async fn move_messages(
        &self,
        _user: UserId,
        _source: MailboxId,
        _uids: &UidSet,
        _target: MailboxId,
    ) -> Result<Copied> {
        todo!()
    }
}
