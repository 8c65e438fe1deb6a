//! A database of its own for each test.

use crate::model::id::{MailboxId, UserId};
use crate::storage::Storage;
use crate::storage::field::{get_int, new_id, oid};
use bson::{Document, doc};

/// Connects to a fresh database; drop it with [`Storage::drop_database`].
pub(crate) async fn storage(name: &str) -> Storage {
    #[expect(clippy::disallowed_methods, reason = "tests take the server from the environment")]
    let uri = std::env::var("EIDER_TEST_MONGODB_URI").expect(
        "EIDER_TEST_MONGODB_URI is not set: run `scripts/test`, which starts a database, or set it",
    );
    Storage::connect(&uri, &format!("eider_unit_{name}_{}", new_id::<()>())).await.unwrap()
}

/// Inserts a user with a quota (0: none), or changes it.
pub(crate) async fn set_user(storage: &Storage, user: UserId, quota: i64) {
    // the names of users are unique
    let new = doc! { "storageUsed": 0i64, "unameview": user.to_string() };
    let update = doc! { "$set": { "quota": quota }, "$setOnInsert": new };
    storage.users().update_one(doc! { "_id": oid(user) }, update).upsert(true).await.unwrap();
}

/// Documents of a collection, and the sum of their counts.
pub(crate) async fn counts(storage: &Storage, collection: &str) -> (u64, i64) {
    let collection = storage.collection::<Document>(collection);
    let mut cursor = collection.find(doc! {}).await.unwrap();
    let (mut documents, mut sum) = (0, 0);
    while cursor.advance().await.unwrap() {
        documents += 1;
        sum += get_int(&cursor.deserialize_current().unwrap(), "n");
    }
    (documents, sum)
}

/// The changes of a mailbox.
pub(crate) async fn changes(storage: &Storage, mailbox: MailboxId) -> u64 {
    storage.changes().count_documents(doc! { "mailbox": oid(mailbox) }).await.unwrap()
}
