//! Group commit: all messages that wait for one mailbox on this node go into one transaction.
//!
//! The first job of a mailbox starts a leader task, which commits what is queued until nothing is;
//! no timer is
//! involved. A job that cannot be committed (quota, keywords) fails alone. A leader that dies takes
//! its queue with it:
//! every waiter gets `Unavailable`, the next job starts a new leader.

use super::Mailstore;
use super::append::{Appended, NewMessage};
use super::flags::{checked, spell};
use super::threading::Assigned;
use crate::model::error::{Error, Result};
use crate::model::flag::Flag;
use crate::model::id::{ContentHash, MailboxId, MessageId, ThreadId, UserId};
use crate::model::limits::{GROUP_COMMIT_MESSAGES_MAX, GROUP_COMMIT_OCTETS_MAX};
use crate::model::mailbox::Mailbox;
use crate::model::message::Row;
use crate::model::uid::{Uid, UidSet};
use crate::storage::changes::{Change, Kind};
use crate::storage::contents::NewContent;
use crate::storage::field::new_id;
use crate::storage::mailboxes::Bump;
use crate::storage::messages::NewRow;
use crate::storage::transaction::Session;
use crate::storage::{changes, contents, mailboxes, messages, transaction, usage};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

/// One append that waits.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) user: UserId,
    pub(super) mailbox: MailboxId,
    pub(super) ids: Vec<MessageId>,
    pub(super) messages: Vec<NewMessage>,
    /// Contents, held for this job.
    pub(super) held: BTreeMap<ContentHash, Held>,
    pub(super) octets: u64,
}

/// A content of a job.
#[derive(Debug)]
pub(super) struct Held {
    /// Messages of the job that refer to it.
    pub(super) by: u64,
    /// To be inserted with the messages; `None`: it is stored and its count is raised.
    pub(super) new: Option<NewContent>,
}

#[derive(Debug)]
struct Waiting {
    job: Job,
    reply: oneshot::Sender<Result<Vec<Appended>>>,
}

/// The jobs of each mailbox that has a leader.
#[derive(Clone, Debug, Default)]
pub(super) struct Queues {
    waiting: Arc<Mutex<HashMap<MailboxId, VecDeque<Waiting>>>>,
}

impl Queues {
    /// Queues a job; `true` when its mailbox has no leader yet.
    fn push(&self, waiting: Waiting) -> bool {
        let mut queues = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let mailbox = waiting.job.mailbox;
        let needs_leader = !queues.contains_key(&mailbox);
        queues.entry(mailbox).or_default().push_back(waiting);
        needs_leader
    }

    /// What fits into the next commit; empty when nothing waits: the leadership ends in the same
    /// moment.
    fn take(&self, mailbox: MailboxId) -> Vec<Waiting> {
        let mut queues = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(queue) = queues.get_mut(&mailbox) else { return Vec::new() };
        let (mut batch, mut count, mut octets) = (Vec::new(), 0, 0);
        while let Some(next) = queue.front() {
            count += next.job.messages.len();
            octets += next.job.octets;
            let is_over = count > GROUP_COMMIT_MESSAGES_MAX
                || octets > GROUP_COMMIT_OCTETS_MAX as u64
                || batch.first().is_some_and(|first: &Waiting| first.job.user != next.job.user);
            if is_over && !batch.is_empty() {
                break;
            }
            batch.extend(queue.pop_front());
        }
        if batch.is_empty() {
            queues.remove(&mailbox);
        }
        batch
    }
}

/// Ends a leadership that did not end by itself, so that nobody waits for ever.
struct Leadership {
    queues: Queues,
    user: UserId,
    mailbox: MailboxId,
    ended: bool,
}

impl Drop for Leadership {
    fn drop(&mut self) {
        if !self.ended {
            let mut queues = self.queues.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            queues.remove(&self.mailbox);
        }
    }
}

impl Mailstore {
    /// Queues a job and waits for the commit it is in.
    pub(super) async fn commit_in_group(&self, job: Job) -> Result<Vec<Appended>> {
        let (reply, result) = oneshot::channel();
        let (user, mailbox) = (job.user, job.mailbox);
        if self.inner.queues.push(Waiting { job, reply }) {
            let queues = self.inner.queues.clone();
            let leadership = Leadership { queues, user, mailbox, ended: false };
            let store = self.clone();
            self.tasks().spawn("group commit", async move { store.lead(leadership).await });
        }
        let gone = |error| Error::unavailable("the commit was interrupted", error);
        result.await.map_err(gone)?
    }

    async fn lead(&self, mut leadership: Leadership) {
        loop {
            // First the turn, then the batch: what arrives while waiting goes with it
            let _turn = self.writers().turn(leadership.user).await;
            let batch = self.inner.queues.take(leadership.mailbox);
            if batch.is_empty() {
                leadership.ended = true;
                return;
            }
            let (jobs, replies): (Vec<Job>, Vec<_>) =
                batch.into_iter().map(|waiting| (waiting.job, waiting.reply)).unzip();
            for (result, reply) in self.commit(jobs).await.into_iter().zip(replies) {
                // A caller that stopped waiting is no concern of the others
                let _ = reply.send(result);
            }
        }
    }

    /// Commits jobs of one mailbox, together if possible. Results in their order.
    async fn commit(&self, mut jobs: Vec<Job>) -> Vec<Result<Vec<Appended>>> {
        let error = match self.commit_together(&mut jobs).await {
            Ok(results) => return results.into_iter().map(Ok).collect(),
            Err(error) => error,
        };
        if let Some(results) = self.find_done(&jobs, &error).await {
            return results.into_iter().map(Ok).collect();
        }
        let is_of_all = matches!(error, Error::NotFound { .. } | Error::Unavailable { .. });
        let mut results = Vec::with_capacity(jobs.len());
        if is_of_all || jobs.len() == 1 {
            for job in jobs {
                self.release(job, &error).await;
                results.push(Err(share(&error)));
            }
            return results;
        }
        for mut job in jobs {
            let outcome = self.commit_together(std::slice::from_mut(&mut job)).await;
            match outcome {
                Ok(mut one) => results.push(Ok(one.pop().unwrap_or_default())),
                Err(error) => {
                    self.release(job, &error).await;
                    results.push(Err(error));
                }
            }
        }
        results
    }

    async fn commit_together(&self, jobs: &mut [Job]) -> Result<Vec<Vec<Appended>>> {
        let Some(user) = jobs.first().map(|job| job.user) else { return Ok(Vec::new()) };
        let Assigned { threads, extended } = self.assign_threads(user, jobs).await?;
        let first = transaction::run!(self.storage(), async |session| {
            self.write(session, jobs, &threads).await
        });
        let appended = match first.await {
            // A content that was new is there: another mailbox or node has it, too
            Err(Error::Conflict { .. }) => {
                self.store_contents(jobs).await?;
                transaction::run!(self.storage(), async |session| {
                    self.write(session, jobs, &threads).await
                })
                .await?
            }
            Err(error) => return Err(error),
            Ok(appended) => {
                self.discard_doubles(jobs).await;
                appended
            }
        };
        self.inner.threads.add(user, extended);
        Ok(appended)
    }

    /// Stores what was to be part of the transaction before it, or raises its count.
    async fn store_contents(&self, jobs: &mut [Job]) -> Result<()> {
        for held in jobs.iter_mut().flat_map(|job| job.held.values_mut()) {
            if let Some(new) = &held.new {
                contents::store(self.storage(), new, held.by).await?;
                held.new = None;
            }
        }
        Ok(())
    }

    /// Two jobs brought the same new content and only one was inserted: what the other stored
    /// beside it goes.
    async fn discard_doubles(&self, jobs: &[Job]) {
        let mut seen = HashSet::new();
        for new in
            jobs.iter().flat_map(|job| job.held.values()).filter_map(|held| held.new.as_ref())
        {
            if !seen.insert(new.hash())
                && let Err(error) = new.discard(self.storage()).await
            {
                tracing::warn!(%error, "a doubled content was not removed");
            }
        }
    }

    /// The transaction: mailbox, user, contents, messages, change. `threads` are those of all
    /// messages, in their order.
    pub(super) async fn write(
        &self,
        session: &mut Session,
        jobs: &[Job],
        threads: &[ThreadId],
    ) -> Result<Vec<Vec<Appended>>> {
        let Some(first) = jobs.first() else { return Ok(Vec::new()) };
        let (user, mailbox, storage) = (first.user, first.mailbox, self.storage());
        let bump = bump_of(jobs);
        let after = mailboxes::bump(storage, session, user, mailbox, &bump).await?;
        let after = after.ok_or(Error::NotFound { what: "mailbox" })?;
        // RFC 9051 §2.3.1.1: UIDs never start again; a mailbox that has used them up takes no more
        // messages
        let first_uid = after.uid_next.checked_sub(bump.uids).filter(|uid| *uid > 0);
        let first_uid = first_uid.ok_or(Error::LimitReached { limit: "2^32 UIDs".into() })?;
        let used = usage::add(storage, session, user, bump.octets).await?;
        if let Some(used) = used {
            usage::check(storage, session, user, &used, 0).await?;
        }
        let now_ms = self.clock().now_ms();
        let expires_ms = after.expiry(used.map_or(0, |used| used.retention_ms), now_ms);
        let batch = Batch::new(jobs, &after, first_uid, (now_ms, expires_ms), threads)?;
        if !batch.keywords.is_empty() {
            let keywords = Bump { keywords: batch.keywords.clone(), ..Bump::default() };
            mailboxes::adjust(storage, session, user, mailbox, &keywords).await?;
        }
        contents::insert_many(storage, session, &new_contents(jobs)).await?;
        messages::insert_many(storage, session, &batch.rows).await?;
        let change = Change {
            user,
            mailbox,
            mod_seq: after.mod_seq,
            kind: Kind::Append,
            uids: UidSet::from_range(first_uid, after.uid_next - 1),
            created_ms: self.clock().now_ms(),
        };
        changes::insert(storage, session, &[change]).await?;
        Ok(batch.appended)
    }

    /// Gives back the contents of a job that was not committed. When that is not certain they stay:
    /// counts err upwards.
    pub(super) async fn release(&self, job: Job, error: &Error) {
        if matches!(error, Error::Unavailable { .. } | Error::Internal { .. }) {
            return;
        }
        let mut counts = BTreeMap::new();
        for (hash, held) in job.held {
            let given_back = match held.new {
                Some(new) => new.discard(self.storage()).await,
                None => {
                    counts.insert(hash, held.by);
                    Ok(())
                }
            };
            if let Err(error) = given_back {
                tracing::warn!(%hash, %error, "a content that nothing refers to was not removed");
            }
        }
        if let Err(error) = contents::lower_many(self.storage(), &counts).await {
            tracing::warn!(%error, "contents that nothing refers to were not removed");
        }
    }
}

/// What the mailbox gains.
fn bump_of(jobs: &[Job]) -> Bump {
    let mut bump = Bump::default();
    for message in jobs.iter().flat_map(|job| &job.messages) {
        bump.uids += 1;
        bump.messages += 1;
        bump.unseen += i64::from(!message.flags.has(Flag::Seen));
        bump.deleted += i64::from(message.flags.has(Flag::Deleted));
        bump.octets += i64::try_from(message.octets()).unwrap_or(i64::MAX);
    }
    bump
}

/// The new contents of all jobs, each once with the sum of its counts.
fn new_contents(jobs: &[Job]) -> Vec<(NewContent, u64)> {
    let mut contents: BTreeMap<ContentHash, (NewContent, u64)> = BTreeMap::new();
    for (hash, held) in jobs.iter().flat_map(|job| &job.held) {
        if let Some(new) = &held.new {
            contents.entry(*hash).or_insert_with(|| (new.clone(), 0)).1 += held.by;
        }
    }
    contents.into_values().collect()
}

/// The documents of a commit.
struct Batch {
    rows: Vec<NewRow>,
    appended: Vec<Vec<Appended>>,
    keywords: Vec<String>,
}

impl Batch {
    fn new(
        jobs: &[Job],
        after: &Mailbox,
        first_uid: Uid,
        (now_ms, expires_ms): (i64, Option<i64>),
        threads: &[ThreadId],
    ) -> Result<Self> {
        let mut threads = threads.iter().copied();
        let mut batch = Self { rows: Vec::new(), appended: Vec::new(), keywords: Vec::new() };
        let mut known = after.keywords.clone();
        let mut uid = first_uid;
        for job in jobs {
            let mut appended = Vec::with_capacity(job.messages.len());
            for (message, id) in job.messages.iter().zip(&job.ids) {
                let (flags, new) = spell(&known, &message.flags);
                known.extend_from_slice(&new);
                batch.keywords.extend(new);
                let row = Row {
                    uid,
                    mod_seq: after.mod_seq,
                    flags,
                    internal_date: message.internal_date,
                    saved_date: now_ms,
                    octets: message.octets(),
                };
                batch.rows.push(NewRow {
                    id: *id,
                    user: job.user,
                    mailbox: job.mailbox,
                    row,
                    content: message.prepared.hash,
                    thread: threads.next().unwrap_or_else(new_id),
                    prefix: message.prefix.clone(),
                    structure: Arc::clone(&message.prepared.structure),
                    meta: message.meta.clone(),
                    info: message.info.clone(),
                    expires_ms,
                });
                appended.push(Appended {
                    id: *id,
                    uid,
                    uid_validity: after.uid_validity,
                    mod_seq: after.mod_seq,
                });
                uid = uid.saturating_add(1);
            }
            batch.appended.push(appended);
        }
        batch.keywords = checked(after, batch.keywords)?;
        Ok(batch)
    }
}

/// The same error for another waiter; the cause stays with the first.
pub(super) fn share(error: &Error) -> Error {
    match error {
        Error::NotFound { what } => Error::NotFound { what },
        Error::AlreadyExists { what } => Error::AlreadyExists { what },
        Error::Invalid { field, reason } => Error::invalid(field, reason.clone()),
        Error::Unauthenticated => Error::Unauthenticated,
        Error::Forbidden { reason } => Error::Forbidden { reason },
        Error::OverQuota => Error::OverQuota,
        Error::TooLarge { octets_max } => Error::TooLarge { octets_max: *octets_max },
        Error::LimitReached { limit } => Error::LimitReached { limit: limit.clone() },
        Error::Throttled { retry_after_s } => Error::Throttled { retry_after_s: *retry_after_s },
        Error::Conflict { reason } => Error::Conflict { reason },
        Error::Unavailable { reason, source } => Error::Unavailable {
            reason,
            source: source.as_ref().map(|source| source.to_string().into()),
        },
        Error::Internal { reason, source } => Error::Internal {
            reason,
            source: source.as_ref().map(|source| source.to_string().into()),
        },
    }
}
