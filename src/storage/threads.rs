//! `threads`: conversations, known by the ids their messages have or refer to.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | ObjectId | the thread |
//! | `user` | ObjectId | whose |
//! | `ids` | array of int64 | hashes of message ids, the last `IDS_MAX` |
//! | `subject` | string | subject without its reply marks; a message with another one does not belong |
//! | `updated` | date | removed [`THREAD_DAYS`](crate::model::limits::THREAD_DAYS) days later |
//!
//! Indexes: `{user, ids}`, TTL on `updated`. Messages keep their thread when its document is gone.
//! A new thread's identifier is a hash of the message that begins it, so that two nodes that see
//! the first two messages at the same time write the same document.

use crate::model::error::{Error, Result};
use crate::model::id::{ThreadId, UserId};
use crate::storage::Storage;
use crate::storage::field::{date, get_id, oid};
use bson::{Bson, Document, doc};

/// Ids kept of a thread.
const IDS_MAX: i32 = 200;
/// Threads looked at for one commit.
const FOUND_MAX: i64 = 1000;

/// A thread.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Thread {
    /// Which.
    pub id: ThreadId,
    /// Hashes of the ids of its messages.
    pub ids: Vec<i64>,
    /// Their subject.
    pub subject: String,
}

/// Threads of a user that know any of these ids. One round trip.
///
/// # Errors
/// `Unavailable`, `Internal`.
pub async fn find(storage: &Storage, user: UserId, ids: &[i64]) -> Result<Vec<Thread>> {
    let filter = doc! { "user": oid(user), "ids": { "$in": ids.to_vec() } };
    let threads = storage.threads();
    let find = threads.find(filter).sort(doc! { "_id": 1 }).limit(FOUND_MAX).batch_size(1000);
    let mut cursor = find.await?;
    let mut found = Vec::new();
    while cursor.advance().await? {
        found.push(read(&cursor.deserialize_current()?)?);
    }
    Ok(found)
}

fn read(record: &Document) -> Result<Thread> {
    let ids = record.get_array("ids").map(Vec::as_slice).unwrap_or_default();
    Ok(Thread {
        id: get_id(record, "_id")?,
        ids: ids.iter().filter_map(Bson::as_i64).collect(),
        subject: record.get_str("subject").unwrap_or_default().to_owned(),
    })
}

/// Creates threads of these users, or adds these ids to them and keeps them from expiring. One round
/// trip.
///
/// # Errors
/// `Unavailable`, `Internal`.
pub async fn extend(storage: &Storage, threads: &[(UserId, Thread)], now_ms: i64) -> Result<()> {
    if threads.is_empty() {
        return Ok(());
    }
    let updates: Vec<Document> = threads
        .iter()
        .map(|(user, thread)| {
            let update = doc! {
                "$set": { "subject": &thread.subject, "updated": date(now_ms) },
                "$push": { "ids": { "$each": thread.ids.clone(), "$slice": -IDS_MAX } },
            };
            let filter = doc! { "_id": oid(thread.id), "user": oid(*user) };
            doc! { "q": filter, "u": update, "upsert": true }
        })
        .collect();
    // unordered: one that cannot be written keeps none of the others
    let command = doc! { "update": "threads", "updates": updates, "ordered": false };
    let reply = storage.database().run_command(command).await?;
    if reply.contains_key("writeErrors") {
        return Err(Error::Internal { reason: "threads were not written", source: None });
    }
    Ok(())
}

/// Forgets a deleted user's threads.
///
/// # Errors
/// `Unavailable`.
pub async fn delete_all(storage: &Storage, user: UserId) -> Result<()> {
    storage.threads().delete_many(doc! { "user": oid(user) }).await?;
    Ok(())
}
