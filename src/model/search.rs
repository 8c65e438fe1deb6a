//! What a search over a user's messages asks for.

use super::id::{MailboxId, ThreadId};
use super::message::TimeMs;
use super::uid::UidSet;

/// Header fields that are searched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SearchField {
    /// From, else Sender.
    From,
    /// To, Cc or Bcc.
    Recipients,
    /// To or Cc.
    ToOrCc,
    /// Cc.
    Cc,
    /// Bcc.
    Bcc,
    /// Subject.
    Subject,
}

/// A condition on a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Query {
    /// Every one of these; true if there is none.
    All(Vec<Self>),
    /// Any of these; false if there is none.
    Any(Vec<Self>),
    /// Not this.
    Not(Box<Self>),
    /// In this mailbox.
    Mailbox(MailboxId),
    /// In this thread.
    Thread(ThreadId),
    /// With one of these UIDs.
    Uids(UidSet),
    /// Internal date not before this.
    After(TimeMs),
    /// Internal date not after this.
    Before(TimeMs),
    /// At least so many octets.
    Larger(u64),
    /// At most so many octets.
    Smaller(u64),
    /// Has attachments.
    HasAttachment,
    /// All these flag bits are set.
    Flags(u8),
    /// The field contains this text, in any case.
    Field(SearchField, String),
    /// A word of header or text begins with this, in any case.
    Word(String),
    /// Subject or text contain this, in any case.
    Phrase(String),
}

impl Query {
    /// What no message meets.
    pub const NOTHING: Self = Self::Any(Vec::new());

    /// Not this.
    #[must_use]
    pub fn negated(self) -> Self {
        Self::Not(Box::new(self))
    }

    /// Whether the texts of messages may have to be read to answer it.
    pub fn reads_text(&self) -> bool {
        match self {
            Self::All(all) | Self::Any(all) => all.iter().any(Self::reads_text),
            Self::Not(inner) => inner.reads_text(),
            Self::Word(_) | Self::Phrase(_) => true,
            _ => false,
        }
    }
}
