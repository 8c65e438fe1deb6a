//! Whom users hear from and write to, noted for completing addresses; it delays nobody.

use super::Delivery;
use super::accept::Arrival;
use crate::auth::name::normal_address;
use crate::model::address::EmailAddress;
use crate::model::id::UserId;
use crate::storage::address_register;

/// Characters of a name that are kept.
const NAME_CHARS_MAX: usize = 255;

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
        self.note(user, vec![(name, address)]);
    }

    /// Notes whom a user wrote to.
    pub(super) fn note_recipients<'a>(
        &self,
        user: UserId,
        recipients: impl Iterator<Item = &'a EmailAddress>,
    ) {
        let contacts = recipients.filter_map(|to| normal_address(&to.to_string()).ok());
        self.note(user, contacts.map(|address| (String::new(), address)).collect());
    }

    fn note(&self, user: UserId, contacts: Vec<(String, EmailAddress)>) {
        let (storage, now) = (self.storage.clone(), self.clock.now_ms());
        self.mailstore.tasks().spawn("address register", async move {
            for (name, address) in &contacts {
                let noted = address_register::add(&storage, user, name, address, now).await;
                if let Err(error) = noted {
                    tracing::warn!(user.id = %user, %error, "a contact was not noted");
                    return;
                }
            }
        });
    }
}
