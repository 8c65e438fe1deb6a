//! Listing and reading messages (`reference/http-api.md`, Messages).

use super::Context;
use super::access::{Grant, Resource};
use super::extract::Call;
use super::message_source::{HEADER_OCTETS_MAX, find, load_fields, tree_of};
use super::message_view::{self, MessageItem, MessageView};
use super::page::{PageView, Position};
use super::params::Unknown;
use super::problem::{Problem, ProblemView};
use super::reply::{Answer, Reply};
use crate::codec::mime::display::{self, Layout, Shown, ShownText};
use crate::codec::mime::text::decode_text;
use crate::mailstore::Mailstore;
use crate::mailstore::fetch::{Fields, PageQuery};
use crate::model::error::{Error, Result};
use crate::model::flag::{Flag, FlagChange, FlagSet};
use crate::model::id::UserId;
use crate::model::mailbox::Mailbox;
use crate::model::message::Message;
use crate::model::structure::Part;
use crate::model::uid::{Uid, UidSet};
use axum::extract::State;
use axum::http::StatusCode;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Contents read at the same time for one request.
const READS_MAX: usize = 8;
/// Encoded octets of text parts that are read for display; encodings make texts up to three times
/// longer.
const TEXT_OCTETS_MAX: u64 = 3 * 640 * 1024;

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
    let with_meta = params.boolean("metaData").or(false);
    let with_headers = params.boolean("includeHeaders").or(false);
    let ascending = params.parsed("order", "must be asc or desc", ascending_of).or(false);
    params.not_supported_yet(&["threadCounters", "includeHasDrafts", "collapseThreads"]);
    let page = params.page();
    params.session();
    let caller = call.params.finish(Unknown::Ignored)?;
    ctx.authorize(&caller, Resource::Messages, Grant::Read, user)?;
    let found = ctx.mailstore.find_mailbox(user, mailbox).await?;
    let mailbox = found.ok_or(Error::NotFound { what: "mailbox" })?;
    let (position, number) = page.position()?;
    let query = page_query(&position, ascending, unseen, page.limit)?;
    let fields = Fields { tree: true, summary: true, meta: with_meta, ..Fields::default() };
    let (messages, has_more) = ctx.mailstore.page(user, mailbox.id, &query, fields).await?;
    let keys = messages.first().zip(messages.last()).map(|(first, last)| (key(first), key(last)));
    let mut results = items(&ctx.mailstore, user, &messages, with_headers).await?;
    if with_meta {
        for (item, message) in results.iter_mut().zip(&messages) {
            item.meta_data = Some(message_view::meta_data(message));
        }
    }
    Ok(Reply::json(&MessageList {
        success: true,
        page: page.view(total(&mailbox, unseen), number, keys, has_more),
        special_use: mailbox.special_use.map(|special_use| special_use.name()),
        results,
    }))
}

fn total(mailbox: &Mailbox, unseen: Option<bool>) -> u64 {
    match unseen {
        None => mailbox.counts.messages,
        Some(true) => mailbox.counts.unseen,
        Some(false) => mailbox.counts.messages.saturating_sub(mailbox.counts.unseen),
    }
}

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

/// A row's place in the order: internal date, then UID.
fn key(message: &Message) -> String {
    format!("{},{}", message.row.internal_date, message.row.uid)
}

fn read_key(key: &str) -> Result<(i64, Uid), Problem> {
    let read = || {
        let (date, uid) = key.split_once(',')?;
        Some((date.parse().ok()?, uid.parse().ok()?))
    };
    read().ok_or_else(|| {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Problem::new(status, "InternalDatabaseError", "The cursor is not one of this list")
    })
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

async fn items(
    mailstore: &Mailstore,
    user: UserId,
    messages: &[Message],
    with_headers: bool,
) -> Result<Vec<MessageItem>, Problem> {
    let mut items = Vec::with_capacity(messages.len());
    let mut roots = Vec::with_capacity(messages.len());
    for message in messages {
        let root = tree_of(message)?;
        items.push(message_view::item(message, &root));
        roots.push(root);
    }
    if with_headers {
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
    Ok(items)
}

/// Message details
///
/// Header fields, text, clean HTML and the list of attachments.
#[utoipa::path(
    get, path = "/users/{user}/mailboxes/{mailbox}/messages/{message}",
    tag = "Messages", operation_id = "showMessage",
    params(
        ("user" = String, Path, description = "User id, or `me`"),
        ("mailbox" = String, Path, description = "Mailbox id"),
        ("message" = u32, Path, description = "UID"),
        ("markAsSeen" = Option<bool>, Query, description = "Set `\\Seen`"),
        ("replaceCidLinks" = Option<bool>, Query,
            description = "Accepted; inline pictures are always `attachment:` links")
    ),
    responses(
        (status = 200, description = "The message", body = MessageView),
        (status = 404, description = "`MessageNotFound`", body = ProblemView)
    )
)]
pub async fn show(State(ctx): State<Context>, mut call: Call) -> Answer {
    let params = &mut call.params;
    let (user, mailbox) = (params.user(), params.id("mailbox").required());
    let uid = params.uid("message").required();
    // reference: changes nothing for current mail
    params.boolean("replaceCidLinks").optional();
    let mark_as_seen = params.boolean("markAsSeen").or(false);
    params.session();
    let caller = call.params.finish(Unknown::Rejected)?;
    ctx.authorize(&caller, Resource::Messages, Grant::Read, user)?;
    let fields = Fields { tree: true, summary: true, meta: true, ..Fields::default() };
    let mut message = find(&ctx.mailstore, user, mailbox, uid, fields).await?;
    let root = tree_of(&message)?;
    let header = root.header.partial(0, HEADER_OCTETS_MAX);
    let header = ctx.mailstore.load_octets(user, &message, header).await?;
    let texts = load_texts(&ctx.mailstore, user, &message, &root).await?;
    if mark_as_seen && !message.row.flags.has(Flag::Seen) {
        // writing needs the grant for it
        ctx.authorize(&caller, Resource::Messages, Grant::Update, user)?;
        let change = FlagChange::Add(FlagSet::new(Flag::Seen.bit(), Vec::new()));
        let uids = UidSet::from_range(uid, uid);
        let stored = ctx.mailstore.store_flags(user, mailbox, &uids, &change, None).await;
        // reference: a failure here is status 200 with an error
        stored.map_err(|error| Problem::from(error).with_status(StatusCode::OK))?;
        message.row.flags = change.apply(&message.row.flags);
    }
    let view = display_message(message, user, root, header, texts).await?;
    Ok(Reply::json(&view))
}

/// The encoded octets of the text parts, within [`TEXT_OCTETS_MAX`] together.
async fn load_texts(
    mailstore: &Mailstore,
    user: UserId,
    message: &Message,
    root: &Part,
) -> Result<Vec<Bytes>> {
    let mut left = TEXT_OCTETS_MAX;
    let mut texts = Vec::new();
    for text in Layout::of(root).texts {
        let range = text.part.body.partial(0, left);
        left -= range.octets();
        texts.push(match range.octets() {
            0 => Bytes::new(),
            _ => mailstore.load_octets(user, message, range).await?,
        });
    }
    Ok(texts)
}

/// Decoding and cleaning take milliseconds to tenths of a second: not on the threads that serve
/// sockets.
async fn display_message(
    message: Message,
    user: UserId,
    root: Part,
    header: Bytes,
    texts: Vec<Bytes>,
) -> Result<MessageView> {
    let shown = tokio::task::spawn_blocking(move || {
        let fields = crate::codec::mime::fields::Fields::read(&header);
        let shown = shown(&root, &texts);
        message_view::details(&message, user.to_string(), &root, &fields, shown)
    });
    shown.await.map_err(|error| Error::internal("a message could not be displayed", error))
}

fn shown(root: &Part, texts: &[Bytes]) -> Shown {
    let layout = Layout::of(root);
    let shown = layout.texts.iter().zip(texts).map(|(text, octets)| ShownText {
        kind: text.kind,
        is_alternative: text.is_alternative,
        text: decode_text(text.part, octets),
    });
    display::show(shown.collect(), &layout.cids())
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
