//! `subscriptions`: subscribed names without a mailbox (RFC 9051 §6.3.7); those with one are
//! `mailboxes.subscribed`.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | ObjectId | |
//! | `user` | ObjectId | whose |
//! | `name` | string | the name |
//!
//! Index: `{user, name}` unique.

use crate::model::error::{Error, Result};
use crate::model::id::UserId;
use crate::model::mailbox::MailboxName;
use crate::storage::Storage;
use crate::storage::error::is_duplicate;
use crate::storage::oid;
use bson::doc;

/// Remembers a name. One round trip and commit.
///
/// # Errors
/// `Unavailable`.
pub async fn insert(storage: &Storage, user: UserId, name: &MailboxName) -> Result<()> {
    let record = doc! { "user": oid(user), "name": name.as_str() };
    match storage.subscriptions().insert_one(record).await {
        Err(error) if !is_duplicate(&error) => Err(error.into()),
        _ => Ok(()),
    }
}

/// Whether a name is remembered. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn exists(storage: &Storage, user: UserId, name: &MailboxName) -> Result<bool> {
    let filter = doc! { "user": oid(user), "name": name.as_str() };
    Ok(storage.subscriptions().find_one(filter).await?.is_some())
}

/// Forgets a name; whether it was there. One round trip and commit.
///
/// # Errors
/// `Unavailable`.
pub async fn delete(storage: &Storage, user: UserId, name: &MailboxName) -> Result<bool> {
    let filter = doc! { "user": oid(user), "name": name.as_str() };
    Ok(storage.subscriptions().delete_one(filter).await?.deleted_count > 0)
}

/// Forgets all names of a user.
///
/// # Errors
/// `Unavailable`.
pub async fn delete_all(storage: &Storage, user: UserId) -> Result<()> {
    storage.subscriptions().delete_many(doc! { "user": oid(user) }).await?;
    Ok(())
}

/// The number of names of a user. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn count(storage: &Storage, user: UserId) -> Result<u64> {
    Ok(storage.subscriptions().count_documents(doc! { "user": oid(user) }).await?)
}

/// All names of a user, sorted. One query.
///
/// # Errors
/// `Unavailable`.
pub async fn list(storage: &Storage, user: UserId) -> Result<Vec<MailboxName>> {
    let subscriptions = storage.subscriptions();
    let cursor = subscriptions.find(doc! { "user": oid(user) });
    let mut cursor = cursor.sort(doc! { "name": 1 }).await?;
    let mut names = Vec::new();
    while cursor.advance().await? {
        let record = cursor.deserialize_current()?;
        let name = record.get_str("name").unwrap_or_default();
        // A name that an older program accepted and this one does not is passed over
        match MailboxName::new(name) {
            Ok(name) => names.push(name),
            Err(Error::Invalid { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(names)
}
