//! All changes of a user in the order of their identifiers: what the API's event stream reads.
//!
//! Identifiers are made by the nodes, so two of one moment may become visible in either order. A
//! reader looks back a little and passes over what it has seen.

use crate::model::error::Result;
use crate::model::id::{MailboxId, ObjectId, UserId};
use crate::model::uid::{ModSeq, UidSet};
use crate::storage::Storage;
use crate::storage::changes::{Gone, Kind, read_gone};
use crate::storage::field::{get_count, get_id, get_uid_set, oid};
use bson::{Document, doc};

/// A change, as it is told to the user's clients.
#[derive(Clone, Debug)]
pub struct FedChange {
    /// Which.
    pub id: ObjectId,
    /// Where.
    pub mailbox: MailboxId,
    /// What.
    pub kind: Kind,
    /// The ModSeq it gave.
    pub mod_seq: ModSeq,
    /// Which messages.
    pub uids: UidSet,
    /// Who went, where it was noted.
    pub gone: Vec<Gone>,
}

/// Changes of a user after one of them, oldest first, at most `limit`. One round trip.
///
/// # Errors
/// `Unavailable`, `Internal`.
pub async fn read_after(
    storage: &Storage,
    user: UserId,
    after: ObjectId,
    limit: i64,
) -> Result<Vec<FedChange>> {
    let filter = doc! { "user": oid(user), "_id": { "$gt": oid(after) } };
    let changes = storage.changes();
    let find = changes.find(filter).sort(doc! { "_id": 1 }).limit(limit);
    let mut cursor = find.await?;
    let mut fed = Vec::new();
    while cursor.advance().await? {
        fed.extend(read(&cursor.deserialize_current()?)?);
    }
    Ok(fed)
}

/// `None`: it only rings.
fn read(record: &Document) -> Result<Option<FedChange>> {
    let kind = record.get_str("kind").unwrap_or_default();
    let kinds =
        [Kind::Append, Kind::Flags, Kind::Expunge, Kind::Create, Kind::Update, Kind::Delete];
    let Some(kind) = kinds.into_iter().find(|known| known.name() == kind) else {
        return Ok(None);
    };
    Ok(Some(FedChange {
        id: get_id(record, "_id")?,
        mailbox: get_id(record, "mailbox")?,
        kind,
        mod_seq: get_count(record, "mod_seq"),
        uids: get_uid_set(record, "uids"),
        gone: read_gone(record),
    }))
}
