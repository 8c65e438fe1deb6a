//! `url_keys`: what signs the authorised URLs of a user to a mailbox (RFC 4467 §4).
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | ObjectId | |
//! | `user` | ObjectId | who authorises |
//! | `mailbox` | ObjectId | the mailbox, his own or shared with him |
//! | `key` | binary(32) | random |
//!
//! Index: `{user, mailbox}` unique. A key is made by the first GENURLAUTH, and removed by RESETKEY:
//! what it signed is void then. Some hundred octets, a few for the users whose clients use URLs.

use crate::model::error::Result;
use crate::model::id::{MailboxId, UserId};
use crate::storage::error::{is_duplicate, unreadable};
use crate::storage::field::{binary, get_binary};
use crate::storage::{Storage, oid};
use bson::{Document, doc};

/// A key.
pub type Key = [u8; 32];

fn filter(user: UserId, mailbox: MailboxId) -> Document {
    doc! { "user": oid(user), "mailbox": oid(mailbox) }
}

/// The key, if there is one. One round trip.
///
/// # Errors
/// `Unavailable`, `Internal` when it cannot be read.
pub async fn find(storage: &Storage, user: UserId, mailbox: MailboxId) -> Result<Option<Key>> {
    let found = storage.url_keys().find_one(filter(user, mailbox)).await?;
    let read = |record: &Document| {
        let key = get_binary(record, "key")?;
        key.try_into().map_err(|_| unreadable("a URL key that has not 32 octets"))
    };
    found.as_ref().map(read).transpose()
}

/// Stores a key unless there is one. One round trip and commit.
///
/// # Errors
/// `Unavailable`.
pub async fn insert(storage: &Storage, user: UserId, mailbox: MailboxId, key: &Key) -> Result<()> {
    let mut record = filter(user, mailbox);
    record.insert("key", binary(key));
    match storage.url_keys().insert_one(record).await {
        Err(error) if !is_duplicate(&error) => Err(error.into()),
        _ => Ok(()),
    }
}

/// Removes a key. One round trip and commit.
///
/// # Errors
/// `Unavailable`.
pub async fn delete(storage: &Storage, user: UserId, mailbox: MailboxId) -> Result<()> {
    storage.url_keys().delete_one(filter(user, mailbox)).await?;
    Ok(())
}

/// Removes all keys of a user. One round trip and commit.
///
/// # Errors
/// `Unavailable`.
pub async fn delete_all(storage: &Storage, user: UserId) -> Result<()> {
    storage.url_keys().delete_many(doc! { "user": oid(user) }).await?;
    Ok(())
}
