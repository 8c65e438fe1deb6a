//! GENURLAUTH, URLFETCH and RESETKEY (RFC 4467 §6) and their responses.

use super::error::ErrorKind;
use super::lexer::{Lexer, Parse};
use super::response::Writer;

/// URLs of one command.
const URLS_MAX: usize = 100;

/// `genurlauth = "GENURLAUTH" 1*(SP url-rump SP mechanism)`, from behind the name.
pub(super) fn read_gen(lexer: &mut Lexer<'_>) -> Parse<Vec<(String, String)>> {
    many(lexer, |lexer| {
        let url = lexer.astring_text()?;
        lexer.space()?;
        Ok((url, lexer.word("a mechanism")?))
    })
}

/// `urlfetch = "URLFETCH" 1*(SP url-full)`, from behind the name.
pub(super) fn read_fetch(lexer: &mut Lexer<'_>) -> Parse<Vec<String>> {
    many(lexer, |lexer| lexer.astring_text())
}

/// `resetkey = "RESETKEY" [SP mailbox *(SP mechanism)]`, from behind the name. There is one
/// mechanism, so naming it changes nothing.
pub(super) fn read_reset(lexer: &mut Lexer<'_>) -> Parse<Option<String>> {
    if lexer.is_at_end() {
        return Ok(None);
    }
    lexer.space()?;
    let mailbox = lexer.mailbox()?;
    while !lexer.is_at_end() {
        lexer.space()?;
        lexer.word("a mechanism")?;
    }
    Ok(Some(mailbox))
}

/// `1*(SP item)` to the end of the command.
fn many<T>(
    lexer: &mut Lexer<'_>,
    mut item: impl FnMut(&mut Lexer<'_>) -> Parse<T>,
) -> Parse<Vec<T>> {
    let mut items = Vec::new();
    loop {
        lexer.space()?;
        items.push(item(lexer)?);
        if lexer.is_at_end() {
            return Ok(items);
        }
        if items.len() >= URLS_MAX {
            return Err(ErrorKind::Syntax("at most 100 URLs"));
        }
    }
}

impl Writer<'_> {
    /// `* GENURLAUTH url url …`
    pub fn gen_url_auth(&mut self, urls: &[String]) -> &mut Self {
        self.raw(b"* GENURLAUTH");
        for url in urls {
            self.raw(b" ").string(url.as_bytes());
        }
        self.end_line()
    }

    /// `* URLFETCH url nstring`, one response for each URL: to the end of `NIL`, or to where the
    /// caller sends the literal's octets. The line's end is the caller's.
    pub fn url_fetch(&mut self, url: &str, octets: Option<u64>) -> &mut Self {
        self.raw(b"* URLFETCH ").string(url.as_bytes()).raw(b" ");
        match octets {
            Some(octets) => self.literal_header(octets),
            None => self.raw(b"NIL"),
        }
    }
}
