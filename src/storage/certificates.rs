//! Certificates by the name clients ask for.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | id | |
//! | `servername` | text | lowercase |
//! | `description` | text | |
//! | `fingerprint` | text | SHA-256 of the certificate; also tells nodes that it changed |
//! | `expires` | date | |
//! | `altNames` | list of text | all names it is for, with `*.parent` ones |
//! | `cert`, `privateKey` | text | PEM; the chain, leaf first |
//! | `created` | date | |
//!
//! Indexes: `{servername}` unique, `{altNames, expires}`. Read at each TLS handshake that names a
//! server.

use super::Storage;
use super::field::{date, get_id, get_ms, oid};
use super::listing::find_around;
use crate::model::error::Result;
use crate::model::id::ObjectId;
use crate::model::key::Certificate;
use bson::{Bson, Document, doc};
use mongodb::Collection;

fn certificates(storage: &Storage) -> Collection<Document> {
    storage.collection("certificates")
}

fn read(document: &Document) -> Result<Certificate> {
    let text = |name: &str| document.get_str(name).unwrap_or_default().to_owned();
    let names = document.get_array("altNames").map(Vec::as_slice).unwrap_or_default();
    Ok(Certificate {
        id: get_id(document, "_id")?,
        server_name: text("servername"),
        description: document.get_str("description").ok().map(str::to_owned),
        fingerprint: text("fingerprint"),
        expires_ms: get_ms(document, "expires"),
        alt_names: names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect(),
        chain: text("cert"),
        private_key: text("privateKey"),
        created_ms: get_ms(document, "created"),
    })
}

/// Stores a certificate in place of the name's one, whose id stays; whether there was one.
///
/// # Errors
/// `Unavailable`.
pub async fn put(storage: &Storage, certificate: &Certificate) -> Result<bool> {
    let set = doc! {
        "description": certificate.description.clone(),
        "fingerprint": &certificate.fingerprint,
        "expires": date(certificate.expires_ms),
        "altNames": certificate.alt_names.clone(),
        "cert": &certificate.chain,
        "privateKey": &certificate.private_key,
        "created": date(certificate.created_ms),
    };
    let update = doc! { "$set": set, "$setOnInsert": { "_id": oid(certificate.id) } };
    let filter = doc! { "servername": &certificate.server_name };
    Ok(certificates(storage).update_one(filter, update).upsert(true).await?.matched_count > 0)
}

/// One certificate.
///
/// # Errors
/// `Unavailable`.
pub async fn find(storage: &Storage, id: ObjectId) -> Result<Option<Certificate>> {
    certificates(storage).find_one(doc! { "_id": oid(id) }).await?.as_ref().map(read).transpose()
}

/// The certificate stored under exactly this name.
///
/// # Errors
/// `Unavailable`.
pub async fn find_by_name(storage: &Storage, name: &str) -> Result<Option<Certificate>> {
    let found = certificates(storage).find_one(doc! { "servername": name }).await?;
    found.as_ref().map(read).transpose()
}

/// The certificate among whose names is one of these that lasts longest.
///
/// # Errors
/// `Unavailable`.
pub async fn find_by_alt_names(storage: &Storage, names: &[String]) -> Result<Option<Certificate>> {
    let filter = doc! { "altNames": { "$in": names } };
    let found = certificates(storage).find_one(filter).sort(doc! { "expires": -1 }).await?;
    found.as_ref().map(read).transpose()
}

/// Removes a certificate; whether it was there.
///
/// # Errors
/// `Unavailable`.
pub async fn delete(storage: &Storage, id: ObjectId) -> Result<bool> {
    Ok(certificates(storage).delete_one(doc! { "_id": oid(id) }).await?.deleted_count > 0)
}

/// Which certificates a listing shows.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct CertificateListing {
    /// Part of the name, lowercase.
    pub query: Option<String>,
    /// The other names count, too.
    pub with_alt_names: bool,
}

impl CertificateListing {
    fn document(&self) -> Document {
        let Some(query) = &self.query else { return doc! {} };
        let part = doc! { "$regex": super::regex::escape(query) };
        if !self.with_alt_names {
            return doc! { "servername": part };
        }
        let mut either = vec![doc! { "servername": part.clone() }, doc! { "altNames": part }];
        if let Some((_, parent)) = query.split_once('.') {
            either.push(doc! { "altNames": format!("*.{parent}") });
        }
        doc! { "$or": either }
    }
}

/// Certificates in order of names, `after` or `before` one; at most `limit`. Those before come
/// nearest first.
///
/// # Errors
/// `Unavailable`.
pub async fn list(
    storage: &Storage,
    listing: &CertificateListing,
    after: Option<&str>,
    before: Option<&str>,
    limit: i64,
) -> Result<Vec<Certificate>> {
    let (after, before) = (after.map(Bson::from), before.map(Bson::from));
    let collection = certificates(storage);
    let found = find_around(&collection, listing.document(), "servername", after, before, limit);
    found.await?.iter().map(read).collect()
}

/// How many certificates a listing shows.
///
/// # Errors
/// `Unavailable`.
pub async fn count(storage: &Storage, listing: &CertificateListing) -> Result<u64> {
    Ok(certificates(storage).count_documents(listing.document()).await?)
}
