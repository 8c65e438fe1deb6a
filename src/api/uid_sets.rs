//! UID sets as the API writes them: `5`, `1,4,9`, `3:7`, `3:*` (`reference/http-api.md` §0.8).

use super::params::{Field, Params};
use crate::model::uid::{Uid, UidSet};
use serde_json::Value;

/// Characters of a UID set.
const CHARS_MAX: usize = 1024 * 1024;

/// Reads a UID set; lists and ranges are not mixed, a reversed range is turned, zero is no UID.
pub fn parse(text: &str) -> Option<UidSet> {
    if text.len() > CHARS_MAX {
        return None;
    }
    let uid = |text: &str| -> Option<Uid> {
        let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        text.parse().ok().filter(|uid| is_number && *uid > 0)
    };
    if let Some((first, last)) = text.split_once(':') {
        let last = if last == "*" { Uid::MAX } else { uid(last)? };
        return Some(UidSet::from_ranges(vec![(uid(first)?, last)]));
    }
    let uids = text.split(',').map(uid).collect::<Option<Vec<Uid>>>()?;
    Some(UidSet::from_ranges(uids.into_iter().map(|uid| (uid, uid)).collect()))
}

impl Params {
    /// A UID set; a number is a set of one.
    pub fn uid_set<'a>(&'a mut self, name: &'a str) -> Field<'a, UidSet> {
        self.parsed(
            name,
            "must be a UID, a list of UIDs, or a range of UIDs",
            |value| match value {
                Value::String(text) => parse(text.trim()),
                Value::Number(number) => parse(&number.to_string()),
                _ => None,
            },
        )
    }

    /// One UID.
    pub fn uid<'a>(&'a mut self, name: &'a str) -> Field<'a, Uid> {
        self.parsed(name, "must be an integer of at least 1", |value| {
            super::params::integer_of(value)
                .and_then(|number| Uid::try_from(number).ok())
                .filter(|uid| *uid > 0)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_have_the_forms_of_the_reference() {
        let shown = |text: &str| parse(text).map(|set| set.to_string());
        assert_eq!(shown("5").as_deref(), Some("5"));
        assert_eq!(shown("9,1,4,2").as_deref(), Some("1:2,4,9"));
        assert_eq!(shown("7:3").as_deref(), Some("3:7"));
        assert_eq!(shown("3:*").as_deref(), Some("3:4294967295"));
        for bad in
            ["", "0", "1,", ",1", "1:2,5", "*", "*:3", "1:2:3", "-1", "+1", "a", "1 2", "0:3"]
        {
            assert_eq!(shown(bad), None, "{bad}");
        }
        assert_eq!(shown("4294967296"), None);
    }
}
