//! Messages that were deleted and can be restored (`reference/http-api.md`, archive).

use super::Context;
use super::access::{Grant, Resource};
use super::extract::Call;
use super::message_list::{Extras, MessageList, items, order};
use super::message_view::MessageRef;
use super::page::{Position, foreign_cursor};
use super::params::Unknown;
use super::problem::{Problem, ProblemView};
use super::reply::{Answer, Reply};
use crate::mailstore::archive::ArchiveQuery;
use crate::mailstore::deferred::Work;
use crate::model::error::Error;
use crate::model::id::MessageId;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

/// List deleted messages
///
/// Those that can be restored; `id` is the archive's own. Newest first unless `order` is `asc`.
#[utoipa::path(
    get, path = "/users/{user}/archived/messages", tag = "Archive",
    operation_id = "listArchivedMessages",
    params(
        ("user" = String, Path, description = "User id, or `me`"),
        ("metaData" = Option<bool>, Query, description = "Show the caller's own data"),
        ("order" = Option<String>, Query, description = "`desc` (default) or `asc`"),
        ("threadCounters" = Option<bool>, Query, description = "Count each thread's messages"),
        ("includeHeaders" = Option<bool>, Query, description = "Show all header fields"),
        ("limit" = Option<u32>, Query, description = "Messages of a page, 1 to 250, default 20"),
        ("next" = Option<String>, Query, description = "`nextCursor` of the page before"),
        ("previous" = Option<String>, Query, description = "`previousCursor` of the page after")
    ),
    responses((status = 200, description = "A page of messages", body = MessageList))
)]
pub async fn list(State(ctx): State<Context>, mut call: Call) -> Answer {
    let params = &mut call.params;
    let user = params.user();
    let extras = Extras::read(params);
    let extras = Extras { has_drafts: false, collapse_threads: false, ..extras };
    let ascending = order(params).unwrap_or(false);
    let page = params.page();
    params.session();
    let caller = call.params.finish(Unknown::Ignored)?;
    ctx.authorize(&caller, Resource::Messages, Grant::Read, user)?;
    let (position, number) = page.position()?;
    let id = |key: &str| key.parse::<MessageId>().map_err(|_| foreign_cursor());
    let (after, before) = match &position {
        Position::Start => (None, None),
        Position::After(key) => (Some(id(key)?), None),
        Position::Before(key) => (None, Some(id(key)?)),
    };
    let query = ArchiveQuery { ascending, after, before, limit: page.limit };
    let (rows, has_more, total) = ctx.mailstore.list_archived(user, &query).await?;
    let keys = rows.first().zip(rows.last());
    let keys = keys.map(|(first, last)| (first.id.to_string(), last.id.to_string()));
    let mut results = items(&ctx.mailstore, user, &rows, extras).await?;
    for (item, row) in results.iter_mut().zip(&rows) {
        item.id = MessageRef::Archived(row.id.to_string());
    }
    Ok(Reply::json(&MessageList {
        success: true,
        page: page.view(total, number, keys, has_more),
        special_use: None,
        results,
    }))
}

/// A range of time.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes the body; `Params` reads it")]
pub struct RestoreRangeRequest {
    /// Deleted at this time or later.
    start: String,
    /// Deleted at this time or before.
    end: String,
}

/// A task that was begun.
#[derive(Debug, Serialize, ToSchema)]
pub struct TaskView {
    /// Always true.
    pub success: bool,
    /// The task.
    pub task: String,
}

/// Restore deleted messages
///
/// All that were deleted in a range of time, into a mailbox of their own, by a task.
#[utoipa::path(
    post, path = "/users/{user}/archived/restore", tag = "Archive",
    operation_id = "restoreArchivedMessages",
    params(("user" = String, Path, description = "User id, or `me`")),
    request_body = RestoreRangeRequest,
    responses(
        (status = 200, description = "Begun", body = TaskView),
        (status = 404, description = "`UserNotFound`", body = ProblemView)
    )
)]
pub async fn restore_range(State(ctx): State<Context>, mut call: Call) -> Answer {
    let params = &mut call.params;
    let user = params.user();
    ctx.authorize(params.caller(), Resource::Messages, Grant::Update, user)?;
    let (start_ms, end_ms) = (params.date("start").required(), params.date("end").required());
    params.session();
    call.params.finish(Unknown::Rejected)?;
    super::mailboxes::check_user(&ctx.mailstore, user).await?;
    let task = ctx.mailstore.defer(user, Work::Restore { start_ms, end_ms }).await?;
    Ok(Reply::json(&TaskView { success: true, task: task.to_string() }))
}

/// Where to restore.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes the body; `Params` reads it")]
pub struct RestoreRequest {
    /// Mailbox id; default where it was, INBOX if that is gone.
    mailbox: Option<String>,
}

/// Where a message was restored.
#[derive(Debug, Serialize, ToSchema)]
pub struct RestoredView {
    /// Always true.
    pub success: bool,
    /// The mailbox.
    pub mailbox: String,
    /// Its UID there.
    pub id: u32,
}

/// Restore a deleted message
///
/// By its id in the archive.
#[utoipa::path(
    post, path = "/users/{user}/archived/messages/{message}/restore", tag = "Archive",
    operation_id = "restoreArchivedMessage",
    params(
        ("user" = String, Path, description = "User id, or `me`"),
        ("message" = String, Path, description = "Id in the archive")
    ),
    request_body = RestoreRequest,
    responses(
        (status = 200, description = "Restored", body = RestoredView),
        (status = 404, description = "`MessageNotFound`", body = ProblemView)
    )
)]
pub async fn restore(State(ctx): State<Context>, mut call: Call) -> Answer {
    let params = &mut call.params;
    let user = params.user();
    ctx.authorize(params.caller(), Resource::Messages, Grant::Update, user)?;
    // The reference also lets a number through here, which names no message of an archive
    let message = params.text("message", 24).required();
    let id = message.to_ascii_lowercase().parse::<MessageId>().ok();
    let is_number = message.parse::<u64>().is_ok_and(|number| number > 0);
    if id.is_none() && !is_number {
        params.fail("message", "\"message\" must be 24 hexadecimal digits");
    }
    let mailbox = params.id("mailbox").optional();
    params.session();
    call.params.finish(Unknown::Rejected)?;
    let id = id.ok_or(Error::NotFound { what: "message" })?;
    let restored = match ctx.mailstore.restore(user, id, mailbox).await {
        // reference: what fails beyond the look-up is status 200 without success
        Err(error @ Error::NotFound { what: "mailbox" }) => {
            return Err(Problem::from(error)
                .with_status(StatusCode::OK)
                .with("success", json!(false)));
        }
        restored => restored?,
    };
    Ok(Reply::json(&RestoredView {
        success: true,
        mailbox: restored.mailbox.to_string(),
        id: restored.uid,
    }))
}
