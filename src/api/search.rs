//! Searching a user's messages, and doing something to all that is found (`reference/http-api.md`,
//! search).

use super::Context;
use super::access::{Grant, Resource};
use super::extract::Call;
use super::message_list::{Extras, end_keys, items, order, search_page};
use super::message_view::MessageItem;
use super::page::PageView;
use super::params::{Params, Unknown};
use super::problem::{Problem, ProblemView};
use super::reply::{Answer, Reply};
use super::search_query::Asked;
use crate::mailstore::deferred::Action;
use crate::mailstore::search::{Order, sets_of};
use crate::model::error::Error;
use crate::model::flag::Flag;
use crate::model::id::UserId;
use crate::model::search::Query;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A page of found messages.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SearchList {
    /// Always true.
    pub success: bool,
    /// Page and cursors.
    #[serde(flatten)]
    pub page: PageView,
    /// `query` as it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The messages.
    pub results: Vec<MessageItem>,
}

/// A task that was begun.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScheduledView {
    /// Always true.
    pub success: bool,
    /// Such a task was there already.
    pub existing: bool,
    /// The task.
    pub scheduled: String,
}

/// The query, given the user's mailboxes; 404 for a user without any.
async fn resolve(ctx: &Context, user: UserId, asked: &Asked) -> Result<Query, Problem> {
    let mailboxes = ctx.mailstore.list_mailboxes(user).await?;
    if mailboxes.is_empty() && asked.q.is_none() {
        return Err(Error::NotFound { what: "user" }.into());
    }
    Ok(asked.resolve(&mailboxes))
}

/// Search messages
///
/// By the query language of `q`, or by single parameters. Newest stored first, or by internal date
/// if `order` is given.
#[utoipa::path(
    get, path = "/users/{user}/search", tag = "Messages", operation_id = "searchMessages",
    params(
        ("user" = String, Path, description = "User id, or `me`"),
        ("q" = Option<String>, Query, example = "from:anna -(is:read OR has:attachment)",
            description = "Words and `key:value`, `OR`, `-`, parentheses, \"phrases\""),
        ("mailbox" = Option<String>, Query, description = "Mailbox id"),
        ("id" = Option<String>, Query, description = "UIDs, with `mailbox`"),
        ("thread" = Option<String>, Query, description = "Thread id"),
        ("query" = Option<String>, Query, description = "Words of header and text"),
        ("or.from" = Option<String>, Query, description = "Also `or.query`, `or.to`, `or.subject`"),
        ("datestart" = Option<String>, Query, description = "Internal date not before"),
        ("dateend" = Option<String>, Query, description = "Internal date not after"),
        ("from" = Option<String>, Query, description = "Part of From"),
        ("to" = Option<String>, Query, description = "Part of To or Cc"),
        ("subject" = Option<String>, Query, description = "Part of the subject"),
        ("minSize" = Option<u64>, Query, description = "Octets at least"),
        ("maxSize" = Option<u64>, Query, description = "Octets at most"),
        ("attachments" = Option<bool>, Query, description = "With attachments"),
        ("flagged" = Option<bool>, Query, description = "With `\\Flagged`"),
        ("unseen" = Option<bool>, Query, description = "Without `\\Seen`"),
        ("seen" = Option<bool>, Query, description = "With `\\Seen`"),
        ("useAndSearch" = Option<bool>, Query, description = "All words of `query`, not any"),
        ("searchable" = Option<bool>, Query, description = "Not in Junk or Trash"),
        ("metaData" = Option<bool>, Query, description = "Show the caller's own data"),
        ("threadCounters" = Option<bool>, Query, description = "Count each thread's messages"),
        ("includeHasDrafts" = Option<bool>, Query, description = "Say whether a draft replies"),
        ("collapseThreads" = Option<bool>, Query, description = "The first of each thread"),
        ("includeHeaders" = Option<bool>, Query, description = "Show all header fields"),
        ("order" = Option<String>, Query, description = "By internal date: `asc` or `desc`"),
        ("limit" = Option<u32>, Query, description = "Messages of a page, 1 to 250, default 20"),
        ("next" = Option<String>, Query, description = "`nextCursor` of the page before"),
        ("previous" = Option<String>, Query, description = "`previousCursor` of the page after")
    ),
    responses(
        (status = 200, description = "A page of messages", body = SearchList),
        (status = 404, description = "`UserNotFound`", body = ProblemView),
        (status = 500, description = "`InternalDatabaseError`: it took too long",
            body = ProblemView)
    )
)]
pub async fn search(State(ctx): State<Context>, mut call: Call) -> Answer {
    let params = &mut call.params;
    let user = params.user();
    let asked = Asked::read(params);
    let extras = Extras::read(params);
    let order = order(params);
    let order =
        order.map_or(Order::Stored { ascending: false }, |ascending| Order::Dated { ascending });
    let page = params.page();
    params.session();
    let caller = call.params.finish(Unknown::Ignored)?;
    ctx.authorize(&caller, Resource::Messages, Grant::Read, user)?;
    let query = resolve(&ctx, user, &asked).await?;
    let (position, number) = page.position()?;
    let search = search_page(&position, order, extras, page.limit)?;
    let found = ctx.mailstore.search(user, &query, &search, extras.fields()).await?;
    let keys = end_keys(order, &found.rows);
    Ok(Reply::json(&SearchList {
        success: true,
        page: page.view(found.total, number, keys, found.has_more),
        query: asked.q.or(asked.query),
        results: items(&ctx.mailstore, user, &found.rows, extras).await?,
    }))
}

/// What is done to all that is found.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes the body; `Params` reads it")]
pub struct SearchActionRequest {
    /// Move there; only where nothing else is asked for.
    move_to: Option<String>,
    /// Set or clear `\Seen`.
    seen: Option<bool>,
    /// Set or clear `\Flagged`.
    flagged: Option<bool>,
    /// Remove; wins over everything else.
    delete: Option<bool>,
}

/// The parameters of a search, and an action.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes the body; `Params` reads it")]
pub struct SearchApplyRequest {
    /// As for searching.
    q: Option<String>,
    /// What to do.
    action: SearchActionRequest,
}

/// Reads `action`: one of them is done, delete before flags before a move.
fn action(params: &mut Params) -> Option<Action> {
    let Some(fields) = params.object("action").optional() else {
        params.fail("action", "\"action\" is required");
        return None;
    };
    let known = ["moveTo", "seen", "flagged", "delete"];
    if let Some(unknown) = fields.keys().find(|name| !known.contains(&name.as_str())) {
        params.fail(&format!("action,{unknown}"), format!("\"{unknown}\" is not allowed"));
    }
    let boolean = |params: &mut Params, name: &str| {
        let value = fields.get(name).filter(|value| value.as_str() != Some(""))?;
        let read = super::params::boolean_of(value);
        if read.is_none() {
            params.fail(&format!("action,{name}"), format!("\"{name}\" must be a boolean"));
        }
        read
    };
    let (delete, seen) = (boolean(params, "delete"), boolean(params, "seen"));
    let flagged = boolean(params, "flagged");
    let target = target(params, &fields);
    if delete == Some(true) {
        return Some(Action::Remove);
    }
    let bits = |wanted| {
        let seen = if seen == Some(wanted) { Flag::Seen.bit() } else { 0 };
        seen | if flagged == Some(wanted) { Flag::Flagged.bit() } else { 0 }
    };
    match (bits(true), bits(false)) {
        (0, 0) => target,
        (set, cleared) => Some(Action::Flag { set, cleared }),
    }
}

fn target(params: &mut Params, fields: &Map<String, Value>) -> Option<Action> {
    let value = fields.get("moveTo").filter(|value| value.as_str() != Some(""))?;
    let id = value.as_str().and_then(|text| text.to_ascii_lowercase().parse().ok());
    if id.is_none() {
        params.fail("action,moveTo", "\"moveTo\" must be 24 hexadecimal digits");
    }
    id.map(|target| Action::Move { target })
}

/// Do something to all messages of a search
///
/// What is found now is moved, flagged or deleted by a task.
#[utoipa::path(
    post, path = "/users/{user}/search", tag = "Messages", operation_id = "searchApplyMessages",
    params(("user" = String, Path, description = "User id, or `me`")),
    request_body = SearchApplyRequest,
    responses(
        (status = 200, description = "Begun", body = ScheduledView),
        (status = 404, description = "`UserNotFound`", body = ProblemView)
    )
)]
pub async fn apply(State(ctx): State<Context>, mut call: Call) -> Answer {
    let params = &mut call.params;
    let user = params.user();
    let asked = Asked::read(params);
    let action = action(params);
    params.session();
    let caller = call.params.finish(Unknown::Ignored)?;
    let grant = if action == Some(Action::Remove) { Grant::Delete } else { Grant::Update };
    ctx.authorize(&caller, Resource::Messages, grant, user)?;
    let query = resolve(&ctx, user, &asked).await?;
    // Without an effective action nothing is done, but a task is named all the same
    let (action, found) = match action {
        Some(action) => (action, ctx.mailstore.find_all(user, &query).await?),
        None => (Action::Flag { set: 0, cleared: 0 }, Vec::new()),
    };
    let task = ctx.mailstore.defer_action(user, sets_of(&found), action).await?;
    let scheduled = task.to_string();
    Ok(Reply::json(&ScheduledView { success: true, existing: false, scheduled }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::access::Caller;
    use serde_json::json;
    use std::collections::BTreeMap;

    fn read(value: Value) -> (Option<Action>, bool) {
        let values = Map::from_iter([("action".to_owned(), value)]);
        let mut params = Params::new(Caller::root(), values, BTreeMap::new(), None);
        let action = action(&mut params);
        (action, params.finish(Unknown::Ignored).is_ok())
    }

    #[test]
    fn one_action_is_done() {
        let id = "0123456789abcdef01234567";
        let all = json!({"moveTo": id, "seen": true, "flagged": "no", "delete": true});
        assert_eq!(read(all).0, Some(Action::Remove));
        let flags = json!({"moveTo": id, "seen": true, "flagged": false, "delete": false});
        assert_eq!(read(flags).0, Some(Action::Flag { set: 1, cleared: 4 }));
        let target = id.parse().unwrap();
        assert_eq!(read(json!({"moveTo": id})).0, Some(Action::Move { target }));
        assert_eq!(read(json!({})), (None, true));
        for bad in [json!({"moveTo": "x"}), json!({"seen": "x"}), json!({"x": 1}), json!(1)] {
            assert!(!read(bad).1);
        }
    }
}
