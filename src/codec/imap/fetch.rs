//! FETCH (RFC 9051 §6.4.5, RFC 7162 §3.1.4, RFC 8474 §5, RFC 8514, RFC 9394 §3.3).

use super::error::ErrorKind;
use super::lexer::{Lexer, Parse};
use super::search_return::{Partial, read_partial as read_partial_range};
use super::sequence_set::{self, SequenceSet};
use crate::codec::mime::section::{Section, SectionText};

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
    /// `PARTIAL` (RFC 9394 §3.3): a window into the set.
    pub partial: Option<Partial>,
}

impl Fetch {
    /// UID FETCH of these items without modifiers.
    pub const fn of_uids(set: SequenceSet, items: Vec<FetchItem>) -> Self {
        Self { uid: true, set, items, changed_since: None, vanished: false, partial: None }
    }
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
    /// `BINARY[…]`, `BINARY.PEEK[…]`: a part without its transfer encoding (RFC 3516 §4.2).
    Binary(BodySection),
    /// `BINARY.SIZE[…]`: its octets (RFC 3516 §4.3); the path of the part.
    BinarySize(Vec<u32>),
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
    /// `PREVIEW`, `PREVIEW (LAZY)` (RFC 8970)
    Preview,
    /// `X-GM-MSGID` (Gmail's extension)
    GmailMessage,
    /// `X-GM-THRID`
    GmailThread,
    /// `X-GM-LABELS`
    GmailLabels,
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
    const fn has_section(&self) -> bool {
        matches!(self, Self::Section(_) | Self::Binary(_) | Self::BinarySize(_))
    }

    /// Whether fetching it sets `\Seen` (RFC 9051 §6.4.5).
    pub const fn sets_seen(&self) -> bool {
        match self {
            Self::Section(section) | Self::Binary(section) => !section.peek,
            Self::Rfc822 | Self::Rfc822Text => true,
            _ => false,
        }
    }
}

const EXPECTED: ErrorKind = ErrorKind::Syntax("a FETCH item");

/// `fetch = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP
/// fetch-att) ")")
/// [fetch-modifiers]`, from behind the name.
pub(super) fn read(lexer: &mut Lexer<'_>, uid: bool) -> Parse<Fetch> {
    lexer.space()?;
    let set = sequence_set::read(lexer)?;
    lexer.space()?;
    let mut items = Vec::new();
    if lexer.peek() == Some(b'(') {
        for item in lexer.list(read_item)? {
            // sections are not compared with each other: there may be thousands, and twice is
            // harmless
            if item.has_section() || !items.contains(&item) {
                items.push(item);
            }
        }
    } else if let Some(expanded) = read_macro(lexer) {
        items = expanded;
    } else {
        items.push(read_item(lexer)?);
    }
    if items.is_empty() {
        return Err(EXPECTED);
    }
    let mut fetch = Fetch { uid, set, items, changed_since: None, vanished: false, partial: None };
    if !lexer.is_at_end() {
        lexer.space()?;
        read_modifiers(lexer, &mut fetch)?;
    }
    Ok(fetch)
}

/// `"ALL" / "FULL" / "FAST"` (RFC 9051 §6.4.5), which stand alone.
fn read_macro(lexer: &mut Lexer<'_>) -> Option<Vec<FetchItem>> {
    use FetchItem::{Body, Envelope, Flags, InternalDate, Rfc822Size};
    if lexer.eat_text("ALL") {
        Some(vec![Flags, InternalDate, Rfc822Size, Envelope])
    } else if lexer.eat_text("FULL") {
        Some(vec![Flags, InternalDate, Rfc822Size, Envelope, Body])
    } else if lexer.eat_text("FAST") {
        Some(vec![Flags, InternalDate, Rfc822Size])
    } else {
        None
    }
}

/// `fetch-modifiers = SP "(" fetch-modifier *(SP fetch-modifier) ")"`: CHANGEDSINCE and VANISHED
/// (RFC 7162 §7)
fn read_modifiers(lexer: &mut Lexer<'_>, fetch: &mut Fetch) -> Parse<()> {
    lexer.list(|lexer| {
        match lexer.word("a FETCH modifier")?.as_str() {
            "CHANGEDSINCE" => {
                lexer.space()?;
                fetch.changed_since = Some(lexer.number64()?);
            }
            "VANISHED" => fetch.vanished = true,
            // RFC 9394 §3.3: of UID FETCH only
            "PARTIAL" if fetch.uid && fetch.partial.is_none() => {
                lexer.space()?;
                fetch.partial = Some(read_partial_range(lexer)?);
            }
            _ => return Err(ErrorKind::Syntax("a FETCH modifier")),
        }
        Ok(())
    })?;
    // RFC 7162 §3.2.6: only in UID FETCH, and only with CHANGEDSINCE
    if fetch.vanished && (fetch.changed_since.is_none() || !fetch.uid) {
        return Err(ErrorKind::Syntax("UID FETCH with CHANGEDSINCE beside VANISHED"));
    }
    Ok(())
}

/// `fetch-att = "ENVELOPE" / "FLAGS" / "INTERNALDATE" / "RFC822.SIZE" / "BODY" ["STRUCTURE"] /
/// "UID" /
/// "BODY" section [partial] / "BODY.PEEK" section [partial]`, and those of RFC 3501 and of
/// extensions.
pub(super) fn read_item(lexer: &mut Lexer<'_>) -> Parse<FetchItem> {
    let word = lexer.word("a FETCH item")?;
    let has_section = lexer.peek() == Some(b'[');
    Ok(match word.as_str() {
        "BODY" | "BODY.PEEK" if has_section => {
            let section = read_section(lexer)?;
            let partial = read_partial(lexer)?;
            FetchItem::Section(BodySection { section, partial, peek: word == "BODY.PEEK" })
        }
        "BINARY" | "BINARY.PEEK" if has_section => {
            let section = Section { path: read_section_binary(lexer)?, text: SectionText::All };
            let partial = read_partial(lexer)?;
            FetchItem::Binary(BodySection { section, partial, peek: word == "BINARY.PEEK" })
        }
        "BINARY.SIZE" if has_section => FetchItem::BinarySize(read_section_binary(lexer)?),
        _ if has_section => return Err(EXPECTED),
        "FLAGS" => FetchItem::Flags,
        "UID" => FetchItem::Uid,
        "INTERNALDATE" => FetchItem::InternalDate,
        "ENVELOPE" => FetchItem::Envelope,
        "BODY" => FetchItem::Body,
        "BODYSTRUCTURE" => FetchItem::BodyStructure,
        "RFC822" => FetchItem::Rfc822,
        "RFC822.SIZE" => FetchItem::Rfc822Size,
        "RFC822.HEADER" => FetchItem::Rfc822Header,
        "RFC822.TEXT" => FetchItem::Rfc822Text,
        "MODSEQ" => FetchItem::ModSeq,
        "EMAILID" => FetchItem::EmailId,
        "THREADID" => FetchItem::ThreadId,
        "SAVEDATE" => FetchItem::SaveDate,
        "PREVIEW" => read_preview(lexer)?,
        "X-GM-MSGID" => FetchItem::GmailMessage,
        "X-GM-THRID" => FetchItem::GmailThread,
        "X-GM-LABELS" => FetchItem::GmailLabels,
        _ => return Err(EXPECTED),
    })
}

/// `"PREVIEW" [SP "(" preview-mod *(SP preview-mod) ")"]`, where `preview-mod = "LAZY"` (RFC 8970
/// §6). Previews are stored with the message, so a lazy one is there too.
fn read_preview(lexer: &mut Lexer<'_>) -> Parse<FetchItem> {
    if lexer.rest().starts_with(b" (") {
        lexer.space()?;
        let lazy = lexer.list(|lexer| match lexer.word("LAZY")?.as_str() {
            "LAZY" => Ok(()),
            _ => Err(ErrorKind::Syntax("LAZY")),
        })?;
        if lazy.is_empty() {
            return Err(ErrorKind::Syntax("LAZY"));
        }
    }
    Ok(FetchItem::Preview)
}

/// `section = "[" [section-spec] "]"`, where `section-spec = section-msgtext / (section-part ["."
/// section-text])`
/// and `section-part = nz-number *("." nz-number)`
fn read_section(lexer: &mut Lexer<'_>) -> Parse<Section> {
    lexer.expect(b'[', "a section")?;
    let section = if lexer.peek() == Some(b']') {
        Section { path: Vec::new(), text: SectionText::All }
    } else {
        read_section_spec(lexer)?
    };
    lexer.expect(b']', "the end of a section")?;
    Ok(section)
}

/// `section-spec`
pub(super) fn read_section_spec(lexer: &mut Lexer<'_>) -> Parse<Section> {
    let mut path = Vec::new();
    let mut text = SectionText::All;
    let mut more = true;
    while more {
        more = false;
        if lexer.peek().is_some_and(|octet| octet.is_ascii_digit()) {
            path.push(lexer.nz_number()?);
            more = lexer.eat(b'.');
        } else {
            text = read_section_text(lexer, !path.is_empty())?;
        }
    }
    Ok(Section { path, text })
}

/// `section-binary = "[" [section-part] "]"`
fn read_section_binary(lexer: &mut Lexer<'_>) -> Parse<Vec<u32>> {
    match read_section(lexer)? {
        Section { path, text: SectionText::All } => Ok(path),
        _ => Err(ErrorKind::Syntax("a part number")),
    }
}

/// `section-text = section-msgtext / "MIME"`, where `section-msgtext = "HEADER" / "HEADER.FIELDS"
/// [".NOT"] SP
/// header-list / "TEXT"`
fn read_section_text(lexer: &mut Lexer<'_>, in_part: bool) -> Parse<SectionText> {
    const EXPECTED: &str = "HEADER, HEADER.FIELDS, TEXT or MIME";
    match lexer.word(EXPECTED)?.as_str() {
        "HEADER" => Ok(SectionText::Header),
        "TEXT" => Ok(SectionText::Text),
        "MIME" if in_part => Ok(SectionText::Mime),
        "HEADER.FIELDS" => Ok(SectionText::HeaderFields(read_header_list(lexer)?)),
        "HEADER.FIELDS.NOT" => Ok(SectionText::HeaderFieldsNot(read_header_list(lexer)?)),
        _ => Err(ErrorKind::Syntax(EXPECTED)),
    }
}

/// `header-list = "(" header-fld-name *(SP header-fld-name) ")"`, where `header-fld-name = astring`
fn read_header_list(lexer: &mut Lexer<'_>) -> Parse<Vec<String>> {
    lexer.space()?;
    let names = lexer.list(Lexer::astring_text)?;
    if names.is_empty() { Err(ErrorKind::Syntax("a header field name")) } else { Ok(names) }
}

/// `partial = "<" number64 "." nz-number64 ">"`
fn read_partial(lexer: &mut Lexer<'_>) -> Parse<Option<(u64, u64)>> {
    if !lexer.eat(b'<') {
        return Ok(None);
    }
    let offset = lexer.number64()?;
    lexer.expect(b'.', "a dot in a partial")?;
    let count = lexer.number64()?;
    if count == 0 {
        return Err(ErrorKind::Number);
    }
    lexer.expect(b'>', "the end of a partial")?;
    Ok(Some((offset, count)))
}

#[cfg(test)]
mod tests {
    use super::super::command::{Command, parse};
    use super::*;
    use bytes::Bytes;

    /// The items of a FETCH; `None` if it is not one.
    fn read_items(items: &str) -> Option<Vec<FetchItem>> {
        let line = Bytes::from(format!("a FETCH 1 {items}"));
        match parse(&line, false).ok()?.command {
            Command::Fetch(fetch) => Some(fetch.items),
            _ => None,
        }
    }

    fn binary(path: &[u32], partial: Option<(u64, u64)>, peek: bool) -> FetchItem {
        let section = Section { path: path.to_vec(), text: SectionText::All };
        FetchItem::Binary(BodySection { section, partial, peek })
    }

    #[test]
    fn binary_items_of_rfc_3516() {
        // RFC 3516 §4.2 and §7: section-binary is a part number or empty, then partial
        let known = [
            ("BINARY[]", binary(&[], None, false)),
            ("binary[1]", binary(&[1], None, false)),
            ("BINARY[3.2.1]<0.10>", binary(&[3, 2, 1], Some((0, 10)), false)),
            ("BINARY.PEEK[]", binary(&[], None, true)),
            ("Binary.Peek[4]", binary(&[4], None, true)),
            ("BINARY.PEEK[1.2]<2048.1024>", binary(&[1, 2], Some((2048, 1024)), true)),
            ("BINARY.SIZE[]", FetchItem::BinarySize(Vec::new())),
            ("BINARY.SIZE[4294967295]", FetchItem::BinarySize(vec![u32::MAX])),
            ("binary.size[1.2]", FetchItem::BinarySize(vec![1, 2])),
        ];
        for (text, item) in known {
            assert_eq!(read_items(text), Some(vec![item.clone()]), "{text}");
            let expected = Some(vec![FetchItem::Uid, item, FetchItem::Flags]);
            assert_eq!(read_items(&format!("(UID {text} FLAGS)")), expected, "{text}");
        }
    }

    #[test]
    fn other_binary_items_are_refused() {
        let bad = [
            // nothing but a part number is a section here, and only it can follow
            "BINARY",
            "BINARY.PEEK",
            "BINARY.SIZE",
            "BINARY.PEAK[1]",
            "BINARY[HEADER]",
            "BINARY[TEXT]",
            "BINARY[1.MIME]",
            "BINARY.SIZE[1.HEADER]",
            "BINARY.PEEK[HEADER.FIELDS (To)]",
            "BINARY[0]",
            "BINARY[1.]",
            "BINARY[.1]",
            "BINARY[1..2]",
            "BINARY[4294967296]",
            "BINARY[1",
            "BINARY [1]",
            // RFC 3516 §7: `partial` has a count that is not zero, and sizes have none
            "BINARY[1]<0>",
            "BINARY[1]<0.0>",
            "BINARY[1]<0.1",
            "BINARY[1]<-1.1>",
            "BINARY.SIZE[1]<0.1>",
        ];
        for text in bad {
            assert_eq!(read_items(text), None, "{text}");
            assert_eq!(read_items(&format!("({text})")), None, "({text})");
        }
    }

    #[test]
    fn only_binary_without_peek_sets_seen() {
        // RFC 3516 §4.2: BINARY sets \Seen, BINARY.PEEK and BINARY.SIZE do not
        assert!(binary(&[1], None, false).sets_seen());
        assert!(!binary(&[1], None, true).sets_seen());
        assert!(!FetchItem::BinarySize(vec![1]).sets_seen());
    }
}
