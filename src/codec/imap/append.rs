//! APPEND (RFC 9051 §6.3.12), MULTIAPPEND (RFC 3502), CATENATE (RFC 4469), UTF8 (RFC 6855 §4) and
//! REPLACE (RFC 8508).

use super::date_time::parse_date_time;
use super::error::ErrorKind;
use super::lexer::{Lexer, Parse};
use super::store::read_flag;
use crate::model::flag::FlagSet;
use crate::model::limits::{IMAP_APPEND_MESSAGES_MAX, IMAP_CATENATE_PARTS_MAX};
use crate::model::message::TimeMs;
use bytes::Bytes;

/// APPEND as asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Append {
    /// The mailbox, decoded.
    pub mailbox: String,
    /// At least one.
    pub messages: Vec<AppendMessage>,
}

/// REPLACE or UID REPLACE (RFC 8508).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replace {
    /// UID REPLACE: the number is a UID.
    pub uid: bool,
    /// The message to be replaced; `None` for `*`.
    pub number: Option<u32>,
    /// The mailbox of the new message, decoded.
    pub mailbox: String,
    /// The new message.
    pub message: AppendMessage,
}

/// One message to be stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AppendMessage {
    /// Flags; empty if none.
    pub flags: FlagSet,
    /// INTERNALDATE.
    pub date: Option<TimeMs>,
    /// Its octets.
    pub data: AppendData,
}

/// Where the octets of a message come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AppendData {
    /// The literal; a slice of the command's octets, not a copy.
    Literal(Literal),
    /// CATENATE: the parts one after the other; at least one.
    Catenate(Vec<CatPart>),
}

/// A part of CATENATE.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CatPart {
    /// `TEXT`, or `UTF8`
    Text(Literal),
    /// `URL`: as written.
    Url(String),
}

/// The octets of a literal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Literal {
    /// The octets.
    pub octets: Bytes,
    /// Given as `UTF8 (~{n} …)` (RFC 6855 §4).
    pub utf8: bool,
}

impl AppendMessage {
    /// Whether any of it was given as `UTF8 (~{n} …)`.
    pub fn is_utf8(&self) -> bool {
        match &self.data {
            AppendData::Literal(literal) => literal.utf8,
            AppendData::Catenate(parts) => {
                parts.iter().any(|part| matches!(part, CatPart::Text(text) if text.utf8))
            }
        }
    }
}

/// `append = "APPEND" SP mailbox 1*append-message` (RFC 3502 §6.3.11), from behind the name.
pub(super) fn read(lexer: &mut Lexer<'_>) -> Parse<Append> {
    lexer.space()?;
    let mailbox = lexer.mailbox()?;
    let mut messages = vec![read_message(lexer)?];
    while !lexer.is_at_end() {
        if messages.len() >= IMAP_APPEND_MESSAGES_MAX {
            return Err(ErrorKind::Syntax("at most 1000 messages in an APPEND"));
        }
        messages.push(read_message(lexer)?);
    }
    Ok(Append { mailbox, messages })
}

/// `replace = "REPLACE" SP seq-number SP mailbox append-message`, and `uid-replace` alike (RFC 8508
/// §4), from behind the name.
pub(super) fn read_replace(lexer: &mut Lexer<'_>, uid: bool) -> Parse<Replace> {
    lexer.space()?;
    let number = if lexer.eat(b'*') { None } else { Some(lexer.nz_number()?) };
    lexer.space()?;
    let mailbox = lexer.mailbox()?;
    Ok(Replace { uid, number, mailbox, message: read_message(lexer)? })
}

/// `append-message = [SP flag-list] [SP date-time] *(SP append-ext) SP append-data`; no extension
/// of it is known.
fn read_message(lexer: &mut Lexer<'_>) -> Parse<AppendMessage> {
    lexer.space()?;
    let mut flags = FlagSet::default();
    if lexer.peek() == Some(b'(') {
        let names = lexer.list(read_flag)?;
        flags = FlagSet::from_names(names.iter().flatten().map(String::as_str));
        lexer.space()?;
    }
    let mut date = None;
    if lexer.peek() == Some(b'"') {
        let text = lexer.string()?;
        date = Some(parse_date_time(&String::from_utf8_lossy(&text))?);
        lexer.space()?;
    }
    Ok(AppendMessage { flags, date, data: read_data(lexer)? })
}

/// `append-data = literal / literal8 / utf8-literal / "CATENATE" SP "(" cat-part *(SP cat-part)
/// ")"`
fn read_data(lexer: &mut Lexer<'_>) -> Parse<AppendData> {
    let octets = match lexer.peek() {
        Some(b'~') => lexer.literal8()?,
        Some(b'{') => lexer.literal()?,
        _ if lexer.eat_word("UTF8") => return read_utf8(lexer).map(AppendData::Literal),
        _ if lexer.eat_word("CATENATE") => return read_catenate(lexer),
        _ => return Err(ErrorKind::Syntax("the message as a literal")),
    };
    Ok(AppendData::Literal(Literal { octets, utf8: false }))
}

/// `utf8-literal = "UTF8" SP "(" literal8 ")"` (RFC 6855 §4), from behind the space.
fn read_utf8(lexer: &mut Lexer<'_>) -> Parse<Literal> {
    lexer.expect(b'(', "an opening parenthesis")?;
    let octets = lexer.literal8()?;
    lexer.expect(b')', "a closing parenthesis")?;
    Ok(Literal { octets, utf8: true })
}

/// `"(" cat-part *(SP cat-part) ")"`, where `cat-part = "TEXT" SP literal / "URL" SP astring /
/// utf8-literal` (RFC 4469 §5, RFC 6855 §4)
fn read_catenate(lexer: &mut Lexer<'_>) -> Parse<AppendData> {
    const EXPECTED: ErrorKind = ErrorKind::Syntax("TEXT or URL");
    let mut count = 0;
    let parts = lexer.list(|lexer| {
        count += 1;
        if count > IMAP_CATENATE_PARTS_MAX {
            return Err(ErrorKind::Syntax("at most 1000 parts"));
        }
        if lexer.eat_word("URL") {
            return lexer.astring_text().map(CatPart::Url);
        }
        if lexer.eat_word("UTF8") {
            return read_utf8(lexer).map(CatPart::Text);
        }
        if !lexer.eat_word("TEXT") {
            return Err(EXPECTED);
        }
        // literal8 where BINARY is offered (RFC 3516 §4.4)
        let octets =
            if lexer.peek() == Some(b'~') { lexer.literal8()? } else { lexer.literal()? };
        Ok(CatPart::Text(Literal { octets, utf8: false }))
    })?;
    if parts.is_empty() { Err(EXPECTED) } else { Ok(AppendData::Catenate(parts)) }
}
