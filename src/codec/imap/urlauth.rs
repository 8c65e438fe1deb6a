//! GENURLAUTH, URLFETCH and RESETKEY (RFC 4467 §6, RFC 5524 §5) and their responses.

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

/// One URL of URLFETCH.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UrlAsked {
    /// The URL.
    pub url: String,
    /// What is asked for in parentheses (RFC 5524 §3); `None`: the octets alone.
    pub wanted: Option<Wanted>,
}

/// What is asked for of an URL.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// `BODYPARTSTRUCTURE`
    pub structure: bool,
    /// `BODY`: the octets as they are.
    pub body: bool,
    /// `BINARY`: without their transfer encoding.
    pub binary: bool,
}

/// `urlfetch = "URLFETCH" 1*(SP url-fetch-arg)`, where `url-fetch-arg = url-fetch-simple /
/// "(" url-full *(SP url-fetch-param) ")"` (RFC 5524 §5), from behind the name.
pub(super) fn read_fetch(lexer: &mut Lexer<'_>) -> Parse<Vec<UrlAsked>> {
    many(lexer, |lexer| {
        if !lexer.eat(b'(') {
            return Ok(UrlAsked { url: lexer.astring_text()?, wanted: None });
        }
        let url = lexer.astring_text()?;
        let mut wanted = Wanted::default();
        while !lexer.eat(b')') {
            lexer.space()?;
            match lexer.word("a form of the URL")?.as_str() {
                "BODYPARTSTRUCTURE" => wanted.structure = true,
                "BODY" => wanted.body = true,
                "BINARY" => wanted.binary = true,
                _ => return Err(ErrorKind::Syntax("BODY, BINARY or BODYPARTSTRUCTURE")),
            }
        }
        if wanted.body && wanted.binary || wanted == Wanted::default() {
            return Err(ErrorKind::Syntax("one form of the URL"));
        }
        Ok(UrlAsked { url, wanted: Some(wanted) })
    })
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

    /// `* URLFETCH url`, one response for each URL; what was asked for follows, each with a space in
    /// front.
    pub fn url_fetch(&mut self, url: &str) -> &mut Self {
        self.raw(b"* URLFETCH ").string(url.as_bytes())
    }

    /// ` (BODYPARTSTRUCTURE body)` from its wire form (RFC 5524 §5).
    pub fn url_structure(&mut self, wire_form: &[u8]) -> &mut Self {
        self.raw(b" (BODYPARTSTRUCTURE ").raw(wire_form).raw(b")")
    }

    /// ` nstring` of an URL, to the end of `NIL` or to where the caller sends the octets; after a
    /// name (RFC 5524 §5) the caller closes the parenthesis.
    pub fn url_octets(&mut self, name: Option<&str>, octets: Option<u64>, has_nul: bool) {
        match name {
            Some(name) => self.raw(b" (").text(name).raw(b" "),
            None => self.raw(b" "),
        };
        match octets {
            Some(octets) if has_nul => self.raw(b"~").literal_header(octets),
            Some(octets) => self.literal_header(octets),
            None => self.raw(b"NIL"),
        };
    }
}
