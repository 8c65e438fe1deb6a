//! Deleting users, and putting them back.

use super::Context;
use super::access::{Grant, Resource};
use super::extract::Call;
use super::params::{Unknown, boolean_of, date_of};
use super::problem::{Problem, ProblemView, RefusalView};
use super::reply::{Answer, Reply, iso_date};
use crate::directory::deletion::Obstacle;
use crate::model::error::Error;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// A deletion that was accepted.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeletedUser {
    /// Always true.
    pub success: bool,
    /// `TaskScheduled`
    pub code: &'static str,
    /// The user.
    pub user: String,
    /// What became of his addresses.
    pub addresses: DeletedAddresses,
    /// When his mailboxes are removed.
    pub delete_after: String,
    /// The task that removes the mailboxes.
    pub task: String,
}

/// Addresses of a deleted user.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeletedAddresses {
    /// How many are free again.
    pub deleted: usize,
}

/// Delete a user
///
/// He and his addresses are gone at once, his mailboxes a little later, or at `deleteAfter`; until
/// then he can be restored. Repeating it is a success, and moves that time.
#[utoipa::path(
    delete, path = "/users/{user}", tag = "Users", operation_id = "deleteUser",
    params(
        ("user" = String, Path, description = "The user's id"),
        ("deleteAfter" = Option<String>, Query, description = "Date, or false")
    ),
    responses(
        (status = 200, description = "Deleted", body = DeletedUser),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView)
    )
)]
pub async fn delete(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let user = p.user();
    let session = p.session();
    let due = p.parsed("deleteAfter", "must be a date or false", |value| {
        if boolean_of(value) == Some(false) { Some(None) } else { date_of(value).map(Some) }
    });
    let due = due.optional().flatten();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Users, Grant::Delete, user)?;
    let deletion = ctx.directory.delete_user(user, due).await?;
    ctx.authenticator.log(user, session.event("delete user"));
    let now_ms = ctx.clock.now_ms();
    Ok(Reply::json(&DeletedUser {
        success: true,
        code: "TaskScheduled",
        user: user.to_string(),
        addresses: DeletedAddresses { deleted: deletion.addresses },
        delete_after: iso_date(due.unwrap_or(now_ms).max(now_ms)),
        task: deletion.task.to_string(),
    }))
}

/// A user who can be restored.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestorableUser {
    /// Always true.
    pub success: bool,
    /// The user.
    pub user: String,
    /// Login name.
    pub username: String,
    /// Octets he used.
    pub storage_used: u64,
    /// Tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// When he was deleted.
    pub deleted: String,
    /// His addresses that are still free.
    pub recoverable_addresses: Vec<String>,
}

/// Show a deleted user
#[utoipa::path(
    get, path = "/users/{user}/restore", tag = "Users", operation_id = "showDeletedUser",
    params(("user" = String, Path, description = "The user's id")),
    responses(
        (status = 200, description = "He can be restored", body = RestorableUser),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`AccountNotFound`", body = ProblemView)
    )
)]
pub async fn show(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let user = p.user();
    p.session();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Users, Grant::Read, user)?;
    let (deleted, free) = match ctx.directory.load_deleted(user).await {
        Err(Error::NotFound { .. }) => {
            let text = "Account was not found";
            return Err(Problem::new(StatusCode::NOT_FOUND, "AccountNotFound", text));
        }
        other => other?,
    };
    let profile = deleted.record.profile;
    Ok(Reply::json(&RestorableUser {
        success: true,
        user: user.to_string(),
        username: profile.user.username,
        storage_used: profile.user.used_octets,
        tags: profile.tags,
        deleted: iso_date(deleted.deleted_ms),
        recoverable_addresses: free.into_iter().map(|entry| entry.address).collect(),
    }))
}

/// A user who was restored.
#[derive(Debug, Serialize, ToSchema)]
pub struct RestoredUser {
    /// Always true.
    pub success: bool,
    /// `TaskCancelled`
    pub code: &'static str,
    /// The user.
    pub user: String,
    /// The task that would have removed his mailboxes.
    pub task: String,
    /// What became of his addresses.
    pub addresses: RestoredAddresses,
}

/// Addresses of a restored user.
#[derive(Debug, Serialize, ToSchema)]
pub struct RestoredAddresses {
    /// How many are his again.
    pub recovered: usize,
    /// His main address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub main: Option<String>,
}

/// Restore a deleted user
///
/// With those of his addresses that are still free.
#[utoipa::path(
    post, path = "/users/{user}/restore", tag = "Users", operation_id = "restoreUser",
    params(("user" = String, Path, description = "The user's id")),
    responses(
        (status = 200, description = "Restored", body = RestoredUser),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 500, description = "`AccountNotFound`, `AccountFound`, `DeleteInProgress`",
            body = ProblemView)
    )
)]
pub async fn restore(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let user = p.user();
    let session = p.session();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Users, Grant::Update, user)?;
    let restoration = match ctx.directory.restore_user(user).await? {
        Ok(restoration) => restoration,
        Err(obstacle) => {
            let (code, text) = match obstacle {
                Obstacle::Unknown => ("AccountNotFound", "Account was not found"),
                Obstacle::Started => ("DeleteInProgress", "Account is being deleted"),
                Obstacle::Exists => ("AccountFound", "There is such an account"),
            };
            return Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, code, text));
        }
    };
    ctx.authenticator.log(user, session.event("restore user"));
    Ok(Reply::json(&RestoredUser {
        success: true,
        code: "TaskCancelled",
        user: user.to_string(),
        task: restoration.task.to_string(),
        addresses: RestoredAddresses {
            recovered: restoration.addresses,
            main: Some(restoration.main).filter(|main| !main.is_empty()),
        },
    }))
}
