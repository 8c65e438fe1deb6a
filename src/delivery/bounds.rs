//! Limits that are the store's own where a user has none (`reference/behaviours.md` §8, §16).

use super::Delivery;
use crate::model::error::Result;
use crate::model::message::TimeMs;

impl Delivery {
    /// Recipients of one submitted message.
    #[expect(clippy::unused_async, reason = "as the others")]
    pub(super) async fn message_recipients_max(&self) -> Result<usize> {
        Ok(400)
    }

    /// Recipients of a user's messages in 24 hours.
    #[expect(clippy::unused_async, reason = "as the others")]
    pub(super) async fn recipients_max(&self) -> Result<u64> {
        Ok(2000)
    }

    /// Messages forwarded for a user in 24 hours.
    #[expect(clippy::unused_async, reason = "as the others")]
    pub(super) async fn forwards_max(&self) -> Result<u64> {
        Ok(2000)
    }

    /// Time in which a sender is answered once.
    #[expect(clippy::unused_async, reason = "as the others")]
    pub(super) async fn autoreply_interval_ms(&self) -> Result<TimeMs> {
        Ok(4 * 60 * 60 * 1000)
    }
}
