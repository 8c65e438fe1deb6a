//! Failure reports for domains whose name was misused, until and after they are sent.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | id | the report |
//! | `domain` | text | of From |
//! | `to` | text | an address that the domain wants it at |
//! | `content` | binary | the message, RFC 6591 |
//! | `waiting` | true | it is to be sent; else absent |
//! | `refused` | true | nobody wants it there (RFC 7489 §7.1); else absent |
//! | `expires` | date | TTL |
//!
//! Indexes: `{waiting, _id}`, `{domain, _id}`. A few KB each, as many as the rate lets through.

use super::Storage;
use super::field::{binary, date, get_id, new_id, oid};
use crate::model::error::Result;
use crate::model::id::ObjectId;
use bson::{Document, doc};
use futures_util::TryStreamExt as _;
use mongodb::Collection;

/// One report to one address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FailureReport {
    /// Identifier.
    pub id: ObjectId,
    /// The domain of From.
    pub domain: String,
    /// Where it goes.
    pub to: String,
    /// The message.
    pub content: Vec<u8>,
    /// It is still to be sent.
    pub is_waiting: bool,
    /// Nobody wants it there.
    pub is_refused: bool,
}

fn reports(storage: &Storage) -> Collection<Document> {
    storage.collection("dmarc_failures")
}

fn read(document: &Document) -> Result<FailureReport> {
    let text = |name: &str| document.get_str(name).unwrap_or_default().to_owned();
    Ok(FailureReport {
        id: get_id(document, "_id")?,
        domain: text("domain"),
        to: text("to"),
        content: document.get_binary_generic("content").cloned().unwrap_or_default(),
        is_waiting: document.get_bool("waiting").unwrap_or(false),
        is_refused: document.get_bool("refused").unwrap_or(false),
    })
}

/// Keeps a report to be sent. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn insert(
    storage: &Storage,
    domain: &str,
    to: &str,
    content: Vec<u8>,
    expires_ms: i64,
) -> Result<()> {
    let id: ObjectId = new_id();
    let document = doc! {
        "_id": oid(id),
        "domain": domain,
        "to": to,
        "content": binary(content),
        "waiting": true,
        "expires": date(expires_ms),
    };
    reports(storage).insert_one(document).await?;
    Ok(())
}

/// The oldest that is to be sent. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn find_waiting(storage: &Storage) -> Result<Option<FailureReport>> {
    let order = doc! { "waiting": 1, "_id": 1 };
    let found = reports(storage).find_one(doc! { "waiting": true }).sort(order).await?;
    found.as_ref().map(read).transpose()
}

/// It was sent, or nobody wants it there. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn finish(storage: &Storage, id: ObjectId, is_refused: bool) -> Result<()> {
    let mut change = doc! { "$unset": { "waiting": "" } };
    if is_refused {
        change.insert("$set", doc! { "refused": true });
    }
    reports(storage).update_one(doc! { "_id": oid(id) }, change).await?;
    Ok(())
}

/// Those about a domain, newest first, at most so many. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn list(storage: &Storage, domain: &str, max: i64) -> Result<Vec<FailureReport>> {
    let order = doc! { "domain": 1, "_id": -1 };
    let found = reports(storage).find(doc! { "domain": domain }).sort(order).limit(max).await?;
    let documents: Vec<Document> = found.try_collect().await?;
    documents.iter().map(read).collect()
}
