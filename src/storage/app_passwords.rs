//! Passwords that applications log in with over IMAP, POP3 and SMTP.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | id | the password |
//! | `user` | id | whose |
//! | `description` | text | for people |
//! | `scopes` | list of text | `imap`, `pop3`, `smtp`, or `*` |
//! | `password` | text | hash |
//! | `scram` | binary | what SCRAM needs of it ([`crate::auth::scram`]) |
//! | `selector` | int64 | one of 32 groups, by the password: only these are compared |
//! | `ttl`, `expires` | int64 s, date | it ends so long after its last use; TTL |
//! | `used` | date | its last use |
//! | `created` | date | |
//!
//! Indexes: `{user, selector}`, TTL. At most fifty a person, 300 octets each.

use super::Storage;
use super::field::{binary, date, get_binary, get_count, get_id, get_ms, int, oid};
use crate::model::error::Result;
use crate::model::id::{ObjectId, UserId};
use bson::{Document, doc};
use futures_util::TryStreamExt as _;
use mongodb::Collection;

/// A password of an application.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AppPassword {
    /// Identifier.
    pub id: ObjectId,
    /// Whose.
    pub user: UserId,
    /// For people.
    pub description: String,
    /// `imap`, `pop3`, `smtp`, or `*`.
    pub scopes: Vec<String>,
    /// Hash.
    pub hash: String,
    /// What SCRAM needs of it; empty: nothing is kept.
    pub scram: Vec<u8>,
    /// Its group.
    pub selector: u8,
    /// It ends so many seconds after its last use; 0: never.
    pub ttl_s: u64,
    /// When it ends, milliseconds since 1970.
    pub expires_ms: Option<i64>,
    /// Its last use, milliseconds since 1970.
    pub used_ms: Option<i64>,
    /// When it was created, milliseconds since 1970.
    pub created_ms: i64,
}

impl AppPassword {
    /// Whether it opens this door.
    pub fn opens(&self, scope: &str) -> bool {
        self.scopes.iter().any(|own| own == "*" || own == scope)
    }
}

fn passwords(storage: &Storage) -> Collection<Document> {
    storage.collection("app_passwords")
}

fn read(document: &Document) -> Result<AppPassword> {
    let text = |key: &str| document.get_str(key).unwrap_or_default().to_owned();
    let at = |key: &str| document.contains_key(key).then(|| get_ms(document, key));
    let scopes = document.get_array("scopes").map(Vec::as_slice).unwrap_or_default();
    Ok(AppPassword {
        id: get_id(document, "_id")?,
        user: get_id(document, "user")?,
        description: text("description"),
        scopes: scopes.iter().filter_map(|scope| Some(scope.as_str()?.to_owned())).collect(),
        hash: text("password"),
        scram: get_binary(document, "scram").map(<[u8]>::to_vec).unwrap_or_default(),
        selector: u8::try_from(get_count(document, "selector")).unwrap_or(0),
        ttl_s: get_count(document, "ttl"),
        expires_ms: at("expires"),
        used_ms: at("used"),
        created_ms: get_ms(document, "created"),
    })
}

/// Stores a password: one round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn insert(storage: &Storage, password: &AppPassword) -> Result<()> {
    let mut document = doc! {
        "_id": oid(password.id),
        "user": oid(password.user),
        "description": &password.description,
        "scopes": password.scopes.clone(),
        "password": &password.hash,
        "scram": binary(password.scram.clone()),
        "selector": i64::from(password.selector),
        "ttl": int(password.ttl_s),
        "created": date(password.created_ms),
    };
    if let Some(expires) = password.expires_ms {
        document.insert("expires", date(expires));
    }
    passwords(storage).insert_one(document).await?;
    Ok(())
}

/// Passwords of a user that have not ended, oldest first; `selector`: only of this group. One round
/// trip.
///
/// # Errors
/// `Unavailable`.
pub async fn list(
    storage: &Storage,
    user: UserId,
    selector: Option<u8>,
    now_ms: i64,
) -> Result<Vec<AppPassword>> {
    let mut filter = doc! { "user": oid(user) };
    if let Some(selector) = selector {
        filter.insert("selector", i64::from(selector));
    }
    let found = passwords(storage).find(filter).sort(doc! { "_id": 1 }).limit(1000).await?;
    let documents: Vec<Document> = found.try_collect().await?;
    let mut rows: Vec<AppPassword> = documents.iter().map(read).collect::<Result<_>>()?;
    rows.retain(|row| row.expires_ms.is_none_or(|end| end > now_ms));
    Ok(rows)
}

/// One password of a user: one round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn find(storage: &Storage, user: UserId, id: ObjectId) -> Result<Option<AppPassword>> {
    let filter = doc! { "_id": oid(id), "user": oid(user) };
    passwords(storage).find_one(filter).await?.as_ref().map(read).transpose()
}

/// Notes a use, and moves the end of a password that has one: one round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn touch(storage: &Storage, password: &AppPassword, now_ms: i64) -> Result<()> {
    let mut set = doc! { "used": date(now_ms) };
    if password.ttl_s > 0 {
        let end = now_ms.saturating_add(int(password.ttl_s.saturating_mul(1000)));
        set.insert("expires", date(end));
    }
    let filter = doc! { "_id": oid(password.id), "user": oid(password.user) };
    passwords(storage).update_one(filter, doc! { "$set": set }).await?;
    Ok(())
}

/// Removes a password of a user; what it was. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn delete(storage: &Storage, user: UserId, id: ObjectId) -> Result<Option<AppPassword>> {
    let filter = doc! { "_id": oid(id), "user": oid(user) };
    passwords(storage).find_one_and_delete(filter).await?.as_ref().map(read).transpose()
}
