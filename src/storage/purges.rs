//! Users who are deleted, but whose mailboxes may still be there.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | id | the task |
//! | `user` | id | whose data is to be removed |
//! | `created` | date | |
//!
//! Written in the transaction that deletes the user, removed when his data is gone; so a crash in
//! between is made good at the next start. Nearly always empty.

use super::Storage;
use super::field::{get_id, oid};
use crate::model::error::Result;
use crate::model::id::{ObjectId, UserId};
use bson::{DateTime, Document, doc};
use futures_util::TryStreamExt as _;
use mongodb::{ClientSession, Collection};

fn purges(storage: &Storage) -> Collection<Document> {
    storage.collection("purges")
}

/// Notes a purge inside a transaction.
///
/// # Errors
/// `Unavailable`.
pub async fn insert(
    storage: &Storage,
    session: &mut ClientSession,
    task: ObjectId,
    user: UserId,
    now_ms: i64,
) -> Result<()> {
    let created = DateTime::from_millis(now_ms);
    let document = doc! { "_id": oid(task), "user": oid(user), "created": created };
    purges(storage).insert_one(document).session(session).await?;
    Ok(())
}

/// Purges that have not ended, oldest first, at most a thousand.
///
/// # Errors
/// `Unavailable`; `Internal` for a document that cannot be read.
pub async fn list(storage: &Storage) -> Result<Vec<(ObjectId, UserId)>> {
    let found = purges(storage).find(doc! {}).sort(doc! { "_id": 1 }).limit(1000).await?;
    let documents: Vec<Document> = found.try_collect().await?;
    documents
        .iter()
        .map(|document| Ok((get_id(document, "_id")?, get_id(document, "user")?)))
        .collect()
}

/// Forgets a purge that has ended.
///
/// # Errors
/// `Unavailable`.
pub async fn delete(storage: &Storage, task: ObjectId) -> Result<()> {
    purges(storage).delete_one(doc! { "_id": oid(task) }).await?;
    Ok(())
}
