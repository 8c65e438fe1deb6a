//! `metadata`: annotations of mailboxes and of users (RFC 5464).
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | ObjectId | |
//! | `user` | ObjectId | of a `/shared` entry the mailbox's owner; of a `/private` one who wrote it |
//! | `mailbox` | ObjectId or null | null: of the server, as this user has it |
//! | `entry` | string | name, lowercase |
//! | `value` | binary | at most 64 KiB |
//!
//! Index: `{user, mailbox, entry}` unique. A few a mailbox, if any; written by SETMETADATA.

use crate::model::error::Result;
use crate::model::id::{MailboxId, UserId};
use crate::storage::Storage;
use crate::storage::field::{binary, get_binary, id_of, oid};
use bson::{Bson, Document, doc};
use mongodb::ClientSession;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Where annotations are: whose, and of which mailbox.
pub type Place = (UserId, Option<MailboxId>);

/// An annotation: its mailbox, entry and value.
pub type Annotation = (Option<MailboxId>, String, Vec<u8>);

/// Mailbox (none: the server) and entry, with a hash of the value.
pub type Digest = BTreeMap<(Option<MailboxId>, String), u64>;

/// How far below an entry is looked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Below {
    /// The entry alone.
    Nothing,
    /// And everything below.
    Everything,
}

fn in_place((user, mailbox): Place) -> Document {
    doc! { "user": oid(user), "mailbox": mailbox.map_or(Bson::Null, |id| oid(id).into()) }
}

/// The annotations of some entries, each in its place. One query.
///
/// # Errors
/// `Unavailable`.
pub async fn find(
    storage: &Storage,
    wanted: &[(Place, String)],
    below: Below,
) -> Result<Vec<Annotation>> {
    let mut branches = Vec::with_capacity(wanted.len());
    for (place, entry) in wanted {
        let mut filter = in_place(*place);
        filter.insert("entry", entry);
        branches.push(filter);
        if below == Below::Everything {
            let mut filter = in_place(*place);
            // `0` is the character behind `/`
            let range = doc! { "$gt": format!("{entry}/"), "$lt": format!("{entry}0") };
            filter.insert("entry", range);
            branches.push(filter);
        }
    }
    if branches.is_empty() {
        return Ok(Vec::new());
    }
    read_all(storage, doc! { "$or": branches }).await
}

/// The annotations of one entry name in several mailboxes of a user. One query.
///
/// # Errors
/// `Unavailable`.
pub async fn find_in_many(
    storage: &Storage,
    user: UserId,
    mailboxes: &[MailboxId],
    entries: &[String],
) -> Result<Vec<Annotation>> {
    if mailboxes.is_empty() || entries.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<_> = mailboxes.iter().map(|id| oid(*id)).collect();
    let filter = doc! {
        "user": oid(user), "mailbox": { "$in": ids }, "entry": { "$in": entries },
    };
    read_all(storage, filter).await
}

async fn read_all(storage: &Storage, filter: Document) -> Result<Vec<Annotation>> {
    let mut cursor = storage.metadata().find(filter).await?;
    let mut found = Vec::new();
    while cursor.advance().await? {
        let record = cursor.deserialize_current()?;
        let mailbox = record.get_object_id("mailbox").ok().map(id_of);
        let entry = record.get_str("entry").unwrap_or_default().to_owned();
        found.push((mailbox, entry, get_binary(&record, "value")?.to_vec()));
    }
    Ok(found)
}

/// The annotations kept for a user, each with a hash of its value. One query.
///
/// # Errors
/// `Unavailable`.
pub async fn digest(storage: &Storage, user: UserId) -> Result<Digest> {
    let mut cursor = storage.metadata().find(doc! { "user": oid(user) }).await?;
    let mut found = Digest::new();
    while cursor.advance().await? {
        let record = cursor.deserialize_current()?;
        let mailbox = record.get_object_id("mailbox").ok().map(id_of);
        let entry = record.get_str("entry").unwrap_or_default().to_owned();
        let mut hasher = DefaultHasher::new();
        get_binary(&record, "value")?.hash(&mut hasher);
        found.insert((mailbox, entry), hasher.finish());
    }
    Ok(found)
}

/// Sets an annotation, or removes it without a value, inside a transaction. One round trip.
///
/// # Errors
/// `Conflict` when it is set for the first time twice at once, `Unavailable`.
pub async fn set(
    storage: &Storage,
    session: &mut ClientSession,
    place: Place,
    entry: &str,
    value: Option<&[u8]>,
) -> Result<()> {
    let mut filter = in_place(place);
    filter.insert("entry", entry);
    let metadata = storage.metadata();
    match value {
        None => {
            metadata.delete_one(filter).session(session).await?;
        }
        Some(value) => {
            let update = doc! { "$set": { "value": binary(value) } };
            metadata.update_one(filter, update).upsert(true).session(session).await?;
        }
    }
    Ok(())
}

/// How many annotations there are in a place, inside a transaction. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn count(storage: &Storage, session: &mut ClientSession, place: Place) -> Result<u64> {
    Ok(storage.metadata().count_documents(in_place(place)).session(session).await?)
}

/// Removes a user's annotations of a mailbox, inside the transaction that deletes it. One round
/// trip.
///
/// # Errors
/// `Unavailable`.
pub async fn delete_of_mailbox(
    storage: &Storage,
    session: &mut ClientSession,
    user: UserId,
    mailbox: MailboxId,
) -> Result<()> {
    storage.metadata().delete_many(in_place((user, Some(mailbox)))).session(session).await?;
    Ok(())
}

/// Removes all annotations of a user who is deleted.
///
/// # Errors
/// `Unavailable`.
pub async fn delete_all(storage: &Storage, user: UserId) -> Result<()> {
    storage.metadata().delete_many(doc! { "user": oid(user) }).await?;
    Ok(())
}
