//! Octets to the tree of parts: one pass over the lines, bounded in depth and number.
//!
//! RFC 2046 §5.1 as mail is, not as it should be: bare LF ends a line, a header without an empty
//! line ends at a delimiter, an unclosed multipart ends with the one around it. Every multipart has
//! at least one child: one without delimiters holds its whole body as text.

use std::collections::HashMap;

use super::header::{self, Structured, first};
use crate::model::limits::{MIME_DEPTH_MAX, MIME_PARTS_MAX};
use crate::model::structure::{ByteRange, Part};

/// Reads any octets as a message; `depth` of the tree is at most [`MIME_DEPTH_MAX`] + 1.
pub(super) fn parse(content: &[u8]) -> Part {
    let mut parser = Parser {
        content,
        at: 0,
        open: HashMap::new(),
        levels: 0,
        parts: 0,
        names: NAMES_OCTETS_MAX,
    };
    parser.part(Default::TextPlain, 0).0
}

/// Octets of all file names and content ids of one message.
const NAMES_OCTETS_MAX: usize = 1024 * 1024;
/// Characters of one token; RFC 6838 §4.2 allows 127 for a type.
const TOKEN_OCTETS_MAX: usize = 127;

/// Type of a part without Content-Type.
#[derive(Clone, Copy)]
enum Default {
    TextPlain,
    /// RFC 2046 §5.1.5: in a multipart/digest.
    MessageRfc822,
}

/// What ended a part.
#[derive(Clone, Copy)]
enum Ended {
    EndOfContent,
    /// A delimiter line of the open multipart at this level; the text before it ends at `text_end`.
    Delimiter {
        level: usize,
        is_last: bool,
        text_end: usize,
    },
}

struct Parser<'a> {
    content: &'a [u8],
    at: usize,
    /// Boundaries of the open multiparts with their levels, innermost last.
    open: HashMap<Vec<u8>, Vec<usize>>,
    levels: usize,
    parts: usize,
    /// Octets of file names and content ids that may still be kept.
    names: usize,
}

impl<'a> Parser<'a> {
    /// Reads one part from its header on. Recursion is bounded by [`MIME_DEPTH_MAX`].
    fn part(&mut self, default: Default, depth: usize) -> (Part, Ended) {
        self.parts += 1;
        let start = self.at;
        let (body, ended_in_header) = self.skip_header();
        let (mut part, boundary) =
            describe(self.content.get(start..body).unwrap_or_default(), default);
        part.header = range(start, body);
        self.bound_names(&mut part);
        let is_nested = depth < MIME_DEPTH_MAX && self.parts < MIME_PARTS_MAX;
        let ended = match (ended_in_header, boundary) {
            (Some(ended), _) => ended,
            (None, Some(boundary)) if is_nested && part.media_type == "multipart" => {
                self.multipart(&mut part, boundary, depth)
            }
            _ if is_nested && holds_message(&part) => {
                let (inner, ended) = self.part(Default::TextPlain, depth + 1);
                part.children.push(inner);
                ended
            }
            _ => self.skip_to_delimiter(),
        };
        let end = match ended {
            Ended::EndOfContent => self.content.len(),
            Ended::Delimiter { text_end, .. } => text_end,
        };
        part.body = range(body, end.max(body));
        // The empty line of an inner header may be the very line end before the delimiter.
        let inner_end = part.children.last().map_or(0, |child| child.body.end);
        part.body.end = part.body.end.max(inner_end);
        if part.media_type == "multipart" && part.children.is_empty() {
            part.children.push(only_text(part.body));
        }
        (part, ended)
    }

    /// Drops names once those of all parts together are too long to be stored with the tree.
    fn bound_names(&mut self, part: &mut Part) {
        let octets =
            [&part.filename, &part.content_id].into_iter().flatten().map(String::len).sum();
        match self.names.checked_sub(octets) {
            Some(left) => self.names = left,
            None => (part.filename, part.content_id) = (None, None),
        }
    }

    fn multipart(&mut self, part: &mut Part, boundary: Vec<u8>, depth: usize) -> Ended {
        // RFC 2046 §5.1.5: the parts of a digest are messages unless they say otherwise.
        let is_digest = part.media_subtype == "digest";
        let default = if is_digest { Default::MessageRfc822 } else { Default::TextPlain };
        let level = self.levels;
        self.levels += 1;
        self.open.entry(boundary.clone()).or_default().push(level);
        let mut ended = self.skip_to_delimiter();
        while let Ended::Delimiter { level: found, is_last: false, .. } = ended {
            if found != level {
                break;
            }
            // RFC 2046 §5.1.1: delimiters directly behind each other have no part between them.
            if let Some(next) = self.delimiter_here() {
                ended = next;
                continue;
            }
            let (child, child_ended) = self.part(default, depth + 1);
            part.children.push(child);
            ended = child_ended;
        }
        self.levels = level;
        if let Some(levels) = self.open.get_mut(&boundary) {
            levels.pop();
            if levels.is_empty() {
                self.open.remove(&boundary);
            }
        }
        match ended {
            // The epilogue reaches to the delimiter of an outer multipart.
            Ended::Delimiter { level: found, .. } if found == level => self.skip_to_delimiter(),
            ended => ended,
        }
    }

    /// Moves behind the header's empty line and says where the header ends; a delimiter line
    /// or the end of the content there ends the whole part.
    fn skip_header(&mut self) -> (usize, Option<Ended>) {
        loop {
            let line_start = self.at;
            if let Some(Ended::Delimiter { level, is_last, .. }) = self.delimiter_here() {
                let ended = Ended::Delimiter { level, is_last, text_end: line_start };
                return (line_start, Some(ended));
            }
            let line = self.line();
            self.at += line.len();
            if line.is_empty() {
                return (self.at, Some(Ended::EndOfContent));
            }
            if header::is_empty_line(line) {
                return (self.at, None);
            }
        }
    }

    /// The line at the position, with its line end; empty at the end of the content.
    fn line(&self) -> &'a [u8] {
        let rest = self.content.get(self.at..).unwrap_or_default();
        rest.get(..header::line_len(rest)).unwrap_or_default()
    }

    /// Moves behind the next delimiter line of any open multipart.
    fn skip_to_delimiter(&mut self) -> Ended {
        if self.open.is_empty() {
            self.at = self.content.len();
            return Ended::EndOfContent;
        }
        while self.at < self.content.len() {
            if let Some(ended) = self.delimiter_here() {
                return ended;
            }
            self.at += self.line().len();
        }
        Ended::EndOfContent
    }

    /// Moves behind the line at the position if it is a delimiter line.
    fn delimiter_here(&mut self) -> Option<Ended> {
        let line = self.line();
        let len = line.len();
        let (level, is_last) = self.delimiter(line)?;
        // RFC 2046 §5.1.1: the line end before a delimiter belongs to the delimiter.
        let before = self.content.get(..self.at).unwrap_or_default();
        let text_end = header::without_line_end(before).len();
        self.at += len;
        Some(Ended::Delimiter { level, is_last, text_end })
    }

    fn delimiter(&self, line: &[u8]) -> Option<(usize, bool)> {
        let name = line.strip_prefix(b"--")?.trim_ascii_end();
        // A boundary may itself end with hyphens, so the whole line is looked up first.
        if let Some(level) = self.level_of(name) {
            // Beyond the bound everything belongs to the last leaf.
            return (self.parts < MIME_PARTS_MAX).then_some((level, false));
        }
        Some((self.level_of(name.strip_suffix(b"--")?)?, true))
    }

    fn level_of(&self, boundary: &[u8]) -> Option<usize> {
        self.open.get(boundary)?.last().copied()
    }
}

fn range(start: usize, end: usize) -> ByteRange {
    ByteRange { start: octets(start), end: octets(end) }
}

fn octets(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// The one child of a multipart that has no delimiters: its body as text.
fn only_text(body: ByteRange) -> Part {
    Part {
        header: ByteRange { start: body.start, end: body.start },
        body,
        media_type: "text".to_owned(),
        media_subtype: "plain".to_owned(),
        encoding: "7bit".to_owned(),
        ..Part::default()
    }
}

/// Whether the body is an unencoded message (RFC 2046 §5.2.1; RFC 6532 §3.5 allows an encoded
/// message/global, which stays a leaf).
fn holds_message(part: &Part) -> bool {
    is_message_type(part) && !matches!(part.encoding.as_str(), "base64" | "quoted-printable")
}

pub(super) fn is_message_type(part: &Part) -> bool {
    part.media_type == "message" && matches!(part.media_subtype.as_str(), "rfc822" | "global")
}

/// Lowercase type and subtype of a Content-Type, unless it is broken.
pub(super) fn media_type(content_type: &Structured) -> Option<(String, String)> {
    let text = std::str::from_utf8(&content_type.value).ok()?;
    let (media, rest) = text.split_once('/')?;
    // Some programs forget the semicolon before the parameters.
    let sub = rest.split_ascii_whitespace().next()?;
    let is_token = |text: &str| {
        (1..=TOKEN_OCTETS_MAX).contains(&text.len())
            && text
                .bytes()
                .all(|octet| octet.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&octet))
    };
    let media = media.trim();
    (is_token(media) && is_token(sub))
        .then(|| (media.to_ascii_lowercase(), sub.to_ascii_lowercase()))
}

/// A part with all that its header says of it, and its boundary.
fn describe(block: &[u8], default: Default) -> (Part, Option<Vec<u8>>) {
    let raw = first(block, "content-type");
    let content_type = Structured::parse(raw.unwrap_or_default());
    let disposition = first(block, "content-disposition").map(Structured::parse);
    let (media_type, media_subtype) = match (raw, default) {
        (None, Default::MessageRfc822) => ("message".to_owned(), "rfc822".to_owned()),
        // RFC 2045 §5.2: text/plain if there is no Content-Type or a broken one.
        _ => media_type(&content_type).unwrap_or_else(|| ("text".to_owned(), "plain".to_owned())),
    };
    let part = Part {
        media_type,
        media_subtype,
        charset: content_type
            .decoded("charset")
            .map(|charset| token(charset.trim()))
            .unwrap_or_default(),
        encoding: transfer_encoding(block),
        filename: disposition
            .as_ref()
            .and_then(|disposition| disposition.decoded("filename"))
            .or_else(|| content_type.decoded("name"))
            .filter(|name| !name.is_empty()),
        disposition: disposition
            .map(|disposition| token(&String::from_utf8_lossy(&disposition.value)))
            .filter(|value| !value.is_empty()),
        content_id: first(block, "content-id")
            .map(|value| String::from_utf8_lossy(&header::unfold(value)).into_owned())
            .filter(|value| !value.is_empty()),
        ..Part::default()
    };
    (part, boundary(&content_type))
}

fn boundary(content_type: &Structured) -> Option<Vec<u8>> {
    let boundary = match content_type.plain("boundary") {
        Some(value) => value.to_vec(),
        None => content_type.decoded("boundary")?.into_bytes(),
    };
    // RFC 2046 §5.1.1: a boundary does not end with white space.
    let boundary = boundary.trim_ascii_end().to_vec();
    (!boundary.is_empty()).then_some(boundary)
}

fn transfer_encoding(block: &[u8]) -> String {
    let value = first(block, "content-transfer-encoding").map(Structured::parse);
    let value = value.map(|value| value.value).unwrap_or_default();
    match String::from_utf8_lossy(&value).split_ascii_whitespace().next() {
        Some(encoding) => token(encoding),
        None => "7bit".to_owned(),
    }
}

/// Lowercase and not too long.
fn token(text: &str) -> String {
    super::html::cut(text, TOKEN_OCTETS_MAX).to_ascii_lowercase()
}
