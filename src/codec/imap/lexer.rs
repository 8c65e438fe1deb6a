//! Tokens of IMAP: atom, quoted, literal, number, lists (RFC 9051 §4, §9).

use super::error::ErrorKind;
use super::mailbox_name;
use bytes::Bytes;
use std::borrow::Cow;

/// What a parser function gives back; where it failed is the lexer's position.
pub type Parse<T> = Result<T, ErrorKind>;

/// `ATOM-CHAR = <any CHAR except atom-specials>`
pub const fn is_atom_char(octet: u8) -> bool {
    !matches!(octet, 0..=b' ' | b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']' | 0x7f..)
}

/// `ASTRING-CHAR = ATOM-CHAR / resp-specials`
pub const fn is_astring_char(octet: u8) -> bool {
    is_atom_char(octet) || octet == b']'
}

/// `list-char = ATOM-CHAR / list-wildcards / resp-specials`
const fn is_list_char(octet: u8) -> bool {
    is_astring_char(octet) || matches!(octet, b'%' | b'*')
}

/// Octets of a tag at most; nobody needs more, and it is sent back.
const TAG_OCTETS_MAX: usize = 1024;

/// The tag a command begins with, if readable: `tag = 1*<any ASTRING-CHAR except "+">`.
pub fn leading_tag(command: &[u8]) -> Option<&str> {
    let is_tag_char = |octet: &u8| is_astring_char(*octet) && *octet != b'+';
    let octets = command.iter().take(TAG_OCTETS_MAX + 1).take_while(|o| is_tag_char(o)).count();
    let ends = matches!(command.get(octets), None | Some(b' ' | b'\r' | b'\n'));
    if octets == 0 || octets > TAG_OCTETS_MAX || !ends {
        return None;
    }
    std::str::from_utf8(command.get(..octets)?).ok()
}

/// Reads one command from its beginning to its end.
#[derive(Debug)]
pub struct Lexer<'a> {
    source: &'a Bytes,
    at: usize,
    utf8: bool,
}

impl<'a> Lexer<'a> {
    /// A lexer at the beginning. `utf8` as in [`super::command::parse`].
    pub const fn new(source: &'a Bytes, utf8: bool) -> Self {
        Self { source, at: 0, utf8 }
    }

    /// Octets read so far.
    pub const fn position(&self) -> usize {
        self.at
    }

    /// What is not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.source.get(self.at..).unwrap_or_default()
    }

    /// The next octet.
    pub fn peek(&self) -> Option<u8> {
        self.source.get(self.at).copied()
    }

    /// Passes over an octet if it is the next one.
    pub fn eat(&mut self, octet: u8) -> bool {
        let is_next = self.peek() == Some(octet);
        self.at += usize::from(is_next);
        is_next
    }

    /// Passes over an octet that must be next.
    ///
    /// # Errors
    /// `Syntax` with what was expected.
    pub fn expect(&mut self, octet: u8, expected: &'static str) -> Parse<()> {
        if self.eat(octet) { Ok(()) } else { Err(ErrorKind::Syntax(expected)) }
    }

    /// `SP`: exactly one.
    ///
    /// # Errors
    /// `Syntax`.
    pub fn space(&mut self) -> Parse<()> {
        self.expect(b' ', "a space")
    }

    /// The end of the command. Spaces before it are passed over, because clients send them.
    ///
    /// # Errors
    /// `TrailingOctets`.
    pub fn end(&mut self) -> Parse<()> {
        while self.eat(b' ') {}
        if self.rest().is_empty() { Ok(()) } else { Err(ErrorKind::TrailingOctets) }
    }

    /// Whether only spaces are left.
    pub fn is_at_end(&self) -> bool {
        self.rest().iter().all(|octet| *octet == b' ')
    }

    fn take_while(&mut self, is_wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let octets = rest.iter().take_while(|octet| is_wanted(**octet)).count();
        self.at += octets;
        rest.get(..octets).unwrap_or_default()
    }

    /// `tag`
    ///
    /// # Errors
    /// `Tag`.
    pub fn tag(&mut self) -> Parse<String> {
        let tag = leading_tag(self.rest()).ok_or(ErrorKind::Tag)?;
        self.at += tag.len();
        Ok(tag.to_owned())
    }

    /// A name of the protocol, in uppercase: letters, digits and `.`, `-`, `+`, `=`.
    ///
    /// # Errors
    /// `Syntax` with what was expected.
    pub fn word(&mut self, expected: &'static str) -> Parse<String> {
        let octets = self.take_while(|o| {
            o.is_ascii_alphanumeric() || matches!(o, b'.' | b'-' | b'+' | b'=' | b'_')
        });
        if octets.is_empty() {
            return Err(ErrorKind::Syntax(expected));
        }
        Ok(String::from_utf8_lossy(octets).to_ascii_uppercase())
    }

    /// Passes over a word and the space behind it, if it is next.
    pub fn eat_word(&mut self, word: &str) -> bool {
        self.rest().get(word.len()) == Some(&b' ') && self.eat_text(word) && self.eat(b' ')
    }

    /// `atom = 1*ATOM-CHAR`
    ///
    /// # Errors
    /// `Syntax` with what was expected.
    pub fn atom(&mut self, expected: &'static str) -> Parse<String> {
        let octets = self.take_while(is_atom_char);
        if octets.is_empty() {
            return Err(ErrorKind::Syntax(expected));
        }
        Ok(String::from_utf8_lossy(octets).into_owned())
    }

    /// `astring = 1*ASTRING-CHAR / string`
    ///
    /// # Errors
    /// `Syntax`.
    pub fn astring(&mut self) -> Parse<Cow<'a, [u8]>> {
        match self.peek() {
            Some(octet) if is_astring_char(octet) => {
                Ok(Cow::Borrowed(self.take_while(is_astring_char)))
            }
            _ => self.string(),
        }
    }

    /// `astring` that is UTF-8.
    ///
    /// # Errors
    /// `Syntax`, `Text`.
    pub fn astring_text(&mut self) -> Parse<String> {
        text_of(self.astring()?)
    }

    /// `string = quoted / literal`
    ///
    /// # Errors
    /// `Syntax`.
    pub fn string(&mut self) -> Parse<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'{') => {
                let (start, end) = self.literal_range()?;
                Ok(Cow::Borrowed(self.source.get(start..end).unwrap_or_default()))
            }
            _ => Err(ErrorKind::Syntax("a string")),
        }
    }

    /// `nstring = string / nil` that is UTF-8.
    ///
    /// # Errors
    /// `Syntax`, `Text`.
    pub fn nstring_text(&mut self) -> Parse<Option<String>> {
        if self.eat_text("NIL") {
            return Ok(None);
        }
        text_of(self.string()?).map(Some)
    }

    /// `quoted = DQUOTE *QUOTED-CHAR DQUOTE`, where `QUOTED-CHAR = <any TEXT-CHAR except
    /// quoted-specials> /
    /// "\" quoted-specials / UTF8-2 / UTF8-3 / UTF8-4`; whether it is UTF-8 is the caller's
    /// question.
    fn quoted(&mut self) -> Parse<Cow<'a, [u8]>> {
        const END: ErrorKind = ErrorKind::Syntax("the end of a quoted string");
        self.expect(b'"', "a quoted string")?;
        let is_plain = |octet| !matches!(octet, b'"' | b'\\' | 0 | b'\r' | b'\n');
        let first = self.take_while(is_plain);
        if self.eat(b'"') {
            return Ok(Cow::Borrowed(first));
        }
        let mut all = first.to_vec();
        while !self.eat(b'"') {
            if self.eat(b'\\') {
                match self.peek() {
                    Some(octet @ (b'"' | b'\\')) => all.push(octet),
                    _ => return Err(ErrorKind::Syntax("a quote or backslash")),
                }
                self.at += 1;
            }
            let run = self.take_while(is_plain);
            all.extend_from_slice(run);
            if !matches!(self.peek(), Some(b'"' | b'\\')) {
                return Err(END);
            }
        }
        Ok(Cow::Owned(all))
    }

    /// `literal = "{" number64 ["+"] "}" CRLF *CHAR8`: where its octets lie.
    fn literal_range(&mut self) -> Parse<(usize, usize)> {
        self.expect(b'{', "a literal")?;
        let octets = usize::try_from(self.number64()?).map_err(|_| ErrorKind::Number)?;
        self.eat(b'+');
        self.expect(b'}', "the end of a literal's count")?;
        self.eat(b'\r');
        self.expect(b'\n', "a line end before a literal")?;
        let start = self.at;
        let end = start.checked_add(octets).filter(|end| *end <= self.source.len());
        self.at = end.ok_or(ErrorKind::Syntax("the octets of a literal"))?;
        Ok((start, self.at))
    }

    /// `literal` as a slice of the command, not copied.
    ///
    /// # Errors
    /// `Syntax`, `Number`.
    pub fn literal(&mut self) -> Parse<Bytes> {
        let (start, end) = self.literal_range()?;
        Ok(self.source.slice(start..end))
    }

    /// `literal8 = "~{" number64 ["+"] "}" CRLF *OCTET` (RFC 3516 §4.4)
    ///
    /// # Errors
    /// `Syntax`, `Number`.
    pub fn literal8(&mut self) -> Parse<Bytes> {
        self.expect(b'~', "a literal8")?;
        self.literal()
    }

    /// `number64 = 1*DIGIT`, below 2^63.
    ///
    /// # Errors
    /// `Syntax`, `Number`.
    pub fn number64(&mut self) -> Parse<u64> {
        let digits = self.take_while(|octet| octet.is_ascii_digit());
        if digits.is_empty() {
            return Err(ErrorKind::Syntax("a number"));
        }
        let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u64>().ok());
        number.filter(|number| *number < 1 << 63).ok_or(ErrorKind::Number)
    }

    /// `nz-number = digit-nz *DIGIT`
    ///
    /// # Errors
    /// `Syntax`, `Number`.
    pub fn nz_number(&mut self) -> Parse<u32> {
        let number = self.number64()?;
        u32::try_from(number).ok().filter(|number| *number > 0).ok_or(ErrorKind::Number)
    }

    /// `"(" item *(SP item) ")"`, also empty. Spaces inside the parentheses are passed over,
    /// because clients
    /// send them.
    ///
    /// # Errors
    /// `Syntax`, and what `item` gives.
    pub fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Parse<T>) -> Parse<Vec<T>> {
        self.expect(b'(', "an opening parenthesis")?;
        let mut items = Vec::new();
        while self.eat(b' ') {}
        while !self.eat(b')') {
            items.push(item(self)?);
            if self.peek() != Some(b')') {
                self.space()?;
                while self.eat(b' ') {}
            }
        }
        Ok(items)
    }

    /// `mailbox = "INBOX" / astring`, decoded.
    ///
    /// # Errors
    /// `Syntax`, `MailboxName`.
    pub fn mailbox(&mut self) -> Parse<String> {
        let name = self.astring()?;
        self.decode_name(&name)
    }

    /// `list-mailbox = 1*list-char / string`, decoded.
    ///
    /// # Errors
    /// `Syntax`, `MailboxName`.
    pub fn list_mailbox(&mut self) -> Parse<String> {
        let pattern = match self.peek() {
            Some(octet) if is_list_char(octet) => Cow::Borrowed(self.take_while(is_list_char)),
            _ => self.string()?,
        };
        self.decode_name(&pattern)
    }

    fn decode_name(&self, name: &[u8]) -> Parse<String> {
        mailbox_name::decode(name, self.utf8).ok_or(ErrorKind::MailboxName)
    }

    /// Passes over this text, in any case, if it is next.
    pub fn eat_text(&mut self, text: &str) -> bool {
        let octets = self.rest().get(..text.len());
        let is_next = octets.is_some_and(|octets| octets.eq_ignore_ascii_case(text.as_bytes()));
        if is_next {
            self.at += text.len();
        }
        is_next
    }
}

fn text_of(octets: Cow<'_, [u8]>) -> Parse<String> {
    String::from_utf8(octets.into_owned()).map_err(|_| ErrorKind::Text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn astring(text: &'static str) -> Parse<Vec<u8>> {
        let source = Bytes::from_static(text.as_bytes());
        let mut lexer = Lexer::new(&source, false);
        let string = lexer.astring()?.into_owned();
        lexer.end().map(|()| string)
    }

    #[test]
    fn strings() {
        assert_eq!(astring("a]b+c").unwrap(), b"a]b+c");
        assert_eq!(astring(r#""a \"b\" \\ c"  "#).unwrap(), br#"a "b" \ c"#);
        assert_eq!(astring("\"\"").unwrap(), b"");
        assert_eq!(astring("{3}\r\na\nb").unwrap(), b"a\nb");
        assert_eq!(astring("{2+}\n\r\n").unwrap(), b"\r\n");
        for bad in [
            "",
            "\"a",
            "\"a\\\"",
            "\"\\a\"",
            "{4}\r\nabc",
            "{3}abc",
            "{x}\r\n",
            "a b",
            "(",
            "\"a\r\"",
        ] {
            assert!(astring(bad).is_err(), "{bad}");
        }
        assert_eq!(astring("{99999999999999999999}\r\n"), Err(ErrorKind::Number));
    }

    #[test]
    fn tags() {
        assert_eq!(leading_tag(b"a1.x NOOP"), Some("a1.x"));
        assert_eq!(leading_tag(b"a1"), Some("a1"));
        for bad in [&b"+ x"[..], b"a+b x", b" x", b"", b"a\"b x", b"\xff x", &[b'a'; 2000]] {
            assert_eq!(leading_tag(bad), None);
        }
    }
}
