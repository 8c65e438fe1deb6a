//! Whom a user has written to and heard from, for completing addresses.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | id | the contact |
//! | `user` | id | whose |
//! | `name` | text | as it was last seen, or as the user set it |
//! | `address`, `addrview` | text | in normal form; lookup form |
//! | `disabled` | bool | not shown |
//! | `updated` | date | when it was last used |
//!
//! Indexes: `{user, addrview}` unique, `{user, updated}`. A few hundred a person, 200 octets each.

use super::Storage;
use super::field::{date, get_id, oid};
use crate::model::address::EmailAddress;
use crate::model::error::Result;
use crate::model::id::{ObjectId, UserId};
use crate::model::profile::Contact;
use bson::{Document, doc};
use futures_util::TryStreamExt as _;
use mongodb::Collection;

fn register(storage: &Storage) -> Collection<Document> {
    storage.collection("address_register")
}

/// Somebody a user wrote to or heard from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Noted {
    /// Whose contact.
    pub user: UserId,
    /// His name; empty: not known, leaves the one that is stored.
    pub name: String,
    /// His address.
    pub address: EmailAddress,
    /// When.
    pub at_ms: i64,
}

impl Noted {
    fn update(&self) -> Document {
        let mut set = doc! { "address": self.address.to_string(), "updated": date(self.at_ms) };
        if !self.name.is_empty() {
            set.insert("name", &self.name);
        }
        let filter = doc! { "user": oid(self.user), "addrview": self.address.lookup_form() };
        let update = doc! { "$set": set, "$setOnInsert": { "disabled": false } };
        doc! { "q": filter, "u": update, "upsert": true }
    }
}

/// Notes contacts, or that they were used again. One round trip. One that another node notes at the
/// same moment stays as that wrote it.
///
/// # Errors
/// `Unavailable`.
pub async fn add_many(storage: &Storage, noted: &[Noted]) -> Result<()> {
    if noted.is_empty() {
        return Ok(());
    }
    let updates: Vec<Document> = noted.iter().map(Noted::update).collect();
    let command = doc! { "update": "address_register", "updates": updates, "ordered": false };
    storage.database().run_command(command).await?;
    Ok(())
}

/// Contacts of a user whose address contains the text or whose name begins with it, the newest
/// first; at most `limit`. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn search(
    storage: &Storage,
    user: UserId,
    text: &str,
    limit: i64,
) -> Result<Vec<Contact>> {
    let pattern = super::regex::escape(text);
    let filter = doc! {
        "user": oid(user),
        "disabled": false,
        "$or": [
            { "address": { "$regex": &pattern } },
            { "name": { "$regex": format!("^{pattern}"), "$options": "i" } },
        ],
    };
    let found = register(storage).find(filter).sort(doc! { "updated": -1 }).limit(limit).await?;
    let documents: Vec<Document> = found.try_collect().await?;
    let text = |document: &Document, key: &str| document.get_str(key).unwrap_or("").to_owned();
    let contact = |document: &Document| {
        let (name, address) = (text(document, "name"), text(document, "address"));
        Ok(Contact { id: get_id(document, "_id")?, name, address })
    };
    documents.iter().map(contact).collect()
}

/// Shows or hides a contact of a user, and names it; whether there is one. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn update(
    storage: &Storage,
    user: UserId,
    id: ObjectId,
    is_disabled: bool,
    name: Option<&str>,
) -> Result<bool> {
    let mut set = doc! { "disabled": is_disabled };
    if let Some(name) = name {
        set.insert("name", name);
    }
    let filter = doc! { "_id": oid(id), "user": oid(user) };
    let updated = register(storage).update_one(filter, doc! { "$set": set }).await?;
    Ok(updated.matched_count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::field::new_id;
    use crate::storage::testing::storage;

    #[tokio::test]
    async fn contacts_are_found_newest_first_unless_hidden() {
        let storage = storage("register").await;
        let (user, other) = (new_id(), new_id());
        let note = async |name: &str, address: &str, at: i64| {
            let address = EmailAddress::new(address).unwrap();
            let noted = Noted { user, name: name.to_owned(), address, at_ms: at };
            add_many(&storage, &[noted]).await.unwrap();
        };
        note("Berta", "berta@example.org", 1).await;
        note("", "anna.b@example.org", 2).await;
        note("", "Berta+x@example.org", 3).await;
        let found = search(&storage, user, "example.org", 9).await.unwrap();
        let names: Vec<&str> = found.iter().map(|contact| contact.name.as_str()).collect();
        assert_eq!(names, ["Berta", ""], "one contact, moved to the front");
        assert_eq!(search(&storage, user, "BER", 9).await.unwrap().len(), 1, "by name");
        assert_eq!(search(&storage, other, "example", 9).await.unwrap(), []);
        let id = found[0].id;
        assert!(!update(&storage, other, id, true, None).await.unwrap());
        assert!(update(&storage, user, id, true, Some("B")).await.unwrap());
        assert_eq!(search(&storage, user, "ber", 9).await.unwrap(), []);
        storage.drop_database().await.unwrap();
    }
}
