//! FETCH (RFC 9051 §6.4.5, RFC 7162 §3.1.4, RFC 8474 §5, RFC 8514).

use super::sequence_set::SequenceSet;
use crate::codec::mime::section::Section;

/// FETCH or UID FETCH.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fetch {
    /// UID FETCH: the set holds UIDs, and UID is answered even if not asked for.
    pub uid: bool,
    /// Which messages.
    pub set: SequenceSet,
    /// What of them, macros expanded, without duplicates of the simple items.
    pub items: Vec<FetchItem>,
    /// `CHANGEDSINCE` (RFC 7162 §3.1.4.1).
    pub changed_since: Option<u64>,
    /// `VANISHED` (RFC 7162 §3.2.6).
    pub vanished: bool,
}

/// One data item.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FetchItem {
    /// `FLAGS`
    Flags,
    /// `UID`
    Uid,
    /// `INTERNALDATE`
    InternalDate,
    /// `RFC822.SIZE`
    Rfc822Size,
    /// `ENVELOPE`
    Envelope,
    /// `BODY`
    Body,
    /// `BODYSTRUCTURE`
    BodyStructure,
    /// `BODY[…]`, `BODY.PEEK[…]`
    Section(BodySection),
    /// `RFC822`: as `BODY[]` (RFC 3501 §6.4.5).
    Rfc822,
    /// `RFC822.HEADER`: as `BODY.PEEK[HEADER]`.
    Rfc822Header,
    /// `RFC822.TEXT`: as `BODY[TEXT]`.
    Rfc822Text,
    /// `MODSEQ`
    ModSeq,
    /// `EMAILID`
    EmailId,
    /// `THREADID`
    ThreadId,
    /// `SAVEDATE`
    SaveDate,
}

/// A section of the message's text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BodySection {
    /// Which.
    pub section: Section,
    /// `<offset.count>`; the count is never zero.
    pub partial: Option<(u64, u64)>,
    /// `.PEEK`: `\Seen` is not set.
    pub peek: bool,
}

impl FetchItem {
    /// Whether fetching it sets `\Seen` (RFC 9051 §6.4.5).
    pub const fn sets_seen(&self) -> bool {
        match self {
            Self::Section(section) => !section.peek,
            Self::Rfc822 | Self::Rfc822Text => true,
            _ => false,
        }
    }
}
