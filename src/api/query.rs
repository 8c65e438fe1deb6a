//! `application/x-www-form-urlencoded` text: query strings and form bodies.
//!
//! In queries dotted names nest (`or.from=x`), in bodies they do not; `name[]=` and a repeated
//! name make lists (`reference/http-api.md` §0.1).

use serde_json::{Map, Value};

/// Pairs of one query or form; more are dropped silently by nobody: it is refused.
pub const PAIRS_MAX: usize = 2000;
/// Levels a dotted name may nest.
pub const LEVELS_MAX: usize = 8;

/// Reads the pairs into a bag; `nested` lets dots nest.
///
/// # Errors
/// The reason, in words for the user.
pub fn parse(text: &[u8], nested: bool) -> Result<Map<String, Value>, &'static str> {
    let mut bag = Map::new();
    for (count, pair) in text.split(|octet| *octet == b'&').enumerate() {
        if count >= PAIRS_MAX {
            return Err("too many parameters");
        }
        if pair.is_empty() {
            continue;
        }
        let mut halves = pair.splitn(2, |octet| *octet == b'=');
        let name = decode(halves.next().unwrap_or_default())?;
        let value = decode(halves.next().unwrap_or_default())?;
        put(&mut bag, &name, value, if nested { LEVELS_MAX } else { 0 });
    }
    Ok(bag)
}

/// Puts one value under its name; further ones of the same name make a list.
pub fn put(bag: &mut Map<String, Value>, name: &str, value: String, levels: usize) {
    if let Some((outer, inner)) =
        name.split_once('.').filter(|(a, b)| !a.is_empty() && !b.is_empty())
        && levels > 0
    {
        let entry = bag.entry(outer).or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(fields) = entry {
            put(fields, inner, value, levels - 1);
        }
        return;
    }
    let (name, is_list) = name.strip_suffix("[]").map_or((name, false), |name| (name, true));
    let value = Value::String(value);
    match bag.get_mut(name) {
        None if is_list => {
            bag.insert(name.to_owned(), Value::Array(vec![value]));
        }
        None => {
            bag.insert(name.to_owned(), value);
        }
        Some(Value::Array(items)) => items.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
    }
}

/// Undoes percent-encoding; `+` is a space.
fn decode(text: &[u8]) -> Result<String, &'static str> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        match first {
            b'+' => octets.push(b' '),
            b'%' => match hex_pair(tail) {
                Some(octet) => {
                    octets.push(octet);
                    rest = tail.get(2..).unwrap_or_default();
                }
                None => octets.push(b'%'),
            },
            octet => octets.push(*octet),
        }
    }
    String::from_utf8(octets).map_err(|_| "a parameter is not UTF-8")
}

fn hex_pair(text: &[u8]) -> Option<u8> {
    let digit = |octet: &u8| char::from(*octet).to_digit(16);
    let (high, low) = (digit(text.first()?)?, digit(text.get(1)?)?);
    u8::try_from(high * 16 + low).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn dots_nest_and_lists_grow() {
        let bag =
            parse(b"or.from=a%40b&or.to=x+y&tags[]=1&tags[]=2&n=1&n=2&z&%zz=%4", true).unwrap();
        let expected = json!({"or": {"from": "a@b", "to": "x y"}, "tags": ["1", "2"],
            "n": ["1", "2"], "z": "", "%zz": "%4"});
        assert_eq!(Value::Object(bag), expected);
        assert_eq!(Value::Object(parse(b"a.b=1", false).unwrap()), json!({"a.b": "1"}));
        assert!(parse(b"a=%ff", true).is_err());
    }
}
