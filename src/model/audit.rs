//! Copies of a user's mail that somebody ordered, for a time (`reference/behaviours.md` §20).

use super::id::{ContentHash, ObjectId, UserId};
use super::message::TimeMs;

/// How far the copying of the mail that was there has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ImportStatus {
    /// It has not begun.
    Queued,
    /// It runs.
    Importing,
    /// It has ended.
    Imported,
}

impl ImportStatus {
    /// Its name in documents and in the HTTP API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Importing => "importing",
            Self::Imported => "imported",
        }
    }

    /// The status of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Queued, Self::Importing, Self::Imported].into_iter().find(|s| s.name() == name)
    }
}

/// An audit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Audit {
    /// Identifier.
    pub id: ObjectId,
    /// Whose mail.
    pub user: UserId,
    /// Messages from then on; `None`: all earlier ones.
    pub start_ms: Option<TimeMs>,
    /// Messages until then; `None`: all later ones.
    pub end_ms: Option<TimeMs>,
    /// When the copies are deleted.
    pub expires_ms: TimeMs,
    /// For people.
    pub notes: Option<String>,
    /// JSON text of the API caller.
    pub meta: Option<String>,
    /// When the copies were deleted.
    pub deleted_ms: Option<TimeMs>,
    /// Copies of the mail that was there.
    pub import_status: ImportStatus,
    /// Messages of it that were copied.
    pub copied: u64,
    /// Messages of it that could not be.
    pub failed: u64,
    /// All copies.
    pub audited: u64,
    /// When the last one was made.
    pub last_ms: Option<TimeMs>,
}

impl Audit {
    /// Whether a message of this date belongs to it.
    pub fn covers(&self, date: TimeMs) -> bool {
        self.start_ms.is_none_or(|start| start <= date) && self.end_ms.is_none_or(|end| date <= end)
    }

    /// Until when arriving messages are copied.
    pub fn active_until(&self) -> TimeMs {
        self.end_ms.map_or(self.expires_ms, |end| end.min(self.expires_ms))
    }
}

/// One copy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditedMessage {
    /// Identifier of the copy.
    pub id: ObjectId,
    /// The message it is of, or a fresh identifier for one that was not stored.
    pub source: ObjectId,
    /// The content.
    pub content: ContentHash,
    /// Octets of the content.
    pub content_octets: u64,
    /// Trace header in front of it.
    pub prefix: Vec<u8>,
    /// Its internal date.
    pub date_ms: TimeMs,
    /// The name of its mailbox; empty: it was not stored.
    pub mailbox: String,
    /// It was a draft.
    pub is_draft: bool,
    /// Decoded subject.
    pub subject: String,
    /// Addresses of From, To, Cc and Bcc.
    pub addresses: Vec<String>,
}
