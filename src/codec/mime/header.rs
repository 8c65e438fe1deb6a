//! Header blocks as octets: where they end, their fields, and parameters of structured ones.
//!
//! Knows no field's meaning. RFC 5322 §2.2, RFC 2045 §5.1, RFC 2231 §3 and §4.

use memchr::memchr;

use super::word;

/// One field of a header; ranges are offsets into the block it was read from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field<'a> {
    /// Name as written; empty for a line that is no field.
    pub name: &'a [u8],
    /// Value with its folding, without the line end that closes the field.
    pub value: &'a [u8],
    /// The whole field with its line ends.
    pub raw: &'a [u8],
}

/// Walks over the fields of a header block up to its empty line.
pub struct Fields<'a> {
    rest: &'a [u8],
}

/// The fields of a header block, in order. Lines that are no field come with an empty name.
pub fn fields(block: &[u8]) -> Fields<'_> {
    Fields { rest: block }
}

/// The length of the first line with its LF, or of all if there is none.
pub(super) fn line_len(octets: &[u8]) -> usize {
    memchr(b'\n', octets).map_or(octets.len(), |at| at + 1)
}

/// A line without its LF or CRLF.
pub(super) fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Whether the line is only a line end.
pub(super) fn is_empty_line(line: &[u8]) -> bool {
    line == b"\r\n" || line == b"\n"
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let block = self.rest;
        let first = block.get(..line_len(block))?;
        if first.is_empty() || is_empty_line(first) {
            self.rest = &[];
            return None;
        }
        let mut end = first.len();
        // RFC 5322 §2.2.3: a line that starts with white space continues the field.
        while let Some(rest) = block.get(end..).filter(|rest| matches!(rest, [b' ' | b'\t', ..])) {
            end += line_len(rest);
        }
        let raw = block.get(..end)?;
        self.rest = block.get(end..)?;
        let (name, value) = split_name(without_line_end(raw));
        Some(Field { name, value, raw })
    }
}

/// Name and value of a field; the name is empty if there is no colon behind a proper name.
fn split_name(raw: &[u8]) -> (&[u8], &[u8]) {
    let Some((name, value)) = memchr(b':', raw).and_then(|at| raw.split_at_checked(at)) else {
        return (&[], raw);
    };
    // RFC 5322 §4.5: obsolete syntax allows white space before the colon.
    let name = name.trim_ascii_end();
    if name.is_empty() || !name.iter().all(|octet| (33..127).contains(octet)) {
        return (&[], raw);
    }
    (name, value.get(1..).unwrap_or_default())
}

/// The raw value of the first field of that name.
pub fn first<'a>(block: &'a [u8], name: &str) -> Option<&'a [u8]> {
    fields(block)
        .find(|field| field.name.eq_ignore_ascii_case(name.as_bytes()))
        .map(|field| field.value)
}

/// A message without the header fields of these lowercase names; `None` when it has none of them.
pub fn without(content: &[u8], names: &[&str]) -> Option<Vec<u8>> {
    let is_named =
        |field: &Field<'_>| names.iter().any(|n| field.name.eq_ignore_ascii_case(n.as_bytes()));
    if !fields(content).any(|field| is_named(&field)) {
        return None;
    }
    let mut kept = Vec::with_capacity(content.len());
    let mut read = 0;
    for field in fields(content) {
        read += field.raw.len();
        if !is_named(&field) {
            kept.extend_from_slice(field.raw);
        }
    }
    kept.extend_from_slice(content.get(read..).unwrap_or_default());
    Some(kept)
}

/// A value without its folding (RFC 5322 §2.2.3) and without white space around it.
pub fn unfold(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    for line in value.split(|octet| *octet == b'\n') {
        out.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
    }
    let start = out.iter().take_while(|octet| is_space(**octet)).count();
    out.drain(..start);
    while out.last().is_some_and(|octet| is_space(*octet)) {
        out.pop();
    }
    out
}

pub(super) fn is_space(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r' | b'\n')
}

/// A structured value like `text/plain; charset=x`: its first token and its parameters as given.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Structured {
    /// What stands before the first semicolon, without comments and white space around it.
    pub value: Vec<u8>,
    /// Names as written and values without quoting, in order.
    pub parameters: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Structured {
    /// Reads a value such as that of Content-Type (RFC 2045 §5.1). Reads anything.
    pub fn parse(raw: &[u8]) -> Self {
        let text = unfold(raw);
        let mut reader = Reader { rest: &text };
        let value = reader.until_semicolon(false);
        let mut parameters = Vec::new();
        while reader.skip_separators() {
            let name = reader.until_semicolon(true);
            if !reader.take(b'=') {
                continue;
            }
            reader.skip_space();
            let value = if reader.take(b'"') {
                let value = reader.quoted();
                reader.until_semicolon(false);
                value
            } else {
                reader.until_semicolon(false)
            };
            if !name.is_empty() {
                parameters.push((name, value));
            }
        }
        Self { value, parameters }
    }

    /// The value of a parameter by its exact name, any case.
    pub fn plain(&self, name: &str) -> Option<&[u8]> {
        self.parameters
            .iter()
            .find(|(given, _)| given.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value.as_slice())
    }

    /// A parameter put together from its continuations (RFC 2231 §3, §4), as text.
    pub fn decoded(&self, name: &str) -> Option<String> {
        if let Some(value) = self.plain(name) {
            return Some(word::decode(value));
        }
        let mut pieces: Vec<(u32, bool, &[u8])> = self
            .parameters
            .iter()
            .filter_map(|(given, value)| {
                let (index, extended) = continuation(given, name.as_bytes())?;
                Some((index, extended, value.as_slice()))
            })
            .collect();
        if pieces.is_empty() {
            return None;
        }
        pieces.sort_by_key(|piece| piece.0);
        let mut charset = Vec::new();
        let mut octets = Vec::new();
        for (at, (_, extended, value)) in pieces.into_iter().enumerate() {
            let mut value = value;
            if !extended {
                octets.extend_from_slice(value);
                continue;
            }
            if at == 0 {
                let mut split = value.splitn(3, |octet| *octet == b'\'');
                if let (Some(set), Some(_), Some(rest)) = (split.next(), split.next(), split.next())
                {
                    charset = set.to_vec();
                    value = rest;
                }
            }
            word::percent_decode(value, &mut octets);
        }
        Some(word::charset_to_text(&charset, &octets))
    }
}

/// `name*`, `name*0`, `name*0*`: the index and whether the value is percent-encoded.
fn continuation(given: &[u8], name: &[u8]) -> Option<(u32, bool)> {
    let (head, tail) = given.split_at_checked(name.len())?;
    if !head.eq_ignore_ascii_case(name) {
        return None;
    }
    let tail = tail.strip_prefix(b"*")?;
    if tail.is_empty() {
        return Some((0, true));
    }
    let (digits, extended) = match tail.strip_suffix(b"*") {
        Some(digits) => (digits, true),
        None => (tail, false),
    };
    Some((std::str::from_utf8(digits).ok()?.parse().ok()?, extended))
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn take(&mut self, octet: u8) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if *first == octet => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    /// Skips semicolons and white space; false at the end.
    fn skip_separators(&mut self) -> bool {
        while let [first, rest @ ..] = self.rest {
            if *first != b';' && !is_space(*first) {
                return true;
            }
            self.rest = rest;
        }
        false
    }

    /// What stands before the next semicolon (or `=`), without comments and surrounding space.
    fn until_semicolon(&mut self, or_equals: bool) -> Vec<u8> {
        let mut out = Vec::new();
        while let [first, rest @ ..] = self.rest {
            match *first {
                b';' => break,
                b'=' if or_equals => break,
                // RFC 2045 §5.1: comments are allowed; a parenthesis inside a word is kept,
                // because careless programs write file names without quotes.
                b'(' if out.last().is_none_or(|last| is_space(*last)) => {
                    self.rest = rest;
                    self.comment();
                    continue;
                }
                octet => out.push(octet),
            }
            self.rest = rest;
        }
        let start = out.iter().take_while(|octet| is_space(**octet)).count();
        out.drain(..start);
        out.truncate(out.trim_ascii_end().len());
        out
    }

    fn comment(&mut self) {
        let mut depth = 1usize;
        while let [first, rest @ ..] = self.rest {
            self.rest = rest;
            match *first {
                b'(' => depth += 1,
                b')' => depth -= 1,
                b'\\' => self.rest = rest.get(1..).unwrap_or_default(),
                _ => {}
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// The inside of a quoted string; the opening quote is already taken.
    fn quoted(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        while let [first, rest @ ..] = self.rest {
            self.rest = rest;
            match (*first, rest) {
                (b'"', _) => break,
                (b'\\', [escaped, after @ ..]) => {
                    out.push(*escaped);
                    self.rest = after;
                }
                (octet, _) => out.push(octet),
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_folded_lines_and_junk_has_no_name() {
        let block = b"From x@y Mon\r\nSubject: a\r\n b\r\nTo : c\n\r\nbody: no";
        let all: Vec<_> = fields(block).collect();
        assert_eq!(all.len(), 3);
        assert_eq!(all[0].name, b"");
        assert_eq!((all[1].name, all[1].value), (&b"Subject"[..], &b" a\r\n b"[..]));
        assert_eq!(all[2].name, b"To");
        assert_eq!(first(block, "SUBJECT").map(unfold), Some(b"a b".to_vec()));
    }

    #[test]
    fn parameters_keep_names_and_lose_quotes() {
        let value = Structured::parse(
            b" Text/Plain (c;d);\r\n charset=\"us-\\\"ascii\" ; X=a b (c); ; y; format=flowed",
        );
        assert_eq!(value.value, b"Text/Plain");
        let expected: Vec<(Vec<u8>, Vec<u8>)> = vec![
            (b"charset".to_vec(), b"us-\"ascii".to_vec()),
            (b"X".to_vec(), b"a b".to_vec()),
            (b"format".to_vec(), b"flowed".to_vec()),
        ];
        assert_eq!(value.parameters, expected);
    }

    #[test]
    fn rfc2231_continuations_are_joined() {
        // RFC 2231 §4.1
        let value = Structured::parse(
            b"application/x-stuff;\r\n title*0*=us-ascii'en'This%20is%20even%20more%20;\r\n \
              title*1*=%2A%2A%2Afun%2A%2A%2A%20;\r\n title*2=\"isn't it!\"",
        );
        assert_eq!(
            value.decoded("title").as_deref(),
            Some("This is even more ***fun*** isn't it!")
        );
        assert_eq!(value.decoded("name"), None);
    }
}
