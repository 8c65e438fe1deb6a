//! A database of an older release is served by this one.

use eider::storage::Storage;
use mongodb::bson::{Document, doc};

use crate::support::corpus;
use crate::support::store::{TestStore, database_uri, unique};

/// The fields that schema version 1 had when it was the only one (the first release).
const FIRST_RELEASE: &[(&str, &[&str])] = &[
    (
        "users",
        &[
            "username",
            "unameview",
            "address",
            "name",
            "language",
            "password",
            "authVersion",
            "quota",
            "storageUsed",
            "tags",
            "tagsview",
            "activated",
            "created",
        ],
    ),
    ("addresses", &["user", "address", "addrview", "name", "created"]),
    (
        "mailboxes",
        &[
            "user",
            "name",
            "use",
            "uid_validity",
            "uid_next",
            "mod_seq",
            "messages",
            "unseen",
            "deleted",
            "octets",
            "subscribed",
            "keywords",
            "created",
        ],
    ),
    (
        "messages",
        &[
            "user", "mailbox", "thread", "uid", "mod_seq", "octets", "idate", "sdate", "flags",
            "unseen", "kw", "content", "prefix", "env", "body", "struct", "tree", "sum",
        ],
    ),
    ("contents", &["n", "octets", "skeleton", "run", "raw", "holes"]),
    ("changes", &["user", "mailbox", "mod_seq", "kind", "uids", "created"]),
];

/// Takes away every field that the first release did not write.
async fn age(database: &str) {
    let client = mongodb::Client::with_uri_str(database_uri()).await.unwrap();
    let database = client.database(database);
    for (collection, known) in FIRST_RELEASE {
        let documents = database.collection::<Document>(collection);
        let mut cursor = documents.find(doc! {}).await.unwrap();
        while cursor.advance().await.unwrap() {
            let document = cursor.deserialize_current().unwrap();
            let later =
                document.keys().filter(|key| *key != "_id" && !known.contains(&key.as_str()));
            let unset: Document = later.map(|key| (key.clone(), "".into())).collect();
            if !unset.is_empty() {
                let filter = doc! { "_id": document.get("_id").unwrap() };
                documents.update_one(filter, doc! { "$unset": unset }).await.unwrap();
            }
        }
    }
    let settings = database.collection::<Document>("settings");
    settings.update_one(doc! { "_id": "schema" }, doc! { "$set": { "version": 1 } }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_of_the_first_release_are_served() {
    let database = unique("eider_test");
    let before = TestStore::start_on(&database).await;
    let user = before.create_user("anna").await;
    let mut imap = before.imap("anna").await;
    for number in 0..4 {
        imap.append("INBOX", "(work) ", &corpus::message(&format!("old{number}"))).await;
    }
    drop(imap);
    before.stop().await;
    age(&database).await;
    // what is new since is made at the start, and a second start has nothing to do
    Storage::connect(&database_uri(), &database).await.unwrap();

    let after = TestStore::start_on(&database).await;
    let mut imap = after.imap("anna").await;
    imap.ok("SELECT INBOX").await;
    let all = imap.ok("FETCH 1:* (FLAGS ENVELOPE BODYSTRUCTURE EMAILID PREVIEW SAVEDATE)").await;
    assert_eq!(all.untagged.len(), 4, "{:?}", all.lines());
    assert!(all.find("\"old3\"").is_some() && all.find("work").is_some(), "{:?}", all.lines());
    assert_eq!(imap.body(2).await, corpus::message("old1"));
    let found = imap.ok("SEARCH SUBJECT old2").await;
    assert_eq!(found.find("SEARCH").as_deref(), Some("* SEARCH 3"));
    imap.ok("STORE 1 +FLAGS (\\Deleted)").await;
    imap.ok("EXPUNGE").await;
    imap.ok("MOVE 1 Trash").await;
    imap.append("INBOX", "", &corpus::message("new")).await;
    let api = after.api();
    let (status, shown) = api.get(&format!("/users/{user}")).await;
    assert_eq!((status, &shown["username"]), (200, &"anna".into()), "{shown}");
    let (_, boxes) = api.get(&format!("/users/{user}/mailboxes?counters=true")).await;
    let inbox = boxes["results"].as_array().unwrap().iter().find(|m| m["path"] == "INBOX").unwrap();
    assert_eq!(inbox["total"], 3, "{inbox}");
    let path = format!("/users/{user}/mailboxes/{}/messages", inbox["id"].as_str().unwrap());
    let (status, listed) = api.get(&path).await;
    assert_eq!((status, listed["results"].as_array().unwrap().len()), (200, 3), "{listed}");
    let mut lmtp = after.lmtp().await;
    let replies = lmtp.deliver(&["anna@example.com"], &corpus::message("by-lmtp")).await;
    assert!(replies[0].starts_with("250"), "{replies:?}");
    after.stop().await;
}
