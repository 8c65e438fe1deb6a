//! Dot transparency of DATA (RFC 5321 §4.5.2) as a state machine over any split of the input.
//!
//! Only `<CRLF>.<CRLF>` ends the data; the first CRLF may be that of the DATA command itself. A
//! bare CR or LF is
//! content like any other octet and never begins or ends a line here (RFC 5321 §2.3.8), so what one
//! server takes for the end of a message is not content to us, or the other way round ("SMTP
//! smuggling").
//! The LMTP role stores such content as it came; roles that relay ask [`has_bare_line_ends`] and
//! refuse it.

use memchr::memmem;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// After CRLF, or at the start.
    LineStart,
    /// Anywhere else.
    Middle,
    /// After a CR that was content.
    Cr,
    /// After a dot at the start of a line; the dot is not content.
    Dot,
    /// After a dot at the start of a line and CR; the CR is held back.
    DotCr,
}

/// Takes DATA's octets apart into content and its end.
#[derive(Clone, Debug)]
pub struct DataDecoder {
    state: State,
}

/// One step of [`DataDecoder::step`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step<'a> {
    /// Octets of the input that are done with.
    pub consumed: usize,
    /// Content they, and octets held back before, stand for.
    pub content: &'a [u8],
    /// The end of the data; input after `consumed` is the next command.
    pub is_end: bool,
}

impl Default for DataDecoder {
    fn default() -> Self {
        Self { state: State::LineStart }
    }
}

impl DataDecoder {
    /// Decodes a first part of the input. Call again with the rest until it is empty or the end is
    /// reached;
    /// every call consumes input or leaves a state that will.
    pub fn step<'a>(&mut self, input: &'a [u8]) -> Step<'a> {
        let Some((&first, _)) = input.split_first() else {
            return Step { consumed: 0, content: &[], is_end: false };
        };
        let nothing = |consumed, is_end| Step { consumed, content: &[], is_end };
        match (self.state, first) {
            (State::LineStart, b'.') => {
                self.state = State::Dot;
                nothing(1, false)
            }
            (State::Dot, b'\r') => {
                self.state = State::DotCr;
                nothing(1, false)
            }
            (State::DotCr, b'\n') => {
                self.state = State::LineStart;
                nothing(1, true)
            }
            (State::DotCr, _) => {
                // The line was not a single dot: its dot was stuffed and its CR is content.
                self.state = State::Cr;
                Step { consumed: 0, content: b"\r", is_end: false }
            }
            (State::Cr, b'\n') => {
                self.state = State::LineStart;
                Step { consumed: 1, content: input.get(..1).unwrap_or_default(), is_end: false }
            }
            (State::LineStart | State::Middle | State::Cr | State::Dot, _) => self.run(input),
        }
    }

    /// Content up to the next dot at the start of a line, in one piece.
    fn run<'a>(&mut self, input: &'a [u8]) -> Step<'a> {
        let octets = memmem::find(input, b"\r\n.").map_or(input.len(), |found| found + 2);
        let content = input.get(..octets).unwrap_or_default();
        self.state = match content {
            [.., b'\r', b'\n'] => State::LineStart,
            [.., b'\r'] => State::Cr,
            _ => State::Middle,
        };
        Step { consumed: octets, content, is_end: false }
    }
}

/// Whether the content has a CR without LF or an LF without CR.
pub fn has_bare_line_ends(content: &[u8]) -> bool {
    let mut rest = content;
    while let Some(found) = memchr::memchr2(b'\r', b'\n', rest) {
        match rest.get(found..) {
            Some([b'\r', b'\n', after @ ..]) => rest = after,
            _ => return true,
        }
    }
    false
}

/// Doubles leading dots of content that comes in pieces; the inverse of the decoder.
#[derive(Clone, Debug)]
pub struct DataEncoder {
    /// The last octets so far; before the content they are those of the command.
    last: [u8; 2],
}

impl Default for DataEncoder {
    fn default() -> Self {
        Self { last: *b"\r\n" }
    }
}

impl DataEncoder {
    /// Appends a piece of the content.
    pub fn encode(&mut self, piece: &[u8], output: &mut Vec<u8>) {
        let mut rest = piece;
        while let Some(found) = memchr::memchr(b'.', rest) {
            let (before, dot_and_after) = rest.split_at(found);
            self.put(before, output);
            if self.last == *b"\r\n" {
                output.push(b'.');
            }
            let (dot, after) = dot_and_after.split_at(1);
            self.put(dot, output);
            rest = after;
        }
        self.put(rest, output);
    }

    fn put(&mut self, octets: &[u8], output: &mut Vec<u8>) {
        output.extend_from_slice(octets);
        self.last = match (octets, self.last) {
            ([.., before, last], _) => [*before, *last],
            ([last], [_, before]) => [before, *last],
            ([], last) => last,
        };
    }

    /// Appends the end of data, after that of the last line if it has none.
    pub fn end(self, output: &mut Vec<u8>) {
        if self.last != *b"\r\n" {
            output.extend_from_slice(b"\r\n");
        }
        output.extend_from_slice(b".\r\n");
    }
}

/// Appends content with its leading dots doubled, and the end of data.
pub fn encode(content: &[u8], output: &mut Vec<u8>) {
    let mut encoder = DataEncoder::default();
    encoder.encode(content, output);
    encoder.end(output);
}

/// Makes every bare CR and bare LF of content that comes in pieces a CRLF: what may be sent (RFC 5321
/// §2.3.8), and what no server takes for the end of the message when we do not.
#[derive(Clone, Copy, Default, Debug)]
pub struct LineEnds {
    is_after_cr: bool,
    has_mended: bool,
}

impl LineEnds {
    /// Appends a piece of the content.
    pub fn mend(&mut self, piece: &[u8], output: &mut Vec<u8>) {
        let mut rest = piece;
        if let (true, [first, after @ ..]) = (self.is_after_cr, rest) {
            match first {
                b'\n' => rest = after,
                _ => self.has_mended = true,
            }
            self.is_after_cr = false;
        }
        while let Some(found) = memchr::memchr2(b'\r', b'\n', rest) {
            let (line, end) = rest.split_at(found);
            output.extend_from_slice(line);
            output.extend_from_slice(b"\r\n");
            rest = match end {
                [b'\r', b'\n', after @ ..] => after,
                [b'\r'] => {
                    self.is_after_cr = true;
                    &[]
                }
                [_, after @ ..] => {
                    self.has_mended = true;
                    after
                }
                [] => end,
            };
        }
        output.extend_from_slice(rest);
    }

    /// After the last piece: whether there was one to be mended.
    pub const fn has_mended(&self) -> bool {
        self.has_mended || self.is_after_cr
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Content and the octets after the end, with the input cut into pieces at the given places.
    fn decode(input: &[u8], cuts: &[usize]) -> (Vec<u8>, Option<usize>) {
        let mut decoder = DataDecoder::default();
        let (mut content, mut done) = (Vec::new(), 0);
        for end in cuts.iter().copied().chain([input.len()]) {
            while done < end {
                let step = decoder.step(&input[done..end]);
                content.extend_from_slice(step.content);
                done += step.consumed;
                if step.is_end {
                    return (content, Some(done));
                }
            }
        }
        (content, None)
    }

    #[test]
    fn known_answers() {
        let cases: [(&[u8], &[u8], Option<usize>); 12] = [
            (b".\r\n", b"", Some(3)),
            (b"a\r\n.\r\nQUIT\r\n", b"a\r\n", Some(6)),
            (b"..\r\n.\r\n", b".\r\n", Some(7)),
            (b".a\r\n...\r\n.\r\n", b"a\r\n..\r\n", Some(12)),
            (b"a\n.\nb\r\n.\r\n", b"a\n.\nb\r\n", Some(10)),
            (b"a\n.\r\nb\r\n.\r\n", b"a\n.\r\nb\r\n", Some(11)),
            (b"a\r.\rb\r\n.\r\n", b"a\r.\rb\r\n", Some(10)),
            (b"a\r\n.\nb\r\n.\r\n", b"a\r\n\nb\r\n", Some(11)),
            (b"a\r\n.\r\r\n.\r\n", b"a\r\n\r\r\n", Some(10)),
            (b"a\r\n.\rb\r\n.\r\n", b"a\r\n\rb\r\n", Some(11)),
            (b"a\r\r\n.\r\n", b"a\r\r\n", Some(7)),
            (b"a\r\n.", b"a\r\n", None),
        ];
        for (input, content, end) in cases {
            let shown = String::from_utf8_lossy(input).into_owned();
            assert_eq!(decode(input, &[]), (content.to_vec(), end), "{shown:?}");
            let everywhere: Vec<usize> = (1..input.len()).collect();
            assert_eq!(decode(input, &everywhere), (content.to_vec(), end), "{shown:?}");
        }
    }

    #[test]
    fn any_split_gives_the_same() {
        // All strings of length 7 over the octets that matter, each cut in two at each place.
        let alphabet = *b"\r\n.x";
        for number in 0..4usize.pow(7) {
            let input: Vec<u8> =
                (0..7).map(|place| alphabet[number / 4usize.pow(place) % 4]).collect();
            let whole = decode(&input, &[]);
            for cut in 1..7 {
                assert_eq!(decode(&input, &[cut]), whole, "{input:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn encoding_is_undone() {
        let alphabet = *b"\r\n.x";
        for number in 0..4usize.pow(6) {
            let mut content: Vec<u8> =
                (0..6).map(|place| alphabet[number / 4usize.pow(place) % 4]).collect();
            content.extend_from_slice(b"\r\n");
            let mut wire = Vec::new();
            encode(&content, &mut wire);
            for cut in 0..content.len() {
                let (mut encoder, mut pieces) = (DataEncoder::default(), Vec::new());
                encoder.encode(&content[..cut], &mut pieces);
                encoder.encode(&content[cut..], &mut pieces);
                encoder.end(&mut pieces);
                assert_eq!(pieces, wire, "{content:?} cut at {cut}");
            }
            assert_eq!(decode(&wire, &[]), (content, Some(wire.len())));
        }
    }

    #[test]
    fn bare_line_ends_become_whole_wherever_the_pieces_end() {
        let (content, expected) = (b"a\nb\rc\r\n\n.\r", b"a\r\nb\r\nc\r\n\r\n.\r\n");
        for cut in 0..content.len() {
            let (mut ends, mut mended) = (LineEnds::default(), Vec::new());
            ends.mend(&content[..cut], &mut mended);
            ends.mend(&content[cut..], &mut mended);
            assert_eq!(mended, expected, "cut at {cut}");
            assert!(ends.has_mended());
        }
        let is_mended = |content: &[u8]| {
            let (mut ends, mut mended) = (LineEnds::default(), Vec::new());
            content.iter().for_each(|octet| ends.mend(&[*octet], &mut mended));
            assert!(!has_bare_line_ends(&mended));
            ends.has_mended()
        };
        assert!(!is_mended(b"a\r\n\r\n") && !is_mended(b"") && is_mended(b"\r\r\n"));
        assert!(is_mended(b"\n") && is_mended(b"a\r") && is_mended(b"\r\n\n"));
    }

    #[test]
    fn bare_line_ends_are_found() {
        assert!(!has_bare_line_ends(b"a\r\nb\r\n"));
        assert!(
            has_bare_line_ends(b"a\nb")
                && has_bare_line_ends(b"a\r")
                && has_bare_line_ends(b"\r\r\n")
        );
    }
}
