//! Every query of a hot path is an index scan that examines what it returns.

use crate::storage::field::{new_id, oid};
use crate::storage::testing::storage;
use bson::{Bson, Document, doc};

/// Names of all stages of a plan.
fn stages(plan: &Bson, found: &mut Vec<String>) {
    match plan {
        Bson::Document(document) => {
            found.extend(document.get_str("stage").ok().map(str::to_owned));
            document.iter().for_each(|(_, value)| stages(value, found));
        }
        Bson::Array(values) => values.iter().for_each(|value| stages(value, found)),
        _ => {}
    }
}

#[tokio::test]
async fn hot_queries_scan_an_index() {
    let storage = storage("explain").await;
    let (user, mailbox) = (oid::<()>(new_id()), oid::<()>(new_id()));
    let own = doc! { "user": user, "mailbox": mailbox };
    let with = |field: &str, condition: Document| {
        let mut filter = own.clone();
        filter.insert(field, condition);
        filter
    };
    let unseen = doc! { "user": user, "mailbox": mailbox, "unseen": true };
    let queries = [
        ("messages", with("uid", doc! { "$gte": 5i64, "$lte": 9i64 }), doc! { "uid": 1 }),
        ("messages", with("mod_seq", doc! { "$gt": 5i64 }), doc! { "mod_seq": 1 }),
        ("messages", own.clone(), doc! { "idate": -1, "uid": -1 }),
        ("messages", own.clone(), doc! { "idate": 1, "uid": 1 }),
        ("messages", unseen, doc! { "idate": -1, "uid": -1 }),
        ("changes", with("mod_seq", doc! { "$gt": 5i64 }), doc! { "mod_seq": 1 }),
        ("mailboxes", doc! { "user": user }, doc! { "name": 1 }),
        ("mailboxes", doc! { "user": user, "name": "INBOX" }, doc! {}),
        ("subscriptions", doc! { "user": user }, doc! { "name": 1 }),
        ("contents", doc! { "_id": { "$in": ["a", "b"] } }, doc! {}),
    ];
    for (collection, filter, sort) in queries {
        for uid in 0..40i64 {
            let mut record = doc! { "user": user, "mailbox": mailbox, "uid": uid, "mod_seq": uid };
            record.extend(doc! { "idate": bson::DateTime::from_millis(uid), "name": uid });
            let documents = storage.collection::<Document>(collection);
            let _ = documents.insert_one(record).await;
        }
        let find = doc! { "find": collection, "filter": filter.clone(), "sort": sort };
        let explain = doc! { "explain": find, "verbosity": "queryPlanner" };
        let reply = storage.database().run_command(explain).await.unwrap();
        let planner = reply.get_document("queryPlanner").unwrap();
        let mut found = Vec::new();
        stages(planner.get("winningPlan").unwrap(), &mut found);
        let is_scan =
            found.iter().any(|stage| stage.contains("IXSCAN") || stage.contains("IDHACK"));
        assert!(is_scan && !found.iter().any(|stage| stage == "COLLSCAN"), "{filter}: {found:?}");
        assert!(!found.iter().any(|stage| stage == "SORT"), "{filter}: {found:?}");
    }
    storage.drop_database().await.unwrap();
}
