//! The log of a user's logins and of what was done to his account.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | id | the row |
//! | `user` | id | whose |
//! | `bucket` | int64 | number of the six hours since 1970 |
//! | `key` | text | what rows of one bucket are merged by: a digest of the event but `sess` |
//! | `action`, `result` | text | what was done, and whether it was: `success`, `fail` |
//! | `events` | int64 | how often in this bucket |
//! | `created`, `last` | date | the first and the last time |
//! | `protocol`, `requiredScope`, `source`, `sess`, `ip`, `asp`, `aname`, `target`, `appId` | text | if known |
//! | `require2fa` | list of text | second factors that were asked for |
//! | `temporary` | bool | it was about a temporary password |
//! | `expires` | date | TTL |
//!
//! Indexes: `{user, _id}`, `{user, key, bucket}` unique, TTL. A few rows a user and day, 300 octets.

use super::Storage;
use super::error::is_duplicate;
use super::field::{date, get_id, get_int, get_ms, int, oid};
use crate::model::error::Result;
use crate::model::id::{ObjectId, UserId};
use base64::Engine as _;
use bson::{Document, doc};
use futures_util::TryStreamExt as _;
use mongodb::Collection;
use sha2::{Digest as _, Sha256};
use std::net::IpAddr;

/// Length of a bucket.
const BUCKET_MS: i64 = 6 * 3_600_000;

/// What is written.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct AuthEvent {
    /// `authentication`, `password change`, …
    pub action: &'static str,
    /// `success`, `fail`; nothing for what cannot fail.
    pub result: Option<&'static str>,
    /// The door, as its caller names it.
    pub protocol: Option<String>,
    /// `master`, `imap`, `pop3`, `smtp`.
    pub scope: Option<&'static str>,
    /// Which password it was: `master`, `asp`, `temporary`.
    pub source: Option<&'static str>,
    /// The caller's session.
    pub sess: Option<String>,
    /// The end user's address.
    pub ip: Option<IpAddr>,
    /// The application password, and what it is called.
    pub app_password: Option<(ObjectId, String)>,
    /// What was forwarded to, or another object.
    pub target: Option<String>,
    /// The application, a URL.
    pub app_id: Option<String>,
    /// Second factors that were asked for.
    pub second_factors: Vec<String>,
    /// It was about a temporary password.
    pub is_temporary: bool,
}

/// A row as it is shown: the document's own fields but `user` and `bucket`, dates in milliseconds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuthRow {
    /// Identifier.
    pub id: ObjectId,
    /// How often.
    pub events: i64,
    /// The first time.
    pub created_ms: i64,
    /// The last time.
    pub last_ms: i64,
    /// When it is removed.
    pub expires_ms: i64,
    /// Texts by name, in the API's order.
    pub texts: Vec<(&'static str, String)>,
    /// Second factors that were asked for.
    pub second_factors: Vec<String>,
    /// It was about a temporary password.
    pub is_temporary: bool,
}

/// Texts of a row.
const TEXTS: [&str; 12] = [
    "key",
    "action",
    "result",
    "sess",
    "ip",
    "protocol",
    "requiredScope",
    "source",
    "asp",
    "aname",
    "target",
    "appId",
];

fn log(storage: &Storage) -> Collection<Document> {
    storage.collection("auth_log")
}

/// The fields of an event but `sess`, which do not change within a row.
fn fields(event: &AuthEvent) -> Document {
    let mut fields = doc! { "action": event.action };
    let ip = event.ip.map(|ip| ip.to_string());
    let asp = event.app_password.as_ref();
    let texts = [
        ("result", event.result.map(str::to_owned)),
        ("protocol", event.protocol.clone()),
        ("requiredScope", event.scope.map(str::to_owned)),
        ("source", event.source.map(str::to_owned)),
        ("ip", ip),
        ("asp", asp.map(|(id, _)| id.to_string())),
        ("aname", asp.map(|(_, name)| name.clone())),
        ("target", event.target.clone()),
        ("appId", event.app_id.clone()),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            fields.insert(name, value);
        }
    }
    if !event.second_factors.is_empty() {
        fields.insert("require2fa", event.second_factors.clone());
    }
    if event.is_temporary {
        fields.insert("temporary", true);
    }
    fields
}

/// Adds an event to its row, or begins one: one round trip, two when two nodes begin it at once.
///
/// # Errors
/// `Unavailable`.
pub async fn add(
    storage: &Storage,
    user: UserId,
    event: &AuthEvent,
    now_ms: i64,
    kept_ms: u64,
) -> Result<()> {
    let mut fields = fields(event);
    let digest = Sha256::digest(fields.to_string().as_bytes());
    let short = digest.get(..16).unwrap_or_default();
    let key = base64::engine::general_purpose::STANDARD.encode(short);
    fields.insert("created", date(now_ms));
    let mut set =
        doc! { "last": date(now_ms), "expires": date(now_ms.saturating_add(int(kept_ms))) };
    if let Some(sess) = &event.sess {
        set.insert("sess", sess);
    }
    let filter = doc! { "user": oid(user), "key": key, "bucket": now_ms.div_euclid(BUCKET_MS) };
    let update = doc! { "$set": set, "$setOnInsert": fields, "$inc": { "events": 1_i64 } };
    let log = log(storage);
    match log.update_one(filter.clone(), update.clone()).upsert(true).await {
        Err(error) if is_duplicate(&error) => {
            log.update_one(filter, update).await?;
            Ok(())
        }
        other => Ok(other.map(|_| ())?),
    }
}

/// Which rows a listing shows.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct LogFilter {
    /// Only this action.
    pub action: Option<String>,
    /// Only from this address.
    pub ip: Option<IpAddr>,
}

impl LogFilter {
    fn document(&self, user: UserId) -> Document {
        let mut filter = doc! { "user": oid(user) };
        if let Some(action) = &self.action {
            filter.insert("action", action);
        }
        if let Some(ip) = self.ip {
            filter.insert("ip", ip.to_string());
        }
        filter
    }
}

fn read(document: &Document) -> Result<AuthRow> {
    let text = |name: &'static str| Some((name, document.get_str(name).ok()?.to_owned()));
    let factors = document.get_array("require2fa").map(Vec::as_slice).unwrap_or_default();
    Ok(AuthRow {
        id: get_id(document, "_id")?,
        events: get_int(document, "events"),
        created_ms: get_ms(document, "created"),
        last_ms: get_ms(document, "last"),
        expires_ms: get_ms(document, "expires"),
        texts: TEXTS.into_iter().filter_map(text).collect(),
        second_factors: factors.iter().filter_map(|f| Some(f.as_str()?.to_owned())).collect(),
        is_temporary: document.get_bool("temporary").unwrap_or(false),
    })
}

/// Rows of a user's log, newest first, `older` or `newer` than one; at most `limit`. Newer ones come
/// nearest first. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn list(
    storage: &Storage,
    user: UserId,
    filter: &LogFilter,
    older: Option<ObjectId>,
    newer: Option<ObjectId>,
    limit: i64,
) -> Result<Vec<AuthRow>> {
    let mut filter = filter.document(user);
    let order = if newer.is_some() { 1 } else { -1 };
    if let Some(id) = older {
        filter.insert("_id", doc! { "$lt": oid(id) });
    } else if let Some(id) = newer {
        filter.insert("_id", doc! { "$gt": oid(id) });
    }
    let found = log(storage).find(filter).sort(doc! { "_id": order }).limit(limit).await?;
    let documents: Vec<Document> = found.try_collect().await?;
    documents.iter().map(read).collect()
}

/// How many rows a listing shows.
///
/// # Errors
/// `Unavailable`.
pub async fn count(storage: &Storage, user: UserId, filter: &LogFilter) -> Result<u64> {
    Ok(log(storage).count_documents(filter.document(user)).await?)
}

/// One row of a user: one round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn find(storage: &Storage, user: UserId, row: ObjectId) -> Result<Option<AuthRow>> {
    let filter = doc! { "_id": oid(row), "user": oid(user) };
    log(storage).find_one(filter).await?.as_ref().map(read).transpose()
}
