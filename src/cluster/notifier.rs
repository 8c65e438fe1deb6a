//! One change stream a node; it wakes local sessions and carries no truth.
//!
//! A wake means "look": the session reads what changed since its ModSeq. Lost, doubled, late or
//! reordered wakes
//! are harmless as long as idle sessions look by themselves now and then. When the stream cannot go
//! on, everybody is
//! woken once the next one is open, because what happened in between is not known.

use crate::model::error::Error;
use crate::model::id::{MailboxId, UserId};
use crate::storage::Storage;
use crate::storage::watch::{self, Ring};
use crate::tasks::Tasks;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch as signal;

/// The first pause before the stream is opened again.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// The table of local subscribers; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Notifier {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    tables: Mutex<Tables>,
    wakes: AtomicU64,
}

#[derive(Debug, Default)]
struct Tables {
    mailboxes: HashMap<(UserId, MailboxId), signal::Sender<()>>,
    users: HashMap<UserId, signal::Sender<()>>,
    sessions: HashMap<UserId, signal::Sender<()>>,
}

/// What is subscribed to.
#[derive(Clone, Copy, Debug)]
enum Topic {
    Mailbox(UserId, MailboxId),
    User(UserId),
    Sessions(UserId),
}

/// Wakes one session; dropped, it is forgotten.
#[derive(Debug)]
pub struct Subscription {
    inner: Arc<Inner>,
    topic: Topic,
    receiver: signal::Receiver<()>,
}

impl Notifier {
    /// Starts the node's change stream in `tasks`; it ends when they stop.
    pub fn start(storage: Storage, tasks: &Tasks) -> Self {
        let notifier = Self::default();
        let (task, stopping) = (notifier.clone(), tasks.stopping());
        tasks.spawn("notifier", async move {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = task.follow(&storage) => {}
            }
        });
        notifier
    }

    /// Subscribes to a mailbox of a user.
    pub fn subscribe(&self, user: UserId, mailbox: MailboxId) -> Subscription {
        let receiver = receiver(&mut self.inner.lock().mailboxes, (user, mailbox));
        let inner = Arc::clone(&self.inner);
        Subscription { inner, topic: Topic::Mailbox(user, mailbox), receiver }
    }

    /// Subscribes to all mailboxes of a user, his subscriptions and annotations.
    pub fn subscribe_user(&self, user: UserId) -> Subscription {
        let receiver = receiver(&mut self.inner.lock().users, user);
        Subscription { inner: Arc::clone(&self.inner), topic: Topic::User(user), receiver }
    }

    /// Subscribes to the end of a user's sessions: rung by `Directory` when a password changes, a user
    /// is disabled, suspended, deleted or logged out by the API. Whoever is woken asks
    /// `Authenticator::reason_to_end` and says good-bye if there is one. For every session of a
    /// person: IMAP, POP3, the API's event stream.
    pub fn subscribe_sessions(&self, user: UserId) -> Subscription {
        let receiver = receiver(&mut self.inner.lock().sessions, user);
        Subscription { inner: Arc::clone(&self.inner), topic: Topic::Sessions(user), receiver }
    }

    /// Wakes up since the start, and topics subscribed to, for the metrics.
    pub fn census(&self) -> (u64, usize) {
        let tables = self.inner.lock();
        let topics = tables.mailboxes.len() + tables.users.len() + tables.sessions.len();
        (self.inner.wakes.load(Ordering::Relaxed), topics)
    }

    /// Opens the stream again and again, for ever.
    async fn follow(&self, storage: &Storage) {
        let mut pause = PAUSE_MIN;
        loop {
            let error = match watch::open(storage).await {
                Ok(stream) => {
                    // What was committed since the last stream ended, or since a session
                    // subscribed, rang nowhere
                    self.inner.wake_all();
                    pause = PAUSE_MIN;
                    self.relay(stream).await
                }
                Err(error) => error,
            };
            tracing::warn!(%error, ?pause, "the change stream is away");
            metrics::counter!("eider_notifier_restarts_total").increment(1);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn relay(&self, mut stream: watch::Watch) -> Error {
        loop {
            match stream.next().await {
                Ok(ring) => self.inner.wake(ring),
                Err(error) => return error,
            }
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, ring: Ring) {
        let tables = self.lock();
        let (narrow, wide) = match ring {
            Ring::Mailbox(user, mailbox) => {
                (tables.mailboxes.get(&(user, mailbox)), tables.users.get(&user))
            }
            Ring::User(user) => (None, tables.users.get(&user)),
            Ring::Sessions(user) => (tables.sessions.get(&user), None),
        };
        for sender in narrow.into_iter().chain(wide) {
            self.wakes.fetch_add(1, Ordering::Relaxed);
            sender.send_replace(());
        }
    }

    fn wake_all(&self) {
        let tables = self.lock();
        let users = tables.users.values().chain(tables.sessions.values());
        for sender in tables.mailboxes.values().chain(users) {
            sender.send_replace(());
        }
    }
}

fn receiver<K: Eq + Hash>(
    table: &mut HashMap<K, signal::Sender<()>>,
    key: K,
) -> signal::Receiver<()> {
    table.entry(key).or_insert_with(|| signal::Sender::new(())).subscribe()
}

impl Subscription {
    /// Waits for the next wake; wakes that came meanwhile count once. Cancel-safe.
    pub async fn woken(&mut self) {
        if self.receiver.changed().await.is_err() {
            // The sender lives in the table as long as a subscription does; were it gone, nobody
            // would ring
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        // This subscription's own receiver still counts as one
        let mut tables = self.inner.lock();
        match self.topic {
            Topic::Mailbox(user, mailbox) => forget(&mut tables.mailboxes, (user, mailbox)),
            Topic::User(user) => forget(&mut tables.users, user),
            Topic::Sessions(user) => forget(&mut tables.sessions, user),
        }
    }
}

fn forget<K: Eq + Hash>(table: &mut HashMap<K, signal::Sender<()>>, key: K) {
    if table.get(&key).is_some_and(|sender| sender.receiver_count() <= 1) {
        table.remove(&key);
    }
}
