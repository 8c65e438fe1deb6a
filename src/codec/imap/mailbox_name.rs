//! Names of mailboxes on the wire (RFC 3501 §5.1.3, RFC 6855 §3) and LIST patterns (RFC 9051
//! §6.3.9).
//!
//! Modified UTF-7 writes printable ASCII as itself, `&` as `&-`, and all else as UTF-16BE in base64
//! between `&` and
//! `-`, with `,` for `/` and without padding.

use unicode_normalization::UnicodeNormalization as _;

use crate::model::mailbox::DELIMITER;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

const fn is_direct(c: char) -> bool {
    matches!(c, ' '..='~')
}

/// A name as a client sent it to Unicode (NFC). 8-bit names are UTF-8 in any case; ASCII ones are
/// modified UTF-7
/// unless `utf8` is agreed. `None` if it is neither.
pub fn decode(name: &[u8], utf8: bool) -> Option<String> {
    let text = std::str::from_utf8(name).ok()?;
    let decoded = if utf8 || !text.is_ascii() { text.to_owned() } else { decode_utf7(text)? };
    if decoded.is_ascii() { Some(decoded) } else { Some(decoded.nfc().collect()) }
}

/// Modified UTF-7 to Unicode; `None` if the text is not that.
pub fn decode_utf7(text: &str) -> Option<String> {
    let mut name = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((direct, shifted)) = rest.split_once('&') {
        name.push_str(direct);
        let (encoded, after) = shifted.split_once('-')?;
        if encoded.is_empty() {
            name.push('&');
        } else {
            decode_shifted(encoded, &mut name)?;
        }
        rest = after;
    }
    name.push_str(rest);
    Some(name)
}

/// The part between `&` and `-`.
fn decode_shifted(encoded: &str, name: &mut String) -> Option<()> {
    let (mut bits, mut count) = (0u32, 0u32);
    let mut units = Vec::with_capacity(encoded.len() / 2);
    for octet in encoded.bytes() {
        let digit = ALPHABET.iter().position(|known| *known == octet)?;
        bits = (bits << 6 | u32::try_from(digit).ok()?) & 0x3f_ffff;
        count += 6;
        if count >= 16 {
            count -= 16;
            units.push(u16::try_from(bits >> count & 0xffff).ok()?);
        }
    }
    // fewer bits than a digit are left, and they are zero
    if count >= 6 || bits & ((1 << count) - 1) != 0 {
        return None;
    }
    for unit in char::decode_utf16(units) {
        // RFC 3501 §5.1.3: printable ASCII represents itself
        name.push(unit.ok().filter(|c| !is_direct(*c))?);
    }
    Some(())
}

/// Unicode to modified UTF-7.
pub fn encode(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 8);
    let mut units = Vec::new();
    for c in name.chars() {
        if !is_direct(c) {
            let mut buffer = [0; 2];
            units.extend_from_slice(c.encode_utf16(&mut buffer));
            continue;
        }
        flush_shifted(&mut units, &mut text);
        text.push(c);
        if c == '&' {
            text.push('-');
        }
    }
    flush_shifted(&mut units, &mut text);
    text
}

fn flush_shifted(units: &mut Vec<u16>, text: &mut String) {
    if units.is_empty() {
        return;
    }
    text.push('&');
    let (mut bits, mut count) = (0u32, 0u32);
    let mut push = |digit: u32| {
        let at = usize::try_from(digit & 0x3f).unwrap_or_default();
        text.push(char::from(ALPHABET.get(at).copied().unwrap_or(b'A')));
    };
    for unit in units.drain(..) {
        bits = bits << 16 | u32::from(unit);
        count += 16;
        while count >= 6 {
            count -= 6;
            push(bits >> count);
        }
        bits &= (1 << count) - 1;
    }
    if count > 0 {
        push(bits << (6 - count));
    }
    text.push('-');
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Item {
    Char(char),
    /// `*`
    Any,
    /// `%`: any, but no delimiter.
    AnyInLevel,
}

/// A reference and a pattern of LIST, ready to be compared with names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pattern {
    items: Vec<Item>,
    /// Characters a name has at least.
    chars: usize,
}

impl Pattern {
    /// The pattern behind a reference (RFC 9051 §6.3.9), both decoded. As in names, a first
    /// delimiter is dropped.
    pub fn new(reference: &str, pattern: &str) -> Self {
        let joined = format!("{reference}{pattern}");
        let joined = joined.strip_prefix(DELIMITER).unwrap_or(&joined);
        let mut items = Vec::with_capacity(joined.len());
        let mut chars = 0;
        for c in joined.chars() {
            match (c, items.last_mut()) {
                // side by side, wildcards are one: the wider
                ('*', Some(last @ (Item::Any | Item::AnyInLevel))) => *last = Item::Any,
                ('%', Some(Item::Any | Item::AnyInLevel)) => {}
                ('*', _) => items.push(Item::Any),
                ('%', _) => items.push(Item::AnyInLevel),
                (c, _) => {
                    chars += 1;
                    items.push(Item::Char(c));
                }
            }
        }
        Self { items, chars }
    }

    /// Whether there are wildcards in it.
    pub fn has_wildcards(&self) -> bool {
        self.items.iter().any(|item| !matches!(item, Item::Char(_)))
    }

    /// Whether it ends with `%`, so that parents without a mailbox are listed too (RFC 9051
    /// §6.3.9).
    pub fn ends_in_level(&self) -> bool {
        self.items.last() == Some(&Item::AnyInLevel)
    }

    /// The name up to the first wildcard.
    pub fn literal_start(&self) -> String {
        let literal = self.items.iter().map_while(|item| match item {
            Item::Char(c) => Some(*c),
            Item::Any | Item::AnyInLevel => None,
        });
        literal.collect()
    }

    /// Whether the pattern can match the name or one below it.
    pub fn reaches(&self, name: &str) -> bool {
        let mut names = name.chars();
        for item in &self.items {
            match (item, names.next()) {
                (Item::Char(wanted), Some(c)) if *wanted == c => {}
                (Item::Char(_), Some(_)) => return false,
                // a wildcard may stand for the rest
                _ => return true,
            }
        }
        names.next().is_none()
    }

    /// Whether the name matches. The first level INBOX is the same in any case. Takes time
    /// proportional to the
    /// product of the lengths at most: all positions in the pattern that could be reached are
    /// followed at once.
    pub fn matches(&self, name: &str) -> bool {
        if self.chars > name.chars().count() {
            return false;
        }
        let inbox_chars = match name.split(DELIMITER).next() {
            Some(first) if first.eq_ignore_ascii_case("INBOX") => first.len(),
            _ => 0,
        };
        let mut reached = vec![false; self.items.len() + 1];
        self.reach(&mut reached, 0);
        for (index, c) in name.chars().enumerate() {
            let mut next = vec![false; reached.len()];
            for (at, item) in self.items.iter().enumerate() {
                if !reached.get(at).copied().unwrap_or_default() {
                    continue;
                }
                match item {
                    Item::Char(wanted) => {
                        let same = *wanted == c
                            || (index < inbox_chars && wanted.eq_ignore_ascii_case(&c));
                        if same {
                            self.reach(&mut next, at + 1);
                        }
                    }
                    Item::AnyInLevel if c == DELIMITER => {}
                    Item::Any | Item::AnyInLevel => self.reach(&mut next, at),
                }
            }
            if !next.contains(&true) {
                return false;
            }
            reached = next;
        }
        reached.last().copied().unwrap_or_default()
    }

    /// Marks a position, and the one behind a wildcard there, which may stand for nothing.
    fn reach(&self, reached: &mut [bool], at: usize) {
        let behind = matches!(self.items.get(at), Some(Item::Any | Item::AnyInLevel));
        for place in reached.iter_mut().skip(at).take(1 + usize::from(behind)) {
            *place = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf7_of_rfc_3501() {
        // RFC 3501 §5.1.3: the example, and others made by hand
        let known = [
            ("~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"),
            ("R&-D", "R&D"),
            ("&AOk-t&AOk-", "été"),
            ("&2D3eAA-", "😀"),
            ("Entw&APw-rfe", "Entwürfe"),
            ("", ""),
        ];
        for (wire, name) in known {
            assert_eq!(decode(wire.as_bytes(), false).as_deref(), Some(name));
            assert_eq!(encode(name), wire);
        }
        assert_eq!(decode(b"&U,BTFw-&ZeVnLIqe-", false).as_deref(), Some("台北日本語"));
        assert_eq!(decode("été".as_bytes(), false).as_deref(), Some("été"));
        assert_eq!(decode(b"R&D", true).as_deref(), Some("R&D"));
        assert_eq!(decode("e\u{301}".as_bytes(), true).as_deref(), Some("é"));
        for bad in ["R&D", "&", "&AO-", "&AOl-", "&2D0-", "&AGE-", "&é-", "&U/BT-", "&A-"] {
            assert_eq!(decode_utf7(bad), None, "{bad}");
        }
        assert_eq!(decode(b"\xff", false), None);
    }

    #[test]
    fn patterns() {
        let matches = |pattern: &str, name: &str| Pattern::new("", pattern).matches(name);
        assert!(matches("*", "a/b") && matches("%", "a") && !matches("%", "a/b"));
        assert!(matches("a/%", "a/b") && !matches("a/%", "a") && !matches("a/%", "a/b/c"));
        assert!(matches("%/c*", "a/cd/e") && matches("*%*", "") && matches("a*b%c", "a/b/bxc"));
        assert!(matches("a*c", "a/b/c") && !matches("a%c", "a/b/c") && matches("a%c", "abc"));
        assert!(matches("%/%", "a/b") && matches("*%", "a/b") && matches("%*", "a/b"));
        assert!(
            matches("inb*", "INBOX") && matches("*box", "INBOX") && matches("iNbOx/%", "INBOX/x")
        );
        assert!(
            matches("inbox", "INBOX")
                && matches("InBox/x", "INBOX/x")
                && !matches("INBOX/X", "INBOX/x")
        );
        assert!(!matches("inbo", "INBOX") && !matches("A", "a") && matches("é%", "éa"));
        assert!(!matches("", "a") && matches("/a", "a"));
        assert!(Pattern::new("a/", "b").matches("a/b") && Pattern::new("", "a%").ends_in_level());
        let reaches = |pattern: &str| Pattern::new("", pattern).reaches("ab");
        assert!(reaches("*") && reaches("%c") && reaches("ab/c") && reaches("ab"));
        assert!(!reaches("a") && !reaches("b*") && reaches("a%/x") && !reaches("INBOX"));
        assert_eq!(Pattern::new("a/", "b%").literal_start(), "a/b");
        assert!(!Pattern::new("", "ab").has_wildcards() && Pattern::new("a/", "%").matches("a/b"));
        // exponential for a matcher that tries all ways
        let pattern = "*a".repeat(500) + "b";
        assert!(!matches(&pattern, &"a".repeat(2000)));
    }
}
