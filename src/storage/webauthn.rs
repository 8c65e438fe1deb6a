//! Passkeys of users (in `users.webauthn.credentials`) and challenges that wait for an answer.
//!
//! A credential in the user's document:
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | id | the credential |
//! | `rawId` | binary | the authenticator's own name of it |
//! | `counter` | int64 | the authenticator's last count of signatures |
//! | `credential` | text | JSON of the public key and what was registered with it |
//! | `description`, `origin`, `authenticatorAttachment` | text | |
//! | `created` | date | |
//!
//! `webauthn_challenges`, taken once:
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | text | the challenge, hex |
//! | `user` | id | whose |
//! | `state` | text | JSON of what the answer is checked against |
//! | `registers` | bool | a new credential; else a login |
//! | `origin`, `rp_id` | text | where it is answered, and for which site |
//! | `description`, `attachment` | text | of the new credential |
//! | `nonce` | text | digest of the login's nonce, if it belongs to one |
//! | `expires` | date | TTL: an hour later |

use super::Storage;
use super::field::{binary, date, get_binary, get_id, int, oid};
use crate::model::error::{Error, Result};
use crate::model::id::{ObjectId, UserId};
use bson::{Document, doc};
use mongodb::Collection;

/// A passkey.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredCredential {
    /// Identifier.
    pub id: ObjectId,
    /// The authenticator's own name of it.
    pub raw_id: Vec<u8>,
    /// What people call it.
    pub description: String,
    /// Where it was registered.
    pub origin: String,
    /// `platform` or `cross-platform`.
    pub attachment: String,
    /// JSON of the public key and what was registered with it.
    pub credential: String,
}

/// A challenge that waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Challenge {
    /// It, hex.
    pub challenge: String,
    /// Whose.
    pub user: UserId,
    /// JSON of what the answer is checked against.
    pub state: String,
    /// A new credential; else a login.
    pub registers: bool,
    /// Where it is answered.
    pub origin: String,
    /// For which site.
    pub rp_id: String,
    /// Of the new credential.
    pub description: String,
    /// Of the new credential.
    pub attachment: String,
    /// Digest of the login's nonce, if it belongs to one.
    pub nonce: Option<String>,
    /// When it is forgotten, milliseconds since 1970.
    pub expires_ms: i64,
}

fn challenges(storage: &Storage) -> Collection<Document> {
    storage.collection("webauthn_challenges")
}

fn text(document: &Document, key: &str) -> String {
    document.get_str(key).unwrap_or_default().to_owned()
}

/// Stores a challenge: one round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn put(storage: &Storage, challenge: &Challenge) -> Result<()> {
    let mut document = doc! {
        "_id": &challenge.challenge,
        "user": oid(challenge.user),
        "state": &challenge.state,
        "registers": challenge.registers,
        "origin": &challenge.origin,
        "rp_id": &challenge.rp_id,
        "description": &challenge.description,
        "attachment": &challenge.attachment,
        "expires": date(challenge.expires_ms),
    };
    if let Some(nonce) = &challenge.nonce {
        document.insert("nonce", nonce);
    }
    challenges(storage).insert_one(document).await?;
    Ok(())
}

/// Takes a challenge, so that nobody answers it again: one round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn take(
    storage: &Storage,
    user: UserId,
    challenge: &str,
    registers: bool,
    now_ms: i64,
) -> Result<Option<Challenge>> {
    let filter = doc! {
        "_id": challenge,
        "user": oid(user),
        "registers": registers,
        "expires": { "$gt": date(now_ms) },
    };
    let taken = challenges(storage).find_one_and_delete(filter).await?;
    Ok(taken.map(|document| Challenge {
        challenge: challenge.to_owned(),
        user,
        state: text(&document, "state"),
        registers,
        origin: text(&document, "origin"),
        rp_id: text(&document, "rp_id"),
        description: text(&document, "description"),
        attachment: text(&document, "attachment"),
        nonce: document.get_str("nonce").ok().map(str::to_owned),
        expires_ms: super::field::get_ms(&document, "expires"),
    }))
}

/// A user's credentials, oldest first: one round trip. Those of other stores' making, whose keys
/// are written otherwise, are passed over.
///
/// # Errors
/// `NotFound` user, `Unavailable`.
pub async fn list(storage: &Storage, user: UserId) -> Result<Vec<StoredCredential>> {
    let fields = doc! { "webauthn": 1 };
    let found = storage.users().find_one(doc! { "_id": oid(user) }).projection(fields).await?;
    let found = found.ok_or(Error::NotFound { what: "user" })?;
    let credentials = found.get_document("webauthn").and_then(|set| set.get_array("credentials"));
    let read = |document: &Document| {
        Some(StoredCredential {
            id: get_id(document, "_id").ok()?,
            raw_id: get_binary(document, "rawId").ok()?.to_vec(),
            description: text(document, "description"),
            origin: text(document, "origin"),
            attachment: text(document, "authenticatorAttachment"),
            credential: document.get_str("credential").ok()?.to_owned(),
        })
    };
    let all = credentials.map(Vec::as_slice).unwrap_or_default();
    Ok(all.iter().filter_map(|one| one.as_document()).filter_map(read).collect())
}

/// Adds a credential and switches the factor on; the first factor ends tokens and sessions.
/// `false`: the user has it already. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn add(
    storage: &Storage,
    user: UserId,
    new: &StoredCredential,
    is_first: bool,
    now_ms: i64,
) -> Result<bool> {
    let raw_id = binary(new.raw_id.clone());
    let credential = doc! {
        "_id": oid(new.id),
        "rawId": raw_id.clone(),
        "counter": 0_i64,
        "description": &new.description,
        "origin": &new.origin,
        "authenticatorAttachment": &new.attachment,
        "credential": &new.credential,
        "created": date(now_ms),
    };
    let mut change = doc! {
        "$push": { "webauthn.credentials": credential },
        "$addToSet": { "enabled2fa": "webauthn" },
    };
    if is_first {
        change.insert("$inc", doc! { "authVersion": 1_i64 });
    }
    let filter = doc! { "_id": oid(user), "webauthn.credentials.rawId": { "$ne": raw_id } };
    Ok(storage.users().update_one(filter, change).await?.matched_count > 0)
}

/// Notes a use of a credential. `false`: its count did not grow, so that another use of this or a
/// later count was noted meanwhile. Credentials without a count (0) always may. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn note_use(
    storage: &Storage,
    user: UserId,
    id: ObjectId,
    (counter, credential): (u32, &str),
) -> Result<bool> {
    let one = match counter {
        0 => doc! { "_id": oid(id), "counter": 0_i64 },
        _ => doc! { "_id": oid(id), "counter": { "$lt": int(counter) } },
    };
    let filter = doc! { "_id": oid(user), "webauthn.credentials": { "$elemMatch": one } };
    let set = doc! { "$set": {
        "webauthn.credentials.$.counter": int(counter),
        "webauthn.credentials.$.credential": credential,
    } };
    Ok(storage.users().update_one(filter, set).await?.matched_count > 0)
}

/// Removes a credential, and switches the factor off with the last one. Whether it was there, and
/// whether it was the last. Two round trips.
///
/// # Errors
/// `NotFound` user, `Unavailable`.
pub async fn remove(storage: &Storage, user: UserId, id: ObjectId) -> Result<(bool, bool)> {
    let pull = doc! { "$pull": { "webauthn.credentials": { "_id": oid(id) } } };
    let filter = doc! { "_id": oid(user), "webauthn.credentials._id": oid(id) };
    let removed = storage.users().update_one(filter, pull).await?.matched_count > 0;
    if !removed {
        let exists = storage.users().find_one(doc! { "_id": oid(user) }).await?;
        return exists.map(|_| (false, false)).ok_or(Error::NotFound { what: "user" });
    }
    // whoever registers another one at this moment keeps the factor on
    let none_left = doc! { "_id": oid(user), "webauthn.credentials": { "$size": 0 } };
    let off = doc! { "$pull": { "enabled2fa": "webauthn" } };
    let was_last = storage.users().update_one(none_left, off).await?.matched_count > 0;
    Ok((true, was_last))
}
