//! Text of messages as SEARCH sees it: decoded, case folded, found as substring (RFC 9051 §6.4.4).
//!
//! Pure: it is given octets and knows neither store nor session.

use crate::codec::mime::text::{decode_header_value, decode_text, header_fields, html_to_text};
use crate::model::structure::{ByteRange, Part};
use unicode_normalization::UnicodeNormalization;

/// Octets of one text part that are searched; a larger part is searched as far as that.
const PART_OCTETS_MAX: u64 = 16 * 1024 * 1024;

/// The form in which texts are compared, after RFC 5051 §2: decomposed, without case, white space
/// runs as one.
///
/// White space is folded because a line break in flowed text is not one the user knows of.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut push = |c: char| {
        if !c.is_whitespace() {
            folded.push(c);
        } else if !folded.ends_with(' ') {
            folded.push(' ');
        }
    };
    if text.is_ascii() {
        text.chars().for_each(|c| push(c.to_ascii_lowercase()));
    } else {
        text.nfkd().flat_map(char::to_lowercase).nfkd().for_each(push);
    }
    folded
}

/// A string to look for, folded once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Needle(String);

impl Needle {
    /// The folded form of what the client sent.
    pub fn new(text: &str) -> Self {
        Self(fold(text))
    }

    /// Whether a folded text has it. The empty string is in every text.
    pub fn is_in(&self, folded: &str) -> bool {
        memchr::memmem::find(folded.as_bytes(), self.0.as_bytes()).is_some()
    }
}

/// The fields of a header, names in lowercase, values decoded and folded.
#[derive(Clone, Default, Debug)]
pub struct HeaderText {
    fields: Vec<(String, String)>,
    date: Option<i64>,
}

impl HeaderText {
    /// Reads a header (with its trace prefix in front).
    pub fn new(header: &[u8]) -> Self {
        let mut read = Self::default();
        for (name, value) in header_fields(header) {
            if read.date.is_none() && name.eq_ignore_ascii_case("Date") {
                read.date = day_of_date(&String::from_utf8_lossy(value));
            }
            read.fields.push((name.to_ascii_lowercase(), fold(&decode_header_value(value))));
        }
        read
    }

    /// Whether a field of that name has the string; the empty string asks for the field alone.
    pub fn has(&self, name: &str, needle: &Needle) -> bool {
        self.fields
            .iter()
            .any(|(field, value)| field.eq_ignore_ascii_case(name) && needle.is_in(value))
    }

    /// Whether any field, name and value, has the string.
    pub fn has_anywhere(&self, needle: &Needle) -> bool {
        self.fields.iter().any(|(name, value)| needle.is_in(&format!("{name}: {value}")))
    }

    /// The day of the Date field as written, without regard to time and zone, in days since 1970.
    pub const fn date_day(&self) -> Option<i64> {
        self.date
    }
}

/// The texts of a message's parts, folded.
#[derive(Clone, Default, Debug)]
pub struct BodyText {
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
    /// Adds the octets of a piece.
    pub fn add(&mut self, piece: &Piece<'_>, octets: &[u8]) {
        match piece.kind {
            PieceKind::MimeHeader => self.mime.push(fold(&String::from_utf8_lossy(octets))),
            PieceKind::MessageHeader => {
                for (name, value) in header_fields(octets) {
                    self.texts.push(fold(&format!("{name}: {}", decode_header_value(value))));
                }
            }
            PieceKind::Text(part) => {
                let text = decode_text(part, octets);
                if part.media_subtype == "html" {
                    // words that tags divide are found too
                    self.texts.push(fold(&html_to_text(&text)));
                }
                self.texts.push(fold(&text));
            }
        }
    }

    /// Whether a text part has the string.
    pub fn has(&self, needle: &Needle) -> bool {
        self.texts.iter().any(|text| needle.is_in(text))
    }

    /// Whether a text part or a MIME header has the string.
    pub fn has_anywhere(&self, needle: &Needle) -> bool {
        self.has(needle) || self.mime.iter().any(|text| needle.is_in(text))
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
    let year: i64 = words.get(at + 1)?.parse().ok()?;
    // RFC 5322 §4.3: years of two and three digits
    let year = match year {
        0..=49 => year + 2000,
        50..=999 => year + 1900,
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
    fn folding_ignores_case_form_and_line_breaks() {
        assert!(Needle::new("STRASSE").is_in(&fold("die strasse")));
        assert!(Needle::new("\u{c9}t\u{e9}").is_in(&fold("e\u{301}te\u{301} 2024")));
        assert!(Needle::new("two words").is_in(&fold("Two\r\n  words")));
        assert!(!Needle::new("three").is_in(&fold("two")));
        assert!(Needle::new("").is_in(&fold("")));
    }

    #[test]
    fn days_are_those_of_the_text() {
        assert_eq!(days_since_1970(1970, 1, 1), 0);
        assert_eq!(days_since_1970(2000, 3, 1), 11_017);
        assert_eq!(day_of_date(" Mon, 7 Feb 1994 23:52:25 -0800 (PST)"), Some(8803));
        assert_eq!(day_of_date("7 Feb 94 21:52"), Some(8803));
        assert_eq!(day_of_date("nonsense"), None);
        assert_eq!(day_of_date("may"), None);
    }
}
