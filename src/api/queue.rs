//! The queue of outgoing mail: look through it, steer entries one by one and by query.
//!
//! What is done by query is done in steps: one request changes the entries of one page, and its
//! answer has the cursor of the next.

use super::Context;
use super::access::{Grant, Resource};
use super::extract::Call;
use super::page::Cursor;
use super::params::{Params, Unknown};
use super::problem::{Problem, ProblemView};
use super::queue_view::{QueueEntryView, read_query};
use super::reply::{Answer, Reply};
use crate::model::id::ObjectId;
use crate::model::queue::{AGE_HOURS, Entry, Query, State as EntryState, Steer, Summary};
use crate::model::target::{ForwardTarget, TargetKind};
use axum::extract::State;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Tries that are shown of one entry.
const ATTEMPTS_MAX: usize = 100;

/// A page of entries.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueueEntryList {
    /// Always true.
    pub success: bool,
    /// Cursor of the following page, or `false`.
    pub next_cursor: Cursor,
    /// The entries in the order they were enqueued, each with its last try.
    pub results: Vec<QueueEntryView>,
}

/// The page of a request, and the cursor of the next.
async fn load_page(
    ctx: &Context,
    query: &Query,
    after: Option<ObjectId>,
    limit: i64,
) -> Result<(Vec<Entry>, Cursor), Problem> {
    let limit = usize::try_from(limit).unwrap_or(1);
    let mut entries = ctx.delivery.queue().list(query, after, limit.saturating_add(1)).await?;
    let has_more = entries.len() > limit;
    entries.truncate(limit);
    let last = entries.last().filter(|_| has_more).map(|entry| entry.id.to_string());
    Ok((entries, last.map_or(Cursor::Nowhere(false), Cursor::At)))
}

/// List the queue
///
/// All conditions together, in the order entries were enqueued.
#[utoipa::path(
    get, path = "/queue", tag = "Queue", operation_id = "listQueue",
    params(
        ("domain" = Option<String>, Query, description = "Next hop"),
        ("sender" = Option<String>, Query, description = "Reverse-path; empty: the null path"),
        ("recipient" = Option<String>, Query, description = "Forward-path"),
        ("user" = Option<String>, Query, description = "On whose behalf"),
        ("queueId" = Option<String>, Query, description = "The message"),
        ("reason" = Option<String>, Query, description = "`submit`, `forward`, …"),
        ("state" = Option<String>, Query, description = "`active`, `ready`, `scheduled`, \
            `deferred`, `paused`"),
        ("since" = Option<String>, Query, description = "Enqueued at this time or after it"),
        ("until" = Option<String>, Query, description = "Enqueued before this time"),
        ("reply" = Option<String>, Query, description = "A reply of the last tries has this text"),
        ("limit" = Option<u16>, Query, description = "Rows of a page, 1 to 250", example = 20),
        ("next" = Option<String>, Query, description = "nextCursor of the page before")
    ),
    responses(
        (status = 200, description = "One page", body = QueueEntryList),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = ProblemView)
    )
)]
pub async fn list(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    p.session();
    let query = read_query(&mut p);
    let limit = p.integer("limit", 1..=250).or(20);
    let after = p.id("next").optional();
    p.finish(Unknown::Rejected)?.authorize_any(Resource::Queue, Grant::Read)?;
    let (entries, next_cursor) = load_page(&ctx, &query, after, limit).await?;
    let now = ctx.clock.now_ms();
    let results = entries.iter().map(|entry| QueueEntryView::new(entry, now, 1)).collect();
    Ok(Reply::json(&QueueEntryList { success: true, next_cursor, results }))
}

/// One entry.
#[derive(Debug, Serialize, ToSchema)]
pub struct ShownQueueEntry {
    /// Always true.
    pub success: bool,
    /// The entry.
    #[serde(flatten)]
    pub entry: QueueEntryView,
}

/// Show an entry of the queue
#[utoipa::path(
    get, path = "/queue/{entry}", tag = "Queue", operation_id = "showQueueEntry",
    params(("entry" = String, Path, description = "The entry's id")),
    responses(
        (status = 200, description = "The entry with its tries", body = ShownQueueEntry),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = ProblemView),
        (status = 404, description = "`QueueEntryNotFound`", body = ProblemView)
    )
)]
pub async fn show(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let id: ObjectId = p.id("entry").required();
    p.session();
    p.finish(Unknown::Rejected)?.authorize_any(Resource::Queue, Grant::Read)?;
    let entry = ctx.delivery.queue().load(id).await?;
    let entry = QueueEntryView::new(&entry, ctx.clock.now_ms(), ATTEMPTS_MAX);
    Ok(Reply::json(&ShownQueueEntry { success: true, entry }))
}

/// The size of the queue.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueueSummaryView {
    /// Always true.
    pub success: bool,
    /// Entries.
    pub total: u64,
    /// Entries by state.
    pub states: BTreeMap<&'static str, u64>,
    /// Entries by age: `1`, `6`, `24`, `72`: younger than so many hours; `older`.
    pub ages: BTreeMap<String, u64>,
    /// Entries that were tried by the code of their last reply; `other`: no code.
    pub errors: BTreeMap<String, u64>,
    /// The next hops with most entries, most first.
    pub next_hops: Vec<NextHopView>,
}

/// A next hop.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NextHopView {
    /// Domain or host.
    pub next_hop: String,
    /// Entries for it.
    pub entries: u64,
}

impl QueueSummaryView {
    /// A summary as it is shown.
    pub fn new(summary: &Summary) -> Self {
        let (states, ages) = (summary.by(|share| share.state), summary.by(|it| it.hours_below));
        let size = |state| states.get(&state).copied().unwrap_or_default();
        let bounds = AGE_HOURS.map(Some).into_iter().chain([None]);
        let ages = bounds.map(|hours| {
            let name = hours.map_or_else(|| "older".to_owned(), |hours| hours.to_string());
            (name, ages.get(&hours).copied().unwrap_or_default())
        });
        let errors = summary.by(|share| share.code.clone());
        let hop = |(next_hop, entries): &(String, u64)| NextHopView {
            next_hop: next_hop.clone(),
            entries: *entries,
        };
        Self {
            success: true,
            total: summary.total(),
            states: EntryState::EVERY.map(|state| (state.name(), size(state))).into(),
            ages: ages.collect(),
            errors: errors.into_iter().filter(|(code, _)| !code.is_empty()).collect(),
            next_hops: summary.next_hops.iter().map(hop).collect(),
        }
    }
}

/// Show the size of the queue
///
/// Counted at most every fifteen seconds.
#[utoipa::path(
    get, path = "/queue/summary", tag = "Queue", operation_id = "showQueueSummary",
    responses(
        (status = 200, description = "By state, age, error and next hop", body = QueueSummaryView),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = ProblemView)
    )
)]
pub async fn summary(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    p.session();
    p.finish(Unknown::Rejected)?.authorize_any(Resource::Queue, Grant::Read)?;
    let summary = ctx.delivery.queue().summary().await?;
    Ok(Reply::json(&QueueSummaryView::new(&summary)))
}

/// What is done to one entry.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct SteerRequest {
    /// `pause`, `resume`, `retry` (at once), `reroute`, `bounce` (the sender is told).
    #[schema(example = "retry")]
    pub action: String,
    /// For `reroute`: `smtp://host:port`, `smtps://…`, or `mx` for the recipient's own server.
    pub target: Option<String>,
}

/// What is done to all entries of a query.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(missing_docs, reason = "documentation of the body only; as in listQueue")]
pub struct SteerManyRequest {
    /// `pause`, `resume`, `retry` (at once), `reroute`, `bounce` (the sender is told).
    #[schema(example = "retry")]
    pub action: String,
    /// For `reroute`: `smtp://host:port`, `smtps://…`, or `mx` for the recipients' own servers.
    pub target: Option<String>,
    pub domain: Option<String>,
    pub sender: Option<String>,
    pub recipient: Option<String>,
    pub user: Option<String>,
    pub queue_id: Option<String>,
    pub reason: Option<String>,
    pub state: Option<String>,
    pub since: Option<String>,
    pub until: Option<String>,
    pub reply: Option<String>,
    /// True: there is no condition, the whole queue is meant.
    pub all: Option<bool>,
    /// Entries of this step, 1 to 1000, 250 by default.
    pub limit: Option<u16>,
    /// nextCursor of the step before.
    pub next: Option<String>,
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SteeredView {
    /// Always true.
    pub success: bool,
    /// Entries looked at.
    pub matched: usize,
    /// Entries changed; the others are being sent at this moment, or are so already.
    pub changed: u64,
    /// Cursor of the following step, or `false`.
    pub next_cursor: Cursor,
}

fn read_steer(p: &mut Params) -> Steer {
    let action = p.choice("action", &["pause", "resume", "retry", "reroute", "bounce"]).required();
    let target = p.parsed("target", "must be mx, smtp://host:port or smtps://host:port", |value| {
        let text = value.as_str()?;
        if text == "mx" {
            return Some(None);
        }
        let target = ForwardTarget::new(text).ok()?;
        (target.kind == TargetKind::Relay).then_some(Some(target))
    });
    let target = target.optional();
    match (action.as_str(), target) {
        ("resume", _) => Steer::Resume,
        ("retry", _) => Steer::Retry,
        ("bounce", _) => Steer::Bounce,
        ("reroute", Some(target)) => Steer::Reroute(target),
        ("reroute", None) => {
            p.fail("target", "\"target\" is required");
            Steer::Reroute(None)
        }
        _ => Steer::Pause,
    }
}

async fn steer_page(ctx: &Context, mut p: Params, how: &Steer, grant: Grant) -> Answer {
    p.session();
    let query = read_query(&mut p);
    let is_all = p.boolean("all").or(false);
    if query == Query::default() && !is_all {
        p.fail("all", "without a condition \"all\" must be true");
    }
    let limit = p.integer("limit", 1..=1000).or(250);
    let after = p.id("next").optional();
    p.finish(Unknown::Rejected)?.authorize_any(Resource::Queue, grant)?;
    let (entries, next_cursor) = load_page(ctx, &query, after, limit).await?;
    let changed = ctx.delivery.steer(&entries, how).await?;
    Ok(Reply::json(&SteeredView { success: true, matched: entries.len(), changed, next_cursor }))
}

async fn steer_entry(ctx: &Context, mut p: Params, how: &Steer, grant: Grant) -> Answer {
    let id: ObjectId = p.id("entry").required();
    p.session();
    p.finish(Unknown::Rejected)?.authorize_any(Resource::Queue, grant)?;
    let entry = ctx.delivery.queue().load(id).await?;
    let changed = ctx.delivery.steer(&[entry], how).await?;
    let next_cursor = Cursor::Nowhere(false);
    Ok(Reply::json(&SteeredView { success: true, matched: 1, changed, next_cursor }))
}

/// Steer the entries of a query
///
/// One page of them; the answer has the cursor of the next. Entries that are being sent at this
/// moment are left alone.
#[utoipa::path(
    put, path = "/queue", tag = "Queue", operation_id = "steerQueue",
    request_body = SteerManyRequest,
    responses(
        (status = 200, description = "Done for one page", body = SteeredView),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = ProblemView)
    )
)]
pub async fn steer_many(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let how = read_steer(&mut p);
    steer_page(&ctx, p, &how, Grant::Update).await
}

/// Steer an entry of the queue
#[utoipa::path(
    put, path = "/queue/{entry}", tag = "Queue", operation_id = "steerQueueEntry",
    params(("entry" = String, Path, description = "The entry's id")),
    request_body = SteerRequest,
    responses(
        (status = 200, description = "Done, or `changed` 0: it is being sent", body = SteeredView),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = ProblemView),
        (status = 404, description = "`QueueEntryNotFound`", body = ProblemView)
    )
)]
pub async fn steer(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let how = read_steer(&mut p);
    steer_entry(&ctx, p, &how, Grant::Update).await
}

/// Delete the entries of a query
///
/// One page of them; the answer has the cursor of the next. Nobody is told. Conditions as in
/// listQueue.
#[utoipa::path(
    delete, path = "/queue", tag = "Queue", operation_id = "deleteQueue",
    params(
        ("domain" = Option<String>, Query, description = "Next hop"),
        ("sender" = Option<String>, Query, description = "Reverse-path; empty: the null path"),
        ("recipient" = Option<String>, Query, description = "Forward-path"),
        ("user" = Option<String>, Query, description = "On whose behalf"),
        ("queueId" = Option<String>, Query, description = "The message"),
        ("reason" = Option<String>, Query, description = "`submit`, `forward`, …"),
        ("state" = Option<String>, Query, description = "`active`, `ready`, …"),
        ("since" = Option<String>, Query, description = "Enqueued at this time or after it"),
        ("until" = Option<String>, Query, description = "Enqueued before this time"),
        ("reply" = Option<String>, Query, description = "A reply of the last tries has this text"),
        ("all" = Option<bool>, Query, description = "True: the whole queue is meant"),
        ("limit" = Option<u16>, Query, description = "Entries of this step, 1 to 1000"),
        ("next" = Option<String>, Query, description = "nextCursor of the step before")
    ),
    responses(
        (status = 200, description = "Done for one page", body = SteeredView),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = ProblemView)
    )
)]
pub async fn delete_many(State(ctx): State<Context>, call: Call) -> Answer {
    steer_page(&ctx, call.params, &Steer::Delete, Grant::Delete).await
}

/// Delete an entry of the queue
#[utoipa::path(
    delete, path = "/queue/{entry}", tag = "Queue", operation_id = "deleteQueueEntry",
    params(("entry" = String, Path, description = "The entry's id")),
    responses(
        (status = 200, description = "Done, or `changed` 0: it is being sent", body = SteeredView),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = ProblemView),
        (status = 404, description = "`QueueEntryNotFound`", body = ProblemView)
    )
)]
pub async fn delete(State(ctx): State<Context>, call: Call) -> Answer {
    steer_entry(&ctx, call.params, &Steer::Delete, Grant::Delete).await
}
