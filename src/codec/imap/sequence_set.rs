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
    /// The numbers meant, when `largest` is the largest in use (0: none). Numbers above it may be
    /// in the result.
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

    /// The largest number that is written out: a sequence number above the message count is an
    /// error of the
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

/// `sequence-set = (seq-number / seq-range) ["," sequence-set] / seq-last-command`, where
/// `seq-range = seq-number ":" seq-number` and `seq-last-command = "$"`.
pub(super) fn read(lexer: &mut Lexer<'_>) -> Parse<SequenceSet> {
    if lexer.eat(b'$') {
        return Ok(SequenceSet::SavedResult);
    }
    let mut ranges = Vec::new();
    loop {
        let from = read_bound(lexer)?;
        let to = if lexer.eat(b':') { read_bound(lexer)? } else { from };
        ranges.push((from, to));
        if !lexer.eat(b',') {
            return Ok(SequenceSet::Ranges(ranges));
        }
    }
}

/// `seq-number = nz-number / "*"`
fn read_bound(lexer: &mut Lexer<'_>) -> Parse<SeqBound> {
    if lexer.eat(b'*') {
        return Ok(SeqBound::Largest);
    }
    match lexer.nz_number() {
        Ok(number) => Ok(SeqBound::Number(number)),
        Err(ErrorKind::Syntax(_)) => Err(ErrorKind::Syntax("a sequence set")),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn parse(text: &'static str) -> Parse<SequenceSet> {
        let source = Bytes::from_static(text.as_bytes());
        let mut lexer = Lexer::new(&source, false);
        let set = read(&mut lexer)?;
        lexer.end().map(|()| set)
    }

    #[test]
    fn sets_of_rfc_9051() {
        // RFC 9051 §9, comments on sequence-set and seq-range
        let resolve = |text, largest| parse(text).unwrap().resolve(largest).to_string();
        assert_eq!(resolve("2,4:7,9,12:*", 15), "2,4:7,9,12:15");
        assert_eq!(resolve("*:4,5:7", 10), "4:10");
        assert_eq!(resolve("2:4", 3), "2:4");
        assert_eq!(resolve("559:*", 3), "3:559");
        assert_eq!(resolve("1:*,*", 0), "");
        assert_eq!(parse("4:2,*").unwrap().largest_number(), Some(4));
        assert!(parse("4,*").unwrap().names_largest());
        assert_eq!(parse("$"), Ok(SequenceSet::SavedResult));
        for bad in ["", "0", "1:", ":1", "1,", "1,,2", "a", "4294967296", "1:2:3", "-1", "**"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
