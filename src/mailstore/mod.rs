//! Mailboxes and messages with IMAP's promises.

pub mod acl;
pub mod append;
pub mod archive;
mod columns;
pub mod copy;
mod default_names;
pub mod deferred;
mod doubt;
mod encrypt;
pub mod events;
pub mod expunge;
pub mod fetch;
pub mod file;
pub mod flags;
mod group_commit;
pub mod inbox;
pub mod mailbox;
pub mod marks;
pub mod metadata;
pub mod quota;
pub mod recent;
mod rename;
pub mod replace;
pub mod retention;
pub mod search;
mod seen;
mod subscription;
mod threading;
pub mod urlauth;
pub mod view;
mod views;
mod writers;

use crate::clock::Clock;
use crate::model::event::Event;
use crate::storage::{Storage, webhooks};
use crate::tasks::Tasks;
use std::sync::Arc;

/// The operations on mailboxes and messages; cheap to clone.
#[derive(Clone, Debug)]
pub struct Mailstore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    storage: Storage,
    clock: Clock,
    tasks: Tasks,
    /// Messages waiting for the next commit of their mailbox.
    queues: group_commit::Queues,
    /// Shared views of selected mailboxes.
    views: views::Views,
    /// Turns of the writers of each user.
    writers: writers::Writers,
    /// What is new of threads.
    threads: threading::Unwritten,
    /// Contents that went through this node.
    seen: seen::Seen,
    /// INBOXes that were found.
    inboxes: inbox::Inboxes,
    /// Up to where sessions were told of new messages.
    recent: recent::Marks,
}

impl Mailstore {
    /// The operations over a database; background work runs in `tasks`.
    pub fn new(storage: Storage, clock: Clock, tasks: Tasks) -> Self {
        let queues = group_commit::Queues::default();
        let views = views::Views::default();
        let writers = writers::Writers::default();
        let threads = threading::Unwritten::new(&storage, &clock, &tasks);
        let (seen, inboxes) = (seen::Seen::default(), inbox::Inboxes::default());
        let recent = recent::Marks::default();
        let inner =
            Inner { storage, clock, tasks, queues, views, writers, threads, seen, inboxes, recent };
        Self { inner: Arc::new(inner) }
    }

    fn storage(&self) -> &Storage {
        &self.inner.storage
    }

    fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Tells those who listen, after a change that is acknowledged already.
    async fn emit(&self, event: Event) {
        webhooks::tell(self.storage(), &event, self.clock().now_ms()).await;
    }

    pub(crate) fn tasks(&self) -> &Tasks {
        &self.inner.tasks
    }

    fn writers(&self) -> &writers::Writers {
        &self.inner.writers
    }

    fn views(&self) -> &views::Views {
        &self.inner.views
    }
}

#[cfg(test)]
mod append_tests;
#[cfg(test)]
mod archive_tests;
#[cfg(test)]
mod replace_tests;
#[cfg(test)]
mod sharing_tests;
#[cfg(test)]
mod tests;
