//! A message into a mailbox: content once, then one group commit per mailbox (`group_commit.rs`).

use super::Mailstore;
use super::group_commit::{Held, Job};
use crate::codec::mime::structure;
use crate::model::error::{Error, Result};
use crate::model::flag::FlagSet;
use crate::model::id::{ContentHash, MailboxId, MessageId, UserId};
use crate::model::limits::{GROUP_COMMIT_OCTETS_MAX, MESSAGE_OCTETS_MAX};
use crate::model::message::TimeMs;
use crate::model::structure::Structure;
use crate::model::uid::{ModSeq, Uid, UidValidity};
use crate::storage::contents;
use crate::storage::field::new_id;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A new content above so many octets is stored before the mailbox's transaction, not in it.
const INLINE_OCTETS_MAX: usize = 512 * 1024;
/// A message of so many octets is parsed where it is: that takes less time (0.1 ms) than to hand it
/// to another thread and back.
const AT_ONCE_OCTETS_MAX: usize = 16 * 1024;
/// Targets of one content that are committed at the same time: a message to a thousand users leaves
/// connections to the others.
const TARGETS_AT_ONCE_MAX: usize = 16;

/// A content that was parsed once and may be appended to many mailboxes.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The octets.
    pub content: Bytes,
    /// Their hash.
    pub hash: ContentHash,
    /// What was computed from them.
    pub structure: Arc<Structure>,
}
/// One message to append.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// The content.
    pub prepared: Prepared,
    /// Trace header in front of it, CRLF-ended lines; may be empty.
    pub prefix: Bytes,
    /// Flags.
    pub flags: FlagSet,
    /// INTERNALDATE.
    pub internal_date: TimeMs,
    /// JSON text of the API caller.
    pub meta: Option<String>,
    /// JSON text of `delivery::info`: where it came from and went to.
    pub info: Option<String>,
}
/// One recipient of a message that goes to several mailboxes.
#[derive(Clone, Debug)]
pub struct Target {
    /// Whose.
    pub user: UserId,
    /// Where.
    pub mailbox: MailboxId,
    /// What.
    pub message: NewMessage,
}
/// Where it went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Appended {
    /// Identifier.
    pub id: MessageId,
    /// UID.
    pub uid: Uid,
    /// UIDVALIDITY of the mailbox.
    pub uid_validity: UidValidity,
    /// MODSEQ.
    pub mod_seq: ModSeq,
}

impl NewMessage {
    /// RFC822.SIZE: trace prefix and content.
    pub(super) fn octets(&self) -> u64 {
        self.prefix.len() as u64 + self.prepared.content.len() as u64
    }
}

impl Mailstore {
    /// Parses and hashes a content, a large one on the blocking pool. No round trip.
    ///
    /// # Errors
    /// `TooLarge`; `Internal` when the parser fails on it.
    pub async fn prepare(&self, content: Bytes) -> Result<Prepared> {
        if content.len() as u64 > MESSAGE_OCTETS_MAX {
            return Err(Error::TooLarge { octets_max: MESSAGE_OCTETS_MAX });
        }
        blocking(content.len(), move || {
            let hash = ContentHash(*blake3::hash(&content).as_bytes());
            let structure = Arc::new(structure::parse(&content));
            Ok(Prepared { content, hash, structure })
        })
        .await
    }

    /// Appends messages to one mailbox, all or none, UIDs ascending in the given order.
    /// Acknowledged when it returns.
    ///
    /// New content: its document is part of the mailbox's transaction; large ones and attachments
    /// are stored before it. Known content: one round trip and commit to raise its count. Threads
    /// are one round trip, the transaction is five (mailbox, user, contents, messages, change) and
    /// one commit, shared with all that wait for the same mailbox. It goes on when the caller stops
    /// waiting.
    ///
    /// # Errors
    /// `NotFound` mailbox, `OverQuota`, `LimitReached` keywords, `Unavailable`.
    pub async fn append(
        &self,
        user: UserId,
        mailbox: MailboxId,
        messages: Vec<NewMessage>,
    ) -> Result<Vec<Appended>> {
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        let mut counts: BTreeMap<ContentHash, (u64, &Prepared)> = BTreeMap::new();
        for message in &messages {
            let entry = counts.entry(message.prepared.hash).or_insert((0, &message.prepared));
            entry.0 += 1;
        }
        let mut held = BTreeMap::new();
        let mut inline_left = GROUP_COMMIT_OCTETS_MAX;
        for (hash, (by, prepared)) in counts {
            let inline = prepared.content.len() <= INLINE_OCTETS_MAX.min(inline_left);
            let content = self.hold(prepared, by, inline).await?;
            if content.new.is_some() {
                inline_left = inline_left.saturating_sub(prepared.content.len());
            }
            held.insert(hash, content);
        }
        self.enqueue(user, mailbox, messages, held).await
    }

    /// Appends one content to several mailboxes, each on its own: results in the order of the
    /// targets. Targets of one content are stored with one raise of its count; then one group
    /// commit for each mailbox, some side by side.
    pub async fn append_to_many(&self, targets: Vec<Target>) -> Vec<Result<Appended>> {
        if let [target] = targets.as_slice() {
            let message = vec![target.message.clone()];
            return vec![self.append(target.user, target.mailbox, message).await.and_then(one)];
        }
        let mut counts: BTreeMap<ContentHash, (u64, &Prepared)> = BTreeMap::new();
        for Target { message: NewMessage { prepared, .. }, .. } in &targets {
            counts.entry(prepared.hash).or_insert((0, prepared)).0 += 1;
        }
        for (by, prepared) in counts.into_values() {
            if let Err(error) = self.hold(prepared, by, false).await {
                return targets.iter().map(|_| Err(super::group_commit::share(&error))).collect();
            }
        }
        let append = |target: Target| {
            Box::pin(async move {
                let held = Held { by: 1, new: None };
                let held = BTreeMap::from([(target.message.prepared.hash, held)]);
                let messages = vec![target.message];
                self.enqueue(target.user, target.mailbox, messages, held).await.and_then(one)
            })
        };
        let appends: Vec<_> = targets.into_iter().map(append).collect();
        stream::iter(appends).buffered(TARGETS_AT_ONCE_MAX).collect().await
    }

    /// Raises the count of a content for something else than messages (the queue, audits), storing
    /// it if it is new. One round trip and commit when it is known, two commits at least when not.
    ///
    /// # Errors
    /// `Unavailable`; counts may be too high then.
    pub async fn hold_content(&self, prepared: &Prepared, by: u64) -> Result<()> {
        self.hold(prepared, by, false).await.map(|_| ())
    }

    /// Raises the count of a content that is there, for something else than messages. `false`: it
    /// is gone. One round trip.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn retain_content(&self, content: ContentHash) -> Result<bool> {
        contents::raise(self.storage(), &content, 1).await
    }

    /// Lowers a count that [`Mailstore::hold_content`] raised; nobody's content is removed.
    ///
    /// # Errors
    /// `Unavailable`; the count is too high then.
    pub async fn release_content(&self, content: ContentHash, by: u64) -> Result<()> {
        contents::lower_many(self.storage(), &BTreeMap::from([(content, by)])).await
    }

    /// Makes sure that a content outlives the messages that will refer to it: raises the count of a
    /// known one, stores a new one or, if `inline`, leaves its document to the mailbox's
    /// transaction. A small content this node has not seen is taken for new without asking: if it
    /// is not, the transaction finds out.
    pub(super) async fn hold(&self, prepared: &Prepared, by: u64, inline: bool) -> Result<Held> {
        let is_seen = self.inner.seen.note(prepared.hash);
        let is_asked = is_seen || !inline;
        if is_asked && contents::raise(self.storage(), &prepared.hash, by).await? {
            return Ok(Held { by, new: None });
        }
        let (content, structure) = (prepared.content.clone(), Arc::clone(&prepared.structure));
        let octets = content.len();
        let encoded = blocking(octets, move || contents::encode(&content, &structure.root)).await?;
        if !is_asked
            && encoded.has_parts()
            && contents::raise(self.storage(), &prepared.hash, by).await?
        {
            return Ok(Held { by, new: None });
        }
        let new = contents::store_parts(self.storage(), prepared.hash, encoded).await?;
        if inline {
            return Ok(Held { by, new: Some(new) });
        }
        contents::store(self.storage(), &new, by).await?;
        Ok(Held { by, new: None })
    }

    async fn enqueue(
        &self,
        user: UserId,
        mailbox: MailboxId,
        messages: Vec<NewMessage>,
        held: BTreeMap<ContentHash, Held>,
    ) -> Result<Vec<Appended>> {
        let ids = messages.iter().map(|_| new_id()).collect();
        let octets = messages.iter().map(NewMessage::octets).sum();
        self.commit_in_group(Job { user, mailbox, ids, messages, held, octets }).await
    }
}

pub(super) fn one(appended: Vec<Appended>) -> Result<Appended> {
    let missing = Error::Internal { reason: "an append without result", source: None };
    appended.into_iter().next().ok_or(missing)
}

/// Runs work that takes time by the octets of a message, on the blocking pool if they are many; a
/// panic there is an error here.
async fn blocking<T: Send + 'static>(
    octets: usize,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    if octets <= AT_ONCE_OCTETS_MAX {
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        let panicked = Error::Internal { reason: "reading a message failed", source: None };
        return done.unwrap_or(Err(panicked));
    }
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::internal("reading a message failed", error))?
}
