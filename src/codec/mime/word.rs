//! Octets of header fields and bodies to text: charsets, RFC 2047 words, transfer encodings.
//!
//! Reads anything; what cannot be decoded is shown as it is or as U+FFFD.

use mail_parser::decoders::charsets::map::charset_decoder;
use memchr::memchr;

use super::header::{is_space, unfold};

/// Longest charset name looked up; no registered one is longer (RFC 2978 §2.3).
const CHARSET_OCTETS_MAX: usize = 45;

/// An encoded word: lowercase charset and decoded octets.
type Word = (Vec<u8>, Vec<u8>);

/// Decodes octets of a charset; of an unknown one as UTF-8, else as windows-1252.
pub fn charset_to_text(charset: &[u8], octets: &[u8]) -> String {
    let name = charset.trim_ascii();
    let is_default = name.is_empty()
        || name.eq_ignore_ascii_case(b"us-ascii")
        || name.eq_ignore_ascii_case(b"ascii")
        || name.eq_ignore_ascii_case(b"utf-8")
        || name.eq_ignore_ascii_case(b"utf8");
    // Mail that says US-ASCII or nothing is UTF-8 these days if it has 8-bit octets at all.
    if is_default {
        return match std::str::from_utf8(octets) {
            Ok(text) => text.to_owned(),
            Err(_) if name.eq_ignore_ascii_case(b"utf-8") => {
                String::from_utf8_lossy(octets).into_owned()
            }
            Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(octets).0.into_owned(),
        };
    }
    if name.len() <= CHARSET_OCTETS_MAX
        && let Some(decode) = charset_decoder(name)
    {
        return decode(octets);
    }
    match encoding_rs::Encoding::for_label(name) {
        Some(encoding) => encoding.decode_without_bom_handling(octets).0.into_owned(),
        None => charset_to_text(b"", octets),
    }
}

/// A header value, unfolded, with its RFC 2047 words decoded.
pub fn decode(raw: &[u8]) -> String {
    let text = unfold(raw);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_slice();
    let mut plain = Vec::new();
    // Octets of adjacent words of one charset are decoded together: programs split characters.
    let mut pending: Option<Word> = None;
    while let Some(first) = rest.first() {
        if let Some((word, after)) = encoded_word(rest) {
            // RFC 2047 §6.2: white space between encoded words is not shown.
            let only_space = plain.iter().all(|octet| is_space(*octet));
            match &mut pending {
                Some((charset, octets)) if only_space && *charset == word.0 => {
                    octets.extend_from_slice(&word.1);
                }
                previous => {
                    let is_adjacent = previous.is_some() && only_space;
                    flush(previous.take(), &mut out);
                    if !is_adjacent {
                        out.push_str(&charset_to_text(b"", &plain));
                    }
                    *previous = Some(word);
                }
            }
            plain.clear();
            rest = after;
            continue;
        }
        if !is_space(*first) && pending.is_some() {
            flush(pending.take(), &mut out);
        }
        if pending.is_some() || is_space(*first) || *first == b'=' {
            plain.push(*first);
            rest = rest.get(1..).unwrap_or_default();
            continue;
        }
        let end = memchr(b'=', rest).unwrap_or(rest.len());
        plain.extend_from_slice(rest.get(..end).unwrap_or_default());
        rest = rest.get(end..).unwrap_or_default();
    }
    flush(pending, &mut out);
    out.push_str(&charset_to_text(b"", &plain));
    out
}

fn flush(word: Option<Word>, out: &mut String) {
    if let Some((charset, octets)) = word {
        out.push_str(&charset_to_text(&charset, &octets));
    }
}

/// `=?charset?Q?text?=` at the start: lowercase charset, decoded octets, and what follows.
fn encoded_word(octets: &[u8]) -> Option<(Word, &[u8])> {
    let rest = octets.strip_prefix(b"=?")?;
    let head = rest.get(..rest.len().min(CHARSET_OCTETS_MAX * 2))?;
    let (charset, _) = head.split_at_checked(memchr(b'?', head)?)?;
    let rest = rest.get(charset.len() + 1..)?;
    let (encoding, rest) = rest.split_first()?;
    let rest = rest.strip_prefix(b"?")?;
    let (text, after) = rest.split_at_checked(memchr(b'?', rest)?)?;
    // Careless Q words hold a bare `?`; only the first one is looked at to stay linear.
    let after = after.strip_prefix(b"?=")?;
    // RFC 2231 §5: a language may follow the charset.
    let charset = charset.split(|octet| *octet == b'*').next()?.to_ascii_lowercase();
    let octets = match encoding {
        b'B' | b'b' => base64(text),
        b'Q' | b'q' => q_word(text),
        _ => return None,
    };
    Some(((charset, octets), after))
}

/// RFC 2047 §4.2.
fn q_word(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match (*first, after) {
            (b'_', _) => out.push(b' '),
            (b'=', [high, low, tail @ ..]) => match hex(*high, *low) {
                Some(octet) => {
                    out.push(octet);
                    rest = tail;
                }
                None => out.push(b'='),
            },
            (octet, _) => out.push(octet),
        }
    }
    out
}

/// RFC 2231 §4: `%XX`.
pub(super) fn percent_decode(value: &[u8], out: &mut Vec<u8>) {
    let mut rest = value;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match (*first, after) {
            (b'%', [high, low, tail @ ..]) => match hex(*high, *low) {
                Some(octet) => {
                    out.push(octet);
                    rest = tail;
                }
                None => out.push(b'%'),
            },
            (octet, _) => out.push(octet),
        }
    }
}

fn hex(high: u8, low: u8) -> Option<u8> {
    let high = char::from(high).to_digit(16)?;
    let low = char::from(low).to_digit(16)?;
    u8::try_from(high * 16 + low).ok()
}

fn sextet(octet: u8) -> Option<u32> {
    Some(u32::from(match octet {
        b'A'..=b'Z' => octet - b'A',
        b'a'..=b'z' => octet - b'a' + 26,
        b'0'..=b'9' => octet - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

/// Base64 as careless programs write it: foreign octets are skipped, padding starts anew
/// (RFC 2045 §6.8).
pub(super) fn base64(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let mut bits = 0u32;
    let mut count = 0u8;
    for octet in text {
        if let Some(value) = sextet(*octet) {
            bits = (bits << 6) | value;
            count += 1;
            if count < 4 {
                continue;
            }
        } else if *octet != b'=' {
            continue;
        }
        push_group(bits, count, &mut out);
        (bits, count) = (0, 0);
    }
    push_group(bits, count, &mut out);
    out
}

/// Writes the octets that `count` sextets hold.
fn push_group(bits: u32, count: u8, out: &mut Vec<u8>) {
    let whole = match count {
        2 => bits << 12,
        3 => bits << 6,
        4 => bits,
        _ => return,
    };
    let [_, octets @ ..] = whole.to_be_bytes();
    out.extend(octets.iter().take(usize::from(count) - 1));
}

/// Quoted-printable (RFC 2045 §6.7); broken escapes stay as they are.
pub(super) fn quoted_printable(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    while !rest.is_empty() {
        let at = super::header::line_len(rest);
        let (line, after) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        rest = after;
        let text = super::header::without_line_end(line);
        let line_end = line.get(text.len()..).unwrap_or_default();
        // RFC 2045 §6.7 (3): white space at the end of a line was added in transport.
        let text = text.trim_ascii_end();
        match text.strip_suffix(b"=") {
            Some(soft) => quoted_line(soft, &mut out),
            None => {
                quoted_line(text, &mut out);
                out.extend_from_slice(line_end);
            }
        }
    }
    out
}

fn quoted_line(line: &[u8], out: &mut Vec<u8>) {
    let mut rest = line;
    while let Some(at) = memchr(b'=', rest) {
        out.extend_from_slice(rest.get(..at).unwrap_or_default());
        rest = rest.get(at..).unwrap_or_default();
        match rest {
            [_, high, low, tail @ ..] => match hex(*high, *low) {
                Some(octet) => {
                    out.push(octet);
                    rest = tail;
                }
                None => {
                    out.push(b'=');
                    rest = rest.get(1..).unwrap_or_default();
                }
            },
            _ => break,
        }
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_rfc2047_examples() {
        // RFC 2047 §8
        for (raw, text) in [
            ("(=?ISO-8859-1?Q?a?=)", "(a)"),
            ("(=?ISO-8859-1?Q?a?= b)", "(a b)"),
            ("(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)"),
            ("(=?ISO-8859-1?Q?a?=  \r\n   =?ISO-8859-1?Q?b?=)", "(ab)"),
            ("(=?ISO-8859-1?Q?a_b?=)", "(a b)"),
            ("(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)"),
            ("=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>", "Keith Moore <moore@cs.utk.edu>"),
            ("=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=", "If you can read this yo"),
            ("a =? b =?x?y =?utf-8?Z?a?= =?utf-8?Q?no", "a =? b =?x?y =?utf-8?Z?a?= =?utf-8?Q?no"),
            ("=?utf-8*de?q?=C3?= =?UTF-8?Q?=A4?= x", "ä x"),
            ("x=?utf-8?q?=C3=A4?=", "xä"),
        ] {
            assert_eq!(decode(raw.as_bytes()), text, "{raw}");
        }
        assert_eq!(decode("ä".as_bytes()), "ä");
        assert_eq!(decode(b"\xe4"), "ä");
    }

    #[test]
    fn transfer_encodings_forgive() {
        assert_eq!(base64(b"aGVs\r\nbG8=aGk=\r\n!"), b"hellohi");
        assert_eq!(base64(b"aGk"), b"hi");
        assert_eq!(quoted_printable(b"a=3D=\r\nb =\r\nc  \r\n=x=="), b"a=b c\r\n=x=");
    }
}
