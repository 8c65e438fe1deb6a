//! Checking passwords, and access tokens of users.

use super::Context;
use super::access::{Grant, Reach, Resource};
use super::extract::Call;
use super::params::Unknown;
use super::problem::{Problem, ProblemView, RefusalView};
use super::reply::{Answer, Reply, Success};
use super::user_fields::login_name;
use crate::auth::authenticate::{
    Attempt, DOOR_CLOSED, Login, NOT_YET_VALID, Protocol, Secret, Source,
};
use crate::model::error::Error;
use crate::model::principal::Role;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::json;
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
    /// Main address; not after an application's password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// As asked.
    pub scope: String,
    /// Second factors that have to follow, or `false`.
    #[serde(rename = "require2fa")]
    pub require_2fa: SecondFactors,
    /// Clients shall insist on a second factor.
    #[serde(rename = "require2faEnabled")]
    pub require_2fa_enabled: bool,
    /// The password was a temporary one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require_password_change: Option<bool>,
    /// Strangers know the password.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub password_pwned: bool,
    /// The access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// To finish the login with a second factor, within ten minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub two_factor_nonce: Option<String>,
    /// The same for one-time codes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub totp_nonce: Option<String>,
}

/// Second factors, or `false`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum SecondFactors {
    /// `totp`, `webauthn`, `custom`
    Needed(Vec<String>),
    /// `false`
    None(bool),
}

impl SecondFactors {
    fn new(factors: &[String]) -> Self {
        if factors.is_empty() { Self::None(false) } else { Self::Needed(factors.to_vec()) }
    }
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
    if p.caller().role() == Role::Auth {
        // §0.4: this role neither sends nor gets tokens
        p.take("token");
    }
    let session = p.session();
    let username = login_name(&mut p);
    let password = p.text("password", 256).required();
    let label = p.text("protocol", 255).or("API".to_owned());
    let app_id = p.parsed("appId", "must be a URL", |value| {
        let text = value.as_str().filter(|text| text.len() <= 2048)?;
        text.parse::<axum::http::Uri>().ok().filter(|url| url.scheme().is_some())?;
        Some(text.to_owned())
    });
    let app_id = app_id.optional();
    let scope = p.text("scope", 32).or("master".to_owned());
    let wants_token = p.boolean("token").or(false);
    if wants_token && scope != "master" {
        p.fail("scope", "\"scope\" has to be master for a token");
    }
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize_any(Resource::Authentication, Grant::Create)?;
    let attempt = Attempt {
        username: &username,
        password: Secret::Password(&password),
        protocol: protocol_of(&scope)?,
        peer: session.ip,
        label: Some(&label),
        session: session.sess.as_deref(),
        app_id: app_id.as_deref(),
    };
    let mut login = match ctx.authenticator.log_in(&attempt).await {
        Ok(login) => login,
        Err(error) => {
            let problem = refused(error);
            // after a failure only: who it was tells nobody whether the password was right
            let user = ctx.authenticator.find_user(&username).await?;
            return Err(match user {
                Some(user) => problem.with("id", json!(user.id.to_string())),
                None => problem,
            });
        }
    };
    if let Some(list) = ctx.breaches.as_deref()
        && login.source == Source::Master
        && scope == "master"
    {
        let (authenticator, user) = (&ctx.authenticator, login.user.id);
        let checked = authenticator.check_breach(list, user, &password, login.breach);
        login.breach.is_known = checked.await?;
    }
    Ok(Reply::json(&ctx.authenticated(login, scope, wants_token).await?))
}

impl Context {
    /// The answer to a right password: a token, or a nonce while a second factor is missing
    /// (`strict2fa` of the reference, always on). One that somebody else checks does not hold the
    /// token back: this server cannot know how that ends.
    async fn authenticated(
        &self,
        login: Login,
        scope: String,
        wants_token: bool,
    ) -> Result<Authenticated, Problem> {
        let user = login.user;
        let has = |name: &str| login.second_factors.iter().any(|factor| factor == name);
        let is_master = scope == "master";
        let is_held_back = is_master && (has("totp") || has("webauthn"));
        let nonce = match is_held_back && (wants_token || has("totp")) {
            true => Some(self.authenticator.begin_second_step(user.id, wants_token).await?),
            false => None,
        };
        let token = match wants_token && !is_held_back {
            true => Some(self.tokens.issue(user.id).await?),
            false => None,
        };
        let factors = if is_master { login.second_factors.as_slice() } else { &[] };
        Ok(Authenticated {
            success: true,
            id: user.id.to_string(),
            username: user.username,
            address: (login.source != Source::App).then_some(user.address),
            scope,
            require_2fa: SecondFactors::new(factors),
            require_2fa_enabled: login.requires_second_factor,
            require_password_change: (login.source != Source::App)
                .then_some(login.source == Source::Temporary),
            password_pwned: is_master && login.breach.is_known,
            token,
            totp_nonce: nonce.clone().filter(|_| has("totp")),
            two_factor_nonce: nonce.filter(|_| wants_token),
        })
    }
}

/// A closed door says which one it is; whoever may not log in at all has a wrong password.
fn refused(error: Error) -> Problem {
    match error {
        Error::Forbidden { reason: DOOR_CLOSED } => {
            let text = "Access to requested service disabled";
            Problem::new(StatusCode::FORBIDDEN, "InvalidAuthScope", text)
        }
        Error::Forbidden { reason: NOT_YET_VALID } => {
            let text = "The temporary password is not valid yet";
            Problem::new(StatusCode::FORBIDDEN, "TempPasswordNotYetValid", text)
        }
        Error::Forbidden { .. } => Error::Unauthenticated.into(),
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
    /// Second factors that have to follow the password, or `false`.
    #[serde(rename = "require2fa")]
    pub require_2fa: SecondFactors,
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
    let username = login_name(&mut p);
    let scope = p.text("scope", 32).or("master".to_owned());
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize_any(Resource::Authentication, Grant::Create)?;
    protocol_of(&scope)?;
    let found = ctx.authenticator.find_profile(&username).await?;
    let found = found.filter(|profile| !profile.user.disabled && !profile.user.suspended);
    let profile = found.ok_or(Error::Unauthenticated)?;
    let factors = if scope == "master" { profile.second_factors.as_slice() } else { &[] };
    Ok(Reply::json(&Preauthenticated {
        success: true,
        id: profile.user.id.to_string(),
        require_2fa: SecondFactors::new(factors),
        username: profile.user.username,
        address: profile.user.address,
        scope,
    }))
}
