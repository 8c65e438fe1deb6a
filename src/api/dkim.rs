//! Keys that sign outgoing mail: list, show, store, remove (`reference/http-api.md`).

use super::Context;
use super::access::{Grant, Resource};
use super::extract::Call;
use super::page::{PageView, Position};
use super::params::Unknown;
use super::problem::{Problem, ProblemView, RefusalView};
use super::reply::{Answer, Reply, Success, iso_date};
use crate::directory::dkim::{NewDkimKey, dns_name, place_in_lists};
use crate::directory::user::Around;
use crate::model::error::Error;
use crate::model::id::ObjectId;
use crate::model::key::DkimKey;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// A key in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct DkimRow {
    /// Identifier.
    pub id: String,
    /// Domain.
    #[schema(example = "example.com")]
    pub domain: String,
    /// Selector.
    #[schema(example = "s1")]
    pub selector: String,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// SHA-256 of the public key.
    pub fingerprint: String,
    /// When it was stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
}

/// A DNS record.
#[derive(Debug, Serialize, ToSchema)]
pub struct DnsTxtView {
    /// Its name.
    pub name: String,
    /// Its text.
    pub value: String,
}

/// A key, without its private half.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DkimView {
    /// Always true.
    pub success: bool,
    /// What lists show.
    #[serde(flatten)]
    pub row: DkimRow,
    /// PEM.
    pub public_key: String,
    /// The record that has to stand in DNS.
    pub dns_txt: DnsTxtView,
}

impl DkimRow {
    fn new(key: &DkimKey) -> Self {
        Self {
            id: key.id.to_string(),
            domain: key.domain.clone(),
            selector: key.selector.clone(),
            description: key.description.clone(),
            fingerprint: key.fingerprint.clone(),
            created: Some(iso_date(key.created_ms)),
        }
    }
}

impl DkimView {
    fn new(key: &DkimKey) -> Self {
        Self {
            success: true,
            row: DkimRow::new(key),
            public_key: key.public_key.clone(),
            dns_txt: DnsTxtView { name: dns_name(key), value: key.dns_value.clone() },
        }
    }
}

/// A page of keys.
#[derive(Debug, Serialize, ToSchema)]
pub struct DkimList {
    /// Always true.
    pub success: bool,
    /// Paging.
    #[serde(flatten)]
    pub page: PageView,
    /// The search text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The keys.
    pub results: Vec<DkimRow>,
}

/// An object's id.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResolvedView {
    /// Always true.
    pub success: bool,
    /// The id.
    pub id: String,
}

/// Where a listing by text continues.
pub fn around(position: &Position) -> Around<&str> {
    match position {
        Position::Start => Around::Start,
        Position::After(key) => Around::After(key.as_str()),
        Position::Before(key) => Around::Before(key.as_str()),
    }
}

/// List DKIM keys
///
/// In order of their domains and selectors.
#[utoipa::path(
    get, path = "/dkim", tag = "DKIM", operation_id = "listDkimKeys",
    params(
        ("query" = Option<String>, Query, description = "Substring of the domain"),
        ("limit" = Option<u16>, Query, description = "Rows of a page, 1 to 250", example = 20),
        ("next" = Option<String>, Query, description = "nextCursor of the page before"),
        ("previous" = Option<String>, Query, description = "previousCursor of the page after")
    ),
    responses(
        (status = 200, description = "One page", body = DkimList),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView)
    )
)]
pub async fn list(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    p.session();
    let query = p.text("query", 255).optional().map(|text| text.to_lowercase());
    let page = p.page();
    let caller = p.finish(Unknown::Ignored)?;
    caller.authorize_any(Resource::Dkim, Grant::Read)?;
    let (position, number) = page.position()?;
    let query_text = query.as_deref();
    let found = ctx.directory.list_dkim_keys(query_text, around(&position), page.limit).await?;
    let key = |key: Option<&DkimKey>| key.map(place_in_lists);
    let keys = key(found.rows.first()).zip(key(found.rows.last()));
    Ok(Reply::json(&DkimList {
        success: true,
        page: page.view(found.total, number, keys, found.has_more),
        query,
        results: found.rows.iter().map(DkimRow::new).collect(),
    }))
}

/// Find a key's id by its domain
///
/// Of several keys, the oldest.
#[utoipa::path(
    get, path = "/dkim/resolve/{domain}", tag = "DKIM", operation_id = "resolveDkimKey",
    params(("domain" = String, Path, description = "Domain")),
    responses(
        (status = 200, description = "Found", body = ResolvedView),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`DkimNotFound`", body = ProblemView)
    )
)]
pub async fn resolve(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let domain = p.text("domain", 255).required();
    p.session();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize_any(Resource::Dkim, Grant::Read)?;
    let keys = ctx.directory.find_dkim_keys(&domain).await?;
    let key = keys.first().ok_or(Error::NotFound { what: "dkim" })?;
    Ok(Reply::json(&ResolvedView { success: true, id: key.id.to_string() }))
}

/// What a key is stored with.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(missing_docs, reason = "documentation of the body only")]
pub struct DkimRequest {
    #[schema(example = "example.com")]
    pub domain: String,
    #[schema(example = "s1")]
    pub selector: String,
    /// PEM, or base64 of the 32 octets of an Ed25519 key; absent: a new RSA key of 2048 bits.
    pub private_key: Option<String>,
    pub description: Option<String>,
    /// The domain's keys with other selectors stay, and all of them sign; else it has this one only.
    /// Not in WildDuck.
    pub keep: Option<bool>,
}

/// Store a DKIM key
///
/// In place of the keys the domain had, or beside them: an Ed25519 key beside an RSA key, or a new
/// key whose record spreads while the old one still signs.
#[utoipa::path(
    post, path = "/dkim", tag = "DKIM", operation_id = "updateDkimKey",
    request_body = DkimRequest,
    responses(
        (status = 200, description = "Stored", body = DkimView),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 500, description = "`KeyGenerateError`", body = ProblemView)
    )
)]
pub async fn update(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    p.session();
    let new = NewDkimKey {
        domain: p.text("domain", 255).required(),
        selector: p.text("selector", 255).required(),
        private_key: p.text("privateKey", 16 * 1024).optional(),
        description: p.text("description", 255).optional(),
        keeps_others: p.boolean("keep").or(false),
    };
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize_any(Resource::Dkim, Grant::Create)?;
    let key = ctx.directory.put_dkim_key(new).await.map_err(|error| match error {
        Error::Internal { reason: "making a key", .. } => {
            let text = "Failed to generate a key";
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "KeyGenerateError", text)
        }
        error => error.into(),
    })?;
    let mut view = DkimView::new(&key);
    view.row.created = None;
    Ok(Reply::json(&view))
}

/// Show a DKIM key
///
/// The private half is never shown.
#[utoipa::path(
    get, path = "/dkim/{dkim}", tag = "DKIM", operation_id = "showDkimKey",
    params(("dkim" = String, Path, description = "The key's id")),
    responses(
        (status = 200, description = "The key", body = DkimView),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`DkimNotFound`", body = ProblemView)
    )
)]
pub async fn show(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let key: ObjectId = p.id("dkim").required();
    p.session();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize_any(Resource::Dkim, Grant::Read)?;
    Ok(Reply::json(&DkimView::new(&ctx.directory.load_dkim_key(key).await?)))
}

/// Remove a DKIM key
#[utoipa::path(
    delete, path = "/dkim/{dkim}", tag = "DKIM", operation_id = "deleteDkimKey",
    params(("dkim" = String, Path, description = "The key's id")),
    responses(
        (status = 200, description = "Removed", body = Success),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`DkimNotFound`", body = ProblemView)
    )
)]
pub async fn delete(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let key: ObjectId = p.id("dkim").required();
    p.session();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize_any(Resource::Dkim, Grant::Delete)?;
    ctx.directory.delete_dkim_key(key).await?;
    Ok(Reply::success())
}
