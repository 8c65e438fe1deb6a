//! Limits that are the store's own where a user has none (`reference/behaviours.md` §8, §16).

use super::Delivery;
use crate::model::error::{Error, Result};
use crate::model::message::TimeMs;
use crate::model::setting::Setting;
use crate::model::user::User;
use crate::model::window::Window;
use crate::storage::rate_limits;
use crate::storage::settings::find_number;

impl Delivery {
    /// Recipients of one submitted message.
    pub(super) async fn message_recipients_max(&self) -> Result<usize> {
        let number = find_number(&self.storage, Setting::MaxRcptTo).await?;
        Ok(usize::try_from(number).unwrap_or(usize::MAX))
    }

    /// Recipients of a user's messages in 24 hours.
    pub(super) async fn recipients_max(&self) -> Result<u64> {
        find_number(&self.storage, Setting::MaxRecipients).await
    }

    /// Messages forwarded for a user in 24 hours.
    pub(super) async fn forwards_max(&self) -> Result<u64> {
        find_number(&self.storage, Setting::MaxForwards).await
    }

    /// Counts a message a user is to receive. His own limit holds at all doors, the store's for mail
    /// of strangers only: who delivers by LMTP is no stranger. No round trip without a limit, else
    /// one.
    ///
    /// # Errors
    /// `LimitReached`, `Unavailable`.
    pub async fn count_received(&self, user: &User, is_from_stranger: bool) -> Result<()> {
        let max = match (user.rules.received_max, Window::Received.default_limit()) {
            (0, Err(max)) if is_from_stranger => max,
            (0, Ok(setting)) if is_from_stranger => find_number(&self.storage, setting).await?,
            (0, _) => return Ok(()),
            (max, _) => max,
        };
        let (key, length) = (Window::Received.key(user.id), Window::Received.length_ms());
        let now = self.clock.now_ms();
        match rate_limits::count_below(&self.storage, &key, 1, max, now, length).await {
            Err(Error::Throttled { .. }) => {
                let limit = format!("the user receives {max} messages a minute");
                Err(Error::LimitReached { limit })
            }
            counted => counted,
        }
    }

    /// Time in which a sender is answered once.
    pub(super) async fn autoreply_interval_ms(&self) -> Result<TimeMs> {
        let number = find_number(&self.storage, Setting::AutoreplyInterval).await?;
        Ok(TimeMs::try_from(number).unwrap_or(TimeMs::MAX))
    }
}
