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
pub mod reschedule;

#[cfg(test)]
mod tests;

use crate::clock::Clock;
use crate::mailstore::Mailstore;
use crate::storage::Storage;

/// The operations on the queue; cheap to clone.
#[derive(Clone, Debug)]
pub struct Queue {
    storage: Storage,
    mailstore: Mailstore,
    clock: Clock,
}

impl Queue {
    /// The queue in this database; contents are the mail store's.
    pub fn new(storage: Storage, mailstore: Mailstore, clock: Clock) -> Self {
        Self { storage, mailstore, clock }
    }
}
