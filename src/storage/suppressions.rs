//! Addresses that nothing is sent to.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | id | the row |
//! | `user` | id or null | for whose mail it holds; null: for all |
//! | `address` | text | lowercase |
//! | `cause` | text | `bounce`, `complaint`, `manual` |
//! | `reason` | text | words |
//! | `trace` | id | the story that told it; may be absent |
//! | `created` | date | |
//! | `expires` | date | TTL; absent: for ever |
//!
//! Indexes: `{address, user}` unique, `{user, _id}`, TTL. One in a hundred recipients, 200 octets.

use super::Storage;
use super::error::is_duplicate;
use super::field::{date, get_id, get_ms, oid};
use crate::model::error::Result;
use crate::model::id::{ObjectId, UserId};
use crate::model::message::TimeMs;
use crate::model::suppression::{Cause, Suppression};
use bson::{Bson, Document, doc};
use futures_util::TryStreamExt as _;
use mongodb::Collection;
use mongodb::options::ReturnDocument;

fn suppressions(storage: &Storage) -> Collection<Document> {
    storage.collection("suppressions")
}

fn read(document: &Document) -> Result<Suppression> {
    let text = |name: &str| document.get_str(name).unwrap_or_default().to_owned();
    Ok(Suppression {
        id: get_id(document, "_id")?,
        user: get_id(document, "user").ok(),
        address: text("address"),
        cause: Cause::named(&text("cause")).unwrap_or(Cause::Manual),
        reason: text("reason"),
        trace: get_id(document, "trace").ok(),
        created_ms: get_ms(document, "created"),
        expires_ms: document.contains_key("expires").then(|| get_ms(document, "expires")),
    })
}

/// Puts an address on the list, or renews what is there of it; its identifier. One round trip, two
/// when two nodes do it at once.
///
/// # Errors
/// `Unavailable`.
pub async fn put(storage: &Storage, new: &Suppression) -> Result<ObjectId> {
    let filter = doc! { "address": &new.address, "user": new.user.map(oid) };
    let mut set = doc! {
        "cause": new.cause.name(),
        "reason": &new.reason,
        "created": date(new.created_ms),
    };
    let mut gone = doc! {};
    for (name, value) in
        [("trace", new.trace.map(|id| oid(id).into())), ("expires", new.expires_ms.map(date))]
    {
        match value {
            Some(value) => set.insert::<_, Bson>(name, value),
            None => gone.insert(name, ""),
        };
    }
    let mut update = doc! { "$set": set, "$setOnInsert": { "_id": oid(new.id) } };
    if !gone.is_empty() {
        update.insert("$unset", gone);
    }
    let list = suppressions(storage);
    let upsert = async || {
        let put = list.find_one_and_update(filter.clone(), update.clone()).upsert(true);
        put.return_document(ReturnDocument::After).await
    };
    let stored = match upsert().await {
        Err(error) if is_duplicate(&error) => upsert().await?,
        other => other?,
    };
    // the local default may say nothing to who lost a race
    stored.map_or(Ok(new.id), |document| get_id(&document, "_id"))
}

/// The conditions of `find_any`.
pub(super) fn any_of(addresses: &[String], user: Option<UserId>) -> Document {
    let users = [Bson::Null, user.map_or(Bson::Null, |user| oid(user).into())];
    doc! { "address": { "$in": addresses }, "user": { "$in": users.to_vec() } }
}

/// Which of these addresses are on the list, for all mail or this user's: one round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn find_any(
    storage: &Storage,
    addresses: &[String],
    user: Option<UserId>,
    now: TimeMs,
) -> Result<Vec<Suppression>> {
    let found = suppressions(storage).find(any_of(addresses, user)).await?;
    let documents: Vec<Document> = found.try_collect().await?;
    let mut rows: Vec<Suppression> = documents.iter().map(read).collect::<Result<_>>()?;
    // the TTL sweep comes later
    rows.retain(|row| row.expires_ms.is_none_or(|expires| expires > now));
    Ok(rows)
}

/// Rows in order of their ids, `after` one, at most `limit`: one round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn list(
    storage: &Storage,
    user: Option<UserId>,
    address: Option<&str>,
    after: Option<ObjectId>,
    limit: i64,
) -> Result<Vec<Suppression>> {
    let mut filter = doc! {};
    if let Some(user) = user {
        filter.insert("user", oid(user));
    }
    if let Some(address) = address {
        filter.insert("address", address);
    }
    if let Some(after) = after {
        filter.insert("_id", doc! { "$gt": oid(after) });
    }
    let found = suppressions(storage).find(filter).sort(doc! { "_id": 1 }).limit(limit).await?;
    let documents: Vec<Document> = found.try_collect().await?;
    documents.iter().map(read).collect()
}

/// One row: one round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn find(storage: &Storage, id: ObjectId) -> Result<Option<Suppression>> {
    let found = suppressions(storage).find_one(doc! { "_id": oid(id) }).await?;
    found.as_ref().map(read).transpose()
}

/// Takes a row off the list; whether it was there.
///
/// # Errors
/// `Unavailable`.
pub async fn delete(storage: &Storage, id: ObjectId) -> Result<bool> {
    Ok(suppressions(storage).delete_one(doc! { "_id": oid(id) }).await?.deleted_count > 0)
}
