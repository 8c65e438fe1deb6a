//! Copies of a user's mail: ordered, looked at, downloaded (`reference/http-api.md`, Audit).

use super::Context;
use super::access::{Grant, Resource};
use super::extract::Call;
use super::params::{Params, Unknown, date_of};
use super::problem::{ProblemView, RefusalView};
use super::reply::{Answer, Created, Reply, iso_date, json_value};
use crate::delivery::Delivery;
use crate::delivery::audit::NewAudit;
use crate::model::audit::AuditedMessage;
use crate::model::error::{Error, Result};
use crate::model::id::ObjectId;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use serde::Serialize;
use serde_json::Value;
use std::collections::VecDeque;
use utoipa::ToSchema;

/// What an audit is ordered with.
#[derive(Debug, ToSchema)]
#[expect(missing_docs, reason = "documentation of the body only")]
pub struct AuditRequest {
    pub user: String,
    /// Messages from then on; `false`: all earlier ones, too.
    #[schema(value_type = Option<String>, example = "2026-01-01T00:00:00.000Z")]
    pub start: Option<Value>,
    /// Messages until then; `false`: all later ones, too.
    #[schema(value_type = Option<String>, example = "2026-12-31T00:00:00.000Z")]
    pub end: Option<Value>,
    /// When the copies are deleted.
    #[schema(example = "2027-12-31T00:00:00.000Z")]
    pub expires: String,
    #[schema(max_length = 1024)]
    pub notes: Option<String>,
    #[schema(value_type = Option<Object>)]
    pub meta: Option<Value>,
}

/// Copies of the mail that was there.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditImportView {
    /// `queued`, `importing`, `imported`
    pub status: &'static str,
    /// Messages that could not be copied.
    pub failed: u64,
    /// Messages that were.
    pub copied: u64,
}

/// An audit.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditView {
    /// Always true.
    pub success: bool,
    /// Identifier.
    pub id: String,
    /// Whose mail.
    pub user: String,
    /// Messages from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// Messages until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// When the copies are deleted.
    pub expires: String,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// The caller's own data.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub meta: Option<Value>,
    /// The copies are gone.
    pub deleted: bool,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted_time: Option<String>,
    /// Copies.
    pub audited: u64,
    /// When the last one was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_audited_message: Option<String>,
    /// Copies of the mail that was there.
    pub import: AuditImportView,
}

/// Start an audit
///
/// Copies the user's mail that is there, and all that comes while it runs. Needs a token of a role
/// that may.
#[utoipa::path(
    post, path = "/audit", tag = "Audit", operation_id = "createAudit",
    request_body = AuditRequest,
    responses(
        (status = 200, description = "Started", body = Created),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`UserNotFound`", body = ProblemView)
    )
)]
pub async fn create(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    p.session();
    let new = NewAudit {
        // not `Params::user`: the body names him, and there is no `me`
        user: p.id("user").required(),
        start_ms: bound(&mut p, "start"),
        end_ms: bound(&mut p, "end"),
        expires_ms: p.date("expires").required(),
        notes: p.text("notes", 1024).optional(),
        meta: p.json("meta").optional(),
    };
    let caller = p.finish(Unknown::Rejected)?;
    // the reference asks for the grant to update here
    caller.authorize_any(Resource::Audit, Grant::Update)?;
    Ok(Reply::created(ctx.delivery.create_audit(new).await?))
}

/// A date, or `false` for no bound.
fn bound(p: &mut Params, name: &str) -> Option<i64> {
    let read = |value: &Value| match value {
        Value::Bool(false) => Some(None),
        Value::String(text) if text == "false" => Some(None),
        value => date_of(value).map(Some),
    };
    p.parsed(name, "must be a date or false", read).optional().flatten()
}

/// Show an audit
#[utoipa::path(
    get, path = "/audit/{audit}", tag = "Audit", operation_id = "showAudit",
    params(("audit" = String, Path, description = "The audit's id")),
    responses(
        (status = 200, description = "The audit", body = AuditView),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`AuditNotFoundError`", body = ProblemView)
    )
)]
pub async fn show(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let id: ObjectId = p.id("audit").required();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize_any(Resource::Audit, Grant::Read)?;
    let audit = ctx.delivery.load_audit(id).await?;
    Ok(Reply::json(&AuditView {
        success: true,
        id: audit.id.to_string(),
        user: audit.user.to_string(),
        start: audit.start_ms.map(iso_date),
        end: audit.end_ms.map(iso_date),
        expires: iso_date(audit.expires_ms),
        notes: audit.notes,
        meta: audit.meta.as_deref().and_then(json_value),
        deleted: audit.deleted_ms.is_some(),
        deleted_time: audit.deleted_ms.map(iso_date),
        audited: audit.audited,
        last_audited_message: audit.last_ms.map(iso_date),
        import: AuditImportView {
            status: audit.import_status.name(),
            failed: audit.failed,
            copied: audit.copied,
        },
    }))
}

/// Download audited mail
///
/// All copies as an mbox file; an unknown audit has none.
#[utoipa::path(
    get, path = "/audit/{audit}/export.mbox", tag = "Audit", operation_id = "exportAudit",
    params(("audit" = String, Path, description = "The audit's id")),
    responses(
        (status = 200, description = "The file", content_type = "application/octet-stream",
            body = Vec<u8>),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView)
    )
)]
pub async fn export(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let audit: ObjectId = p.id("audit").required();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize_any(Resource::Audit, Grant::Read)?;
    let reading =
        Reading { delivery: ctx.delivery.clone(), audit, page: VecDeque::new(), last: None };
    let pieces = stream::try_unfold(reading, |mut reading| async move {
        match reading.next().await {
            Ok(piece) => Ok(piece.map(|piece| (piece, reading))),
            Err(error) => {
                tracing::warn!(%error, "an audit could not be exported to its end");
                Err(std::io::Error::other(error))
            }
        }
    });
    let mut response = Response::new(Body::from_stream(pieces));
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("application/octet-stream");
    headers.insert(header::CONTENT_TYPE, kind);
    let name = HeaderValue::from_static("attachment; filename=export.mbox");
    headers.insert(header::CONTENT_DISPOSITION, name);
    Ok(Reply::raw(response))
}

/// An export under way: one message at a time, the next when the client has taken the last.
struct Reading {
    delivery: Delivery,
    audit: ObjectId,
    page: VecDeque<AuditedMessage>,
    last: Option<ObjectId>,
}

impl Reading {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            if self.page.is_empty() {
                self.page = self.delivery.list_audited(self.audit, self.last).await?.into();
            }
            let Some(copy) = self.page.pop_front() else { return Ok(None) };
            self.last = Some(copy.id);
            match self.delivery.export(&copy).await {
                Ok(entry) => return Ok(Some(entry.into())),
                // expired while it is exported
                Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }
}
