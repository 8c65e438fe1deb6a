//! `BODY[section]` (RFC 9051 §6.4.5) to ranges of octets.

use std::collections::HashSet;

use super::header::fields;
use super::tree;
use crate::model::structure::{ByteRange, Part};

/// What of a part is meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SectionText {
    /// `BODY[]` or `BODY[1]`: all of it.
    All,
    /// `HEADER`
    Header,
    /// `HEADER.FIELDS (...)`
    HeaderFields(Vec<String>),
    /// `HEADER.FIELDS.NOT (...)`
    HeaderFieldsNot(Vec<String>),
    /// `TEXT`
    Text,
    /// `MIME`
    Mime,
}

/// A section.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Section {
    /// Part numbers; empty is the message.
    pub path: Vec<u32>,
    /// What of it.
    pub text: SectionText,
}

/// Where the section lies in the content. `with_prefix`: the trace prefix belongs in front
/// (BODY[], BODY[HEADER…]).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Located {
    /// The range of the content; for header fields the whole header, to be given to
    /// [`select_fields`].
    pub range: ByteRange,
    /// The trace prefix comes first.
    pub with_prefix: bool,
}

/// Finds a section; `None` when the message has no such part (answered as NIL / empty string).
pub fn locate(root: &Part, section: &Section) -> Option<Located> {
    let part = tree::find(root, &section.path)?;
    let is_root = section.path.is_empty();
    let at = |range: ByteRange| Some(Located { range, with_prefix: false });
    // HEADER and TEXT speak of a message: the root, or the one inside a message/rfc822 part.
    let message =
        if is_root { Some(part) } else { part.children.first().filter(|_| part.is_message()) };
    match &section.text {
        SectionText::All if is_root => Some(Located {
            range: ByteRange { start: part.header.start, end: part.body.end },
            with_prefix: true,
        }),
        SectionText::All => at(part.body),
        SectionText::Header | SectionText::HeaderFields(_) | SectionText::HeaderFieldsNot(_) => {
            Some(Located { range: message?.header, with_prefix: is_root })
        }
        SectionText::Text => at(message?.body),
        // RFC 9051 §6.4.5: MIME needs a part number.
        SectionText::Mime if is_root => None,
        SectionText::Mime => at(part.header),
    }
}

/// The named fields (or all others) of a header, in their order, with the ending empty line.
///
/// Names match in any case; lines that are no field count as others.
pub fn select_fields(header: &[u8], names: &[String], keep_named: bool) -> Vec<u8> {
    // A set: a client may ask for thousands of names in a header of millions of fields.
    let names: HashSet<Vec<u8>> =
        names.iter().map(|name| name.to_ascii_lowercase().into_bytes()).collect();
    let mut out = Vec::new();
    for field in fields(header) {
        let is_named =
            !field.name.is_empty() && names.contains(field.name.to_ascii_lowercase().as_slice());
        if is_named != keep_named {
            continue;
        }
        out.extend_from_slice(field.raw);
        if !field.raw.ends_with(b"\n") {
            out.extend_from_slice(b"\r\n");
        }
    }
    // RFC 9051 §6.4.5: the delimiting blank line is always part of a subset.
    out.extend_from_slice(b"\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::super::parser::parse;
    use super::*;

    const MESSAGE: &str = "From: a\r\nTO: b\r\n c\r\nX: d\r\nContent-Type: multipart/mixed; \
        boundary=x\r\n\r\n--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\ninner\r\n\
        --x\r\n\r\nplain\r\n--x--\r\n";

    fn text(path: &[u32], text: SectionText) -> Option<(String, bool)> {
        let root = parse(MESSAGE.as_bytes());
        let found = locate(&root, &Section { path: path.to_vec(), text })?;
        let range =
            usize::try_from(found.range.start).unwrap()..usize::try_from(found.range.end).unwrap();
        Some((MESSAGE[range].to_owned(), found.with_prefix))
    }

    #[test]
    fn sections_are_found() {
        let plain = |value: &str| Some((value.to_owned(), false));
        assert_eq!(text(&[], SectionText::All), Some((MESSAGE.to_owned(), true)));
        assert_eq!(text(&[1], SectionText::All), plain("Subject: in\r\n\r\ninner"));
        assert_eq!(text(&[1], SectionText::Header), plain("Subject: in\r\n\r\n"));
        assert_eq!(text(&[1], SectionText::Text), plain("inner"));
        assert_eq!(text(&[1], SectionText::Mime), plain("Content-Type: message/rfc822\r\n\r\n"));
        assert_eq!(text(&[1, 1], SectionText::All), plain("inner"));
        assert_eq!(text(&[2], SectionText::All), plain("plain"));
        assert_eq!(text(&[2], SectionText::Mime), plain("\r\n"));
        assert_eq!(text(&[2], SectionText::Header), None);
        assert_eq!(text(&[], SectionText::Mime), None);
        assert_eq!(text(&[3], SectionText::All), None);
        let (header, with_prefix) = text(&[], SectionText::Header).unwrap();
        assert!(with_prefix && header.ends_with("boundary=x\r\n\r\n"));
        assert!(text(&[], SectionText::Text).unwrap().0.starts_with("--x\r\n"));
    }

    #[test]
    fn fields_are_selected() {
        let header = b"From: a\r\nTO: b\r\n c\r\njunk\r\nX: d\r\n\r\n";
        let names = ["to".to_owned(), "NO".to_owned()];
        assert_eq!(select_fields(header, &names, true), b"TO: b\r\n c\r\n\r\n");
        assert_eq!(select_fields(header, &names, false), b"From: a\r\njunk\r\nX: d\r\n\r\n");
        assert_eq!(select_fields(b"To: x", &names, true), b"To: x\r\n\r\n");
        assert_eq!(select_fields(b"", &names, true), b"\r\n");
    }
}
