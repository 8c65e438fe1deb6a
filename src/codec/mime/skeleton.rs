//! Content to skeleton and attachments, and back, octet for octet.
//!
//! A hole is a run of whole base64 lines of one length with CRLF; whatever else a body has (empty
//! lines before and after, odd lines) stays in the skeleton.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memchr::memchr;

use crate::model::id::ContentHash;
use crate::model::limits::ATTACHMENT_OCTETS_MIN;
use crate::model::structure::{Hole, Part, Skeleton};

/// Cuts large base64 bodies that re-encode identically out of a content. Returns the skeleton and
/// the decoded octets of each hole. Expanding gives the content back exactly: each hole was
/// checked.
pub fn split(content: &[u8], root: &Part) -> (Skeleton, Vec<Vec<u8>>) {
    let mut skeleton = Skeleton::default();
    let mut attachments = Vec::new();
    let mut copied = 0usize;
    let mut bodies = Vec::new();
    base64_bodies(root, &mut bodies);
    for (start, end) in bodies {
        let Some(body) = content.get(start..end).filter(|_| start >= copied) else { continue };
        let Some(found) = find_hole(body, start) else { continue };
        let (at, len) = (start + found.skipped, found.encoded);
        skeleton.octets.extend_from_slice(content.get(copied..at).unwrap_or_default());
        copied = at + len;
        skeleton.holes.push(found.hole);
        attachments.push(found.decoded);
    }
    skeleton.octets.extend_from_slice(content.get(copied..).unwrap_or_default());
    (skeleton, attachments)
}

/// The content again, from its skeleton and the decoded octets of each hole.
///
/// Holes without their octets stay empty.
pub fn expand<D: AsRef<[u8]>>(skeleton: &Skeleton, decoded: &[D]) -> Vec<u8> {
    let mut content = Vec::new();
    let mut rest = skeleton.octets.as_slice();
    for (hole, decoded) in skeleton.holes.iter().zip(decoded) {
        let start = usize::try_from(hole.start).unwrap_or(usize::MAX);
        let plain = start.saturating_sub(content.len()).min(rest.len());
        let (before, after) = rest.split_at_checked(plain).unwrap_or((rest, &[]));
        content.extend_from_slice(before);
        rest = after;
        encode_into(hole, decoded.as_ref(), true, &mut content);
    }
    content.extend_from_slice(rest);
    content
}

/// Body ranges of the leaves in base64 that are large enough, in order.
fn base64_bodies(part: &Part, out: &mut Vec<(usize, usize)>) {
    if part.children.is_empty() && part.encoding == "base64" {
        let bounds = usize::try_from(part.body.start).ok().zip(usize::try_from(part.body.end).ok());
        out.extend(
            bounds.filter(|(start, end)| end.saturating_sub(*start) >= ATTACHMENT_OCTETS_MIN),
        );
    }
    for child in &part.children {
        base64_bodies(child, out);
    }
}

struct Found {
    /// Octets of the body before the hole.
    skipped: usize,
    encoded: usize,
    hole: Hole,
    decoded: Vec<u8>,
}

fn find_hole(body: &[u8], start: usize) -> Option<Found> {
    let mut lines = body;
    while let Some(rest) = lines.strip_prefix(b"\r\n") {
        lines = rest;
    }
    let skipped = body.len() - lines.len();
    let line_chars = full_line_chars(lines)?;
    let run = Run::read(lines, usize::from(line_chars));
    if run.encoded < ATTACHMENT_OCTETS_MIN {
        return None;
    }
    // The engine refuses padding in the middle and stray bits, so decoding is reversible.
    let decoded = STANDARD.decode(&run.characters).ok()?;
    let hole = Hole {
        start: u64::try_from(start + skipped).ok()?,
        encoded_octets: u64::try_from(run.encoded).ok()?,
        hash: ContentHash(*blake3::hash(&decoded).as_bytes()),
        decoded_octets: u64::try_from(decoded.len()).ok()?,
        line_chars,
        final_crlf: run.final_crlf,
    };
    // Invariant 2 of the architecture: compared, not trusted.
    let is_same = encode_lines(&hole, &decoded, true) == *lines.get(..run.encoded)?;
    is_same.then_some(Found { skipped, encoded: run.encoded, hole, decoded })
}

/// Characters of the first line, if it can be the full line of a hole.
fn full_line_chars(lines: &[u8]) -> Option<u16> {
    let longest = usize::from(u16::MAX) + 2;
    let head = lines.get(..lines.len().min(longest)).unwrap_or_default();
    let chars = match memchr(b'\n', head) {
        Some(at) => head.get(..at)?.strip_suffix(b"\r")?.len(),
        None if head.len() == lines.len() => lines.len(),
        None => return None,
    };
    let chars = u16::try_from(chars).ok()?;
    (chars > 0 && chars % 4 == 0).then_some(chars)
}

/// The run of lines of one length, the last of which may be shorter.
struct Run {
    characters: Vec<u8>,
    encoded: usize,
    final_crlf: bool,
}

impl Run {
    fn read(lines: &[u8], full: usize) -> Self {
        let mut run =
            Self { characters: Vec::with_capacity(lines.len()), encoded: 0, final_crlf: false };
        let mut rest = lines;
        while !rest.is_empty() {
            let (line, has_crlf) = match memchr(b'\n', rest) {
                Some(at) => match rest.get(..at).and_then(|line| line.strip_suffix(b"\r")) {
                    Some(line) => (line, true),
                    None => break,
                },
                None => (rest, false),
            };
            let fits = !line.is_empty() && line.len() <= full && line.len().is_multiple_of(4);
            if !fits || !line.iter().all(|octet| is_base64(*octet)) {
                break;
            }
            run.characters.extend_from_slice(line);
            let len = line.len() + if has_crlf { 2 } else { 0 };
            run.encoded += len;
            run.final_crlf = has_crlf;
            rest = rest.get(len..).unwrap_or_default();
            if line.len() < full || line.ends_with(b"=") {
                break;
            }
        }
        run
    }
}

fn is_base64(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/' | b'=')
}

/// The decoded octets a range of the encoded body needs, rounded to whole lines:
/// `(decoded_start, decoded_end, skip)`; `skip` encoded octets are dropped from the front after
/// [`encode_lines`].
pub fn decoded_range(hole: &Hole, encoded_start: u64, encoded_end: u64) -> (u64, u64, usize) {
    let stride = u64::from(hole.line_chars) + 2;
    let line_octets = u64::from(hole.line_chars / 4 * 3);
    let end = encoded_end.min(hole.encoded_octets);
    let start = encoded_start.min(end);
    let first = start / stride;
    let decoded_start = (first * line_octets).min(hole.decoded_octets);
    let decoded_end = (end.div_ceil(stride) * line_octets).min(hole.decoded_octets);
    let skip = usize::try_from(start - first * stride).unwrap_or(usize::MAX);
    (decoded_start, decoded_end.max(decoded_start), skip)
}

/// Encodes decoded octets that start on a line border back into lines with CRLF; `is_last`: they
/// reach the hole's end.
pub fn encode_lines(hole: &Hole, decoded: &[u8], is_last: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(decoded.len() / 3 * 4 + decoded.len() / 20 + 16);
    encode_into(hole, decoded, is_last, &mut out);
    out
}

fn encode_into(hole: &Hole, decoded: &[u8], is_last: bool, out: &mut Vec<u8>) {
    let line_octets = usize::from(hole.line_chars / 4) * 3;
    if line_octets == 0 {
        return;
    }
    let mut line = vec![0u8; usize::from(hole.line_chars)];
    let mut chunks = decoded.chunks(line_octets).peekable();
    while let Some(chunk) = chunks.next() {
        let written = STANDARD.encode_slice(chunk, &mut line).unwrap_or(0);
        out.extend_from_slice(line.get(..written).unwrap_or_default());
        if chunks.peek().is_some() || !is_last || hole.final_crlf {
            out.extend_from_slice(b"\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::parser::parse;
    use super::*;

    fn encoded(octets: usize, line: usize, final_crlf: bool) -> Vec<u8> {
        let octets: Vec<u8> = (0..octets).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let text = STANDARD.encode(octets);
        let lines: Vec<&str> =
            text.as_bytes().chunks(line).map(|l| std::str::from_utf8(l).unwrap()).collect();
        let mut out = lines.join("\r\n");
        if final_crlf {
            out.push_str("\r\n");
        }
        out.into_bytes()
    }

    fn message(body: &[u8]) -> Vec<u8> {
        let mut out =
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\n\
            Content-Transfer-Encoding: base64\r\n\r\n"
                .to_vec();
        out.extend_from_slice(body);
        out.extend_from_slice(b"\r\n--b--\r\nend");
        out
    }

    fn check(body: &[u8], expected_holes: usize) {
        let content = message(body);
        let root = parse(&content);
        let (skeleton, decoded) = split(&content, &root);
        assert_eq!(skeleton.holes.len(), expected_holes);
        assert_eq!(expand(&skeleton, &decoded), content);
        for (hole, decoded) in skeleton.holes.iter().zip(&decoded) {
            ranges(hole, decoded, &content);
        }
    }

    fn ranges(hole: &Hole, decoded: &[u8], content: &[u8]) {
        let at = usize::try_from(hole.start).unwrap();
        let all = &content[at..at + usize::try_from(hole.encoded_octets).unwrap()];
        for start in [0usize, 1, 75, 76, 77, 78, 5000, all.len() - 1, all.len()] {
            for len in [0usize, 1, 2, 76, 77, 78, 4096, all.len()] {
                let end = (start + len).min(all.len());
                let (from, to, skip) =
                    decoded_range(hole, u64::try_from(start).unwrap(), u64::try_from(end).unwrap());
                let part = &decoded[usize::try_from(from).unwrap()..usize::try_from(to).unwrap()];
                let lines = encode_lines(hole, part, to == hole.decoded_octets);
                let got = lines.get(skip..skip + end - start).unwrap_or_default();
                assert_eq!(got, &all[start..end], "{start}..{end}");
            }
        }
    }

    #[test]
    fn regular_bodies_become_holes() {
        for octets in [15_000, 15_001, 15_002, 57 * 300] {
            for line in [76, 72, 64, 4] {
                for final_crlf in [true, false] {
                    check(&encoded(octets, line, final_crlf), 1);
                }
            }
        }
        check(&encoded(15_000, 65_532, false), 1);
    }

    #[test]
    fn surroundings_stay_in_the_skeleton() {
        let mut body = b"\r\n\r\n".to_vec();
        body.extend(encoded(20_000, 76, true));
        body.extend_from_slice(b"\r\n-- \r\nfooter of a list\r\n");
        check(&body, 1);
    }

    #[test]
    fn irregular_bodies_stay_verbatim() {
        check(&encoded(20_000, 75, true), 0);
        check(&encoded(20_000, 70_000, true), 1);
        check(&encoded(60_000, 70_000, true), 0);
        check(&encoded(1000, 76, true), 0);
        let lf: Vec<u8> =
            encoded(20_000, 76, true).into_iter().filter(|octet| *octet != b'\r').collect();
        check(&lf, 0);
        let mut stray = encoded(20_000, 76, true);
        stray[100] = b'!';
        check(&stray, 0);
        // Bits behind the last octet that decoding loses.
        let mut bits = encoded(20_000, 76, false);
        let at = bits.iter().rposition(|octet| *octet != b'=').unwrap();
        bits[at] = if bits[at] == b'A' { b'B' } else { bits[at] + 1 };
        check(&bits, 0);
        check(&[b'='; 20_000], 0);
    }
}
