//! Names of users by their ids and back: `users`, projected.

use crate::model::error::Result;
use crate::model::id::UserId;
use crate::storage::Storage;
use crate::storage::field::{get_id, oid};
use bson::{Document, doc};
use std::collections::HashMap;

/// The usernames of these users; who does not exist is left out. One query.
///
/// # Errors
/// `Unavailable`.
pub async fn names_of(storage: &Storage, users: &[UserId]) -> Result<HashMap<UserId, String>> {
    let ids: Vec<_> = users.iter().map(|user| oid(*user)).collect();
    find(storage, doc! { "_id": { "$in": ids } }, users.len()).await
}

/// The users with exactly these usernames. One query.
///
/// # Errors
/// `Unavailable`.
pub async fn users_named(storage: &Storage, lookup: &[String]) -> Result<HashMap<UserId, String>> {
    find(storage, doc! { "unameview": { "$in": lookup } }, lookup.len()).await
}

async fn find(
    storage: &Storage,
    filter: Document,
    wanted: usize,
) -> Result<HashMap<UserId, String>> {
    let mut names = HashMap::new();
    if wanted == 0 {
        return Ok(names);
    }
    let mut cursor = storage.users().find(filter).projection(doc! { "username": 1 }).await?;
    while cursor.advance().await? {
        let user = cursor.deserialize_current()?;
        names
            .insert(get_id(&user, "_id")?, user.get_str("username").unwrap_or_default().to_owned());
    }
    Ok(names)
}
