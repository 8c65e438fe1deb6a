//! Temporary passwords and counting a user's storage anew.

use super::Context;
use super::access::{Grant, Resource};
use super::extract::Call;
use super::params::{Unknown, boolean_of, date_of};
use super::problem::{Problem, ProblemView, RefusalView};
use super::reply::{Answer, Reply, iso_date};
use crate::model::error::Error;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// A temporary password.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemporaryPassword {
    /// Always true.
    pub success: bool,
    /// Twelve letters and digits.
    pub password: String,
    /// From when on it works.
    pub valid_after: String,
}

/// What a reset may say.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct ResetPasswordRequest {
    /// Date from which on it works; now by default.
    pub valid_after: Option<String>,
}

/// Make a temporary password
///
/// It works for a day, with scope `master` only; the real one goes on working.
#[utoipa::path(
    post, path = "/users/{user}/password/reset", tag = "Users", operation_id = "resetPassword",
    params(("user" = String, Path, description = "The user's id")),
    request_body = ResetPasswordRequest,
    responses(
        (status = 200, description = "Made", body = TemporaryPassword),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 500, description = "`UserUpdateFail`", body = ProblemView)
    )
)]
pub async fn reset_password(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let user = p.user();
    p.session();
    let valid_after = p.parsed("validAfter", "must be a date or false", |value| {
        if boolean_of(value) == Some(false) { Some(None) } else { date_of(value).map(Some) }
    });
    let valid_after = valid_after.optional().flatten();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize_any(Resource::Users, Grant::Update)?;
    let valid_after_ms = valid_after.unwrap_or_else(|| ctx.clock.now_ms());
    let made = ctx.directory.reset_password(user, valid_after_ms).await;
    let password = made.map_err(|error| match error {
        Error::NotFound { .. } => {
            let text = "This user does not exist";
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "UserUpdateFail", text)
        }
        other => other.into(),
    })?;
    let valid_after = iso_date(valid_after_ms);
    Ok(Reply::json(&TemporaryPassword { success: true, password, valid_after }))
}

/// Storage after and before counting.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CountedStorage {
    /// Always true.
    pub success: bool,
    /// Octets used.
    pub storage_used: u64,
    /// Octets that were recorded before.
    pub previous_storage_used: u64,
}

/// Count a user's storage anew
#[utoipa::path(
    post, path = "/users/{user}/quota/reset", tag = "Users", operation_id = "resetQuota",
    params(("user" = String, Path, description = "The user's id, or `me`")),
    responses(
        (status = 200, description = "Counted", body = CountedStorage),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`UserNotFound`", body = ProblemView)
    )
)]
pub async fn reset_quota(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let user = p.user();
    p.session();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Users, Grant::Update, user)?;
    let (storage_used, previous_storage_used) = ctx.directory.recount_user(user).await?;
    Ok(Reply::json(&CountedStorage { success: true, storage_used, previous_storage_used }))
}

/// A task that was started.
#[derive(Debug, Serialize, ToSchema)]
pub struct StartedTask {
    /// Always true.
    pub success: bool,
    /// The task.
    pub task: String,
}

/// Count the storage of all users anew
///
/// In the background, on this node.
#[utoipa::path(
    post, path = "/quota/reset", tag = "Users", operation_id = "resetAllQuotas",
    responses(
        (status = 200, description = "Started", body = StartedTask),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView)
    )
)]
pub async fn reset_all_quotas(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    p.session();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize_any(Resource::Users, Grant::Update)?;
    let task = ctx.directory.start_recount().to_string();
    Ok(Reply::json(&StartedTask { success: true, task }))
}

/// Why sessions are ended.
#[derive(Debug, ToSchema)]
pub struct LogoutRequest {
    /// What their clients are told.
    #[schema(max_length = 128)]
    pub reason: Option<String>,
}

/// End a user's sessions
///
/// Of all protocols, on all nodes; not his access tokens.
#[utoipa::path(
    put, path = "/users/{user}/logout", tag = "Users", operation_id = "logOutUser",
    params(("user" = String, Path, description = "The user's id, or `me`")),
    request_body = LogoutRequest,
    responses(
        (status = 200, description = "They end", body = super::reply::Success),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 500, description = "`UserNotFound`", body = ProblemView)
    )
)]
pub async fn log_out(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let user = p.user();
    p.session();
    let reason = p.text("reason", 128).optional().unwrap_or_default();
    let caller = p.finish(Unknown::Rejected)?;
    // the grant the reference asks for is that of reading
    caller.authorize(Resource::Users, Grant::Read, user)?;
    ctx.directory.end_sessions(user, &reason).await.map_err(super::users::update_problem)?;
    Ok(Reply::success())
}
