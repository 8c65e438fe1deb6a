//! Whom users hear from and write to, noted for completing addresses; it delays nobody.

use super::Delivery;
use super::accept::Arrival;
use crate::auth::name::normal_address;
use crate::model::address::EmailAddress;
use crate::model::id::UserId;
use crate::storage::Storage;
use crate::storage::address_register::{self, Noted};
use crate::tasks::Tasks;
use crate::tasks::batch::Batch;
use std::time::Duration;

/// Characters of a name that are kept.
const NAME_CHARS_MAX: usize = 255;
/// How long contacts are gathered.
const GATHERED: Duration = Duration::from_millis(100);

impl Delivery {
    /// Notes who wrote, unless it was a program or nobody who reads answers.
    pub(super) fn note_sender(&self, arrival: &Arrival<'_>, user: UserId) {
        let Some(from) = arrival.prepared.structure.summary.from.first() else { return };
        let Ok(address) = normal_address(&from.address) else { return };
        let local = address.local().to_lowercase();
        if arrival.traits.is_automatic || local.contains("noreply") || local.contains("no-reply") {
            return;
        }
        let name: String = from.name.chars().take(NAME_CHARS_MAX).collect();
        self.note(user, name, address);
    }

    /// Notes whom a user wrote to.
    pub(super) fn note_recipients<'a>(
        &self,
        user: UserId,
        recipients: impl Iterator<Item = &'a EmailAddress>,
    ) {
        let contacts = recipients.filter_map(|to| normal_address(&to.to_string()).ok());
        contacts.for_each(|address| self.note(user, String::new(), address));
    }

    fn note(&self, user: UserId, name: String, address: EmailAddress) {
        let at_ms = self.clock.now_ms();
        self.register.push(Noted { user, name, address, at_ms });
    }
}

/// The task that writes contacts down.
pub(super) fn register(storage: &Storage, tasks: &Tasks) -> Batch<Noted> {
    let storage = storage.clone();
    Batch::new(tasks, "address register", GATHERED, move |noted: Vec<Noted>| {
        let storage = storage.clone();
        async move {
            if let Err(error) = address_register::add_many(&storage, &noted).await {
                tracing::warn!(%error, "contacts were not noted");
            }
        }
    })
}
