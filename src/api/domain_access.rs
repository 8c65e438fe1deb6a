//! Senders' domains that are let through or taken for spam, by tag of users.

use super::Context;
use super::access::{Grant, Resource};
use super::extract::Call;
use super::params::Unknown;
use super::problem::{ProblemView, RefusalView};
use super::reply::{Answer, Created, Reply};
use crate::auth::name::normal_domain;
use crate::model::id::ObjectId;
use crate::model::profile::DomainAction;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

/// A domain on a list.
#[derive(Debug, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names say it")]
pub struct DomainAccessRow {
    #[schema(example = "6ad9a3c2e1f0b1a2c3d4e5f6")]
    pub id: String,
    #[schema(example = "example.org")]
    pub domain: String,
    /// `allow` or `block`
    pub action: &'static str,
}

/// A list of domains.
#[derive(Debug, Serialize, ToSchema)]
pub struct DomainAccessList {
    /// Always true.
    pub success: bool,
    /// The domains, in order.
    pub results: Vec<DomainAccessRow>,
}

/// What is put on a list.
#[derive(Debug, ToSchema)]
pub struct DomainAccessRequest {
    /// The sender's domain.
    #[schema(max_length = 255, example = "example.org")]
    pub domain: String,
}

/// An entry that was removed.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeletedDomainAccess {
    /// Always true.
    pub success: bool,
    /// The entry.
    pub deleted: String,
}

async fn put(ctx: &Context, call: Call, action: DomainAction) -> Answer {
    let mut p = call.params;
    let tag = p.text("tag", 128).required();
    let domain = p.parsed("domain", "must be a domain", |value| {
        let text = value.as_str().filter(|text| text.chars().count() <= 255)?;
        normal_domain(text).ok()
    });
    let domain = domain.required();
    p.session();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize_any(Resource::DomainAccess, Grant::Create)?;
    Ok(Reply::created(ctx.directory.put_domain_access(&tag, &domain, action).await?))
}

async fn list(ctx: &Context, call: Call, action: DomainAction) -> Answer {
    let mut p = call.params;
    let tag = p.text("tag", 128).required();
    p.session();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize_any(Resource::DomainAccess, Grant::Read)?;
    let rows = ctx.directory.list_domain_access(&tag, action).await?.into_iter();
    let row = |(id, domain): (ObjectId, String)| DomainAccessRow {
        id: id.to_string(),
        domain,
        action: action.name(),
    };
    Ok(Reply::json(&DomainAccessList { success: true, results: rows.map(row).collect() }))
}

/// Let mail of a domain through
///
/// For users with this tag. Takes the domain off the list of blocked ones.
#[utoipa::path(
    post, path = "/domainaccess/{tag}/allow", tag = "DomainAccess", operation_id = "allowDomain",
    params(("tag" = String, Path, description = "Tag of users")),
    request_body = DomainAccessRequest,
    responses(
        (status = 200, description = "On the list", body = Created),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView)
    )
)]
pub async fn allow(State(ctx): State<Context>, call: Call) -> Answer {
    put(&ctx, call, DomainAction::Allow).await
}

/// Take mail of a domain for spam
///
/// For users with this tag. Takes the domain off the list of allowed ones.
#[utoipa::path(
    post, path = "/domainaccess/{tag}/block", tag = "DomainAccess", operation_id = "blockDomain",
    params(("tag" = String, Path, description = "Tag of users")),
    request_body = DomainAccessRequest,
    responses(
        (status = 200, description = "On the list", body = Created),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView)
    )
)]
pub async fn block(State(ctx): State<Context>, call: Call) -> Answer {
    put(&ctx, call, DomainAction::Block).await
}

/// List allowed domains
#[utoipa::path(
    get, path = "/domainaccess/{tag}/allow", tag = "DomainAccess",
    operation_id = "listAllowedDomains",
    params(("tag" = String, Path, description = "Tag of users")),
    responses(
        (status = 200, description = "The list", body = DomainAccessList),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView)
    )
)]
pub async fn list_allowed(State(ctx): State<Context>, call: Call) -> Answer {
    list(&ctx, call, DomainAction::Allow).await
}

/// List blocked domains
#[utoipa::path(
    get, path = "/domainaccess/{tag}/block", tag = "DomainAccess",
    operation_id = "listBlockedDomains",
    params(("tag" = String, Path, description = "Tag of users")),
    responses(
        (status = 200, description = "The list", body = DomainAccessList),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView)
    )
)]
pub async fn list_blocked(State(ctx): State<Context>, call: Call) -> Answer {
    list(&ctx, call, DomainAction::Block).await
}

/// Take a domain off its list
#[utoipa::path(
    delete, path = "/domainaccess/{domain}", tag = "DomainAccess",
    operation_id = "deleteDomainAccess",
    params(("domain" = String, Path, description = "The entry's id")),
    responses(
        (status = 200, description = "Removed", body = DeletedDomainAccess),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`DomainNotFound`", body = ProblemView)
    )
)]
pub async fn delete(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let entry: ObjectId = p.id("domain").required();
    p.session();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize_any(Resource::DomainAccess, Grant::Delete)?;
    ctx.directory.delete_domain_access(entry).await?;
    Ok(Reply::json(&DeletedDomainAccess { success: true, deleted: entry.to_string() }))
}
