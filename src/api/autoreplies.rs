//! A user's autoreply: set, read, remove (`reference/http-api.md`).

use super::Context;
use super::access::{Grant, Resource};
use super::extract::Call;
use super::params::{Params, Unknown, date_of};
use super::problem::{ProblemView, RefusalView};
use super::reply::{Answer, Created, Reply, Success, iso_date};
use crate::model::filter::Autoreply;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Characters of text and HTML.
const TEXT_CHARS_MAX: usize = 131_072;

/// An autoreply.
#[derive(Debug, Serialize, ToSchema)]
pub struct AutoreplyView {
    /// Always true.
    pub success: bool,
    /// It is on.
    pub status: bool,
    /// The sender's display name; empty: the user's.
    pub name: String,
    /// Subject; empty: made from that of the message.
    pub subject: String,
    /// Text.
    pub text: String,
    /// HTML.
    pub html: String,
    /// Not before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// Not after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// When it was last set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
}

/// What an autoreply is changed by; everything is optional.
#[derive(Debug, ToSchema)]
#[expect(missing_docs, reason = "documentation of the body only")]
pub struct AutoreplyRequest {
    pub status: Option<bool>,
    #[schema(max_length = 128)]
    pub name: Option<String>,
    #[schema(max_length = 2048)]
    pub subject: Option<String>,
    #[schema(max_length = 131_072)]
    pub text: Option<String>,
    #[schema(max_length = 131_072)]
    pub html: Option<String>,
    /// A date; `false` removes it.
    #[schema(value_type = Option<String>, example = "2026-12-24T00:00:00.000Z")]
    pub start: Option<Value>,
    /// A date; `false` removes it.
    #[schema(value_type = Option<String>, example = "2027-01-02T00:00:00.000Z")]
    pub end: Option<Value>,
}

/// Set the autoreply
///
/// Only what is sent changes.
#[utoipa::path(
    put, path = "/users/{user}/autoreply", tag = "Autoreplies", operation_id = "updateAutoreply",
    params(("user" = String, Path, description = "The user's id, or `me`")),
    request_body = AutoreplyRequest,
    responses(
        (status = 200, description = "Set", body = Created),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`UserNotFound`", body = ProblemView)
    )
)]
pub async fn update(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let user = p.user();
    p.session();
    let status = p.boolean("status").optional();
    let name = p.text_or_empty("name", 128).optional();
    let subject = p.text_or_empty("subject", 2048).optional();
    let text = p.text_or_empty("text", TEXT_CHARS_MAX).optional();
    let html = p.text_or_empty("html", TEXT_CHARS_MAX).optional();
    let (start, end) = (bound(&mut p, "start"), bound(&mut p, "end"));
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Autoreplies, Grant::Update, user)?;
    let before = ctx.directory.load_autoreply(user).await?;
    let after = Autoreply {
        is_enabled: status.unwrap_or(before.is_enabled),
        name: name.unwrap_or(before.name),
        subject: subject.unwrap_or(before.subject),
        text: text.unwrap_or(before.text),
        html: html.unwrap_or(before.html),
        start_ms: start.unwrap_or(before.start_ms),
        end_ms: end.unwrap_or(before.end_ms),
        created_ms: 0,
    };
    Ok(Reply::created(ctx.directory.put_autoreply(user, after).await?))
}

/// A date or `false`; `None`: not sent.
fn bound(p: &mut Params, name: &str) -> Option<Option<i64>> {
    let read = |value: &Value| match value {
        Value::Bool(false) => Some(None),
        Value::String(text) if text == "false" => Some(None),
        value => date_of(value).map(Some),
    };
    p.parsed(name, "must be a date or false", read).optional()
}

/// Read the autoreply
#[utoipa::path(
    get, path = "/users/{user}/autoreply", tag = "Autoreplies", operation_id = "showAutoreply",
    params(("user" = String, Path, description = "The user's id, or `me`")),
    responses(
        (status = 200, description = "The autoreply, with empty texts if there is none",
            body = AutoreplyView),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`UserNotFound`", body = ProblemView)
    )
)]
pub async fn show(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let user = p.user();
    p.session();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Autoreplies, Grant::Read, user)?;
    let autoreply = ctx.directory.load_autoreply(user).await?;
    Ok(Reply::json(&AutoreplyView {
        success: true,
        status: autoreply.is_enabled,
        name: autoreply.name,
        subject: autoreply.subject,
        text: autoreply.text,
        html: autoreply.html,
        start: autoreply.start_ms.map(iso_date),
        end: autoreply.end_ms.map(iso_date),
        created: Some(autoreply.created_ms).filter(|created| *created > 0).map(iso_date),
    }))
}

/// Remove the autoreply
#[utoipa::path(
    delete, path = "/users/{user}/autoreply", tag = "Autoreplies",
    operation_id = "deleteAutoreply",
    params(("user" = String, Path, description = "The user's id, or `me`")),
    responses(
        (status = 200, description = "Removed", body = Success),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView)
    )
)]
pub async fn delete(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let user = p.user();
    p.session();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Autoreplies, Grant::Delete, user)?;
    ctx.directory.delete_autoreply(user).await?;
    Ok(Reply::success())
}
