//! Multi-line text on the wire (RFC 1939 §3), and TOP's part of a message (RFC 1939 §7); over any
//! split of the text.
//!
//! A dot is doubled after every LF, not only after CRLF. Many clients end lines at a bare LF: were
//! `LF.CRLF` of a message sent as it is, the rest of the message would be taken for the next
//! replies. Such a client undoes the doubling; one that knows only CRLF sees a second dot there.

use memchr::{memchr, memmem};

/// Writes one text.
#[derive(Clone, Debug)]
pub struct Multiline {
    /// The last two octets of the text so far.
    tail: [u8; 2],
}

impl Default for Multiline {
    fn default() -> Self {
        // as after the CRLF of the line before
        Self { tail: *b"\r\n" }
    }
}

impl Multiline {
    /// Appends a piece of the text, dots doubled.
    pub fn write(&mut self, text: &[u8], output: &mut Vec<u8>) {
        if self.tail[1] == b'\n' && text.starts_with(b".") {
            output.push(b'.');
        }
        let mut rest = text;
        while let Some(found) = memmem::find(rest, b"\n.") {
            let (line, after) = rest.split_at(found + 1);
            output.extend_from_slice(line);
            output.push(b'.');
            rest = after;
        }
        output.extend_from_slice(rest);
        match text {
            [] => {}
            [only] => self.tail = [self.tail[1], *only],
            [.., first, last] => self.tail = [*first, *last],
        }
    }

    /// Appends the end; a last line without CRLF gets one.
    pub fn end(self, output: &mut Vec<u8>) {
        if self.tail != *b"\r\n" {
            output.extend_from_slice(b"\r\n");
        }
        output.extend_from_slice(b".\r\n");
    }
}

/// Finds the end of TOP's text: the header, the empty line, and so many lines of the body.
#[derive(Clone, Debug)]
pub struct Top {
    is_header: bool,
    is_over: bool,
    lines_left: u32,
    /// The line so far has no text.
    is_blank: bool,
}

impl Top {
    /// With so many lines of the body.
    pub const fn new(lines: u32) -> Self {
        Self { is_header: true, is_over: false, lines_left: lines, is_blank: true }
    }

    /// Whether nothing more belongs to it.
    pub const fn is_over(&self) -> bool {
        self.is_over
    }

    /// How many of the next octets of the message belong to it.
    pub fn take(&mut self, text: &[u8]) -> usize {
        let mut taken = 0;
        while !self.is_over {
            let rest = text.get(taken..).unwrap_or_default();
            let Some(end) = memchr(b'\n', rest) else {
                self.is_blank &= rest.iter().all(|octet| *octet == b'\r');
                return text.len();
            };
            let line = rest.get(..end).unwrap_or_default();
            let is_blank = self.is_blank && line.iter().all(|octet| *octet == b'\r');
            self.is_blank = true;
            taken += end + 1;
            if self.is_header {
                self.is_header = !is_blank;
                self.is_over = is_blank && self.lines_left == 0;
            } else {
                self.lines_left = self.lines_left.saturating_sub(1);
                self.is_over = self.lines_left == 0;
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut text, mut output) = (Multiline::default(), Vec::new());
        pieces.iter().for_each(|piece| text.write(piece, &mut output));
        text.end(&mut output);
        output
    }

    /// What a client makes of it that ends lines at LF.
    fn read_by_lf(wire: &[u8]) -> Option<(Vec<u8>, usize)> {
        let (mut text, mut at) = (Vec::new(), 0);
        loop {
            let end = at + memchr(b'\n', &wire[at..])? + 1;
            let line = &wire[at..end];
            at = end;
            if line == b".\r\n" || line == b".\n" {
                return Some((text, at));
            }
            text.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        }
    }

    #[test]
    fn known_answers() {
        assert_eq!(wire(&[b""]), b".\r\n");
        assert_eq!(wire(&[b"a\r\n"]), b"a\r\n.\r\n");
        assert_eq!(wire(&[b"a"]), b"a\r\n.\r\n");
        assert_eq!(wire(&[b".\r\n..\r\n"]), b"..\r\n...\r\n.\r\n");
        assert_eq!(wire(&[b"a\n.\r\nb\r\n"]), b"a\n..\r\nb\r\n.\r\n");
        assert_eq!(wire(&[b"a\n"]), b"a\n\r\n.\r\n");
    }

    #[test]
    fn every_text_is_read_back_over_every_split() {
        let alphabet = *b"\r\n.x";
        for number in 0..4usize.pow(7) {
            let text: Vec<u8> =
                (0..7).map(|place| alphabet[number / 4usize.pow(place) % 4]).collect();
            let whole = wire(&[&text]);
            let (read, end) = read_by_lf(&whole).unwrap();
            assert_eq!(end, whole.len(), "{text:?} ends early");
            assert!(read.starts_with(&text), "{text:?} is read as {read:?}");
            for cut in 1..7 {
                assert_eq!(wire(&[&text[..cut], &text[cut..]]), whole, "{text:?} cut at {cut}");
            }
        }
    }

    fn top(text: &[u8], lines: u32, cut: usize) -> Vec<u8> {
        let (mut top, mut taken) = (Top::new(lines), Vec::new());
        for piece in [&text[..cut], &text[cut..]] {
            let octets = top.take(piece);
            taken.extend_from_slice(&piece[..octets]);
        }
        taken
    }

    #[test]
    fn top_is_header_and_lines() {
        let text = b"A: 1\r\n b\r\n\r\none\r\n\r\nthree\r\n";
        for cut in 0..text.len() {
            assert_eq!(top(text, 0, cut), b"A: 1\r\n b\r\n\r\n");
            assert_eq!(top(text, 1, cut), b"A: 1\r\n b\r\n\r\none\r\n");
            assert_eq!(top(text, 2, cut), b"A: 1\r\n b\r\n\r\none\r\n\r\n");
            assert_eq!(top(text, 9, cut), text);
        }
        assert_eq!(top(b"A: 1\r\n", 5, 3), b"A: 1\r\n");
        assert_eq!(top(b"\r\nbody\r\nx", 1, 1), b"\r\nbody\r\n");
        assert_eq!(top(b"A: 1\n\nb\nc\n", 1, 2), b"A: 1\n\nb\n");
    }
}
