//! `users.storageUsed`: octets of a user's messages, counted in the transactions that add and
//! remove messages.
//!
//! Being part of those transactions it is exact after every commit and needs no repair; the price
//! is that writers of
//! two mailboxes of one user conflict on the user's document and one of them is tried again.

use crate::model::error::{Error, Result};
use crate::model::id::UserId;
use crate::model::setting::Setting;
use crate::storage::Storage;
use crate::storage::field::{get_count, oid};
use crate::storage::settings;
use bson::{Document, doc};
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
    /// Messages allowed; `None`: no limit.
    pub quota_messages: Option<u64>,
}

impl Usage {
    /// Whether more is used than allowed.
    pub fn is_over(&self) -> bool {
        self.quota_octets.is_some_and(|quota| self.used_octets > quota)
    }
}

fn projection() -> Document {
    doc! { "storageUsed": 1, "quota": 1, "quotaMessages": 1, "retention": 1 }
}

/// `default`: octets of a user without a quota of his own, 0 is no limit.
fn usage_of(record: &Document, default: u64) -> Usage {
    let limit = |field| Some(get_count(record, field)).filter(|limit| *limit > 0);
    Usage {
        used_octets: get_count(record, "storageUsed"),
        quota_octets: limit("quota").or((default > 0).then_some(default)),
        quota_messages: limit("quotaMessages"),
        retention_ms: get_count(record, "retention"),
    }
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
    // mostly from memory (`storage/settings.rs`), so it costs no round trip
    let default = settings::find_number(storage, Setting::MaxStorage).await?;
    let after = storage
        .users()
        .find_one_and_update(doc! { "_id": oid(user) }, doc! { "$inc": { "storageUsed": octets } })
        .projection(projection())
        .return_document(ReturnDocument::After)
        .session(session)
        .await?;
    Ok(after.as_ref().map(|record| usage_of(record, default)))
}

/// What a user uses and may use. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn find(storage: &Storage, user: UserId) -> Result<Option<Usage>> {
    let users = storage.users();
    let record = users.find_one(doc! { "_id": oid(user) }).projection(projection()).await?;
    let default = settings::find_number(storage, Setting::MaxStorage).await?;
    Ok(record.as_ref().map(|record| usage_of(record, default)))
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

/// Refuses what an addition has made too much, inside its transaction: `messages` come on top of
/// those that the mailboxes count already. No round trip; two for a user with a limit of messages,
/// whose mailboxes are summed (the write of [`add`] has put his writers in a row).
///
/// # Errors
/// `OverQuota`, `Unavailable`.
pub async fn check(
    storage: &Storage,
    session: &mut ClientSession,
    user: UserId,
    usage: &Usage,
    messages: u64,
) -> Result<()> {
    if usage.is_over() {
        return Err(Error::OverQuota);
    }
    let Some(limit) = usage.quota_messages else { return Ok(()) };
    let mailboxes = storage.mailboxes();
    let found = mailboxes.find(doc! { "user": oid(user) }).projection(doc! { "messages": 1 });
    let mut cursor = found.session(&mut *session).await?;
    let mut sum = messages;
    while let Some(mailbox) = cursor.next(&mut *session).await.transpose()? {
        sum = sum.saturating_add(get_count(&mailbox, "messages"));
    }
    if sum > limit { Err(Error::OverQuota) } else { Ok(()) }
}

/// A user's mailboxes and the messages in them. One query.
///
/// # Errors
/// `Unavailable`.
pub async fn count(storage: &Storage, user: UserId) -> Result<(u64, u64)> {
    let mailboxes = storage.mailboxes();
    let found = mailboxes.find(doc! { "user": oid(user) }).projection(doc! { "messages": 1 });
    let mut cursor = found.batch_size(2000).await?;
    let (mut count, mut messages) = (0u64, 0u64);
    while cursor.advance().await? {
        count += 1;
        messages = messages.saturating_add(get_count(&cursor.deserialize_current()?, "messages"));
    }
    Ok((count, messages))
}
