//! Who came for the first time, and who came again: greylisting, shared by all nodes.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | text | digest of client network, sender's domain and recipient |
//! | `first` | date | the first attempt |
//! | `known` | bool | he came again in time |
//! | `expires` | date | TTL: end of the retry window, or of being known |
//!
//! Collection `greylist`; 120 octets each, one for each stranger of the last days.

use super::Storage;
use crate::model::error::Result;
use bson::{DateTime, Document, doc};
use mongodb::Collection;

/// What is known of somebody.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    /// The first attempt, milliseconds since 1970.
    pub first_ms: i64,
    /// He came again in time.
    pub is_known: bool,
    /// When that is forgotten.
    pub expires_ms: i64,
}

fn strangers(storage: &Storage) -> Collection<Document> {
    storage.collection("greylist")
}

/// What is known of him now; `None`: nothing. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn find(storage: &Storage, key: &str, now_ms: i64) -> Result<Option<Seen>> {
    let filter = doc! { "_id": key, "expires": { "$gt": DateTime::from_millis(now_ms) } };
    let found = strangers(storage).find_one(filter).await?;
    let date = |document: &Document, name| {
        document.get_datetime(name).map_or(now_ms, |date| date.timestamp_millis())
    };
    Ok(found.map(|document| Seen {
        first_ms: date(&document, "first"),
        is_known: document.get_bool("known").unwrap_or(false),
        expires_ms: date(&document, "expires"),
    }))
}

/// Notes a first attempt, unless another node has just done so. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn note_first(storage: &Storage, key: &str, now_ms: i64, until_ms: i64) -> Result<()> {
    let now = DateTime::from_millis(now_ms);
    let is_noted = doc! { "$gt": ["$expires", now] };
    let field = |name: &str, fresh: bson::Bson| {
        doc! { "$cond": [is_noted.clone(), format!("${name}"), fresh] }
    };
    let update = vec![doc! { "$set": {
        "first": field("first", now.into()),
        "known": field("known", false.into()),
        "expires": field("expires", DateTime::from_millis(until_ms).into()),
    } }];
    strangers(storage).update_one(doc! { "_id": key }, update).upsert(true).await?;
    Ok(())
}

/// He came again in time. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn note_known(storage: &Storage, key: &str, until_ms: i64) -> Result<()> {
    let set = doc! { "known": true, "expires": DateTime::from_millis(until_ms) };
    strangers(storage).update_one(doc! { "_id": key }, doc! { "$set": set }).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::testing::storage;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_first_attempt_is_kept_until_its_end() {
        let storage = storage("greylist").await;
        assert_eq!(find(&storage, "k", 1000).await.unwrap(), None);
        note_first(&storage, "k", 1000, 5000).await.unwrap();
        note_first(&storage, "k", 2000, 6000).await.unwrap();
        let first = Seen { first_ms: 1000, is_known: false, expires_ms: 5000 };
        assert_eq!(find(&storage, "k", 2000).await.unwrap(), Some(first));
        assert_eq!(find(&storage, "k", 5000).await.unwrap(), None);
        note_first(&storage, "k", 5000, 9000).await.unwrap();
        let again = Seen { first_ms: 5000, is_known: false, expires_ms: 9000 };
        assert_eq!(find(&storage, "k", 6000).await.unwrap(), Some(again));
        note_known(&storage, "k", 99_000).await.unwrap();
        let known = Seen { is_known: true, expires_ms: 99_000, ..again };
        assert_eq!(find(&storage, "k", 6000).await.unwrap(), Some(known));
        storage.drop_database().await.unwrap();
    }
}
