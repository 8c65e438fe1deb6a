//! Users and what is theirs, out of one store and into another: no messages.

use super::Directory;
use crate::model::error::Result;
use crate::model::id::UserId;
use crate::storage::dumps;

pub use crate::storage::dumps::{Dumped, Imported};

/// Users read at a time.
const PAGE_USERS: i64 = 20;

/// An export under way: the next page when the last one was taken.
#[derive(Debug)]
pub struct Export {
    directory: Directory,
    users: Vec<UserId>,
    tags: Vec<String>,
    last: Option<UserId>,
}

impl Export {
    /// The documents of the next users; none at the end.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn next_page(&mut self) -> Result<Vec<Dumped>> {
        let filter = (self.users.as_slice(), self.tags.as_slice());
        let storage = &self.directory.storage;
        let (page, last) = dumps::export(storage, filter, self.last, PAGE_USERS).await?;
        self.last = last;
        Ok(page)
    }
}

impl Directory {
    /// Begins an export: of all users, or of these, or of those with one of these tags.
    pub fn export(&self, users: Vec<UserId>, tags: Vec<String>) -> Export {
        Export { directory: self.clone(), users, tags, last: None }
    }

    /// Stores one exported document.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn import(&self, client: &str, collection: &str, entry: &[u8]) -> Result<Imported> {
        let place = (client, collection);
        dumps::import(&self.storage, place, entry, self.clock.now_ms()).await
    }
}
