//! Passwords of applications: list, create, show, delete.

use super::Context;
use super::access::{Grant, Resource};
use super::extract::Call;
use super::mail_profile::Account;
use super::params::{Params, Unknown};
use super::problem::{Problem, ProblemView, RefusalView};
use super::reply::{Answer, Reply, Success, iso_date};
use crate::auth::app_password::{AppPassword, NewAppPassword, letters_of};
use crate::auth::log::AuthEvent;
use crate::model::error::Error;
use crate::model::id::{ObjectId, UserId};
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// Doors an application's password may open.
const SCOPES: [&str; 3] = ["imap", "pop3", "smtp"];

/// A password of an application, without its letters.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names say it")]
pub struct AppPasswordView {
    #[schema(example = "6ad9a3c2e1f0b1a2c3d4e5f6")]
    pub id: String,
    #[schema(example = "Thunderbird at home")]
    pub description: String,
    /// `imap`, `pop3`, `smtp`
    pub scopes: Vec<String>,
    /// `time`, where it was used.
    pub last_use: Value,
    pub created: String,
    /// When it ends, unless it is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

impl AppPasswordView {
    fn new(own: &AppPassword) -> Self {
        let scopes = SCOPES.into_iter().filter(|scope| own.opens(scope));
        Self {
            id: own.id.to_string(),
            description: own.description.clone(),
            scopes: scopes.map(str::to_owned).collect(),
            last_use: own.used_ms.map_or(json!({}), |at| json!({ "time": iso_date(at) })),
            created: iso_date(own.created_ms),
            expires: own.expires_ms.map(iso_date),
        }
    }
}

/// Passwords of a user's applications.
#[derive(Debug, Serialize, ToSchema)]
pub struct AppPasswordList {
    /// Always true.
    pub success: bool,
    /// Oldest first.
    pub results: Vec<AppPasswordView>,
}

/// One password of an application.
#[derive(Debug, Serialize, ToSchema)]
pub struct ShownAppPassword {
    /// Always true.
    pub success: bool,
    /// The password.
    #[serde(flatten)]
    pub password: AppPasswordView,
}

/// A new password of an application.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedAppPassword {
    /// Always true.
    pub success: bool,
    /// Its identifier.
    pub id: String,
    /// Its sixteen letters, told this once.
    pub password: String,
    /// A signed profile for Apple's mail programs, base64, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mobileconfig: Option<String>,
    /// The name in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The address in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// What a password of an application is created from.
#[derive(Debug, ToSchema)]
#[expect(missing_docs, reason = "documentation of the body only")]
pub struct CreateAppPasswordRequest {
    #[schema(max_length = 255, example = "Thunderbird at home")]
    pub description: String,
    /// `imap`, `pop3`, `smtp`, or `*` (default); a list, or text with commas.
    pub scopes: Option<Vec<String>>,
    /// An own address, for a profile.
    pub address: Option<String>,
    /// Sixteen letters; made by the server by default.
    pub password: Option<String>,
    /// With a profile for Apple's mail programs; needs the scopes `smtp` and `imap` or `pop3`.
    #[schema(rename = "generateMobileconfig")]
    pub generate_mobileconfig: Option<bool>,
    /// Seconds after its last use that it ends.
    pub ttl: Option<u64>,
}

/// List passwords of applications
#[utoipa::path(
    get, path = "/users/{user}/asps", tag = "ApplicationPasswords",
    operation_id = "listAppPasswords",
    params(
        ("user" = String, Path, description = "The user's id, or `me`"),
        ("showAll" = Option<bool>, Query, description = "Also those that end by themselves")
    ),
    responses(
        (status = 200, description = "All of them", body = AppPasswordList),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`UserNotFound`", body = ProblemView)
    )
)]
pub async fn list(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let user = p.user();
    p.session();
    let shows_all = p.boolean("showAll").or(false);
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Asps, Grant::Read, user)?;
    let rows = ctx.authenticator.list_app_passwords(user, shows_all).await?;
    let results = rows.iter().map(AppPasswordView::new).collect();
    Ok(Reply::json(&AppPasswordList { success: true, results }))
}

/// Show a password of an application
///
/// Without its letters, which nobody knows any more.
#[utoipa::path(
    get, path = "/users/{user}/asps/{asp}", tag = "ApplicationPasswords",
    operation_id = "showAppPassword",
    params(
        ("user" = String, Path, description = "The user's id, or `me`"),
        ("asp" = String, Path, description = "The password's id")
    ),
    responses(
        (status = 200, description = "The password", body = ShownAppPassword),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`AspNotFound`", body = ProblemView)
    )
)]
pub async fn show(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let user = p.user();
    let id: ObjectId = p.id("asp").required();
    p.session();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Asps, Grant::Read, user)?;
    let found = ctx.authenticator.load_app_password(user, id).await?;
    let password = AppPasswordView::new(&found);
    Ok(Reply::json(&ShownAppPassword { success: true, password }))
}

/// Create a password of an application
///
/// It opens IMAP, POP3 or SMTP, never the API, also while a second factor is on.
#[utoipa::path(
    post, path = "/users/{user}/asps", tag = "ApplicationPasswords",
    operation_id = "createAppPassword",
    params(("user" = String, Path, description = "The user's id, or `me`")),
    request_body = CreateAppPasswordRequest,
    responses(
        (status = 200, description = "Created", body = CreatedAppPassword),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, no valid token, or `TooMany`",
            body = ProblemView),
        (status = 404, description = "`UserNotFound`, `AddressNotFound`", body = ProblemView),
        (status = 500, description = "`InternalConfigError`: the key signs no profiles",
            body = ProblemView)
    )
)]
pub async fn create(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let user = p.user();
    let session = p.session();
    let description = p.text("description", 255).required();
    let scopes = scopes_of(&mut p);
    let address = p.text("address", 320).optional();
    let password = p.parsed("password", "must have sixteen letters a to z", |value| {
        letters_of(value.as_str()?)
    });
    let password = password.optional();
    let wants_profile = p.boolean("generateMobileconfig").or(false);
    let ttl_s = p.count("ttl").or(0);
    let protocol = p.text("protocol", 255).or("API".to_owned());
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Asps, Grant::Create, user)?;
    let opens = |scope: &str| scopes.iter().any(|own| own == "*" || own == scope);
    let by_imap = opens("imap");
    if wants_profile && !(opens("smtp") && (by_imap || opens("pop3"))) {
        let text = "Profile file requires either imap or pop3 and smtp scopes";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "InvalidAuthScope", text));
    }
    let (name, address) = sender(&ctx, user, address).await?;
    if wants_profile && !ctx.profiles.is_possible() {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        let text = "Profiles need a certificate with an RSA, P-256 or P-384 key";
        return Err(Problem::new(status, "InternalConfigError", text));
    }
    let new = NewAppPassword { description: description.clone(), scopes, password, ttl_s };
    let (id, password) = match ctx.authenticator.create_app_password(user, new).await {
        Err(error @ Error::LimitReached { .. }) => {
            let allowed = ctx.directory.find_number(crate::model::setting::Setting::AspLimit);
            let allowed = allowed.await?;
            return Err(Problem::from(error).with("allowed", json!(allowed)));
        }
        other => other?,
    };
    let event = session.event("create asp");
    let app_password = Some((id, description.clone()));
    ctx.authenticator.log(user, AuthEvent { app_password, protocol: Some(protocol), ..event });
    let account = Account {
        user,
        name: &name,
        address: &address,
        password: &password,
        description: &description,
        by_imap,
    };
    let profile = wants_profile.then(|| ctx.profiles.make(&account)).transpose()?;
    Ok(Reply::json(&CreatedAppPassword {
        success: true,
        id: id.to_string(),
        mobileconfig: profile,
        name: wants_profile.then_some(name),
        address: wants_profile.then_some(address),
        password,
    }))
}

/// Name and address in a profile: of the own address that was asked for, else of the user.
async fn sender(
    ctx: &Context,
    user: UserId,
    address: Option<String>,
) -> Result<(String, String), Problem> {
    let profile = ctx.directory.load_user(user).await?;
    let Some(wanted) = address else {
        return Ok((profile.name, profile.user.address));
    };
    let own = ctx.directory.list_addresses(user).await?;
    let own = own.into_iter().find(|entry| entry.address.eq_ignore_ascii_case(&wanted));
    let own = own.ok_or(Error::NotFound { what: "address" })?;
    let name = if own.name.is_empty() { profile.name } else { own.name };
    Ok((name, own.address))
}

/// A list, or text with commas.
fn scopes_of(p: &mut Params) -> Vec<String> {
    let scopes = p.parsed("scopes", "must be of imap, pop3, smtp and *", |value| {
        let texts: Vec<&str> = match value {
            Value::String(text) => text.split(',').map(str::trim).collect(),
            Value::Array(items) => items.iter().map(Value::as_str).collect::<Option<_>>()?,
            _ => return None,
        };
        let is_known = |scope: &&str| *scope == "*" || SCOPES.contains(scope);
        texts.iter().all(is_known).then(|| texts.into_iter().map(str::to_owned).collect())
    });
    let scopes: Vec<String> = scopes.optional().unwrap_or_default();
    if scopes.is_empty() || scopes.iter().any(|scope| scope == "*") {
        return vec!["*".to_owned()];
    }
    scopes
}

/// Delete a password of an application
#[utoipa::path(
    delete, path = "/users/{user}/asps/{asp}", tag = "ApplicationPasswords",
    operation_id = "deleteAppPassword",
    params(
        ("user" = String, Path, description = "The user's id, or `me`"),
        ("asp" = String, Path, description = "The password's id")
    ),
    responses(
        (status = 200, description = "Deleted", body = Success),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`AspNotFound`", body = ProblemView)
    )
)]
pub async fn delete(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let user = p.user();
    let id: ObjectId = p.id("asp").required();
    let session = p.session();
    let protocol = p.text("protocol", 255).or("API".to_owned());
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Asps, Grant::Delete, user)?;
    let deleted = ctx.authenticator.delete_app_password(user, id).await?;
    let event = session.event("delete asp");
    let app_password = Some((id, deleted.description));
    ctx.authenticator.log(user, AuthEvent { app_password, protocol: Some(protocol), ..event });
    Ok(Reply::success())
}
