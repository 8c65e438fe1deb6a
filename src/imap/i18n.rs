//! LANGUAGE and COMPARATOR (RFC 5255 §3, §4).
//!
//! Texts for people are English; `i-default` is the same, as RFC 2277 §4.5 asks.

use super::reply::{Outcome, Reply};
use super::session::Session;
use crate::codec::collation::Collation;
use crate::codec::imap::response_code::ResponseCode;

/// The languages of texts.
const LANGUAGES: [&str; 2] = ["EN", "i-default"];

impl Session {
    /// LANGUAGE: the first range that a language lies in.
    pub fn language(&mut self, ranges: &[String]) -> Outcome {
        if ranges.is_empty() {
            self.writer().language(&LANGUAGES);
            return Ok(Reply::ok("Languages listed"));
        }
        let chosen = ranges.iter().find_map(|range| {
            // RFC 5255 §3.2: "default" is the server's own choice
            let range = if range.eq_ignore_ascii_case("default") { "i-default" } else { range };
            LANGUAGES.into_iter().find(|language| is_in_range(language, range))
        });
        match chosen {
            Some(language) => {
                self.writer().language(&[language]);
                Ok(Reply::ok("Language chosen"))
            }
            None => {
                let text = "Texts are in English only".into();
                Err(Reply { status: super::reply::Status::No, code: None, text }.into())
            }
        }
    }

    /// COMPARATOR: the first argument that matches wins.
    pub fn comparator(&mut self, orders: &[String]) -> Outcome {
        if orders.is_empty() {
            let active = self.collation.name();
            self.writer().comparator(active, &[]);
            return Ok(Reply::ok("Comparator told"));
        }
        let mut matched: Vec<Collation> = Vec::new();
        for order in orders {
            for collation in Collation::ALL {
                if is_matched(collation, order) && !matched.contains(&collation) {
                    matched.push(collation);
                }
            }
        }
        let Some(first) = matched.first() else {
            return Err(Reply::no(ResponseCode::BadComparator, "No such comparator").into());
        };
        self.collation = *first;
        let names: Vec<&str> = matched.iter().map(|collation| collation.name()).collect();
        self.writer().comparator(first.name(), &names);
        Ok(Reply::ok("Comparator chosen"))
    }
}

/// RFC 4647 §3.3.1, basic filtering: `en-GB` is in `en`; a client that asks for `en-GB` is served
/// with `en` too (RFC 5255 §3.2).
fn is_in_range(language: &str, range: &str) -> bool {
    let (language, range) = (language.to_ascii_lowercase(), range.to_ascii_lowercase());
    range == "*"
        || range == language
        || language.strip_prefix(&range).is_some_and(|rest| rest.starts_with('-'))
        || range.strip_prefix(&language).is_some_and(|rest| rest.starts_with('-'))
}

/// `collation-selected` or `collation-order` (RFC 4790 §3.2): a name, perhaps with one `*` at an
/// end, or `default`. A leading `+` or `-` (§3.2 collation-order) only tells the direction.
fn is_matched(collation: Collation, order: &str) -> bool {
    if order.eq_ignore_ascii_case("default") {
        return collation == Collation::default();
    }
    let order = order.strip_prefix(['+', '-']).unwrap_or(order).to_ascii_lowercase();
    let name = collation.name();
    match order.split_once('*') {
        None => order == name,
        Some((start, end)) => {
            name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_languages() {
        assert!(is_in_range("EN", "en") && is_in_range("EN", "*") && is_in_range("EN", "en-GB"));
        assert!(is_in_range("i-default", "I-DEFAULT"));
        assert!(!is_in_range("EN", "de") && !is_in_range("EN", "e"));
    }

    #[test]
    fn names_of_comparators() {
        let matched = |order: &str| -> Vec<&str> {
            let all = Collation::ALL.into_iter().filter(|each| is_matched(*each, order));
            all.map(Collation::name).collect()
        };
        assert_eq!(matched("i;*casemap"), ["i;unicode-casemap", "i;ascii-casemap"]);
        assert_eq!(matched("i;OCTET"), ["i;octet"]);
        assert_eq!(matched("default"), ["i;unicode-casemap"]);
        assert_eq!(matched("cz;*"), Vec::<&str>::new());
    }
}
