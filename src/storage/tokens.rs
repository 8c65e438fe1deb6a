//! Access tokens of the API.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | text | SHA-256 of the token, hex: the token itself is nowhere |
//! | `user` | id, absent for operators | whose token it is |
//! | `role` | text | `user`, or the role of an operator |
//! | `auth_version` | int64 | the user's `authVersion` when it was issued; the token fails once that grew |
//! | `created` | date | for the longest life |
//! | `expires` | date, absent for operators | TTL; moved on while it is used, at most once an hour |
//!
//! Written by `auth::token`. One per login over the API: expect up to a few per user, 200 octets
//! each.

use super::field::{id_of, oid};
use super::{Storage, error::unreadable};
use crate::model::error::Result;
use crate::model::id::UserId;
use crate::model::principal::Role;
use bson::{DateTime, doc};

/// A stored token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TokenRecord {
    /// SHA-256 of the token, hex.
    pub digest: String,
    /// Whose it is; `None` for operators.
    pub user: Option<UserId>,
    /// What it may do.
    pub role: Role,
    /// The user's generation of tokens.
    pub auth_version: i64,
    /// When it was issued, milliseconds since 1970.
    pub created_ms: i64,
    /// When it ends, milliseconds since 1970; `None`: never.
    pub expires_ms: Option<i64>,
}

/// Stores a token: one round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn insert(storage: &Storage, token: &TokenRecord) -> Result<()> {
    let mut document = doc! {
        "_id": &token.digest,
        "role": token.role.name(),
        "auth_version": token.auth_version,
        "created": DateTime::from_millis(token.created_ms),
    };
    if let Some(expires_ms) = token.expires_ms {
        document.insert("expires", DateTime::from_millis(expires_ms));
    }
    if let Some(user) = token.user {
        document.insert("user", oid(user));
    }
    storage.tokens().insert_one(document).await?;
    Ok(())
}

/// The token with this digest, expired or not: one round trip.
///
/// # Errors
/// `Unavailable`; `Internal` for a document that cannot be read.
pub async fn find(storage: &Storage, digest: &str) -> Result<Option<TokenRecord>> {
    let Some(document) = storage.tokens().find_one(doc! { "_id": digest }).await? else {
        return Ok(None);
    };
    let broken = |_| unreadable("a token");
    let role = document.get_str("role").map_err(broken)?;
    let role = Role::of(role).ok_or_else(|| unreadable("a token's role"))?;
    Ok(Some(TokenRecord {
        digest: digest.to_owned(),
        user: document.get_object_id("user").ok().map(id_of),
        role,
        auth_version: document.get_i64("auth_version").map_err(broken)?,
        created_ms: document.get_datetime("created").map_err(broken)?.timestamp_millis(),
        expires_ms: document.get_datetime("expires").ok().map(|date| date.timestamp_millis()),
    }))
}

/// Moves the end of a token on: one round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn prolong(storage: &Storage, digest: &str, expires_ms: i64) -> Result<()> {
    let set = doc! { "$set": { "expires": DateTime::from_millis(expires_ms) } };
    storage.tokens().update_one(doc! { "_id": digest }, set).await?;
    Ok(())
}

/// Gives a token the user's new generation, so that it outlives a change of password.
///
/// # Errors
/// `Unavailable`.
pub async fn renew(storage: &Storage, user: UserId, digest: &str, version: i64) -> Result<()> {
    let filter = doc! { "_id": digest, "user": oid(user) };
    storage.tokens().update_one(filter, doc! { "$set": { "auth_version": version } }).await?;
    Ok(())
}

/// Forgets a token: one round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn delete(storage: &Storage, digest: &str) -> Result<()> {
    storage.tokens().delete_one(doc! { "_id": digest }).await?;
    Ok(())
}
