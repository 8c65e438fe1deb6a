//! `mailbox_counters`: the last UIDVALIDITY of each user.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | ObjectId | the user |
//! | `uid_validity` | int64 | the highest given so far |
//!
//! A value is the time in seconds, or one more than the last if that is higher: so it never repeats
//! for a user, even
//! when this document is lost or the clock is set back while it exists (RFC 9051 §2.3.1.1).

use crate::model::error::{Error, Result};
use crate::model::id::UserId;
use crate::model::uid::UidValidity;
use crate::storage::Storage;
use crate::storage::error::{AWAY, is_duplicate};
use crate::storage::field::{get_u32, oid};
use bson::doc;
use mongodb::options::ReturnDocument;

/// Takes `count` values that were never given to a mailbox of the user; returns the first. One
/// round trip and commit;
/// three for the first mailbox of a user.
///
/// # Errors
/// `Unavailable`.
pub async fn take(storage: &Storage, user: UserId, count: u32, now_ms: i64) -> Result<UidValidity> {
    let now_s = (now_ms / 1000).clamp(1, i64::from(u32::MAX) - 1);
    let first = doc! { "$max": [now_s, { "$add": ["$uid_validity", 1i64] }] };
    let last = doc! { "$add": [first, i64::from(count.saturating_sub(1))] };
    let update = vec![doc! { "$set": { "uid_validity": last } }];
    for _ in 0..3 {
        let counter = storage
            .mailbox_counters()
            .find_one_and_update(doc! { "_id": oid(user) }, update.clone())
            .return_document(ReturnDocument::After)
            .await?;
        if let Some(counter) = counter {
            return Ok(get_u32(&counter, "uid_validity").saturating_sub(count.saturating_sub(1)));
        }
        // Created without upsert: an allocation never races with the creation
        let counter = doc! { "_id": oid(user), "uid_validity": 0i64 };
        match storage.mailbox_counters().insert_one(counter).await {
            Err(error) if !is_duplicate(&error) => return Err(error.into()),
            _ => {}
        }
    }
    Err(Error::Unavailable { reason: AWAY, source: None })
}

/// Forgets a deleted user.
///
/// # Errors
/// `Unavailable`.
pub async fn delete(storage: &Storage, user: UserId) -> Result<()> {
    storage.mailbox_counters().delete_one(doc! { "_id": oid(user) }).await?;
    Ok(())
}
