//! Addresses of users, and addresses that only forward.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | id | the address |
//! | `user` | id, absent | whose mail it receives; absent: it only forwards |
//! | `address` | text | as given; may be a pattern with one `*` |
//! | `addrview` | text | lookup form: lowercase, no dots in the local part; unique |
//! | `name` | text | for people |
//! | `tags`, `tagsview` | list of text | as given; lowercase for filters |
//! | `metaData`, `internalData` | text | JSON of the owner, of the operator |
//! | `targets` | list of `{type, value}` | where to; only without `user` |
//! | `forwards` | int64 | forwards in 24 hours, 0 is the default; only without `user` |
//! | `autoreply` | `{status, name, subject, text, html, start, end, created}` | only without `user` |
//! | `forwardedDisabled` | bool | nothing is forwarded; only without `user` |
//! | `created` | date | |
//!
//! Indexes: `{addrview}` unique, `{user, addrview}`. A few a person, 300 octets each. Written by `directory`.

use super::Storage;
use super::error::exists;
use super::field::{get_id, id_of, oid};
use super::listing::find_around;
use super::record::forward;
use super::users::lowercase;
use crate::model::error::{Error, Result};
use crate::model::id::{AddressId, UserId};
use crate::model::profile::{AddressEntry, AddressUpdate};
use bson::{Bson, DateTime, Document, doc};
use futures_util::TryStreamExt as _;
use mongodb::ClientSession;

pub(super) fn read(document: &Document) -> Result<AddressEntry> {
    let text = |key: &str| document.get_str(key).unwrap_or_default().to_owned();
    let maybe = |key: &str| document.get_str(key).ok().map(str::to_owned);
    let tags = document.get_array("tags").map(Vec::as_slice).unwrap_or_default();
    Ok(AddressEntry {
        id: get_id(document, "_id")?,
        user: document.get_object_id("user").ok().map(id_of),
        forwarding: forward::read(document),
        address: text("address"),
        lookup: text("addrview"),
        name: text("name"),
        tags: tags.iter().filter_map(|tag| tag.as_str().map(str::to_owned)).collect(),
        meta_data: maybe("metaData"),
        internal_data: maybe("internalData"),
        created_ms: document.get_datetime("created").map_or(0, |date| date.timestamp_millis()),
    })
}

/// An entry as its owner has it: of this user, or of none.
fn owned(entry: &AddressEntry) -> Document {
    let mut filter = doc! { "_id": oid(entry.id) };
    match entry.user {
        Some(user) => filter.insert("user", oid(user)),
        None => filter.insert("user", doc! { "$exists": false }),
    };
    filter
}

/// Inserts an address inside a transaction.
///
/// # Errors
/// `AlreadyExists` address, `Unavailable`.
pub async fn insert(
    storage: &Storage,
    session: &mut ClientSession,
    entry: &AddressEntry,
) -> Result<()> {
    let mut document = doc! {
        "_id": oid(entry.id),
        "address": &entry.address,
        "addrview": &entry.lookup,
        "name": &entry.name,
        "tags": entry.tags.clone(),
        "tagsview": lowercase(&entry.tags),
        "created": DateTime::from_millis(entry.created_ms),
    };
    if let Some(user) = entry.user {
        document.insert("user", oid(user));
    }
    if let Some(forwarding) = &entry.forwarding {
        document.extend(forward::fields(forwarding));
    }
    for (key, value) in [("metaData", &entry.meta_data), ("internalData", &entry.internal_data)] {
        if let Some(value) = value {
            document.insert(key, value);
        }
    }
    let inserted = storage.addresses().insert_one(document).session(session).await;
    exists(inserted.map(|_| ()).map_err(Error::from), "address")
}

/// The addresses with these lookup forms, in no order: one round trip.
///
/// # Errors
/// `Unavailable`; `Internal` for a document that cannot be read.
pub async fn find_by_lookup(storage: &Storage, forms: &[String]) -> Result<Vec<AddressEntry>> {
    let filter = doc! { "addrview": { "$in": forms } };
    let found = storage.addresses().find(filter).await?;
    let documents: Vec<Document> = found.try_collect().await?;
    documents.iter().map(read).collect()
}

/// One address of a user: one round trip.
///
/// # Errors
/// `Unavailable`; `Internal` for a document that cannot be read.
pub async fn find(
    storage: &Storage,
    user: UserId,
    address: AddressId,
) -> Result<Option<AddressEntry>> {
    let filter = doc! { "_id": oid(address), "user": oid(user) };
    storage.addresses().find_one(filter).await?.as_ref().map(read).transpose()
}

/// One address, whoever has it: one round trip.
///
/// # Errors
/// `Unavailable`; `Internal` for a document that cannot be read.
pub async fn find_any(storage: &Storage, address: AddressId) -> Result<Option<AddressEntry>> {
    let filter = doc! { "_id": oid(address) };
    storage.addresses().find_one(filter).await?.as_ref().map(read).transpose()
}

/// All addresses of a user in order of lookup forms: one round trip.
///
/// # Errors
/// `Unavailable`; `Internal` for a document that cannot be read.
pub async fn list_of_user(
    storage: &Storage,
    user: UserId,
    limit: i64,
) -> Result<Vec<AddressEntry>> {
    let filter = doc! { "user": oid(user) };
    let found = storage.addresses().find(filter).sort(doc! { "addrview": 1 }).limit(limit).await?;
    let documents: Vec<Document> = found.try_collect().await?;
    documents.iter().map(read).collect()
}

/// Which addresses a listing shows.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct AddressFilter {
    /// A substring of the address.
    pub query: Option<String>,
    /// Any of these tags, lowercase.
    pub tags: Vec<String>,
    /// All of these tags, lowercase.
    pub required_tags: Vec<String>,
    /// A substring of a target of forwarding.
    pub forward: Option<String>,
    /// Only those of this user.
    pub only: Option<UserId>,
}

impl AddressFilter {
    fn document(&self) -> Document {
        let mut filter = Document::new();
        if let Some(only) = self.only {
            filter.insert("user", oid(only));
        }
        if let Some(query) = &self.query {
            let pattern = super::regex::escape(query);
            filter.insert("address", doc! { "$regex": pattern, "$options": "i" });
        }
        if let Some(forward) = &self.forward {
            let pattern = super::regex::escape(forward);
            filter.insert("targets.value", doc! { "$regex": pattern, "$options": "i" });
        }
        super::regex::add_tags(&mut filter, &self.tags, &self.required_tags);
        filter
    }
}

/// Rows of a listing in order of lookup forms, `after` or `before` one; at most `limit`.
/// Those before come nearest first. One round trip.
///
/// # Errors
/// `Unavailable`; `Internal` for a document that cannot be read.
pub async fn list(
    storage: &Storage,
    filter: &AddressFilter,
    after: Option<&str>,
    before: Option<&str>,
    limit: i64,
) -> Result<Vec<AddressEntry>> {
    let (after, before) = (after.map(Bson::from), before.map(Bson::from));
    let (addresses, filter) = (storage.addresses(), filter.document());
    let documents = find_around(&addresses, filter, "addrview", after, before, limit).await?;
    documents.iter().map(read).collect()
}

/// How many addresses a filter shows; without a filter the collection knows, and none is counted.
///
/// # Errors
/// `Unavailable`.
pub async fn count(storage: &Storage, filter: &AddressFilter) -> Result<u64> {
    let filter = filter.document();
    if filter.is_empty() {
        return Ok(storage.addresses().estimated_document_count().await?);
    }
    Ok(storage.addresses().count_documents(filter).await?)
}

/// Changes an address inside a transaction; `renamed` is the new address with its lookup form.
///
/// # Errors
/// `NotFound` or `AlreadyExists` address, `Unavailable`.
pub async fn update(
    storage: &Storage,
    session: &mut ClientSession,
    entry: &AddressEntry,
    update: &AddressUpdate,
    renamed: Option<(&str, &str)>,
) -> Result<()> {
    let mut set = Document::new();
    for (key, value) in [
        ("name", &update.name),
        ("metaData", &update.meta_data),
        ("internalData", &update.internal_data),
    ] {
        if let Some(value) = value {
            set.insert(key, value);
        }
    }
    if let Some(tags) = &update.tags {
        set.insert("tags", tags.clone());
        set.insert("tagsview", lowercase(tags));
    }
    if let Some((address, lookup)) = renamed {
        set.insert("address", address);
        set.insert("addrview", lookup);
    }
    if let Some(forwarding) = &update.forwarding {
        set.extend(forward::fields(forwarding));
    }
    if set.is_empty() {
        return Ok(());
    }
    let addresses = storage.addresses();
    let updated = addresses.update_one(owned(entry), doc! { "$set": set }).session(session).await;
    let updated = exists(updated.map_err(Error::from), "address")?;
    if updated.matched_count == 0 {
        return Err(Error::NotFound { what: "address" });
    }
    Ok(())
}

/// Removes an address as its owner has it; whether there was one.
///
/// # Errors
/// `Unavailable`.
pub async fn delete(
    storage: &Storage,
    session: &mut ClientSession,
    entry: &AddressEntry,
) -> Result<bool> {
    let deleted = storage.addresses().delete_one(owned(entry)).session(session).await?;
    Ok(deleted.deleted_count > 0)
}

/// Addresses at a domain in order of lookup forms, behind one; at most `limit`. All addresses are
/// looked through: for operators' rare work.
///
/// # Errors
/// `Unavailable`; `Internal` for a document that cannot be read.
pub async fn list_of_domain(
    storage: &Storage,
    domain: &str,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<AddressEntry>> {
    let pattern = format!("@{}$", super::regex::escape(domain));
    let filter = doc! { "addrview": { "$regex": pattern } };
    let addresses = storage.addresses();
    let after = after.map(Bson::from);
    let documents = find_around(&addresses, filter, "addrview", after, None, limit).await?;
    documents.iter().map(read).collect()
}
