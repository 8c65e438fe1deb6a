//! Undoing a transfer encoding piece by piece (RFC 2045 §6), so that an attachment is never in
//! memory as a whole.

use super::text::decode_body;

/// Octets kept back at most while a quoted-printable line has no end.
const CARRY_OCTETS_MAX: usize = 64 * 1024;

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Identity,
    Base64,
    QuotedPrintable,
    /// Anything else is decoded at the end, as a whole.
    Whole,
}

/// Takes encoded octets and gives decoded ones.
#[derive(Debug)]
pub struct StreamDecoder {
    kind: Kind,
    encoding: String,
    carry: Vec<u8>,
    is_ended: bool,
}

impl StreamDecoder {
    /// A decoder for a lowercase Content-Transfer-Encoding.
    pub fn new(encoding: &str) -> Self {
        let kind = match encoding {
            "base64" => Kind::Base64,
            "quoted-printable" => Kind::QuotedPrintable,
            "" | "7bit" | "8bit" | "binary" => Kind::Identity,
            _ => Kind::Whole,
        };
        Self { kind, encoding: encoding.to_owned(), carry: Vec::new(), is_ended: false }
    }

    /// Whether decoding changes nothing, so that the encoded size is the decoded size.
    pub fn is_identity(&self) -> bool {
        self.kind == Kind::Identity
    }

    /// Decodes the next piece as far as possible.
    pub fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        match self.kind {
            Kind::Identity => piece.to_vec(),
            Kind::Base64 => self.push_base64(piece),
            Kind::QuotedPrintable => self.push_quoted_printable(piece),
            Kind::Whole => {
                self.carry.extend_from_slice(piece);
                Vec::new()
            }
        }
    }

    /// Decodes what is left.
    pub fn finish(&mut self) -> Vec<u8> {
        let rest = std::mem::take(&mut self.carry);
        if rest.is_empty() || self.is_ended {
            return Vec::new();
        }
        decode_body(&self.encoding, &rest)
    }

    fn push_base64(&mut self, piece: &[u8]) -> Vec<u8> {
        if self.is_ended {
            return Vec::new();
        }
        let is_digit = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
        let end = piece.iter().position(|b| *b == b'=');
        let digits = piece.get(..end.unwrap_or(piece.len())).unwrap_or_default();
        // RFC 2045 §6.8: characters outside the alphabet are ignored
        self.carry.extend(digits.iter().copied().filter(is_digit));
        if end.is_some() {
            let rest = std::mem::take(&mut self.carry);
            self.is_ended = true;
            return decode_body("base64", &rest);
        }
        let whole = self.carry.len() / 4 * 4;
        let rest = self.carry.split_off(whole);
        let digits = std::mem::replace(&mut self.carry, rest);
        decode_body("base64", &digits)
    }

    fn push_quoted_printable(&mut self, piece: &[u8]) -> Vec<u8> {
        self.carry.extend_from_slice(piece);
        let mut whole = self.carry.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        if whole == 0 && self.carry.len() > CARRY_OCTETS_MAX {
            // a line without end: cut where no escape and no trailing white space is torn
            whole = self.carry.len() - 3;
            let tail = self.carry.get(whole.saturating_sub(2)..whole).unwrap_or_default();
            whole -= tail.iter().rev().position(|b| *b == b'=').map_or(0, |back| back + 1);
            while whole > 0
                && self.carry.get(whole - 1).is_some_and(|b| matches!(b, b' ' | b'\t' | b'\r'))
            {
                whole -= 1;
            }
        }
        let rest = self.carry.split_off(whole);
        let lines = std::mem::replace(&mut self.carry, rest);
        if lines.is_empty() { lines } else { decode_body("quoted-printable", &lines) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_pieces(encoding: &str, encoded: &[u8], octets: usize) -> Vec<u8> {
        let mut decoder = StreamDecoder::new(encoding);
        let mut decoded = Vec::new();
        encoded.chunks(octets).for_each(|piece| decoded.extend(decoder.push(piece)));
        decoded.extend(decoder.finish());
        decoded
    }

    #[test]
    fn pieces_decode_like_the_whole() {
        let base64 = b"SGVsbG8s\r\nIHdvcmxkIQ\r\n==\r\n";
        let quoted = b"a=3D=\r\nb =C3=A4\r\nlast  \r\nend=";
        let whole = decode_body("quoted-printable", quoted);
        for octets in 1..quoted.len() {
            assert_eq!(in_pieces("base64", base64, octets), b"Hello, world!");
            assert_eq!(in_pieces("quoted-printable", quoted, octets), whole, "{octets}");
            assert_eq!(in_pieces("8bit", quoted, octets), quoted);
        }
    }

    #[test]
    fn a_line_without_end_is_bounded() {
        let long = b"=41 ".repeat(100_000);
        let decoded = in_pieces("quoted-printable", &long, 1 << 16);
        assert!(decoded.starts_with(b"A A A ") && decoded.len() >= 199_999);
    }
}
