//! PURE: patterns of LIST and LSUB (RFC 9051 §6.3.9).

use crate::model::mailbox::DELIMITER;
use unicode_normalization::UnicodeNormalization;

/// Characters of a pattern; a longer one matches nothing.
const PATTERN_CHARS_MAX: usize = 2048;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Piece {
    Char(char),
    /// `*`
    Any,
    /// `%`: not over a delimiter.
    Level,
}

/// A pattern with its reference in front.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pattern {
    pieces: Vec<Piece>,
    is_too_long: bool,
}

impl Pattern {
    /// Reads a pattern. The reference is a prefix (RFC 9051 §6.3.9.3); a leading delimiter means
    /// nothing.
    pub fn new(reference: &str, pattern: &str) -> Self {
        let whole: String = reference.chars().chain(pattern.chars()).nfc().collect();
        let whole = whole.strip_prefix(DELIMITER).unwrap_or(&whole);
        // `INBOX` as first level is meant in any case
        let (first, rest) = match whole.split_once(DELIMITER) {
            Some((first, rest)) => (first, Some(rest)),
            None => (whole, None),
        };
        let first = if first.eq_ignore_ascii_case("INBOX") { "INBOX" } else { first };
        let mut pieces = Vec::new();
        let rest = rest.map(|rest| ['/'].into_iter().chain(rest.chars()));
        for c in first.chars().chain(rest.into_iter().flatten()) {
            let piece = match c {
                '*' => Piece::Any,
                '%' => Piece::Level,
                c => Piece::Char(c),
            };
            // runs of wildcards say no more than one
            match (pieces.last(), piece) {
                (Some(Piece::Any), Piece::Any | Piece::Level) => {}
                (Some(Piece::Level), Piece::Level) => {}
                _ => pieces.push(piece),
            }
        }
        let is_too_long = pieces.len() > PATTERN_CHARS_MAX;
        Self { pieces, is_too_long }
    }

    /// Whether a name matches. Time is the product of both lengths, whatever the pattern.
    pub fn matches(&self, name: &str) -> bool {
        if self.is_too_long {
            return false;
        }
        // reachable[i]: the pieces before i have matched what was read of the name
        let mut reachable = vec![false; self.pieces.len() + 1];
        reachable.first_mut().into_iter().for_each(|start| *start = true);
        self.pass_wildcards(&mut reachable);
        for c in name.chars() {
            let mut next = vec![false; reachable.len()];
            for (at, piece) in self.pieces.iter().enumerate() {
                if reachable.get(at) != Some(&true) {
                    continue;
                }
                let (stays, steps) = match *piece {
                    Piece::Any => (true, false),
                    Piece::Level => (c != DELIMITER, false),
                    Piece::Char(wanted) => (false, wanted == c || (is_i(wanted, c, at, name))),
                };
                if stays && let Some(place) = next.get_mut(at) {
                    *place = true;
                }
                if steps && let Some(place) = next.get_mut(at + 1) {
                    *place = true;
                }
            }
            self.pass_wildcards(&mut next);
            reachable = next;
        }
        reachable.last() == Some(&true)
    }

    fn pass_wildcards(&self, reachable: &mut [bool]) {
        for (at, piece) in self.pieces.iter().enumerate() {
            if matches!(piece, Piece::Any | Piece::Level)
                && reachable.get(at) == Some(&true)
                && let Some(place) = reachable.get_mut(at + 1)
            {
                *place = true;
            }
        }
    }
}

/// `inb%` finds INBOX: its letters have no case (RFC 9051 §5.1).
fn is_i(wanted: char, c: char, at: usize, name: &str) -> bool {
    let is_inbox = name == "INBOX" || name.starts_with("INBOX/");
    is_inbox && at < 5 && wanted.eq_ignore_ascii_case(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_as_the_rfc_says() {
        let matches = |pattern: &str, name: &str| Pattern::new("", pattern).matches(name);
        assert!(matches("*", "a/b/c") && matches("%", "a") && !matches("%", "a/b"));
        assert!(matches("a/%", "a/b") && !matches("a/%", "a") && !matches("a/%", "a/b/c"));
        assert!(matches("a*c", "a/b/c") && !matches("a%c", "a/b/c") && matches("a%c", "abc"));
        assert!(matches("%/%", "a/b") && matches("*%", "a/b") && matches("%*", "a/b"));
        assert!(
            matches("inbox", "INBOX") && matches("inb*", "INBOX") && matches("iNbOx/%", "INBOX/x")
        );
        assert!(!matches("A", "a") && !matches("", "a"));
        assert!(Pattern::new("a/", "%").matches("a/b"));
        let evil = "*a".repeat(1000);
        assert!(!Pattern::new("", &evil).matches(&"a".repeat(500)));
    }
}
