//! When messages expire: `messages.exp`, stamped as they are stored, and what is due now.

use crate::model::error::Result;
use crate::model::id::{MailboxId, UserId};
use crate::model::uid::{Uid, UidSet};
use crate::storage::Storage;
use crate::storage::field::{get_id, get_u32, int};
use crate::storage::messages::{Chunks, in_mailbox};
use bson::{DateTime, Document, doc};
use std::collections::BTreeMap;

/// Messages that are due, oldest first, at most `limit`, by mailbox. One round trip.
///
/// # Errors
/// `Unavailable`, `Internal`.
pub async fn find_due(
    storage: &Storage,
    now_ms: i64,
    limit: i64,
) -> Result<BTreeMap<(UserId, MailboxId), UidSet>> {
    let filter = doc! { "exp": { "$exists": true, "$lte": DateTime::from_millis(now_ms) } };
    let messages = storage.messages();
    let find = messages.find(filter).projection(doc! { "user": 1, "mailbox": 1, "uid": 1 });
    let mut cursor = find.sort(doc! { "exp": 1 }).limit(limit).await?;
    let mut due: BTreeMap<(UserId, MailboxId), Vec<(Uid, Uid)>> = BTreeMap::new();
    while cursor.advance().await? {
        let record: Document = cursor.deserialize_current()?;
        let uid = get_u32(&record, "uid");
        let place = (get_id(&record, "user")?, get_id(&record, "mailbox")?);
        due.entry(place).or_default().push((uid, uid));
    }
    Ok(due.into_iter().map(|(place, uids)| (place, UidSet::from_ranges(uids))).collect())
}

/// Stamps all messages of a mailbox anew: they expire `kept_ms` after they were saved, or never.
/// What a caller set himself stays. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn restamp(
    storage: &Storage,
    user: UserId,
    mailbox: MailboxId,
    kept_ms: Option<u64>,
) -> Result<()> {
    let mut filter = in_mailbox(user, mailbox);
    filter.insert("own_exp", doc! { "$exists": false });
    let messages = storage.messages();
    match kept_ms {
        Some(kept_ms) => {
            // Dates are not added to: the local database cannot
            let due = doc! { "$add": [{ "$toLong": "$sdate" }, int(kept_ms)] };
            let update = vec![doc! { "$set": { "exp": { "$toDate": due } } }];
            messages.update_many(filter, update).await?;
        }
        None => {
            messages.update_many(filter, doc! { "$unset": { "exp": "" } }).await?;
        }
    }
    Ok(())
}

/// What the API notes about messages; `None` leaves as it is.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Notes {
    /// JSON text of the caller.
    pub meta: Option<String>,
    /// When they expire; `Some(None)`: never.
    pub expires_ms: Option<Option<i64>>,
}

/// Writes notes about the messages of a set; says how many there were. They are not part of what
/// IMAP shows, so nothing else changes. One round trip per chunk.
///
/// # Errors
/// `Unavailable`.
pub async fn annotate(
    storage: &Storage,
    (user, mailbox): (UserId, MailboxId),
    uids: &UidSet,
    notes: &Notes,
) -> Result<u64> {
    let (mut set, mut unset) = (Document::new(), Document::new());
    if let Some(meta) = &notes.meta {
        set.insert("meta", meta);
    }
    match notes.expires_ms {
        None => {}
        Some(expires_ms) => {
            set.insert("own_exp", true);
            match expires_ms {
                Some(ms) => set.insert("exp", DateTime::from_millis(ms)),
                None => unset.insert("exp", ""),
            };
        }
    }
    let mut update = doc! { "$set": set };
    if !unset.is_empty() {
        update.insert("$unset", unset);
    }
    let mut matched = 0;
    for chunk in Chunks::new(uids) {
        let mut filter = in_mailbox(user, mailbox);
        filter.insert("uid", chunk);
        matched += storage.messages().update_many(filter, update.clone()).await?.matched_count;
    }
    Ok(matched)
}
