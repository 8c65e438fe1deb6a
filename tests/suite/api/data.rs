//! Users out of one store and into another.

use serde_bytes::ByteBuf;
use serde_json::{Value, json};

use super::registry::{Row, row};
use crate::support::store::{PASSWORD, TestStore};

pub const ROWS: &[Row] = &[row("exportData", "{}"), row("importData", "no export")];

#[derive(serde::Serialize, serde::Deserialize)]
struct Entry {
    client: String,
    collection: String,
    entry: ByteBuf,
}

const OCTETS: &str = "application/octet-stream";

fn record(value: &impl serde::Serialize) -> Vec<u8> {
    let octets = rmp_serde::to_vec_named(value).unwrap();
    [u32::try_from(octets.len()).unwrap().to_le_bytes().as_slice(), &octets].concat()
}

/// A file with these documents.
fn file(entries: &[(&str, &str, bson::Document)]) -> Vec<u8> {
    let mut file = b"\x09\x06\x82".to_vec();
    file.extend(record(&(1, json!({ "type": "wildduck_data_export", "users": [], "tags": [] }))));
    for (client, collection, document) in entries {
        let (client, collection) = ((*client).to_owned(), (*collection).to_owned());
        let entry = ByteBuf::from(bson::serialize_to_vec(document).unwrap());
        file.extend(record(&(2, Entry { client, collection, entry })));
    }
    file
}

fn entries(mut file: &[u8]) -> Vec<(String, bson::Document)> {
    file = file.strip_prefix(b"\x09\x06\x82").unwrap();
    let mut found = Vec::new();
    while let Some((length, rest)) = file.split_first_chunk::<4>() {
        let (octets, rest) = rest.split_at(usize::try_from(u32::from_le_bytes(*length)).unwrap());
        file = rest;
        if let Ok((2, entry)) = rmp_serde::from_slice::<(u8, Entry)>(octets) {
            let document = bson::deserialize_from_slice(&entry.entry).unwrap();
            found.push((format!("{}.{}", entry.client, entry.collection), document));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_move_from_one_store_to_another() {
    let (here, there) = (TestStore::start().await, TestStore::start().await);
    let (anna, berta) = (here.create_user("anna").await, here.create_user("berta").await);
    let api = here.api();
    let tagged = json!({ "tags": ["Moving"] });
    assert_eq!(api.put(&format!("/users/{anna}"), &tagged).await.0, 200);
    let rule = json!({ "query": { "subject": "x" }, "action": { "seen": true } });
    assert_eq!(api.post(&format!("/users/{anna}/filters"), &rule).await.0, 200);
    let away = json!({ "status": true, "subject": "Away" });
    assert_eq!(api.put(&format!("/users/{anna}/autoreply"), &away).await.0, 200);
    let asp = json!({ "description": "Phone" });
    let (_, phone) = api.post(&format!("/users/{anna}/asps"), &asp).await;
    here.lmtp().await.deliver(&["anna@example.com"], b"Subject: x\r\n\r\nx\r\n").await;
    let export = async |filter: Value| {
        let body = filter.to_string();
        let sent = api.raw("POST", "/data/export", "application/json", body.as_bytes());
        let (status, file) = sent.await;
        assert_eq!(status, 200);
        file
    };
    let all = entries(&export(json!({})).await);
    assert_eq!(all.iter().filter(|(name, _)| name == "users.users").count(), 2);
    let hers = entries(&export(json!({ "users": berta })).await);
    assert!(hers.iter().all(|(_, document)| !document.to_string().contains("anna")), "{hers:?}");
    let file = export(json!({ "tags": ["moving"] })).await;
    let names: Vec<String> = entries(&file).into_iter().map(|(name, _)| name).collect();
    for name in [
        "users.users",
        "users.addresses",
        "users.asps",
        "database.autoreplies",
        "database.filters",
        "database.mailboxes",
    ] {
        assert!(names.iter().any(|found| found == name), "{name} in {names:?}");
    }

    let api = there.api();
    let import = async |file: &[u8]| {
        let (status, answer) = api.raw("POST", "/data/import", OCTETS, file).await;
        (status, serde_json::from_slice::<Value>(&answer).unwrap())
    };
    let count = names.len();
    let (status, answer) = import(&file).await;
    let expected = json!({ "entries": count, "imported": count, "failed": 0, "existing": 0 });
    assert_eq!((status, &answer["result"]), (200, &expected), "{answer}");
    let (_, answer) = import(&file).await;
    assert_eq!(answer["result"]["existing"], count, "{answer}");
    let mut imap = there.imap("anna").await;
    let status = imap.ok("STATUS INBOX (MESSAGES UIDNEXT)").await;
    assert!(status.find("MESSAGES 0 UIDNEXT 1").is_some(), "{:?}", status.lines());
    let (_, shown) = api.get(&format!("/users/{anna}")).await;
    assert_eq!(shown["limits"]["quota"]["used"], 0, "{shown}");
    let mut imap = crate::support::imap::ImapClient::connect(there.imap_address()).await;
    imap.ok(&format!("LOGIN anna {}", phone["password"].as_str().unwrap())).await;
    let replies =
        there.lmtp().await.deliver(&["anna@example.com"], b"Subject: x\r\n\r\nx\r\n").await;
    assert!(replies[0].starts_with("250"), "{replies:?}");
    let (_, list) = api.get(&format!("/users/{anna}/mailboxes?counters=true")).await;
    assert_eq!(
        (&list["results"][0]["total"], &list["results"][0]["unseen"]),
        (&json!(1), &json!(0))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_stores_documents_are_read_and_nonsense_is_named() {
    let store = TestStore::start().await;
    let api = store.api();
    let import = async |file: &[u8]| {
        let (status, answer) = api.raw("POST", "/data/import", OCTETS, file).await;
        (status, serde_json::from_slice::<Value>(&answer).unwrap())
    };
    let (user, mailbox) = (bson::oid::ObjectId::new(), bson::oid::ObjectId::new());
    let hash = "$pbkdf2-sha256$i=100000,l=32$NjEzRjBBMEI$";
    let documents = [
        (
            "users",
            "users",
            bson::doc! { "_id": user, "username": "Ida", "unameview": "ida",
            "address": "ida@example.com", "password": hash, "quota": 1e6, "storageUsed": 77 },
        ),
        (
            "users",
            "addresses",
            bson::doc! { "_id": bson::oid::ObjectId::new(), "user": user,
            "address": "ida@example.com", "addrview": "ida@example.com" },
        ),
        (
            "database",
            "mailboxes",
            bson::doc! { "_id": mailbox, "user": user, "path": "INBOX",
            "uidValidity": 5, "uidNext": 9, "modifyIndex": 3, "subscribed": true },
        ),
        ("database", "mailboxes", bson::doc! { "user": user }),
        ("database", "messages", bson::doc! { "_id": mailbox, "user": user }),
    ];
    let (status, answer) = import(&file(&documents)).await;
    let expected = json!({ "entries": 5, "imported": 3, "failed": 2, "existing": 0 });
    assert_eq!((status, &answer["result"]), (200, &expected), "{answer}");
    let (_, shown) = api.get(&format!("/users/{user}")).await;
    assert_eq!(shown["limits"]["quota"], json!({ "allowed": 1_000_000, "used": 0 }), "{shown}");
    let replies = store.lmtp().await.deliver(&["ida@example.com"], b"Subject: x\r\n\r\n").await;
    assert!(replies[0].starts_with("250"), "{replies:?}");
    for (file, code) in [
        (b"".to_vec(), "INVALID_DATA"),
        (b"\x09\x06\x82\xff\xff\xff\xffx".to_vec(), "INVALID_DATA"),
        ([b"\x09\x06\x82".as_slice(), &record(&(2, "x"))].concat(), "INVALID_SEQUENCE"),
        ([file(&[]).as_slice(), &record(&(2, "x"))].concat(), "INVALID_DATA"),
    ] {
        let (status, answer) = import(&file).await;
        assert_eq!((status, &answer["code"]), (500, &json!(code)), "{answer}");
    }
    // whoever works for PASSWORD here has no password yet
    let login = json!({ "username": "ida", "password": PASSWORD });
    assert_eq!(api.post("/authenticate", &login).await.0, 403);
}
