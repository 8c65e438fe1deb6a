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
//! Index: `{domain}` unique. One a domain.

use super::Storage;
use super::field::{date, get_id, get_ms, oid};
use super::listing::find_around;
use super::upsert::upsert;
use crate::model::error::Result;
use crate::model::id::ObjectId;
use crate::model::key::DkimKey;
use bson::{Bson, Document, doc};
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

/// Stores a key in place of the domain's one, whose id stays; whether there was one. The caller
/// reads it back by its domain.
///
/// # Errors
/// `Unavailable`.
pub async fn put(storage: &Storage, key: &DkimKey) -> Result<bool> {
    let set = doc! {
        "selector": &key.selector,
        "description": key.description.clone(),
        "fingerprint": &key.fingerprint,
        "privateKey": storage.seal(&place(&key.domain), &key.private_key)?,
        "publicKey": &key.public_key,
        "dnsValue": &key.dns_value,
        "created": date(key.created_ms),
    };
    let update = doc! { "$set": set, "$setOnInsert": { "_id": oid(key.id) } };
    let filter = doc! { "domain": &key.domain };
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

/// The key of a domain.
///
/// # Errors
/// `Unavailable`.
pub async fn find_by_domain(storage: &Storage, domain: &str) -> Result<Option<DkimKey>> {
    keys(storage)
        .find_one(doc! { "domain": domain })
        .await?
        .map(|found| read(storage, &found))
        .transpose()
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

/// Keys in order of domains, `after` or `before` one; at most `limit`. Those before come nearest
/// first.
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
    let (after, before) = (after.map(Bson::from), before.map(Bson::from));
    let collection = keys(storage);
    let found = find_around(&collection, matching(query), "domain", after, before, limit);
    found.await?.iter().map(|found| read(storage, found)).collect()
}

/// How many keys a listing shows.
///
/// # Errors
/// `Unavailable`.
pub async fn count(storage: &Storage, query: Option<&str>) -> Result<u64> {
    Ok(keys(storage).count_documents(matching(query)).await?)
}
