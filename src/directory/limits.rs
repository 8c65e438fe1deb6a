//! What users may do in fixed windows of time, and how much of it they have done.

use super::Directory;
use crate::model::error::Result;
use crate::model::id::{ObjectId, UserId};
use crate::model::profile::{Profile, UserNumber};
use crate::model::setting::Setting;
use crate::model::window::{Window, WindowUse};
use crate::storage::field::new_id;
use crate::storage::{rate_limits, settings};

impl Directory {
    /// How much a user has used of each window, in the order of [`Window::EVERY`].
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn windows_of(&self, profile: &Profile) -> Result<Vec<(Window, WindowUse)>> {
        let now = self.clock.now_ms();
        let mut found = Vec::with_capacity(Window::EVERY.len());
        for window in Window::EVERY {
            let limit = profile.number(window.number());
            let id = profile.user.id;
            let used = rate_limits::find_window(&self.storage, window, id, limit, now).await?;
            found.push((window, used));
        }
        Ok(found)
    }

    /// Begins the windows anew whose limits were set.
    pub(super) async fn reset_windows(
        &self,
        user: UserId,
        numbers: &[(UserNumber, u64)],
    ) -> Result<()> {
        for window in Window::EVERY {
            if numbers.iter().any(|(number, _)| *number == window.number()) {
                rate_limits::forget(&self.storage, &window.key(user)).await?;
            }
        }
        Ok(())
    }

    /// How many filters a user may have and has.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn filters_of(&self, profile: &Profile) -> Result<(u64, u64)> {
        let allowed = match profile.number(UserNumber::Filters) {
            0 => settings::find_number(&self.storage, Setting::MaxFilters).await?,
            limit => limit,
        };
        let used = crate::storage::users::count_filters(&self.storage, profile.user.id).await?;
        Ok((allowed, used))
    }

    /// Octets of a user without a quota of his own; 0 is no limit.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn default_quota(&self) -> Result<u64> {
        settings::find_number(&self.storage, Setting::MaxStorage).await
    }

    /// Starts to count the storage of all users anew, in the background of this node.
    pub fn start_recount(&self) -> ObjectId {
        let task = new_id();
        let directory = self.clone();
        self.mailstore.tasks().spawn("recount", async move {
            match directory.recount_everybody().await {
                Ok(()) => tracing::info!(%task, "the storage of all users was counted"),
                Err(error) => tracing::warn!(%task, %error, "counting all users' storage failed"),
            }
        });
        task
    }

    async fn recount_everybody(&self) -> Result<()> {
        let mut after = None;
        loop {
            let filter = super::user::UserFilter::default();
            let rows =
                crate::storage::users::list(&self.storage, &filter, after, None, 250).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = Some(last.profile.user.id);
            for row in &rows {
                match self.recount_user(row.profile.user.id).await {
                    // deleted meanwhile
                    Ok(_) | Err(crate::model::error::Error::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }
}
