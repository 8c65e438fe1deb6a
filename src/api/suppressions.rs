//! Addresses that nothing is sent to: list, add, remove.

use super::Context;
use super::access::{Grant, Resource};
use super::extract::Call;
use super::listing::own_only;
use super::page::Cursor;
use super::params::Unknown;
use super::problem::ProblemView;
use super::reply::{Answer, Created, Reply, Success, iso_date};
use crate::delivery::suppression::NewSuppression;
use crate::model::address::EmailAddress;
use crate::model::id::{ObjectId, UserId};
use crate::model::suppression::{Cause, Suppression};
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

/// An address on the list.
#[derive(Debug, Serialize, ToSchema)]
pub struct SuppressionView {
    /// Identifier.
    pub id: String,
    /// For whose mail it holds; `null`: for all.
    pub user: Option<String>,
    /// The address, lowercase.
    pub address: String,
    /// `bounce`, `complaint` or `manual`.
    pub cause: &'static str,
    /// The words of the other server, or of who put it on the list.
    pub reason: String,
    /// The story of the message that told it.
    pub trace: Option<String>,
    /// Since when.
    pub created: String,
    /// Until when; `null`: for ever.
    pub expires: Option<String>,
}

impl SuppressionView {
    /// A row as it is shown.
    pub fn new(row: &Suppression) -> Self {
        Self {
            id: row.id.to_string(),
            user: row.user.map(|user| user.to_string()),
            address: row.address.clone(),
            cause: row.cause.name(),
            reason: row.reason.clone(),
            trace: row.trace.map(|trace| trace.to_string()),
            created: iso_date(row.created_ms),
            expires: row.expires_ms.map(iso_date),
        }
    }
}

/// A page of the list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SuppressionList {
    /// Always true.
    pub success: bool,
    /// Cursor of the following page, or `false`.
    pub next_cursor: Cursor,
    /// The addresses, in the order they came on the list.
    pub results: Vec<SuppressionView>,
}

/// List the addresses nothing is sent to
///
/// A user's own token shows that user's.
#[utoipa::path(
    get, path = "/suppressions", tag = "Queue", operation_id = "listSuppressions",
    params(
        ("user" = Option<String>, Query, description = "Of this user"),
        ("address" = Option<String>, Query, description = "Exactly this address"),
        ("limit" = Option<u16>, Query, description = "Rows of a page, 1 to 250", example = 20),
        ("next" = Option<String>, Query, description = "nextCursor of the page before")
    ),
    responses(
        (status = 200, description = "One page", body = SuppressionList),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = ProblemView)
    )
)]
pub async fn list(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    p.session();
    let user: Option<UserId> = p.id("user").optional();
    let address = p.text("address", 320).optional().map(|address| address.to_lowercase());
    let limit = usize::try_from(p.integer("limit", 1..=250).or(20)).unwrap_or(20);
    let after = p.id("next").optional();
    let caller = p.finish(Unknown::Rejected)?;
    let user = own_only(&caller, Resource::Suppressions)?.or(user);
    let asked = limit.saturating_add(1);
    let delivery = &ctx.delivery;
    let mut rows = delivery.list_suppressions(user, address.as_deref(), after, asked).await?;
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let last = rows.last().filter(|_| has_more).map(|row| row.id.to_string());
    Ok(Reply::json(&SuppressionList {
        success: true,
        next_cursor: last.map_or(Cursor::Nowhere(false), Cursor::At),
        results: rows.iter().map(SuppressionView::new).collect(),
    }))
}

/// What is put on the list.
#[derive(Debug, ToSchema)]
pub struct SuppressionRequest {
    /// The address.
    #[schema(example = "nobody@example.org")]
    pub address: String,
    /// For whose mail; absent: for all.
    pub user: Option<String>,
    /// Why, in words.
    pub reason: Option<String>,
    /// For how many days, 0 to 3650; 0, the default: for ever.
    pub days: Option<u32>,
}

/// Put an address on the suppression list
///
/// What is sent to it comes back at once. An address that is there already gets these words and this
/// time.
#[utoipa::path(
    post, path = "/suppressions", tag = "Queue", operation_id = "createSuppression",
    request_body = SuppressionRequest,
    responses(
        (status = 200, description = "On the list", body = Created),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = ProblemView),
        (status = 404, description = "`UserNotFound`", body = ProblemView)
    )
)]
pub async fn create(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    p.session();
    let address = p.parsed("address", "must be an email address", |value| {
        EmailAddress::new(value.as_str()?).ok().map(|address| address.to_string())
    });
    let address = address.required();
    let user: Option<UserId> = p.id("user").optional();
    let reason = p.text_or_empty("reason", 300).optional().unwrap_or_default();
    let days = u32::try_from(p.integer("days", 0..=3650).or(0)).unwrap_or(0);
    let caller = p.finish(Unknown::Rejected)?;
    match user {
        Some(user) => {
            caller.authorize(Resource::Suppressions, Grant::Create, user)?;
            ctx.directory.load_user(user).await?;
        }
        None => caller.authorize_any(Resource::Suppressions, Grant::Create)?,
    }
    let address = EmailAddress::new(&address)?;
    let (cause, trace) = (Cause::Manual, None);
    let new = NewSuppression { user, address, cause, reason, trace, days };
    Ok(Reply::created(ctx.delivery.suppress(new).await?))
}

/// Take an address off the suppression list
#[utoipa::path(
    delete, path = "/suppressions/{suppression}", tag = "Queue",
    operation_id = "deleteSuppression",
    params(("suppression" = String, Path, description = "The row's id")),
    responses(
        (status = 200, description = "Removed", body = Success),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = ProblemView),
        (status = 404, description = "`SuppressionNotFound`", body = ProblemView)
    )
)]
pub async fn delete(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let id: ObjectId = p.id("suppression").required();
    p.session();
    p.finish(Unknown::Rejected)?.authorize_any(Resource::Suppressions, Grant::Delete)?;
    ctx.delivery.unsuppress(id).await?;
    Ok(Reply::success())
}
