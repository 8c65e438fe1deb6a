//! Limits that are the store's own where a user has none (`reference/behaviours.md` §8, §16).

use super::Delivery;
use crate::model::error::Result;
use crate::model::message::TimeMs;
use crate::model::setting::Setting;
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

    /// Time in which a sender is answered once.
    pub(super) async fn autoreply_interval_ms(&self) -> Result<TimeMs> {
        let number = find_number(&self.storage, Setting::AutoreplyInterval).await?;
        Ok(TimeMs::try_from(number).unwrap_or(TimeMs::MAX))
    }
}
