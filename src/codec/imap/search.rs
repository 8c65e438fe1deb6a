//! SEARCH (RFC 9051 §6.4.4, RFC 4731, RFC 5032, RFC 7162 §3.1.5, RFC 8474, RFC 8514).

use super::date_time::Day;
use super::sequence_set::SequenceSet;
use crate::model::flag::Flag;

/// SEARCH or UID SEARCH.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Search {
    /// UID SEARCH: answered with UIDs.
    pub uid: bool,
    /// `RETURN (...)`, if written.
    pub returns: Option<SearchReturn>,
    /// The key; several are an [`SearchKey::And`].
    pub key: SearchKey,
}

/// Result options; `RETURN ()` is ALL.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct SearchReturn {
    /// `MIN`
    pub min: bool,
    /// `MAX`
    pub max: bool,
    /// `ALL`
    pub all: bool,
    /// `COUNT`
    pub count: bool,
    /// `SAVE` (RFC 5182)
    pub save: bool,
}

/// What a message must be. Strings are decoded from the charset of the command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SearchKey {
    /// `ALL`
    All,
    /// Keys side by side.
    And(Vec<SearchKey>),
    /// `OR`
    Or(Box<SearchKey>, Box<SearchKey>),
    /// `NOT`
    Not(Box<SearchKey>),
    /// A set of sequence numbers.
    Sequence(SequenceSet),
    /// `UID`
    Uid(SequenceSet),
    /// `SEEN`, `UNSEEN`, …: the flag is set or not.
    Flag(Flag, bool),
    /// `KEYWORD`, `UNKEYWORD`: the keyword is set or not.
    Keyword(String, bool),
    /// `RECENT` (RFC 3501)
    Recent,
    /// `NEW` (RFC 3501)
    New,
    /// `OLD` (RFC 3501)
    Old,
    /// `BEFORE`: INTERNALDATE's day is earlier.
    Before(Day),
    /// `ON`
    On(Day),
    /// `SINCE`
    Since(Day),
    /// `SENTBEFORE`
    SentBefore(Day),
    /// `SENTON`
    SentOn(Day),
    /// `SENTSINCE`
    SentSince(Day),
    /// `SAVEDBEFORE`
    SavedBefore(Day),
    /// `SAVEDON`
    SavedOn(Day),
    /// `SAVEDSINCE`
    SavedSince(Day),
    /// `SAVEDATESUPPORTED`
    SaveDateSupported,
    /// `YOUNGER`: seconds (RFC 5032).
    Younger(u32),
    /// `OLDER`: seconds (RFC 5032).
    Older(u32),
    /// `LARGER`
    Larger(u64),
    /// `SMALLER`
    Smaller(u64),
    /// `BCC`, `CC`, `FROM`, `SUBJECT`, `TO`, `HEADER`: a header field that contains the text; the empty text asks
    /// only for the field. The name is as written, or in lowercase for the short keys.
    Header {
        /// Field name.
        name: String,
        /// Contained text.
        text: String,
    },
    /// `BODY`
    Body(String),
    /// `TEXT`: header or body.
    Text(String),
    /// `MODSEQ`: at least (RFC 7162 §3.1.5); the entry name is read and not used.
    ModSeq(u64),
    /// `EMAILID`
    EmailId(String),
    /// `THREADID`
    ThreadId(String),
}

impl SearchKey {
    /// Whether a key names sequence numbers.
    pub fn uses_sequence_numbers(&self) -> bool {
        match self {
            Self::Sequence(set) => *set != SequenceSet::SavedResult,
            Self::And(keys) => keys.iter().any(Self::uses_sequence_numbers),
            Self::Or(a, b) => a.uses_sequence_numbers() || b.uses_sequence_numbers(),
            Self::Not(key) => key.uses_sequence_numbers(),
            _ => false,
        }
    }

    /// Whether a key asks for ModSeqs, which makes the answer carry one (RFC 7162 §3.1.5).
    pub fn uses_mod_seq(&self) -> bool {
        match self {
            Self::ModSeq(_) => true,
            Self::And(keys) => keys.iter().any(Self::uses_mod_seq),
            Self::Or(a, b) => a.uses_mod_seq() || b.uses_mod_seq(),
            Self::Not(key) => key.uses_mod_seq(),
            _ => false,
        }
    }
}
