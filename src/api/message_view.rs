//! Messages as the API shows them (`reference/http-api.md`, MsgItem and message details).
//!
//! From model types and read fields to views; reads nothing by itself.

use super::mailing_list::ListView;
use super::message_notes::{EnvelopeView, NotesView, OutboundView, envelope};
use super::reply::{iso_date, json_value};
use crate::codec::mime::display::{Attachment, Layout, Shown};
use crate::codec::mime::fields::{ContentType, FieldValue, Fields, Recipient};
use crate::codec::mime::text::decode_body;
use crate::model::flag::{Flag, FlagSet};
use crate::model::message::Message;
use crate::model::structure::{NamedAddress, Part};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

/// An address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct NamedAddressView {
    /// Decoded display name, may be empty.
    pub name: String,
    /// Address, domain in Unicode.
    pub address: String,
}

/// An address or a named group of addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum RecipientView {
    /// One address.
    One(NamedAddressView),
    /// A group.
    Group {
        /// Its name.
        name: String,
        /// Its members.
        group: Vec<NamedAddressView>,
    },
}

/// A part that is listed as attachment.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttachmentView {
    /// Id within the message.
    #[schema(example = "ATT00001")]
    pub id: String,
    /// File name.
    pub filename: String,
    /// Media type.
    #[schema(example = "application/pdf")]
    pub content_type: String,
    /// `attachment`, `inline`, or `false` if the part says nothing.
    pub disposition: Value,
    /// Content-Transfer-Encoding.
    pub transfer_encoding: String,
    /// Content-ID with its angle brackets, or null.
    pub cid: Option<String>,
    /// Part of a multipart/related, as pictures in HTML are.
    pub related: bool,
    /// Kilobytes, encoded.
    pub size_kb: u64,
    /// Octets, encoded.
    pub size: u64,
    /// SHA-256 of the encoded octets, hex; in message details, not of big ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// SHA-256 of the decoded octets, base64; where there is `hash`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_content_hash: Option<String>,
}

impl AttachmentView {
    /// Sets the hashes of its encoded octets.
    pub fn hash(&mut self, body: &[u8]) {
        let decoded = decode_body(&self.transfer_encoding, body);
        let digest = Sha256::digest(body);
        self.hash = Some(digest.iter().map(|octet| format!("{octet:02x}")).collect());
        self.file_content_hash = Some(STANDARD.encode(Sha256::digest(decoded)));
    }
}

/// A Content-Type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ContentTypeView {
    /// Media type.
    pub value: String,
    /// Parameters.
    #[serde(skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object)]
    pub params: Map<String, Value>,
}

/// Flags as the API names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct FlagsView {
    /// `\Seen`
    pub seen: bool,
    /// `\Deleted`
    pub deleted: bool,
    /// `\Flagged`
    pub flagged: bool,
    /// `\Draft`
    pub draft: bool,
    /// `\Answered` without `$Forwarded`
    pub answered: bool,
    /// `$Forwarded`
    pub forwarded: bool,
}

/// What names a message in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum MessageRef {
    /// Its UID.
    Uid(u32),
    /// Its id in the archive.
    Archived(String),
}

/// A message in a list.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageItem {
    /// UID; in the archive a text.
    pub id: MessageRef,
    /// Mailbox id.
    pub mailbox: String,
    /// Thread id.
    pub thread: String,
    /// Messages of the thread in all mailboxes, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread_message_count: Option<u64>,
    /// Whether a draft replies to it, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_drafts: Option<bool>,
    /// From, else Sender.
    pub from: NamedAddressView,
    /// To.
    pub to: Vec<RecipientView>,
    /// Cc.
    pub cc: Vec<RecipientView>,
    /// Bcc.
    pub bcc: Vec<RecipientView>,
    /// Message-ID with its angle brackets.
    pub message_id: String,
    /// Decoded subject.
    pub subject: String,
    /// Date of the header; the internal date where there is none.
    pub date: String,
    /// Internal date.
    pub idate: String,
    /// First words of the text.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub intro: String,
    /// Has attachments.
    pub attachments: bool,
    /// The attachments.
    pub attachments_list: Vec<AttachmentView>,
    /// Octets.
    pub size: u64,
    /// Flags.
    #[serde(flatten)]
    pub flags: FlagsView,
    /// Message ids this message refers to.
    pub references: Vec<String>,
    /// Content-Type.
    pub content_type: ContentTypeView,
    /// True if it is encrypted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub encrypted: bool,
    /// The caller's own data, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta_data: Option<Value>,
    /// The header fields, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<Value>,
}

/// A message in full.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageView {
    /// Always true.
    pub success: bool,
    /// UID.
    pub id: u32,
    /// Mailbox id.
    pub mailbox: String,
    /// Thread id.
    pub thread: String,
    /// User id.
    pub user: String,
    /// The last hop's envelope, as far as known.
    pub envelope: EnvelopeView,
    /// From, else Sender.
    pub from: NamedAddressView,
    /// Reply-To.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Vec<RecipientView>>,
    /// To.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Vec<RecipientView>>,
    /// Cc.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cc: Option<Vec<RecipientView>>,
    /// Bcc.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bcc: Option<Vec<RecipientView>>,
    /// Decoded subject.
    pub subject: String,
    /// Message-ID with its angle brackets.
    pub message_id: String,
    /// Date of the header; the internal date where there is none.
    pub date: String,
    /// Internal date.
    pub idate: String,
    /// List header fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list: Option<ListView>,
    /// When it will be removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// Octets.
    pub size: u64,
    /// Flags.
    #[serde(flatten)]
    pub flags: FlagsView,
    /// Clean HTML fragments; inline pictures are `attachment:ATT00001`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub html: Vec<String>,
    /// Text.
    pub text: String,
    /// The attachments.
    pub attachments: Vec<AttachmentView>,
    /// Message ids this message refers to.
    pub references: Vec<String>,
    /// The caller's own data.
    #[schema(value_type = Object)]
    pub meta_data: Value,
    /// Content-Type.
    pub content_type: ContentTypeView,
    /// True if it is encrypted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub encrypted: bool,
    /// What is still queued of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outbound: Vec<OutboundView>,
    /// What the store noted about it.
    #[serde(flatten)]
    pub notes: NotesView,
}

impl From<&NamedAddress> for NamedAddressView {
    fn from(named: &NamedAddress) -> Self {
        Self { name: named.name.clone(), address: named.address.clone() }
    }
}

impl From<&Recipient> for RecipientView {
    fn from(recipient: &Recipient) -> Self {
        match recipient {
            Recipient::One(named) => Self::One(named.into()),
            Recipient::Group { name, members } => {
                Self::Group { name: name.clone(), group: members.iter().map(Into::into).collect() }
            }
        }
    }
}

impl From<&ContentType> for ContentTypeView {
    fn from(content_type: &ContentType) -> Self {
        let params = content_type.params.iter();
        let params = params.map(|(name, value)| (name.clone(), Value::String(value.clone())));
        Self { value: content_type.value.clone(), params: params.collect() }
    }
}

impl From<&FlagSet> for FlagsView {
    fn from(flags: &FlagSet) -> Self {
        let forwarded = flags.has_keyword("$Forwarded");
        Self {
            seen: flags.has(Flag::Seen),
            deleted: flags.has(Flag::Deleted),
            flagged: flags.has(Flag::Flagged),
            draft: flags.has(Flag::Draft),
            answered: flags.has(Flag::Answered) && !forwarded,
            forwarded,
        }
    }
}

impl From<&Attachment<'_>> for AttachmentView {
    fn from(attachment: &Attachment<'_>) -> Self {
        let octets = attachment.part.body.octets();
        Self {
            id: attachment.id(),
            filename: attachment.filename(),
            content_type: attachment.content_type(),
            disposition: attachment.part.disposition.clone().map_or(json!(false), Value::String),
            transfer_encoding: attachment.part.encoding.clone(),
            cid: attachment.part.content_id.clone(),
            related: attachment.is_related,
            size_kb: octets.div_ceil(1024),
            size: octets,
            hash: None,
            file_content_hash: None,
        }
    }
}

/// The views of a layout's attachments.
pub fn attachments(layout: &Layout<'_>) -> Vec<AttachmentView> {
    layout.attachments.iter().map(Into::into).collect()
}

fn content_type_of(root: &Part) -> ContentTypeView {
    let mut params = Map::new();
    if !root.charset.is_empty() {
        params.insert("charset".into(), Value::String(root.charset.clone()));
    }
    ContentTypeView { value: format!("{}/{}", root.media_type, root.media_subtype), params }
}

/// A message of a list, from its summary and tree.
pub fn item(message: &Message, root: &Part) -> MessageItem {
    let summary = &message.summary;
    let one = |named: &NamedAddress| RecipientView::One(named.into());
    MessageItem {
        id: MessageRef::Uid(message.row.uid),
        mailbox: message.mailbox.to_string(),
        thread: message.thread.to_string(),
        thread_message_count: None,
        has_drafts: None,
        from: summary.from.first().map(Into::into).unwrap_or_default(),
        to: summary.to.iter().map(one).collect(),
        cc: summary.cc.iter().map(one).collect(),
        bcc: summary.bcc.iter().map(one).collect(),
        message_id: message_id(message),
        subject: summary.subject.clone(),
        date: date(message),
        idate: iso_date(message.row.internal_date),
        intro: summary.preview.clone(),
        attachments: summary.has_attachments,
        attachments_list: attachments(&Layout::of(root)),
        size: message.row.octets,
        flags: (&message.row.flags).into(),
        references: summary.references.iter().take(summary.references_own).cloned().collect(),
        content_type: content_type_of(root),
        encrypted: summary.encrypted,
        meta_data: None,
        headers: None,
    }
}

/// The Message-ID; clients that name messages by it get one of ours where there is none.
fn message_id(message: &Message) -> String {
    match message.summary.message_id.as_str() {
        "" => format!("<{}@message-id.invalid>", message.id),
        id => id.to_owned(),
    }
}

/// The Date, or when the message was stored.
fn date(message: &Message) -> String {
    iso_date(message.summary.date_ms.unwrap_or(message.row.internal_date))
}

/// The caller's own data of a message.
pub fn meta_data(message: &Message) -> Option<Value> {
    message.meta.as_deref().and_then(json_value)
}

/// A message in full, from its tree, header fields and texts.
pub fn details(
    message: &Message,
    user: String,
    root: &Part,
    fields: &Fields,
    shown: Shown,
) -> MessageView {
    let summary = &message.summary;
    let info = message.info.as_deref().and_then(json_value).unwrap_or_default();
    let recipients = |name: &str| {
        Some(fields.recipients(name)?.iter().map(RecipientView::from).collect::<Vec<_>>())
    };
    MessageView {
        success: true,
        id: message.row.uid,
        mailbox: message.mailbox.to_string(),
        thread: message.thread.to_string(),
        user,
        envelope: envelope(&message.prefix, &info),
        from: summary.from.first().map(Into::into).unwrap_or_default(),
        reply_to: recipients("reply-to"),
        to: recipients("to"),
        cc: recipients("cc"),
        bcc: recipients("bcc"),
        subject: summary.subject.clone(),
        message_id: message_id(message),
        date: date(message),
        idate: iso_date(message.row.internal_date),
        list: ListView::of(fields),
        expires: message.expires_ms.map(iso_date),
        size: message.row.octets,
        flags: (&message.row.flags).into(),
        html: shown.html,
        text: shown.text,
        attachments: attachments(&Layout::of(root)),
        references: fields.message_ids("references"),
        meta_data: meta_data(message).unwrap_or_else(|| json!({})),
        content_type: match fields.first("content-type") {
            Some(FieldValue::ContentType(content_type)) => content_type.into(),
            // RFC 2045 §5.2
            _ => ContentTypeView { value: "text/plain".to_owned(), params: Map::new() },
        },
        encrypted: summary.encrypted,
        outbound: Vec::new(),
        notes: NotesView::of(&info),
    }
}

/// All header fields as an object: lowercase name to value, or to a list of values where a field
/// repeats.
pub fn headers(fields: &Fields) -> Value {
    let mut all = Map::new();
    for (name, value) in fields.iter() {
        let value = match value {
            FieldValue::Text(text) => Value::String(text.clone()),
            FieldValue::Recipients(recipients) => {
                let views: Vec<RecipientView> = recipients.iter().map(Into::into).collect();
                json!(views)
            }
            FieldValue::ContentType(content_type) => {
                let view = ContentTypeView::from(content_type);
                let (main, sub) = view.value.split_once('/').unwrap_or((&view.value, ""));
                json!({
                    "value": view.value, "type": main, "subtype": sub, "params": view.params,
                    "hasParams": !view.params.is_empty(),
                })
            }
        };
        match all.get_mut(name) {
            None => {
                all.insert(name.clone(), value);
            }
            Some(Value::Array(values)) => match value {
                Value::Array(more) => values.extend(more),
                value => values.push(value),
            },
            Some(first) => *first = json!([first.take(), value]),
        }
    }
    Value::Object(all)
}

#[cfg(test)]
mod tests;
