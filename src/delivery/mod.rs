//! A message finds its mailboxes. Knows nothing of where it came from but its `MailTransaction`.
//!
//! `accept` is everything that happens when a message arrives: `plan` decides for each recipient by
//! `filter` over the message's `traits`, the mail store appends, and `forward` and `autoreply` send
//! what follows from it; `pass_on` does that for addresses without a user. `send` is how anything
//! leaves, also what `submit` was given: all recipients into the queue, those of our own delivered
//! at once.

pub mod accept;
#[cfg(test)]
mod accept_tests;
pub mod audit;
#[cfg(test)]
mod audit_tests;
mod autoreply;
mod bounce;
mod bounds;
pub mod filter;
mod forward;
mod incoming_report;
pub mod info;
mod local;
pub mod pass_on;
mod plan;
mod register;
mod report;
pub mod send;
pub mod sender;
pub mod settle;
pub mod steer;
mod story;
pub mod submit;
pub mod suppression;
pub mod trace;
pub mod traits;
pub mod whole;

use crate::clock::Clock;
use crate::directory::Directory;
use crate::mailstore::Mailstore;
use crate::model::error::Result;
use crate::model::queue::TraceId;
use crate::queue::Queue;
use crate::storage::address_register::Noted;
use crate::storage::field::new_id;
use crate::storage::{Storage, secrets};
use crate::tasks::batch::Batch;
use crate::trace::Trace;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// Octets of a mark in hexadecimal digits.
const MARK_DIGITS: usize = 32;

/// The operations on messages that arrive and leave; cheap to clone.
#[derive(Clone, Debug)]
pub struct Delivery {
    storage: Storage,
    mailstore: Mailstore,
    directory: Directory,
    queue: Queue,
    clock: Clock,
    hostname: Arc<str>,
    /// The key of the marks that end loops; shared by all nodes.
    loop_secret: Arc<OnceCell<[u8; 32]>>,
    suppression: suppression::Settings,
    /// Contacts to be noted.
    register: Batch<Noted>,
}

impl Delivery {
    /// Delivery into these mailboxes and this queue; `hostname` is our name in Received lines.
    pub fn new(
        storage: Storage,
        mailstore: Mailstore,
        directory: Directory,
        queue: Queue,
        clock: Clock,
        hostname: impl Into<Arc<str>>,
    ) -> Self {
        let (hostname, loop_secret) = (hostname.into(), Arc::default());
        let register = register::register(&storage, mailstore.tasks());
        let suppression = suppression::Settings::default();
        Self {
            storage,
            mailstore,
            directory,
            queue,
            clock,
            hostname,
            loop_secret,
            suppression,
            register,
        }
    }

    /// The same with this suppression list.
    #[must_use]
    pub fn with_suppression(self, suppression: suppression::Settings) -> Self {
        Self { suppression, ..self }
    }

    /// The outbound queue.
    pub const fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Where the stories of messages are told.
    pub const fn trace(&self) -> &Trace {
        self.queue.trace()
    }

    /// A name for the story of a message that arrives.
    pub fn new_trace(&self) -> TraceId {
        new_id()
    }

    /// What is put into messages that are forwarded for a user or an address, by its id, so that
    /// they are not again when they come back. Nobody else can make it.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn mark(&self, id: [u8; 12]) -> Result<String> {
        let load = || secrets::load(&self.storage, "loop");
        let key = self.loop_secret.get_or_try_init(load).await?;
        let mark = blake3::keyed_hash(key, &id).to_hex();
        Ok(mark.as_str().get(..MARK_DIGITS).unwrap_or_default().to_owned())
    }
}
