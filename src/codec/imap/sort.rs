//! The criteria of SORT (RFC 5256, RFC 5957, RFC 6203 §6).

use super::error::ErrorKind;
use super::lexer::{Lexer, Parse};

/// By what messages are sorted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SortKey {
    /// `ARRIVAL`: INTERNALDATE.
    Arrival,
    /// `CC`: the mailbox of the first address.
    Cc,
    /// `DATE`: when it was sent.
    Date,
    /// `FROM`
    From,
    /// `SIZE`
    Size,
    /// `SUBJECT`: the base subject.
    Subject,
    /// `TO`
    To,
    /// `DISPLAYFROM` (RFC 5957): the name shown for the first From address.
    DisplayFrom,
    /// `DISPLAYTO`
    DisplayTo,
    /// `RELEVANCY`: the best match of a FUZZY search first.
    Relevancy,
}

/// One criterion of a SORT.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Criterion {
    /// By what.
    pub key: SortKey,
    /// `REVERSE`: descending.
    pub reverse: bool,
}

/// Criteria of one command; more say nothing new, each key twice is enough.
const CRITERIA_MAX: usize = 20;

/// `sort-criteria = "(" sort-criterion *(SP sort-criterion) ")"`, where
/// `sort-criterion = ["REVERSE" SP] sort-key`
pub(super) fn read_criteria(lexer: &mut Lexer<'_>) -> Parse<Vec<Criterion>> {
    let criteria = lexer.list(|lexer| {
        let reverse = lexer.eat_word("REVERSE");
        let key = match lexer.word("a sort key")?.as_str() {
            "ARRIVAL" => SortKey::Arrival,
            "CC" => SortKey::Cc,
            "DATE" => SortKey::Date,
            "FROM" => SortKey::From,
            "SIZE" => SortKey::Size,
            "SUBJECT" => SortKey::Subject,
            "TO" => SortKey::To,
            "DISPLAYFROM" => SortKey::DisplayFrom,
            "DISPLAYTO" => SortKey::DisplayTo,
            "RELEVANCY" => SortKey::Relevancy,
            _ => return Err(ErrorKind::Syntax("a sort key")),
        };
        Ok(Criterion { key, reverse })
    })?;
    if criteria.is_empty() || criteria.len() > CRITERIA_MAX {
        return Err(ErrorKind::Syntax("1 to 20 sort keys"));
    }
    Ok(criteria)
}
