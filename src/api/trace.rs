//! The stories of messages: search their events, show one story.

use super::Context;
use super::access::{Grant, Reach, Resource};
use super::extract::Call;
use super::page::Cursor;
use super::params::{Params, Unknown};
use super::problem::{Problem, ProblemView};
use super::reply::{Answer, Reply, iso_date};
use crate::model::id::{ObjectId, UserId};
use crate::model::trace::{Detail, Event, Happening, Recorded, Search, SearchKey};
use axum::extract::State;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// One event of a message's story; what is unknown is absent.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TraceEventView {
    /// Identifier.
    pub id: String,
    /// The story it belongs to.
    pub trace: String,
    /// When it happened.
    pub time: String,
    /// `received`, `checked`, `refused`, `rule`, `stored`, `dropped`, `queued`, `attempt`,
    /// `delivered`, `deferred`, `bounced`, `cancelled`, `suppressed`, `steered`,
    /// `bounceReceived`, `complaint`.
    #[schema(example = "stored")]
    pub event: &'static str,
    /// Name in the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_id: Option<String>,
    /// Whose mailbox it is, or on whose behalf it is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Reverse-path; empty: the null path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// Forward-path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    /// Message-ID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// IP address of the client or of the next hop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What else is known: `with`, `helo`, `octets`, `check`, `result`, `reply`, `rule`, `mailbox`,
    /// `uid`, `reason`, `host`, `tls`, `due`, `target`, `by`.
    #[schema(example = json!({ "mailbox": "6ad9a3c2e1f0b1a2c3d4e5f6", "uid": 7 }))]
    pub details: Map<String, Value>,
}

impl TraceEventView {
    /// An event as it is shown.
    pub fn new(recorded: &Recorded) -> Self {
        let Recorded { id, at_ms, event } = recorded;
        let Event { trace, what, queue_id, user, sender, recipient, message_id, peer, details } =
            event;
        let number = |text: &str| text.parse::<i64>().ok();
        let value = |detail: Detail, text: &str| match (detail, number(text)) {
            (Detail::Due, Some(due_ms)) => json!(iso_date(due_ms)),
            (Detail::Uid | Detail::Octets, Some(number)) => json!(number),
            _ => json!(text),
        };
        let details = details.iter();
        let details =
            details.map(|(detail, text)| (detail.name().to_owned(), value(*detail, text)));
        Self {
            id: id.to_string(),
            trace: trace.to_string(),
            time: iso_date(*at_ms),
            event: what.name(),
            queue_id: queue_id.map(|id| id.to_string()),
            user: user.map(|id| id.to_string()),
            sender: sender.clone(),
            recipient: recipient.clone(),
            message_id: message_id.clone(),
            address: peer.map(|peer| peer.to_string()),
            details: details.collect(),
        }
    }
}

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TraceEventList {
    /// Always true.
    pub success: bool,
    /// Cursor of the following page, or `false`.
    pub next_cursor: Cursor,
    /// The events, newest first.
    pub results: Vec<TraceEventView>,
}

fn read_search(p: &mut Params) -> Search {
    let address = |p: &mut Params, name: &str| p.text(name, 320).optional();
    let user: Option<UserId> = p.id("user").optional();
    let queue_id: Option<ObjectId> = p.id("queueId").optional();
    let peer = p.parsed("address", "must be an IP address", |value| value.as_str()?.parse().ok());
    let peer = peer.optional();
    let keys = [
        address(p, "sender").map(|sender| SearchKey::sender(&sender)),
        address(p, "recipient").map(|recipient| SearchKey::recipient(&recipient)),
        p.text("messageId", 1000).optional().map(|id| SearchKey::message_id(&id)),
        queue_id.map(SearchKey::queue_id),
        user.map(SearchKey::user),
        peer.map(SearchKey::peer),
    ];
    let what = p.choice("event", &Happening::EVERY.map(Happening::name)).optional();
    Search {
        keys: keys.into_iter().flatten().collect(),
        trace: p.id("trace").optional(),
        what: what.as_deref().and_then(Happening::named).into_iter().collect(),
        since_ms: p.date("since").optional(),
        until_ms: p.date("until").optional(),
        before: p.id("next").optional(),
    }
}

/// Search the events of messages
///
/// All conditions together, newest first. An event has those of its message's names that were known
/// where it happened. A user's own token shows that user's events only.
#[utoipa::path(
    get, path = "/trace", tag = "Trace", operation_id = "searchTrace",
    params(
        ("sender" = Option<String>, Query, description = "Reverse-path"),
        ("recipient" = Option<String>, Query, description = "Forward-path"),
        ("messageId" = Option<String>, Query, description = "Message-ID"),
        ("queueId" = Option<String>, Query, description = "Name in the queue"),
        ("trace" = Option<String>, Query, description = "The story"),
        ("address" = Option<String>, Query, description = "IP address of client or next hop"),
        ("user" = Option<String>, Query, description = "The user's id"),
        ("event" = Option<String>, Query, description = "Only such events", example = "refused"),
        ("since" = Option<String>, Query, description = "Not before this time"),
        ("until" = Option<String>, Query, description = "Before this time"),
        ("limit" = Option<u16>, Query, description = "Rows of a page, 1 to 250", example = 20),
        ("next" = Option<String>, Query, description = "nextCursor of the page before")
    ),
    responses(
        (status = 200, description = "One page", body = TraceEventList),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = ProblemView)
    )
)]
pub async fn search(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    p.session();
    let mut search = read_search(&mut p);
    let limit = usize::try_from(p.integer("limit", 1..=250).or(20)).unwrap_or(20);
    let caller = p.finish(Unknown::Rejected)?;
    match (caller.reach(Resource::Trace, Grant::Read), caller.user()) {
        (Reach::Any, _) => {}
        (Reach::Own, Some(user)) => search.keys.push(SearchKey::user(user)),
        _ => return Err(Problem::missing_privileges()),
    }
    let mut events = ctx.delivery.trace().search(&search, limit.saturating_add(1)).await?;
    let has_more = events.len() > limit;
    events.truncate(limit);
    let last = events.last().filter(|_| has_more).map(|event| event.id.to_string());
    Ok(Reply::json(&TraceEventList {
        success: true,
        next_cursor: last.map_or(Cursor::Nowhere(false), Cursor::At),
        results: events.iter().map(TraceEventView::new).collect(),
    }))
}

/// One story.
#[derive(Debug, Serialize, ToSchema)]
pub struct StoryView {
    /// Always true.
    pub success: bool,
    /// The story.
    pub id: String,
    /// Its events, oldest first.
    pub events: Vec<TraceEventView>,
}

/// Show the story of a message
///
/// All that happened to it, and to what was forwarded, answered and reported because of it. A user's
/// own token shows that user's part.
#[utoipa::path(
    get, path = "/trace/{trace}", tag = "Trace", operation_id = "showTrace",
    params(("trace" = String, Path, description = "The story's id")),
    responses(
        (status = 200, description = "The story", body = StoryView),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = ProblemView),
        (status = 404, description = "`TraceNotFound`", body = ProblemView)
    )
)]
pub async fn show(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let trace: ObjectId = p.id("trace").required();
    p.session();
    let caller = p.finish(Unknown::Rejected)?;
    let own = match (caller.reach(Resource::Trace, Grant::Read), caller.user()) {
        (Reach::Any, _) => None,
        (Reach::Own, Some(user)) => Some(user),
        _ => return Err(Problem::missing_privileges()),
    };
    let events = ctx.delivery.trace().load(trace, own).await?;
    let events = events.iter().map(TraceEventView::new).collect();
    Ok(Reply::json(&StoryView { success: true, id: trace.to_string(), events }))
}
