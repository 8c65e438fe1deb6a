//! A message finds its mailboxes. Knows nothing of where it came from but its `MailTransaction`.

pub mod accept;
#[cfg(test)]
mod accept_tests;
pub mod trace;

use crate::clock::Clock;
use crate::mailstore::Mailstore;
use std::sync::Arc;

/// The operations on messages that arrive; cheap to clone.
#[derive(Clone, Debug)]
pub struct Delivery {
    mailstore: Mailstore,
    clock: Clock,
    hostname: Arc<str>,
}

impl Delivery {
    /// Delivery into these mailboxes; `hostname` is our name in Received lines.
    pub fn new(mailstore: Mailstore, clock: Clock, hostname: impl Into<Arc<str>>) -> Self {
        Self { mailstore, clock, hostname: hostname.into() }
    }
}
