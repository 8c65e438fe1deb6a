//! Users who are deleted and can be restored until their mailboxes are removed.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | id | the user |
//! | `document` | document | as it was in `users` |
//! | `addresses` | list of documents | as they were in `addresses` |
//! | `deleted` | date | when |
//! | `task` | id | the task that removes what is his |
//! | `due` | date | when that begins |
//! | `started` | bool | it has begun: no way back |
//!
//! Index: `{due}`. Written in the transaction that deletes the user, removed when his data is gone;
//! so a crash in between is made good later. A few documents.

use super::Storage;
use super::error::exists;
use super::field::{date, get_id, get_ms, oid};
use super::record::user::{UserRecord, read};
use crate::model::error::{Error, Result};
use crate::model::id::{ObjectId, UserId};
use crate::model::profile::AddressEntry;
use bson::{Bson, Document, doc};
use futures_util::TryStreamExt as _;
use mongodb::{ClientSession, Collection};

/// A deleted user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeletedUser {
    /// As he was.
    pub record: UserRecord,
    /// His addresses.
    pub addresses: Vec<AddressEntry>,
    /// When he was deleted, milliseconds since 1970.
    pub deleted_ms: i64,
    /// The task that removes what is his.
    pub task: ObjectId,
    /// It has begun.
    pub is_started: bool,
}

fn deleted(storage: &Storage) -> Collection<Document> {
    storage.collection("deleted_users")
}

/// Moves a user and his addresses here, inside a transaction; how many addresses, `None`: there is
/// no such user.
///
/// # Errors
/// `Unavailable`.
pub async fn insert(
    storage: &Storage,
    session: &mut ClientSession,
    user: UserId,
    task: ObjectId,
    now_ms: i64,
    due_ms: i64,
) -> Result<Option<usize>> {
    let own = doc! { "_id": oid(user) };
    let (users, addresses) = (storage.users(), storage.addresses());
    let taken = users.find_one_and_delete(own).session(&mut *session).await?;
    let Some(document) = taken else { return Ok(None) };
    let of_user = doc! { "user": oid(user) };
    let mut found = addresses.find(of_user.clone()).session(&mut *session).await?;
    let mut rows = Vec::new();
    while let Some(row) = found.next(&mut *session).await.transpose()? {
        rows.push(row);
    }
    addresses.delete_many(of_user).session(&mut *session).await?;
    let count = rows.len();
    let row = doc! {
        "_id": oid(user),
        "document": document,
        "addresses": rows,
        "deleted": date(now_ms),
        "task": oid(task),
        "due": date(due_ms),
        "started": false,
    };
    deleted(storage).insert_one(row).session(session).await?;
    Ok(Some(count))
}

fn read_deleted(document: &Document) -> Result<DeletedUser> {
    let user = document.get_document("document");
    let user = user.map_err(|_| super::error::unreadable("a deleted user"))?;
    let rows = document.get_array("addresses").map(Vec::as_slice).unwrap_or_default();
    let rows = rows.iter().filter_map(Bson::as_document);
    Ok(DeletedUser {
        record: read(user)?,
        addresses: rows.map(super::addresses::read).collect::<Result<_>>()?,
        deleted_ms: get_ms(document, "deleted"),
        task: get_id(document, "task")?,
        is_started: document.get_bool("started").unwrap_or(false),
    })
}

/// A deleted user: one round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn find(storage: &Storage, user: UserId) -> Result<Option<DeletedUser>> {
    let found = deleted(storage).find_one(doc! { "_id": oid(user) }).await?;
    found.as_ref().map(read_deleted).transpose()
}

/// Moves the time of a purge that has not begun; its task. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn reschedule(storage: &Storage, user: UserId, due_ms: i64) -> Result<Option<ObjectId>> {
    let filter = doc! { "_id": oid(user), "started": false };
    let set = doc! { "$set": { "due": date(due_ms) } };
    let found = deleted(storage).find_one_and_update(filter, set).await?;
    found.map(|found| get_id(&found, "task")).transpose()
}

/// Puts a user back inside a transaction, with this main address.
///
/// # Errors
/// `AlreadyExists` user, `NotFound` when the purge has begun, `Unavailable`.
pub async fn restore(
    storage: &Storage,
    session: &mut ClientSession,
    user: UserId,
    main: &str,
) -> Result<()> {
    let filter = doc! { "_id": oid(user), "started": false };
    let taken = deleted(storage).find_one_and_delete(filter).session(&mut *session).await?;
    let taken = taken.ok_or(Error::NotFound { what: "user" })?;
    let mut document = taken.get_document("document").cloned().unwrap_or_default();
    document.insert("address", main);
    let inserted = storage.users().insert_one(document).session(session).await;
    exists(inserted.map(|_| ()).map_err(Error::from), "user")
}

/// Users whose purge is due, at most a hundred: one round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn list_due(storage: &Storage, now_ms: i64) -> Result<Vec<UserId>> {
    let filter = doc! { "due": { "$lte": date(now_ms) } };
    let only = doc! { "_id": 1 };
    let rows = deleted(storage);
    let found = rows.find(filter).projection(only).sort(doc! { "due": 1 }).limit(100).await?;
    let documents: Vec<Document> = found.try_collect().await?;
    documents.iter().map(|document| get_id(document, "_id")).collect()
}

/// Marks a purge that is due as begun: no way back from here. Whether there is one.
///
/// # Errors
/// `Unavailable`.
pub async fn start_purge(storage: &Storage, user: UserId, now_ms: i64) -> Result<bool> {
    let filter = doc! { "_id": oid(user), "due": { "$lte": date(now_ms) } };
    let set = doc! { "$set": { "started": true } };
    Ok(deleted(storage).update_one(filter, set).await?.matched_count > 0)
}

/// Collections whose documents with a `user` belong to that user alone, beside his mail.
const OWNED: [&str; 8] = [
    "tokens",
    "app_passwords",
    "pending_logins",
    "auth_log",
    "address_register",
    "filters",
    "autoreplies",
    "suppressions",
];

/// Removes what a user has beside his mail.
///
/// # Errors
/// `Unavailable`.
pub async fn delete_belongings(storage: &Storage, user: UserId) -> Result<()> {
    for collection in OWNED {
        let of_user = doc! { "user": oid(user) };
        storage.collection::<Document>(collection).delete_many(of_user).await?;
    }
    Ok(())
}

/// Forgets a purge that has ended; whether nobody else did.
///
/// # Errors
/// `Unavailable`.
pub async fn delete(storage: &Storage, user: UserId) -> Result<bool> {
    Ok(deleted(storage).delete_one(doc! { "_id": oid(user) }).await?.deleted_count > 0)
}
