//! A message into a mailbox: content once, then one group commit per mailbox.
use super::Mailstore;
use crate::model::error::Result;
use crate::model::flag::FlagSet;
use crate::model::id::{ContentHash, MailboxId, MessageId, UserId};
use crate::model::message::TimeMs;
use crate::model::structure::Structure;
use crate::model::uid::{ModSeq, Uid, UidValidity};
use bytes::Bytes;
use std::sync::Arc;

/// A content that was parsed once and may be appended to many mailboxes.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The octets.
    pub content: Bytes,
    /// Their hash.
    pub hash: ContentHash,
    /// What was computed from them.
    pub structure: Arc<Structure>,
}
/// One message to append.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// The content.
    pub prepared: Prepared,
    /// Trace header in front of it, CRLF-ended lines; may be empty.
    pub prefix: Bytes,
    /// Flags.
    pub flags: FlagSet,
    /// INTERNALDATE.
    pub internal_date: TimeMs,
    /// JSON text of the API caller.
    pub meta: Option<String>,
}
/// Where it went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Appended {
    /// Identifier.
    pub id: MessageId,
    /// UID.
    pub uid: Uid,
    /// UIDVALIDITY of the mailbox.
    pub uid_validity: UidValidity,
    /// MODSEQ.
    pub mod_seq: ModSeq,
}
/// The group commit queues.
#[derive(Debug, Default)]
pub(super) struct Queues {}

impl Mailstore {
    /// Parses and hashes a content on the blocking pool.
    pub async fn prepare(&self, _content: Bytes) -> Result<Prepared> {
        todo!()
    }
    /// Appends messages to one mailbox, all or none, UIDs ascending in the given order. Acknowledged when it returns.
    ///
    /// # Errors
    /// `NotFound` mailbox, `OverQuota`, `LimitReached` keywords, `Unavailable`.
    pub async fn append(
        &self,
        _user: UserId,
        _mailbox: MailboxId,
        _messages: Vec<NewMessage>,
    ) -> Result<Vec<Appended>> {
        todo!()
    }
}
