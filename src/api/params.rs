//! The parameters of one request: path, query and body in one bag, read with types.
//!
//! Every reader notes its failure and goes on, so that [`Params::finish`] reports all of them at
//! once. A required value that is missing reads as a blank; it cannot be used by mistake, because
//! only `finish` hands out the [`Caller`] that every operation needs. Knows no operation.

use super::access::Caller;
use super::page::PageRequest;
use super::problem::Problem;
use crate::auth::log::AuthEvent;
use crate::model::id::{Id, UserId};
use bytes::Bytes;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::RangeInclusive;

/// Octets of a `metaData` or `internalData` object, serialised.
pub const JSON_OCTETS_MAX: usize = 1024 * 1024;
/// Items of a list parameter.
pub const LIST_ITEMS_MAX: usize = 1000;

/// What to do with parameters nobody has read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unknown {
    /// They are failures.
    Rejected,
    /// They are dropped.
    Ignored,
}

/// A file of a multipart body, or a body that is not a form.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Upload {
    /// Its name, if the client gave one.
    pub filename: Option<String>,
    /// Its media type, without parameters, lowercase.
    pub content_type: String,
    /// Its octets.
    pub content: Bytes,
}

/// Who calls, for logs: `sess` and `ip` of the caller's own client.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Session {
    /// The caller's session id.
    pub sess: Option<String>,
    /// The end user's address.
    pub ip: Option<IpAddr>,
}

impl Session {
    /// An event of the user's log, done by this session.
    pub fn event(&self, action: &'static str) -> AuthEvent {
        AuthEvent { action, sess: self.sess.clone(), ip: self.ip, ..AuthEvent::default() }
    }
}

/// The bag.
#[derive(Debug)]
pub struct Params {
    caller: Caller,
    values: Map<String, Value>,
    files: BTreeMap<String, Upload>,
    body: Option<Upload>,
    read: BTreeSet<String>,
    failures: BTreeMap<String, String>,
}

/// A value of nothing, returned for a required parameter that failed; `finish` then refuses.
pub trait Blank {
    /// The value.
    fn blank() -> Self;
}
impl<T: Default> Blank for T {
    fn blank() -> Self {
        T::default()
    }
}
impl<K> Blank for Id<K> {
    fn blank() -> Self {
        Self::from_octets([0; 12])
    }
}

/// One read parameter, before it is known whether it may be absent.
#[must_use]
#[derive(Debug)]
pub struct Field<'a, T> {
    params: &'a mut Params,
    name: &'a str,
    value: Option<T>,
    failed: bool,
}

impl<T> Field<'_, T> {
    /// The value; absence is a failure.
    pub fn required(self) -> T
    where
        T: Blank,
    {
        if self.value.is_none() && !self.failed {
            self.params.fail(self.name, format!("\"{}\" is required", self.name));
        }
        self.value.unwrap_or_else(T::blank)
    }

    /// The value if it is there.
    pub fn optional(self) -> Option<T> {
        self.value
    }

    /// The value or this one.
    pub fn or(self, default: T) -> T {
        self.value.unwrap_or(default)
    }
}

impl Params {
    /// A bag; `values` are merged already (path before query before body).
    pub fn new(
        caller: Caller,
        values: Map<String, Value>,
        files: BTreeMap<String, Upload>,
        body: Option<Upload>,
    ) -> Self {
        let (read, failures) = (BTreeSet::new(), BTreeMap::new());
        Self { caller, values, files, body, read, failures }
    }

    /// Ends reading: all failures at once, or the caller.
    ///
    /// # Errors
    /// 400 `InputValidationError` with every failure under its path.
    pub fn finish(mut self, unknown: Unknown) -> Result<Caller, Problem> {
        if unknown == Unknown::Rejected {
            let names = self.values.keys().chain(self.files.keys());
            let left: Vec<String> =
                names.filter(|name| !self.read.contains(*name)).cloned().collect();
            for name in left {
                self.fail(&name, format!("\"{name}\" is not allowed"));
            }
        }
        if self.failures.is_empty() {
            return Ok(self.caller);
        }
        Err(Problem::validation(self.failures))
    }

    /// The caller, before all parameters are known to be good: for refusing early only.
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Notes a failure; the first one of a path stays.
    pub fn fail(&mut self, path: &str, message: impl Into<String>) {
        self.failures.entry(path.to_owned()).or_insert_with(|| message.into());
    }

    /// Whether the parameter was sent at all, even empty.
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// Refuses parameters of features this store does not have yet, unless they say nothing:
    /// absent, empty, false, an empty list.
    pub fn not_supported_yet(&mut self, names: &[&str]) {
        for name in names {
            let says_something = match self.take(name) {
                None | Some(Value::Null | Value::Bool(false)) => false,
                Some(Value::String(text)) => !matches!(text.as_str(), "" | "false" | "no" | "0"),
                Some(Value::Array(items)) => !items.is_empty(),
                Some(Value::Object(fields)) => !fields.is_empty(),
                Some(Value::Bool(true)) => true,
                Some(Value::Number(number)) => number.as_f64() != Some(0.0),
            };
            if says_something {
                self.fail(name, format!("\"{name}\" is not supported yet"));
            }
        }
    }

    /// Drops all parameters but these, silently: a role may not set the others (§0.4).
    pub fn keep(&mut self, names: &[&str]) {
        self.values.retain(|name, _| names.contains(&name.as_str()));
        self.files.retain(|name, _| names.contains(&name.as_str()));
    }

    /// Takes the value as it was sent.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.read.insert(name.to_owned());
        self.values.get_mut(name).map(Value::take)
    }

    /// Takes a file of a multipart body.
    pub fn take_file(&mut self, name: &str) -> Option<Upload> {
        self.read.insert(name.to_owned());
        self.files.remove(name)
    }

    /// Takes a body that was no form: `message/rfc822`, text, an image.
    pub fn take_body(&mut self) -> Option<Upload> {
        self.body.take()
    }

    /// The path's `user`, with `me` for the caller himself.
    pub fn user(&mut self) -> UserId {
        if self.values.get("user").and_then(Value::as_str) != Some("me") {
            return self.id("user").required();
        }
        self.read.insert("user".to_owned());
        match self.caller.user() {
            Some(user) => user,
            None => {
                self.fail("user", "\"user\" is \"me\", but the token belongs to no user");
                UserId::blank()
            }
        }
    }

    /// `sess` and `ip`, which most operations accept.
    pub fn session(&mut self) -> Session {
        let sess = self.text("sess", 255).optional();
        let ip = self.parsed("ip", "must be an IP address", |value| {
            value.as_str().and_then(|text| text.parse().ok())
        });
        Session { ip: ip.optional(), sess }
    }

    /// `limit`, `next` and `previous`.
    pub fn page(&mut self) -> PageRequest {
        let limit = self.integer("limit", 1..=250).or(20);
        let mut cursor = |name: &str| {
            let text = self.text(name, 1024).optional()?;
            let is_clean =
                |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
            if !text.bytes().all(is_clean) {
                self.fail(name, format!("\"{name}\" is not a cursor"));
            }
            Some(text)
        };
        let (next, previous) = (cursor("next"), cursor("previous"));
        PageRequest { limit: usize::try_from(limit).unwrap_or(20), next, previous }
    }

    /// An identifier of 24 hex digits.
    pub fn id<'a, K>(&'a mut self, name: &'a str) -> Field<'a, Id<K>> {
        self.parsed(name, "must be 24 hexadecimal digits", |value| {
            value.as_str().and_then(|text| text.to_ascii_lowercase().parse().ok())
        })
    }

    /// A boolean in any of its spellings.
    pub fn boolean<'a>(&'a mut self, name: &'a str) -> Field<'a, bool> {
        self.parsed(name, "must be a boolean", boolean_of)
    }

    /// An integer, also as text.
    pub fn integer<'a>(&'a mut self, name: &'a str, bounds: RangeInclusive<i64>) -> Field<'a, i64> {
        let (low, high) = (*bounds.start(), *bounds.end());
        let expected = match (low, high) {
            (low, i64::MAX) => format!("must be an integer of at least {low}"),
            (low, high) => format!("must be an integer from {low} to {high}"),
        };
        self.parsed(name, &expected, |value| integer_of(value).filter(|n| bounds.contains(n)))
    }

    /// A count or size from 0 upwards.
    pub fn count<'a>(&'a mut self, name: &'a str) -> Field<'a, u64> {
        self.parsed(name, "must be an integer of at least 0", |value| {
            integer_of(value).and_then(|n| u64::try_from(n).ok())
        })
    }

    /// Milliseconds since 1970 from ISO 8601 text, RFC 2822 text, or a number of them.
    pub fn date<'a>(&'a mut self, name: &'a str) -> Field<'a, i64> {
        self.parsed(name, "must be a date", date_of)
    }

    /// Text of at most so many characters; empty means absent.
    pub fn text<'a>(&'a mut self, name: &'a str, chars_max: usize) -> Field<'a, String> {
        let expected = format!("must be text of at most {chars_max} characters");
        self.parsed(name, &expected, |value| match value {
            Value::String(text) if text.chars().count() <= chars_max => Some(text.clone()),
            _ => None,
        })
    }

    /// Text where empty is a value of its own.
    pub fn text_or_empty<'a>(&'a mut self, name: &'a str, chars_max: usize) -> Field<'a, String> {
        if self.values.get(name).and_then(Value::as_str) == Some("") {
            self.read.insert(name.to_owned());
            return Field { params: self, name, value: Some(String::new()), failed: false };
        }
        self.text(name, chars_max)
    }

    /// One of these words, in any case.
    pub fn choice<'a>(&'a mut self, name: &'a str, words: &[&'static str]) -> Field<'a, String> {
        let expected = format!("must be one of {}", words.join(", "));
        self.parsed(name, &expected, |value| {
            let text = value.as_str()?;
            words.iter().find(|word| word.eq_ignore_ascii_case(text)).map(|word| (*word).to_owned())
        })
    }

    /// An object, or the JSON text of one, of at most [`JSON_OCTETS_MAX`]; as JSON text.
    pub fn json<'a>(&'a mut self, name: &'a str) -> Field<'a, String> {
        self.parsed(name, "must be an object, or JSON text of one, of at most 1 MiB", |value| {
            let object = match value {
                Value::Object(fields) => Value::Object(fields.clone()),
                Value::String(text) => {
                    serde_json::from_str(text).ok().filter(|value: &Value| value.is_object())?
                }
                _ => return None,
            };
            Some(object.to_string()).filter(|text| text.len() <= JSON_OCTETS_MAX)
        })
    }

    /// A list of texts of at most so many characters.
    pub fn texts<'a>(&'a mut self, name: &'a str, chars_max: usize) -> Field<'a, Vec<String>> {
        let expected = format!("must be a list of texts of at most {chars_max} characters");
        self.each(name, &expected, |item| {
            let text = item.as_str().filter(|text| text.chars().count() <= chars_max);
            text.map(str::to_owned).ok_or_else(String::new)
        })
    }

    /// A list whose items a function understands; it names the part of an item that it does not,
    /// or nothing for the whole of it.
    pub fn each<'a, T>(
        &'a mut self,
        name: &'a str,
        expected: &str,
        parse: impl Fn(&Value) -> std::result::Result<T, String>,
    ) -> Field<'a, Vec<T>> {
        self.parsed_in(name, expected, |value| {
            let items = value.as_array().filter(|items| items.len() <= LIST_ITEMS_MAX);
            let at = |index: usize, part: String| match part.as_str() {
                "" => index.to_string(),
                part => format!("{index},{part}"),
            };
            let items = items.ok_or_else(String::new)?.iter().enumerate();
            items.map(|(index, item)| parse(item).map_err(|part| at(index, part))).collect()
        })
    }

    /// An object, as its fields.
    pub fn object<'a>(&'a mut self, name: &'a str) -> Field<'a, Map<String, Value>> {
        self.parsed(name, "must be an object", |value| value.as_object().cloned())
    }

    /// A value that a function understands; empty text is absent.
    pub fn parsed<'a, T>(
        &'a mut self,
        name: &'a str,
        expected: &str,
        parse: impl FnOnce(&Value) -> Option<T>,
    ) -> Field<'a, T> {
        self.parsed_in(name, expected, |value| parse(value).ok_or_else(String::new))
    }

    /// The same, where the function names the part it does not understand (`0,address`), or
    /// nothing for the whole: §0.3 has failures under the path of the part.
    pub fn parsed_in<'a, T>(
        &'a mut self,
        name: &'a str,
        expected: &str,
        parse: impl FnOnce(&Value) -> std::result::Result<T, String>,
    ) -> Field<'a, T> {
        let Some(sent) = self.take(name).filter(|value| value.as_str() != Some("")) else {
            return Field { params: self, name, value: None, failed: false };
        };
        match parse(&sent) {
            Ok(value) => Field { params: self, name, value: Some(value), failed: false },
            Err(part) => {
                let path = if part.is_empty() { name.to_owned() } else { format!("{name},{part}") };
                self.fail(&path, format!("\"{name}\" {expected}"));
                Field { params: self, name, value: None, failed: true }
            }
        }
    }
}

/// A boolean in the spellings the API accepts.
pub fn boolean_of(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::Number(number) if number.as_f64() == Some(1.0) => Some(true),
        Value::Number(number) if number.as_f64() == Some(0.0) => Some(false),
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "y" | "on" | "1" => Some(true),
            "false" | "no" | "n" | "off" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// An integer or the text of one.
pub fn integer_of(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => {
            let text = text.trim();
            text.parse().ok().or_else(|| whole(text.parse().ok()?))
        }
        _ => None,
    }
}

/// The integer a float stands for, within the range floats count exactly.
#[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0).then_some(number as i64)
}

/// Milliseconds since 1970.
pub fn date_of(value: &Value) -> Option<i64> {
    if let Some(milliseconds) = integer_of(value) {
        return Some(milliseconds);
    }
    let text = value.as_str()?.trim();
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Some(instant.as_millisecond());
    }
    if let Ok(instant) = jiff::fmt::rfc2822::parse(text) {
        return Some(instant.timestamp().as_millisecond());
    }
    let date_time = text
        .parse::<jiff::civil::DateTime>()
        .or_else(|_| text.parse::<jiff::civil::Date>().map(|date| date.at(0, 0, 0, 0)))
        .ok()?;
    Some(date_time.in_tz("UTC").ok()?.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests;
