//! Domains whose mail is let through or taken for spam, by tag of the receiving users.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | id | the entry |
//! | `tag`, `tagview` | text | as given; lowercase |
//! | `domain` | text | of the sender: lowercase Unicode |
//! | `action` | text | `allow` or `block` |
//!
//! Index: `{tagview, domain}` unique. 150 octets each. Written by `directory`.

use super::Storage;
use super::field::{get_id, new_id, oid};
use crate::model::error::Result;
use crate::model::id::ObjectId;
use crate::model::profile::DomainAction;
use bson::{Document, doc};
use futures_util::TryStreamExt as _;
use mongodb::Collection;
use mongodb::options::ReturnDocument;

/// Entries of one list.
const ENTRIES_MAX: i64 = 100_000;

fn entries(storage: &Storage) -> Collection<Document> {
    storage.collection("domain_access")
}

/// Puts a domain on a list of a tag, and off the other one; the entry. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn put(
    storage: &Storage,
    tag: &str,
    domain: &str,
    action: DomainAction,
) -> Result<ObjectId> {
    let filter = doc! { "tagview": tag.to_lowercase(), "domain": domain };
    let update = doc! {
        "$set": { "tag": tag, "action": action.name() },
        "$setOnInsert": { "_id": oid(new_id::<()>()) },
    };
    let entries = entries(storage);
    let put = entries.find_one_and_update(filter.clone(), update).upsert(true);
    match put.return_document(ReturnDocument::After).await? {
        Some(document) => get_id(&document, "_id"),
        // a racing upsert may answer with nothing (`reference/mongodb-here.md`)
        None => {
            let found = entries.find_one(filter).await?.unwrap_or_default();
            get_id(&found, "_id")
        }
    }
}

/// The entries of one list of a tag, in order of domains: one round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn list(
    storage: &Storage,
    tag: &str,
    action: DomainAction,
) -> Result<Vec<(ObjectId, String)>> {
    let filter = doc! { "tagview": tag.to_lowercase(), "action": action.name() };
    let entries = entries(storage);
    let found = entries.find(filter).sort(doc! { "domain": 1 }).limit(ENTRIES_MAX);
    let documents: Vec<Document> = found.await?.try_collect().await?;
    let row = |document: &Document| {
        Ok((get_id(document, "_id")?, document.get_str("domain").unwrap_or_default().to_owned()))
    };
    documents.iter().map(row).collect()
}

/// What the lists of these tags say about a domain, each once: one round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn find(storage: &Storage, tags: &[String], domain: &str) -> Result<Vec<DomainAction>> {
    let tags: Vec<String> = tags.iter().map(|tag| tag.to_lowercase()).collect();
    let filter = doc! { "tagview": { "$in": tags }, "domain": domain };
    let documents: Vec<Document> = entries(storage).find(filter).await?.try_collect().await?;
    let action = |document: &Document| DomainAction::of(document.get_str("action").ok()?);
    Ok(documents.iter().filter_map(action).collect())
}

/// Removes an entry; whether there was one. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn delete(storage: &Storage, entry: ObjectId) -> Result<bool> {
    Ok(entries(storage).delete_one(doc! { "_id": oid(entry) }).await?.deleted_count > 0)
}
