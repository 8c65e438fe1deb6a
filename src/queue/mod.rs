//! The outbound queue as a contract: what must leave is written here before anybody is told that it
//! will, and any node may carry it.
//!
//! One entry a recipient; all entries of a message hold a count of its content each. A worker
//! claims an entry with a lease ([`claim`]), and [`reschedule`]s or [`finish`]es it under the
//! fencing number it got: after its lease ended it can do neither. A crash between the remote
//! acceptance and [`finish`] sends twice, never loses. Knows no SMTP.

pub mod claim;
pub mod enqueue;
pub mod finish;
pub mod inspect;
pub mod next_hop;
pub mod reschedule;
pub mod steer;

#[cfg(test)]
mod tests;

use crate::clock::Clock;
use crate::mailstore::Mailstore;
use crate::model::queue::Summary;
use crate::storage::Storage;
use crate::trace::Trace;
use std::sync::Arc;
use tokio::sync::{Mutex, Notify};
use tokio::time::Instant;

/// When the size was counted, and what it was.
type Counted = (Instant, Arc<Summary>);

/// The operations on the queue; cheap to clone.
#[derive(Clone, Debug)]
pub struct Queue {
    storage: Storage,
    mailstore: Mailstore,
    clock: Clock,
    trace: Trace,
    /// The size that was counted last; held while it is counted, so that nobody counts twice.
    summary: Arc<Mutex<Option<Counted>>>,
    /// Rung when this node has enqueued something that may be due.
    rung: Arc<Notify>,
    /// The node's name: what it claims is marked with it.
    node: Arc<str>,
    turns: claim::Turns,
}

impl Queue {
    /// The queue in this database; contents are the mail store's. It tells no stories yet.
    pub fn new(storage: Storage, mailstore: Mailstore, clock: Clock) -> Self {
        let trace = Trace::silent(storage.clone(), clock.clone());
        let (summary, rung, turns) = (Arc::default(), Arc::default(), claim::Turns::default());
        Self { storage, mailstore, clock, trace, summary, rung, node: "".into(), turns }
    }

    /// The same for the node of this name.
    #[must_use]
    pub fn with_node(self, name: &str) -> Self {
        Self { node: name.into(), ..self }
    }

    /// The same, telling the stories of messages there.
    #[must_use]
    pub fn with_trace(self, trace: Trace) -> Self {
        Self { trace, ..self }
    }

    /// Waits until this node has enqueued something, or has since the last time. For one waiter.
    pub async fn rung(&self) {
        self.rung.notified().await;
    }

    /// Where the stories of messages are told.
    pub const fn trace(&self) -> &Trace {
        &self.trace
    }
}
