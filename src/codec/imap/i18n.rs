//! LANGUAGE and COMPARATOR (RFC 5255 §3, §4), and their responses.

use super::lexer::{Lexer, Parse};
use super::response::Writer;

/// `1*(SP lang-range-quoted)` or `1*(SP comp-order-quoted)`, both astrings; none is a question.
pub(super) fn read_names(lexer: &mut Lexer<'_>) -> Parse<Vec<String>> {
    let mut names = Vec::new();
    while !lexer.is_at_end() {
        lexer.space()?;
        names.push(lexer.astring_text()?);
    }
    Ok(names)
}

impl Writer<'_> {
    /// `* LANGUAGE (...)` (RFC 5255 §3.3): one tag is the language in force, several are those
    /// there are.
    pub fn language(&mut self, tags: &[&str]) -> &mut Self {
        self.raw(b"* LANGUAGE ").list_of(tags.iter().copied()).end_line()
    }

    /// `* COMPARATOR active (matched ...)` (RFC 5255 §4.8): the list only if several matched.
    pub fn comparator(&mut self, active: &str, matched: &[&str]) -> &mut Self {
        self.raw(b"* COMPARATOR ").text(active);
        if matched.len() > 1 {
            self.raw(b" ").list_of(matched.iter().copied());
        }
        self.end_line()
    }
}
