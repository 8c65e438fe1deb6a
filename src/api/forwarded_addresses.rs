//! Addresses without a user: create, show, change, delete.

use super::Context;
use super::access::{Grant, Resource};
use super::address_view::{AddressView, ShownAddress};
use super::addresses::{forbidden_as, renamed_of, update_of};
use super::extract::Call;
use super::params::{Params, Unknown, boolean_of, date_of};
use super::problem::{ProblemView, RefusalView};
use super::reply::{Answer, Created, Reply, Success};
use super::user_fields::target_texts;
use crate::directory::address::NewAddress;
use crate::model::filter::Autoreply;
use crate::model::forward::Forwarding;
use crate::model::id::AddressId;
use axum::extract::State;
use serde_json::Value;
use utoipa::ToSchema;

/// Characters of an autoreply's text.
const TEXT_CHARS_MAX: usize = 128 * 1024;

/// What an address without a user is created from.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(missing_docs, reason = "documentation of the body only")]
pub struct CreateForwardedRequest {
    /// Patterns `*@domain`, `*suffix@domain`, `prefix*@domain`, `user@*` with `allowWildcard`.
    #[schema(example = "team@example.com")]
    pub address: String,
    #[schema(max_length = 128)]
    pub name: Option<String>,
    /// Addresses, `smtp://`, `smtps://`, `http://` or `https://` URLs.
    pub targets: Option<Vec<String>>,
    /// Forwards in 24 hours; 0 is the default.
    pub forwards: Option<u64>,
    pub allow_wildcard: Option<bool>,
    pub autoreply: Option<AutoreplyOfAddress>,
    pub tags: Option<Vec<String>>,
    pub meta_data: Option<Value>,
    pub internal_data: Option<Value>,
}

/// What a change of an address without a user may hold; everything is optional.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(missing_docs, reason = "documentation of the body only")]
pub struct UpdateForwardedRequest {
    pub address: Option<String>,
    #[schema(max_length = 128)]
    pub name: Option<String>,
    /// They replace those it has.
    pub targets: Option<Vec<String>>,
    /// Forwards in 24 hours.
    pub forwards: Option<u64>,
    /// Merged key by key.
    pub autoreply: Option<AutoreplyOfAddress>,
    pub tags: Option<Vec<String>>,
    pub meta_data: Option<Value>,
    pub internal_data: Option<Value>,
    /// Nothing is forwarded.
    pub forwarded_disabled: Option<bool>,
}

/// An autoreply.
#[derive(Debug, ToSchema)]
#[expect(missing_docs, reason = "documentation of the body only")]
pub struct AutoreplyOfAddress {
    pub status: Option<bool>,
    /// Date, or false.
    pub start: Option<String>,
    /// Date, or false.
    pub end: Option<String>,
    #[schema(max_length = 128)]
    pub name: Option<String>,
    #[schema(max_length = 2048)]
    pub subject: Option<String>,
    pub text: Option<String>,
    pub html: Option<String>,
}

/// Create an address that only forwards
#[utoipa::path(
    post, path = "/addresses/forwarded", tag = "Addresses", operation_id = "createForwarded",
    request_body = CreateForwardedRequest,
    responses(
        (status = 200, description = "Created", body = Created),
        (status = 400, description = "Refused, or `AddressExistsError`", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView)
    )
)]
pub async fn create(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    p.session();
    let address = p.text("address", 320).required();
    let allows_pattern = p.boolean("allowWildcard").or(false);
    let targets = target_texts(&mut p).unwrap_or_default();
    let mut update = update_of(&mut p);
    update.forwarding = Some(Forwarding {
        forwards_max: p.count("forwards").or(0),
        autoreply: autoreply_of(&mut p, None, ctx.clock.now_ms()),
        ..Forwarding::default()
    });
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize_any(Resource::Addresses, Grant::Create)?;
    let new = NewAddress { address, allows_pattern, is_main: false, update };
    Ok(Reply::created(ctx.directory.create_forwarded(new, &targets).await?))
}

/// Show an address that only forwards
#[utoipa::path(
    get, path = "/addresses/forwarded/{address}", tag = "Addresses",
    operation_id = "showForwarded",
    params(("address" = String, Path, description = "The address's id")),
    responses(
        (status = 200, description = "The address", body = ShownAddress),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`AddressNotFound`", body = ProblemView)
    )
)]
pub async fn show(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let id: AddressId = p.id("address").required();
    p.session();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize_any(Resource::Addresses, Grant::Read)?;
    let (entry, _) = ctx.directory.load_forwarded(id).await?;
    let usage = ctx.directory.forwards_of_address(&entry).await?;
    let address = AddressView::new(&entry, true, true).with_forwarding(&entry, &usage);
    Ok(Reply::json(&ShownAddress { success: true, address }))
}

/// Change an address that only forwards
#[utoipa::path(
    put, path = "/addresses/forwarded/{address}", tag = "Addresses",
    operation_id = "updateForwarded",
    params(("address" = String, Path, description = "The address's id")),
    request_body = UpdateForwardedRequest,
    responses(
        (status = 200, description = "Changed", body = Success),
        (status = 400, description = "Refused, `ChangeNotAllowed`, `AddressExistsError`",
            body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`AddressNotFound`", body = ProblemView)
    )
)]
pub async fn update(State(ctx): State<Context>, mut call: Call) -> Answer {
    let renamed = call.overridden.remove("address");
    let mut p = call.params;
    let id: AddressId = p.id("address").required();
    p.session();
    let renamed = renamed_of(&mut p, renamed);
    let targets = target_texts(&mut p);
    let forwards = p.count("forwards").optional().filter(|forwards| *forwards > 0);
    let is_disabled = p.boolean("forwardedDisabled").optional();
    let mut update = update_of(&mut p);
    let asked = p.has("autoreply");
    let before = if asked { ctx.directory.load_forwarded(id).await.ok() } else { None };
    let before = before.and_then(|(_, before)| before.autoreply);
    let autoreply = autoreply_of(&mut p, before, ctx.clock.now_ms());
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize_any(Resource::Addresses, Grant::Update)?;
    if forwards.is_some() || is_disabled.is_some() || asked {
        let (_, mut forwarding) = ctx.directory.load_forwarded(id).await?;
        forwarding.forwards_max = forwards.unwrap_or(forwarding.forwards_max);
        forwarding.is_disabled = is_disabled.unwrap_or(forwarding.is_disabled);
        forwarding.autoreply = if asked { autoreply } else { forwarding.autoreply };
        update.forwarding = Some(forwarding);
    }
    let renamed = renamed.as_deref();
    let changed = ctx.directory.update_forwarded(id, update, renamed, targets.as_deref());
    changed.await.map_err(|error| forbidden_as(error, "ChangeNotAllowed"))?;
    Ok(Reply::success())
}

/// Delete an address that only forwards
#[utoipa::path(
    delete, path = "/addresses/forwarded/{address}", tag = "Addresses",
    operation_id = "deleteForwarded",
    params(("address" = String, Path, description = "The address's id")),
    responses(
        (status = 200, description = "Deleted", body = Success),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`AddressNotFound`", body = ProblemView)
    )
)]
pub async fn delete(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let id: AddressId = p.id("address").required();
    p.session();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize_any(Resource::Addresses, Grant::Delete)?;
    ctx.directory.delete_forwarded(id).await?;
    Ok(Reply::success())
}

/// The parameter `autoreply`, merged into what there was.
fn autoreply_of(p: &mut Params, before: Option<Autoreply>, now_ms: i64) -> Option<Autoreply> {
    let fields = p.object("autoreply").optional()?;
    let fresh = || Autoreply { is_enabled: true, ..Autoreply::default() };
    let mut merged = before.unwrap_or_else(fresh);
    for (name, value) in fields {
        if let Err(reason) = merge_autoreply(&mut merged, &name, &value) {
            p.fail(&format!("autoreply,{name}"), format!("\"{name}\" {reason}"));
        }
    }
    merged.created_ms = now_ms;
    Some(merged)
}

fn merge_autoreply(
    autoreply: &mut Autoreply,
    name: &str,
    value: &Value,
) -> Result<(), &'static str> {
    let text = |chars_max: usize| match value.as_str() {
        Some(text) if text.chars().count() <= chars_max => Ok(text.to_owned()),
        _ => Err("must be text, and not too long"),
    };
    let at = || match boolean_of(value) {
        Some(false) => Ok(None),
        _ => date_of(value).map(Some).ok_or("must be a date or false"),
    };
    match name {
        "status" => autoreply.is_enabled = boolean_of(value).ok_or("must be a boolean")?,
        "start" => autoreply.start_ms = at()?,
        "end" => autoreply.end_ms = at()?,
        "name" => autoreply.name = text(128)?,
        "subject" => autoreply.subject = text(2048)?,
        "text" => autoreply.text = text(TEXT_CHARS_MAX)?,
        "html" => autoreply.html = text(TEXT_CHARS_MAX)?,
        _ => return Err("is not allowed"),
    }
    Ok(())
}
