//! Whom a user has written to and heard from, for completing addresses.

use super::Directory;
use crate::model::error::Result;
use crate::model::id::{ObjectId, UserId};
use crate::model::profile::Contact;
use crate::storage::address_register;

impl Directory {
    /// Contacts whose address contains the text or whose name begins with it, the newest first.
    ///
    /// # Errors
    /// `NotFound` user, `Unavailable`.
    pub async fn search_contacts(
        &self,
        user: UserId,
        text: &str,
        limit: i64,
    ) -> Result<Vec<Contact>> {
        self.load_user(user).await?;
        address_register::search(&self.storage, user, text, limit).await
    }

    /// Shows or hides a contact, and names it; whether there is one.
    ///
    /// # Errors
    /// `NotFound` user, `Unavailable`.
    pub async fn update_contact(
        &self,
        user: UserId,
        id: ObjectId,
        is_disabled: bool,
        name: Option<&str>,
    ) -> Result<bool> {
        self.load_user(user).await?;
        address_register::update(&self.storage, user, id, is_disabled, name).await
    }
}
