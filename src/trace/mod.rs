//! The stories of messages: every event of every message's way, recorded without waiting.
//!
//! Whoever has something to tell calls [`Trace::record`], which puts the event into a bounded
//! channel and returns; one task of the node writes what has come, in batches (`writer`). A full
//! channel loses events and counts them: mail is never delayed, let alone refused, because its story
//! cannot be written. What is in the channel when a node dies is not told.

pub mod settings;
#[cfg(test)]
mod tests;
mod writer;

use crate::clock::Clock;
use crate::model::error::{Error, Result};
use crate::model::id::UserId;
use crate::model::message::TimeMs;
use crate::model::queue::TraceId;
use crate::model::trace::{Event, Recorded, Search, SearchKey};
use crate::storage::field::new_id;
use crate::storage::{Storage, deliveries};
use crate::tasks::Tasks;
use settings::Settings;
use tokio::sync::mpsc;

/// Events that wait to be written: some 6 MB, a fifth of a second of the fastest store.
const WAITING_MAX: usize = 10_000;
/// Events of one story that are shown.
const STORY_MAX: i64 = 10_000;
const DAY_MS: TimeMs = 24 * 60 * 60 * 1000;

/// Where events are told; cheap to clone.
#[derive(Clone, Debug)]
pub struct Trace {
    storage: Storage,
    clock: Clock,
    sender: Option<mpsc::Sender<Recorded>>,
}

impl Trace {
    /// Starts the task that writes. It ends, and has written what was told until then, when `tasks`
    /// stop: they are to be stopped after those of everybody who tells.
    pub fn start(storage: Storage, clock: Clock, settings: &Settings, tasks: &Tasks) -> Self {
        if settings.kept_days == 0 {
            return Self::silent(storage, clock);
        }
        let kept_ms = TimeMs::from(settings.kept_days).saturating_mul(DAY_MS);
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        tasks.spawn("trace", writer::run(storage.clone(), receiver, kept_ms, tasks.stopping()));
        Self { storage, clock, sender: Some(sender) }
    }

    /// One that records nothing.
    pub const fn silent(storage: Storage, clock: Clock) -> Self {
        Self { storage, clock, sender: None }
    }

    /// Tells an event of this moment. Never waits.
    pub fn record(&self, event: Event) {
        let Some(sender) = &self.sender else { return };
        let recorded =
            Recorded { id: new_id(), at_ms: self.clock.now_ms(), event: event.bounded() };
        if sender.try_send(recorded).is_err() {
            writer::count_lost(1);
        }
    }

    /// Events, newest first, at most `limit`: one round trip.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn search(&self, search: &Search, limit: usize) -> Result<Vec<Recorded>> {
        deliveries::list(&self.storage, search, i64::try_from(limit).unwrap_or(i64::MAX)).await
    }

    /// A whole story, or what of it is this user's, oldest event first: one round trip.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn load(&self, trace: TraceId, user: Option<UserId>) -> Result<Vec<Recorded>> {
        let keys = user.map(SearchKey::user).into_iter().collect();
        let search = Search { trace: Some(trace), keys, ..Search::default() };
        let events = deliveries::list_oldest(&self.storage, &search, STORY_MAX).await?;
        if events.is_empty() { Err(Error::NotFound { what: "trace" }) } else { Ok(events) }
    }
}
