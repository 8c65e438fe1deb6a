//! Strings in IMAP wire form (RFC 9051 §4.3): quoted where that is allowed, else literals.

/// Longer strings are sent as literals: some clients limit the length of a line.
const QUOTED_OCTETS_MAX: usize = 1000;

/// Writes a string. NUL, which no IMAP string can hold, is left out.
pub(super) fn string(octets: &[u8], out: &mut Vec<u8>) {
    // RFC 9051 §9: a quoted string holds no CR, LF or NUL; 8-bit in it needs UTF8=ACCEPT.
    let is_quotable = octets.len() <= QUOTED_OCTETS_MAX
        && octets.iter().all(|octet| !matches!(octet, 0 | b'\r' | b'\n' | 0x80..));
    if is_quotable {
        out.push(b'"');
        for octet in octets {
            if matches!(octet, b'"' | b'\\') {
                out.push(b'\\');
            }
            out.push(*octet);
        }
        out.push(b'"');
        return;
    }
    let count = octets.iter().filter(|octet| **octet != 0).count();
    out.extend_from_slice(format!("{{{count}}}\r\n").as_bytes());
    out.extend(octets.iter().filter(|octet| **octet != 0));
}

/// Writes a string or NIL.
pub(super) fn nstring(octets: Option<&[u8]>, out: &mut Vec<u8>) {
    match octets {
        Some(octets) => string(octets, out),
        None => out.extend_from_slice(b"NIL"),
    }
}

/// Writes a number.
pub(super) fn number(value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(value.to_string().as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_quoted_or_literal() {
        for (octets, wire) in [
            (&b""[..], &b"\"\""[..]),
            (b"a\\\"b", b"\"a\\\\\\\"b\""),
            (b"\xe4\0", b"{1}\r\n\xe4"),
            (b"a\rb", b"{3}\r\na\rb"),
        ] {
            let mut out = Vec::new();
            string(octets, &mut out);
            assert_eq!(out, wire);
        }
        let mut out = Vec::new();
        string(&[b'x'; 1001], &mut out);
        assert!(out.starts_with(b"{1001}\r\n"));
    }
}
