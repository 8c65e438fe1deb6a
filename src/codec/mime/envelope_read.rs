//! A stored ENVELOPE read back: what SORT compares (RFC 5256 §3, RFC 5957).
//!
//! Only the wire form that `envelope` writes is read; anything else gives empty fields.

use super::{summary, word};
use std::borrow::Cow;

/// Fields of an envelope.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct EnvelopeFields {
    /// The Date field in milliseconds since 1970, if readable.
    pub date_ms: Option<i64>,
    /// The decoded subject.
    pub subject: String,
    /// The first address of each field, if any.
    pub from: FirstAddress,
    /// As `from`.
    pub to: FirstAddress,
    /// As `from`.
    pub cc: FirstAddress,
}

/// The first address of a field, or the group that stands in its place.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct FirstAddress {
    /// `addr-mailbox`: the local part, or the name of a group.
    pub mailbox: String,
    /// What is shown of it: its decoded name, else the address (RFC 5957 §3).
    pub display: String,
}

/// Reads an envelope.
pub fn read(wire: &[u8]) -> EnvelopeFields {
    let mut reader = Reader { rest: wire };
    read_fields(&mut reader).unwrap_or_default()
}

fn read_fields(reader: &mut Reader<'_>) -> Option<EnvelopeFields> {
    reader.expect(b'(')?;
    let date = reader.nstring()?;
    let subject = reader.nstring()?;
    let from = reader.first_address()?;
    let _sender = reader.first_address()?;
    let _reply_to = reader.first_address()?;
    let to = reader.first_address()?;
    let cc = reader.first_address()?;
    Some(EnvelopeFields {
        date_ms: date.and_then(|date| summary::date_ms(&date)),
        subject: subject.map(|subject| word::decode(&subject)).unwrap_or_default(),
        from,
        to,
        cc,
    })
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn skip_spaces(&mut self) {
        while let [b' ', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    fn eat(&mut self, octet: u8) -> bool {
        self.skip_spaces();
        let Some(rest) = self.rest.strip_prefix(&[octet]) else { return false };
        self.rest = rest;
        true
    }

    fn expect(&mut self, octet: u8) -> Option<()> {
        self.eat(octet).then_some(())
    }

    fn take(&mut self, octets: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(octets)?;
        self.rest = rest;
        Some(taken)
    }

    /// `nstring`; the outer `None` is a broken envelope.
    fn nstring(&mut self) -> Option<Option<Cow<'a, [u8]>>> {
        self.skip_spaces();
        match self.rest.first()? {
            b'"' => {
                self.rest = self.rest.get(1..)?;
                self.quoted().map(Some)
            }
            b'{' => {
                let end = memchr::memchr(b'\n', self.rest)?;
                let head = self.take(end + 1)?;
                let digits = head.get(1..)?.split(|octet| *octet == b'}').next()?;
                let octets = std::str::from_utf8(digits).ok()?.parse().ok()?;
                self.take(octets).map(|octets| Some(Cow::Borrowed(octets)))
            }
            _ => (self.take(3)? == b"NIL").then_some(None),
        }
    }

    fn quoted(&mut self) -> Option<Cow<'a, [u8]>> {
        let end = memchr::memchr2(b'"', b'\\', self.rest)?;
        if self.rest.get(end) == Some(&b'"') {
            let text = self.take(end)?;
            self.take(1)?;
            return Some(Cow::Borrowed(text));
        }
        let mut text = Vec::new();
        loop {
            match *self.take(1)?.first()? {
                b'"' => return Some(Cow::Owned(text)),
                b'\\' => text.push(*self.take(1)?.first()?),
                octet => text.push(octet),
            }
        }
    }

    /// A list of addresses, of which the first is wanted.
    fn first_address(&mut self) -> Option<FirstAddress> {
        if !self.eat(b'(') {
            return self.nstring()?.is_none().then(FirstAddress::default);
        }
        let mut first = None;
        while !self.eat(b')') {
            let address = self.address()?;
            first.get_or_insert(address);
        }
        first
    }

    /// `address = "(" addr-name SP addr-adl SP addr-mailbox SP addr-host ")"`
    fn address(&mut self) -> Option<FirstAddress> {
        self.expect(b'(')?;
        let name = self.nstring()?;
        let _route = self.nstring()?;
        let mailbox = self.nstring()?;
        let host = self.nstring()?;
        self.expect(b')')?;
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        let mailbox = mailbox.as_deref().map(text).unwrap_or_default();
        let name = name.map(|name| word::decode(&name)).filter(|name| !name.is_empty());
        let display = match (name, host.as_deref().map(text)) {
            (Some(name), _) => name,
            (None, Some(host)) if !host.is_empty() => format!("{mailbox}@{host}"),
            // a group has no host: its name is shown
            (None, _) => word::decode(mailbox.as_bytes()),
        };
        Some(FirstAddress { mailbox, display })
    }
}

#[cfg(test)]
mod tests {
    use super::super::structure::parse;
    use super::*;

    fn of(header: &str) -> EnvelopeFields {
        read(&parse(header.as_bytes()).envelope)
    }

    #[test]
    fn fields_come_back() {
        let fields = of("Date: Fri, 21 Nov 1997 09:55:06 -0600\r\n\
            Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?= \"x\"\r\n\
            From: =?utf-8?q?J=C3=B6rg?= <jo@a.b>, other@a.b\r\n\
            To: friends: a@b.c;\r\nCc: x\\y@b.c\r\n\r\n");
        assert_eq!(fields.date_ms, Some(880_127_706_000));
        assert_eq!(fields.subject, "grüße \"x\"");
        assert_eq!((fields.from.mailbox.as_str(), fields.from.display.as_str()), ("jo", "Jörg"));
        assert_eq!(
            (fields.to.mailbox.as_str(), fields.to.display.as_str()),
            ("friends", "friends")
        );
        assert!(fields.cc.display.ends_with("@b.c"));
        let none = of("Sender: a@b.c\r\nSubject: ä\r\n\r\n");
        assert_eq!((none.subject.as_str(), none.from), ("ä", FirstAddress::default()));
        for broken in [&b""[..], b"(", b"(NIL \"a", b"({9}\r\na NIL", b"(NIL NIL (x", b"(\"\\"] {
            assert_eq!(read(broken), EnvelopeFields::default());
        }
    }
}
