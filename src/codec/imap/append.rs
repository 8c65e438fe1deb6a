//! APPEND (RFC 9051 §6.3.12, RFC 6855 §4).

use super::date_time::parse_date_time;
use super::error::ErrorKind;
use super::lexer::{Lexer, Parse};
use super::store::read_flag;
use crate::model::flag::FlagSet;
use crate::model::message::TimeMs;
use bytes::Bytes;

/// APPEND as asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Append {
    /// The mailbox, decoded.
    pub mailbox: String,
    /// Flags; empty if none.
    pub flags: FlagSet,
    /// INTERNALDATE.
    pub date: Option<TimeMs>,
    /// The message; a slice of the command's octets, not a copy.
    pub message: Bytes,
    /// Given as `UTF8 (~{n} …)` (RFC 6855 §4).
    pub utf8: bool,
}

/// `append = "APPEND" SP mailbox [SP flag-list] [SP date-time] SP append-data`, from behind the
/// name, where
/// `append-data = literal / literal8 / "UTF8" SP "(" literal8 ")"`
pub(super) fn read(lexer: &mut Lexer<'_>) -> Parse<Append> {
    lexer.space()?;
    let mailbox = lexer.mailbox()?;
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
    let utf8 = lexer.eat_word("UTF8");
    let message = if utf8 {
        lexer.expect(b'(', "an opening parenthesis")?;
        let message = lexer.literal8()?;
        lexer.expect(b')', "a closing parenthesis")?;
        message
    } else {
        match lexer.peek() {
            Some(b'~') => lexer.literal8()?,
            Some(b'{') => lexer.literal()?,
            _ => return Err(ErrorKind::Syntax("the message as a literal")),
        }
    };
    Ok(Append { mailbox, flags, date, message, utf8 })
}
