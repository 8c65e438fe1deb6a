//! How texts are compared (RFC 4790): the collations that SEARCH, SORT and THREAD know.
//!
//! Pure. A key is made once and then compared octet by octet; a folded text is searched for folded
//! words. RFC 5051 (`i;unicode-casemap`), RFC 4790 §9.2 (`i;ascii-casemap`), §9.3 (`i;octet`).

use unicode_normalization::UnicodeNormalization;

/// A collation.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum Collation {
    /// `i;unicode-casemap`: what RFC 5255 §4.2 and RFC 5256 §2.1 ask for.
    #[default]
    UnicodeCasemap,
    /// `i;ascii-casemap`
    AsciiCasemap,
    /// `i;octet`
    Octet,
}

impl Collation {
    /// All of them, the default first.
    pub const ALL: [Self; 3] = [Self::UnicodeCasemap, Self::AsciiCasemap, Self::Octet];

    /// The registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnicodeCasemap => "i;unicode-casemap",
            Self::AsciiCasemap => "i;ascii-casemap",
            Self::Octet => "i;octet",
        }
    }

    /// The text as it is compared: keys of equal texts are equal, and sort as the texts do.
    pub fn key(self, text: &str) -> String {
        match self {
            Self::Octet => text.to_owned(),
            Self::AsciiCasemap => text.to_ascii_uppercase(),
            Self::UnicodeCasemap if text.is_ascii() => text.to_ascii_uppercase(),
            // RFC 5051 §2: titlecase, then decomposition until nothing is left to decompose
            Self::UnicodeCasemap => text.chars().map(titlecase).nfkd().collect(),
        }
    }

    /// The key with runs of white space as one space, in which SEARCH looks for words: a line
    /// break in flowed text is not one the user knows of.
    pub fn fold(self, text: &str) -> String {
        let key = self.key(text);
        let mut folded = String::with_capacity(key.len());
        for c in key.chars() {
            if !c.is_whitespace() {
                folded.push(c);
            } else if !folded.ends_with(' ') {
                folded.push(' ');
            }
        }
        folded
    }
}

/// The simple titlecase mapping of Unicode. The library's uppercase is the full one, which differs
/// where one letter becomes several, and for letters that are two in one.
fn titlecase(c: char) -> char {
    match c {
        '\u{1c4}'..='\u{1c6}' => '\u{1c5}',
        '\u{1c7}'..='\u{1c9}' => '\u{1c8}',
        '\u{1ca}'..='\u{1cc}' => '\u{1cb}',
        '\u{1f1}'..='\u{1f3}' => '\u{1f2}',
        // Greek with iota below: the titlecase letter stands eight places later
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => {
            char::from_u32(u32::from(c) + 8).unwrap_or(c)
        }
        '\u{1fb3}' => '\u{1fbc}',
        '\u{1fc3}' => '\u{1fcc}',
        '\u{1ff3}' => '\u{1ffc}',
        c => {
            let mut upper = c.to_uppercase();
            match (upper.next(), upper.next()) {
                (Some(one), None) => one,
                _ => c,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &str, b: &str) -> bool {
        Collation::UnicodeCasemap.key(a) == Collation::UnicodeCasemap.key(b)
    }

    #[test]
    fn unicode_casemap_of_rfc_5051() {
        assert!(same("Grüße", "grÜße") && same("e\u{301}te", "\u{c9}TE"));
        assert!(same("οδος", "ΟΔΟΣ") && same("ǆ", "Ǆ") && same("ﬁn", "ﬁN"));
        assert!(same("ᾳ", "ᾼ") && same("１２", "12"));
        assert!(!same("strasse", "straße") && !same("a", "b"));
        assert!(Collation::UnicodeCasemap.key("a") < Collation::UnicodeCasemap.key("B"));
        assert_eq!(Collation::AsciiCasemap.key("äb"), "äB");
        assert_eq!(Collation::Octet.key("aB"), "aB");
    }

    #[test]
    fn folding_joins_lines() {
        assert_eq!(Collation::UnicodeCasemap.fold("Two\r\n\t words "), "TWO WORDS ");
        assert_eq!(Collation::Octet.fold("a\u{a0}\nb"), "a b");
    }
}
