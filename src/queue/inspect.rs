//! Looking at entries and their contents.

use super::Queue;
use crate::model::error::Result;
use crate::model::id::UserId;
use crate::model::queue::{Entry, QueueId};
use crate::model::structure::ByteRange;
use crate::storage::{content_range, queue};
use bytes::Bytes;

impl Queue {
    /// The entries of a user's message that are still queued: one round trip.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn list_entries(&self, user: UserId, queue_id: QueueId) -> Result<Vec<Entry>> {
        let mut entries = queue::list_of_message(&self.storage, queue_id).await?;
        entries.retain(|entry| entry.user == Some(user));
        Ok(entries)
    }

    /// Octets of an entry's content, without its prefix; clipped to it.
    ///
    /// # Errors
    /// `NotFound` content, `Unavailable`.
    pub async fn load_octets(&self, entry: &Entry, range: ByteRange) -> Result<Bytes> {
        content_range::load_range(&self.storage, &entry.content, range).await
    }

    /// The whole content of an entry.
    ///
    /// # Errors
    /// As [`Queue::load_octets`].
    pub async fn load_content(&self, entry: &Entry) -> Result<Bytes> {
        self.load_octets(entry, ByteRange { start: 0, end: entry.content_octets }).await
    }
}
