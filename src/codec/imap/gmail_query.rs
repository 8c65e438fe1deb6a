//! X-GM-RAW: Gmail's search words as search keys (X-GM-EXT-1; the operators are those of Gmail's
//! help page "Search operators").
//!
//! Total: whatever cannot be read as an operator is looked for as text, as Gmail does.

use super::date_time::Day;
use super::search::SearchKey;
use crate::model::flag::Flag;
use crate::model::limits::IMAP_NESTING_MAX;

/// The key of a query. Terms side by side must all match; an empty query matches everything.
pub(super) fn parse(query: &str) -> SearchKey {
    let mut reader = Reader { rest: query };
    let mut keys = Vec::new();
    while !reader.rest.is_empty() {
        keys.push(reader.all(0));
        // a closing bracket that nothing opened
        reader.rest = reader.rest.get(1..).unwrap_or_default();
    }
    all_of(keys)
}

fn all_of(mut keys: Vec<SearchKey>) -> SearchKey {
    match (keys.len(), keys.pop()) {
        (_, None) => SearchKey::All,
        (1, Some(key)) => key,
        (_, Some(key)) => {
            keys.push(key);
            SearchKey::And(keys)
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    /// Terms up to a closing bracket. `OR` joins its neighbours and binds closest.
    fn all(&mut self, depth: usize) -> SearchKey {
        let mut keys: Vec<SearchKey> = Vec::new();
        let mut joins = false;
        loop {
            self.rest = self.rest.trim_start();
            if self.rest.is_empty() || self.rest.starts_with([')', '}']) {
                return all_of(keys);
            }
            if let Some(rest) = self.rest.strip_prefix("OR ").filter(|_| !keys.is_empty()) {
                (self.rest, joins) = (rest, true);
                continue;
            }
            let Some(key) = self.term(depth) else { continue };
            match (std::mem::take(&mut joins), keys.pop()) {
                (true, Some(SearchKey::Or(mut either))) => {
                    either.push(key);
                    keys.push(SearchKey::Or(either));
                }
                (true, Some(before)) => keys.push(SearchKey::Or(vec![before, key])),
                (false, before) => keys.extend(before.into_iter().chain([key])),
                (true, None) => keys.push(key),
            }
        }
    }

    /// `-term`, `(terms)`, `{any of these}`, `operator:value`, a word or `"words"`.
    fn term(&mut self, depth: usize) -> Option<SearchKey> {
        if depth < IMAP_NESTING_MAX {
            if let Some(rest) = self.rest.strip_prefix('-').filter(|rest| is_start(rest)) {
                self.rest = rest;
                return Some(SearchKey::Not(Box::new(self.term(depth + 1)?)));
            }
            if let Some(rest) = self.rest.strip_prefix(['(', '{']) {
                let is_any = self.rest.starts_with('{');
                self.rest = rest;
                let key = self.all(depth + 1);
                self.rest = self.rest.get(1..).unwrap_or_default();
                return Some(match key {
                    SearchKey::And(keys) if is_any => SearchKey::Or(keys),
                    key => key,
                });
            }
        }
        let word = self.word();
        let value = if self.rest.starts_with(':') {
            self.rest = self.rest.get(1..).unwrap_or_default();
            Some(self.word_or_words(depth))
        } else {
            None
        };
        match value {
            Some(values) => Some(all_of(
                values.iter().map(|value| operator(&word.to_ascii_lowercase(), value)).collect(),
            )),
            None if word.is_empty() => {
                // an opening bracket too deep, or a lone sign
                let mut chars = self.rest.chars();
                chars.next();
                self.rest = chars.as_str();
                None
            }
            None => Some(SearchKey::Text(word.to_owned())),
        }
    }

    /// The value of an operator; `subject:(a b)` has several.
    fn word_or_words(&mut self, depth: usize) -> Vec<&'a str> {
        let Some(rest) = self.rest.strip_prefix('(').filter(|_| depth < IMAP_NESTING_MAX) else {
            return vec![self.value()];
        };
        self.rest = rest;
        let mut values = Vec::new();
        loop {
            self.rest = self.rest.trim_start();
            if self.rest.is_empty() {
                return values;
            }
            if let Some(rest) = self.rest.strip_prefix(')') {
                self.rest = rest;
                return values;
            }
            match self.value() {
                "" => self.rest = self.rest.get(1..).unwrap_or_default(),
                value => values.push(value),
            }
        }
    }

    /// A word up to white space, a bracket or a colon; or what stands in quotes.
    fn word(&mut self) -> &'a str {
        self.until(&[':', '(', ')', '{', '}', '"'])
    }

    /// As a word, with colons.
    fn value(&mut self) -> &'a str {
        self.until(&['(', ')', '{', '}', '"'])
    }

    fn until(&mut self, ends: &[char]) -> &'a str {
        if let Some(rest) = self.rest.strip_prefix('"') {
            let (quoted, rest) = rest.split_once('"').unwrap_or((rest, ""));
            self.rest = rest;
            return quoted;
        }
        let end = self.rest.find(|c: char| c.is_whitespace() || ends.contains(&c));
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        word
    }
}

fn is_start(rest: &str) -> bool {
    rest.starts_with(|c: char| !c.is_whitespace() && c != '-')
}

fn header(name: &str, text: &str) -> SearchKey {
    SearchKey::Header { name: name.to_owned(), text: text.to_owned() }
}

/// `operator:value`; an unknown one is text.
fn operator(name: &str, value: &str) -> SearchKey {
    let known = match name {
        "from" | "to" | "cc" | "bcc" | "subject" => Some(header(name, value)),
        "list" => Some(header("list-id", value)),
        "deliveredto" => Some(header("delivered-to", value)),
        "rfc822msgid" => Some(header("message-id", value)),
        // names of files stand in the MIME headers, which TEXT reads
        "filename" => Some(SearchKey::Text(value.to_owned())),
        "label" => Some(SearchKey::GmailLabel(value.to_owned())),
        "has" => has(value),
        "is" => state(value),
        "in" => Some(place(value)),
        "larger" | "size" => {
            octets(value).map(|octets| SearchKey::Larger(octets.saturating_sub(1)))
        }
        "smaller" => octets(value).map(SearchKey::Smaller),
        "after" | "newer" => day(value).map(SearchKey::Since),
        "before" | "older" => day(value).map(SearchKey::Before),
        "older_than" => age_s(value).map(SearchKey::Older),
        "newer_than" => age_s(value).map(SearchKey::Younger),
        _ => None,
    };
    known.unwrap_or_else(|| SearchKey::Text(format!("{name}:{value}")))
}

fn has(value: &str) -> Option<SearchKey> {
    match value.to_ascii_lowercase().as_str() {
        "attachment" => Some(SearchKey::HasAttachment),
        _ => None,
    }
}

fn state(value: &str) -> Option<SearchKey> {
    Some(match value.to_ascii_lowercase().as_str() {
        "unread" => SearchKey::Flag(Flag::Seen, false),
        "read" => SearchKey::Flag(Flag::Seen, true),
        "starred" => SearchKey::Flag(Flag::Flagged, true),
        "important" => SearchKey::GmailLabel("\\Important".to_owned()),
        _ => return None,
    })
}

fn place(value: &str) -> SearchKey {
    let label = match value.to_ascii_lowercase().as_str() {
        "anywhere" => return SearchKey::All,
        "unread" | "read" => return state(value).unwrap_or(SearchKey::All),
        "inbox" => "\\Inbox",
        "trash" => "\\Trash",
        "spam" => "\\Spam",
        "sent" => "\\Sent",
        "draft" | "drafts" => "\\Draft",
        "starred" => "\\Starred",
        "important" => "\\Important",
        _ => value,
    };
    SearchKey::GmailLabel(label.to_owned())
}

/// A number of octets, with `K` or `M` behind it.
fn octets(value: &str) -> Option<u64> {
    let (digits, unit) = match value.strip_suffix(['k', 'K']) {
        Some(digits) => (digits, 1024),
        None => match value.strip_suffix(['m', 'M']) {
            Some(digits) => (digits, 1024 * 1024),
            None => (value, 1),
        },
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// `2024/12/31`, `2024-12-31` or seconds since 1970.
fn day(value: &str) -> Option<Day> {
    if let Ok(seconds) = value.parse::<i64>()
        && value.len() > 4
    {
        return Some(Day::of(seconds.checked_mul(1000)?));
    }
    let mut fields = value.splitn(3, ['/', '-']);
    let mut next = || fields.next()?.parse::<u32>().ok();
    let (year, month, date) = (next()?, next()?, next()?);
    Day::from_date(i32::try_from(year).ok()?, month, date)
}

/// `3d`, `2m`, `1y`: an age in seconds; months have 30 days and years 365.
fn age_s(value: &str) -> Option<u32> {
    let (at, unit) = value.char_indices().next_back()?;
    let days = match unit.to_ascii_lowercase() {
        'd' => 1,
        'w' => 7,
        'm' => 30,
        'y' => 365,
        _ => return None,
    };
    value.get(..at)?.parse::<u32>().ok()?.checked_mul(days)?.checked_mul(86_400)
}

#[cfg(test)]
mod tests {
    use super::*;
    use SearchKey::{And, GmailLabel, Not, Or, Text};

    fn text(word: &str) -> SearchKey {
        Text(word.to_owned())
    }

    #[test]
    fn operators_are_keys() {
        for (query, key) in [
            ("", SearchKey::All),
            ("hello", text("hello")),
            ("\"two words\"", text("two words")),
            ("from:Ann", header("from", "Ann")),
            ("subject:(a b)", And(vec![header("subject", "a"), header("subject", "b")])),
            ("subject:\"a b\"", header("subject", "a b")),
            ("-from:ann", Not(Box::new(header("from", "ann")))),
            ("a OR b c", And(vec![Or(vec![text("a"), text("b")]), text("c")])),
            ("a OR b OR c", Or(vec![text("a"), text("b"), text("c")])),
            ("{a b}", Or(vec![text("a"), text("b")])),
            ("-(a b)", Not(Box::new(And(vec![text("a"), text("b")])))),
            ("has:attachment", SearchKey::HasAttachment),
            ("is:unread", SearchKey::Flag(Flag::Seen, false)),
            ("label:work", GmailLabel("work".into())),
            ("in:inbox", GmailLabel("\\Inbox".into())),
            ("larger:10M", SearchKey::Larger(10 * 1024 * 1024 - 1)),
            ("smaller:1k", SearchKey::Smaller(1024)),
            ("after:2004/04/16", SearchKey::Since(Day::from_date(2004, 4, 16).unwrap())),
            ("before:1082073600", SearchKey::Before(Day::from_date(2004, 4, 16).unwrap())),
            ("older_than:1y", SearchKey::Older(365 * 86_400)),
            ("newer_than:2d", SearchKey::Younger(2 * 86_400)),
            ("what:ever", text("what:ever")),
            ("12:30", text("12:30")),
            ("OR", text("OR")),
        ] {
            assert_eq!(parse(query), key, "{query}");
        }
    }

    #[test]
    fn any_query_is_read() {
        for query in [
            ")",
            "(((",
            "a)b",
            "-",
            "--a",
            "from:",
            ":",
            "\"",
            "{",
            "a OR",
            "OR OR OR",
            "(:)",
            "subject:(",
            "subject:((a)",
            "larger:x",
            "-\"\"",
            "(}{)",
        ] {
            parse(query);
        }
        parse(&"(".repeat(10_000));
        parse(&"-a".repeat(10_000));
        parse(&"subject:(".repeat(10_000));
    }
}
