//! The MIME tree as stored in the message document, and walks over it.
//!
//! Stored form: a version octet, then the parts in preorder; numbers as LEB128 varints, text with
//! its length in front, optional text with its length plus one (0: none).

use crate::model::limits::{MIME_DEPTH_MAX, MIME_PARTS_MAX};
use crate::model::structure::{ByteRange, Part};

const VERSION: u8 = 1;
/// The parser adds one level of text below the deepest multipart, and one part to each.
const DEPTH_MAX: usize = MIME_DEPTH_MAX + 2;
const PARTS_MAX: usize = MIME_PARTS_MAX * 2;

/// The compact stored form of a tree.
pub fn encode(root: &Part) -> Vec<u8> {
    let mut out = vec![VERSION];
    write_part(root, &mut out);
    out
}

fn write_part(part: &Part, out: &mut Vec<u8>) {
    for range in [part.header, part.body] {
        write_number(range.start, out);
        write_number(range.octets(), out);
    }
    for text in [&part.media_type, &part.media_subtype, &part.charset, &part.encoding] {
        write_number(count(text.len()), out);
        out.extend_from_slice(text.as_bytes());
    }
    for text in [&part.filename, &part.disposition, &part.content_id] {
        match text {
            Some(text) => {
                write_number(count(text.len()).saturating_add(1), out);
                out.extend_from_slice(text.as_bytes());
            }
            None => out.push(0),
        }
    }
    write_number(count(part.children.len()), out);
    for child in &part.children {
        write_part(child, out);
    }
}

fn count(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

fn write_number(mut value: u64, out: &mut Vec<u8>) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            out.push(low & 0x7f);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Reads what [`encode`] wrote; `None` if it is not that.
pub fn decode(octets: &[u8]) -> Option<Part> {
    let rest = octets.strip_prefix(&[VERSION])?;
    let mut reader = Reader { rest, parts: 0 };
    let root = reader.part(0)?;
    reader.rest.is_empty().then_some(root)
}

struct Reader<'a> {
    rest: &'a [u8],
    parts: usize,
}

impl Reader<'_> {
    fn part(&mut self, depth: usize) -> Option<Part> {
        self.parts += 1;
        if depth > DEPTH_MAX || self.parts > PARTS_MAX {
            return None;
        }
        let mut part = Part {
            header: self.range()?,
            body: self.range()?,
            media_type: self.text()?,
            media_subtype: self.text()?,
            charset: self.text()?,
            encoding: self.text()?,
            filename: self.optional_text()?,
            disposition: self.optional_text()?,
            content_id: self.optional_text()?,
            children: Vec::new(),
        };
        let children = self.number()?;
        for _ in 0..children {
            part.children.push(self.part(depth + 1)?);
        }
        Some(part)
    }

    fn number(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let (first, rest) = self.rest.split_first()?;
            self.rest = rest;
            let bits = u64::from(first & 0x7f);
            if shift == 63 && bits > 1 {
                return None;
            }
            value |= bits << shift;
            if first & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn range(&mut self) -> Option<ByteRange> {
        let start = self.number()?;
        Some(ByteRange { start, end: start.checked_add(self.number()?)? })
    }

    fn text(&mut self) -> Option<String> {
        let len = self.number()?;
        self.take(len)
    }

    fn optional_text(&mut self) -> Option<Option<String>> {
        match self.number()?.checked_sub(1) {
            Some(len) => self.take(len).map(Some),
            None => Some(None),
        }
    }

    fn take(&mut self, len: u64) -> Option<String> {
        let (text, rest) = self.rest.split_at_checked(usize::try_from(len).ok()?)?;
        self.rest = rest;
        String::from_utf8(text.to_vec()).ok()
    }
}

/// The part at a path like `[2, 1]` (RFC 9051 §6.4.5 part numbers); the empty path is the root.
///
/// For the body of a message without parts (`1`) this is the message's own part.
pub fn find<'a>(root: &'a Part, path: &[u32]) -> Option<&'a Part> {
    let Some((first, rest)) = path.split_first() else {
        return Some(root);
    };
    let mut part = of_message(root, *first)?;
    for number in rest {
        part = if part.is_multipart() {
            child(part, *number)?
        } else if part.is_message() {
            of_message(part.children.first()?, *number)?
        } else {
            return None;
        };
    }
    Some(part)
}

/// Part `number` of a message: of its multipart, or its body if it has no parts.
fn of_message(message: &Part, number: u32) -> Option<&Part> {
    match message.is_multipart() {
        true => child(message, number),
        // RFC 9051 §6.4.5: every message has at least one part.
        false => (number == 1).then_some(message),
    }
}

fn child(part: &Part, number: u32) -> Option<&Part> {
    part.children.get(usize::try_from(number).ok()?.checked_sub(1)?)
}

#[cfg(test)]
mod tests {
    use super::super::parser::parse;
    use super::*;

    /// The example of RFC 9051 §6.4.5.
    const EXAMPLE: &str = "Content-Type: multipart/mixed; boundary=a\n\n--a\n\n1\n--a\n\
        Content-Type: application/octet-stream\n\n2\n--a\nContent-Type: message/rfc822\n\n\
        Subject: 3\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\n3.1\n--b\n\
        Content-Type: application/octet-stream\n\n3.2\n--b--\n--a\n\
        Content-Type: multipart/mixed; boundary=c\n\n--c\nContent-Type: image/gif\n\n4.1\n--c\n\
        Content-Type: message/rfc822\n\nContent-Type: multipart/mixed; boundary=d\n\n--d\n\n4.2.1\n\
        --d\nContent-Type: multipart/alternative; boundary=e\n\n--e\n\n4.2.2.1\n--e\n\
        Content-Type: text/richtext\n\n4.2.2.2\n--e--\n--d--\n--c--\n--a--\n";

    #[test]
    fn part_numbers_of_rfc9051() {
        let root = parse(EXAMPLE.as_bytes());
        let body = |path: &[u32]| {
            let part = find(&root, path)?;
            let range =
                usize::try_from(part.body.start).ok()?..usize::try_from(part.body.end).ok()?;
            EXAMPLE.get(range)
        };
        for path in
            [&[1][..], &[2], &[3, 1], &[3, 2], &[4, 1], &[4, 2, 1], &[4, 2, 2, 1], &[4, 2, 2, 2]]
        {
            let name: Vec<_> = path.iter().map(u32::to_string).collect();
            assert_eq!(body(path), Some(name.join(".").as_str()));
        }
        assert!(find(&root, &[3]).is_some_and(Part::is_message));
        assert!(find(&root, &[4, 2, 2]).is_some_and(Part::is_multipart));
        for path in [&[5][..], &[0], &[1, 1], &[3, 3], &[4, 2, 2, 3], &[u32::MAX]] {
            assert_eq!(find(&root, path), None);
        }
        let single = parse(b"A: b\n\nc");
        assert_eq!(find(&single, &[1]), Some(&single));
        assert_eq!(find(&single, &[1, 1]), None);
        let forwarded = parse(b"Content-Type: message/rfc822\n\nA: b\n\nc");
        assert_eq!(find(&forwarded, &[1]), Some(&forwarded));
        assert_eq!(find(&forwarded, &[1, 1]), forwarded.children.first());
        assert_eq!(find(&forwarded, &[1, 1, 1]), None);
    }

    #[test]
    fn stored_form_round_trips_and_rubbish_is_refused() {
        let root = parse(EXAMPLE.as_bytes());
        let octets = encode(&root);
        assert_eq!(decode(&octets), Some(root));
        for len in 0..octets.len() {
            assert_eq!(decode(&octets[..len]), None);
        }
        let mut long = octets.clone();
        long.push(0);
        assert_eq!(decode(&long), None);
        for at in 0..octets.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut broken = octets.clone();
                broken[at] ^= flip;
                // Whatever comes out, it ends and is bounded.
                let _ = decode(&broken);
            }
        }
        assert_eq!(decode(&[VERSION; 3]), None);
        assert_eq!(decode(&[0xff; 1000]), None);
    }
}
