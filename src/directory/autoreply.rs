//! A user's autoreply: set, find, remove. `delivery` sends it.

use super::Directory;
use crate::model::error::Result;
use crate::model::event::Event;
use crate::model::filter::Autoreply;
use crate::model::id::{ObjectId, UserId};
use crate::storage::field::new_id;
use crate::storage::{autoreplies, users};

impl Directory {
    /// A user's autoreply; the default if he has none.
    ///
    /// # Errors
    /// `NotFound` user, `Unavailable`.
    pub async fn load_autoreply(&self, user: UserId) -> Result<Autoreply> {
        users::load(&self.storage, user).await?;
        let found = autoreplies::find(&self.storage, user).await?;
        Ok(found.map(|(_, autoreply)| autoreply).unwrap_or_default())
    }

    /// Sets a user's autoreply; its date is set here.
    ///
    /// # Errors
    /// `NotFound` user, `Unavailable`.
    pub async fn put_autoreply(&self, user: UserId, mut autoreply: Autoreply) -> Result<ObjectId> {
        let before = autoreplies::find(&self.storage, user).await?;
        // clients compare it with the seconds of an id
        autoreply.created_ms = self.clock.now_ms() / 1000 * 1000;
        autoreplies::put(&self.storage, user, new_id(), &autoreply).await?;
        let was_enabled = before.as_ref().is_some_and(|(_, before)| before.is_enabled);
        if autoreply.is_enabled != was_enabled {
            let name = match autoreply.is_enabled {
                true => "autoreply.user.enabled",
                false => "autoreply.user.disabled",
            };
            self.emit(Event::of_user(name, user)).await;
        }
        match before {
            Some((id, _)) => Ok(id),
            None => {
                let stored = autoreplies::find(&self.storage, user).await?;
                Ok(stored.map_or_else(new_id, |(id, _)| id))
            }
        }
    }

    /// Removes a user's autoreply.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn delete_autoreply(&self, user: UserId) -> Result<()> {
        let before = autoreplies::find(&self.storage, user).await?;
        autoreplies::delete(&self.storage, user).await?;
        if before.is_some_and(|(_, autoreply)| autoreply.is_enabled) {
            self.emit(Event::of_user("autoreply.user.disabled", user)).await;
        }
        Ok(())
    }
}
