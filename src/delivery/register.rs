//! Whom users hear from and write to, noted for completing addresses; it delays nobody.

use super::Delivery;
use super::accept::Arrival;
use super::traits::Traits;
use crate::auth::name::normal_address;
use crate::mailstore::append::Prepared;
use crate::model::address::EmailAddress;
use crate::model::id::UserId;
use crate::model::mailbox::{Mailbox, SpecialUse};
use crate::model::structure::NamedAddress;
use crate::storage::Storage;
use crate::storage::address_register::{self, Noted};
use crate::tasks::Tasks;
use crate::tasks::batch::Batch;
use std::time::Duration;

/// Characters of a name that are kept.
const NAME_CHARS_MAX: usize = 255;
/// Contacts noted of one message.
const CONTACTS_MAX: usize = 500;
/// How long contacts are gathered.
const GATHERED: Duration = Duration::from_millis(100);

impl Delivery {
    /// Notes who wrote, unless it was a program or nobody who reads answers.
    pub(super) fn note_sender(&self, arrival: &Arrival<'_>, user: UserId) {
        let Some(from) = arrival.prepared.structure.summary.from.first() else { return };
        let Ok(address) = normal_address(&from.address) else { return };
        if arrival.traits.is_automatic || is_unread(&address) {
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

    /// Notes whom a message names that a user put into a mailbox: those he wrote to in `\Sent`,
    /// else its author; nobody of drafts, spam and what programs write. One round trip at most.
    pub async fn note_stored(&self, user: UserId, mailbox: &Mailbox, prepared: &Prepared) {
        let summary = &prepared.structure.summary;
        if mailbox.special_use == Some(SpecialUse::Junk) || Traits::read(prepared).is_automatic {
            return;
        }
        let named: Vec<&NamedAddress> = match mailbox.special_use {
            Some(SpecialUse::Sent) => {
                summary.to.iter().chain(&summary.cc).chain(&summary.bcc).collect()
            }
            _ => summary.from.iter().collect(),
        };
        let at_ms = self.clock.now_ms();
        let contacts = named.into_iter().filter_map(|named| {
            let address = normal_address(&named.address).ok().filter(|to| !is_unread(to))?;
            let name = named.name.chars().take(NAME_CHARS_MAX).collect();
            Some(Noted { user, name, address, at_ms })
        });
        let contacts: Vec<Noted> = contacts.take(CONTACTS_MAX).collect();
        if let Err(error) = address_register::add_many(&self.storage, &contacts).await {
            tracing::warn!(%error, "contacts were not noted");
        }
    }

    fn note(&self, user: UserId, name: String, address: EmailAddress) {
        let at_ms = self.clock.now_ms();
        self.register.push(Noted { user, name, address, at_ms });
    }
}

/// Nobody reads what is sent there.
fn is_unread(address: &EmailAddress) -> bool {
    let local = address.local().to_lowercase();
    local.contains("noreply") || local.contains("no-reply")
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
