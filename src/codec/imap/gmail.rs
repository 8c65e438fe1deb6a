//! Gmail's labels (X-GM-EXT-1) over flags and keywords.
//!
//! A message lies in one mailbox here, so a label is a keyword, and the labels Gmail itself gives
//! are flags: `\Starred` is `\Flagged`, `\Draft` is `\Draft`, `\Important` is `$Important` (RFC
//! 8457). Other keywords that begin with `$` are no labels. The mailbox a message lies in is not
//! shown, as Gmail does not show the label of the selected one.

use super::error::ErrorKind;
use super::lexer::{Lexer, Parse, is_atom_char};
use super::response::Writer;
use crate::model::flag::{Flag, FlagSet};

/// Gmail's names and the flags or keywords they stand for.
const SYSTEM: [(&str, &str); 3] =
    [("\\Important", "$Important"), ("\\Starred", "\\Flagged"), ("\\Draft", "\\Draft")];

/// The labels of a message with these flags.
pub fn labels(flags: &FlagSet) -> impl Iterator<Item = &str> {
    let system = SYSTEM.into_iter().filter(|(_, name)| match Flag::from_name(name) {
        Some(flag) => flags.has(flag),
        None => flags.has_keyword(name),
    });
    let own = flags.keywords().iter().map(String::as_str).filter(|name| !name.starts_with('$'));
    system.map(|(label, _)| -> &str { label }).chain(own)
}

/// `label = "\" atom / astring`: the flag or keyword it stands for.
pub(super) fn read_label(lexer: &mut Lexer<'_>) -> Parse<String> {
    if lexer.eat(b'\\') {
        let label = format!("\\{}", lexer.atom("a label")?);
        let known = SYSTEM.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(&label));
        return known.map(|(_, name)| name.to_owned()).ok_or(ErrorKind::Label);
    }
    let label = lexer.astring_text()?;
    // a keyword is an atom (RFC 9051 §9), and those with `$` are not seen as labels
    let is_keyword = !label.is_empty() && label.bytes().all(is_atom_char);
    if is_keyword && !label.starts_with('$') { Ok(label) } else { Err(ErrorKind::Label) }
}

/// All labels there can be in a mailbox with these keywords, but the wanted ones: what a
/// replacement takes away.
pub fn others(keywords: &[String], wanted: &FlagSet) -> FlagSet {
    let system = SYSTEM.into_iter().map(|(_, name)| name);
    let own = keywords.iter().map(String::as_str).filter(|name| !name.starts_with('$'));
    let is_wanted = |name: &str| match Flag::from_name(name) {
        Some(flag) => wanted.has(flag),
        None => wanted.has_keyword(name),
    };
    FlagSet::from_names(system.chain(own).filter(|name| !is_wanted(name)))
}

impl Writer<'_> {
    /// A label: Gmail's own as they are, others as `astring`.
    pub fn gmail_label(&mut self, label: &str) -> &mut Self {
        if label.starts_with('\\') { self.text(label) } else { self.astring(label.as_bytes()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn labels_are_flags_and_keywords() {
        let flags = FlagSet::from_names(["\\Seen", "\\Flagged", "$Important", "$Junk", "work"]);
        assert_eq!(labels(&flags).collect::<Vec<_>>(), ["\\Important", "\\Starred", "work"]);
        let known = ["$Junk", "home", "work"].map(str::to_owned);
        let others = others(&known, &FlagSet::from_names(["\\Draft", "WORK"]));
        assert_eq!(others.names().collect::<Vec<_>>(), ["\\Flagged", "$Important", "home"]);
    }

    #[test]
    fn labels_are_read() {
        let read = |text: &'static str| {
            let source = Bytes::from_static(text.as_bytes());
            read_label(&mut Lexer::new(&source, false))
        };
        assert_eq!(read("\\starred").unwrap(), "\\Flagged");
        assert_eq!(read("\"work\"").unwrap(), "work");
        for bad in ["\\Inbox", "\"two words\"", "$Junk", "\"\"", "\\"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
