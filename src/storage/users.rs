//! Users.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | id | the user |
//! | `username`, `unameview` | text | login name as given; lookup form (lowercase, no dots before `@`), unique |
//! | `address` | text | main address, empty if none |
//! | `name`, `language` | text | for people |
//! | `password` | text | hash; empty: cannot log in |
//! | `temp_password` | `{password, valid_after, created}` | a second one for a day, after a reset |
//! | `password_change` | date | when it was last set |
//! | `auth_version` | int64 | grows with every change that ends tokens |
//! | `quota`, `storageUsed` | int64, octets | 0 is no limit; `storageUsed` moves in `mailstore`'s transactions |
//! | `retention`, limits | int64 | ms; numbers, 0 is the default |
//! | `tags`, `tagsview` | list of text | as given; lowercase for filters |
//! | `metaData`, `internalData` | text | JSON of the owner |
//! | `disabled`, `suspended`, `activated` | bool | may not receive or log in; may not log in; complete |
//! | `created`, `lastLogin` | date | |
//!
//! One a person: 1 to 2 KB. Written by `directory` and, upgrading hashes, by `auth`.

use super::Storage;
use super::error::{exists, unreadable};
use super::field::{id_of, oid};
use crate::model::error::{Error, Result};
use crate::model::id::UserId;
use crate::model::user::User;
use bson::oid::ObjectId;
use bson::{DateTime, Document, doc};
use futures_util::TryStreamExt as _;
use mongodb::ClientSession;
use serde::{Deserialize, Serialize};

/// A password that works for a day beside the real one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TempPassword {
    /// Hash.
    pub password: String,
    /// Does not work before.
    pub valid_after: DateTime,
    /// When it was made.
    pub created: DateTime,
}

/// A user's document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "the document has them")]
#[allow(missing_docs, reason = "the table above says it")]
pub struct UserRecord {
    #[serde(rename = "_id")]
    pub id: ObjectId,
    pub username: String,
    pub unameview: String,
    #[serde(default)]
    pub address: String,
    #[serde(default)]
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    #[serde(default)]
    pub password: String,
    #[serde(rename = "temp_password", default, skip_serializing_if = "Option::is_none")]
    pub temp_password: Option<TempPassword>,
    #[serde(rename = "password_change", default, skip_serializing_if = "Option::is_none")]
    pub password_change: Option<DateTime>,
    #[serde(rename = "auth_version", default)]
    pub auth_version: i64,
    #[serde(default)]
    pub quota: i64,
    #[serde(default)]
    pub storage_used: i64,
    #[serde(default)]
    pub retention: i64,
    #[serde(default = "fifty")]
    pub spam_level: i64,
    #[serde(default)]
    pub recipients: i64,
    #[serde(default)]
    pub forwards: i64,
    #[serde(default)]
    pub filters: i64,
    #[serde(default)]
    pub received_max: i64,
    #[serde(default)]
    pub imap_max_upload: i64,
    #[serde(default)]
    pub imap_max_download: i64,
    #[serde(default)]
    pub imap_max_connections: i64,
    #[serde(default)]
    pub pop3_max_download: i64,
    #[serde(default)]
    pub pop3_max_messages: i64,
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(default)]
    pub tagsview: Vec<String>,
    #[serde(default)]
    pub from_whitelist: Vec<String>,
    #[serde(default)]
    pub disabled_scopes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta_data: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internal_data: Option<String>,
    #[serde(default)]
    pub upload_sent_messages: bool,
    #[serde(default)]
    pub require_2fa_enabled: bool,
    #[serde(default)]
    pub activated: bool,
    #[serde(default)]
    pub disabled: bool,
    #[serde(default)]
    pub suspended: bool,
    pub created: DateTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_login: Option<DateTime>,
}

const fn fifty() -> i64 {
    50
}

impl UserRecord {
    /// A new user without anything.
    pub fn new(id: UserId, username: &str, unameview: &str, created_ms: i64) -> Self {
        Self {
            id: oid(id),
            username: username.to_owned(),
            unameview: unameview.to_owned(),
            address: String::new(),
            name: String::new(),
            language: None,
            password: String::new(),
            temp_password: None,
            password_change: None,
            auth_version: 0,
            quota: 0,
            storage_used: 0,
            retention: 0,
            spam_level: fifty(),
            recipients: 0,
            forwards: 0,
            filters: 0,
            received_max: 0,
            imap_max_upload: 0,
            imap_max_download: 0,
            imap_max_connections: 0,
            pop3_max_download: 0,
            pop3_max_messages: 0,
            tags: Vec::new(),
            tagsview: Vec::new(),
            from_whitelist: Vec::new(),
            disabled_scopes: Vec::new(),
            meta_data: None,
            internal_data: None,
            upload_sent_messages: false,
            require_2fa_enabled: false,
            activated: true,
            disabled: false,
            suspended: false,
            created: DateTime::from_millis(created_ms),
            last_login: None,
        }
    }

    /// The user's identifier.
    pub fn user_id(&self) -> UserId {
        id_of(self.id)
    }

    /// What the operations need of it.
    pub fn user(&self) -> User {
        User {
            id: self.user_id(),
            username: self.username.clone(),
            address: self.address.clone(),
            quota_octets: u64::try_from(self.quota).ok().filter(|octets| *octets > 0),
            used_octets: u64::try_from(self.storage_used).unwrap_or(0),
            disabled: self.disabled,
            suspended: self.suspended,
        }
    }
}

fn read(document: Document) -> Result<UserRecord> {
    bson::deserialize_from_document(document)
        .map_err(|error| Error::internal("a user cannot be read", error))
}

/// Which users a listing shows.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct UserFilter {
    /// A substring of the main address or of the username's lookup form, lowercase.
    pub query: Option<String>,
    /// Any of these tags, lowercase.
    pub tags: Vec<String>,
    /// All of these tags, lowercase.
    pub required_tags: Vec<String>,
    /// Only this user.
    pub only: Option<UserId>,
}

impl UserFilter {
    fn document(&self) -> Document {
        let mut filter = Document::new();
        if let Some(only) = self.only {
            filter.insert("_id", oid(only));
        }
        if let Some(query) = &self.query {
            let dotless = super::regex::escape(&query.replace('.', ""));
            let pattern = super::regex::escape(query);
            filter.insert(
                "$or",
                vec![
                    doc! { "address": { "$regex": pattern, "$options": "i" } },
                    doc! { "unameview": { "$regex": dotless } },
                ],
            );
        }
        super::regex::add_tags(&mut filter, &self.tags, &self.required_tags);
        filter
    }
}

/// Inserts a user inside a transaction.
///
/// # Errors
/// `AlreadyExists` user, `Unavailable`.
pub async fn insert(
    storage: &Storage,
    session: &mut ClientSession,
    user: &UserRecord,
) -> Result<()> {
    let document = bson::serialize_to_document(user)
        .map_err(|error| Error::internal("a user cannot be written", error))?;
    let inserted = storage.users().insert_one(document).session(session).await;
    exists(inserted.map(|_| ()).map_err(Error::from), "user")
}

/// One user: one round trip.
///
/// # Errors
/// `Unavailable`; `Internal` for a document that cannot be read.
pub async fn find(storage: &Storage, user: UserId) -> Result<Option<UserRecord>> {
    let found = storage.users().find_one(doc! { "_id": oid(user) }).await?;
    found.map(read).transpose()
}

/// One user who has to exist.
///
/// # Errors
/// `NotFound`, and those of [`find`].
pub async fn load(storage: &Storage, user: UserId) -> Result<UserRecord> {
    find(storage, user).await?.ok_or(Error::NotFound { what: "user" })
}

/// The user of this name's lookup form: one round trip.
///
/// # Errors
/// `Unavailable`; `Internal` for a document that cannot be read.
pub async fn find_by_name(storage: &Storage, unameview: &str) -> Result<Option<UserRecord>> {
    let found = storage.users().find_one(doc! { "unameview": unameview }).await?;
    found.map(read).transpose()
}

/// Rows of a listing in order of identifiers, `after` or `before` one; at most `limit`.
/// Those before come nearest first.
///
/// # Errors
/// `Unavailable`; `Internal` for a document that cannot be read.
pub async fn list(
    storage: &Storage,
    filter: &UserFilter,
    after: Option<UserId>,
    before: Option<UserId>,
    limit: i64,
) -> Result<Vec<UserRecord>> {
    let mut conditions = vec![filter.document()];
    if let Some(id) = after {
        conditions.push(doc! { "_id": { "$gt": oid(id) } });
    }
    if let Some(id) = before {
        conditions.push(doc! { "_id": { "$lt": oid(id) } });
    }
    let order = if before.is_some() { -1 } else { 1 };
    let cursor = storage
        .users()
        .find(doc! { "$and": conditions })
        .sort(doc! { "_id": order })
        .limit(limit)
        .await?;
    let documents: Vec<Document> = cursor.try_collect().await?;
    documents.into_iter().map(read).collect()
}

/// How many users a filter shows.
///
/// # Errors
/// `Unavailable`.
pub async fn count(storage: &Storage, filter: &UserFilter) -> Result<u64> {
    Ok(storage.users().count_documents(filter.document()).await?)
}

/// Changes fields: `set`, `unset` and `inc` as they go into the update. In a transaction if given one.
///
/// # Errors
/// `NotFound` user, `Unavailable`.
pub async fn update(
    storage: &Storage,
    session: Option<&mut ClientSession>,
    user: UserId,
    change: Document,
) -> Result<()> {
    if change.is_empty() {
        return load(storage, user).await.map(|_| ());
    }
    let users = storage.users();
    let update = users.update_one(doc! { "_id": oid(user) }, change);
    let result = match session {
        Some(session) => update.session(session).await?,
        None => update.await?,
    };
    if result.matched_count == 0 {
        return Err(Error::NotFound { what: "user" });
    }
    Ok(())
}

/// Replaces a hash by a better one of the same password, unless the password was changed meanwhile.
///
/// # Errors
/// `Unavailable`.
pub async fn upgrade_hash(storage: &Storage, user: UserId, old: &str, new: &str) -> Result<()> {
    let filter = doc! { "_id": oid(user), "password": old };
    storage.users().update_one(filter, doc! { "$set": { "password": new } }).await?;
    Ok(())
}

/// Removes a user inside a transaction; whether there was one.
///
/// # Errors
/// `Unavailable`.
pub async fn delete(storage: &Storage, session: &mut ClientSession, user: UserId) -> Result<bool> {
    let deleted = storage.users().delete_one(doc! { "_id": oid(user) }).session(session).await?;
    Ok(deleted.deleted_count > 0)
}

/// The identifier a cursor names.
///
/// # Errors
/// `Internal` for text that is none.
pub fn cursor_id(text: &str) -> Result<UserId> {
    text.parse().map_err(|_| unreadable("a cursor"))
}
