//! Users' rules for arriving messages.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | id | rules are evaluated in this order |
//! | `user` | id | whose |
//! | `name` | text | for people, may be empty |
//! | `query` | document | `from`, `to`, `subject`, `listId`, `text` text; `ha` bool; `size` int64 |
//! | `action` | document | `seen`, `flag`, `delete`, `spam` bool; `mailbox` id; `targets` ([`super::target`]) |
//! | `disabled` | bool | not evaluated |
//! | `metaData` | text | JSON of the owner |
//! | `created` | date | |
//!
//! Index: `{user, _id}`. A few a user, 300 octets each; read at each delivery.

use super::Storage;
use super::field::{date, get_id, get_int, get_ms, oid};
use super::listing::find_around;
use super::target::{get_targets, targets};
use crate::model::error::{Error, Result};
use crate::model::filter::{Filter, FilterAction, FilterQuery};
use crate::model::id::{MailboxId, ObjectId, UserId};
use bson::{Bson, Document, doc};
use futures_util::TryStreamExt as _;
use mongodb::Collection;

fn filters(storage: &Storage) -> Collection<Document> {
    storage.collection("filters")
}

fn write(filter: &Filter) -> Document {
    let FilterQuery { from, to, subject, list_id, text, has_attachments, size } = &filter.query;
    let mut query = Document::new();
    for (name, value) in
        [("from", from), ("to", to), ("subject", subject), ("listId", list_id), ("text", text)]
    {
        query.extend(value.as_ref().map(|value| (name.to_owned(), Bson::from(value))));
    }
    query.extend(has_attachments.map(|value| ("ha".to_owned(), Bson::from(value))));
    query.extend(size.map(|value| ("size".to_owned(), Bson::from(value))));
    let FilterAction { seen, flag, delete, spam, mailbox, targets: to } = &filter.action;
    let mut action = Document::new();
    for (name, value) in [("seen", seen), ("flag", flag), ("delete", delete), ("spam", spam)] {
        action.extend(value.map(|value| (name.to_owned(), Bson::from(value))));
    }
    action.extend(mailbox.map(|mailbox| ("mailbox".to_owned(), Bson::from(oid(mailbox)))));
    if !to.is_empty() {
        action.insert("targets", targets(to));
    }
    let mut document = doc! {
        "_id": oid(filter.id),
        "user": oid(filter.user),
        "name": &filter.name,
        "query": query,
        "action": action,
        "disabled": filter.is_disabled,
        "created": date(filter.created_ms),
    };
    if let Some(meta) = &filter.meta_data {
        document.insert("metaData", meta);
    }
    document
}

fn read(document: &Document) -> Result<Filter> {
    let empty = Document::new();
    let query = document.get_document("query").unwrap_or(&empty);
    let action = document.get_document("action").unwrap_or(&empty);
    let text = |name: &str| query.get_str(name).ok().map(str::to_owned);
    let flag = |name: &str| action.get_bool(name).ok();
    Ok(Filter {
        id: get_id(document, "_id")?,
        user: get_id(document, "user")?,
        name: document.get_str("name").unwrap_or_default().to_owned(),
        query: FilterQuery {
            from: text("from"),
            to: text("to"),
            subject: text("subject"),
            list_id: text("listId"),
            text: text("text"),
            has_attachments: query.get_bool("ha").ok(),
            size: query.contains_key("size").then(|| get_int(query, "size")),
        },
        action: FilterAction {
            seen: flag("seen"),
            flag: flag("flag"),
            delete: flag("delete"),
            spam: flag("spam"),
            mailbox: get_id(action, "mailbox").ok(),
            targets: get_targets(action, "targets"),
        },
        is_disabled: document.get_bool("disabled").unwrap_or(false),
        meta_data: document.get_str("metaData").ok().map(str::to_owned),
        created_ms: get_ms(document, "created"),
    })
}

fn of_user(user: UserId, filter: ObjectId) -> Document {
    doc! { "_id": oid(filter), "user": oid(user) }
}

/// Stores a new rule, after its user has lost the mark of those who never had any: two round trips.
///
/// # Errors
/// `Unavailable`.
pub async fn insert(storage: &Storage, filter: &Filter) -> Result<()> {
    let marked = doc! { "_id": oid(filter.user), "filterless": true };
    storage.users().update_one(marked, doc! { "$unset": { "filterless": 1 } }).await?;
    filters(storage).insert_one(write(filter)).await?;
    Ok(())
}

/// Switches off the rules that file into a mailbox, which is gone: one round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn disable_of_mailbox(storage: &Storage, user: UserId, mailbox: MailboxId) -> Result<()> {
    let filter = doc! { "user": oid(user), "action.mailbox": oid(mailbox) };
    let set = doc! { "$set": { "disabled": true } };
    filters(storage).update_many(filter, set).await?;
    Ok(())
}

/// Puts a rule in the place of the one with its id and user: one round trip.
///
/// # Errors
/// `NotFound` filter, `Unavailable`.
pub async fn replace(storage: &Storage, filter: &Filter) -> Result<()> {
    let key = of_user(filter.user, filter.id);
    let result = filters(storage).replace_one(key, write(filter)).await?;
    if result.matched_count == 0 {
        return Err(Error::NotFound { what: "filter" });
    }
    Ok(())
}

/// One rule of a user: one round trip.
///
/// # Errors
/// `Unavailable`; `Internal` for a document that cannot be read.
pub async fn find(storage: &Storage, user: UserId, filter: ObjectId) -> Result<Option<Filter>> {
    let found = filters(storage).find_one(of_user(user, filter)).await?;
    found.as_ref().map(read).transpose()
}

/// Removes a rule; whether it was there.
///
/// # Errors
/// `Unavailable`.
pub async fn delete(storage: &Storage, user: UserId, filter: ObjectId) -> Result<bool> {
    Ok(filters(storage).delete_one(of_user(user, filter)).await?.deleted_count > 0)
}

/// All rules of a user in their order, at most `limit`: one round trip.
///
/// # Errors
/// `Unavailable`; `Internal` for a document that cannot be read.
pub async fn list_of_user(storage: &Storage, user: UserId, limit: i64) -> Result<Vec<Filter>> {
    let key = doc! { "user": oid(user) };
    let found = filters(storage).find(key).sort(doc! { "user": 1, "_id": 1 }).limit(limit).await?;
    let documents: Vec<Document> = found.try_collect().await?;
    documents.iter().map(read).collect()
}

/// Which rules a listing of all users shows.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct FilterListing {
    /// Part of a target.
    pub forward: Option<String>,
    /// Only of this user.
    pub only: Option<UserId>,
}

impl FilterListing {
    fn document(&self) -> Document {
        let mut filter = Document::new();
        if let Some(user) = self.only {
            filter.insert("user", oid(user));
        }
        if let Some(forward) = &self.forward {
            let pattern = super::regex::escape(forward);
            let part = doc! { "$regex": pattern, "$options": "i" };
            filter.insert("action.targets.value", part);
        }
        filter
    }
}

/// Rules of all users in order of their ids, `after` or `before` one; at most `limit`.
/// Those before come nearest first. One round trip.
///
/// # Errors
/// `Unavailable`; `Internal` for a document that cannot be read.
pub async fn list(
    storage: &Storage,
    listing: &FilterListing,
    after: Option<ObjectId>,
    before: Option<ObjectId>,
    limit: i64,
) -> Result<Vec<Filter>> {
    let (after, before) = (after.map(oid).map(Bson::from), before.map(oid).map(Bson::from));
    let collection = filters(storage);
    let found = find_around(&collection, listing.document(), "_id", after, before, limit).await?;
    found.iter().map(read).collect()
}

/// How many rules a listing shows.
///
/// # Errors
/// `Unavailable`.
pub async fn count(storage: &Storage, listing: &FilterListing) -> Result<u64> {
    Ok(filters(storage).count_documents(listing.document()).await?)
}
