//! Programs that are told of events: list, register, remove (`reference/http-api.md`).

use super::Context;
use super::access::{Grant, Reach, Resource};
use super::extract::Call;
use super::filters::around;
use super::listing::own_only;
use super::page::PageView;
use super::params::{LIST_ITEMS_MAX, Unknown};
use super::problem::{Problem, ProblemView, RefusalView};
use super::reply::{Answer, Created, Reply, Success, iso_date};
use crate::directory::event::WebhookListing;
use crate::model::id::{ObjectId, UserId};
use crate::model::target::{ForwardTarget, TargetKind};
use crate::model::webhook::Webhook;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A hook.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookView {
    /// Identifier.
    pub id: String,
    /// Events it is told of: names, `first.*`, `*`.
    pub r#type: Vec<String>,
    /// Only of this user's; `null`: of all.
    pub user: Option<String>,
    /// Where events are posted.
    pub url: String,
    /// When it was created.
    pub created: String,
}

impl WebhookView {
    fn new(hook: &Webhook) -> Self {
        Self {
            id: hook.id.to_string(),
            r#type: hook.types.clone(),
            user: hook.user.map(|user| user.to_string()),
            url: hook.url.clone(),
            created: iso_date(hook.created_ms),
        }
    }
}

/// A page of hooks.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookList {
    /// Always true.
    pub success: bool,
    /// Paging.
    #[serde(flatten)]
    pub page: PageView,
    /// The type asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<String>,
    /// The user asked for.
    pub user: Option<String>,
    /// The hooks.
    pub results: Vec<WebhookView>,
}

/// List webhooks
///
/// In order of their identifiers. A user's own token shows that user's hooks only.
#[utoipa::path(
    get, path = "/webhooks", tag = "Webhooks", operation_id = "listWebhooks",
    params(
        ("type" = Option<String>, Query, description = "With exactly this type"),
        ("user" = Option<String>, Query, description = "Of this user"),
        ("limit" = Option<u16>, Query, description = "Rows of a page, 1 to 250", example = 20),
        ("next" = Option<String>, Query, description = "nextCursor of the page before"),
        ("previous" = Option<String>, Query, description = "previousCursor of the page after")
    ),
    responses(
        (status = 200, description = "One page", body = WebhookList),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView)
    )
)]
pub async fn list(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    p.session();
    let wanted = p.text("type", 128).optional().map(|text| text.to_lowercase());
    let user: Option<UserId> = p.id("user").optional();
    let page = p.page();
    let caller = p.finish(Unknown::Ignored)?;
    let user = own_only(&caller, Resource::Webhooks)?.or(user);
    let (position, number) = page.position()?;
    let listing = WebhookListing { r#type: wanted.clone(), user };
    let found = ctx.directory.list_webhooks(&listing, around(&position)?, page.limit).await?;
    let key = |hook: Option<&Webhook>| Some(hook?.id.to_string());
    let keys = key(found.rows.first()).zip(key(found.rows.last()));
    Ok(Reply::json(&WebhookList {
        success: true,
        page: page.view(found.total, number, keys, found.has_more),
        r#type: wanted,
        user: user.map(|user| user.to_string()),
        results: found.rows.iter().map(WebhookView::new).collect(),
    }))
}

/// What a hook is registered with.
#[derive(Debug, ToSchema)]
#[expect(missing_docs, reason = "documentation of the body only")]
pub struct WebhookRequest {
    /// Names of events, `mfa.*`, `*`.
    #[schema(example = json!(["user.created", "mfa.*"]))]
    pub r#type: Vec<String>,
    /// Only of this user's; absent: of all.
    pub user: Option<String>,
    #[schema(example = "https://hooks.example.com/mail")]
    pub url: String,
}

/// Register a webhook
///
/// Events are posted as JSON. What is not answered with 2xx is tried again four times, from two
/// seconds on with doubling pauses; 410 removes the hook.
#[utoipa::path(
    post, path = "/webhooks", tag = "Webhooks", operation_id = "createWebhook",
    request_body = WebhookRequest,
    responses(
        (status = 200, description = "Registered", body = Created),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`UserNotFound`", body = ProblemView)
    )
)]
pub async fn create(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    p.session();
    let types = p.parsed("type", "must be a list of names of events", read_types).required();
    let user: Option<UserId> = p.id("user").optional();
    let url = p.parsed("url", "must be an http or https URL", |value| {
        let target = ForwardTarget::new(value.as_str()?).ok()?;
        (target.kind == TargetKind::Http).then_some(target.value)
    });
    let url = url.required();
    let caller = p.finish(Unknown::Rejected)?;
    match user {
        Some(user) => caller.authorize(Resource::Webhooks, Grant::Create, user)?,
        None => caller.authorize_any(Resource::Webhooks, Grant::Create)?,
    }
    Ok(Reply::created(ctx.directory.create_webhook(types, user, url).await?))
}

fn read_types(value: &Value) -> Option<Vec<String>> {
    let items = value.as_array().filter(|items| items.len() <= LIST_ITEMS_MAX)?;
    let one = |item: &Value| {
        let text = item.as_str()?.trim().to_lowercase();
        (!text.is_empty() && text.chars().count() <= 128).then_some(text)
    };
    let mut types: Vec<String> = items.iter().map(one).collect::<Option<_>>()?;
    types.sort();
    types.dedup();
    (!types.is_empty()).then_some(types)
}

/// Remove a webhook
#[utoipa::path(
    delete, path = "/webhooks/{webhook}", tag = "Webhooks", operation_id = "deleteWebhook",
    params(("webhook" = String, Path, description = "The hook's id")),
    responses(
        (status = 200, description = "Removed", body = Success),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`WebhookNotFound`", body = ProblemView)
    )
)]
pub async fn delete(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let hook: ObjectId = p.id("webhook").required();
    p.session();
    let caller = p.finish(Unknown::Rejected)?;
    match caller.reach(Resource::Webhooks, Grant::Delete) {
        Reach::Any => {}
        Reach::Own => {
            let owner = ctx.directory.load_webhook(hook).await?.user;
            if owner.is_none() || owner != caller.user() {
                return Err(Problem::missing_privileges());
            }
        }
        Reach::None => return Err(Problem::missing_privileges()),
    }
    ctx.directory.delete_webhook(hook).await?;
    Ok(Reply::success())
}
