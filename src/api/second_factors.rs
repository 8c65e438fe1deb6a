//! Second factors: one-time codes, those that somebody else checks, and switching all off.

use super::Context;
use super::access::{Caller, Grant, Resource};
use super::extract::Call;
use super::params::{Params, Session, Unknown};
use super::problem::{Problem, ProblemView, RefusalView};
use super::reply::{Answer, Reply, Success};
use crate::auth::second_factor::Hindrance;
use crate::model::id::UserId;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// What a user puts into his authenticator.
#[derive(Debug, Serialize, ToSchema)]
pub struct TotpSetupView {
    /// Always true.
    pub success: bool,
    /// The secret, base32.
    pub seed: String,
    /// A picture of it: a `data:` URL of a PNG.
    pub qrcode: String,
}

/// What the setup of one-time codes is told.
#[derive(Debug, ToSchema)]
pub struct SetUpTotpRequest {
    /// Who the codes are for; the username by default.
    #[schema(max_length = 255)]
    pub label: Option<String>,
    /// Which service they are for.
    #[schema(max_length = 255, example = "Example Mail")]
    pub issuer: String,
}

/// A one-time code.
#[derive(Debug, ToSchema)]
pub struct TotpRequest {
    /// Six digits.
    #[schema(min_length = 6, max_length = 6, example = "123456")]
    pub token: String,
}

/// A one-time code for a login.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct CheckTotpRequest {
    /// Six digits.
    #[schema(min_length = 6, max_length = 6, example = "123456")]
    pub token: String,
    /// `totpNonce` of the login.
    #[schema(min_length = 40, max_length = 40)]
    pub totp_nonce: String,
}

/// A code that was right.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckedTotp {
    /// Always true.
    pub success: bool,
    /// The access token, if the login asked for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// User and session of an operation that changes a user.
fn read(p: &mut Params) -> (UserId, Session) {
    let user = p.user();
    (user, p.session())
}

fn code_of(p: &mut Params) -> String {
    let code = p.parsed("token", "must have six characters", |value| {
        value.as_str().filter(|text| text.chars().count() == 6).map(str::to_owned)
    });
    code.required()
}

fn bad(code: &str, text: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, code, text)
}

/// The codes of the operations on one-time codes.
fn totp_problem(hindrance: Hindrance) -> Problem {
    match hindrance {
        Hindrance::IsOn => bad("TotpEnabled", "TOTP 2FA is already enabled for this user"),
        Hindrance::IsOff => bad("TotpDisabled", "TOTP 2FA is not initialized for this user"),
        Hindrance::WrongCode => bad("InvalidToken", "Failed to validate TOTP token"),
        Hindrance::UnknownLogin => {
            let text = "Invalid or expired nonce";
            Problem::new(StatusCode::FORBIDDEN, "InvalidTotpNonce", text)
        }
        Hindrance::Throttled => {
            let text = "Rate limited; try again later, with another code";
            Problem::new(StatusCode::FORBIDDEN, "RateLimitedError", text)
        }
    }
}

impl Context {
    /// The first second factor ends all tokens but the one it was made with.
    pub(super) async fn keep_own_token(
        &self,
        caller: &Caller,
        user: UserId,
    ) -> Result<(), Problem> {
        if let Some(token) = caller.token().filter(|_| caller.user() == Some(user)) {
            self.tokens.renew(user, token).await?;
        }
        Ok(())
    }
}

/// Begin the setup of one-time codes
///
/// They are on when a code was confirmed, within six hours.
#[utoipa::path(
    post, path = "/users/{user}/2fa/totp/setup", tag = "TwoFactorAuth", operation_id = "setUpTotp",
    params(("user" = String, Path, description = "The user's id, or `me`")),
    request_body = SetUpTotpRequest,
    responses(
        (status = 200, description = "The secret", body = TotpSetupView),
        (status = 400, description = "Refused, or `TotpEnabled`", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`UserNotFound`", body = ProblemView),
        (status = 500, description = "`QRError`", body = ProblemView)
    )
)]
pub async fn set_up_totp(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let (user, _) = read(&mut p);
    let label = p.text("label", 255).optional();
    let issuer = p.text("issuer", 255).required();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Users, Grant::Update, user)?;
    let setup = ctx.authenticator.set_up_totp(user, label.as_deref(), &issuer).await?;
    let setup = setup.map_err(totp_problem)?;
    let Some(picture) = setup.picture else {
        let text = "The picture could not be drawn";
        return Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "QRError", text));
    };
    let qrcode = format!("data:image/png;base64,{picture}");
    Ok(Reply::json(&TotpSetupView { success: true, seed: setup.seed, qrcode }))
}

/// Switch one-time codes on
///
/// With the first code. The first second factor ends the user's other tokens and sessions.
#[utoipa::path(
    post, path = "/users/{user}/2fa/totp/enable", tag = "TwoFactorAuth",
    operation_id = "enableTotp",
    params(("user" = String, Path, description = "The user's id, or `me`")),
    request_body = TotpRequest,
    responses(
        (status = 200, description = "On", body = Success),
        (status = 400, description = "Refused, `InvalidToken`, `TotpEnabled`, `TotpDisabled`",
            body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`UserNotFound`", body = ProblemView)
    )
)]
pub async fn enable_totp(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let (user, session) = read(&mut p);
    let code = code_of(&mut p);
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Users, Grant::Update, user)?;
    ctx.authenticator.enable_totp(user, &code).await?.map_err(totp_problem)?;
    ctx.keep_own_token(&caller, user).await?;
    ctx.authenticator.log(user, session.event("enable 2fa totp"));
    Ok(Reply::success())
}

/// Switch one-time codes off
#[utoipa::path(
    delete, path = "/users/{user}/2fa/totp", tag = "TwoFactorAuth", operation_id = "disableTotp",
    params(("user" = String, Path, description = "The user's id, or `me`")),
    responses(
        (status = 200, description = "Off", body = Success),
        (status = 400, description = "Refused, or `TotpDisabled`", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`UserNotFound`", body = ProblemView)
    )
)]
pub async fn disable_totp(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let (user, session) = read(&mut p);
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Users, Grant::Update, user)?;
    ctx.authenticator.disable_factor(user, "totp").await?.map_err(totp_problem)?;
    ctx.authenticator.log(user, session.event("disable 2fa totp"));
    Ok(Reply::success())
}

/// Finish a login with a one-time code
///
/// A code works once; after six wrong ones in three minutes the user has to wait.
#[utoipa::path(
    post, path = "/users/{user}/2fa/totp/check", tag = "TwoFactorAuth", operation_id = "checkTotp",
    params(("user" = String, Path, description = "The user's id, or `me`")),
    request_body = CheckTotpRequest,
    responses(
        (status = 200, description = "The code is right", body = CheckedTotp),
        (status = 400, description = "Refused, or `TotpDisabled`", body = ProblemView),
        (status = 403, description = "`InvalidToken`, `InvalidTotpNonce`, `RateLimitedError`",
            body = ProblemView),
        (status = 404, description = "`UserNotFound`", body = ProblemView)
    )
)]
pub async fn check_totp(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let (user, session) = read(&mut p);
    let code = code_of(&mut p);
    let nonce = p.parsed("totpNonce", "must have 40 hexadecimal digits", |value| {
        let text = value.as_str()?.to_ascii_lowercase();
        (text.len() == 40 && text.bytes().all(|c| c.is_ascii_hexdigit())).then_some(text)
    });
    let nonce: String = nonce.required();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Authentication, Grant::Create, user)?;
    let checked = ctx.authenticator.check_totp(user, &nonce, &code).await?;
    let mut event = session.event("check 2fa totp");
    event.result = Some(if checked.is_ok() { "success" } else { "fail" });
    ctx.authenticator.log(user, event);
    let wants_token = checked.map_err(|hindrance| match hindrance {
        Hindrance::WrongCode => totp_problem(hindrance).with_status(StatusCode::FORBIDDEN),
        other => totp_problem(other),
    })?;
    let token = if wants_token { Some(ctx.tokens.issue(user).await?) } else { None };
    Ok(Reply::json(&CheckedTotp { success: true, token }))
}

/// Mark a second factor that somebody else checks
///
/// This server then refuses the master password over IMAP, POP3 and SMTP.
#[utoipa::path(
    put, path = "/users/{user}/2fa/custom", tag = "TwoFactorAuth", operation_id = "enableCustom2fa",
    params(("user" = String, Path, description = "The user's id, or `me`")),
    responses(
        (status = 200, description = "On", body = Success),
        (status = 400, description = "Refused, or `CustomEnabled`", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`UserNotFound`", body = ProblemView)
    )
)]
pub async fn enable_custom(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let (user, session) = read(&mut p);
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Users, Grant::Update, user)?;
    let enabled = ctx.authenticator.enable_custom_factor(user).await?;
    let text = "Custom 2FA is already enabled for this user";
    enabled.map_err(|_| bad("CustomEnabled", text))?;
    ctx.keep_own_token(&caller, user).await?;
    ctx.authenticator.log(user, session.event("enable 2fa custom"));
    Ok(Reply::success())
}

/// Unmark a second factor that somebody else checks
#[utoipa::path(
    delete, path = "/users/{user}/2fa/custom", tag = "TwoFactorAuth",
    operation_id = "disableCustom2fa",
    params(("user" = String, Path, description = "The user's id, or `me`")),
    responses(
        (status = 200, description = "Off", body = Success),
        (status = 400, description = "Refused, or `CustomDisabled`", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`UserNotFound`", body = ProblemView)
    )
)]
pub async fn disable_custom(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let (user, session) = read(&mut p);
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Users, Grant::Update, user)?;
    let disabled = ctx.authenticator.disable_factor(user, "custom").await?;
    let text = "Custom 2FA is not enabled for this user";
    disabled.map_err(|_| bad("CustomDisabled", text))?;
    ctx.authenticator.log(user, session.event("disable 2fa custom"));
    Ok(Reply::success())
}

/// Switch all second factors off
#[utoipa::path(
    delete, path = "/users/{user}/2fa", tag = "TwoFactorAuth", operation_id = "disable2fa",
    params(("user" = String, Path, description = "The user's id, or `me`")),
    responses(
        (status = 200, description = "Off", body = Success),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`UserNotFound`", body = ProblemView)
    )
)]
pub async fn disable_all(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let (user, session) = read(&mut p);
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Users, Grant::Update, user)?;
    ctx.authenticator.disable_all_factors(user).await?;
    ctx.authenticator.log(user, session.event("disable 2fa"));
    Ok(Reply::success())
}
