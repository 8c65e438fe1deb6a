//! PURE: text of messages as SEARCH sees it: decoded and folded (RFC 9051 §6.4.4).
//!
//! It is given octets and knows neither store nor session.

use super::needle::Needle;
use crate::codec::collation::Collation;
use crate::codec::mime::address_list::{self, Item};
use crate::codec::mime::text::{decode_header_value, decode_text, header_fields, html_to_text};
use crate::model::structure::{ByteRange, Part};

/// Octets of one text part that are searched; a larger part is searched as far as that.
const PART_OCTETS_MAX: u64 = 16 * 1024 * 1024;

/// The fields of a header, names in lowercase, values decoded and folded.
#[derive(Clone, Default, Debug)]
pub struct HeaderText {
    fields: Vec<(String, String)>,
    date: Option<i64>,
}

impl HeaderText {
    /// Reads a header (with its trace prefix in front).
    pub fn new(header: &[u8], collation: Collation) -> Self {
        let mut read = Self::default();
        for (name, value) in header_fields(header) {
            if read.date.is_none() && name.eq_ignore_ascii_case("Date") {
                read.date = day_of_date(&String::from_utf8_lossy(value));
            }
            let name = name.to_ascii_lowercase();
            for address in written_apart(&name, value) {
                read.fields.push((name.clone(), collation.fold(&address)));
            }
            let value = collation.fold(decode_header_value(value).trim());
            read.fields.push((name, value));
        }
        read
    }

    /// How well a field of that name matches; the empty string asks for the field alone.
    pub fn score(&self, name: &str, needle: &Needle) -> u8 {
        let fields = self.fields.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name));
        fields.map(|(_, value)| needle.score(value)).max().unwrap_or(0)
    }

    /// How well any field matches, by name and value.
    pub fn score_anywhere(&self, needle: &Needle, collation: Collation) -> u8 {
        let lines = self.fields.iter().map(|(name, value)| {
            let name = collation.key(name);
            needle.score(&format!("{name}: {value}"))
        });
        lines.max().unwrap_or(0)
    }

    /// The day of the Date field as written, without regard to time and zone, in days since 1970.
    pub const fn date_day(&self) -> Option<i64> {
        self.date
    }
}

/// The addresses of a field that comments or spaces stand in: FROM and its like look into the
/// envelope (RFC 9051 §6.4.4), where an address is one piece.
fn written_apart(name: &str, value: &[u8]) -> Vec<String> {
    let is_address = matches!(name, "from" | "sender" | "reply-to" | "to" | "cc" | "bcc");
    let is_apart = value.contains(&b'(')
        || value.windows(2).any(|pair| matches!(pair, b" @" | b"@ " | b"\n@" | b"@\r"));
    if !is_address || !is_apart {
        return Vec::new();
    }
    let addresses = address_list::parse(value).into_iter().filter_map(|item| match item {
        Item::Address(address) => Some(address),
        Item::GroupStart(_) | Item::GroupEnd => None,
    });
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    addresses.map(|each| format!("{}@{}", text(&each.mailbox), text(&each.host))).collect()
}

/// The texts of a message's parts, folded.
#[derive(Clone, Default, Debug)]
pub struct BodyText {
    collation: Collation,
    texts: Vec<String>,
    mime: Vec<String>,
}

/// A range of the content that SEARCH reads.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    /// Where.
    pub range: ByteRange,
    kind: PieceKind<'a>,
}

#[derive(Clone, Copy, Debug)]
enum PieceKind<'a> {
    /// The MIME header of a part.
    MimeHeader,
    /// The header of an enclosed message: text of the body it lies in.
    MessageHeader,
    /// The body of a text part.
    Text(&'a Part),
}

/// The pieces of a content that hold its text; attachments are none.
pub fn pieces(root: &Part) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    // the root's header is read before, and is no part of the body
    add_below(root, &mut found);
    found
}

fn add_below<'a>(part: &'a Part, found: &mut Vec<Piece<'a>>) {
    let is_message = part.is_message();
    // depth is bounded by `MIME_DEPTH_MAX` when the tree is made
    for child in &part.children {
        let kind = if is_message { PieceKind::MessageHeader } else { PieceKind::MimeHeader };
        found.push(Piece { range: child.header, kind });
        add_below(child, found);
    }
    let is_text = matches!(part.media_type.as_str(), "text" | "message" | "");
    if part.children.is_empty() && is_text {
        let range = part.body.partial(0, PART_OCTETS_MAX);
        found.push(Piece { range, kind: PieceKind::Text(part) });
    }
}

impl BodyText {
    /// A message without text.
    pub fn new(collation: Collation) -> Self {
        Self { collation, ..Self::default() }
    }

    /// Adds the octets of a piece.
    pub fn add(&mut self, piece: &Piece<'_>, octets: &[u8]) {
        match piece.kind {
            // file names are encoded as the values of header fields are
            PieceKind::MimeHeader => {
                self.mime.push(self.collation.fold(&String::from_utf8_lossy(octets)));
                for (_, value) in header_fields(octets) {
                    self.mime.push(self.collation.fold(&decode_header_value(value)));
                }
            }
            PieceKind::MessageHeader => {
                for (name, value) in header_fields(octets) {
                    let line = format!("{name}: {}", decode_header_value(value).trim());
                    self.texts.push(self.collation.fold(&line));
                }
            }
            PieceKind::Text(part) => {
                let text = decode_text(part, octets);
                if part.media_subtype == "html" {
                    // words that tags divide are found too
                    self.texts.push(self.collation.fold(&html_to_text(&text)));
                }
                self.texts.push(self.collation.fold(&text));
            }
        }
    }

    /// How well a text part matches.
    pub fn score(&self, needle: &Needle) -> u8 {
        self.texts.iter().map(|text| needle.score(text)).max().unwrap_or(0)
    }

    /// How well a text part or a MIME header matches.
    pub fn score_anywhere(&self, needle: &Needle) -> u8 {
        let mime = self.mime.iter().map(|text| needle.score(text)).max().unwrap_or(0);
        self.score(needle).max(mime)
    }
}

/// The day of an RFC 5322 date as it is written, in days since 1970.
fn day_of_date(value: &str) -> Option<i64> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let words = value.split(|c: char| c.is_whitespace() || matches!(c, ',' | '-'));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).take(8).collect();
    let is_month = |word: &&str| {
        let start = word.get(..3)?.to_ascii_lowercase();
        MONTHS.iter().position(|month| *month == start)
    };
    let at = words.iter().position(|word| is_month(word).is_some())?;
    let month = i64::try_from(is_month(words.get(at)?)?).ok()? + 1;
    let day: i64 = words.get(at.checked_sub(1)?)?.parse().ok()?;
    let digits = words.get(at + 1)?;
    let year: i64 = digits.parse().ok()?;
    // RFC 5322 §4.3: years of two and three digits
    let year = match (digits.len(), year) {
        (1..=2, 0..=49) => year + 2000,
        (1..=3, _) => year + 1900,
        _ => year,
    };
    ((1..=31).contains(&day) && year < 10_000).then(|| days_since_1970(year, month, day))
}

/// Days from 1970-01-01 to a day of the Gregorian calendar.
pub fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    // Years are counted from March, so that the leap day is the last of its year.
    let year = if month <= 2 { year - 1 } else { year };
    let century = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    century * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_piece() {
        let header = b"From: <anna (at home)@ (her)\r\n example.org>\r\nTo: b@example.org\r\n\r\n";
        let header = HeaderText::new(header, Collation::default());
        let score =
            |name, text| header.score(name, &Needle::new(text, Collation::default(), false));
        assert!(score("from", "Anna@Example") > 0 && score("from", "at home") > 0);
        assert!(score("to", "b@ex") > 0 && score("to", "anna") == 0);
    }

    #[test]
    fn days_are_those_of_the_text() {
        assert_eq!(days_since_1970(1970, 1, 1), 0);
        assert_eq!(days_since_1970(2000, 3, 1), 11_017);
        assert_eq!(day_of_date(" Mon, 7 Feb 1994 23:52:25 -0800 (PST)"), Some(8803));
        assert_eq!(day_of_date("7 Feb 94 21:52"), Some(8803));
        assert_eq!(day_of_date("7 Feb 094 21:52"), Some(8803));
        assert_eq!(day_of_date("7 Feb 0102 21:52"), Some(days_since_1970(102, 2, 7)));
        assert_eq!(day_of_date("nonsense"), None);
        assert_eq!(day_of_date("may"), None);
    }
}
