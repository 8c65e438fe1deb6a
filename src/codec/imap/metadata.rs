//! GETMETADATA, SETMETADATA and their answers (RFC 5464 §4, §5).

use super::error::ErrorKind;
use super::lexer::{Lexer, Parse};
use super::response::Writer;

/// A command of METADATA. The mailbox is empty for the annotations of the server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Metadata {
    /// GETMETADATA
    Get {
        /// The mailbox.
        mailbox: String,
        /// What of it.
        query: MetadataQuery,
    },
    /// SETMETADATA
    Set {
        /// The mailbox.
        mailbox: String,
        /// Entries, lowercase, with their values; `None` removes one.
        values: Vec<(String, Option<Vec<u8>>)>,
    },
}

impl Metadata {
    /// The command's name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Get { .. } => "GETMETADATA",
            Self::Set { .. } => "SETMETADATA",
        }
    }
}

/// How far below an entry is looked.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum Depth {
    /// The entry alone.
    #[default]
    Zero,
    /// And one level below.
    One,
    /// And everything below.
    Infinity,
}

/// Which annotations.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct MetadataQuery {
    /// Longer values are left out.
    pub octets_max: Option<u64>,
    /// How far below.
    pub depth: Depth,
    /// Entries, lowercase.
    pub entries: Vec<String>,
}

/// `getmetadata = "GETMETADATA" [SP getmetadata-options] SP mailbox SP entries`, and the options
/// behind the mailbox too, where the examples of RFC 5464 §4.2 have them; from behind the name.
pub(super) fn read_get(lexer: &mut Lexer<'_>) -> Parse<Metadata> {
    lexer.space()?;
    let mut query = MetadataQuery::default();
    if lexer.peek() == Some(b'(') {
        read_options(lexer, &mut query)?;
        lexer.space()?;
    }
    let mailbox = lexer.mailbox()?;
    lexer.space()?;
    if has_options(lexer.rest()) {
        read_options(lexer, &mut query)?;
        lexer.space()?;
    }
    query.entries = read_entries(lexer)?;
    Ok(Metadata::Get { mailbox, query })
}

/// Whether a list of options is next: an entry begins with `/`.
fn has_options(rest: &[u8]) -> bool {
    let begins = |word: &str| {
        rest.get(1..=word.len()).is_some_and(|text| text.eq_ignore_ascii_case(word.as_bytes()))
    };
    rest.first() == Some(&b'(') && (begins("MAXSIZE") || begins("DEPTH"))
}

/// `getmetadata-option = "MAXSIZE" SP number / "DEPTH" SP ("0" / "1" / "infinity")`, in a list
fn read_options(lexer: &mut Lexer<'_>, query: &mut MetadataQuery) -> Parse<()> {
    lexer.list(|lexer| {
        match lexer.word("MAXSIZE or DEPTH")?.as_str() {
            "MAXSIZE" => {
                lexer.space()?;
                query.octets_max = Some(lexer.number64()?);
            }
            "DEPTH" => {
                lexer.space()?;
                query.depth = match lexer.word("a depth")?.as_str() {
                    "0" => Depth::Zero,
                    "1" => Depth::One,
                    "INFINITY" => Depth::Infinity,
                    _ => return Err(ErrorKind::Syntax("0, 1 or infinity")),
                };
            }
            _ => return Err(ErrorKind::Syntax("MAXSIZE or DEPTH")),
        }
        Ok(())
    })?;
    Ok(())
}

/// `entries = entry / "(" entry *(SP entry) ")"`
pub(super) fn read_entries(lexer: &mut Lexer<'_>) -> Parse<Vec<String>> {
    if lexer.peek() != Some(b'(') {
        return Ok(vec![read_entry(lexer)?]);
    }
    let entries = lexer.list(read_entry)?;
    if entries.is_empty() { Err(ErrorKind::Syntax("an entry")) } else { Ok(entries) }
}

/// `setmetadata = "SETMETADATA" SP mailbox SP "(" entry-value *(SP entry-value) ")"`, from behind
/// the name, where `entry-value = entry SP value` and `value = nstring / literal8`
pub(super) fn read_set(lexer: &mut Lexer<'_>) -> Parse<Metadata> {
    lexer.space()?;
    let mailbox = lexer.mailbox()?;
    lexer.space()?;
    let values = lexer.list(|lexer| {
        let entry = read_entry(lexer)?;
        lexer.space()?;
        let value = match lexer.peek() {
            Some(b'~') => Some(lexer.literal8()?.to_vec()),
            _ if lexer.eat_text("NIL") => None,
            _ => Some(lexer.string()?.into_owned()),
        };
        Ok((entry, value))
    })?;
    if values.is_empty() {
        return Err(ErrorKind::Syntax("an entry and its value"));
    }
    Ok(Metadata::Set { mailbox, values })
}

/// `entry = astring`, of the form of RFC 5464 §3.2.1: slash-separated components below `/private`
/// or `/shared`, neither 8-bit nor control characters, `*` nor `%`. Lowercase: case means nothing.
fn read_entry(lexer: &mut Lexer<'_>) -> Parse<String> {
    const EXPECTED: ErrorKind = ErrorKind::Syntax("an entry below /private or /shared");
    let entry = lexer.astring_text()?.to_ascii_lowercase();
    let path = entry.strip_prefix("/private/").or_else(|| entry.strip_prefix("/shared/"));
    let is_good = |component: &str| {
        !component.is_empty()
            && component.bytes().all(|o| (0x20..0x7f).contains(&o) && o != b'*' && o != b'%')
    };
    // the two roots themselves may be asked for with DEPTH
    let is_root = entry == "/private" || entry == "/shared";
    if is_root || path.is_some_and(|path| path.split('/').all(is_good)) && entry.len() <= 1024 {
        return Ok(entry);
    }
    Err(EXPECTED)
}

impl Writer<'_> {
    /// `metadata-resp = "METADATA" SP mailbox SP "(" entry SP value *(SP entry SP value) ")"`
    pub fn metadata<'v>(
        &mut self,
        mailbox: &str,
        values: impl IntoIterator<Item = (&'v str, Option<&'v [u8]>)>,
    ) -> &mut Self {
        self.raw(b"* METADATA ").mailbox(mailbox).raw(b" (");
        for (index, (entry, value)) in values.into_iter().enumerate() {
            self.raw(if index > 0 { b" " } else { b"" }).astring(entry.as_bytes()).raw(b" ");
            match value {
                None => self.raw(b"NIL"),
                // RFC 5464 §4.3: what has NUL is a literal8
                Some(value) if value.contains(&0) => self.raw(b"~").literal(value),
                Some(value) => self.string(value),
            };
        }
        self.raw(b")").end_line()
    }

    /// `metadata-resp = "METADATA" SP mailbox SP entry-list`: these have changed (RFC 5464 §4.4.2).
    pub fn metadata_changed<'v>(
        &mut self,
        mailbox: &str,
        entries: impl IntoIterator<Item = &'v str>,
    ) -> &mut Self {
        self.raw(b"* METADATA ").mailbox(mailbox);
        for entry in entries {
            self.raw(b" ").astring(entry.as_bytes());
        }
        self.end_line()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::imap::command::{Command, parse};

    fn read(text: &str) -> Option<Metadata> {
        match parse(&bytes::Bytes::from(format!("a {text}")), false).ok()?.command {
            Command::Metadata(metadata) => Some(metadata),
            _ => None,
        }
    }

    fn get(octets_max: Option<u64>, depth: Depth, entries: &[&str]) -> Option<Metadata> {
        let entries = entries.iter().map(|entry| (*entry).to_owned()).collect();
        let query = MetadataQuery { octets_max, depth, entries };
        Some(Metadata::Get { mailbox: "INBOX".into(), query })
    }

    #[test]
    fn commands_of_rfc_5464() {
        let both = ["/shared/comment", "/private/comment"];
        let one = get(None, Depth::Zero, &both[..1]);
        assert_eq!(read("GETMETADATA \"INBOX\" /shared/comment"), one);
        assert_eq!(
            read("GETMETADATA INBOX (/Shared/Comment /private/comment)"),
            get(None, Depth::Zero, &both)
        );
        let wanted = get(Some(1024), Depth::One, &both[..1]);
        assert_eq!(read("GETMETADATA (MAXSIZE 1024 DEPTH 1) INBOX (/shared/comment)"), wanted);
        assert_eq!(read("GETMETADATA INBOX (MAXSIZE 1024 DEPTH 1) /shared/comment"), wanted);
        let all = get(None, Depth::Infinity, &["/private"]);
        assert_eq!(read("GETMETADATA (DEPTH infinity) INBOX /private"), all);
        let set = Metadata::Set {
            mailbox: String::new(),
            values: vec![
                ("/private/comment".into(), Some(b"My comment".to_vec())),
                ("/shared/vendor/x/y".into(), None),
                ("/private/b".into(), Some(b"a\0b".to_vec())),
            ],
        };
        let text = "SETMETADATA \"\" (/private/comment \"My comment\" /shared/vendor/x/y NIL \
             /private/b ~{3+}\r\na\0b)";
        assert_eq!(read(text), Some(set));
        for bad in [
            "GETMETADATA INBOX",
            "GETMETADATA INBOX ()",
            "GETMETADATA INBOX comment",
            "GETMETADATA INBOX /other/comment",
            "GETMETADATA INBOX /shared//comment",
            "GETMETADATA INBOX /shared/comment/",
            "GETMETADATA INBOX \"/shared/c*\"",
            "GETMETADATA (DEPTH 2) INBOX /shared/comment",
            "SETMETADATA INBOX ()",
            "SETMETADATA INBOX (/private/comment)",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn answers_hold_any_octets() {
        let mut out = Vec::new();
        let values: [(&str, Option<&[u8]>); 3] =
            [("/private/a", Some(b"x")), ("/private/b", None), ("/private/c", Some(b"\0"))];
        Writer::new(&mut out, false).metadata("INBOX", values);
        let expected =
            b"* METADATA \"INBOX\" (/private/a \"x\" /private/b NIL /private/c ~{1}\r\n\0)\r\n";
        assert_eq!(out, expected);
    }
}
