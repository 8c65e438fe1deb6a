//! `changes`: what one transaction did to one mailbox.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | ObjectId | |
//! | `user`, `mailbox` | ObjectId | whose, where |
//! | `mod_seq` | int64 | the ModSeq the transaction gave; one document for each |
//! | `kind` | string | [`Kind`], or [`Doorbell`] |
//! | `uids` | array of int64 | `[first, last, first, last, …]` |
//! | `gone` | binary | of an expunge of at most [`GONE_MAX`]: UID, message, thread of each (4, 12, 12 octets) |
//! | `created` | date | removed [`CHANGES_DAYS`](crate::model::limits::CHANGES_DAYS) days later |
//!
//! A [`Doorbell`] is a document of `user`, `kind` and `created` alone: it only rings.
//!
//! Indexes: `{user, mailbox, mod_seq}`; `{user, _id}`, which a cluster sharded by it has anyway and
//! the event stream reads; TTL on `created`. The change stream over the inserts is the
//! doorbell of
//! `cluster/notifier.rs`; `Expunge` and `Delete` documents answer "what vanished since".

use crate::model::error::Result;
use crate::model::id::{MailboxId, MessageId, ThreadId, UserId};
use crate::model::uid::{ModSeq, Uid, UidSet};
use crate::storage::Storage;
use crate::storage::field::{self, date, int, oid};
use bson::{Document, doc};
use mongodb::ClientSession;

/// What a change did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Messages came.
    Append,
    /// Flags changed.
    Flags,
    /// Messages went.
    Expunge,
    /// The mailbox was created.
    Create,
    /// The mailbox was renamed or its settings changed.
    Update,
    /// The mailbox was deleted.
    Delete,
}

impl Kind {
    /// The stored word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Flags => "flags",
            Self::Expunge => "expunge",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// What rings for a user without being a change of a mailbox.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Doorbell {
    /// His sessions have to look whether they may go on.
    Sessions,
    /// Subscriptions of names without a mailbox.
    Subscriptions,
    /// Annotations of his mailboxes or of the server.
    Metadata,
}

impl Doorbell {
    /// The stored word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::Subscriptions => "subscriptions",
            Self::Metadata => "metadata",
        }
    }
}

/// One change.
#[derive(Clone, Debug)]
pub struct Change {
    /// Whose.
    pub user: UserId,
    /// Where.
    pub mailbox: MailboxId,
    /// The ModSeq it gave.
    pub mod_seq: ModSeq,
    /// What.
    pub kind: Kind,
    /// Which messages.
    pub uids: UidSet,
    /// When.
    pub created_ms: i64,
}

/// A message that went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gone {
    /// Its UID.
    pub uid: Uid,
    /// Which it was.
    pub id: MessageId,
    /// Its thread.
    pub thread: ThreadId,
}

/// Messages of an expunge that are named one by one: 28 KB.
pub const GONE_MAX: usize = 1000;

fn gone_octets(gone: &[Gone]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(gone.len() * 28);
    for each in gone {
        octets.extend_from_slice(&each.uid.to_be_bytes());
        octets.extend_from_slice(&each.id.octets());
        octets.extend_from_slice(&each.thread.octets());
    }
    octets
}

/// Reads what [`insert_with_gone`] wrote; empty where nothing was.
pub fn read_gone(change: &Document) -> Vec<Gone> {
    let octets = change.get_binary_generic("gone").map(Vec::as_slice).unwrap_or_default();
    let one = |record: &[u8]| {
        let uid = record.get(..4)?.try_into().ok().map(Uid::from_be_bytes)?;
        let id = record.get(4..16)?.try_into().ok().map(MessageId::from_octets)?;
        let thread = record.get(16..28)?.try_into().ok().map(ThreadId::from_octets)?;
        Some(Gone { uid, id, thread })
    };
    octets.chunks_exact(28).filter_map(one).collect()
}

/// [`insert`] for changes of which the first took these messages away.
///
/// # Errors
/// `Unavailable`.
pub async fn insert_with_gone(
    storage: &Storage,
    session: &mut ClientSession,
    changes: &[Change],
    gone: &[Gone],
) -> Result<()> {
    let mut records: Vec<Document> = changes.iter().map(record).collect();
    if let Some(first) = records.first_mut()
        && gone.len() <= GONE_MAX
    {
        first.insert("gone", field::binary(gone_octets(gone)));
    }
    storage.changes().insert_many(records).session(session).await?;
    Ok(())
}

fn record(change: &Change) -> Document {
    doc! {
        "user": oid(change.user),
        "mailbox": oid(change.mailbox),
        "mod_seq": int(change.mod_seq),
        "kind": change.kind.name(),
        "uids": field::uid_set(&change.uids),
        "created": date(change.created_ms),
    }
}

/// Inserts changes in the transaction that made them: exactly one per mailbox. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn insert(
    storage: &Storage,
    session: &mut ClientSession,
    changes: &[Change],
) -> Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    storage.changes().insert_many(changes.iter().map(record)).session(session).await?;
    Ok(())
}

/// Rings for a user on every node, after what is to be looked at is committed. One round trip.
///
/// # Errors
/// `Unavailable`: whoever waits for it looks by himself a little later.
pub async fn ring(storage: &Storage, user: UserId, bell: Doorbell, now_ms: i64) -> Result<()> {
    let record = doc! { "user": oid(user), "kind": bell.name(), "created": date(now_ms) };
    storage.changes().insert_one(record).await?;
    Ok(())
}
