//! Listing the messages of a mailbox, and what all lists of messages show (`reference/http-api.md`,
//! MsgItem).

use super::Context;
use super::access::{Grant, Resource};
use super::extract::Call;
use super::message_source::{load_fields, tree_of};
use super::message_view::{self, MessageItem};
use super::page::{PageView, Position};
use super::params::{Params, Unknown};
use super::problem::{Problem, ProblemView};
use super::reply::{Answer, Reply};
use crate::mailstore::Mailstore;
use crate::mailstore::fetch::{Fields, PageQuery};
use crate::mailstore::search::{Order, Place, SearchPage, SearchResults};
use crate::model::error::{Error, Result};
use crate::model::flag::Flag;
use crate::model::id::{ThreadId, UserId};
use crate::model::mailbox::Mailbox;
use crate::model::message::Message;
use crate::model::search::Query;
use crate::model::uid::Uid;
use axum::extract::State;
use axum::http::StatusCode;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Contents read at the same time for one request.
const READS_MAX: usize = 8;

/// A page of messages.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageList {
    /// Always true.
    pub success: bool,
    /// Page and cursors.
    #[serde(flatten)]
    pub page: PageView,
    /// The mailbox's special use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub special_use: Option<&'static str>,
    /// The messages.
    pub results: Vec<MessageItem>,
}

/// What a list shows beside the messages.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Extras {
    /// `metaData`
    pub meta: bool,
    /// `includeHeaders`
    pub headers: bool,
    /// `threadCounters`
    pub thread_counters: bool,
    /// `includeHasDrafts`
    pub has_drafts: bool,
    /// `collapseThreads`
    pub collapse_threads: bool,
}

impl Extras {
    /// Reads the parameters.
    pub fn read(params: &mut Params) -> Self {
        Self {
            meta: params.boolean("metaData").or(false),
            headers: params.boolean("includeHeaders").or(false),
            thread_counters: params.boolean("threadCounters").or(false),
            has_drafts: params.boolean("includeHasDrafts").or(false),
            collapse_threads: params.boolean("collapseThreads").or(false),
        }
    }

    /// What has to be read for it.
    pub fn fields(self) -> Fields {
        Fields { tree: true, summary: true, meta: self.meta, ..Fields::default() }
    }
}

/// List messages of a mailbox
///
/// Sorted by internal date, newest first unless `order` is `asc`.
#[utoipa::path(
    get, path = "/users/{user}/mailboxes/{mailbox}/messages",
    tag = "Messages", operation_id = "listMessages",
    params(
        ("user" = String, Path, description = "User id, or `me`"),
        ("mailbox" = String, Path, description = "Mailbox id"),
        ("unseen" = Option<bool>, Query, description = "Only messages with or without `\\Seen`"),
        ("order" = Option<String>, Query, description = "`desc` (default) or `asc`"),
        ("metaData" = Option<bool>, Query, description = "Show the caller's own data"),
        ("threadCounters" = Option<bool>, Query, description = "Count each thread's messages"),
        ("includeHasDrafts" = Option<bool>, Query, description = "Say whether a draft replies"),
        ("collapseThreads" = Option<bool>, Query, description = "The first of each thread"),
        ("includeHeaders" = Option<bool>, Query, description = "Show all header fields"),
        ("limit" = Option<u32>, Query, description = "Messages of a page, 1 to 250, default 20"),
        ("next" = Option<String>, Query, description = "`nextCursor` of the page before"),
        ("previous" = Option<String>, Query, description = "`previousCursor` of the page after")
    ),
    responses(
        (status = 200, description = "A page of messages", body = MessageList),
        (status = 404, description = "`NoSuchMailbox`", body = ProblemView)
    )
)]
pub async fn list(State(ctx): State<Context>, mut call: Call) -> Answer {
    let params = &mut call.params;
    let (user, mailbox) = (params.user(), params.id("mailbox").required());
    let unseen = params.boolean("unseen").optional();
    let extras = Extras::read(params);
    let ascending = order(params).unwrap_or(false);
    let page = params.page();
    params.session();
    let caller = call.params.finish(Unknown::Ignored)?;
    ctx.authorize(&caller, Resource::Messages, Grant::Read, user)?;
    let found = ctx.mailstore.find_mailbox(user, mailbox).await?;
    let mailbox = found.ok_or(Error::NotFound { what: "mailbox" })?;
    let (position, number) = page.position()?;
    let (rows, total, keys, has_more) = if extras.collapse_threads {
        let order = Order::Dated { ascending };
        let query = search_page(&position, order, extras, page.limit)?;
        let found = collapsed(&ctx, &mailbox, unseen, (&query, extras)).await?;
        let keys = end_keys(order, &found.rows);
        (found.rows, found.total, keys, found.has_more)
    } else {
        let query = page_query(&position, ascending, unseen, page.limit)?;
        let (rows, has_more) = ctx.mailstore.page(&mailbox, &query, extras.fields()).await?;
        let keys = rows.first().zip(rows.last()).map(|(first, last)| (key(first), key(last)));
        (rows, total(&mailbox, unseen), keys, has_more)
    };
    Ok(Reply::json(&MessageList {
        success: true,
        page: page.view(total, number, keys, has_more),
        special_use: mailbox.special_use.map(|special_use| special_use.name()),
        results: items(&ctx.mailstore, user, &rows, extras).await?,
    }))
}

async fn collapsed(
    ctx: &Context,
    mailbox: &Mailbox,
    unseen: Option<bool>,
    (page, extras): (&SearchPage, Extras),
) -> Result<SearchResults> {
    let mut query = vec![Query::Mailbox(mailbox.id)];
    let seen = Query::Flags(Flag::Seen.bit());
    query.extend(unseen.map(|unseen| if unseen { seen.negated() } else { seen }));
    ctx.mailstore.search(mailbox.user, &Query::All(query), page, extras.fields()).await
}

fn total(mailbox: &Mailbox, unseen: Option<bool>) -> u64 {
    match unseen {
        None => mailbox.counts.messages,
        Some(true) => mailbox.counts.unseen,
        Some(false) => mailbox.counts.messages.saturating_sub(mailbox.counts.unseen),
    }
}

/// `order`, if it was sent: anything but `asc` is descending.
pub fn order(params: &mut Params) -> Option<bool> {
    let sent = params.take("order").filter(|value| value.as_str() != Some(""))?;
    Some(ascending_of(&sent).unwrap_or(false))
}

/// `asc` or `desc`, also as 1 and -1.
fn ascending_of(value: &Value) -> Option<bool> {
    match value {
        Value::String(text) if text.eq_ignore_ascii_case("asc") || text == "1" => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("desc") || text == "-1" => Some(false),
        Value::Number(number) => match number.as_i64()? {
            1 => Some(true),
            -1 => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// A row's place in a mailbox: internal date, then UID.
fn key(message: &Message) -> String {
    format!("{},{}", message.row.internal_date, message.row.uid)
}

fn read_key(key: &str) -> Result<(i64, Uid), Problem> {
    let read = || {
        let (date, uid) = key.split_once(',')?;
        Some((date.parse().ok()?, uid.parse().ok()?))
    };
    read().ok_or_else(foreign)
}

fn foreign() -> Problem {
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    Problem::new(status, "InternalDatabaseError", "Invalid paging cursor")
}

fn page_query(
    position: &Position,
    ascending: bool,
    unseen: Option<bool>,
    limit: usize,
) -> Result<PageQuery, Problem> {
    let (after, before) = match position {
        Position::Start => (None, None),
        Position::After(key) => (Some(read_key(key)?), None),
        Position::Before(key) => (None, Some(read_key(key)?)),
    };
    Ok(PageQuery { ascending, after, before, unseen, limit })
}

/// The keys of the first and last row of a page in an order of searches.
pub fn end_keys(order: Order, rows: &[Message]) -> Option<(String, String)> {
    let key = |message: &Message| {
        let (date, id) = order.place(message);
        format!("{date},{id}")
    };
    rows.first().zip(rows.last()).map(|(first, last)| (key(first), key(last)))
}

/// The page of a search.
///
/// # Errors
/// 500 for a cursor that is not one of ours.
pub fn search_page(
    position: &Position,
    order: Order,
    extras: Extras,
    limit: usize,
) -> Result<SearchPage, Problem> {
    let place = |key: &str| -> Result<Place, Problem> {
        let read = || {
            let (date, id) = key.split_once(',')?;
            Some((date.parse().ok()?, id.parse().ok()?))
        };
        read().ok_or_else(foreign)
    };
    let (after, before) = match position {
        Position::Start => (None, None),
        Position::After(key) => (Some(place(key)?), None),
        Position::Before(key) => (None, Some(place(key)?)),
    };
    Ok(SearchPage { order, collapse_threads: extras.collapse_threads, after, before, limit })
}

/// The rows of a list. One query each for threads (a collapsed one is seen when all of it is,
/// flagged when any of it is) and drafts; header fields are read from
/// the contents.
///
/// # Errors
/// As `Mailstore::load_octets`.
pub async fn items(
    mailstore: &Mailstore,
    user: UserId,
    messages: &[Message],
    extras: Extras,
) -> Result<Vec<MessageItem>, Problem> {
    let mut items = Vec::with_capacity(messages.len());
    let mut roots = Vec::with_capacity(messages.len());
    for message in messages {
        let root = tree_of(message)?;
        items.push(message_view::item(message, &root));
        roots.push(root);
    }
    if extras.headers {
        let loads: Vec<_> = messages
            .iter()
            .zip(&roots)
            .map(|(message, root)| load_fields(mailstore, user, message, root))
            .collect();
        let fields: Vec<_> = stream::iter(loads).buffered(READS_MAX).try_collect().await?;
        for (item, fields) in items.iter_mut().zip(&fields) {
            item.headers = Some(message_view::headers(fields));
        }
    }
    if extras.meta {
        for (item, message) in items.iter_mut().zip(messages) {
            item.meta_data = message_view::meta_data(message);
        }
    }
    let mut threads: Vec<ThreadId> = messages.iter().map(|message| message.thread).collect();
    threads.sort_unstable();
    threads.dedup();
    if extras.thread_counters || extras.collapse_threads {
        let states = mailstore.thread_states(user, &threads).await?;
        for (item, message) in items.iter_mut().zip(messages) {
            let Some(state) = states.get(&message.thread) else { continue };
            if extras.thread_counters {
                item.thread_message_count = Some(state.messages);
            }
            if extras.collapse_threads {
                item.flags.seen = !state.is_unseen;
                item.flags.flagged = state.is_flagged;
            }
        }
    }
    if extras.has_drafts {
        let drafts = mailstore.find_drafts(user, &threads).await?;
        for (item, message) in items.iter_mut().zip(messages) {
            item.has_drafts = Some(match extras.collapse_threads {
                true => drafts.threads.contains(&message.thread),
                false => drafts.references.contains(&message.summary.message_id),
            });
        }
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_and_orders_are_read() {
        assert_eq!(read_key("-5,7").unwrap(), (-5, 7));
        for bad in ["", "5", "5,", ",7", "5,-7", "5,7,8"] {
            assert!(read_key(bad).is_err(), "{bad}");
        }
        let orders = [json!("asc"), json!("DESC"), json!(1), json!("-1"), json!("x"), json!(true)];
        let read: Vec<Option<bool>> = orders.iter().map(ascending_of).collect();
        assert_eq!(read, [Some(true), Some(false), Some(true), Some(false), None, None]);
    }
}
