//! Domains that stand for other domains.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | id | the alias |
//! | `alias` | text | the domain that stands for the other: lowercase Unicode, unique |
//! | `domain` | text | the domain whose addresses it has |
//! | `created` | date | |
//!
//! Indexes: `{alias}` unique, `{domain}`. One document a domain, 150 octets. Written by `directory`.

use super::Storage;
use super::error::exists;
use super::field::{date, get_id, get_ms, oid};
use super::listing::find_around;
use crate::model::error::{Error, Result};
use crate::model::id::ObjectId;
use crate::model::profile::DomainAlias;
use bson::{Bson, Document, doc};
use mongodb::Collection;

fn aliases(storage: &Storage) -> Collection<Document> {
    storage.collection("domain_aliases")
}

fn read(document: &Document) -> Result<DomainAlias> {
    let text = |key: &str| document.get_str(key).unwrap_or_default().to_owned();
    Ok(DomainAlias {
        id: get_id(document, "_id")?,
        alias: text("alias"),
        domain: text("domain"),
        created_ms: get_ms(document, "created"),
    })
}

/// Inserts an alias: one round trip.
///
/// # Errors
/// `AlreadyExists` alias, `Unavailable`.
pub async fn insert(storage: &Storage, alias: &DomainAlias) -> Result<()> {
    let document = doc! {
        "_id": oid(alias.id),
        "alias": &alias.alias,
        "domain": &alias.domain,
        "created": date(alias.created_ms),
    };
    let inserted = aliases(storage).insert_one(document).await;
    exists(inserted.map(|_| ()).map_err(Error::from), "alias")
}

/// The alias with this identifier: one round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn find(storage: &Storage, id: ObjectId) -> Result<Option<DomainAlias>> {
    aliases(storage).find_one(doc! { "_id": oid(id) }).await?.as_ref().map(read).transpose()
}

/// The alias of this name: one round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn find_by_name(storage: &Storage, alias: &str) -> Result<Option<DomainAlias>> {
    aliases(storage).find_one(doc! { "alias": alias }).await?.as_ref().map(read).transpose()
}

/// Removes an alias; whether there was one. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn delete(storage: &Storage, id: ObjectId) -> Result<bool> {
    Ok(aliases(storage).delete_one(doc! { "_id": oid(id) }).await?.deleted_count > 0)
}

/// Gives the aliases of one domain to another; how many.
///
/// # Errors
/// `Unavailable`.
pub async fn rename_domain(storage: &Storage, old: &str, new: &str) -> Result<u64> {
    let set = doc! { "$set": { "domain": new } };
    Ok(aliases(storage).update_many(doc! { "domain": old }, set).await?.modified_count)
}

fn filter(query: Option<&str>) -> Document {
    let Some(query) = query else { return Document::new() };
    let pattern = doc! { "$regex": super::regex::escape(query), "$options": "i" };
    doc! { "$or": [{ "alias": pattern.clone() }, { "domain": pattern }] }
}

/// Rows of a listing in order of aliases, `after` or `before` one; at most `limit`. Those before
/// come nearest first. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn list(
    storage: &Storage,
    query: Option<&str>,
    after: Option<&str>,
    before: Option<&str>,
    limit: i64,
) -> Result<Vec<DomainAlias>> {
    let (after, before) = (after.map(Bson::from), before.map(Bson::from));
    let aliases = aliases(storage);
    find_around(&aliases, filter(query), "alias", after, before, limit)
        .await?
        .iter()
        .map(read)
        .collect()
}

/// How many aliases a listing shows.
///
/// # Errors
/// `Unavailable`.
pub async fn count(storage: &Storage, query: Option<&str>) -> Result<u64> {
    Ok(aliases(storage).count_documents(filter(query)).await?)
}
