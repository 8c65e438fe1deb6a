//! Users and addresses: who exists, and where his mail goes.

pub mod acme;
pub mod address;
mod autoreply;
pub mod certificate;
pub mod deletion;
pub mod dkim;
pub mod domain;
pub mod dump;
pub mod event;
pub mod filter;
pub mod forwarded;
pub mod limits;
pub mod register;
pub mod rename;
pub mod resolve;
pub mod setting;
mod srs;
pub mod user;
mod webhook_turn;

use crate::auth::password::Passwords;
use crate::clock::Clock;
use crate::mailstore::Mailstore;
use crate::model::error::Result;
use crate::model::profile::Page;
use crate::storage::Storage;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// The operations on users and addresses; cheap to clone.
#[derive(Clone, Debug)]
pub struct Directory {
    storage: Storage,
    mailstore: Mailstore,
    passwords: Passwords,
    clock: Clock,
    /// The domain of addresses that follow from a username without one.
    email_domain: Arc<str>,
    /// Whose addresses were that came lately.
    hints: Arc<resolve::Hints>,
    /// Who makes certificates.
    acme: Arc<acme::Settings>,
    /// The key of rewritten senders; shared by all nodes.
    srs_secret: Arc<OnceCell<[u8; 32]>>,
}

impl Directory {
    /// The directory in this database.
    pub fn new(storage: Storage, mailstore: Mailstore, passwords: Passwords, clock: Clock) -> Self {
        let (email_domain, hints) = ("localhost".into(), Arc::default());
        let (acme, srs_secret) = (Arc::default(), Arc::default());
        Self { storage, mailstore, passwords, clock, email_domain, hints, acme, srs_secret }
    }

    /// The same with an authority for certificates.
    pub fn with_acme(mut self, settings: acme::Settings) -> Self {
        self.acme = settings.into();
        self
    }

    /// The same with the domain of addresses that follow from a username without one.
    pub fn with_email_domain(mut self, domain: &str) -> Self {
        self.email_domain = domain.into();
        self
    }

    /// Whether the database answers: one round trip.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn check_health(&self) -> Result<()> {
        self.storage.ping().await
    }
}

/// A page of rows that were read one further than asked; those read backwards are turned round.
fn page<T>(mut rows: Vec<T>, total: u64, limit: usize, is_backwards: bool) -> Page<T> {
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    if is_backwards {
        rows.reverse();
    }
    Page { rows, total, has_more }
}

#[cfg(test)]
mod tests;
