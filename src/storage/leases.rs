//! Leases: exclusive rights that end by themselves.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | text | what is leased: `pop3:<user>`, `job:<name>` |
//! | `holder` | text | one random word for each attempt to take it |
//! | `fence` | int64 | grows with every holder, also over the document's removal |
//! | `expires` | date | when others may take it; TTL a day later |
//!
//! Every instant is the server's (`$$NOW`), so that nodes with different clocks agree. Collection
//! `leases`; a document of 100 octets for each thing leased in the last day.

use super::Storage;
use super::field::get_int;
use crate::model::error::{Error, Result};
use bson::{DateTime, Document, doc};
use mongodb::options::ReturnDocument;

/// Seconds a lease that has ended is kept.
pub(super) const KEPT_S: u64 = 86_400;

/// Takes a lease that nobody holds. `holder` is a word nobody has used before. Returns its fencing
/// number; `None`: somebody has it. One round trip; two more the first time.
///
/// # Errors
/// `Unavailable`.
pub async fn acquire(
    storage: &Storage,
    name: &str,
    holder: &str,
    ttl_ms: i64,
) -> Result<Option<i64>> {
    for _ in 0..2 {
        let taken = storage
            .leases()
            .find_one_and_update(doc! { "_id": name }, take(holder, ttl_ms))
            .return_document(ReturnDocument::After)
            .await?;
        if let Some(lease) = taken {
            let is_ours = lease.get_str("holder").is_ok_and(|found| found == holder);
            return Ok(is_ours.then(|| get_int(&lease, "fence")));
        }
        // Not an upsert above: what `findAndModify` says of one is not reliable on every server
        let free = doc! { "holder": "", "fence": 0_i64, "expires": DateTime::from_millis(0) };
        let upsert = doc! { "$setOnInsert": free };
        storage.leases().update_one(doc! { "_id": name }, upsert).upsert(true).await?;
    }
    Err(Error::Unavailable { reason: "a lease was removed while it was taken", source: None })
}

/// One pipeline, so that looking and taking are one step.
fn take(holder: &str, ttl_ms: i64) -> Vec<Document> {
    let is_free = doc! { "$lte": ["$expires", "$$NOW"] };
    // the time keeps the numbers growing after the document was removed
    let next = doc! { "$max": [{ "$add": ["$fence", 1_i64] }, { "$toLong": "$$NOW" }] };
    let end = end(ttl_ms);
    vec![doc! { "$set": {
        "holder": { "$cond": [is_free.clone(), holder, "$holder"] },
        "fence": { "$cond": [is_free.clone(), next, "$fence"] },
        "expires": { "$cond": [is_free, end, "$expires"] },
    } }]
}

/// So long from now, by the server's clock. Dates are not added to: the local database cannot.
fn end(ttl_ms: i64) -> Document {
    doc! { "$toDate": { "$add": [{ "$toLong": "$$NOW" }, ttl_ms] } }
}

/// Prolongs a lease; `false`: somebody else has had it since. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn renew(
    storage: &Storage,
    name: &str,
    (holder, fence): (&str, i64),
    ttl_ms: i64,
) -> Result<bool> {
    let own = doc! { "_id": name, "holder": holder, "fence": fence };
    let prolong = vec![doc! { "$set": { "expires": end(ttl_ms) } }];
    Ok(storage.leases().update_one(own, prolong).await?.matched_count == 1)
}

/// Gives a lease back; nothing happens when somebody else has it. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn release(storage: &Storage, name: &str, (holder, fence): (&str, i64)) -> Result<()> {
    let own = doc! { "_id": name, "holder": holder, "fence": fence };
    let end = vec![doc! { "$set": { "expires": "$$NOW" } }];
    storage.leases().update_one(own, end).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::testing::storage;

    #[tokio::test]
    async fn a_lease_has_one_holder_and_growing_fences() {
        let storage = storage("leases").await;
        let holders: Vec<String> = (0..8).map(|number| format!("h{number}")).collect();
        let racing = holders.iter().map(|holder| acquire(&storage, "a", holder, 60_000));
        let won: Vec<_> = futures_util::future::join_all(racing)
            .await
            .into_iter()
            .zip(&holders)
            .filter_map(|(outcome, holder)| outcome.unwrap().map(|fence| (holder, fence)))
            .collect();
        let [(holder, fence)] = won[..] else { panic!("{won:?}") };
        assert!(renew(&storage, "a", (holder, fence), 60_000).await.unwrap());
        assert!(!renew(&storage, "a", ("other", fence), 60_000).await.unwrap());
        release(&storage, "a", ("other", fence)).await.unwrap();
        assert_eq!(acquire(&storage, "a", "next", 60_000).await.unwrap(), None);
        release(&storage, "a", (holder, fence)).await.unwrap();
        let next = acquire(&storage, "a", "next", 60_000).await.unwrap().unwrap();
        assert!(next > fence);
        assert!(!renew(&storage, "a", (holder, fence), 60_000).await.unwrap());
        // one that has run out is anybody's, even over its removal
        assert!(renew(&storage, "a", ("next", next), 0).await.unwrap());
        let third = acquire(&storage, "a", "third", 60_000).await.unwrap().unwrap();
        assert!(third > next);
        storage.leases().delete_one(doc! { "_id": "a" }).await.unwrap();
        assert!(acquire(&storage, "a", "fourth", 1).await.unwrap().unwrap() > third);
        storage.drop_database().await.unwrap();
    }
}
