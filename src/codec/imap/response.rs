//! The writer of responses (RFC 9051 §7). Every octet sent to an IMAP client is written here.

use super::mailbox_name;
use super::response_code::ResponseCode;
use super::status::StatusItem;
use crate::model::flag::FlagSet;
use crate::model::uid::{SeqNum, UidSet};

/// Longer strings are sent as literals.
const QUOTED_OCTETS_MAX: usize = 1024;

/// The condition of a status response (RFC 9051 §7.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Condition {
    /// `OK`
    Ok,
    /// `NO`
    No,
    /// `BAD`
    Bad,
    /// `BYE`
    Bye,
    /// `PREAUTH`
    Preauth,
}

impl Condition {
    /// The word on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::No => "NO",
            Self::Bad => "BAD",
            Self::Bye => "BYE",
            Self::Preauth => "PREAUTH",
        }
    }
}

/// The command a list answers.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum ListKind {
    /// LIST
    #[default]
    List,
    /// LSUB
    Lsub,
    /// XLIST
    Xlist,
}

impl ListKind {
    const fn name(self) -> &'static str {
        match self {
            Self::List => "LIST",
            Self::Lsub => "LSUB",
            Self::Xlist => "XLIST",
        }
    }
}

/// One line of LIST, LSUB or XLIST.
#[derive(Clone, Copy, Default, Debug)]
pub struct ListLine<'a> {
    /// LIST, LSUB or XLIST.
    pub kind: ListKind,
    /// Attributes with their backslashes.
    pub attributes: &'a [&'a str],
    /// The name in Unicode.
    pub name: &'a str,
    /// `("CHILDINFO" ("SUBSCRIBED"))`: the selection options that names below meet (RFC 5258
    /// §3.5).
    pub child_info: &'a [&'a str],
    /// `("OLDNAME" (...))` (RFC 9051 §6.3.9.7).
    pub old_name: Option<&'a str>,
}

/// A value of STATUS.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StatusValue {
    /// A number.
    Number(u64),
    /// MAILBOXID.
    ObjectId(String),
    /// `NIL`: APPENDLIMIT without a limit.
    Nil,
}

/// Writes responses to the end of a buffer.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
    utf8: bool,
}

impl<'a> Writer<'a> {
    /// A writer; `utf8`: UTF8=ACCEPT or IMAP4rev2 is enabled (RFC 6855 §3).
    pub const fn new(out: &'a mut Vec<u8>, utf8: bool) -> Self {
        Self { out, utf8 }
    }

    /// Octets as they are.
    pub fn raw(&mut self, octets: &[u8]) -> &mut Self {
        self.out.extend_from_slice(octets);
        self
    }

    /// Text as it is.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.raw(text.as_bytes())
    }

    /// `number = 1*DIGIT`
    pub fn number(&mut self, number: u64) -> &mut Self {
        let mut digits = [0u8; 20];
        let (mut rest, mut first) = (number, digits.len());
        for (at, place) in digits.iter_mut().enumerate().rev() {
            *place = b'0' + u8::try_from(rest % 10).unwrap_or_default();
            (rest, first) = (rest / 10, at);
            if rest == 0 {
                break;
            }
        }
        self.raw(digits.get(first..).unwrap_or_default())
    }

    /// `CRLF`
    pub fn end_line(&mut self) -> &mut Self {
        self.raw(b"\r\n")
    }

    /// `literal = "{" number64 "}" CRLF` without its octets, which the caller sends next.
    pub fn literal_header(&mut self, octets: u64) -> &mut Self {
        self.raw(b"{").number(octets).raw(b"}\r\n")
    }

    /// `literal`
    pub fn literal(&mut self, octets: &[u8]) -> &mut Self {
        self.literal_header(u64::try_from(octets.len()).unwrap_or_default()).raw(octets)
    }

    /// `string = quoted / literal`, the shorter form that is allowed.
    pub fn string(&mut self, octets: &[u8]) -> &mut Self {
        // RFC 9051 §4.3: quoted strings hold neither CR, LF nor NUL, and 8-bit only as UTF-8 where
        // that is agreed
        let plain = octets.iter().all(|o| !matches!(o, 0 | b'\r' | b'\n') && *o < 0x80);
        let fits = octets.len() <= QUOTED_OCTETS_MAX
            && (plain
                || (self.utf8
                    && !octets.iter().any(|o| matches!(o, 0 | b'\r' | b'\n'))
                    && std::str::from_utf8(octets).is_ok()));
        if !fits {
            return self.literal(octets);
        }
        self.out.push(b'"');
        for octet in octets {
            if matches!(octet, b'"' | b'\\') {
                self.out.push(b'\\');
            }
            self.out.push(*octet);
        }
        self.raw(b"\"")
    }

    /// `nstring = string / nil`
    pub fn nstring(&mut self, octets: Option<&[u8]>) -> &mut Self {
        match octets {
            Some(octets) => self.string(octets),
            None => self.raw(b"NIL"),
        }
    }

    /// `astring = 1*ASTRING-CHAR / string`
    pub fn astring(&mut self, octets: &[u8]) -> &mut Self {
        let is_atom = !octets.is_empty()
            && octets.len() <= QUOTED_OCTETS_MAX
            && octets.iter().all(|o| super::lexer::is_astring_char(*o))
            && !octets.eq_ignore_ascii_case(b"NIL");
        if is_atom { self.raw(octets) } else { self.string(octets) }
    }

    /// `mailbox`: a name in Unicode, in the form the session reads.
    pub fn mailbox(&mut self, name: &str) -> &mut Self {
        if self.utf8 || name.is_ascii() && !name.contains('&') {
            self.string(name.as_bytes())
        } else {
            self.string(mailbox_name::encode(name).as_bytes())
        }
    }

    /// Words in parentheses.
    pub fn list_of<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) -> &mut Self {
        self.out.push(b'(');
        for (index, name) in names.into_iter().enumerate() {
            if index > 0 {
                self.out.push(b' ');
            }
            self.text(name);
        }
        self.raw(b")")
    }

    /// `flag-list`
    pub fn flag_list(&mut self, flags: &FlagSet) -> &mut Self {
        self.list_of(flags.names())
    }

    /// `response-tagged`, or untagged without a tag: condition, code and text (RFC 9051 §7.1).
    pub fn status(
        &mut self,
        tag: Option<&str>,
        condition: Condition,
        code: Option<&ResponseCode>,
        text: &str,
    ) -> &mut Self {
        self.text(tag.unwrap_or("*")).raw(b" ").text(condition.name()).raw(b" ");
        if let Some(code) = code {
            self.raw(b"[").code(code).raw(b"] ");
        }
        // resp-text needs a character, and a line end in it would end the response
        let mut any = false;
        for c in text.chars() {
            any = true;
            let mut utf8 = [0; 4];
            let c = if c.is_control() || (!self.utf8 && !c.is_ascii()) { '?' } else { c };
            self.text(c.encode_utf8(&mut utf8));
        }
        if !any {
            self.raw(b".");
        }
        self.end_line()
    }

    /// `continue-req = "+" SP text CRLF`
    pub fn continuation(&mut self, text: &str) -> &mut Self {
        self.raw(b"+ ").text(text).end_line()
    }

    /// `* CAPABILITY …`
    pub fn capability(&mut self, names: &[&str]) -> &mut Self {
        self.words(b"* CAPABILITY", names)
    }

    /// `* ENABLED …` (RFC 9051 §7.2.1)
    pub fn enabled(&mut self, names: &[&str]) -> &mut Self {
        self.words(b"* ENABLED", names)
    }

    fn words(&mut self, start: &[u8], names: &[&str]) -> &mut Self {
        self.raw(start);
        for name in names {
            self.raw(b" ").text(name);
        }
        self.end_line()
    }

    /// `* ID (...)` (RFC 2971)
    pub fn id(&mut self, fields: &[(&str, &str)]) -> &mut Self {
        self.raw(b"* ID ");
        if fields.is_empty() {
            return self.raw(b"NIL").end_line();
        }
        for (index, (name, value)) in fields.iter().enumerate() {
            self.raw(if index == 0 { b"(" } else { b" " }).string(name.as_bytes());
            self.raw(b" ").string(value.as_bytes());
        }
        self.raw(b")").end_line()
    }

    /// `* NAMESPACE (("" "/")) (("Other Users/" "/")) NIL` (RFC 9051 §7.3.5): own mailboxes, and
    /// those of others.
    pub fn namespace(&mut self) -> &mut Self {
        self.raw(b"* NAMESPACE ((\"\" \"/\")) ((\"Other Users/\" \"/\")) NIL").end_line()
    }

    /// `* n EXISTS`
    pub fn exists(&mut self, messages: u64) -> &mut Self {
        self.raw(b"* ").number(messages).raw(b" EXISTS").end_line()
    }

    /// `* n RECENT` (RFC 3501 §7.3.2)
    pub fn recent(&mut self, messages: u64) -> &mut Self {
        self.raw(b"* ").number(messages).raw(b" RECENT").end_line()
    }

    /// `* n EXPUNGE`
    pub fn expunge(&mut self, seq: SeqNum) -> &mut Self {
        self.raw(b"* ").number(u64::from(seq)).raw(b" EXPUNGE").end_line()
    }

    /// `* VANISHED (EARLIER) uids` (RFC 7162 §3.2.10)
    pub fn vanished(&mut self, earlier: bool, uids: &UidSet) -> &mut Self {
        self.raw(b"* VANISHED ").raw(if earlier { b"(EARLIER) " } else { b"" });
        self.number_set(uids).end_line()
    }

    /// `sequence-set` of numbers.
    pub fn number_set(&mut self, numbers: &UidSet) -> &mut Self {
        for (index, (first, last)) in numbers.ranges().iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.number(u64::from(*first));
            if first != last {
                self.raw(b":").number(u64::from(*last));
            }
        }
        self
    }

    /// `* FLAGS (...)`: names of the flags of the mailbox.
    pub fn flags<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) -> &mut Self {
        self.raw(b"* FLAGS ").list_of(names).end_line()
    }

    /// `* LIST (...) "/" name` (RFC 9051 §7.3.1)
    pub fn list(&mut self, line: &ListLine<'_>) -> &mut Self {
        self.raw(b"* ").text(line.kind.name()).raw(b" ");
        self.list_of(line.attributes.iter().copied()).raw(b" \"/\" ").mailbox(line.name);
        let has_child_info = !line.child_info.is_empty();
        if has_child_info || line.old_name.is_some() {
            self.raw(b" (");
            if has_child_info {
                let options = line.child_info.iter().map(|option| format!("\"{option}\""));
                let options: Vec<String> = options.collect();
                self.raw(b"\"CHILDINFO\" ").list_of(options.iter().map(String::as_str));
            }
            if let Some(old_name) = line.old_name {
                self.raw(if has_child_info { b" " } else { b"" });
                self.raw(b"\"OLDNAME\" (").mailbox(old_name).raw(b")");
            }
            self.raw(b")");
        }
        self.end_line()
    }

    /// `* LIST (\Noselect) "/" ""`: the answer to an empty pattern, with the root of the reference
    /// (RFC 9051 §6.3.9).
    pub fn list_root(&mut self, kind: ListKind, root: &str) -> &mut Self {
        self.raw(b"* ").text(kind.name()).raw(b" (\\Noselect) \"/\" ").mailbox(root).end_line()
    }

    /// `* STATUS name (...)`
    pub fn mailbox_status(&mut self, name: &str, items: &[(StatusItem, StatusValue)]) -> &mut Self {
        self.raw(b"* STATUS ").mailbox(name).raw(b" (");
        for (index, (item, value)) in items.iter().enumerate() {
            self.raw(if index > 0 { b" " } else { b"" }).text(item.name()).raw(b" ");
            match value {
                StatusValue::Number(number) => self.number(*number),
                StatusValue::ObjectId(id) => self.raw(b"(").text(id).raw(b")"),
                StatusValue::Nil => self.raw(b"NIL"),
            };
        }
        self.raw(b")").end_line()
    }
}
