//! Sets of message numbers as clients write them (RFC 9051 §9 `sequence-set`).

use super::error::ErrorKind;
use super::lexer::{Lexer, Parse};
use crate::model::uid::UidSet;

/// One end of a range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SeqBound {
    /// A number, never zero.
    Number(u32),
    /// `*`: the largest number in use.
    Largest,
}

impl SeqBound {
    const fn resolve(self, largest: u32) -> u32 {
        match self {
            Self::Number(number) => number,
            Self::Largest => largest,
        }
    }
}

/// Sequence numbers or UIDs, depending on the command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SequenceSet {
    /// Ranges as written; single numbers are ranges of one.
    Ranges(Vec<(SeqBound, SeqBound)>),
    /// `$`: the saved search result (RFC 5182).
    SavedResult,
}

impl SequenceSet {
    /// The numbers meant, when `largest` is the largest in use (0: none). Numbers above it may be in the result.
    /// The saved result is empty here: the door knows it.
    pub fn resolve(&self, largest: u32) -> UidSet {
        let Self::Ranges(ranges) = self else {
            return UidSet::new();
        };
        let resolved = ranges
            .iter()
            .map(|(from, to)| (from.resolve(largest), to.resolve(largest)))
            // without a message `*` means nothing (RFC 9051 §9 seq-number)
            .filter(|(from, to)| *from != 0 && *to != 0)
            .collect();
        UidSet::from_ranges(resolved)
    }

    /// The largest number that is written out: a sequence number above the message count is an error of the
    /// client (RFC 9051 §9 seq-number).
    pub fn largest_number(&self) -> Option<u32> {
        let Self::Ranges(ranges) = self else {
            return None;
        };
        let ends = ranges.iter().flat_map(|(from, to)| [*from, *to]);
        ends.filter_map(|end| match end {
            SeqBound::Number(number) => Some(number),
            SeqBound::Largest => None,
        })
        .max()
    }

    /// Whether `*` occurs.
    pub fn names_largest(&self) -> bool {
        let Self::Ranges(ranges) = self else {
            return false;
        };
        ranges.iter().any(|(from, to)| [*from, *to].contains(&SeqBound::Largest))
    }
}
