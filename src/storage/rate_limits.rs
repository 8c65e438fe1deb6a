//! Counters that forget: failed logins and the like.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | text | what is counted: `auth:<name>`, and the keys of `model::window` |
//! | `n` | int64 | how often |
//! | `expires` | date | TTL: end of the window, set by the first count |
//!
//! Collection `limits`; a few live documents of 100 octets.

use super::Storage;
use super::error::is_duplicate;
use super::field::{get_count, int};
use super::settings;
use crate::model::error::{Error, Result};
use crate::model::window::{Window, WindowUse};
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
    add(storage, key, 1, now_ms, window_ms).await
}

/// Counts so many; a window that has ended begins anew. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn add(
    storage: &Storage,
    key: &str,
    amount: u64,
    now_ms: i64,
    window_ms: i64,
) -> Result<()> {
    let now = DateTime::from_millis(now_ms);
    let end = DateTime::from_millis(now_ms.saturating_add(window_ms));
    let amount = int(amount);
    // One pipeline, so that a window ends and begins in one step
    let is_open = doc! { "$gt": ["$expires", now] };
    let update = vec![doc! { "$set": {
        "n": { "$cond": [is_open.clone(), { "$add": ["$n", amount] }, amount] },
        "expires": { "$cond": [is_open, "$expires", end] },
    } }];
    limits(storage).update_one(doc! { "_id": key }, update).upsert(true).await?;
    Ok(())
}

/// Races of creating a counter that are tried again.
const ATTEMPTS_MAX: usize = 4;

/// Counts `by` unless the window's count has reached `max` already; a single large step may
/// overshoot. One round trip; two when it is refused.
///
/// # Errors
/// `Throttled` with the seconds until the window ends; `Unavailable`.
pub async fn count_below(
    storage: &Storage,
    key: &str,
    by: u64,
    max: u64,
    now_ms: i64,
    window_ms: i64,
) -> Result<()> {
    if max == 0 {
        return Err(throttled(window_ms));
    }
    let now = DateTime::from_millis(now_ms);
    let end = DateTime::from_millis(now_ms.saturating_add(window_ms));
    let is_open = doc! { "$gt": ["$expires", now] };
    let update = vec![doc! { "$set": {
        "n": { "$cond": [is_open.clone(), { "$add": ["$n", int(by)] }, int(by)] },
        "expires": { "$cond": [is_open, "$expires", end] },
    } }];
    // A counter that is full does not match: the upsert then meets its `_id`, a duplicate
    let free =
        doc! { "_id": key, "$or": [{ "expires": { "$lte": now } }, { "n": { "$lt": int(max) } }] };
    let collection = limits(storage);
    for _ in 0..ATTEMPTS_MAX {
        match collection.update_one(free.clone(), update.clone()).upsert(true).await {
            Ok(_) => return Ok(()),
            Err(error) if is_duplicate(&error) => {}
            Err(error) => return Err(error.into()),
        }
        let full = find(storage, key, now_ms).await?.filter(|counted| counted.count >= max);
        if let Some(full) = full {
            return Err(throttled(full.expires_ms.saturating_sub(now_ms)));
        }
    }
    Err(Error::Unavailable { reason: super::error::AWAY, source: None })
}

/// Takes back what was counted for something that did not happen.
///
/// # Errors
/// `Unavailable`.
pub async fn take_back(storage: &Storage, key: &str, by: u64) -> Result<()> {
    let update = doc! { "$inc": { "n": -int(by) } };
    limits(storage).update_one(doc! { "_id": key }, update).await?;
    Ok(())
}

fn throttled(left_ms: i64) -> Error {
    Error::Throttled { retry_after_s: u64::try_from(left_ms / 1000).unwrap_or(0).max(1) }
}

/// Whether this is the first time in a window; it begins one then. At most two round trips.
///
/// # Errors
/// `Unavailable`.
pub async fn is_first(storage: &Storage, key: &str, now_ms: i64, window_ms: i64) -> Result<bool> {
    match count_below(storage, key, 1, 1, now_ms, window_ms).await {
        Ok(()) => Ok(true),
        Err(Error::Throttled { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// How much of a window is used, of a user or address whose own limit is this (0: the default).
/// One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn find_window(
    storage: &Storage,
    window: Window,
    id: impl std::fmt::Display,
    own_limit: u64,
    now_ms: i64,
) -> Result<WindowUse> {
    let allowed = match (own_limit, window.default_limit()) {
        (0, Ok(setting)) => settings::find_number(storage, setting).await?,
        (0, Err(number)) => number,
        (limit, _) => limit,
    };
    let counted = find(storage, &window.key(id), now_ms).await?;
    let ttl_s = counted.map(|counted| {
        let left = counted.expires_ms.saturating_sub(now_ms).max(0);
        u64::try_from(left).unwrap_or(0).div_ceil(1000)
    });
    Ok(WindowUse { allowed, used: counted.map_or(0, |counted| counted.count), ttl_s })
}

/// Forgets a key.
///
/// # Errors
/// `Unavailable`.
pub async fn forget(storage: &Storage, key: &str) -> Result<()> {
    limits(storage).delete_one(doc! { "_id": key }).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::testing::storage;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_limit_holds_among_racers_and_ends_with_its_window() {
        let storage = storage("limits").await;
        let racers = (0..20).map(|_| count_below(&storage, "k", 1, 5, 1_000, 60_000));
        let results = futures_util::future::join_all(racers).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 5, "{results:?}");
        let refused = count_below(&storage, "k", 1, 5, 31_000, 60_000).await;
        assert!(matches!(refused, Err(Error::Throttled { retry_after_s: 30 })), "{refused:?}");
        count_below(&storage, "k", 7, 5, 61_001, 60_000).await.unwrap();
        let counted = find(&storage, "k", 61_001).await.unwrap().unwrap();
        assert_eq!((counted.count, counted.expires_ms), (7, 121_001));
        assert!(count_below(&storage, "none", 1, 0, 0, 1_000).await.is_err());
        assert!(is_first(&storage, "f", 0, 1_000).await.unwrap());
        assert!(!is_first(&storage, "f", 999, 1_000).await.unwrap());
        assert!(is_first(&storage, "f", 1_000, 1_000).await.unwrap());
        storage.drop_database().await.unwrap();
    }
}
