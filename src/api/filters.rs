//! Rules for arriving messages: list, show, create, change, delete (`reference/http-api.md`).

use super::Context;
use super::access::{Grant, Resource};
use super::extract::Call;
use super::filter_fields::{
    FilterActionView, FilterQueryView, action_labels, apply_action, apply_query, query_labels,
};
use super::listing::own_only;
use super::page::{PageView, Position, foreign_cursor};
use super::params::{Params, Unknown};
use super::problem::{Problem, ProblemView, RefusalView};
use super::reply::{Answer, Created, Reply, Success, iso_date, json_value};
use crate::directory::filter::FilterListing;
use crate::directory::user::Around;
use crate::model::error::Error;
use crate::model::filter::{Filter, FilterAction, FilterQuery};
use crate::model::id::{ObjectId, UserId};
use axum::extract::State;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// A rule in a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FilterRow {
    /// Identifier.
    #[schema(example = "6ad9a3c2e1f0b1a2c3d4e5f7")]
    pub id: String,
    /// Name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The conditions in words: label and value.
    #[schema(value_type = Vec<Vec<String>>)]
    pub query: Vec<Value>,
    /// The actions in words: label and, of some, a value.
    #[schema(value_type = Vec<Vec<String>>)]
    pub action: Vec<Value>,
    /// The conditions.
    pub original_query: FilterQueryView,
    /// The actions.
    pub original_action: FilterActionView,
    /// It is not evaluated.
    pub disabled: bool,
    /// When it was created.
    pub created: String,
    /// JSON of the owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub meta_data: Option<Value>,
    /// Whose; in the list of all users.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Where it forwards to; in the list of all users.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub targets: Option<Vec<String>>,
}

impl FilterRow {
    fn new(filter: &Filter, with_meta: bool) -> Self {
        let meta = filter.meta_data.as_deref().and_then(json_value);
        Self {
            id: filter.id.to_string(),
            name: Some(filter.name.clone()).filter(|name| !name.is_empty()),
            query: query_labels(&filter.query),
            action: action_labels(&filter.action),
            original_query: FilterQueryView::new(&filter.query),
            original_action: FilterActionView::new(&filter.action),
            disabled: filter.is_disabled,
            created: iso_date(filter.created_ms),
            meta_data: meta.filter(|_| with_meta),
            user: None,
            targets: None,
        }
    }
}

/// A page of rules.
#[derive(Debug, Serialize, ToSchema)]
pub struct FilterList {
    /// Always true.
    pub success: bool,
    /// Paging.
    #[serde(flatten)]
    pub page: PageView,
    /// The rules.
    pub results: Vec<FilterRow>,
}

/// How many rules a user may have and has.
#[derive(Debug, Serialize, ToSchema)]
pub struct FilterLimits {
    /// Allowed.
    pub allowed: u64,
    /// Used.
    pub used: usize,
}

/// All rules of a user.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserFilterList {
    /// Always true.
    pub success: bool,
    /// How many there may be.
    pub limits: FilterLimits,
    /// The rules in the order they are evaluated.
    pub results: Vec<FilterRow>,
}

/// One rule.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FilterView {
    /// Always true.
    pub success: bool,
    /// Identifier.
    pub id: String,
    /// Name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The conditions.
    pub query: FilterQueryView,
    /// The actions.
    pub action: FilterActionView,
    /// It is not evaluated.
    pub disabled: bool,
    /// When it was created.
    pub created: String,
    /// JSON of the owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub meta_data: Option<Value>,
}

/// What a rule is created from or changed by.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(missing_docs, reason = "documentation of the body only")]
pub struct FilterRequest {
    #[schema(max_length = 255, example = "Invoices")]
    pub name: Option<String>,
    /// All given conditions have to be met.
    pub query: FilterQueryView,
    pub action: FilterActionView,
    pub disabled: Option<bool>,
    #[schema(value_type = Option<Object>)]
    pub meta_data: Option<Value>,
}

/// List filters of all users
///
/// In order of their identifiers. A user's own token shows that user's filters only.
#[utoipa::path(
    get, path = "/filters", tag = "Filters", operation_id = "listAllFilters",
    params(
        ("forward" = Option<String>, Query, description = "Substring of a target"),
        ("metaData" = Option<bool>, Query, description = "Show metaData"),
        ("limit" = Option<u16>, Query, description = "Rows of a page, 1 to 250", example = 20),
        ("next" = Option<String>, Query, description = "nextCursor of the page before"),
        ("previous" = Option<String>, Query, description = "previousCursor of the page after")
    ),
    responses(
        (status = 200, description = "One page", body = FilterList),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView)
    )
)]
pub async fn list_all(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    p.session();
    let forward = p.text("forward", 255).optional();
    let with_meta = p.boolean("metaData").or(false);
    let page = p.page();
    let caller = p.finish(Unknown::Ignored)?;
    let only = own_only(&caller, Resource::Filters)?;
    let (position, number) = page.position()?;
    let around = around(&position)?;
    let listing = FilterListing { forward, only };
    let found = ctx.directory.list_all_filters(&listing, around, page.limit).await?;
    let key = |filter: Option<&Filter>| Some(filter?.id.to_string());
    let keys = key(found.rows.first()).zip(key(found.rows.last()));
    let row = |filter: &Filter| {
        let targets: Vec<String> =
            filter.action.targets.iter().map(|target| target.value.clone()).collect();
        FilterRow {
            user: Some(filter.user.to_string()),
            targets: Some(targets).filter(|targets| !targets.is_empty()),
            ..FilterRow::new(filter, with_meta)
        }
    };
    Ok(Reply::json(&FilterList {
        success: true,
        page: page.view(found.total, number, keys, found.has_more),
        results: found.rows.iter().map(row).collect(),
    }))
}

/// Where a listing by ids continues.
///
/// # Errors
/// A cursor that is not ours.
pub fn around(position: &Position) -> Result<Around<ObjectId>, Problem> {
    let id = |key: &str| key.parse().map_err(|_| foreign_cursor());
    Ok(match position {
        Position::Start => Around::Start,
        Position::After(key) => Around::After(id(key)?),
        Position::Before(key) => Around::Before(id(key)?),
    })
}

/// List a user's filters
///
/// In the order they are evaluated.
#[utoipa::path(
    get, path = "/users/{user}/filters", tag = "Filters", operation_id = "listFilters",
    params(
        ("user" = String, Path, description = "The user's id, or `me`"),
        ("metaData" = Option<bool>, Query, description = "Show metaData")
    ),
    responses(
        (status = 200, description = "All of them", body = UserFilterList),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`UserNotFound`", body = ProblemView)
    )
)]
pub async fn list(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let user = p.user();
    p.session();
    let with_meta = p.boolean("metaData").or(false);
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Filters, Grant::Read, user)?;
    let allowed = ctx.directory.filters_allowed(user).await?;
    let filters = ctx.directory.list_filters(user).await?;
    Ok(Reply::json(&UserFilterList {
        success: true,
        limits: FilterLimits { allowed, used: filters.len() },
        results: filters.iter().map(|filter| FilterRow::new(filter, with_meta)).collect(),
    }))
}

/// Show a filter
#[utoipa::path(
    get, path = "/users/{user}/filters/{filter}", tag = "Filters", operation_id = "showFilter",
    params(
        ("user" = String, Path, description = "The user's id, or `me`"),
        ("filter" = String, Path, description = "The filter's id")
    ),
    responses(
        (status = 200, description = "The filter", body = FilterView),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`FilterNotFound`", body = ProblemView)
    )
)]
pub async fn show(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let user = p.user();
    let filter: ObjectId = p.id("filter").required();
    p.session();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Filters, Grant::Read, user)?;
    let filter = ctx.directory.load_filter(user, filter).await?;
    Ok(Reply::json(&FilterView {
        success: true,
        id: filter.id.to_string(),
        name: Some(filter.name.clone()).filter(|name| !name.is_empty()),
        query: FilterQueryView::new(&filter.query),
        action: FilterActionView::new(&filter.action),
        disabled: filter.is_disabled,
        created: iso_date(filter.created_ms),
        meta_data: filter.meta_data.as_deref().and_then(json_value),
    }))
}

/// Changes a rule by all parameters of a request.
fn apply(p: &mut Params, filter: &mut Filter) {
    if let Some(name) = p.text_or_empty("name", 255).optional() {
        filter.name = name;
    }
    apply_query(p, &mut filter.query);
    apply_action(p, &mut filter.action);
    if let Some(disabled) = p.boolean("disabled").optional() {
        filter.is_disabled = disabled;
    }
    if let Some(meta) = p.json("metaData").optional() {
        filter.meta_data = Some(meta);
    }
}

/// A rule without anything.
fn blank(user: UserId) -> Filter {
    Filter {
        id: ObjectId::from_octets([0; 12]),
        user,
        name: String::new(),
        query: FilterQuery::default(),
        action: FilterAction::default(),
        is_disabled: false,
        meta_data: None,
        created_ms: 0,
    }
}

/// Create a filter
#[utoipa::path(
    post, path = "/users/{user}/filters", tag = "Filters", operation_id = "createFilter",
    params(("user" = String, Path, description = "The user's id, or `me`")),
    request_body = FilterRequest,
    responses(
        (status = 200, description = "Created", body = Created),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "`TooMany`; not permitted", body = ProblemView),
        (status = 404, description = "`UserNotFound`, `NoSuchMailbox`", body = ProblemView)
    )
)]
pub async fn create(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let user = p.user();
    p.session();
    for name in ["query", "action"] {
        if !p.has(name) {
            p.fail(name, format!("\"{name}\" is required"));
        }
    }
    let mut filter = blank(user);
    apply(&mut p, &mut filter);
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Filters, Grant::Create, user)?;
    match ctx.directory.create_filter(filter).await {
        Ok(id) => Ok(Reply::created(id)),
        Err(error @ Error::LimitReached { .. }) => {
            let allowed = ctx.directory.filters_allowed(user).await?;
            Err(Problem::from(error).with("allowed", json!(allowed)))
        }
        Err(error) => Err(error.into()),
    }
}

/// Change a filter
///
/// Only what is sent changes; empty values and `null` remove a condition or action.
#[utoipa::path(
    put, path = "/users/{user}/filters/{filter}", tag = "Filters", operation_id = "updateFilter",
    params(
        ("user" = String, Path, description = "The user's id, or `me`"),
        ("filter" = String, Path, description = "The filter's id")
    ),
    request_body = FilterRequest,
    responses(
        (status = 200, description = "Changed", body = Success),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`FilterNotFound`, `NoSuchMailbox`", body = ProblemView)
    )
)]
pub async fn update(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let user = p.user();
    let id: ObjectId = p.id("filter").required();
    p.session();
    // who may not is told so before anything is read for him
    p.caller().authorize(Resource::Filters, Grant::Update, user)?;
    let before = ctx.directory.load_filter(user, id).await;
    let mut after = match &before {
        Ok(filter) => filter.clone(),
        Err(_) => blank(user),
    };
    apply(&mut p, &mut after);
    p.finish(Unknown::Rejected)?;
    ctx.directory.replace_filter(&before?, &after).await?;
    Ok(Reply::success())
}

/// Delete a filter
#[utoipa::path(
    delete, path = "/users/{user}/filters/{filter}", tag = "Filters",
    operation_id = "deleteFilter",
    params(
        ("user" = String, Path, description = "The user's id, or `me`"),
        ("filter" = String, Path, description = "The filter's id")
    ),
    responses(
        (status = 200, description = "Deleted", body = Success),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`FilterNotFound`", body = ProblemView)
    )
)]
pub async fn delete(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let user = p.user();
    let filter: ObjectId = p.id("filter").required();
    p.session();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Filters, Grant::Delete, user)?;
    ctx.directory.delete_filter(user, filter).await?;
    Ok(Reply::success())
}
