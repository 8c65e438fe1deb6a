//! The fields a message is composed from, read from a request.

use super::params::{LIST_ITEMS_MAX, Params, integer_of};
use crate::codec::mime::build::{Draft, Encoding, NewAttachment, is_writable};
use crate::model::id::MailboxId;
use crate::model::structure::NamedAddress;
use crate::model::uid::Uid;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Characters of a subject.
const SUBJECT_CHARS_MAX: usize = 2048;
/// Characters of text or HTML.
const TEXT_CHARS_MAX: usize = 1_048_576;
/// Characters of names and keys.
const NAME_CHARS_MAX: usize = 255;
/// Octets of a further header field.
const HEADER_OCTETS_MAX: usize = 100 * 1024;
/// What clients write: with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// An address.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes the body; `Params` reads it")]
pub struct AddressRequest {
    /// Display name.
    name: Option<String>,
    /// Address.
    address: String,
}

/// A further header field.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes the body; `Params` reads it")]
pub struct HeaderRequest {
    /// Name.
    key: Option<String>,
    /// Value.
    value: Option<String>,
}

/// An attachment.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes the body; `Params` reads it")]
pub struct AttachmentRequest {
    /// Its octets.
    content: String,
    /// How they are written: `base64` (default), `hex` or `utf8`.
    encoding: Option<String>,
    /// File name.
    filename: Option<String>,
    /// Media type.
    content_type: Option<String>,
    /// Content-ID, for pictures in HTML.
    cid: Option<String>,
    /// `base64` or `quoted-printable`.
    content_transfer_encoding: Option<String>,
    /// `inline` or `attachment`.
    content_disposition: Option<String>,
}

/// The message that is replaced.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes the body; `Params` reads it")]
pub struct PreviousRequest {
    /// Its mailbox; default: the same.
    mailbox: Option<String>,
    /// Its UID.
    id: u32,
}

/// A message to store.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes the body; `Params` reads it")]
pub struct UploadMessageRequest {
    /// Internal date; default now.
    date: Option<String>,
    /// Store without `\Seen`.
    unseen: Option<bool>,
    /// Store with `\Flagged`.
    flagged: Option<bool>,
    /// Store with `\Draft`.
    draft: Option<bool>,
    /// The whole message as text; wins over the fields.
    raw: Option<String>,
    /// From.
    from: Option<AddressRequest>,
    /// Reply-To.
    reply_to: Option<AddressRequest>,
    /// To.
    to: Option<Vec<AddressRequest>>,
    /// Cc.
    cc: Option<Vec<AddressRequest>>,
    /// Bcc.
    bcc: Option<Vec<AddressRequest>>,
    /// Further header fields.
    headers: Option<Vec<HeaderRequest>>,
    /// Subject.
    subject: Option<String>,
    /// Text; made from the HTML if missing.
    text: Option<String>,
    /// HTML; `data:` pictures become inline attachments.
    html: Option<String>,
    /// Attachments.
    attachments: Option<Vec<AttachmentRequest>>,
    /// Ids of stored files to attach.
    files: Option<Vec<String>>,
    /// The caller's own data.
    #[schema(value_type = Object)]
    meta_data: Option<Value>,
    /// A message that is deleted after this one is stored.
    replace_previous: Option<PreviousRequest>,
}

/// A message read from its fields.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Composed {
    /// What to compose; From, date and Message-ID are completed by the caller.
    pub draft: Draft,
}

impl Composed {
    /// Reads all fields.
    pub fn read(params: &mut Params) -> Self {
        let draft = Draft {
            from: address(params, "from"),
            reply_to: address(params, "replyTo"),
            to: addresses(params, "to"),
            cc: addresses(params, "cc"),
            bcc: addresses(params, "bcc"),
            subject: params.text("subject", SUBJECT_CHARS_MAX).optional(),
            headers: headers(params),
            text: params.text("text", TEXT_CHARS_MAX).optional(),
            html: params.text("html", TEXT_CHARS_MAX).optional(),
            attachments: attachments(params),
            ..Draft::default()
        };
        Self { draft }
    }

    /// Whether nothing was given.
    pub fn is_empty(&self) -> bool {
        self.draft == Draft::default()
    }
}

/// Reads `replacePrevious`.
pub fn previous(params: &mut Params) -> Option<(Option<MailboxId>, Uid)> {
    let expected = "must have an id of at least 1 and, if any, a mailbox of 24 hexadecimal digits";
    let read = |value: &Value| {
        let fields = value.as_object()?;
        let mailbox = match text_of(fields, "mailbox", 24)? {
            Some(id) => Some(id.to_ascii_lowercase().parse().ok()?),
            None => None,
        };
        let uid = Uid::try_from(integer_of(fields.get("id")?)?).ok().filter(|uid| *uid > 0)?;
        only(fields, &["mailbox", "id"]).then_some((mailbox, uid))
    };
    params.parsed("replacePrevious", expected, read).optional()
}

fn only(fields: &Map<String, Value>, names: &[&str]) -> bool {
    fields.keys().all(|name| names.contains(&name.as_str()))
}

/// Text of an object's field: `Some(None)` when absent or empty, `None` when it is no text or too
/// long.
fn text_of(fields: &Map<String, Value>, name: &str, chars_max: usize) -> Option<Option<String>> {
    match fields.get(name) {
        None => Some(None),
        Some(Value::String(text)) if text.is_empty() => Some(None),
        Some(Value::String(text)) if text.chars().count() <= chars_max => Some(Some(text.clone())),
        Some(_) => None,
    }
}

/// An object's field as text, or its name as what is wrong.
fn field(fields: &Map<String, Value>, name: &str, max: usize) -> Result<Option<String>, String> {
    text_of(fields, name, max).ok_or_else(|| name.to_owned())
}

/// The fields of an object that has no others.
fn object<'a>(value: &'a Value, names: &[&str]) -> Result<&'a Map<String, Value>, String> {
    let fields = value.as_object().ok_or_else(String::new)?;
    let other = fields.keys().find(|name| !names.contains(&name.as_str()));
    other.map_or(Ok(fields), |other| Err(other.clone()))
}

fn named(value: &Value) -> Result<NamedAddress, String> {
    let fields = object(value, &["name", "address"])?;
    let name = field(fields, "name", NAME_CHARS_MAX)?.unwrap_or_default();
    let address = field(fields, "address", NAME_CHARS_MAX)?.unwrap_or_default();
    Ok(NamedAddress { name, address: address.trim().to_owned() })
}

/// An object whose address is one.
pub(super) fn strictly_named(value: &Value) -> Result<NamedAddress, String> {
    let named = named(value)?;
    if is_writable(&named) { Ok(named) } else { Err("address".to_owned()) }
}

fn address(params: &mut Params, name: &str) -> Option<NamedAddress> {
    let expected = "must have an email address in \"address\"";
    params.parsed_in(name, expected, strictly_named).optional()
}

/// A list of addresses; those that are none are dropped, as the reference has it.
fn addresses(params: &mut Params, name: &str) -> Vec<NamedAddress> {
    let expected = "must be a list of objects with \"name\" and \"address\"";
    let all = params.each(name, expected, named).optional().unwrap_or_default();
    all.into_iter().filter(is_writable).collect()
}

fn headers(params: &mut Params) -> Vec<(String, String)> {
    let one = |value: &Value| {
        let fields = object(value, &["key", "value"])?;
        let key = field(fields, "key", NAME_CHARS_MAX)?;
        let value = field(fields, "value", HEADER_OCTETS_MAX)?;
        Ok(key.map(|key| (key, value.unwrap_or_default())))
    };
    let expected = "must be a list of objects with \"key\" and \"value\"";
    let all = params.each("headers", expected, one).optional().unwrap_or_default();
    all.into_iter().flatten().collect()
}

fn attachments(params: &mut Params) -> Vec<NewAttachment> {
    let Some(sent) = params.take("attachments").filter(|value| value.as_str() != Some("")) else {
        return Vec::new();
    };
    let Some(items) = sent.as_array().filter(|items| items.len() <= LIST_ITEMS_MAX) else {
        params.fail("attachments", "\"attachments\" must be a list of objects");
        return Vec::new();
    };
    let mut read = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        match attachment(item) {
            Ok(attachment) => read.push(attachment),
            Err((field, reason)) => {
                params
                    .fail(&format!("attachments,{index},{field}"), format!("\"{field}\" {reason}"));
            }
        }
    }
    read
}

/// The name of a field and what is wrong with it.
type Failure = (&'static str, &'static str);

fn attachment(item: &Value) -> Result<NewAttachment, Failure> {
    const NAMES: &[&str] = &[
        "content",
        "encoding",
        "filename",
        "contentType",
        "cid",
        "contentTransferEncoding",
        "contentDisposition",
    ];
    let fields = item.as_object().ok_or(("content", "is required in an object"))?;
    if !only(fields, NAMES) {
        return Err(("content", "and its companions are the only fields"));
    }
    let text = |name: &'static str| {
        text_of(fields, name, NAME_CHARS_MAX)
            .ok_or((name, "must be text of at most 255 characters"))
    };
    let content = fields.get("content").and_then(Value::as_str);
    let content = content.ok_or(("content", "is required and must be text"))?;
    let octets = match text("encoding")?.unwrap_or_default().to_ascii_lowercase().as_str() {
        "" | "base64" => decode_base64(content).ok_or(("content", "is not base64"))?,
        "hex" => decode_hex(content).ok_or(("content", "is not hexadecimal"))?,
        "utf8" | "utf-8" => content.as_bytes().to_vec(),
        _ => return Err(("encoding", "must be base64, hex or utf8")),
    };
    let cid = text("cid")?;
    let encoding = text("contentTransferEncoding")?.unwrap_or_default().to_ascii_lowercase();
    Ok(NewAttachment {
        filename: text("filename")?,
        content_type: text("contentType")?,
        is_inline: match text("contentDisposition")?.as_deref() {
            Some("inline") => true,
            Some("attachment") => false,
            // pictures of the HTML are shown in it
            None => cid.is_some(),
            Some(_) => return Err(("contentDisposition", "must be inline or attachment")),
        },
        cid,
        encoding: match encoding.as_str() {
            "" => Encoding::Fitting,
            "base64" => Encoding::Base64,
            "quoted-printable" => Encoding::QuotedPrintable,
            _ => return Err(("contentTransferEncoding", "must be base64 or quoted-printable")),
        },
        octets,
    })
}

/// Base64 in either alphabet, with or without padding and white space.
pub fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let clean = |b: u8| match b {
        b'-' => b'+',
        b'_' => b'/',
        b => b,
    };
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).map(clean).collect();
    BASE64.decode(digits).ok()
}

pub(super) fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |b: &u8| char::from(*b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => Some(digit(high)? * 16 + digit(low)?),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::access::Caller;
    use crate::api::params::Unknown;
    use serde_json::json;
    use std::collections::BTreeMap;

    fn read<T>(values: Value, read: impl Fn(&mut Params) -> T) -> (T, Vec<String>) {
        let Value::Object(values) = values else { panic!("an object") };
        let mut params = Params::new(Caller::root(), values, BTreeMap::new(), None);
        let value = read(&mut params);
        let failures = match params.finish(Unknown::Rejected) {
            Ok(_) => Vec::new(),
            Err(problem) => problem.body["details"].as_object().unwrap().keys().cloned().collect(),
        };
        (value, failures)
    }

    #[test]
    fn fields_are_read() {
        let (composed, failures) = read(
            json!({
                "from": {"name": "A", "address": "a@example.com"},
                "to": [{"address": "b@example.com"}, {"name": "x", "address": "nowhere"}],
                "subject": "S", "text": "T", "headers": [{"key": "X-A", "value": "1"}, {}],
                "attachments": [
                    {"content": "aGk", "filename": "a.txt"},
                    {"content": "6869", "encoding": "hex", "cid": "c"},
                    {"content": "hi", "encoding": "utf8"}
                ]
            }),
            Composed::read,
        );
        assert!(failures.is_empty(), "{failures:?}");
        let draft = composed.draft;
        assert_eq!(draft.to.len(), 1);
        assert_eq!(draft.headers, [("X-A".to_owned(), "1".to_owned())]);
        assert!(draft.attachments.iter().all(|attachment| attachment.octets == b"hi"));
        let inline: Vec<bool> = draft.attachments.iter().map(|a| a.is_inline).collect();
        assert_eq!(inline, [false, true, false]);
        assert!(read(json!({}), Composed::read).0.is_empty());
    }

    #[test]
    fn wrong_fields_are_named() {
        let (_, failures) = read(
            json!({
                "from": {"address": "nowhere"}, "to": {"address": "b@example.com"},
                "headers": "X: y", "subject": 5,
                "attachments": [{"content": "aGk="}, {"content": "%"}, {"filename": "x"},
                    {"content": "", "contentDisposition": "y"}]
            }),
            Composed::read,
        );
        let expected = [
            "attachments,1,content",
            "attachments,2,content",
            "attachments,3,contentDisposition",
            "from,address",
            "headers",
            "subject",
            "to",
        ];
        assert_eq!(failures, expected);
    }

    #[test]
    fn the_replaced_message_is_named_by_its_uid() {
        let id = "0123456789abcdef01234567";
        let (found, _) = read(json!({"replacePrevious": {"id": "5", "mailbox": id}}), previous);
        assert_eq!(found, Some((id.parse().ok(), 5)));
        for bad in [json!({"id": 0}), json!({"mailbox": id}), json!({"id": 1, "x": 1}), json!(1)] {
            assert!(!read(json!({"replacePrevious": bad}), previous).1.is_empty());
        }
    }
}
