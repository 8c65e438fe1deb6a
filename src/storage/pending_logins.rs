//! Logins whose second factor is still missing.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | text | SHA-256 of the nonce, hex: the nonce itself is nowhere |
//! | `user` | id | who |
//! | `wants_token` | bool | he gets an access token in the end |
//! | `expires` | date | TTL: ten minutes later |
//!
//! Taken by the check of the second factor, put back when it was wrong. A few live documents.

use super::Storage;
use super::field::{date, get_ms, oid};
use crate::model::error::Result;
use crate::model::id::UserId;
use bson::{Document, doc};
use mongodb::Collection;

/// A login that waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PendingLogin {
    /// Digest of its nonce.
    pub digest: String,
    /// Who.
    pub user: UserId,
    /// He gets an access token in the end.
    pub wants_token: bool,
    /// When it is forgotten, milliseconds since 1970.
    pub expires_ms: i64,
}

fn pending(storage: &Storage) -> Collection<Document> {
    storage.collection("pending_logins")
}

/// Stores a login, or puts it back: one round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn put(storage: &Storage, login: &PendingLogin) -> Result<()> {
    let set = doc! { "$set": {
        "user": oid(login.user),
        "wants_token": login.wants_token,
        "expires": date(login.expires_ms),
    } };
    let filter = doc! { "_id": &login.digest };
    pending(storage).update_one(filter, set).upsert(true).await?;
    Ok(())
}

/// Takes a login of a user, so that nobody else has it: one round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn take(
    storage: &Storage,
    user: UserId,
    digest: &str,
    now_ms: i64,
) -> Result<Option<PendingLogin>> {
    let filter = doc! { "_id": digest, "user": oid(user), "expires": { "$gt": date(now_ms) } };
    let taken = pending(storage).find_one_and_delete(filter).await?;
    Ok(taken.map(|document| PendingLogin {
        digest: digest.to_owned(),
        user,
        wants_token: document.get_bool("wants_token").unwrap_or(false),
        expires_ms: get_ms(&document, "expires"),
    }))
}

/// Whether a login of a user waits: one round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn exists(storage: &Storage, user: UserId, digest: &str, now_ms: i64) -> Result<bool> {
    let filter = doc! { "_id": digest, "user": oid(user), "expires": { "$gt": date(now_ms) } };
    Ok(pending(storage).find_one(filter).await?.is_some())
}
