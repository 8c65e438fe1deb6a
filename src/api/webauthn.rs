//! Passkeys and security keys as a second factor. Octets are hexadecimal digits here, as the
//! scripts in browsers send and expect them.

use super::Context;
use super::access::{Grant, Resource};
use super::extract::Call;
use super::params::{Params, Unknown};
use super::problem::{Problem, ProblemView, RefusalView};
use super::reply::{Answer, Reply};
use super::upload_fields::decode_hex;
use crate::auth::webauthn::{Obstacle, Reaction, Site, Wish};
use crate::model::id::UserId;
use axum::extract::State;
use axum::http::StatusCode;
use reqwest::Url;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Digits of a challenge or of a credential's name.
const NAME_DIGITS_MAX: usize = 2048;
/// Digits of what an authenticator sends.
const DATA_DIGITS_MAX: usize = 1_048_576;
/// Characters of an origin or a host name.
const HOST_CHARS_MAX: usize = 255;

/// A credential.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CredentialView {
    /// Identifier.
    pub id: String,
    /// The authenticator's own name of it, hex.
    pub raw_id: String,
    /// What people call it.
    pub description: String,
    /// `platform` or `cross-platform`.
    pub authenticator_attachment: String,
}

/// A user's credentials.
#[derive(Debug, Serialize, ToSchema)]
pub struct CredentialList {
    /// Always true.
    pub success: bool,
    /// They, oldest first.
    pub credentials: Vec<CredentialView>,
}

/// Whether a credential was removed.
#[derive(Debug, Serialize, ToSchema)]
pub struct RemovedCredential {
    /// Always true.
    pub success: bool,
    /// False: there was no such credential.
    pub deleted: bool,
}

/// What a registration is begun with.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct BeginRegistrationRequest {
    /// What people call the credential.
    #[schema(max_length = 1024, example = "Blue key")]
    pub description: String,
    /// Origin of the page that asks.
    #[schema(example = "https://webmail.example.com")]
    pub origin: String,
    /// `platform` or `cross-platform` (default).
    pub authenticator_attachment: Option<String>,
    /// Domain the credential belongs to.
    pub rp_id: Option<String>,
}

/// What a browser asks an authenticator to make.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegistrationChallenge {
    /// Always true.
    pub success: bool,
    /// `publicKey` of `navigator.credentials.create()`; octets are hex.
    pub registration_options: Value,
}

/// What an authenticator made.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct FinishRegistrationRequest {
    /// The challenge, hex.
    #[schema(max_length = 2048)]
    pub challenge: String,
    /// Hex.
    #[schema(max_length = 2048)]
    pub raw_id: String,
    /// Hex.
    #[schema(rename = "clientDataJSON", max_length = 1_048_576)]
    pub client_data_json: String,
    /// Hex.
    #[schema(max_length = 1_048_576)]
    pub attestation_object: String,
    /// Domain the credential belongs to.
    pub rp_id: Option<String>,
}

/// A registered credential.
#[derive(Debug, Serialize, ToSchema)]
pub struct RegisteredView {
    /// Always true.
    pub success: bool,
    /// The credential.
    #[serde(flatten)]
    pub credential: CredentialView,
}

/// A registration that succeeded.
#[derive(Debug, Serialize, ToSchema)]
pub struct RegistrationAnswer {
    /// Always true.
    pub success: bool,
    /// The credential.
    pub response: RegisteredView,
}

/// What a login is begun with.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct BeginAssertionRequest {
    /// Origin of the page that asks.
    #[schema(example = "https://webmail.example.com")]
    pub origin: String,
    /// `platform` or `cross-platform` (default).
    pub authenticator_attachment: Option<String>,
    /// Domain the credential belongs to.
    pub rp_id: Option<String>,
    /// Nonce of the login that waits for it.
    #[schema(min_length = 40, max_length = 40)]
    pub two_factor_nonce: Option<String>,
}

/// What a browser asks an authenticator to sign.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AssertionChallenge {
    /// Always true.
    pub success: bool,
    /// `publicKey` of `navigator.credentials.get()`; octets are hex.
    pub authentication_options: Value,
}

/// What an authenticator signed.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct FinishAssertionRequest {
    /// The challenge, hex.
    #[schema(max_length = 2048)]
    pub challenge: String,
    /// Hex.
    #[schema(max_length = 2048)]
    pub raw_id: String,
    /// Hex.
    #[schema(rename = "clientDataJSON", max_length = 1_048_576)]
    pub client_data_json: String,
    /// Hex.
    #[schema(max_length = 1_048_576)]
    pub authenticator_data: String,
    /// Hex.
    #[schema(max_length = 1_048_576)]
    pub signature: String,
    /// Domain the credential belongs to.
    pub rp_id: Option<String>,
    /// The nonce the challenge was asked for with.
    #[schema(min_length = 40, max_length = 40)]
    pub two_factor_nonce: Option<String>,
    /// Without a nonce: issue an access token.
    pub token: Option<bool>,
}

/// What was asserted.
#[derive(Debug, Serialize, ToSchema)]
pub struct AssertedView {
    /// Always true.
    pub authenticated: bool,
    /// The credential.
    pub credential: String,
}

/// A login that was finished.
#[derive(Debug, Serialize, ToSchema)]
pub struct AssertionAnswer {
    /// Always true.
    pub success: bool,
    /// What was asserted.
    pub response: AssertedView,
    /// The access token, if the login asked for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn octets(p: &mut Params, name: &str, digits_max: usize) -> Vec<u8> {
    let read = p.parsed(name, "must be hexadecimal digits", |value| {
        value.as_str().filter(|text| text.len() <= digits_max).and_then(decode_hex)
    });
    read.required()
}

fn host(p: &mut Params, name: &str) -> Option<String> {
    let is_of_host = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.');
    let read = p.parsed(name, "must be a host name", |value| {
        let text = value.as_str()?.to_lowercase();
        (text.len() <= HOST_CHARS_MAX && text.chars().all(is_of_host)).then_some(text)
    });
    read.optional()
}

fn nonce(p: &mut Params) -> Option<String> {
    let read = p.parsed("twoFactorNonce", "must have 40 hexadecimal digits", |value| {
        let text = value.as_str()?.to_ascii_lowercase();
        (text.len() == 40 && text.bytes().all(|c| c.is_ascii_hexdigit())).then_some(text)
    });
    read.optional()
}

/// Site and kind of authenticator, which both ceremonies begin with.
fn wish(ctx: &Context, p: &mut Params) -> Wish {
    let origin = p.parsed("origin", "must be the URL of a page", |value| {
        let url = Url::parse(value.as_str()?).ok()?;
        let is_web = matches!(url.scheme(), "http" | "https") && url.host_str().is_some();
        is_web.then_some((url.origin().ascii_serialization(), url.host_str()?.to_owned()))
    });
    let (origin, own) = origin.required();
    let rp_id = host(p, "rpId").or_else(|| ctx.settings.webauthn_rp_id.clone()).unwrap_or(own);
    let kinds = ["platform", "cross-platform"];
    let attachment = p.choice("authenticatorAttachment", &kinds).or("cross-platform".to_owned());
    let rp_name = ctx.settings.webauthn_rp_name.clone();
    let site = Site { rp_id, rp_name, origin };
    Wish { site, attachment, description: String::new(), nonce: None }
}

fn problem(obstacle: Obstacle) -> Problem {
    let (status, code, text) = match obstacle {
        Obstacle::IsOff => {
            (StatusCode::BAD_REQUEST, "WebAuthnDisabled", "WebAuthn is not enabled for this user")
        }
        Obstacle::UnknownChallenge => {
            (StatusCode::NOT_FOUND, "ChallengeNotFound", "Unknown or expired challenge")
        }
        Obstacle::UnknownCredential => {
            (StatusCode::NOT_FOUND, "CredentialsNotFound", "No such credential of this user")
        }
        Obstacle::UnknownLogin => {
            (StatusCode::FORBIDDEN, "Invalid2faNonce", "Invalid or expired nonce")
        }
        Obstacle::Refused(reason) => {
            tracing::info!(reason, "a WebAuthn ceremony was refused");
            // http-api.md §0.3: a failure without a status of its own
            let mut problem = Problem::new(StatusCode::OK, "", format!("Refused: {reason}"));
            problem.body.remove("code");
            return problem;
        }
    };
    Problem::new(status, code, text)
}

/// List credentials
#[utoipa::path(
    get, path = "/users/{user}/2fa/webauthn/credentials", tag = "TwoFactorAuth",
    operation_id = "listCredentials",
    params(("user" = String, Path, description = "The user's id, or `me`")),
    responses(
        (status = 200, description = "The credentials", body = CredentialList),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`UserNotFound`", body = ProblemView)
    )
)]
pub async fn list(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let user = p.user();
    p.session();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Users, Grant::Read, user)?;
    let found = ctx.authenticator.list_credentials(user).await?;
    let view = |one: crate::auth::webauthn::StoredCredential| CredentialView {
        id: one.id.to_string(),
        raw_id: hex(&one.raw_id),
        description: one.description,
        authenticator_attachment: one.attachment,
    };
    let credentials = found.into_iter().map(view).collect();
    Ok(Reply::json(&CredentialList { success: true, credentials }))
}

/// Remove a credential
///
/// The last one switches WebAuthn off.
#[utoipa::path(
    delete, path = "/users/{user}/2fa/webauthn/credentials/{credential}", tag = "TwoFactorAuth",
    operation_id = "removeCredential",
    params(
        ("user" = String, Path, description = "The user's id, or `me`"),
        ("credential" = String, Path, description = "The credential's id")
    ),
    responses(
        (status = 200, description = "It is gone", body = RemovedCredential),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`UserNotFound`", body = ProblemView)
    )
)]
pub async fn remove(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let user = p.user();
    let session = p.session();
    let credential = p.id("credential").required();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Users, Grant::Update, user)?;
    let deleted = ctx.authenticator.remove_credential(user, credential).await?;
    if deleted {
        ctx.authenticator.log(user, session.event("remove webauthn"));
    }
    Ok(Reply::json(&RemovedCredential { success: true, deleted }))
}

/// Begin the registration of a credential
///
/// The challenge is answered once, within an hour.
#[utoipa::path(
    post, path = "/users/{user}/2fa/webauthn/registration-challenge", tag = "TwoFactorAuth",
    operation_id = "beginCredentialRegistration",
    params(("user" = String, Path, description = "The user's id, or `me`")),
    request_body = BeginRegistrationRequest,
    responses(
        (status = 200, description = "What to make", body = RegistrationChallenge),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, no valid token, or `TooMany`",
            body = RefusalView),
        (status = 404, description = "`UserNotFound`", body = ProblemView)
    )
)]
pub async fn begin_registration(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let user = p.user();
    p.session();
    let description = p.text("description", 1024).required();
    let wish = Wish { description, ..wish(&ctx, &mut p) };
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Users, Grant::Update, user)?;
    let registration_options = ctx.authenticator.begin_registration(user, &wish).await?;
    Ok(Reply::json(&RegistrationChallenge { success: true, registration_options }))
}

/// Finish the registration of a credential
///
/// The first second factor ends the user's other tokens and sessions.
#[utoipa::path(
    post, path = "/users/{user}/2fa/webauthn/registration-attestation", tag = "TwoFactorAuth",
    operation_id = "finishCredentialRegistration",
    params(("user" = String, Path, description = "The user's id, or `me`")),
    request_body = FinishRegistrationRequest,
    responses(
        (status = 200, description = "Registered; or `{error}`: the answer is wrong",
            body = RegistrationAnswer),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`ChallengeNotFound`, `UserNotFound`", body = ProblemView)
    )
)]
pub async fn finish_registration(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let user = p.user();
    let session = p.session();
    let reaction = Reaction {
        challenge: octets(&mut p, "challenge", NAME_DIGITS_MAX),
        raw_id: octets(&mut p, "rawId", NAME_DIGITS_MAX),
        client_data: octets(&mut p, "clientDataJSON", DATA_DIGITS_MAX),
        data: octets(&mut p, "attestationObject", DATA_DIGITS_MAX),
        rp_id: host(&mut p, "rpId"),
        ..Reaction::default()
    };
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Users, Grant::Update, user)?;
    let made = ctx.authenticator.finish_registration(user, reaction).await?.map_err(problem)?;
    ctx.keep_own_token(&caller, user).await?;
    ctx.authenticator.log(user, session.event("register webauthn"));
    let credential = CredentialView {
        id: made.id.to_string(),
        raw_id: hex(&made.raw_id),
        description: made.description,
        authenticator_attachment: made.attachment,
    };
    let response = RegisteredView { success: true, credential };
    Ok(Reply::json(&RegistrationAnswer { success: true, response }))
}

/// Begin a login with a credential
///
/// The challenge is answered once, within an hour.
#[utoipa::path(
    post, path = "/users/{user}/2fa/webauthn/authentication-challenge", tag = "TwoFactorAuth",
    operation_id = "beginAssertion",
    params(("user" = String, Path, description = "The user's id, or `me`")),
    request_body = BeginAssertionRequest,
    responses(
        (status = 200, description = "What to sign", body = AssertionChallenge),
        (status = 400, description = "Refused, or `WebAuthnDisabled`", body = ProblemView),
        (status = 403, description = "Not permitted, no valid token, or `Invalid2faNonce`",
            body = RefusalView),
        (status = 404, description = "`UserNotFound`", body = ProblemView)
    )
)]
pub async fn begin_assertion(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let user = p.user();
    p.session();
    let nonce = nonce(&mut p);
    let wish = Wish { nonce, ..wish(&ctx, &mut p) };
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Authentication, Grant::Create, user)?;
    let begun = ctx.authenticator.begin_assertion(user, &wish).await?;
    let authentication_options = begun.map_err(problem)?;
    Ok(Reply::json(&AssertionChallenge { success: true, authentication_options }))
}

/// Finish a login with a credential
///
/// With a nonce the login it belongs to decides whether there is a token.
#[utoipa::path(
    post, path = "/users/{user}/2fa/webauthn/authentication-assertion", tag = "TwoFactorAuth",
    operation_id = "finishAssertion",
    params(("user" = String, Path, description = "The user's id, or `me`")),
    request_body = FinishAssertionRequest,
    responses(
        (status = 200, description = "Authenticated; or `{error}`: the answer is wrong",
            body = AssertionAnswer),
        (status = 400, description = "Refused, or `WebAuthnDisabled`", body = ProblemView),
        (status = 403, description = "Not permitted, no valid token, or `Invalid2faNonce`",
            body = RefusalView),
        (status = 404, description = "`ChallengeNotFound`, `CredentialsNotFound`, `UserNotFound`",
            body = ProblemView)
    )
)]
pub async fn finish_assertion(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let user = p.user();
    let session = p.session();
    let reaction = Reaction {
        challenge: octets(&mut p, "challenge", NAME_DIGITS_MAX),
        raw_id: octets(&mut p, "rawId", NAME_DIGITS_MAX),
        client_data: octets(&mut p, "clientDataJSON", DATA_DIGITS_MAX),
        data: octets(&mut p, "authenticatorData", DATA_DIGITS_MAX),
        signature: octets(&mut p, "signature", DATA_DIGITS_MAX),
        rp_id: host(&mut p, "rpId"),
        nonce: nonce(&mut p),
    };
    let wants_token = p.boolean("token").or(false);
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Authentication, Grant::Create, user)?;
    let asserted = ctx.authenticator.finish_assertion(user, reaction).await?;
    let mut event = session.event("check 2fa webauthn");
    event.result = Some(if asserted.is_ok() { "success" } else { "fail" });
    ctx.authenticator.log(user, event);
    let asserted = asserted.map_err(problem)?;
    let token = ctx.token_of(user, asserted.wants_token.unwrap_or(wants_token)).await?;
    let credential = asserted.credential.to_string();
    let response = AssertedView { authenticated: true, credential };
    Ok(Reply::json(&AssertionAnswer { success: true, response, token }))
}

impl Context {
    async fn token_of(&self, user: UserId, is_wanted: bool) -> Result<Option<String>, Problem> {
        Ok(if is_wanted { Some(self.tokens.issue(user).await?) } else { None })
    }
}
