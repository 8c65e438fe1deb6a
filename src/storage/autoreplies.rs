//! What is answered to those who write while a user is away.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | id | shown by the API |
//! | `user` | id | whose; one each |
//! | `status` | bool | it is on; the user's document has `autoreply` with the same value |
//! | `name`, `subject`, `text`, `html` | text | may be empty |
//! | `start`, `end` | date | absent: no bound |
//! | `created` | date | when it was last set |
//!
//! Index: `{user}` unique.

use super::field::{date, get_id, get_ms, oid};
use super::{Storage, transaction};
use crate::model::error::{Error, Result};
use crate::model::filter::Autoreply;
use crate::model::id::{ObjectId, UserId};
use bson::{Document, doc};
use mongodb::Collection;

fn autoreplies(storage: &Storage) -> Collection<Document> {
    storage.collection("autoreplies")
}

fn read(document: &Document) -> Autoreply {
    let text = |name: &str| document.get_str(name).unwrap_or_default().to_owned();
    let bound = |name: &str| document.contains_key(name).then(|| get_ms(document, name));
    Autoreply {
        is_enabled: document.get_bool("status").unwrap_or(false),
        name: text("name"),
        subject: text("subject"),
        text: text("text"),
        html: text("html"),
        start_ms: bound("start"),
        end_ms: bound("end"),
        created_ms: get_ms(document, "created"),
    }
}

/// A user's autoreply: one round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn find(storage: &Storage, user: UserId) -> Result<Option<(ObjectId, Autoreply)>> {
    let found = autoreplies(storage).find_one(doc! { "user": oid(user) }).await?;
    found.map(|document| Ok((get_id(&document, "_id")?, read(&document)))).transpose()
}

/// Stores a user's autoreply in place of the one he has, and switches it in his document, in one
/// transaction of three round trips.
///
/// # Errors
/// `NotFound` user, `Unavailable`.
pub async fn put(
    storage: &Storage,
    user: UserId,
    new: ObjectId,
    autoreply: &Autoreply,
) -> Result<()> {
    let mut set = doc! {
        "status": autoreply.is_enabled,
        "name": &autoreply.name,
        "subject": &autoreply.subject,
        "text": &autoreply.text,
        "html": &autoreply.html,
        "created": date(autoreply.created_ms),
    };
    let mut unset = Document::new();
    for (name, bound) in [("start", autoreply.start_ms), ("end", autoreply.end_ms)] {
        match bound {
            Some(bound) => set.insert(name, date(bound)),
            None => unset.insert(name, 1),
        };
    }
    let mut change = doc! { "$set": set, "$setOnInsert": { "_id": oid(new) } };
    if !unset.is_empty() {
        change.insert("$unset", unset);
    }
    transaction::run!(storage, async |session| {
        let switch = doc! { "$set": { "autoreply": autoreply.is_enabled } };
        let users = storage.users();
        let owner = users.update_one(doc! { "_id": oid(user) }, switch).session(&mut *session);
        if owner.await?.matched_count == 0 {
            return Err(Error::NotFound { what: "user" });
        }
        let key = doc! { "user": oid(user) };
        let collection = autoreplies(storage);
        let update = collection.update_one(key, change.clone()).upsert(true);
        update.session(&mut *session).await?;
        Ok(())
    })
    .await
}

/// Removes a user's autoreply and switches it off.
///
/// # Errors
/// `Unavailable`.
pub async fn delete(storage: &Storage, user: UserId) -> Result<()> {
    let switch = doc! { "$set": { "autoreply": false } };
    storage.users().update_one(doc! { "_id": oid(user) }, switch).await?;
    autoreplies(storage).delete_one(doc! { "user": oid(user) }).await?;
    Ok(())
}
