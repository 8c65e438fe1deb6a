//! Answers to pending ACME http-01 challenges (RFC 8555 §8.3).
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | text | the token |
//! | `domain` | text | the host name that is to be proved |
//! | `key_authorization` | text | the answer |
//! | `expires` | date | TTL |
//!
//! Nearly always empty. Whoever asks for a certificate writes; every node's API answers.

use super::Storage;
use crate::model::error::Result;
use bson::{DateTime, Document, doc};
use mongodb::Collection;

fn challenges(storage: &Storage) -> Collection<Document> {
    storage.collection("acme_challenges")
}

/// Notes an answer until it ends: one round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn put(
    storage: &Storage,
    token: &str,
    domain: &str,
    key_authorization: &str,
    expires_ms: i64,
) -> Result<()> {
    let set = doc! { "$set": {
        "domain": domain,
        "key_authorization": key_authorization,
        "expires": DateTime::from_millis(expires_ms),
    } };
    challenges(storage).update_one(doc! { "_id": token }, set).upsert(true).await?;
    Ok(())
}

/// The answer to a token at a host name: one round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn find(
    storage: &Storage,
    token: &str,
    domain: &str,
    now_ms: i64,
) -> Result<Option<String>> {
    let now = DateTime::from_millis(now_ms);
    let filter = doc! { "_id": token, "domain": domain, "expires": { "$gt": now } };
    let found = challenges(storage).find_one(filter).await?;
    Ok(found.and_then(|found| found.get_str("key_authorization").ok().map(str::to_owned)))
}
