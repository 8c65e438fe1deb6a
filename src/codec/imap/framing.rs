//! Where a command ends, before any grammar (RFC 9051 §2.2.1, §4.3; RFC 7888).
//!
//! The framer is fed octets as they arrive and tells what they amount to. It never looks further
//! than the line's
//! end and the literal's count, so a command that does not parse cannot shift where the next one
//! begins.

use crate::model::limits::{
    IMAP_COMMAND_LITERALS_OCTETS_MAX, IMAP_COMMAND_MESSAGES_OCTETS_MAX, IMAP_LINE_OCTETS_MAX,
    IMAP_LITERAL_OCTETS_MAX,
};
use bytes::{Buf as _, Bytes, BytesMut};

/// Octets in which the longest literal marker with its line end fits.
const MARKER_OCTETS_MAX: usize = 32;
/// Allocated in advance for an accepted literal; the rest grows as it arrives.
const LITERAL_RESERVE_OCTETS: u64 = 256 * 1024;
/// After a larger command its buffer is given back, even if more octets were already read behind
/// it.
const KEPT_BUFFER_OCTETS: usize = 16 * 1024;

/// What the octets fed so far amount to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Frame {
    /// Nothing yet: feed more.
    Incomplete,
    /// A literal follows: call [`Framer::accept_literal`] or [`Framer::refuse_literal`] before
    /// anything else.
    Literal(Literal),
    /// Octets of a literal given to [`Framer::divert_literal`]: they are not in the command.
    Diverted(BytesMut),
    /// A whole command with its literals, without the final line end: for `command::parse`.
    Command(Bytes),
    /// A line beyond the limit; it is dropped to its end, with the literals its client sends
    /// unasked. Said once.
    TooLong {
        /// The command's tag, if readable.
        tag: Option<String>,
    },
}

/// What [`Framer::next_line`] found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Line {
    /// Nothing yet: feed more.
    Incomplete,
    /// A line without its end.
    Line(Bytes),
    /// A line beyond the limit, dropped. Said once.
    TooLong,
}

/// A literal that a command announces.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Literal {
    /// The command's tag, if readable.
    pub tag: Option<String>,
    /// The command's name, uppercase; empty if unreadable.
    pub command: String,
    /// Its octets; `u64::MAX` also for counts that do not fit.
    pub octets: u64,
    /// `{n}`: the client waits for `+` or a tagged answer. Not so for `{n+}`.
    pub synchronising: bool,
    /// `~{n}`: literal8 (RFC 3516, RFC 6855 §4).
    pub binary: bool,
    /// It stands where APPEND has its message.
    pub is_message: bool,
    /// Octets of the literals accepted before in this command.
    pub before: u64,
    /// Where its octets belong in the command as it will be given out.
    pub at: usize,
}

impl Literal {
    /// Whether the command stays within its bounds with this literal.
    pub fn fits(&self, message_octets_max: u64) -> bool {
        let own_max =
            if self.is_message { message_octets_max } else { u64::from(IMAP_LITERAL_OCTETS_MAX) };
        self.octets <= own_max && self.fits_all()
    }

    /// Whether all literals of the command stay within their bound with this one.
    pub fn fits_all(&self) -> bool {
        let all_max = if self.is_message {
            IMAP_COMMAND_MESSAGES_OCTETS_MAX
        } else {
            IMAP_COMMAND_LITERALS_OCTETS_MAX
        };
        self.before.saturating_add(self.octets) <= all_max
    }
}

#[derive(Debug, Default)]
enum State {
    /// In a line of a command.
    #[default]
    Line,
    /// A literal was announced, its line ends before this offset.
    Offered(usize, Marker),
    /// In an accepted literal that ends at this offset.
    Literal(usize),
    /// In a diverted literal that stands at this offset, of which so many octets are left.
    Diverted(usize, u64),
    /// In a refused literal of which so many octets are left.
    SkipLiteral(u64),
    /// In a line that is dropped.
    SkipLine,
}

/// Cuts octets into commands. Feed it only after it said `Incomplete`, so that it holds one read at
/// most besides
/// the command it is in.
#[derive(Debug, Default)]
pub struct Framer {
    /// The current command from its beginning, and octets behind it.
    buffer: BytesMut,
    state: State,
    /// Where the current line of the command begins in the buffer.
    line_start: usize,
    /// No line end between `line_start` and here.
    scanned: usize,
    /// Octets of the command's earlier lines.
    earlier_lines: usize,
    /// Octets of the command's accepted literals.
    literals: u64,
}

impl Framer {
    /// A framer at the beginning of a command.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds octets from the client.
    pub fn feed(&mut self, octets: &[u8]) {
        self.buffer.extend_from_slice(octets);
    }

    /// Octets that are fed and not given out.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Whether no octet of a further command has come: after STARTTLS nothing may be left from
    /// before
    /// (RFC 9051 §6.2.1), see [`Framer::clear`].
    pub fn is_at_start(&self) -> bool {
        self.buffer.is_empty() && matches!(self.state, State::Line)
    }

    /// Forgets everything, as after STARTTLS.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// What the octets fed so far amount to.
    pub fn next_frame(&mut self) -> Frame {
        loop {
            match self.state {
                State::Line => match self.line_end() {
                    Ends::Not => return Frame::Incomplete,
                    Ends::TooLong => return Frame::TooLong { tag: self.drop_line() },
                    Ends::At(end) => match self.marker(end) {
                        Some(marker) => self.state = State::Offered(end + 1, marker),
                        None => return Frame::Command(self.cut(end)),
                    },
                },
                State::Offered(_, marker) => return Frame::Literal(self.describe(marker)),
                State::Literal(end) => {
                    if self.buffer.len() < end {
                        return Frame::Incomplete;
                    }
                    (self.line_start, self.scanned) = (end, end);
                    self.state = State::Line;
                }
                State::Diverted(at, 0) => {
                    (self.line_start, self.scanned) = (at, at);
                    self.state = State::Line;
                }
                State::Diverted(at, left) => return self.take_diverted(at, left),
                State::SkipLiteral(_) | State::SkipLine => {
                    if !self.skip() {
                        return Frame::Incomplete;
                    }
                }
            }
        }
    }

    fn take_diverted(&mut self, at: usize, left: u64) -> Frame {
        let mut tail = self.buffer.split_off(at.min(self.buffer.len()));
        let here = usize::try_from(left).unwrap_or(usize::MAX).min(tail.len());
        if here == 0 {
            return Frame::Incomplete;
        }
        let octets = tail.split_to(here);
        self.buffer.extend_from_slice(&tail);
        self.state = State::Diverted(at, left - u64::try_from(here).unwrap_or(left));
        Frame::Diverted(octets)
    }

    /// The next line whatever it looks like: `DONE` after IDLE, responses of AUTHENTICATE.
    pub fn next_line(&mut self) -> Line {
        while !matches!(self.state, State::Line) {
            // inside a command there is no free line; only dropped octets can stand before one
            let is_inside =
                matches!(self.state, State::Offered(..) | State::Literal(_) | State::Diverted(..));
            if is_inside || !self.skip() {
                return Line::Incomplete;
            }
        }
        match self.line_end() {
            Ends::Not => Line::Incomplete,
            Ends::TooLong => {
                self.drop_line();
                Line::TooLong
            }
            Ends::At(end) => Line::Line(self.cut(end)),
        }
    }

    /// The announced literal becomes part of the command. The caller sends `+` if it is
    /// synchronising.
    pub fn accept_literal(&mut self) {
        if let State::Offered(start, marker) = self.state {
            let Some(end) = usize::try_from(marker.octets).ok().and_then(|n| start.checked_add(n))
            else {
                return self.refuse_literal();
            };
            self.earlier_lines += start - self.line_start;
            self.literals = self.literals.saturating_add(marker.octets);
            let reserve = marker.octets.min(LITERAL_RESERVE_OCTETS);
            self.buffer.reserve(usize::try_from(reserve).unwrap_or_default());
            self.state = State::Literal(end);
        }
    }

    /// The announced literal is accepted, but its octets are given out as they come, as
    /// [`Frame::Diverted`]: the command has a gap where they belong.
    pub fn divert_literal(&mut self) {
        if let State::Offered(start, marker) = self.state {
            self.earlier_lines += start - self.line_start;
            self.literals = self.literals.saturating_add(marker.octets);
            self.state = State::Diverted(start, marker.octets);
        }
    }

    /// The command ends here: the caller answers it with NO or BAD. A literal the client sends
    /// unasked is dropped,
    /// with the rest of its command (RFC 7888 §4).
    pub fn refuse_literal(&mut self) {
        if let State::Offered(start, marker) = self.state {
            self.buffer.advance(start);
            self.begin_command();
            if !marker.synchronising {
                self.state = State::SkipLiteral(marker.octets);
            }
        }
    }

    /// Looks for the end of the line. A line is too long if more octets than the limit stand before
    /// its LF, so the
    /// answer does not depend on how the octets arrived.
    fn line_end(&mut self) -> Ends {
        let rest = self.buffer.get(self.scanned..).unwrap_or_default();
        let found = memchr::memchr(b'\n', rest).map(|at| self.scanned + at);
        self.scanned = found.unwrap_or(self.buffer.len());
        if self.earlier_lines + (self.scanned - self.line_start) > IMAP_LINE_OCTETS_MAX {
            return Ends::TooLong;
        }
        found.map_or(Ends::Not, Ends::At)
    }

    fn marker(&self, end: usize) -> Option<Marker> {
        Marker::at_end(self.buffer.get(self.line_start..end).unwrap_or_default())
    }

    fn describe(&self, marker: Marker) -> Literal {
        let State::Offered(start, _) = self.state else { return Literal::of(marker, b"", 0) };
        Literal::of(marker, self.buffer.get(..start).unwrap_or_default(), self.literals)
    }

    /// Takes the command that ends before the LF at `end`.
    fn cut(&mut self, end: usize) -> Bytes {
        let mut command = self.buffer.split_to(end + 1);
        command.truncate(end);
        if command.last() == Some(&b'\r') {
            command.truncate(end - 1);
        }
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        } else if command.len() > KEPT_BUFFER_OCTETS {
            self.buffer = BytesMut::from(self.buffer.as_ref());
        }
        self.begin_command();
        command.freeze()
    }

    fn begin_command(&mut self) {
        self.state = State::Line;
        (self.line_start, self.scanned, self.earlier_lines, self.literals) = (0, 0, 0, 0);
    }

    /// Begins to drop the line; the octets of the command before are dropped at once.
    fn drop_line(&mut self) -> Option<String> {
        let tag = tag_and_name(&self.buffer).0;
        self.buffer.advance(self.line_start.min(self.buffer.len()));
        self.begin_command();
        self.state = State::SkipLine;
        tag
    }

    /// Drops what is to be dropped; true when something new begins.
    fn skip(&mut self) -> bool {
        if let State::SkipLiteral(left) = &mut self.state {
            let here = usize::try_from(*left).unwrap_or(usize::MAX).min(self.buffer.len());
            self.buffer.advance(here);
            *left = left.saturating_sub(u64::try_from(here).unwrap_or(u64::MAX));
            if *left > 0 {
                return false;
            }
            self.state = State::SkipLine;
        }
        let Some(end) = memchr::memchr(b'\n', &self.buffer) else {
            // the tail may be the beginning of a literal's marker
            self.buffer.advance(self.buffer.len().saturating_sub(MARKER_OCTETS_MAX));
            return false;
        };
        let marker = Marker::at_end(self.buffer.get(..end).unwrap_or_default());
        self.buffer.advance(end + 1);
        self.begin_command();
        // a client that waits for `+` has got its tagged answer instead: the command ended here
        if let Some(marker) = marker
            && !marker.synchronising
        {
            self.state = State::SkipLiteral(marker.octets);
        }
        true
    }
}

enum Ends {
    Not,
    At(usize),
    TooLong,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Marker {
    octets: u64,
    synchronising: bool,
    binary: bool,
}

impl Marker {
    /// Reads `literal = "{" number64 ["+"] "}" CRLF` and `literal8 = "~{" number64 ["+"] "}" CRLF`
    /// at the end of a
    /// line (RFC 9051 §9).
    fn at_end(line: &[u8]) -> Option<Self> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let inner = line.strip_suffix(b"}")?;
        let (inner, synchronising) =
            inner.strip_suffix(b"+").map_or((inner, true), |inner| (inner, false));
        // a marker that does not fit is none; so long a count is no count
        let near = inner.get(inner.len().saturating_sub(MARKER_OCTETS_MAX - 4)..)?;
        let open = memchr::memrchr(b'{', near)?;
        let digits = near.get(open + 1..)?;
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let octets = std::str::from_utf8(digits).ok()?.parse().unwrap_or(u64::MAX);
        let binary = open.checked_sub(1).and_then(|at| near.get(at)) == Some(&b'~');
        Some(Self { octets, synchronising, binary })
    }
}

impl Literal {
    fn of(marker: Marker, text: &[u8], before: u64) -> Self {
        let (tag, command) = tag_and_name(text);
        let words = text.splitn(6, |octet| *octet == b' ').collect::<Vec<_>>();
        // RFC 9051 §6.3.12, RFC 8508 §3.1: tag SP "APPEND" SP mailbox …, tag SP ["UID" SP]
        // "REPLACE" SP number SP mailbox …; the first literal may be the mailbox
        let is_uid_replace = command == "UID"
            && words.get(2).is_some_and(|word| word.eq_ignore_ascii_case(b"REPLACE"));
        let mailbox = match command.as_str() {
            "APPEND" => Some(2),
            "REPLACE" => Some(3),
            _ if is_uid_replace => Some(4),
            _ => None,
        };
        let is_message = mailbox.is_some_and(|at| {
            before > 0 || words.get(at).is_some_and(|word| !word.starts_with(b"{"))
        });
        Self {
            tag,
            command,
            octets: marker.octets,
            synchronising: marker.synchronising,
            binary: marker.binary,
            is_message,
            at: text.len(),
            before,
        }
    }
}

/// The tag and the uppercase name a command begins with, if readable.
fn tag_and_name(command: &[u8]) -> (Option<String>, String) {
    let tag = super::lexer::leading_tag(command).map(str::to_owned);
    let name = command
        .split(|octet| matches!(octet, b' ' | b'\r' | b'\n'))
        .nth(1)
        .filter(|name| name.len() <= 32 && name.iter().all(u8::is_ascii_alphabetic))
        .and_then(|name| std::str::from_utf8(name).ok())
        .map(str::to_ascii_uppercase);
    (tag, name.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What frames come, with literals accepted or refused by `accepts`, fed in pieces of these
    /// octets.
    fn frames(input: &[u8], piece: usize, accepts: fn(&Literal) -> bool) -> Vec<String> {
        let mut framer = Framer::new();
        let mut seen = Vec::new();
        let mut diverted = Vec::new();
        for octets in input.chunks(piece) {
            framer.feed(octets);
            loop {
                match framer.next_frame() {
                    Frame::Incomplete => break,
                    Frame::Diverted(octets) => diverted.extend_from_slice(&octets),
                    Frame::Command(command) => {
                        if !diverted.is_empty() {
                            seen.push(String::from_utf8_lossy(&diverted).into_owned());
                            diverted.clear();
                        }
                        seen.push(String::from_utf8_lossy(&command).into_owned());
                    }
                    Frame::TooLong { tag } => {
                        seen.push(format!("long {}", tag.unwrap_or_default()))
                    }
                    Frame::Literal(literal) => {
                        let Literal { tag, octets, synchronising, .. } = &literal;
                        let tag = tag.as_deref().unwrap_or("?");
                        seen.push(format!("{} {tag} {octets} {synchronising}", literal.command));
                        if accepts(&literal) && literal.is_message && literal.octets > 3 {
                            framer.divert_literal();
                        } else if accepts(&literal) {
                            framer.accept_literal();
                        } else {
                            framer.refuse_literal();
                        }
                    }
                }
            }
        }
        seen
    }

    /// As [`frames`], and the same however the octets arrive.
    fn framed(input: &[u8], accepts: fn(&Literal) -> bool) -> Vec<String> {
        let whole = frames(input, input.len(), accepts);
        for piece in [1, 2, 3, 5, 7, 11, 100, 4096, 65_535] {
            assert_eq!(frames(input, piece, accepts), whole, "pieces of {piece}");
        }
        whole
    }

    #[test]
    fn commands_and_literals() {
        let input = b"a NOOP\r\n\r\nb LOGIN {4}\r\nfr\r\n {2+}\r\nxy\r\nc IDLE\nd APPEND x ~{3+}\r\na\0b\r\n";
        let seen = framed(input, |_| true);
        let expected = [
            "a NOOP",
            "",
            "LOGIN b 4 true",
            "LOGIN b 2 false",
            "b LOGIN {4}\r\nfr\r\n {2+}\r\nxy",
            "c IDLE",
            "APPEND d 3 false",
            "d APPEND x ~{3+}\r\na\0b",
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn diverted_literals_leave_a_gap() {
        let input = b"a APPEND x {9+}\r\nb NOOP\r\n1 (\\Seen) {5}\r\nabcde UTF8 (~{3+}\r\nxyz)\r\n\
            b UID REPLACE 4 {1}\r\nm {4+}\r\n\r\n\r\n\r\nc NOOP\r\n";
        let seen = framed(input, |_| true);
        let expected = [
            "APPEND a 9 false",
            "APPEND a 5 true",
            "APPEND a 3 false",
            "b NOOP\r\n1abcde",
            "a APPEND x {9+}\r\n (\\Seen) {5}\r\n UTF8 (~{3+}\r\nxyz)",
            "UID b 1 true",
            "UID b 4 false",
            "\r\n\r\n",
            "b UID REPLACE 4 {1}\r\nm {4+}\r\n",
            "c NOOP",
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn refused_literals_are_no_commands() {
        let input = b"a X {9+}\r\nb LOGOUT {3+}\r\nc\r\n y\r\nd X {5}\r\ne NOOP\r\n\
            f X {99999999999999999999}\r\ng NOOP {1}x\r\n";
        let seen = framed(input, |_| false);
        let expected =
            ["X a 9 false", "X d 5 true", "e NOOP", "X f 18446744073709551615 true", "g NOOP {1}x"];
        assert_eq!(seen, expected);
    }

    #[test]
    fn any_octets_frame_the_same_however_they_come() {
        let pieces: [&[u8]; 9] =
            [b"{3+}\r\n", b"{2}\r\n", b"~{1+}\n", b"a b ", b"\r\n", b"\n", b"x", b"\r", b"{0}\r\n"];
        let mut random = 7u32;
        for _ in 0..300 {
            let mut input = Vec::new();
            for _ in 0..30 {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let at = usize::try_from(random >> 16).unwrap() % pieces.len();
                input.extend_from_slice(pieces[at]);
            }
            framed(&input, |literal| literal.octets != 2 && literal.before < 6);
        }
    }

    #[test]
    fn long_lines_are_dropped_whole() {
        let mut input = b"a SEARCH ".to_vec();
        input.extend_from_slice(&b"x".repeat(3 * IMAP_LINE_OCTETS_MAX));
        input.extend_from_slice(b" {8+}\r\nb NOOP\r\n and more\r\nc NOOP\r\nd ");
        input.extend_from_slice(&b"y".repeat(IMAP_LINE_OCTETS_MAX - 2));
        input.extend_from_slice(b"\ne ");
        input.extend_from_slice(&b"y".repeat(IMAP_LINE_OCTETS_MAX - 2));
        input.extend_from_slice(b"\r\nf NOOP\r\n");
        let seen = framed(&input, |_| true);
        let short = seen.iter().map(|frame| frame.get(..10).unwrap_or(frame)).collect::<Vec<_>>();
        assert_eq!(short, ["long a", "c NOOP", "d yyyyyyyy", "long e", "f NOOP"]);
    }

    #[test]
    fn lines_between_literals_count_together() {
        let mut input = b"a SEARCH ".to_vec();
        for _ in 0..3 {
            input.extend_from_slice(&b"x".repeat(IMAP_LINE_OCTETS_MAX / 2 - 20));
            input.extend_from_slice(b" {1+}\r\nz");
        }
        input.extend_from_slice(b"\r\nb NOOP\r\n");
        let seen = framed(&input, |_| true);
        assert_eq!(seen, ["SEARCH a 1 false", "SEARCH a 1 false", "long a", "b NOOP"]);
    }

    #[test]
    fn bounds_of_literals() {
        let literal = |text: &[u8], before| {
            let marker = Marker::at_end(text).unwrap();
            Literal::of(marker, text, before)
        };
        let max = 64 * 1024 * 1024;
        assert!(literal(b"a APPEND INBOX {67108864}", 0).fits(max));
        assert!(!literal(b"a APPEND INBOX {67108865}", 0).fits(max));
        assert!(literal(b"a append {5}\r\nINBOX (\\Seen) {67108864}", 5).fits(max));
        assert!(!literal(b"a APPEND {65537}", 0).fits(max));
        assert!(
            !literal(b"a LOGIN {65537+}", 0).fits(max) && literal(b"a LOGIN {65536}", 0).fits(max)
        );
        assert!(!literal(b"a SEARCH TEXT {65536}", 1024 * 1024).fits(max));
        for no in [&b"a {}"[..], b"a {1", b"{-1}", b"{1+ }", b"{1++}", b"1}", b"{ 1}", b"{1}x"] {
            assert_eq!(Marker::at_end(no), None);
        }
    }

    #[test]
    fn free_lines() {
        let mut framer = Framer::new();
        framer.feed(b"a IDLE\r\nDONE {3}\r");
        assert!(matches!(framer.next_frame(), Frame::Command(_)));
        assert_eq!(framer.next_line(), Line::Incomplete);
        framer.feed(b"\nb NOOP\r\n");
        assert_eq!(framer.next_line(), Line::Line(Bytes::from_static(b"DONE {3}")));
        assert_eq!(framer.next_frame(), Frame::Command(Bytes::from_static(b"b NOOP")));
        assert!(framer.is_at_start());
        framer.feed(&b"z".repeat(IMAP_LINE_OCTETS_MAX + 1));
        assert_eq!((framer.next_line(), framer.next_line()), (Line::TooLong, Line::Incomplete));
        framer.feed(b"\r\nx\r\n");
        assert_eq!(framer.next_line(), Line::Line(Bytes::from_static(b"x")));
    }
}
