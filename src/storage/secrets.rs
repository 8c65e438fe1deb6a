//! Secrets all nodes share, made once.
//!
//! Collection `settings`, document `{_id: "secret:<name>", octets: binary(32)}`.

use super::Storage;
use super::field::{binary, get_binary};
use crate::model::error::{Error, Result};
use bson::doc;

/// A secret of 32 octets; made if nobody has made it yet. One round trip; two more the first time.
///
/// # Errors
/// `Unavailable`; `Internal` when it cannot be read.
pub async fn load(storage: &Storage, name: &str) -> Result<[u8; 32]> {
    let key = doc! { "_id": format!("secret:{name}") };
    let unreadable = || Error::Internal { reason: "a stored secret cannot be read", source: None };
    for _ in 0..2 {
        if let Some(document) = storage.settings().find_one(key.clone()).await? {
            let octets = get_binary(&document, "octets")?;
            return octets.try_into().map_err(|_| unreadable());
        }
        let octets: [u8; 32] = rand::random();
        let insert = doc! { "$setOnInsert": { "octets": binary(octets.to_vec()) } };
        storage.settings().update_one(key.clone(), insert).upsert(true).await?;
    }
    Err(unreadable())
}
