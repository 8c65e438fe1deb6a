//! `users.storageUsed`: octets of a user's messages, counted in the transactions that add and
//! remove messages.
//!
//! Being part of those transactions it is exact after every commit and needs no repair; the price
//! is that writers of
//! two mailboxes of one user conflict on the user's document and one of them is tried again.

use crate::model::error::Result;
use crate::model::id::UserId;
use crate::storage::Storage;
use crate::storage::field::{get_count, oid};
use bson::doc;
use mongodb::ClientSession;
use mongodb::options::ReturnDocument;

/// A user's storage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Usage {
    /// Octets used.
    pub used_octets: u64,
    /// Octets allowed; `None`: no limit.
    pub quota_octets: Option<u64>,
    /// Milliseconds the user's messages are kept; 0: for ever.
    pub retention_ms: u64,
}

impl Usage {
    /// Whether more is used than allowed.
    pub fn is_over(&self) -> bool {
        self.quota_octets.is_some_and(|quota| self.used_octets > quota)
    }
}

fn usage_of(record: &bson::Document) -> Usage {
    let quota_octets = Some(get_count(record, "quota")).filter(|quota| *quota > 0);
    let retention_ms = get_count(record, "retention");
    Usage { used_octets: get_count(record, "storageUsed"), quota_octets, retention_ms }
}

/// Adds to (or takes from) what a user uses, and returns it afterwards; `None` when there is no
/// such user. One round
/// trip.
///
/// # Errors
/// `Unavailable`.
pub async fn add(
    storage: &Storage,
    session: &mut ClientSession,
    user: UserId,
    octets: i64,
) -> Result<Option<Usage>> {
    let after = storage
        .users()
        .find_one_and_update(doc! { "_id": oid(user) }, doc! { "$inc": { "storageUsed": octets } })
        .projection(doc! { "storageUsed": 1, "quota": 1, "retention": 1 })
        .return_document(ReturnDocument::After)
        .session(session)
        .await?;
    Ok(after.as_ref().map(usage_of))
}

/// What a user uses and may use. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn find(storage: &Storage, user: UserId) -> Result<Option<Usage>> {
    let users = storage.users();
    let projection = doc! { "storageUsed": 1, "quota": 1, "retention": 1 };
    let record = users.find_one(doc! { "_id": oid(user) }).projection(projection).await?;
    Ok(record.as_ref().map(usage_of))
}

/// Milliseconds a user's messages are kept, read inside a transaction; 0: for ever. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn find_retention(
    storage: &Storage,
    session: &mut ClientSession,
    user: UserId,
) -> Result<u64> {
    let users = storage.users();
    let find = users.find_one(doc! { "_id": oid(user) }).projection(doc! { "retention": 1 });
    Ok(find.session(session).await?.map_or(0, |record| get_count(&record, "retention")))
}
