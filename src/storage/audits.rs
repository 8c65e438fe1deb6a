//! Audits and the copies they hold.
//!
//! `audits`: `_id`, `user`, `start`, `end`, `expires` (dates; bounds may be absent), `notes`, `meta`
//! (JSON text), `deletedTime` (date, once the copies are gone), `import` `{status, copied, failed}`,
//! `audited` int64, `lastAuditedMessage` date.
//!
//! `audit_messages`, one per copy:
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id`, `audit` | id | |
//! | `source` | id | the message; unique in the audit, so that nothing is copied twice |
//! | `content`, `octets` | hash, int64 | holds a count of the content: it outlives the message |
//! | `prefix` | binary | trace header |
//! | `date` | date | internal date |
//! | `mailbox`, `subject` | text | |
//! | `draft` | bool | |
//! | `addresses` | list of text | |
//!
//! Indexes: `audits` `{user, expires}`, `{import.status}` partial, `{expires}`; `audit_messages`
//! `{audit, source}` unique, `{audit, _id}`. The user's document has `auditedUntil`, so that
//! delivery asks only for users who are audited.

use super::error::is_duplicate;
use super::field::{binary, date, get_count, get_hash, get_id, get_ms, hash, int, oid};
use super::{Storage, transaction};
use crate::model::audit::{Audit, AuditedMessage, ImportStatus};
use crate::model::error::{Error, Result};
use crate::model::id::{ContentHash, ObjectId, UserId};
use crate::model::message::TimeMs;
use bson::{Bson, Document, doc};
use futures_util::TryStreamExt as _;
use mongodb::Collection;
use mongodb::options::ReturnDocument;

fn audits(storage: &Storage) -> Collection<Document> {
    storage.collection("audits")
}

fn copies(storage: &Storage) -> Collection<Document> {
    storage.collection("audit_messages")
}

fn read(document: &Document) -> Result<Audit> {
    let moment = |name: &str| document.contains_key(name).then(|| get_ms(document, name));
    let text = |name: &str| document.get_str(name).ok().map(str::to_owned);
    let empty = Document::new();
    let import = document.get_document("import").unwrap_or(&empty);
    let status = import.get_str("status").ok().and_then(ImportStatus::from_name);
    Ok(Audit {
        id: get_id(document, "_id")?,
        user: get_id(document, "user")?,
        start_ms: moment("start"),
        end_ms: moment("end"),
        expires_ms: get_ms(document, "expires"),
        notes: text("notes"),
        meta: text("meta"),
        deleted_ms: moment("deletedTime"),
        import_status: status.unwrap_or(ImportStatus::Imported),
        copied: get_count(import, "copied"),
        failed: get_count(import, "failed"),
        audited: get_count(document, "audited"),
        last_ms: moment("lastAuditedMessage"),
    })
}

/// Stores a new audit and tells delivery of it, in one transaction.
///
/// # Errors
/// `NotFound` user, `Unavailable`.
pub async fn insert(storage: &Storage, audit: &Audit) -> Result<()> {
    let mut document = doc! {
        "_id": oid(audit.id),
        "user": oid(audit.user),
        "expires": date(audit.expires_ms),
        "import": { "status": audit.import_status.name(), "copied": 0_i64, "failed": 0_i64 },
        "audited": 0_i64,
    };
    for (name, moment) in [("start", audit.start_ms), ("end", audit.end_ms)] {
        document.extend(moment.map(|moment| (name.to_owned(), date(moment))));
    }
    for (name, text) in [("notes", &audit.notes), ("meta", &audit.meta)] {
        document.extend(text.as_ref().map(|text| (name.to_owned(), Bson::from(text))));
    }
    transaction::run!(storage, async |session| {
        let later = doc! { "$max": { "auditedUntil": date(audit.active_until()) } };
        let users = storage.users();
        let owner = users.update_one(doc! { "_id": oid(audit.user) }, later).session(&mut *session);
        if owner.await?.matched_count == 0 {
            return Err(Error::NotFound { what: "user" });
        }
        audits(storage).insert_one(document.clone()).session(&mut *session).await?;
        Ok(())
    })
    .await
}

/// One audit.
///
/// # Errors
/// `Unavailable`.
pub async fn find(storage: &Storage, audit: ObjectId) -> Result<Option<Audit>> {
    audits(storage).find_one(doc! { "_id": oid(audit) }).await?.as_ref().map(read).transpose()
}

/// The audits of a user that copy a message of now.
///
/// # Errors
/// `Unavailable`.
pub async fn list_active(storage: &Storage, user: UserId, now: TimeMs) -> Result<Vec<Audit>> {
    let filter = doc! { "user": oid(user), "expires": { "$gt": date(now) } };
    let documents: Vec<Document> = audits(storage).find(filter).await?.try_collect().await?;
    let mut found = Vec::new();
    for document in &documents {
        let audit = read(document)?;
        if audit.covers(now) && audit.deleted_ms.is_none() {
            found.push(audit);
        }
    }
    Ok(found)
}

/// Stores a copy. `false`: it is there already. The caller holds the content for it.
///
/// # Errors
/// `Unavailable`.
pub async fn add(
    storage: &Storage,
    audit: ObjectId,
    copy: &AuditedMessage,
    now: TimeMs,
    is_import: bool,
) -> Result<bool> {
    let document = doc! {
        "_id": oid(copy.id),
        "audit": oid(audit),
        "source": oid(copy.source),
        "content": hash(&copy.content),
        "octets": int(copy.content_octets),
        "prefix": binary(copy.prefix.clone()),
        "date": date(copy.date_ms),
        "mailbox": &copy.mailbox,
        "draft": copy.is_draft,
        "subject": &copy.subject,
        "addresses": copy.addresses.clone(),
    };
    match copies(storage).insert_one(document).await {
        Ok(_) => {}
        Err(error) if is_duplicate(&error) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    let mut counts = doc! { "audited": 1_i64 };
    if is_import {
        counts.insert("import.copied", 1_i64);
    }
    let change = doc! { "$inc": counts, "$max": { "lastAuditedMessage": date(now) } };
    audits(storage).update_one(doc! { "_id": oid(audit) }, change).await?;
    Ok(true)
}

/// The oldest audit whose import has not ended, which begins or goes on with this.
///
/// # Errors
/// `Unavailable`.
pub async fn next_import(storage: &Storage) -> Result<Option<Audit>> {
    let open = [ImportStatus::Queued.name(), ImportStatus::Importing.name()];
    let filter = doc! { "import.status": { "$in": open.to_vec() } };
    let begin = doc! { "$set": { "import.status": ImportStatus::Importing.name() } };
    let collection = audits(storage);
    let update = collection.find_one_and_update(filter, begin).sort(doc! { "_id": 1 });
    let found = update.return_document(ReturnDocument::After).await?;
    found.as_ref().map(read).transpose()
}

/// Ends an import.
///
/// # Errors
/// `Unavailable`.
pub async fn end_import(storage: &Storage, audit: ObjectId, failed: u64) -> Result<()> {
    let end = doc! { "import.status": ImportStatus::Imported.name(), "import.failed": int(failed) };
    audits(storage).update_one(doc! { "_id": oid(audit) }, doc! { "$set": end }).await?;
    Ok(())
}

/// An audit whose copies are to be deleted.
///
/// # Errors
/// `Unavailable`.
pub async fn next_expired(storage: &Storage, now: TimeMs) -> Result<Option<Audit>> {
    let filter = doc! { "expires": { "$lte": date(now) }, "deletedTime": { "$exists": false } };
    let found = audits(storage).find_one(filter).sort(doc! { "expires": 1 }).await?;
    found.as_ref().map(read).transpose()
}

/// Deletes some copies of an audit; the contents they held, which the caller releases.
///
/// # Errors
/// `Unavailable`; contents may be held for ever then, never too short.
pub async fn delete_some(
    storage: &Storage,
    audit: ObjectId,
    limit: i64,
) -> Result<Vec<ContentHash>> {
    let collection = copies(storage);
    let found = collection.find(doc! { "audit": oid(audit) }).projection(doc! { "content": 1 });
    let documents: Vec<Document> = found.limit(limit).await?.try_collect().await?;
    let mut contents = Vec::with_capacity(documents.len());
    for document in &documents {
        let key = doc! { "_id": document.get_object_id("_id").ok() };
        if collection.delete_one(key).await?.deleted_count > 0 {
            contents.push(get_hash(document, "content")?);
        }
    }
    Ok(contents)
}

/// Notes that the copies of an audit are gone.
///
/// # Errors
/// `Unavailable`.
pub async fn set_deleted(storage: &Storage, audit: ObjectId, now: TimeMs) -> Result<()> {
    let change = doc! { "$set": { "deletedTime": date(now) } };
    audits(storage).update_one(doc! { "_id": oid(audit) }, change).await?;
    Ok(())
}

/// Copies in the order they were made, beyond one of them.
///
/// # Errors
/// `Unavailable`.
pub async fn page(
    storage: &Storage,
    audit: ObjectId,
    after: Option<ObjectId>,
    limit: i64,
) -> Result<Vec<AuditedMessage>> {
    let mut filter = doc! { "audit": oid(audit) };
    if let Some(after) = after {
        filter.insert("_id", doc! { "$gt": oid(after) });
    }
    let order = doc! { "audit": 1, "_id": 1 };
    let found = copies(storage).find(filter).sort(order).limit(limit).await?;
    let documents: Vec<Document> = found.try_collect().await?;
    documents.iter().map(read_copy).collect()
}

fn read_copy(document: &Document) -> Result<AuditedMessage> {
    let text = |name: &str| document.get_str(name).unwrap_or_default().to_owned();
    let addresses = document.get_array("addresses").map(Vec::as_slice).unwrap_or_default();
    Ok(AuditedMessage {
        id: get_id(document, "_id")?,
        source: get_id(document, "source")?,
        content: get_hash(document, "content")?,
        content_octets: get_count(document, "octets"),
        prefix: document.get_binary_generic("prefix").cloned().unwrap_or_default(),
        date_ms: get_ms(document, "date"),
        mailbox: text("mailbox"),
        is_draft: document.get_bool("draft").unwrap_or(false),
        subject: text("subject"),
        addresses: addresses.iter().filter_map(|a| a.as_str().map(str::to_owned)).collect(),
    })
}
