//! Tests that the hot queries are index scans without a sort, and examine what they return, by
//! their `explain`.

use super::Storage;
use super::field::{get_int, new_id, oid};
use super::messages::{Chunks, in_mailbox};
use super::page::{Scan, filter};
use super::testing::storage;
use super::{deliveries, queue, queue_query, report_results, suppressions};
use crate::model::id::{MailboxId, UserId};
use crate::model::queue::{Query, State};
use crate::model::trace::{Happening, Search, SearchKey};
use crate::model::uid::UidSet;
use bson::{Bson, DateTime, Document, doc};

/// A database with one mailbox of 2000 messages.
async fn filled() -> (Storage, UserId, MailboxId) {
    let storage = storage("explain").await;
    let (user, mailbox) = (new_id(), new_id());
    let rows = (1..=2000i64).map(|uid| {
        let mut row = in_mailbox(user, mailbox);
        row.insert("uid", uid);
        row.insert("mod_seq", uid);
        row.insert("flags", i32::from(uid % 20 != 0));
        row.insert("idate", bson::DateTime::from_millis(uid / 2 * 1000));
        if uid % 20 == 0 {
            row.insert("unseen", true);
        }
        row
    });
    storage.messages().insert_many(rows).await.unwrap();
    (storage, user, mailbox)
}

/// Names of all stages of a plan.
fn stages(plan: &Bson, found: &mut Vec<String>) {
    match plan {
        Bson::Document(document) => {
            if let Ok(stage) = document.get_str("stage") {
                found.push(stage.to_owned());
            }
            document.iter().for_each(|(_, value)| stages(value, found));
        }
        Bson::Array(values) => values.iter().for_each(|value| stages(value, found)),
        _ => {}
    }
}

/// Explains a command: keys and documents examined; panics on a collection scan or a sort.
async fn explain(storage: &Storage, command: Document) -> (i64, i64) {
    let command = doc! { "explain": command, "verbosity": "executionStats" };
    let reply = storage.database().run_command(command).await.unwrap();
    let mut found = Vec::new();
    let planner = reply.get_document("queryPlanner").unwrap();
    stages(planner.get("winningPlan").unwrap(), &mut found);
    let is_scan = found
        .iter()
        .any(|stage| ["IXSCAN", "IDHACK", "COUNT_SCAN"].iter().any(|name| stage.contains(name)));
    assert!(is_scan, "{reply}");
    assert!(!found.iter().any(|stage| stage == "COLLSCAN" || stage == "SORT"), "{reply}");
    let stats = reply.get_document("executionStats").unwrap();
    let number = |key| get_int(stats, key);
    (number("totalKeysExamined"), number("totalDocsExamined"))
}

async fn find(storage: &Storage, filter: Document, sort: Document, limit: i64) -> (i64, i64) {
    let find = doc! { "find": "messages", "filter": filter, "sort": sort, "limit": limit };
    explain(storage, find).await
}

#[tokio::test]
async fn hot_queries_scan_what_they_return() {
    let (storage, user, mailbox) = filled().await;
    let by_uid = doc! { "uid": 1 };
    let scattered: UidSet = (1..=200).map(|uid| uid * 7).collect();
    for (uids, expected) in [(UidSet::from_range(100, 299), 200), (scattered, 200)] {
        let chunks: Vec<Document> = Chunks::new(&uids).collect();
        assert_eq!(chunks.len(), 1);
        let mut filter = in_mailbox(user, mailbox);
        filter.insert("uid", chunks[0].clone());
        let (keys, docs) = find(&storage, filter, by_uid.clone(), 0).await;
        assert!(docs == expected && keys <= 3 * expected, "{keys} keys, {docs} documents");
    }
    let mut filter_changed = in_mailbox(user, mailbox);
    filter_changed.insert("mod_seq", doc! { "$gt": 1950i64 });
    let (keys, docs) = find(&storage, filter_changed, doc! { "mod_seq": 1 }, 0).await;
    assert!(keys <= 51 && docs == 50, "{keys} keys, {docs} documents");
    let uid_next = u32::MAX;
    for (ascending, unseen) in [(false, None), (true, None), (false, Some(true))] {
        let scan = Scan { ascending, beyond: Some((500_000, 1001)), unseen, limit: 20, uid_next };
        let order = if ascending { 1 } else { -1 };
        let sort = doc! { "idate": order, "uid": order };
        let (keys, docs) = find(&storage, filter(user, mailbox, &scan, None), sort, 21).await;
        assert!(keys <= 24 && docs <= 24, "{ascending} {unseen:?}: {keys} keys, {docs} documents");
    }
    // the number of recent messages
    let mut fresh = in_mailbox(user, mailbox);
    fresh.insert("uid", doc! { "$gte": 1981i64 });
    let (keys, _) = explain(&storage, doc! { "count": "messages", "query": fresh }).await;
    assert!(keys <= 22, "{keys} keys");
    let mut range = in_mailbox(user, mailbox);
    range.insert("uid", doc! { "$gte": 100i64, "$lte": 149i64 });
    let update = doc! { "q": range.clone(), "u": { "$set": { "x": 1 } }, "multi": true };
    let (_, docs) = explain(&storage, doc! { "update": "messages", "updates": [update] }).await;
    assert!(docs <= 50, "{docs}");
    let delete = doc! { "q": range, "limit": 0 };
    let (_, docs) = explain(&storage, doc! { "delete": "messages", "deletes": [delete] }).await;
    assert!(docs <= 50, "{docs}");
    storage.drop_database().await.unwrap();
}

#[tokio::test]
async fn hot_queries_of_all_collections_scan_an_index() {
    let (storage, user, mailbox) = filled().await;
    let own = in_mailbox(user, mailbox);
    let with = |field: &str, condition: Document| {
        let mut filter = own.clone();
        filter.insert(field, condition);
        filter
    };
    let user = oid(user);
    let by_mod_seq = doc! { "mod_seq": 1 };
    let queries = [
        ("changes", with("mod_seq", doc! { "$gt": 5i64 }), by_mod_seq.clone()),
        ("changes", with("mod_seq", doc! { "$gt": 5i64, "$lte": 9i64 }), by_mod_seq),
        ("mailboxes", doc! { "user": user }, doc! { "name": 1 }),
        ("mailboxes", doc! { "user": user, "name": "INBOX" }, doc! {}),
        ("subscriptions", doc! { "user": user }, doc! { "name": 1 }),
        ("shares", doc! { "user": user }, doc! {}),
        ("metadata", doc! { "user": user, "mailbox": null, "entry": "/private/x" }, doc! {}),
        (
            "metadata",
            doc! { "user": user, "mailbox": { "$in": [user] }, "entry": { "$in": ["a"] } },
            doc! {},
        ),
        ("url_keys", own.clone(), doc! {}),
        ("contents", doc! { "_id": { "$in": ["a", "b"] } }, doc! {}),
        ("leases", doc! { "_id": "pop3:a" }, doc! {}),
        ("messages", own.clone(), doc! { "idate": -1, "uid": -1 }),
        ("messages", own.clone(), doc! { "idate": 1, "uid": 1 }),
        // logins, recipients, logs
        ("addresses", doc! { "addrview": { "$in": ["a@x", "*@x"] } }, doc! {}),
        ("addresses", doc! { "user": user }, doc! { "addrview": 1 }),
        ("domain_aliases", doc! { "alias": "x" }, doc! {}),
        ("domain_access", doc! { "tagview": { "$in": ["a"] }, "domain": "x" }, doc! {}),
        ("app_passwords", doc! { "user": user, "selector": 3i64 }, doc! {}),
        ("auth_log", doc! { "user": user }, doc! { "_id": -1 }),
        ("address_register", doc! { "user": user, "disabled": false }, doc! { "updated": -1 }),
        ("deleted_users", doc! { "due": { "$lte": bson::DateTime::now() } }, doc! { "due": 1 }),
    ];
    let collections =
        ["changes", "mailboxes", "subscriptions", "contents", "leases", "shares", "metadata"];
    for collection in collections {
        let rows = (0..40i64).map(|number| {
            let mut row = own.clone();
            row.extend(doc! { "uid": number, "mod_seq": number, "name": number });
            row
        });
        // one by one: some collections refuse some of these rows, the rest suffice
        for row in rows {
            let _ = storage.collection::<Document>(collection).insert_one(row).await;
        }
    }
    for (collection, filter, sort) in queries {
        let find = doc! { "find": collection, "filter": filter, "sort": sort };
        explain(&storage, find).await;
    }
    storage.drop_database().await.unwrap();
}

#[tokio::test]
async fn queries_of_reports_scan_an_index() {
    let storage = storage("explain_reports").await;
    let queries = [
        ("dmarc_failures", doc! { "waiting": true }, doc! { "waiting": 1, "_id": 1 }),
        ("dmarc_failures", doc! { "domain": "d" }, doc! { "domain": 1, "_id": -1 }),
        ("dmarc_results", report_results::beyond(9, 0, ""), doc! { "day": 1, "domain": 1 }),
        ("tls_results", report_results::beyond(9, 3, "a"), doc! { "day": 1, "domain": 1 }),
        ("tls_results", doc! { "day": 9_i64, "domain": "a" }, doc! {}),
        ("dmarc_results", doc! { "day": 9_i64, "domain": "a" }, doc! {}),
    ];
    for (collection, filter, sort) in queries {
        explain(&storage, doc! { "find": collection, "filter": filter, "sort": sort }).await;
    }
    storage.drop_database().await.unwrap();
}

#[tokio::test]
async fn queries_of_rules_queue_hooks_and_keys_scan_an_index() {
    let storage = storage("explain_rules").await;
    let user = bson::oid::ObjectId::new();
    let due = doc! { "$lte": DateTime::from_millis(1) };
    let of_domain = Query { domain: Some("d".into()), ..Query::default() };
    let of_sender = Query { sender: Some("a@b".into()), since_ms: Some(1), ..Query::default() };
    let state = Some(State::Paused);
    let of_user = Query { user: Some(new_id()), state, ..Query::default() };
    let key = vec![SearchKey::sender("a@b")];
    let by_key = Search { keys: key.clone(), ..Search::default() };
    let keys = [key, vec![SearchKey::recipient("c@d")]].concat();
    let (before, what) = (Some(new_id()), vec![Happening::Stored]);
    let by_keys = Search { keys, since_ms: Some(1), before, what, ..Search::default() };
    let of_trace = Search { trace: Some(new_id()), ..Search::default() };
    let queries = [
        ("filters", doc! { "user": user }, doc! { "user": 1, "_id": 1 }),
        ("autoreplies", doc! { "user": user }, doc! {}),
        ("queue", doc! { "local": true, "due": due.clone() }, doc! { "local": 1, "due": 1 }),
        (
            "queue",
            doc! {
                "domain": { "$gt": "a", "$nin": ["b"] }, "due": due.clone(), "local": false,
            },
            doc! { "domain": 1, "due": 1 },
        ),
        ("queue", queue::due_of("d", Some(new_id()), 1), doc! { "domain": 1, "user": 1, "due": 1 }),
        ("queue", queue::due_of("d", None, 1), doc! { "domain": 1, "user": 1, "due": 1 }),
        ("queue", doc! { "queue_id": user }, doc! { "queue_id": 1, "seq": 1 }),
        (
            "queue",
            doc! { "local": { "$in": [true, false] }, "due": due.clone(), "node": "n" },
            doc! {},
        ),
        ("queue", queue_query::filter(&of_domain, 1), doc! { "_id": 1 }),
        ("queue", queue_query::filter(&of_sender, 1), doc! { "_id": 1 }),
        ("queue", queue_query::filter(&of_user, 1), doc! { "_id": 1 }),
        ("suppressions", suppressions::any_of(&["a@b".into()], Some(new_id())), doc! {}),
        ("greylist", doc! { "_id": "a", "expires": { "$gt": DateTime::from_millis(1) } }, doc! {}),
        ("deliveries", deliveries::filter(&by_key), doc! { "_id": -1 }),
        ("deliveries", deliveries::filter(&by_keys), doc! { "_id": -1 }),
        ("deliveries", deliveries::filter(&of_trace), doc! { "_id": 1 }),
        ("webhooks", doc! { "type": { "$in": ["a", "*"] }, "user": { "$in": [user] } }, doc! {}),
        ("webhooks", doc! { "due": due.clone(), "locked_until": due.clone() }, doc! { "due": 1 }),
        (
            "webhook_notices",
            doc! { "hook": user, "due": due.clone() },
            doc! { "hook": 1, "due": 1, "_id": 1 },
        ),
        ("certificates", doc! { "servername": "a" }, doc! {}),
        ("certificates", doc! { "acmeDue": due.clone() }, doc! {}),
        (
            "webauthn_challenges",
            doc! { "_id": "a", "user": user, "registers": true, "expires": { "$gt": DateTime::from_millis(1) } },
            doc! {},
        ),
        ("webauthn_challenges", doc! { "user": user }, doc! {}),
        ("certificates", doc! { "altNames": { "$in": ["a"] } }, doc! {}),
        ("dkim_keys", doc! { "domain": "a" }, doc! {}),
        ("dkim_keys", doc! { "domain": "a", "selector": "b" }, doc! { "domain": 1, "selector": 1 }),
        ("audits", doc! { "user": user, "expires": { "$gt": DateTime::from_millis(1) } }, doc! {}),
        ("audit_messages", doc! { "audit": user }, doc! { "audit": 1, "_id": 1 }),
    ];
    for (collection, filter, sort) in queries {
        let find = doc! { "find": collection, "filter": filter, "sort": sort };
        explain(&storage, find).await;
    }
    storage.drop_database().await.unwrap();
}
