//! Addresses that nothing is sent to, since nothing arrives there.

use super::id::{ObjectId, UserId};
use super::message::TimeMs;
use super::queue::TraceId;

/// Why an address is suppressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// Its server said that it does not exist (RFC 3463 §3.2), at once or in a report.
    Bounce,
    /// Its owner complained (RFC 5965).
    Complaint,
    /// Somebody put it on the list.
    Manual,
}

impl Cause {
    /// All of them.
    pub const EVERY: [Self; 3] = [Self::Bounce, Self::Complaint, Self::Manual];

    /// Its name in documents and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bounce => "bounce",
            Self::Complaint => "complaint",
            Self::Manual => "manual",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|cause| cause.name() == name)
    }
}

/// One address on the list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Suppression {
    /// Identifier.
    pub id: ObjectId,
    /// For whose mail it holds; `None`: for all.
    pub user: Option<UserId>,
    /// The address, lowercase.
    pub address: String,
    /// Why.
    pub cause: Cause,
    /// The words of the other server, or of who put it on the list.
    pub reason: String,
    /// The story of the message that told it.
    pub trace: Option<TraceId>,
    /// Since when.
    pub created_ms: TimeMs,
    /// Until when; `None`: for ever.
    pub expires_ms: Option<TimeMs>,
}
