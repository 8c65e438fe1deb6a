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
    /// The mailbox's UIDNEXT.
    pub uid_next: Uid,
}

impl Scan {
    /// Whether a row is strictly beyond the boundary.
    fn reaches(&self, row: (i64, Uid)) -> bool {
        self.beyond.is_none_or(|beyond| if self.ascending { row > beyond } else { row < beyond })
    }
}

/// The messages of a scan without regard to its boundary.
fn all(user: UserId, mailbox: MailboxId, scan: &Scan) -> Document {
    let mut filter = in_mailbox(user, mailbox);
    if let Some(unseen) = scan.unseen {
        // `true` is the predicate of the partial index
        filter
            .insert("unseen", if unseen { true.into() } else { bson::bson!({ "$exists": false }) });
    }
    filter
}

/// The filter of a scan: one interval of the index, the boundary's own date cut by its UID; it ends
/// at the date `edge`.
pub(super) fn filter(user: UserId, mailbox: MailboxId, scan: &Scan, edge: Option<i64>) -> Document {
    let mut filter = all(user, mailbox, scan);
    let (near, far) = if scan.ascending { ("$gte", "$lte") } else { ("$lte", "$gte") };
    let mut interval = doc! {};
    if let Some((date, uid)) = scan.beyond {
        let date = DateTime::from_millis(date);
        let strict = if scan.ascending { "$gt" } else { "$lt" };
        interval.insert(near, date);
        let beyond =
            vec![doc! { "idate": { strict: date } }, doc! { "uid": { strict: i64::from(uid) } }];
        filter.insert("$or", beyond);
    }
    interval.extend(edge.map(|date| (far.to_owned(), DateTime::from_millis(date).into())));
    if !interval.is_empty() {
        filter.insert("idate", interval);
    }
    filter
}

/// UIDs looked at for the edge of an interval, per row of the page.
const NEIGHBOURS: u32 = 4;

/// A date that leaves a whole page between the boundary and itself, if one is found at little cost.
///
/// Only for the local stand-in: it (secantusd-rs 0.5.3-beta.196) applies `limit` after it has read
/// every row of the interval, whatever its `explain` says, so a page of a large mailbox cost what
/// the mailbox costs. MongoDB stops at the limit and needs no edge. Messages near in UID are mostly
/// near in date; the page is the same where they are not, since as many rows lie before the edge.
async fn edge(
    storage: &Storage,
    user: UserId,
    mailbox: MailboxId,
    scan: &Scan,
    rows: u32,
) -> Result<Option<i64>> {
    if !storage.limits_late() {
        return Ok(None);
    }
    let reach = rows.saturating_mul(NEIGHBOURS);
    let start = match scan.beyond {
        Some((_, uid)) => uid,
        None if scan.ascending => 0,
        None => scan.uid_next,
    };
    let uids = if scan.ascending {
        doc! { "$gt": i64::from(start), "$lte": i64::from(start.saturating_add(reach)) }
    } else {
        doc! { "$lt": i64::from(start), "$gte": i64::from(start.saturating_sub(reach)) }
    };
    let mut near = all(user, mailbox, scan);
    near.insert("uid", uids);
    let fields = Fields::default();
    let mut cursor = collection(storage).find(near).projection(projection(fields)).await?;
    let mut dates = Vec::new();
    while cursor.advance().await? {
        let row = read(cursor.current())?.row;
        if scan.reaches((row.internal_date, row.uid)) {
            dates.push(row.internal_date);
        }
    }
    dates.sort_unstable();
    if !scan.ascending {
        dates.reverse();
    }
    Ok(rows.checked_sub(1).and_then(|last| dates.get(last as usize)).copied())
}

/// Reads a page and one row more to know whether there is more. One round trip (on the local
/// stand-in two).
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
    let edge = edge(storage, user, mailbox, scan, asked).await?;
    let messages = collection(storage);
    let mut cursor = messages
        .find(filter(user, mailbox, scan, edge))
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
