//! Certificates by the name clients ask for: list, show, store, remove (`reference/http-api.md`).

use super::Context;
use super::access::{Grant, Resource};
use super::dkim::{ResolvedView, around};
use super::extract::Call;
use super::page::PageView;
use super::params::{LIST_ITEMS_MAX, Params, Unknown};
use super::problem::{ProblemView, RefusalView};
use super::reply::{Answer, Reply, Success, iso_date};
use crate::directory::certificate::{CertificateListing, NewCertificate};
use crate::model::id::ObjectId;
use crate::model::key::Certificate;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Characters of a PEM text.
const PEM_CHARS_MAX: usize = 256 * 1024;

/// A certificate, without its key.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertView {
    /// Identifier.
    pub id: String,
    /// The name.
    #[schema(example = "mail.example.com")]
    pub servername: String,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// SHA-256 of the private key; absent: it is still to be obtained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// All names it is for.
    pub alt_names: Vec<String>,
    /// Obtained and renewed by ACME.
    pub acme: bool,
    /// There is a certificate; when one is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_cert: Option<bool>,
    /// When it was stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
}

impl CertView {
    fn new(certificate: &Certificate) -> Self {
        let is_there = !certificate.chain.is_empty();
        Self {
            id: certificate.id.to_string(),
            servername: certificate.server_name.clone(),
            description: certificate.description.clone(),
            fingerprint: is_there.then(|| certificate.fingerprint.clone()),
            expires: is_there.then(|| iso_date(certificate.expires_ms)),
            alt_names: certificate.alt_names.clone(),
            acme: certificate.is_acme,
            has_cert: None,
            created: Some(iso_date(certificate.created_ms)),
        }
    }
}

/// One certificate.
#[derive(Debug, Serialize, ToSchema)]
pub struct ShownCert {
    /// Always true.
    pub success: bool,
    /// The certificate.
    #[serde(flatten)]
    pub cert: CertView,
}

/// A page of certificates.
#[derive(Debug, Serialize, ToSchema)]
pub struct CertList {
    /// Always true.
    pub success: bool,
    /// Paging.
    #[serde(flatten)]
    pub page: PageView,
    /// The search text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The certificates.
    pub results: Vec<CertView>,
}

/// List certificates
///
/// In order of their names.
#[utoipa::path(
    get, path = "/certs", tag = "Certs", operation_id = "listCerts",
    params(
        ("query" = Option<String>, Query, description = "Substring of the name"),
        ("altNames" = Option<bool>, Query, description = "Search the other names, too"),
        ("limit" = Option<u16>, Query, description = "Rows of a page, 1 to 250", example = 20),
        ("next" = Option<String>, Query, description = "nextCursor of the page before"),
        ("previous" = Option<String>, Query, description = "previousCursor of the page after")
    ),
    responses(
        (status = 200, description = "One page", body = CertList),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView)
    )
)]
pub async fn list(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    p.session();
    let query = p.text("query", 255).optional().map(|text| text.to_lowercase());
    let with_alt_names = p.boolean("altNames").or(false);
    let page = p.page();
    let caller = p.finish(Unknown::Ignored)?;
    caller.authorize_any(Resource::Certs, Grant::Read)?;
    let (position, number) = page.position()?;
    let listing = CertificateListing { query: query.clone(), with_alt_names };
    let found = ctx.directory.list_certificates(&listing, around(&position), page.limit).await?;
    let key = |row: Option<&Certificate>| Some(row?.server_name.clone());
    let keys = key(found.rows.first()).zip(key(found.rows.last()));
    Ok(Reply::json(&CertList {
        success: true,
        page: page.view(found.total, number, keys, found.has_more),
        query,
        results: found.rows.iter().map(CertView::new).collect(),
    }))
}

/// Find a certificate's id by its name
#[utoipa::path(
    get, path = "/certs/resolve/{servername}", tag = "Certs", operation_id = "resolveCert",
    params(("servername" = String, Path, description = "Name")),
    responses(
        (status = 200, description = "Found", body = ResolvedView),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`CertNotFound`", body = ProblemView)
    )
)]
pub async fn resolve(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let name = p.text("servername", 255).required();
    p.session();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize_any(Resource::Certs, Grant::Read)?;
    let certificate = ctx.directory.load_certificate_by_name(&name).await?;
    Ok(Reply::json(&ResolvedView { success: true, id: certificate.id.to_string() }))
}

/// What a certificate is stored with.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(missing_docs, reason = "documentation of the body only")]
pub struct CertRequest {
    #[schema(example = "mail.example.com")]
    pub servername: String,
    /// PEM; required unless `acme`.
    pub private_key: Option<String>,
    /// PEM; those that vouch for it may follow. Required unless `acme`.
    pub cert: Option<String>,
    /// PEM of those that vouch for it.
    pub ca: Option<Vec<String>>,
    pub description: Option<String>,
    /// Obtain it by ACME, and renew it.
    pub acme: Option<bool>,
}

/// Store a certificate
///
/// In place of the one its name had; it is used from the next connection on. With `acme` it is
/// obtained soon, and what the name has stays until then.
#[utoipa::path(
    post, path = "/certs", tag = "Certs", operation_id = "updateCert",
    request_body = CertRequest,
    responses(
        (status = 200, description = "Stored", body = ShownCert),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView)
    )
)]
pub async fn update(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    p.session();
    if p.boolean("acme").or(false) {
        return request(&ctx, p).await;
    }
    let new = NewCertificate {
        server_name: p.text("servername", 255).required(),
        description: p.text("description", 1024).optional(),
        private_key: p.text("privateKey", PEM_CHARS_MAX).required(),
        chain: chain(&mut p),
    };
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize_any(Resource::Certs, Grant::Create)?;
    let certificate = ctx.directory.put_certificate(new).await?;
    let cert = CertView { created: None, ..CertView::new(&certificate) };
    Ok(Reply::json(&ShownCert { success: true, cert }))
}

async fn request(ctx: &Context, mut p: Params) -> Answer {
    let name = p.text("servername", 255).required();
    let description = p.text("description", 1024).optional();
    for unused in ["privateKey", "cert", "ca"] {
        p.take(unused);
    }
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize_any(Resource::Certs, Grant::Create)?;
    let certificate = ctx.directory.request_certificate(&name, description).await?;
    let cert = CertView { created: None, ..CertView::new(&certificate) };
    Ok(Reply::json(&ShownCert { success: true, cert }))
}

/// The certificate, then those that vouch for it.
fn chain(p: &mut Params) -> String {
    let mut chain = p.text("cert", PEM_CHARS_MAX).required();
    let ca = p.parsed("ca", "must be a list of PEM texts", |value| {
        let items = match value {
            Value::Array(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        let text = |item: &Value| item.as_str().map(str::to_owned);
        let items = Some(items).filter(|items| items.len() <= LIST_ITEMS_MAX)?;
        items.iter().map(text).collect::<Option<Vec<_>>>()
    });
    for text in ca.optional().unwrap_or_default() {
        if !chain.ends_with('\n') {
            chain.push('\n');
        }
        chain.push_str(&text);
    }
    if chain.chars().count() > PEM_CHARS_MAX {
        p.fail("ca", format!("\"ca\" and \"cert\" have at most {PEM_CHARS_MAX} characters"));
    }
    chain
}

/// Show a certificate
///
/// Its key is never shown.
#[utoipa::path(
    get, path = "/certs/{cert}", tag = "Certs", operation_id = "showCert",
    params(("cert" = String, Path, description = "The certificate's id")),
    responses(
        (status = 200, description = "The certificate", body = ShownCert),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`CertNotFound`", body = ProblemView)
    )
)]
pub async fn show(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let id: ObjectId = p.id("cert").required();
    p.session();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize_any(Resource::Certs, Grant::Read)?;
    let certificate = ctx.directory.load_certificate(id).await?;
    let cert =
        CertView { has_cert: Some(!certificate.chain.is_empty()), ..CertView::new(&certificate) };
    Ok(Reply::json(&ShownCert { success: true, cert }))
}

/// Remove a certificate
#[utoipa::path(
    delete, path = "/certs/{cert}", tag = "Certs", operation_id = "deleteCert",
    params(("cert" = String, Path, description = "The certificate's id")),
    responses(
        (status = 200, description = "Removed", body = Success),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`CertNotFound`", body = ProblemView)
    )
)]
pub async fn delete(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let id: ObjectId = p.id("cert").required();
    p.session();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize_any(Resource::Certs, Grant::Delete)?;
    ctx.directory.delete_certificate(id).await?;
    Ok(Reply::success())
}
