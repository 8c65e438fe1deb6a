//! The log of a user's logins and of what was done to his account.

use super::Context;
use super::access::{Grant, Resource};
use super::extract::Call;
use super::page::{PageView, Position, foreign_cursor};
use super::params::Unknown;
use super::problem::{Problem, ProblemView, RefusalView};
use super::reply::{Answer, Reply, iso_date};
use crate::auth::log::{AuthRow, LogFilter};
use crate::model::id::ObjectId;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// A page of a user's log.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuthLogList {
    /// Always true.
    pub success: bool,
    /// Paging.
    #[serde(flatten)]
    pub page: PageView,
    /// The action that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The events, newest first: `id`, `action`, `result`, `protocol`, `ip`, `created`, `last`,
    /// `events`, …
    pub results: Vec<Map<String, Value>>,
}

/// One event.
#[derive(Debug, Serialize, ToSchema)]
pub struct ShownAuthEvent {
    /// Always true.
    pub success: bool,
    /// The event's fields.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub event: Map<String, Value>,
}

fn view(row: &AuthRow) -> Map<String, Value> {
    let mut view = Map::new();
    view.insert("id".into(), json!(row.id.to_string()));
    for (name, text) in &row.texts {
        view.insert((*name).into(), json!(text));
    }
    view.insert("created".into(), json!(iso_date(row.created_ms)));
    view.insert("last".into(), json!(iso_date(row.last_ms)));
    view.insert("events".into(), json!(row.events));
    view.insert("expires".into(), json!(iso_date(row.expires_ms)));
    if !row.second_factors.is_empty() {
        view.insert("require2fa".into(), json!(row.second_factors));
    }
    if row.is_temporary {
        view.insert("temporary".into(), json!(true));
    }
    view
}

/// List a user's log
///
/// Logins and what was done to the account, newest first. Like events of six hours are one row.
#[utoipa::path(
    get, path = "/users/{user}/authlog", tag = "Authentication", operation_id = "listAuthLog",
    params(
        ("user" = String, Path, description = "The user's id, or `me`"),
        ("action" = Option<String>, Query, description = "Only this action"),
        ("filterip" = Option<String>, Query, description = "Only from this address"),
        ("limit" = Option<u16>, Query, description = "Rows of a page, 1 to 250", example = 20),
        ("next" = Option<String>, Query, description = "nextCursor of the page before"),
        ("previous" = Option<String>, Query, description = "previousCursor of the page after")
    ),
    responses(
        (status = 200, description = "One page", body = AuthLogList),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`UserNotFound`", body = ProblemView)
    )
)]
pub async fn list(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let user = p.user();
    p.session();
    let action = p.text("action", 100).optional().map(|action| action.to_lowercase());
    let ip = p.parsed("filterip", "must be an IP address", |value| value.as_str()?.parse().ok());
    let ip = ip.optional();
    let page = p.page();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Authentication, Grant::Read, user)?;
    ctx.directory.load_user(user).await?;
    let filter = LogFilter { action: action.clone(), ip };
    let (position, number) = page.position()?;
    let id = |key: &String| key.parse::<ObjectId>().map_err(|_| foreign_cursor());
    let (older, newer) = match &position {
        Position::Start => (None, None),
        Position::After(key) => (Some(id(key)?), None),
        Position::Before(key) => (None, Some(id(key)?)),
    };
    let one_more = i64::try_from(page.limit.saturating_add(1)).unwrap_or(i64::MAX);
    let rows = ctx.authenticator.list_events(user, &filter, older, newer, one_more).await?;
    let total = ctx.authenticator.count_events(user, &filter).await?;
    let has_more = rows.len() > page.limit;
    let mut rows: Vec<AuthRow> = rows.into_iter().take(page.limit).collect();
    if newer.is_some() {
        rows.reverse();
    }
    let key = |row: Option<&AuthRow>| row.map(|row| row.id.to_string());
    let keys = key(rows.first()).zip(key(rows.last()));
    Ok(Reply::json(&AuthLogList {
        success: true,
        page: page.view(total, number, keys, has_more),
        action,
        results: rows.iter().map(view).collect(),
    }))
}

/// Show an event of a user's log
#[utoipa::path(
    get, path = "/users/{user}/authlog/{event}", tag = "Authentication",
    operation_id = "showAuthEvent",
    params(
        ("user" = String, Path, description = "The user's id, or `me`"),
        ("event" = String, Path, description = "The event's id")
    ),
    responses(
        (status = 200, description = "The event", body = ShownAuthEvent),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`UserNotFound`, `EventNotFound`", body = ProblemView)
    )
)]
pub async fn show(State(ctx): State<Context>, call: Call) -> Result<Reply, Problem> {
    let mut p = call.params;
    let user = p.user();
    let event: ObjectId = p.id("event").required();
    p.session();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Authentication, Grant::Read, user)?;
    ctx.directory.load_user(user).await?;
    let row = ctx.authenticator.load_event(user, event).await?;
    Ok(Reply::json(&ShownAuthEvent { success: true, event: view(&row) }))
}
