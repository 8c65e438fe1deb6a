//! Users and addresses: who exists, and where his mail goes.

pub mod resolve;

use crate::auth::password::Passwords;
use crate::clock::Clock;
use crate::mailstore::Mailstore;
use crate::model::error::Result;
use crate::storage::Storage;

/// The operations on users and addresses; cheap to clone.
#[derive(Clone, Debug)]
pub struct Directory {
    storage: Storage,
    mailstore: Mailstore,
    passwords: Passwords,
    clock: Clock,
}

impl Directory {
    /// The directory in this database.
    pub const fn new(
        storage: Storage,
        mailstore: Mailstore,
        passwords: Passwords,
        clock: Clock,
    ) -> Self {
        Self { storage, mailstore, passwords, clock }
    }

    /// Whether the database answers: one round trip.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn check_health(&self) -> Result<()> {
        self.storage.ping().await
    }
}
