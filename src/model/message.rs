//! One message in one mailbox.

use super::flag::FlagSet;
use super::id::{ContentHash, MailboxId, MessageId, ThreadId};
use super::structure::Summary;
use super::uid::{ModSeq, Uid};

/// Milliseconds since 1970-01-01 UTC.
pub type TimeMs = i64;

/// What every message row has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// UID.
    pub uid: Uid,
    /// MODSEQ.
    pub mod_seq: ModSeq,
    /// Flags and keywords.
    pub flags: FlagSet,
    /// INTERNALDATE.
    pub internal_date: TimeMs,
    /// SAVEDATE (RFC 8514).
    pub saved_date: TimeMs,
    /// RFC822.SIZE: trace prefix and content.
    pub octets: u64,
}

/// A message with the parts of its document that were asked for (see `mailstore::fetch::Fields`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Its identifier.
    pub id: MessageId,
    /// Its mailbox.
    pub mailbox: MailboxId,
    /// Always there.
    pub row: Row,
    /// The content's hash; always there.
    pub content: ContentHash,
    /// Thread; always there.
    pub thread: ThreadId,
    /// The per-recipient trace header in front of the content; always there.
    pub prefix: Vec<u8>,
    /// ENVELOPE wire form; empty unless asked for.
    pub envelope: Vec<u8>,
    /// BODY wire form; empty unless asked for.
    pub body: Vec<u8>,
    /// BODYSTRUCTURE wire form; empty unless asked for.
    pub bodystructure: Vec<u8>,
    /// The MIME tree, as `codec::mime::tree::encode` wrote it; empty unless asked for.
    pub tree: Vec<u8>,
    /// What lists show; default unless asked for.
    pub summary: Summary,
    /// Metadata given by the API caller, JSON text; unless asked for, `None`.
    pub meta: Option<String>,
    /// What the store notes about it for the API, JSON text; unless asked for, `None`.
    pub info: Option<String>,
    /// When it will be removed; unless asked for, `None`.
    pub expires_ms: Option<TimeMs>,
}
