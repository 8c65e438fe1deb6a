//! The shared in-memory view of a selected mailbox.
//!
//! One per mailbox and node, about 32 octets a message; all sessions share it.
use super::Mailstore;
use crate::model::error::Result;
use crate::model::id::{MailboxId, UserId};
use crate::model::message::Row;
use crate::model::uid::{ModSeq, Uid, UidSet, UidValidity};
use std::sync::Arc;
/// The views of a node.
#[derive(Debug, Default)]
pub(super) struct Views {}
/// A mailbox's columns.
#[derive(Debug)]
pub struct View {}
/// What a view says of the mailbox as of its ModSeq.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ViewState {
    /// UIDVALIDITY.
    pub uid_validity: UidValidity,
    /// UIDNEXT.
    pub uid_next: Uid,
    /// HIGHESTMODSEQ; everything up to it is in the view.
    pub mod_seq: ModSeq,
    /// All UIDs.
    pub uids: UidSet,
    /// Keywords known in the mailbox.
    pub keywords: Vec<String>,
}
impl Mailstore {
    /// The shared view of a mailbox, up to date.
    pub async fn view(&self, _user: UserId, _mailbox: MailboxId) -> Result<Arc<View>> {
        todo!()
    }
}
impl View {
    /// Reads what has changed in the database; one round trip when nothing has. `NotFound` when the mailbox is gone.
    pub async fn refresh(&self) -> Result<ViewState> {
        todo!()
    }
    /// The state without looking.
    pub fn state(&self) -> ViewState {
        todo!()
    }
    /// One row.
    pub fn row(&self, _uid: Uid) -> Option<Row> {
        todo!()
    }
    /// Rows of the set with ModSeq above the given one, ascending by UID. Copies only those.
    pub fn changed_since(&self, _uids: &UidSet, _mod_seq: ModSeq) -> Vec<Row> {
        todo!()
    }
    /// Calls `visit` for each row of the set in ascending order of UID, under the view's read lock: `visit` must not block.
    pub fn for_each(&self, _uids: &UidSet, _visit: &mut dyn FnMut(&Row)) {
        todo!()
    }
    /// UIDs expunged after a ModSeq, for VANISHED (EARLIER); `None` when the change log no longer reaches back.
    pub async fn vanished_since(&self, _mod_seq: ModSeq) -> Result<Option<UidSet>> {
        todo!()
    }
}
