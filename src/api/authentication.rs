//! Checking passwords, and access tokens of users.

use super::Context;
use super::access::{Grant, Reach, Resource};
use super::extract::Call;
use super::params::Unknown;
use super::problem::{Problem, ProblemView, RefusalView};
use super::reply::{Answer, Reply, Success};
use crate::auth::authenticate::Protocol;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use std::net::{IpAddr, Ipv4Addr};
use utoipa::ToSchema;

/// The scopes and the doors they stand for.
const SCOPES: [(&str, Protocol); 4] = [
    ("master", Protocol::Api),
    ("imap", Protocol::Imap),
    ("smtp", Protocol::Smtp),
    ("pop3", Protocol::Pop3),
];

/// What a login is checked with.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(missing_docs, reason = "documentation of the body only")]
pub struct AuthenticateRequest {
    /// Username or an own address.
    #[schema(example = "anna")]
    pub username: String,
    #[schema(max_length = 256, example = "correct horse battery staple")]
    pub password: String,
    /// Name of the caller's protocol, for logs.
    pub protocol: Option<String>,
    /// `master` (default), `imap`, `smtp`, `pop3`
    pub scope: Option<String>,
    /// URL of the application, for logs.
    pub app_id: Option<String>,
    /// Issue an access token; only with scope `master`.
    pub token: Option<bool>,
}

/// A login that succeeded.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Authenticated {
    /// Always true.
    pub success: bool,
    /// The user.
    pub id: String,
    /// Login name.
    pub username: String,
    /// Main address.
    pub address: String,
    /// As asked.
    pub scope: String,
    /// Always false: there is no second factor yet.
    #[serde(rename = "require2fa")]
    pub require_2fa: bool,
    /// The password was a temporary one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require_password_change: Option<bool>,
    /// The access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

fn protocol_of(scope: &str) -> Result<Protocol, Problem> {
    let found = SCOPES.into_iter().find(|(name, _)| *name == scope);
    found.map(|(_, protocol)| protocol).ok_or_else(invalid_scope)
}

fn invalid_scope() -> Problem {
    let text = "Invalid scope";
    Problem::new(StatusCode::FORBIDDEN, "InvalidAuthScope", text)
}

/// Check a password, issue an access token
///
/// After twelve failures in two minutes a name has to wait.
#[utoipa::path(
    post, path = "/authenticate", tag = "Authentication", operation_id = "authenticate",
    request_body = AuthenticateRequest,
    responses(
        (status = 200, description = "The password is right", body = Authenticated),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "`AuthFailed`, `RateLimitedError`, `InvalidAuthScope`",
            body = ProblemView)
    )
)]
pub async fn authenticate(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let session = p.session();
    let username = p.text("username", 320).required();
    let password = p.text("password", 256).required();
    p.text("protocol", 255).optional();
    p.text("appId", 2048).optional();
    let scope = p.text("scope", 32).or("master".to_owned());
    let wants_token = p.boolean("token").or(false);
    if wants_token && scope != "master" {
        p.fail("scope", "\"scope\" has to be master for a token");
    }
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize_any(Resource::Authentication, Grant::Create)?;
    let protocol = protocol_of(&scope)?;
    let peer = session.ip.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let login = ctx.authenticator.log_in(&username, &password, protocol, peer).await;
    let login = login.map_err(refused)?;
    let token = if wants_token { Some(ctx.tokens.issue(login.user.id).await?) } else { None };
    Ok(Reply::json(&Authenticated {
        success: true,
        id: login.user.id.to_string(),
        username: login.user.username,
        address: login.user.address,
        scope,
        require_2fa: false,
        require_password_change: login.requires_password_change.then_some(true),
        token,
    }))
}

/// A closed door looks like a wrong password.
fn refused(error: crate::model::error::Error) -> Problem {
    match error {
        crate::model::error::Error::Forbidden { .. } => {
            crate::model::error::Error::Unauthenticated.into()
        }
        other => other.into(),
    }
}

/// Revoke the token of this request
///
/// A success without effect for the root token, or without a token.
#[utoipa::path(
    delete, path = "/authenticate", tag = "Authentication", operation_id = "revokeToken",
    responses(
        (status = 200, description = "Revoked", body = Success),
        (status = 403, description = "No valid token", body = RefusalView)
    )
)]
pub async fn revoke(State(ctx): State<Context>, call: Call) -> Answer {
    let caller = call.params.finish(Unknown::Ignored)?;
    if let Some(token) = caller.token() {
        ctx.tokens.revoke(token).await?;
    }
    Ok(Reply::success())
}

/// Is the token of this request valid?
#[utoipa::path(
    get, path = "/authenticated", tag = "Authentication", operation_id = "probeToken",
    responses(
        (status = 200, description = "It is", body = Success),
        (status = 403, description = "It is not", body = RefusalView)
    )
)]
pub async fn probe(State(_ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    p.session();
    let caller = p.finish(Unknown::Rejected)?;
    if caller.reach(Resource::Authentication, Grant::Read) == Reach::None {
        return Err(Problem::missing_privileges());
    }
    Ok(Reply::success())
}

/// A user whose password would be checked.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Preauthenticated {
    /// Always true.
    pub success: bool,
    /// The user.
    pub id: String,
    /// Login name.
    pub username: String,
    /// Main address.
    pub address: String,
    /// As asked.
    pub scope: String,
    /// Always false: there is no second factor yet.
    #[serde(rename = "require2fa")]
    pub require_2fa: bool,
}

/// What a user is looked up by before his password is asked for.
#[derive(Debug, ToSchema)]
pub struct PreauthRequest {
    /// Username or an own address.
    #[schema(example = "anna")]
    pub username: String,
    /// `master` (default), `imap`, `smtp`, `pop3`
    pub scope: Option<String>,
}

/// May this user log in at all?
///
/// Before a password is asked for.
#[utoipa::path(
    post, path = "/preauth", tag = "Authentication", operation_id = "preauthenticate",
    request_body = PreauthRequest,
    responses(
        (status = 200, description = "He may", body = Preauthenticated),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "`AuthFailed`, `InvalidAuthScope`", body = ProblemView)
    )
)]
pub async fn preauth(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    p.session();
    let username = p.text("username", 320).required();
    let scope = p.text("scope", 32).or("master".to_owned());
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize_any(Resource::Authentication, Grant::Create)?;
    protocol_of(&scope)?;
    let user = ctx.authenticator.find_user(&username).await?;
    let user = user.filter(|user| !user.disabled && !user.suspended);
    let user = user.ok_or(crate::model::error::Error::Unauthenticated)?;
    Ok(Reply::json(&Preauthenticated {
        success: true,
        id: user.id.to_string(),
        username: user.username,
        address: user.address,
        scope,
        require_2fa: false,
    }))
}
