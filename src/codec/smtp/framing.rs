//! Where a command line ends (RFC 5321 §2.3.8): at CRLF and nowhere else, before any grammar.

use memchr::memchr;

/// What the buffer starts with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Line {
    /// A line of this many octets, with its CRLF.
    Complete(usize),
    /// Octets up to and with an LF that has no CR before it: not a line, to be refused whole.
    BareLineFeed(usize),
    /// More input is needed.
    Incomplete,
    /// More than allowed without an end; these octets can be dropped, the rest of the line follows.
    TooLong(usize),
}

/// Finds the first line of the buffer; `octets_max` counts the CRLF (RFC 5321 §4.5.3.1.4).
pub fn line(buffer: &[u8], octets_max: usize) -> Line {
    match memchr(b'\n', buffer) {
        Some(end) if end >= octets_max => Line::TooLong(end.saturating_sub(1)),
        Some(end) if end > 0 && buffer.get(end - 1) == Some(&b'\r') => Line::Complete(end + 1),
        Some(end) => Line::BareLineFeed(end + 1),
        // The last octet may be the CR of the CRLF: keep it.
        None if buffer.len() > octets_max => Line::TooLong(buffer.len() - 1),
        None => Line::Incomplete,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_crlf_ends_a_line() {
        assert_eq!(line(b"NOOP\r\nQUIT\r\n", 100), Line::Complete(6));
        assert_eq!(line(b"NOOP\nQUIT\r\n", 100), Line::BareLineFeed(5));
        assert_eq!(line(b"\n", 100), Line::BareLineFeed(1));
        assert_eq!(line(b"NOOP\r", 100), Line::Incomplete);
        assert_eq!(line(b"", 100), Line::Incomplete);
        assert_eq!(line(b"NOOP12\r", 6), Line::TooLong(6));
        assert_eq!(line(b"NOOP123456\r\n", 6), Line::TooLong(10));
    }
}
