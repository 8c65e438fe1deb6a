//! Users who are deleted: gone at once, restorable until their mailboxes are removed.

use super::Directory;
use crate::model::error::{Error, Result};
use crate::model::event::Event;
use crate::model::id::{ObjectId, UserId};
use crate::model::profile::AddressEntry;
use crate::storage::deleted_users::DeletedUser;
use crate::storage::field::new_id;
use crate::storage::{addresses, deleted_users, queue_query, transaction, users};

/// Queue entries of a deleted user that are removed at a time.
const QUEUED_STEP: i64 = 250;

/// A deletion that was accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deletion {
    /// The task that removes his mailboxes.
    pub task: ObjectId,
    /// Addresses that are free again.
    pub addresses: usize,
}

/// A restoration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Restoration {
    /// The task that was cancelled.
    pub task: ObjectId,
    /// Addresses that are his again.
    pub addresses: usize,
    /// His main address; empty: none.
    pub main: String,
}

/// Why a user cannot be restored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Obstacle {
    /// Nobody of this identifier was deleted.
    Unknown,
    /// His mailboxes are being removed.
    Started,
    /// There is a user of this identifier or name.
    Exists,
}

impl Directory {
    /// Deletes a user: he and his addresses are gone at once, his mailboxes at `due_ms` (`None`:
    /// now). Until then he can be restored; a repeated call only moves that time.
    ///
    /// An unknown user is a success without addresses, so that the call can be repeated.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn delete_user(&self, user: UserId, due_ms: Option<i64>) -> Result<Deletion> {
        let (task, now) = (new_id(), self.clock.now_ms());
        let due = due_ms.unwrap_or(now).max(now);
        let deleted = transaction::run!(&self.storage, async |session| {
            deleted_users::insert(&self.storage, session, user, task, now, due).await
        })
        .await?;
        let task = match deleted {
            Some(_) => {
                tracing::info!(user.id = %user, "user deleted");
                self.ring_sessions(user).await;
                self.emit(Event::of_user("user.delete.started", user)).await;
                task
            }
            None => deleted_users::reschedule(&self.storage, user, due).await?.unwrap_or(task),
        };
        if due <= now {
            let directory = self.clone();
            self.mailstore.tasks().spawn("purge", async move { directory.purge(user).await });
        }
        Ok(Deletion { task, addresses: deleted.unwrap_or(0) })
    }

    /// A deleted user and the addresses that are still free.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn load_deleted(&self, user: UserId) -> Result<(DeletedUser, Vec<AddressEntry>)> {
        let found = deleted_users::find(&self.storage, user).await?;
        let deleted = found.ok_or(Error::NotFound { what: "deleted user" })?;
        let forms: Vec<String> = deleted.addresses.iter().map(|row| row.lookup.clone()).collect();
        let taken = addresses::find_by_lookup(&self.storage, &forms).await?;
        let is_free = |row: &&AddressEntry| taken.iter().all(|other| other.lookup != row.lookup);
        let free = deleted.addresses.iter().filter(is_free).cloned().collect();
        Ok((deleted, free))
    }

    /// Puts a deleted user back with those of his addresses that are still free; when his main one
    /// is not, the first of them becomes it.
    ///
    /// # Errors
    /// `Unavailable`; inside, the obstacle.
    pub async fn restore_user(&self, user: UserId) -> Result<Result<Restoration, Obstacle>> {
        let (deleted, free) = match self.load_deleted(user).await {
            Err(Error::NotFound { .. }) => {
                let is_there = users::find(&self.storage, user).await?.is_some();
                return Ok(Err(if is_there { Obstacle::Exists } else { Obstacle::Unknown }));
            }
            other => other?,
        };
        let before = &deleted.record.profile.user.address;
        let plain = || free.iter().filter(|row| !row.address.contains('*'));
        let main = plain().find(|row| row.address == *before).or_else(|| plain().next());
        let main = main.map(|row| row.address.clone()).unwrap_or_default();
        let restored = transaction::run!(&self.storage, async |session| {
            deleted_users::restore(&self.storage, session, user, &main).await?;
            for entry in &free {
                addresses::insert(&self.storage, session, entry).await?;
            }
            Ok(())
        })
        .await;
        match restored {
            Ok(()) => {
                tracing::info!(user.id = %user, "user restored");
                self.emit(Event::of_user("user.delete.cancelled", user)).await;
                Ok(Ok(Restoration { task: deleted.task, addresses: free.len(), main }))
            }
            Err(Error::NotFound { .. }) => Ok(Err(Obstacle::Started)),
            Err(Error::AlreadyExists { what: "user" }) => Ok(Err(Obstacle::Exists)),
            Err(error) => Err(error),
        }
    }

    /// Does all purges that are due; `jobs` calls it now and then.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn finish_purges(&self) -> Result<()> {
        for user in deleted_users::list_due(&self.storage, self.clock.now_ms()).await? {
            self.purge(user).await;
        }
        Ok(())
    }

    /// What he sent and nobody has yet: nothing is sent in the name of who is gone.
    async fn delete_queued(&self, user: UserId) -> Result<()> {
        loop {
            let gone = queue_query::delete_of_user(&self.storage, user, QUEUED_STEP).await?;
            if gone.is_empty() {
                return Ok(());
            }
            for content in gone {
                self.mailstore.release_content(content, 1).await?;
            }
        }
    }

    /// May be done by two nodes at once, and again after a crash.
    async fn purge(&self, user: UserId) {
        let done = async {
            let now = self.clock.now_ms();
            if !deleted_users::start_purge(&self.storage, user, now).await? {
                return Ok(());
            }
            deleted_users::delete_belongings(&self.storage, user).await?;
            self.delete_queued(user).await?;
            self.mailstore.delete_user_data(user).await?;
            if deleted_users::delete(&self.storage, user).await? {
                let event = Event::of_user("user.delete.completed", user);
                self.emit(event.with("result", "success")).await;
            }
            Ok(())
        };
        let done: Result<()> = done.await;
        if let Err(error) = done {
            tracing::warn!(user.id = %user, %error, "a purge has to be repeated");
        }
    }
}
