//! The stream of a user's changes as server-sent events (`reference/http-api.md`, Updates).
//!
//! A wake of `cluster::notifier` makes it look; what it tells is read from the log of changes, so
//! that a client that comes back with the id of its last event misses nothing. One change at a time
//! is in memory, and the next is read when the client has taken the last.

use super::Context;
use super::access::{Grant, Resource};
use super::extract::Call;
use super::params::Unknown;
use super::problem::ProblemView;
use super::reply::{Answer, Reply};
use super::update_events::{Teller, block, counters, logout};
use crate::auth::authenticate::Protocol;
use crate::cluster::notifier::Subscription;
use crate::mailstore::events::{Event, Feed};
use crate::model::error::Result;
use crate::model::id::{MailboxId, ObjectId, UserId};
use crate::model::uid::Uid;
use crate::model::user::User;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use futures_util::{Stream, stream};
use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::io;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Silence after which a comment is sent.
const SILENCE: Duration = Duration::from_secs(15);
/// Changes are gathered for so long after a wake.
const GATHER: Duration = Duration::from_millis(100);
/// Messages whose events are in memory at a time.
const MESSAGES_MAX: usize = 1000;
/// A quiet stream looks by itself after so many comments: a wake may be lost.
const LOOK_EVERY: u64 = 4;
/// A stream ends after so many comments without an event: half an hour.
const IDLE_MAX: u64 = 120;

/// Stream of changes
///
/// Server-sent events: `EXISTS`, `EXPUNGE`, `FETCH`, `CREATE`, `RENAME`, `DELETE`, `DROP`,
/// `COUNTERS`, `LOGOUT`. With `Last-Event-ID` it continues after that event.
#[utoipa::path(
    get, path = "/users/{user}/updates", tag = "Updates", operation_id = "updates",
    params(
        ("user" = String, Path, description = "User id, or `me`"),
        ("Last-Event-ID" = Option<String>, Query, description = "Continue after this event")
    ),
    responses(
        (status = 200, description = "Events until one side ends it",
            content_type = "text/event-stream", body = String),
        (status = 404, description = "`UserNotFound`", body = ProblemView)
    )
)]
pub async fn updates(
    State(ctx): State<Context>,
    headers: axum::http::HeaderMap,
    mut call: Call,
) -> Answer {
    let params = &mut call.params;
    let user = params.user();
    let asked = params.id("Last-Event-ID").optional();
    params.session();
    let caller = call.params.finish(Unknown::Rejected)?;
    ctx.authorize(&caller, Resource::Users, Grant::Read, user)?;
    super::mailboxes::check_user(&ctx.mailstore, user).await?;
    let sent = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let after = asked.or_else(|| sent.and_then(|id| id.trim().parse().ok()));
    // Subscribed before the first look, so that nothing falls between
    let woken = ctx.notifier.subscribe_user(user);
    let ended = ctx.notifier.subscribe_sessions(user);
    let feed = ctx.mailstore.feed(user, after).await?;
    let stopping = ctx.mailstore.tasks().stopping();
    let login = ctx.directory.load_user(user).await?.user;
    let is_fresh = after.is_none();
    let state = Updates {
        ctx,
        user,
        login,
        woken,
        ended,
        stopping,
        feed,
        changes: VecDeque::new(),
        touched: BTreeSet::new(),
        last: after,
        comments: 0,
        looks: !is_fresh,
        is_greeted: !is_fresh,
        is_over: false,
    };
    let mut response = Response::new(Body::from_stream(blocks(state)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    let buffering = HeaderName::from_static("x-accel-buffering");
    headers.insert(buffering, HeaderValue::from_static("no"));
    Ok(Reply::raw(response))
}

/// A change in pieces of so many messages that their events fit in memory.
fn pieces(change: Event) -> Vec<Event> {
    let uids: Vec<Uid> = change.uids.iter().collect();
    if uids.len() <= MESSAGES_MAX {
        return vec![change];
    }
    let pieces = uids.chunks(MESSAGES_MAX).map(|uids| uids.iter().copied().collect());
    pieces.map(|uids| Event { uids, ..change.clone() }).collect()
}

/// A running stream.
struct Updates {
    ctx: Context,
    user: UserId,
    /// The user as he was when the stream began.
    login: User,
    woken: Subscription,
    ended: Subscription,
    stopping: CancellationToken,
    feed: Feed,
    /// Read and not told yet.
    changes: VecDeque<Event>,
    /// Mailboxes whose counters are told after the batch.
    touched: BTreeSet<MailboxId>,
    /// The last change that was told wholly: the id of what comes before the next one's end.
    last: Option<ObjectId>,
    /// Comments since the last event.
    comments: u64,
    /// Whether there may be changes.
    looks: bool,
    is_greeted: bool,
    is_over: bool,
}

fn blocks(state: Updates) -> impl Stream<Item = io::Result<String>> + Send + 'static {
    let stream = stream::try_unfold(state, |mut state| async move {
        match state.next().await {
            Ok(Some(text)) => Ok(Some((text, state))),
            Ok(None) => Ok(None),
            Err(error) => {
                tracing::warn!(%error, "a stream of updates ended");
                state.is_over = true;
                let text = format!("event: error\ndata: {error}\n\n");
                Ok::<_, io::Error>(Some((text, state)))
            }
        }
    });
    Box::pin(stream)
}

impl Updates {
    /// The next text to send; `None`: the stream is over.
    async fn next(&mut self) -> Result<Option<String>> {
        if self.is_over {
            return Ok(None);
        }
        if !std::mem::replace(&mut self.is_greeted, true) {
            return Ok(Some(self.comment()));
        }
        loop {
            if let Some(text) = self.tell().await? {
                self.comments = 0;
                return Ok(Some(text));
            }
            if self.looks {
                let batch = self.feed.next_batch().await?;
                self.changes = batch.into_iter().flat_map(pieces).collect();
                self.looks = !self.changes.is_empty();
                if self.looks {
                    continue;
                }
            }
            tokio::select! {
                () = self.stopping.cancelled() => return Ok(None),
                () = self.ended.woken() => {
                    if let Some(text) = self.end().await? {
                        return Ok(Some(text));
                    }
                }
                () = self.woken.woken() => {
                    tokio::time::sleep(GATHER).await;
                    self.looks = true;
                }
                () = tokio::time::sleep(SILENCE) => {
                    if self.comments >= IDLE_MAX {
                        return Ok(None);
                    }
                    self.looks = self.comments.is_multiple_of(LOOK_EVERY);
                    return Ok(Some(self.comment()));
                }
            }
        }
    }

    fn comment(&mut self) -> String {
        self.comments += 1;
        format!(": idling {}\n\n", self.comments)
    }

    /// The events of the next change, or the counters after the last one of a batch.
    async fn tell(&mut self) -> Result<Option<String>> {
        while let Some(change) = self.changes.pop_front() {
            let only = BTreeSet::from([change.mailbox]);
            let mailboxes = self.ctx.mailstore.find_event_mailboxes(self.user, &only).await?;
            let (mailstore, user) = (&self.ctx.mailstore, self.user);
            let teller = Teller { mailstore, user, mailboxes: &mailboxes };
            let events = teller.events(&change).await?;
            // Each event but the last has the id of the change before: who comes back with it is
            // told of the whole change again
            let before = self.last.map(|id| id.to_string());
            let own = change.id.to_string();
            let is_whole = self.changes.front().is_none_or(|next| next.id != change.id);
            let mut text = String::new();
            for (left, event) in (0..events.len()).rev().zip(&events) {
                let is_end = left == 0 && is_whole;
                let id = match event["command"] == "DROP" {
                    true => None,
                    false if is_end => Some(own.as_str()),
                    false => before.as_deref(),
                };
                text.push_str(&block(event, id));
            }
            if is_whole {
                self.last = Some(change.id);
            }
            self.touched.insert(change.mailbox);
            if !text.is_empty() {
                return Ok(Some(text));
            }
        }
        let touched = std::mem::take(&mut self.touched);
        let mailboxes = self.ctx.mailstore.find_event_mailboxes(self.user, &touched).await?;
        let id = self.last.map(|id| id.to_string());
        let mut text = String::new();
        for mailbox in touched.iter().filter_map(|mailbox| mailboxes.get(mailbox)) {
            text.push_str(&block(&counters(mailbox), id.as_deref()));
        }
        Ok((!text.is_empty()).then_some(text))
    }

    /// LOGOUT, if the user's sessions were ended.
    async fn end(&mut self) -> Result<Option<String>> {
        let asked = self.ctx.authenticator.reason_to_end(&self.login, Protocol::Api).await?;
        let Some(reason) = asked else { return Ok(None) };
        self.is_over = true;
        Ok(Some(block(&logout(&reason), None)))
    }
}
