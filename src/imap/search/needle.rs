//! PURE: a string that SEARCH looks for, exactly or as FUZZY allows (RFC 9051 §6.4.4, RFC 6203).
//!
//! How well a text matches is a score: 0 is no match, 100 the exact string, and between them lies
//! what only FUZZY accepts.

use crate::codec::collation::Collation;

/// The score of a match that leaves nothing to wish for.
pub const EXACT: u8 = 100;
/// The score of a word that begins with the wanted one.
const PREFIX: u8 = 80;
/// The scores of words with one and two typing mistakes.
const MISTAKES: [u8; 2] = [60, 30];
/// Words of a fuzzy string that are looked at.
const WORDS_MAX: usize = 16;
/// Characters of a word that may have mistakes; the table of distances is as wide.
const WORD_CHARS_MAX: usize = 32;

/// A string to look for, folded once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Needle {
    text: String,
    /// Its words, if any of them may be misspelt.
    words: Vec<Vec<char>>,
}

impl Needle {
    /// The folded form of what the client sent; `fuzzy`: as RFC 6203 allows.
    pub fn new(text: &str, collation: Collation, fuzzy: bool) -> Self {
        let text = collation.fold(text);
        let words = if fuzzy {
            words(&text).take(WORDS_MAX).map(|word| word.chars().collect()).collect()
        } else {
            Vec::new()
        };
        Self { text, words }
    }

    /// Whether it is the empty string, which is in every text.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// How well a folded text matches.
    pub fn score(&self, folded: &str) -> u8 {
        if memchr::memmem::find(folded.as_bytes(), self.text.as_bytes()).is_some() {
            return EXACT;
        }
        if self.words.is_empty() {
            return 0;
        }
        let mut total = 0usize;
        for word in &self.words {
            let best = words(folded).map(|other| similarity(word, other)).max().unwrap_or(0);
            if best == 0 {
                return 0;
            }
            total += usize::from(best);
        }
        // all words, but not the string itself: a little below the mean of the words
        let mean = total * 9 / (self.words.len() * 10);
        u8::try_from(mean).unwrap_or(EXACT).clamp(1, EXACT - 1)
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// How alike a word is to the wanted one.
fn similarity(wanted: &[char], word: &str) -> u8 {
    // short words with mistakes are other words
    let allowed = match wanted.len() {
        0..=3 => 0,
        4..=7 => 1,
        _ => 2,
    };
    let mut chars = word.chars();
    if wanted.iter().all(|c| chars.next() == Some(*c)) {
        return if chars.next().is_none() { EXACT } else { PREFIX };
    }
    // a character has at most four octets
    if allowed == 0
        || wanted.len() > WORD_CHARS_MAX
        || word.len() + allowed < wanted.len()
        || word.len() > (wanted.len() + allowed) * 4
    {
        return 0;
    }
    match distance(wanted, word, allowed) {
        Some(0) => EXACT,
        Some(mistakes) => MISTAKES.get(mistakes - 1).copied().unwrap_or(0),
        None => 0,
    }
}

/// Letters added, left out, exchanged or replaced between two words, if at most that many.
fn distance(wanted: &[char], word: &str, allowed: usize) -> Option<usize> {
    let width = wanted.len() + 1;
    let mut before_last = [0usize; WORD_CHARS_MAX + 1];
    let mut last: [usize; WORD_CHARS_MAX + 1] = std::array::from_fn(|place| place);
    let mut previous = None;
    let at = |row: &[usize], place: usize| row.get(place).copied().unwrap_or(usize::MAX / 2);
    for (line, c) in word.chars().enumerate() {
        let mut row = [usize::MAX / 2; WORD_CHARS_MAX + 1];
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
        for (place, own) in wanted.iter().enumerate() {
            let replaced = at(&last, place) + usize::from(*own != c);
            let added = at(&last, place + 1).min(at(&row, place)) + 1;
            let mut best = replaced.min(added);
            let before = place.checked_sub(1).and_then(|before| wanted.get(before));
            if line > 0 && before == Some(&c) && previous == Some(*own) {
                best = best.min(at(&before_last, place - 1) + 1);
            }
            if let Some(cell) = row.get_mut(place + 1) {
                *cell = best;
            }
        }
        if row.iter().take(width).min().is_none_or(|least| *least > allowed) && line > 0 {
            return None;
        }
        (before_last, last, previous) = (last, row, Some(c));
    }
    Some(at(&last, wanted.len())).filter(|mistakes| *mistakes <= allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(needle: &str, text: &str) -> u8 {
        let fold = |text| Collation::default().fold(text);
        Needle::new(needle, Collation::default(), true).score(&fold(text))
    }

    #[test]
    fn exact_strings() {
        let exact = |needle: &str| Needle::new(needle, Collation::default(), false);
        assert_eq!(exact("WORLD h").score(&Collation::default().fold("Hello world, hi")), 0);
        assert_eq!(exact("lo  W").score(&Collation::default().fold("Hello\r\n world")), EXACT);
        assert_eq!(exact("").score(""), EXACT);
        assert_eq!(exact("wrold").score("WORLD"), 0);
    }

    #[test]
    fn fuzzy_strings() {
        assert_eq!(score("hello", "well, hello there"), EXACT);
        let swapped = score("wrold hello", "Hello world");
        let typo = score("helo", "hello");
        let two = score("accommodation", "acomodation");
        assert!(swapped > 0 && swapped < EXACT && typo > 0 && two > 0, "{swapped} {typo} {two}");
        assert!(
            score("meeting", "meetings") == EXACT && score("meet friday", "friday meeting") > typo
        );
        assert!(typo > two);
        for (needle, text) in
            [("cat", "car"), ("hello", "help"), ("hello world", "hello"), ("x", "")]
        {
            assert_eq!(score(needle, text), 0, "{needle} {text}");
        }
    }

    #[test]
    fn distances_are_those_of_a_naive_model() {
        fn naive(a: &[char], b: &[char]) -> usize {
            match (a.split_last(), b.split_last()) {
                (None, _) => b.len(),
                (_, None) => a.len(),
                (Some((x, a_rest)), Some((y, b_rest))) => {
                    let mut best = (naive(a_rest, b_rest) + usize::from(x != y))
                        .min(naive(a_rest, b) + 1)
                        .min(naive(a, b_rest) + 1);
                    if let (Some((v, a_rest)), Some((w, b_rest))) =
                        (a_rest.split_last(), b_rest.split_last())
                        && x == w
                        && y == v
                    {
                        best = best.min(naive(a_rest, b_rest) + 1);
                    }
                    best
                }
            }
        }
        let letters = ['a', 'b'];
        let word = |bits: usize, count: usize| -> Vec<char> {
            (0..count).map(|at| letters[bits >> at & 1]).collect()
        };
        for (left, right) in (0..64).flat_map(|left| (0..64).map(move |right| (left, right))) {
            let (a, b) = (word(left, 5), word(right, 4 + right % 3));
            let expected = Some(naive(&a, &b)).filter(|mistakes| *mistakes <= 2);
            assert_eq!(distance(&a, &b.iter().collect::<String>(), 2), expected, "{a:?} {b:?}");
        }
    }
}
