//! Domains that stand for other domains: list, create, find, show, delete.

use super::Context;
use super::access::{Grant, Resource};
use super::extract::Call;
use super::page::{PageView, Position};
use super::params::Unknown;
use super::problem::{ProblemView, RefusalView};
use super::reply::{Answer, Created, Reply, Success, iso_date};
use crate::auth::name::normal_domain;
use crate::directory::user::Around;
use crate::model::id::ObjectId;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

/// A domain alias in a list.
#[derive(Debug, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names say it")]
pub struct DomainAliasRow {
    #[schema(example = "6ad9a3c2e1f0b1a2c3d4e5f6")]
    pub id: String,
    /// The domain that stands for the other.
    #[schema(example = "example.net")]
    pub alias: String,
    /// The domain whose addresses it has.
    #[schema(example = "example.com")]
    pub domain: String,
}

/// A page of domain aliases.
#[derive(Debug, Serialize, ToSchema)]
pub struct DomainAliasList {
    /// Always true.
    pub success: bool,
    /// Paging.
    #[serde(flatten)]
    pub page: PageView,
    /// The search text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The aliases.
    pub results: Vec<DomainAliasRow>,
}

/// One domain alias.
#[derive(Debug, Serialize, ToSchema)]
pub struct ShownDomainAlias {
    /// Always true.
    pub success: bool,
    /// The alias.
    #[serde(flatten)]
    pub alias: DomainAliasRow,
    /// When it was created.
    pub created: String,
}

/// List domain aliases
///
/// In order of aliases.
#[utoipa::path(
    get, path = "/domainaliases", tag = "DomainAliases", operation_id = "listDomainAliases",
    params(
        ("query" = Option<String>, Query, description = "Substring of alias or domain"),
        ("limit" = Option<u16>, Query, description = "Rows of a page, 1 to 250", example = 20),
        ("next" = Option<String>, Query, description = "nextCursor of the page before"),
        ("previous" = Option<String>, Query, description = "previousCursor of the page after")
    ),
    responses(
        (status = 200, description = "One page", body = DomainAliasList),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView)
    )
)]
pub async fn list(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    p.session();
    let query = p.text("query", 255).optional();
    let page = p.page();
    let caller = p.finish(Unknown::Ignored)?;
    caller.authorize_any(Resource::DomainAliases, Grant::Read)?;
    let (position, number) = page.position()?;
    let around = match &position {
        Position::Start => Around::Start,
        Position::After(key) => Around::After(key.as_str()),
        Position::Before(key) => Around::Before(key.as_str()),
    };
    let found = ctx.directory.list_domain_aliases(query.as_deref(), around, page.limit).await?;
    let first = found.rows.first().map(|row| row.alias.clone());
    let keys = first.zip(found.rows.last().map(|row| row.alias.clone()));
    let rows = found.rows.iter();
    Ok(Reply::json(&DomainAliasList {
        success: true,
        page: page.view(found.total, number, keys, found.has_more),
        query,
        results: rows
            .map(|row| DomainAliasRow {
                id: row.id.to_string(),
                alias: row.alias.clone(),
                domain: row.domain.clone(),
            })
            .collect(),
    }))
}

/// What a domain alias is created from.
#[derive(Debug, ToSchema)]
pub struct CreateDomainAliasRequest {
    /// The domain that stands for the other.
    #[schema(max_length = 255, example = "example.net")]
    pub alias: String,
    /// The domain whose addresses it has.
    #[schema(max_length = 255, example = "example.com")]
    pub domain: String,
}

/// Create a domain alias
#[utoipa::path(
    post, path = "/domainaliases", tag = "DomainAliases", operation_id = "createDomainAlias",
    request_body = CreateDomainAliasRequest,
    responses(
        (status = 200, description = "Created", body = Created),
        (status = 400, description = "Refused, or `AliasExists`", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView)
    )
)]
pub async fn create(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    p.session();
    let domain_of = |value: &serde_json::Value| {
        let text = value.as_str().filter(|text| text.chars().count() <= 255)?;
        normal_domain(text).ok()
    };
    let alias: String = p.parsed("alias", "must be a domain", domain_of).required();
    let domain: String = p.parsed("domain", "must be a domain", domain_of).required();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize_any(Resource::DomainAliases, Grant::Create)?;
    Ok(Reply::created(ctx.directory.create_domain_alias(&alias, &domain).await?))
}

/// Find a domain alias by its name
#[utoipa::path(
    get, path = "/domainaliases/resolve/{alias}", tag = "DomainAliases",
    operation_id = "resolveDomainAlias",
    params(("alias" = String, Path, description = "The domain that stands for another")),
    responses(
        (status = 200, description = "Found", body = Created),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`AliasNotFound`", body = ProblemView)
    )
)]
pub async fn resolve(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let alias = p.text("alias", 255).required();
    p.session();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize_any(Resource::DomainAliases, Grant::Read)?;
    Ok(Reply::created(ctx.directory.load_domain_alias_by_name(&alias).await?.id))
}

/// Show a domain alias
#[utoipa::path(
    get, path = "/domainaliases/{alias}", tag = "DomainAliases", operation_id = "showDomainAlias",
    params(("alias" = String, Path, description = "The alias's id")),
    responses(
        (status = 200, description = "The alias", body = ShownDomainAlias),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`AliasNotFound`", body = ProblemView)
    )
)]
pub async fn show(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let id: ObjectId = p.id("alias").required();
    p.session();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize_any(Resource::DomainAliases, Grant::Read)?;
    let found = ctx.directory.load_domain_alias(id).await?;
    let id = found.id.to_string();
    Ok(Reply::json(&ShownDomainAlias {
        success: true,
        alias: DomainAliasRow { id, alias: found.alias, domain: found.domain },
        created: iso_date(found.created_ms),
    }))
}

/// Delete a domain alias
#[utoipa::path(
    delete, path = "/domainaliases/{alias}", tag = "DomainAliases",
    operation_id = "deleteDomainAlias",
    params(("alias" = String, Path, description = "The alias's id")),
    responses(
        (status = 200, description = "Deleted", body = Success),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`AliasNotFound`", body = ProblemView)
    )
)]
pub async fn delete(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let id: ObjectId = p.id("alias").required();
    p.session();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize_any(Resource::DomainAliases, Grant::Delete)?;
    ctx.directory.delete_domain_alias(id).await?;
    Ok(Reply::success())
}
