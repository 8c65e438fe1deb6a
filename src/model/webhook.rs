//! Programs that are told of events.

use super::id::{ObjectId, UserId};
use super::message::TimeMs;

/// A subscription.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Webhook {
    /// Identifier.
    pub id: ObjectId,
    /// Names of events, `first.*`, or `*`.
    pub types: Vec<String>,
    /// Only events of this user.
    pub user: Option<UserId>,
    /// Where events are posted.
    pub url: String,
    /// When it was created.
    pub created_ms: TimeMs,
}

/// A hook whose turn a worker has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Turn {
    /// The hook.
    pub hook: Webhook,
    /// Grows with every turn.
    pub fence: u64,
    /// Grows with every event.
    pub version: u64,
}

/// An event on its way to one hook.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    /// Identifier.
    pub id: ObjectId,
    /// What is posted, JSON text.
    pub body: String,
    /// Times it was tried.
    pub attempts: u64,
}
