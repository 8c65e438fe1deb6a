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
//! | `acme`, `acmeDue`, `acmeError` | bool, date, text | by ACME; when next; why not the last time |
//! | `created` | date | |
//!
//! `privateKey` is sealed (`super::vault`). One that is still to be obtained has no `cert`.
//! Indexes: `{servername}` unique, `{altNames, expires}`, `{acmeDue}`. Read at each TLS handshake that names a
//! server.

use super::Storage;
use super::field::{date, get_id, get_ms, oid};
use super::listing::find_around;
use super::upsert::upsert;
use crate::model::error::Result;
use crate::model::id::ObjectId;
use crate::model::key::Certificate;
use bson::{Bson, Document, doc};
use mongodb::Collection;

fn certificates(storage: &Storage) -> Collection<Document> {
    storage.collection("certificates")
}

fn read(storage: &Storage, document: &Document) -> Result<Certificate> {
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
        private_key: storage.unseal(&place(&text("servername")), &text("privateKey"))?,
        is_acme: document.get_bool("acme").unwrap_or(false),
        created_ms: get_ms(document, "created"),
    })
}

/// Where a name's private key is sealed for.
fn place(server_name: &str) -> String {
    format!("cert:{server_name}")
}

fn fields(storage: &Storage, certificate: &Certificate) -> Result<Document> {
    let key = storage.seal(&place(&certificate.server_name), &certificate.private_key)?;
    Ok(doc! {
        "fingerprint": &certificate.fingerprint,
        "expires": date(certificate.expires_ms),
        "altNames": certificate.alt_names.clone(),
        "cert": &certificate.chain,
        "privateKey": key,
        "created": date(certificate.created_ms),
    })
}

/// Wishes for a certificate by ACME, at once; whether the name had one, which stays meanwhile.
///
/// # Errors
/// `Unavailable`.
pub async fn request(
    storage: &Storage,
    id: ObjectId,
    server_name: &str,
    description: Option<String>,
    now_ms: i64,
) -> Result<bool> {
    let update = doc! {
        "$set": { "description": description, "acme": true, "acmeDue": date(now_ms) },
        "$setOnInsert": { "_id": oid(id), "created": date(now_ms) },
    };
    let filter = doc! { "servername": server_name };
    upsert(&certificates(storage), filter, update).await
}

/// Takes a certificate that is due by ACME; it is due again at `again_ms`. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn claim(storage: &Storage, now_ms: i64, again_ms: i64) -> Result<Option<Certificate>> {
    let filter = doc! { "acmeDue": { "$lte": date(now_ms) } };
    let update = doc! { "$set": { "acmeDue": date(again_ms) } };
    let found = certificates(storage).find_one_and_update(filter, update).await?;
    found.map(|found| read(storage, &found)).transpose()
}

/// Stores what was obtained by ACME, unless the wish was taken back; it is due again at `due_ms`.
/// One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn renew(storage: &Storage, certificate: &Certificate, due_ms: i64) -> Result<()> {
    let mut set = fields(storage, certificate)?;
    set.insert("acmeDue", date(due_ms));
    let update = doc! { "$set": set, "$unset": { "acmeError": 1 } };
    let filter = doc! { "_id": oid(certificate.id), "acme": true };
    certificates(storage).update_one(filter, update).await?;
    Ok(())
}

/// Notes why a certificate was not obtained, for people: one round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn note_failure(storage: &Storage, id: ObjectId, reason: &str) -> Result<()> {
    let update = doc! { "$set": { "acmeError": reason } };
    certificates(storage).update_one(doc! { "_id": oid(id) }, update).await?;
    Ok(())
}

/// Stores a certificate in place of the name's one, whose id stays; whether there was one.
///
/// # Errors
/// `Unavailable`.
pub async fn put(storage: &Storage, certificate: &Certificate) -> Result<bool> {
    let mut set = fields(storage, certificate)?;
    set.insert("description", certificate.description.clone());
    set.insert("acme", false);
    let update = doc! {
        "$set": set,
        "$unset": { "acmeDue": 1, "acmeError": 1 },
        "$setOnInsert": { "_id": oid(certificate.id) },
    };
    let filter = doc! { "servername": &certificate.server_name };
    upsert(&certificates(storage), filter, update).await
}

/// One certificate.
///
/// # Errors
/// `Unavailable`.
pub async fn find(storage: &Storage, id: ObjectId) -> Result<Option<Certificate>> {
    let found = certificates(storage).find_one(doc! { "_id": oid(id) }).await?;
    found.map(|found| read(storage, &found)).transpose()
}

/// The certificate stored under exactly this name.
///
/// # Errors
/// `Unavailable`.
pub async fn find_by_name(storage: &Storage, name: &str) -> Result<Option<Certificate>> {
    let found = certificates(storage).find_one(doc! { "servername": name }).await?;
    found.map(|found| read(storage, &found)).transpose()
}

/// The certificate among whose names is one of these that lasts longest.
///
/// # Errors
/// `Unavailable`.
pub async fn find_by_alt_names(storage: &Storage, names: &[String]) -> Result<Option<Certificate>> {
    let filter = doc! { "altNames": { "$in": names } };
    let found = certificates(storage).find_one(filter).sort(doc! { "expires": -1 }).await?;
    found.map(|found| read(storage, &found)).transpose()
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
    found.await?.iter().map(|found| read(storage, found)).collect()
}

/// How many certificates a listing shows.
///
/// # Errors
/// `Unavailable`.
pub async fn count(storage: &Storage, listing: &CertificateListing) -> Result<u64> {
    Ok(certificates(storage).count_documents(listing.document()).await?)
}
