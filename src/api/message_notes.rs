//! What the store knows of a message beside its content: its envelope, and what was noted when it
//! was stored (`delivery::info`).

use super::reply::{iso_date, json_value};
use crate::codec::mime::fields::Fields;
use crate::model::queue::{Entry, QueueId};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Who sent it to whom, as the last hop said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct EnvelopeView {
    /// Reverse-path, may be empty.
    pub from: String,
    /// Recipients.
    pub rcpt: Vec<EnvelopeRecipientView>,
}

/// A recipient of the envelope.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct EnvelopeRecipientView {
    /// As given.
    pub value: String,
    /// With the domain in lowercase.
    pub formatted: String,
}

/// What is still queued of a message that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutboundView {
    /// Its name in the queue.
    pub queue_id: String,
    /// Its recipients that are still queued.
    pub entries: Vec<OutboundEntryView>,
}

/// A recipient that is still queued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutboundEntryView {
    /// Number within the message, hexadecimal.
    pub seq: String,
    /// To whom.
    pub recipient: String,
    /// Always `default`: there is one queue.
    pub sending_zone: String,
    /// When it is tried next.
    pub queued: String,
}

impl OutboundView {
    /// What is queued under a name; `None`: nothing.
    pub fn of(queue_id: QueueId, entries: &[Entry]) -> Option<Self> {
        let one = |entry: &Entry| OutboundEntryView {
            seq: format!("{:03x}", entry.seq),
            recipient: entry.recipient.clone(),
            sending_zone: "default".to_owned(),
            queued: iso_date(entry.due_ms),
        };
        let entries: Vec<_> = entries.iter().map(one).collect();
        (!entries.is_empty()).then(|| Self { queue_id: queue_id.to_string(), entries })
    }
}

/// The names in the queue of all that was sent of a message.
pub fn queue_ids(info: Option<&str>) -> Vec<QueueId> {
    let info: Value = info.and_then(json_value).unwrap_or_default();
    let ids = info.get("outbound").and_then(Value::as_array);
    ids.into_iter().flatten().filter_map(|id| id.as_str()?.parse().ok()).collect()
}

/// What the store noted about a message (`delivery::info`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotesView {
    /// Where it was forwarded to: `{type, value}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    pub forward_targets: Option<Value>,
    /// TLS, SPF, DKIM and DMARC of its arrival.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub verification_results: Option<Value>,
    /// The message a draft answers: `{mailbox, id, action}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub reference: Option<Value>,
    /// Storage files a draft was composed with: `{id, filename, contentType, size, cid}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    pub files: Option<Value>,
}

impl NotesView {
    /// What a note says.
    pub fn of(info: &Value) -> Self {
        let note = |name: &str| info.get(name).filter(|value| !value.is_null()).cloned();
        let list =
            |name| note(name).filter(|value| value.as_array().is_some_and(|a| !a.is_empty()));
        Self {
            forward_targets: list("forwardTargets"),
            verification_results: note("verificationResults"),
            reference: note("reference"),
            files: list("files"),
        }
    }
}

/// The envelope from our own trace prefix (RFC 5321 §4.4: Return-Path is written at final
/// delivery), else as it was noted when the message was submitted.
pub fn envelope(prefix: &[u8], info: &Value) -> EnvelopeView {
    let rcpt = |value: String| {
        let formatted = match value.rsplit_once('@') {
            Some((local, domain)) => format!("{local}@{}", domain.to_lowercase()),
            None => value.clone(),
        };
        EnvelopeRecipientView { value, formatted }
    };
    if prefix.is_empty() {
        let to = info.get("to").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let to = to.iter().filter_map(|value| value.as_str().map(str::to_owned));
        let from = info.get("from").and_then(Value::as_str).unwrap_or_default().to_owned();
        return EnvelopeView { from, rcpt: to.map(rcpt).collect() };
    }
    let fields = Fields::read(prefix);
    let path = |name: &str| -> Option<String> {
        let text = fields.text(name)?.trim();
        Some(text.trim_start_matches('<').trim_end_matches('>').to_owned())
    };
    let rcpt = path("delivered-to").filter(|address| !address.is_empty()).map(rcpt);
    EnvelopeView { from: path("return-path").unwrap_or_default(), rcpt: rcpt.into_iter().collect() }
}
