//! Reading messages: rows as a stream, contents by range.
use super::Mailstore;
use crate::model::error::Result;
use crate::model::id::{MailboxId, UserId};
use crate::model::message::Message;
use crate::model::structure::ByteRange;
use crate::model::uid::{Uid, UidSet};
use bytes::Bytes;

/// Which parts of the message document are read.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Fields {
    /// `Message::envelope`
    pub envelope: bool,
    /// `Message::body`
    pub body: bool,
    /// `Message::bodystructure`
    pub bodystructure: bool,
    /// `Message::tree`
    pub tree: bool,
    /// `Message::summary`
    pub summary: bool,
    /// `Message::meta`
    pub meta: bool,
}
/// Messages as they come from the database, ascending by UID.
#[derive(Debug)]
pub struct MessageStream {}
impl MessageStream {
    /// The next message.
    pub async fn next(&mut self) -> Result<Option<Message>> {
        todo!()
    }
}
/// A page of a mailbox's messages, by internal date then UID.
#[derive(Clone, Debug, Default)]
pub struct PageQuery {
    /// Oldest first.
    pub ascending: bool,
    /// Rows strictly after this (internal_date, uid), in the order asked for.
    pub after: Option<(i64, Uid)>,
    /// Rows strictly before it; the page nearest to it, still in the order asked for.
    pub before: Option<(i64, Uid)>,
    /// Filter on \Seen.
    pub unseen: Option<bool>,
    /// Rows at most.
    pub limit: usize,
}
impl Mailstore {
    /// Messages of a mailbox; UIDs that do not exist are passed over. Two round trips per large batch.
    pub async fn fetch(
        &self,
        _user: UserId,
        _mailbox: MailboxId,
        _uids: &UidSet,
        _fields: Fields,
    ) -> Result<MessageStream> {
        todo!()
    }
    /// One message.
    pub async fn find_message(
        &self,
        _user: UserId,
        _mailbox: MailboxId,
        _uid: Uid,
        _fields: Fields,
    ) -> Result<Option<Message>> {
        todo!()
    }
    /// A page, one query. Returns at most `limit` messages and whether more follow in the direction of reading.
    pub async fn page(
        &self,
        _user: UserId,
        _mailbox: MailboxId,
        _query: &PageQuery,
        _fields: Fields,
    ) -> Result<(Vec<Message>, bool)> {
        todo!()
    }
    /// Octets of a message's content (without its prefix) in a range, clipped to it.
    pub async fn load_octets(
        &self,
        _user: UserId,
        _message: &Message,
        _range: ByteRange,
    ) -> Result<Bytes> {
        todo!()
    }
}
