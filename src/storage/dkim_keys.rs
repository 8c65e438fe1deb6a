//! Keys that sign outgoing mail.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | id | |
//! | `domain` | text | lowercase Unicode |
//! | `selector`, `description` | text | |
//! | `fingerprint` | text | SHA-256 of the public key |
//! | `privateKey`, `publicKey` | text | PEM; the first sealed (`super::vault`) |
//! | `dnsValue` | text | what the DNS record has to say |
//! | `created` | date | |
//!
//! Index: `{domain, selector}` unique. Most domains have one.

use super::Storage;
use super::field::{date, get_id, get_ms, oid};
use super::upsert::upsert;
use crate::model::error::Result;
use crate::model::id::ObjectId;
use crate::model::key::DkimKey;
use bson::{Document, doc};
use futures_util::TryStreamExt as _;
use mongodb::Collection;

fn keys(storage: &Storage) -> Collection<Document> {
    storage.collection("dkim_keys")
}

fn read(storage: &Storage, document: &Document) -> Result<DkimKey> {
    let text = |name: &str| document.get_str(name).unwrap_or_default().to_owned();
    Ok(DkimKey {
        id: get_id(document, "_id")?,
        domain: text("domain"),
        selector: text("selector"),
        description: document.get_str("description").ok().map(str::to_owned),
        fingerprint: text("fingerprint"),
        private_key: storage.unseal(&place(&text("domain")), &text("privateKey"))?,
        public_key: text("publicKey"),
        dns_value: text("dnsValue"),
        created_ms: get_ms(document, "created"),
    })
}

/// Where a domain's private key is sealed for.
fn place(domain: &str) -> String {
    format!("dkim:{domain}")
}

/// Stores a key in place of this one, whose id stays, or else of the one with its selector, or as a
/// new one; whether it was there. The caller reads it back.
///
/// # Errors
/// `Unavailable`.
pub async fn put(storage: &Storage, key: &DkimKey, in_place_of: Option<ObjectId>) -> Result<bool> {
    let set = doc! {
        "description": key.description.clone(),
        "fingerprint": &key.fingerprint,
        "privateKey": storage.seal(&place(&key.domain), &key.private_key)?,
        "publicKey": &key.public_key,
        "dnsValue": &key.dns_value,
        "created": date(key.created_ms),
    };
    if let Some(old) = in_place_of {
        let mut set = set.clone();
        set.insert("selector", &key.selector);
        let of_domain = doc! { "_id": oid(old), "domain": &key.domain };
        let updated = keys(storage).update_one(of_domain, doc! { "$set": set }).await?;
        if updated.matched_count > 0 {
            return Ok(true);
        }
    }
    let update = doc! { "$set": set, "$setOnInsert": { "_id": oid(key.id) } };
    let filter = doc! { "domain": &key.domain, "selector": &key.selector };
    upsert(&keys(storage), filter, update).await
}

/// One key.
///
/// # Errors
/// `Unavailable`.
pub async fn find(storage: &Storage, key: ObjectId) -> Result<Option<DkimKey>> {
    keys(storage)
        .find_one(doc! { "_id": oid(key) })
        .await?
        .map(|found| read(storage, &found))
        .transpose()
}

/// The keys of a domain, oldest first. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn list_of_domain(storage: &Storage, domain: &str) -> Result<Vec<DkimKey>> {
    let found = keys(storage).find(doc! { "domain": domain }).await?;
    let found: Vec<Document> = found.try_collect().await?;
    let mut found =
        found.iter().map(|found| read(storage, found)).collect::<Result<Vec<DkimKey>>>()?;
    found.sort_by_key(|key| (key.created_ms, key.id));
    Ok(found)
}

/// Gives the keys of one domain to another that has none; how many. Three round trips and one for
/// each key.
///
/// # Errors
/// `Unavailable`.
pub async fn rename_domain(storage: &Storage, old: &str, new: &str) -> Result<u64> {
    if !list_of_domain(storage, new).await?.is_empty() {
        return Ok(0);
    }
    let mut renamed = 0;
    for key in list_of_domain(storage, old).await? {
        // sealed for its domain
        let sealed = storage.seal(&place(new), &key.private_key)?;
        let set = doc! { "$set": { "domain": new, "privateKey": sealed } };
        let filter = doc! { "_id": oid(key.id), "domain": old };
        renamed += keys(storage).update_one(filter, set).await?.modified_count;
    }
    Ok(renamed)
}

/// Removes a key; whether it was there.
///
/// # Errors
/// `Unavailable`.
pub async fn delete(storage: &Storage, key: ObjectId) -> Result<bool> {
    Ok(keys(storage).delete_one(doc! { "_id": oid(key) }).await?.deleted_count > 0)
}

fn matching(query: Option<&str>) -> Document {
    match query {
        Some(query) => doc! { "domain": { "$regex": super::regex::escape(query) } },
        None => doc! {},
    }
}

/// Where a key stands in a listing.
pub fn position(key: &DkimKey) -> String {
    format!("{} {}", key.domain, key.selector)
}

/// Keys in order of domains and selectors, `after` or `before` a [`position`]; at most `limit`.
/// Those before come nearest first.
///
/// # Errors
/// `Unavailable`.
pub async fn list(
    storage: &Storage,
    query: Option<&str>,
    after: Option<&str>,
    before: Option<&str>,
    limit: i64,
) -> Result<Vec<DkimKey>> {
    let beyond = |position: &str, comparison: &str| {
        let (domain, selector) = position.split_once(' ').unwrap_or((position, ""));
        let of_domain = doc! { "domain": domain, "selector": { comparison: selector } };
        doc! { "$or": [{ "domain": { comparison: domain } }, of_domain] }
    };
    let mut conditions = vec![matching(query)];
    conditions.extend(after.map(|position| beyond(position, "$gt")));
    conditions.extend(before.map(|position| beyond(position, "$lt")));
    let order = if before.is_some() { -1 } else { 1 };
    let keys = keys(storage);
    let found = keys.find(doc! { "$and": conditions });
    let found = found.sort(doc! { "domain": order, "selector": order }).limit(limit).await?;
    let found: Vec<Document> = found.try_collect().await?;
    found.iter().map(|found| read(storage, found)).collect()
}

/// How many keys a listing shows.
///
/// # Errors
/// `Unavailable`.
pub async fn count(storage: &Storage, query: Option<&str>) -> Result<u64> {
    Ok(keys(storage).count_documents(matching(query)).await?)
}
