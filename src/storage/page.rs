//! Pages of a mailbox by internal date: one scan of the compound index per page.

use crate::model::error::Result;
use crate::model::id::{MailboxId, UserId};
use crate::model::message::Message;
use crate::model::uid::Uid;
use crate::storage::Storage;
use crate::storage::messages::{Fields, collection, in_mailbox};
use crate::storage::record::message::{projection, read};
use bson::{DateTime, Document, doc};

/// A page to read, in the direction of the scan.
#[derive(Clone, Debug)]
pub struct Scan {
    /// Ascending by (internal date, UID).
    pub ascending: bool,
    /// Rows strictly beyond this.
    pub beyond: Option<(i64, Uid)>,
    /// With or without `\Seen`.
    pub unseen: Option<bool>,
    /// Rows at most.
    pub limit: usize,
}

/// The filter of a scan: one interval of the index, the boundary's own date cut by its UID.
pub(super) fn filter(user: UserId, mailbox: MailboxId, scan: &Scan) -> Document {
    let mut filter = in_mailbox(user, mailbox);
    if let Some(unseen) = scan.unseen {
        // `true` is the predicate of the partial index
        filter
            .insert("unseen", if unseen { true.into() } else { bson::bson!({ "$exists": false }) });
    }
    if let Some((date, uid)) = scan.beyond {
        let date = DateTime::from_millis(date);
        let (strict, open) = if scan.ascending { ("$gt", "$gte") } else { ("$lt", "$lte") };
        filter.insert("idate", doc! { open: date });
        let beyond =
            vec![doc! { "idate": { strict: date } }, doc! { "uid": { strict: i64::from(uid) } }];
        filter.insert("$or", beyond);
    }
    filter
}

/// Reads a page and one row more to know whether there is more. One round trip.
///
/// # Errors
/// `Unavailable`, `Internal`.
pub async fn page(
    storage: &Storage,
    user: UserId,
    mailbox: MailboxId,
    scan: &Scan,
    fields: Fields,
) -> Result<(Vec<Message>, bool)> {
    let order = if scan.ascending { 1 } else { -1 };
    let limit = scan.limit.min(10_000);
    let asked = u32::try_from(limit).unwrap_or(u32::MAX).saturating_add(1);
    let messages = collection(storage);
    let mut cursor = messages
        .find(filter(user, mailbox, scan))
        .projection(projection(fields))
        .sort(doc! { "idate": order, "uid": order })
        .limit(i64::from(asked))
        .batch_size(asked)
        .await?;
    let mut page = Vec::new();
    while cursor.advance().await? {
        if page.len() == limit {
            return Ok((page, true));
        }
        page.push(read(cursor.current())?);
    }
    Ok((page, false))
}
