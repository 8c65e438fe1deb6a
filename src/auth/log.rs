//! The log of a user's logins and of what was done to his account.
//!
//! Writing it delays nobody: the event is written by a task of its own, and one that cannot be
//! written is lost with a warning. Like events of six hours are one row that counts.

use super::Authenticator;
use crate::model::error::{Error, Result};
use crate::model::id::{ObjectId, UserId};
use crate::model::setting::Setting;
use crate::storage::{auth_log, settings};

pub use crate::storage::auth_log::{AuthEvent, AuthRow, LogFilter};

impl Authenticator {
    /// Writes an event into a user's log, soon; none while `const:authlog:time` is 0.
    pub fn log(&self, user: UserId, event: AuthEvent) {
        let authenticator = self.clone();
        self.tasks.spawn("auth log", async move {
            if let Err(error) = authenticator.write_event(user, &event).await {
                tracing::warn!(user.id = %user, %error, "an event of the auth log is lost");
            }
        });
    }

    async fn write_event(&self, user: UserId, event: &AuthEvent) -> Result<()> {
        let kept_ms = settings::find_number(&self.storage, Setting::AuthLogTime).await?;
        if kept_ms == 0 {
            return Ok(());
        }
        auth_log::add(&self.storage, user, event, self.clock.now_ms(), kept_ms).await
    }

    /// Rows of a user's log, newest first, `older` or `newer` than one; at most `limit`. Newer ones
    /// come nearest first.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn list_events(
        &self,
        user: UserId,
        filter: &LogFilter,
        older: Option<ObjectId>,
        newer: Option<ObjectId>,
        limit: i64,
    ) -> Result<Vec<AuthRow>> {
        auth_log::list(&self.storage, user, filter, older, newer, limit).await
    }

    /// How many rows a user's log has.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn count_events(&self, user: UserId, filter: &LogFilter) -> Result<u64> {
        auth_log::count(&self.storage, user, filter).await
    }

    /// One row of a user's log.
    ///
    /// # Errors
    /// `NotFound` event, `Unavailable`.
    pub async fn load_event(&self, user: UserId, event: ObjectId) -> Result<AuthRow> {
        let found = auth_log::find(&self.storage, user, event).await?;
        found.ok_or(Error::NotFound { what: "event" })
    }
}
