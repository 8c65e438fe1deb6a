//! The thread of a new message: with the messages it refers to, or that refer to it, as long as
//! they have the same subject (`reference/behaviours.md` §4).
//!
//! Decided before the transaction of the append, for all its messages with one read; what is then
//! known of the threads is written a little later (`tasks::batch`), and found in memory until then.
//! A message keeps its thread for ever; copies and moves take it along. What a dying node did not
//! write costs nothing but the connection of messages that refer to neither the first of their
//! conversation nor a message that is known: a new thread is named by its first message.

use super::Mailstore;
use super::append::NewMessage;
use super::group_commit::Job;
use crate::clock::Clock;
use crate::codec::mime::{base_subject, header};
use crate::model::error::Result;
use crate::model::id::{ThreadId, UserId};
use crate::storage::Storage;
use crate::storage::threads::{self, Thread};
use crate::tasks::Tasks;
use crate::tasks::batch::Batch;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Ids that are looked for, for one message.
const IDS_MAX: usize = 10;
/// Characters of a Thread-Index that all messages of a conversation share (MS-OXOMSG §2.2.1.3).
const THREAD_INDEX_OCTETS: usize = 22;

/// How long what is new of threads is gathered.
const GATHERED: Duration = Duration::from_millis(100);

/// What is known of threads and not written yet.
#[derive(Debug)]
pub(super) struct Unwritten {
    threads: Arc<Mutex<HashMap<UserId, Vec<Thread>>>>,
    batch: Batch<(UserId, Thread)>,
}

impl Unwritten {
    /// Starts the task that writes.
    pub(super) fn new(storage: &Storage, clock: &Clock, tasks: &Tasks) -> Self {
        let threads: Arc<Mutex<HashMap<UserId, Vec<Thread>>>> = Arc::default();
        let (storage, clock, unwritten) = (storage.clone(), clock.clone(), Arc::clone(&threads));
        let batch = Batch::new(tasks, "threads", GATHERED, move |items: Vec<(UserId, Thread)>| {
            let (storage, unwritten) = (storage.clone(), Arc::clone(&unwritten));
            let now_ms = clock.now_ms();
            async move {
                if let Err(error) = threads::extend(&storage, &items, now_ms).await {
                    tracing::warn!(%error, "threads were not written");
                }
                let mut unwritten = unwritten.lock().unwrap_or_else(PoisonError::into_inner);
                for (user, thread) in &items {
                    let Some(waiting) = unwritten.get_mut(user) else { continue };
                    if let Some(at) = waiting.iter().position(|each| each == thread) {
                        waiting.swap_remove(at);
                    }
                    if waiting.is_empty() {
                        unwritten.remove(user);
                    }
                }
            }
        });
        Self { threads, batch }
    }

    /// Those of a user.
    fn of(&self, user: UserId) -> Vec<Thread> {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.get(&user).cloned().unwrap_or_default()
    }

    /// Has them written.
    pub(super) fn add(&self, user: UserId, extended: Vec<Thread>) {
        for thread in extended {
            let item = (user, thread.clone());
            if self.batch.push(item) {
                let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
                threads.entry(user).or_default().push(thread);
            }
        }
    }
}

/// The threads of new messages.
#[derive(Clone, Debug, Default)]
pub(super) struct Assigned {
    /// In the order of the messages.
    pub(super) threads: Vec<ThreadId>,
    /// What is to be written when the messages are there.
    pub(super) extended: Vec<Thread>,
}

impl Mailstore {
    /// The threads of all messages, in their order. One round trip.
    pub(super) async fn assign_threads(&self, user: UserId, jobs: &[Job]) -> Result<Assigned> {
        let keys: Vec<Keys> = jobs.iter().flat_map(|job| &job.messages).map(Keys::of).collect();
        let mut wanted: Vec<i64> = keys.iter().flat_map(|keys| keys.ids.clone()).collect();
        wanted.sort_unstable();
        wanted.dedup();
        // first those in memory: what is written meanwhile is in one of the two
        let mut known = self.inner.threads.of(user);
        known.extend(threads::find(self.storage(), user, &wanted).await?);
        let (threads, extended) = assign(user, known, &keys);
        Ok(Assigned { threads, extended })
    }
}

/// What a message is threaded by.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Keys {
    /// Hashes: its own id first, then what it refers to.
    ids: Vec<i64>,
    /// The hash of the message that began the conversation, as far as it says.
    root: i64,
    subject: String,
}

impl Keys {
    fn of(message: &NewMessage) -> Self {
        let prepared = &message.prepared;
        let summary = &prepared.structure.summary;
        let mut ids = Vec::new();
        let mut add = |text: &[u8]| {
            let id = hash(text);
            if !text.is_empty() && ids.len() < IDS_MAX && !ids.contains(&id) {
                ids.push(id);
            }
        };
        match summary.message_id.as_str() {
            "" => add(&prepared.hash.0),
            id => add(id.as_bytes()),
        }
        let own = summary.message_id.as_bytes();
        let thread_index = thread_index(message);
        add(thread_index.as_deref().unwrap_or_default());
        // the root first, then In-Reply-To and the nearest of a long history
        let references = summary.references.as_slice();
        let first = references.iter().take(1);
        let last = references.iter().skip(1).rev();
        first.chain(last).for_each(|id| add(id.as_bytes()));
        let root = match (references.first(), thread_index) {
            // RFC 5256 §3 (REFERENCES): the first of References, else of In-Reply-To
            (Some(root), _) => hash(root.as_bytes()),
            (None, Some(index)) => hash(&index),
            (None, None) if own.is_empty() => hash(&prepared.hash.0),
            (None, None) => hash(own),
        };
        Self { ids, root, subject: base_subject::of(&summary.subject) }
    }
}

fn thread_index(message: &NewMessage) -> Option<Vec<u8>> {
    let range = message.prepared.structure.root.header;
    let (start, end) = (usize::try_from(range.start).ok()?, usize::try_from(range.end).ok()?);
    let field = header::first(message.prepared.content.get(start..end)?, "thread-index")?;
    let mut index = header::unfold(field);
    index.retain(|octet| !octet.is_ascii_whitespace());
    index.truncate(THREAD_INDEX_OCTETS);
    (index.len() == THREAD_INDEX_OCTETS).then_some(index)
}

fn hash(text: &[u8]) -> i64 {
    let hash = blake3::hash(text);
    let first = hash.as_bytes().first_chunk().copied().unwrap_or_default();
    i64::from_le_bytes(first)
}

/// The thread of each message, and what is added to which threads. Of several threads the first one
/// known wins: messages never change theirs.
fn assign(user: UserId, known: Vec<Thread>, messages: &[Keys]) -> (Vec<ThreadId>, Vec<Thread>) {
    let mut threads: Vec<(ThreadId, String)> = Vec::new();
    let mut by_id: HashMap<i64, Vec<usize>> = HashMap::new();
    for thread in known {
        for id in thread.ids {
            by_id.entry(id).or_default().push(threads.len());
        }
        threads.push((thread.id, thread.subject));
    }
    let mut added: Vec<Vec<i64>> = vec![Vec::new(); threads.len()];
    let mut assigned = Vec::with_capacity(messages.len());
    let mut touched = HashSet::new();
    for keys in messages {
        let is_same = |at: &usize| threads.get(*at).is_some_and(|each| each.1 == keys.subject);
        let candidates = keys.ids.iter().filter_map(|id| by_id.get(id)).flatten().copied();
        let at = candidates.filter(is_same).min().unwrap_or_else(|| {
            threads.push((begin(user, keys), keys.subject.clone()));
            added.push(Vec::new());
            threads.len() - 1
        });
        touched.insert(at);
        for id in &keys.ids {
            let places = by_id.entry(*id).or_default();
            if !places.contains(&at) {
                places.push(at);
                added.get_mut(at).into_iter().for_each(|ids| ids.push(*id));
            }
        }
        assigned.extend(threads.get(at).map(|thread| thread.0));
    }
    let extended = threads.into_iter().zip(added).enumerate();
    let extended = extended.filter(|(at, _)| touched.contains(at));
    let extended = extended.map(|(_, ((id, subject), ids))| Thread { id, ids, subject });
    (assigned, extended.collect())
}

/// The identifier of a new thread: the same one on every node that sees its first messages.
fn begin(user: UserId, keys: &Keys) -> ThreadId {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&user.octets());
    hasher.update(&keys.root.to_le_bytes());
    hasher.update(keys.subject.as_bytes());
    let mut octets = [0; 12];
    hasher.finalize_xof().fill(&mut octets);
    ThreadId::from_octets(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: UserId = UserId::from_octets([1; 12]);

    fn keys(own: &str, references: &[&str], subject: &str) -> Keys {
        let ids = std::iter::once(own).chain(references.iter().copied());
        let ids = ids.map(|id| hash(id.as_bytes())).collect();
        let root = hash(references.first().unwrap_or(&own).as_bytes());
        Keys { ids, root, subject: base_subject::of(subject) }
    }

    #[test]
    fn replies_join_and_other_subjects_do_not() {
        let first = keys("a", &[], "Plan");
        let reply = keys("b", &["a"], "Re: Plan");
        let other = keys("c", &["a"], "Something else");
        let (ids, written) = assign(USER, Vec::new(), &[first, reply, other]);
        assert_eq!(ids[0], ids[1]);
        assert_ne!(ids[0], ids[2]);
        assert_eq!(written.len(), 2);
        // later, only the middle one is known to the client
        let (later, again) = assign(USER, written, &[keys("d", &["b"], "RE: [list] plan")]);
        assert_eq!(later[0], ids[0]);
        assert_eq!((again.len(), again[0].ids.len()), (1, 1), "only what is new is written");
    }

    #[test]
    fn a_reply_that_comes_first_begins_the_same_thread() {
        let (one, _) = assign(USER, Vec::new(), &[keys("b", &["a"], "Re: x")]);
        let (two, _) = assign(USER, Vec::new(), &[keys("a", &[], "x")]);
        assert_eq!(one, two);
        let (other, _) = assign(UserId::from_octets([2; 12]), Vec::new(), &[keys("a", &[], "x")]);
        assert_ne!(two, other);
    }

    #[test]
    fn a_copy_of_a_message_is_in_its_thread() {
        let (ids, _) = assign(USER, Vec::new(), &[keys("a", &[], "x"), keys("a", &[], "x")]);
        assert_eq!(ids[0], ids[1]);
    }
}
