//! Entries of the queue as they are shown, and queries for them as they are asked.

use super::params::Params;
use super::reply::iso_date;
use crate::model::message::TimeMs;
use crate::model::queue::{Entry, Query, Reason, State};
use serde::Serialize;
use utoipa::ToSchema;

/// One recipient of an outgoing message.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueueEntryView {
    /// Identifier.
    pub id: String,
    /// The message, all recipients together.
    pub queue_id: String,
    /// The message's story.
    pub trace: String,
    /// Number among the message's recipients, from 1.
    pub seq: u32,
    /// On whose behalf it is sent.
    pub user: Option<String>,
    /// `submit`, `forward`, `autoreply`, `bounce`.
    pub reason: &'static str,
    /// Reverse-path; empty: the null path.
    pub sender: String,
    /// Forward-path.
    pub recipient: String,
    /// `mail`: to the recipient's own server; `relay`, `http`: to another.
    pub target: &'static str,
    /// The domain or host that gets it.
    pub next_hop: String,
    /// Octets.
    pub size: u64,
    /// `active`, `ready`, `scheduled`, `deferred`, `paused`.
    pub state: &'static str,
    /// When it is tried; of a paused one: when it would be.
    pub due: String,
    /// When it was enqueued.
    pub created: String,
    /// The last tries, oldest first.
    pub attempts: Vec<QueueAttemptView>,
}

/// One try.
#[derive(Debug, Serialize, ToSchema)]
pub struct QueueAttemptView {
    /// When.
    pub time: String,
    /// The server that was tried.
    pub host: String,
    /// Its reply, or what went wrong.
    pub reply: String,
}

impl QueueEntryView {
    /// An entry as it is shown; of its tries the last so many.
    pub fn new(entry: &Entry, now: TimeMs, attempts_max: usize) -> Self {
        let skipped = entry.attempts.len().saturating_sub(attempts_max);
        let attempts = entry.attempts.iter().skip(skipped).map(|tried| QueueAttemptView {
            time: iso_date(tried.at_ms),
            host: tried.host.clone(),
            reply: tried.reply.clone(),
        });
        Self {
            id: entry.id.to_string(),
            queue_id: entry.queue_id.to_string(),
            trace: entry.trace.to_string(),
            seq: entry.seq,
            user: entry.user.map(|user| user.to_string()),
            reason: entry.reason.name(),
            sender: entry.sender.clone(),
            recipient: entry.recipient.clone(),
            target: entry.target.kind.name(),
            next_hop: entry.domain.clone(),
            size: entry.content_octets.saturating_add(entry.prefix.len() as u64),
            state: entry.state(now).name(),
            due: iso_date(entry.paused_due_ms.unwrap_or(entry.due_ms)),
            created: iso_date(entry.created_ms),
            attempts: attempts.collect(),
        }
    }
}

/// Reads the parameters of a query; mistakes are told when they are finished.
pub fn read_query(p: &mut Params) -> Query {
    let reason = p.choice("reason", &Reason::EVERY.map(Reason::name)).optional();
    let state = p.choice("state", &State::EVERY.map(State::name)).optional();
    let named = |name: String| Reason::EVERY.into_iter().find(|reason| reason.name() == name);
    Query {
        domain: p.text("domain", 255).optional().map(|domain| domain.to_lowercase()),
        sender: p.text_or_empty("sender", 320).optional(),
        recipient: p.text("recipient", 320).optional(),
        user: p.id("user").optional(),
        queue_id: p.id("queueId").optional(),
        reason: reason.and_then(named),
        state: state.as_deref().and_then(State::named),
        since_ms: p.date("since").optional(),
        until_ms: p.date("until").optional(),
        reply: p.text("reply", 200).optional(),
    }
}
