//! Documents of users as they are exported and imported: names and fields of the reference store
//! outside, ours inside. No messages.

use super::Storage;
use super::error::is_duplicate;
use super::field::oid;
use super::listing::find_around;
use crate::model::error::{Error, Result};
use crate::model::id::UserId;
use bson::{Bson, Document, doc};
use futures_util::TryStreamExt as _;

/// One document outside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dumped {
    /// Which of the reference's databases.
    pub client: &'static str,
    /// Its collection there.
    pub collection: &'static str,
    /// The document, BSON.
    pub entry: Vec<u8>,
}

/// What became of an imported document.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Imported {
    /// It is stored.
    Stored,
    /// Its identifier or name exists.
    Existing,
    /// It is none of those that are exported.
    Failed,
}

/// A collection outside and inside.
struct Pair {
    client: &'static str,
    outside: &'static str,
    inside: &'static str,
    /// Fields whose names differ: inside, outside.
    fields: &'static [(&'static str, &'static str)],
}

const USERS: Pair = Pair { client: "users", outside: "users", inside: "users", fields: &[] };

/// Collections of what users own, by `user`.
const OWNED: [Pair; 6] = [
    Pair { client: "users", outside: "addresses", inside: "addresses", fields: &[] },
    Pair { client: "users", outside: "asps", inside: "app_passwords", fields: &[] },
    Pair {
        client: "database",
        outside: "addressregister",
        inside: "address_register",
        fields: &[],
    },
    Pair { client: "database", outside: "autoreplies", inside: "autoreplies", fields: &[] },
    Pair { client: "database", outside: "filters", inside: "filters", fields: &[] },
    Pair {
        client: "database",
        outside: "mailboxes",
        inside: "mailboxes",
        fields: &[
            ("name", "path"),
            ("use", "specialUse"),
            ("uid_validity", "uidValidity"),
            ("uid_next", "uidNext"),
            ("mod_seq", "modifyIndex"),
            ("encrypt", "encryptMessages"),
            ("keywords", "flags"),
        ],
    },
];

impl Pair {
    fn dump(&self, document: Document) -> Result<Dumped> {
        let renamed = document.into_iter().map(|(key, value)| {
            let pair = self.fields.iter().find(|(inside, _)| *inside == key);
            (pair.map_or(key.clone(), |(_, outside)| (*outside).to_owned()), value)
        });
        let document: Document = renamed.collect();
        let entry = bson::serialize_to_vec(&document)
            .map_err(|error| Error::internal("a document cannot be exported", error))?;
        Ok(Dumped { client: self.client, collection: self.outside, entry })
    }

    fn read(&self, entry: &[u8]) -> Option<Document> {
        let document: Document = bson::deserialize_from_slice(entry).ok()?;
        document.get_object_id("_id").ok()?;
        let renamed = document.into_iter().map(|(key, value)| {
            let pair = self.fields.iter().find(|(_, outside)| *outside == key);
            (pair.map_or(key.clone(), |(inside, _)| (*inside).to_owned()), value)
        });
        Some(renamed.collect())
    }
}

/// The next users of a filter (all of them by default; `users` and `tags` narrow it), after one,
/// with all that is theirs: each user before what he owns. Seven round trips a user.
///
/// # Errors
/// `Unavailable`.
pub async fn export(
    storage: &Storage,
    (users, tags): (&[UserId], &[String]),
    after: Option<UserId>,
    limit: i64,
) -> Result<(Vec<Dumped>, Option<UserId>)> {
    let mut filter = Document::new();
    if !users.is_empty() {
        let ids: Vec<Bson> = users.iter().map(|user| Bson::from(oid(*user))).collect();
        filter.insert("_id", doc! { "$in": ids });
    }
    if !tags.is_empty() {
        let tags: Vec<String> = tags.iter().map(|tag| tag.trim().to_lowercase()).collect();
        filter.insert("tagsview", doc! { "$in": tags });
    }
    let after = after.map(|user| Bson::from(oid(user)));
    let found = find_around(&storage.users(), filter, "_id", after, None, limit).await?;
    let (mut dumped, mut last) = (Vec::new(), None);
    for document in found {
        let user: UserId = super::field::get_id(&document, "_id")?;
        last = Some(user);
        dumped.push(USERS.dump(document)?);
        for pair in &OWNED {
            let collection = storage.collection::<Document>(pair.inside);
            let owned = collection.find(doc! { "user": oid(user) }).await?;
            for document in owned.try_collect::<Vec<_>>().await? {
                dumped.push(pair.dump(document)?);
            }
        }
    }
    Ok((dumped, last))
}

/// Stores an exported document: users without octets, mailboxes without messages. One round trip
/// and commit.
///
/// # Errors
/// `Unavailable`.
pub async fn import(
    storage: &Storage,
    (client, collection): (&str, &str),
    entry: &[u8],
    now_ms: i64,
) -> Result<Imported> {
    let mut pairs = OWNED.iter().chain([&USERS]);
    let Some(pair) = pairs.find(|pair| pair.client == client && pair.outside == collection) else {
        return Ok(Imported::Failed);
    };
    let Some(mut document) = pair.read(entry) else { return Ok(Imported::Failed) };
    if pair.inside == "users" {
        document.insert("storageUsed", 0_i64);
        document.remove("filterless");
        document.remove("auditedUntil");
        if document.get_str("unameview").is_err() {
            return Ok(Imported::Failed);
        }
    } else if document.get_object_id("user").is_err() {
        return Ok(Imported::Failed);
    }
    if pair.inside == "mailboxes" {
        if document.get_str("name").is_err() {
            return Ok(Imported::Failed);
        }
        for counter in ["messages", "unseen", "deleted", "octets"] {
            document.insert(counter, 0_i64);
        }
        document.insert("uid_validity", now_ms / 1000);
        document.insert("uid_next", 1_i64);
        document.insert("mod_seq", 1_i64);
        document.remove("acl");
    }
    match storage.collection::<Document>(pair.inside).insert_one(document).await {
        Ok(_) => Ok(Imported::Stored),
        Err(error) if is_duplicate(&error) => Ok(Imported::Existing),
        Err(error) => Err(error.into()),
    }
}
