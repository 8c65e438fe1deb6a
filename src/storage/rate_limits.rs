//! Counters that forget: failed logins and the like.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | text | what is counted: `auth:<name>` |
//! | `n` | int64 | how often |
//! | `expires` | date | TTL: end of the window, set by the first count |
//!
//! Collection `limits`; a few live documents of 100 octets.

use super::Storage;
use super::field::get_count;
use crate::model::error::Result;
use bson::{DateTime, Document, doc};
use mongodb::Collection;

/// How often something was counted, and when that is forgotten.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counted {
    /// How often.
    pub count: u64,
    /// When the window ends, milliseconds since 1970.
    pub expires_ms: i64,
}

fn limits(storage: &Storage) -> Collection<Document> {
    storage.collection("limits")
}

/// The count of a key in its present window: one round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn find(storage: &Storage, key: &str, now_ms: i64) -> Result<Option<Counted>> {
    let filter = doc! { "_id": key, "expires": { "$gt": DateTime::from_millis(now_ms) } };
    let found = limits(storage).find_one(filter).await?;
    Ok(found.map(|document| Counted {
        count: get_count(&document, "n"),
        expires_ms: document.get_datetime("expires").map_or(now_ms, |date| date.timestamp_millis()),
    }))
}

/// Counts once; a window that has ended begins anew. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn count(storage: &Storage, key: &str, now_ms: i64, window_ms: i64) -> Result<()> {
    let now = DateTime::from_millis(now_ms);
    let end = DateTime::from_millis(now_ms.saturating_add(window_ms));
    // One pipeline, so that a window ends and begins in one step
    let is_open = doc! { "$gt": ["$expires", now] };
    let update = vec![doc! { "$set": {
        "n": { "$cond": [is_open.clone(), { "$add": ["$n", 1_i64] }, 1_i64] },
        "expires": { "$cond": [is_open, "$expires", end] },
    } }];
    limits(storage).update_one(doc! { "_id": key }, update).upsert(true).await?;
    Ok(())
}

/// Forgets a key.
///
/// # Errors
/// `Unavailable`.
pub async fn forget(storage: &Storage, key: &str) -> Result<()> {
    limits(storage).delete_one(doc! { "_id": key }).await?;
    Ok(())
}
