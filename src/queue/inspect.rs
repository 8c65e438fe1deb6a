//! Looking at entries and their contents.

use super::Queue;
use crate::model::error::{Error, Result};
use crate::model::id::{ObjectId, UserId};
use crate::model::queue::{Entry, Query, QueueId, Summary};
use crate::model::structure::ByteRange;
use crate::storage::{content_range, queue, queue_query};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a count of the queue is good for.
const SUMMARY_FRESH: Duration = Duration::from_secs(15);

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

    /// One entry: one round trip.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn load(&self, entry: ObjectId) -> Result<Entry> {
        let found = queue_query::find(&self.storage, entry).await?;
        found.ok_or(Error::NotFound { what: "queue entry" })
    }

    /// Entries of a query in order of their ids, `after` one, at most `limit`: one round trip.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn list(
        &self,
        query: &Query,
        after: Option<ObjectId>,
        limit: usize,
    ) -> Result<Vec<Entry>> {
        let (now, limit) = (self.clock.now_ms(), i64::try_from(limit).unwrap_or(i64::MAX));
        queue_query::list(&self.storage, query, after, now, limit).await
    }

    /// The size of the queue of all nodes, counted at most every quarter of a minute.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn summary(&self) -> Result<Arc<Summary>> {
        let mut last = self.summary.lock().await;
        if let Some((at, summary)) = last.as_ref()
            && at.elapsed() < SUMMARY_FRESH
        {
            return Ok(Arc::clone(summary));
        }
        let counted = queue_query::summarize(&self.storage, self.clock.now_ms()).await?;
        let summary = Arc::new(counted);
        *last = Some((Instant::now(), Arc::clone(&summary)));
        Ok(summary)
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
