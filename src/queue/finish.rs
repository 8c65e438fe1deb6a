//! An entry that is done: delivered, given up, or cancelled.

use super::Queue;
use crate::model::error::Result;
use crate::model::id::UserId;
use crate::model::queue::{Entry, QueueId};
use crate::model::trace::{Event, Happening};
use crate::storage::queue;

/// What cancelling did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cancelled {
    /// So many entries are gone; others are being sent.
    Entries(u64),
    /// There is no such message in the queue.
    NotFound,
    /// It is somebody else's.
    NotOwned,
}

impl Queue {
    /// Removes an entry, then lowers the content's count. `false`: another worker has it.
    ///
    /// # Errors
    /// `Unavailable`; it may be tried again when the lease ends.
    pub async fn finish(&self, entry: &Entry) -> Result<bool> {
        Ok(self.finish_all(&[entry]).await? > 0)
    }

    /// The same for entries with the same content; how many were not lost to another worker.
    ///
    /// # Errors
    /// As [`Queue::finish`].
    pub async fn finish_all(&self, entries: &[&Entry]) -> Result<u64> {
        let Some(first) = entries.first() else { return Ok(0) };
        let deleted = queue::delete(&self.storage, entries).await?;
        if deleted > 0 {
            self.mailstore.release_content(first.content, deleted).await?;
        }
        Ok(deleted)
    }

    /// Removes the entries of a user's message that no worker has at this moment.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn cancel(&self, user: UserId, queue_id: QueueId) -> Result<Cancelled> {
        let entries = queue::list_of_message(&self.storage, queue_id).await?;
        let Some(first) = entries.first() else { return Ok(Cancelled::NotFound) };
        if first.user != Some(user) {
            return Ok(Cancelled::NotOwned);
        }
        let (content, now) = (first.content, self.clock.now_ms());
        let mut deleted = 0;
        for entry in &entries {
            if queue::delete_unlocked(&self.storage, user, entry.id, now).await? {
                self.trace.record(Event::of_entry(entry, Happening::Cancelled));
                deleted += 1;
            }
        }
        if deleted > 0 {
            self.mailstore.release_content(content, deleted).await?;
        }
        Ok(Cancelled::Entries(deleted))
    }
}
