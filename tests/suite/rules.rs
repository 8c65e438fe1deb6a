//! What users' rules do to arriving mail, and what leaves: filters, forwarding, autoreplies,
//! submission; over LMTP, IMAP and the API.

use eider::storage::Storage;
use serde_json::{Value, json};

use crate::support::api::ApiClient;
use crate::support::store::{TestStore, database_uri, unique};
use crate::support::{corpus, within};

/// The documents of the queue, by their recipients.
async fn queued(database: &str) -> Vec<(String, bson::Document)> {
    let storage = Storage::connect(&database_uri(), database).await.unwrap();
    let mut cursor =
        storage.collection::<bson::Document>("queue").find(bson::doc! {}).await.unwrap();
    let mut found = Vec::new();
    while cursor.advance().await.unwrap() {
        let entry = cursor.deserialize_current().unwrap();
        found.push((entry.get_str("recipient").unwrap().to_owned(), entry));
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

async fn mailbox(api: &ApiClient, user: &str, key: &str, value: &str) -> String {
    let (_, answer) = api.get(&format!("/users/{user}/mailboxes")).await;
    let all = answer["results"].as_array().unwrap();
    let found = all.iter().find(|row| row[key] == value).unwrap_or_else(|| panic!("{answer}"));
    found["id"].as_str().unwrap().to_owned()
}

async fn list(api: &ApiClient, user: &str, mailbox: &str) -> Vec<Value> {
    let (_, answer) = api.get(&format!("/users/{user}/mailboxes/{mailbox}/messages")).await;
    answer["results"].as_array().unwrap_or_else(|| panic!("{answer}")).clone()
}

async fn ok(answer: (u16, Value)) -> Value {
    assert_eq!((answer.0, &answer.1["success"]), (200, &true.into()), "{}", answer.1);
    answer.1
}

/// Message details tell where it was forwarded to and what is still queued.
async fn shows_forwards(api: &ApiClient, message: &str) {
    let details = ok(api.get(message).await).await;
    assert_eq!(details["subject"], "onwards", "{details}");
    assert_eq!(details["forwardTargets"][0]["value"], "out@elsewhere.example", "{details}");
    let waiting = details["outbound"][0]["entries"].as_array().unwrap();
    assert_eq!(waiting.len(), 2, "{details}");
    assert_eq!(waiting[0]["recipient"], "out@elsewhere.example", "{details}");
    assert_eq!(waiting[0]["sendingZone"], "default", "{details}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_file_flag_drop_and_forward() {
    let database = unique("eider_test");
    let store = TestStore::start_on(&database).await;
    let (api, anna) = (store.api(), store.create_user("anna").await);
    let target = mailbox(&api, &anna, "specialUse", "\\Trash").await;
    let junk = mailbox(&api, &anna, "specialUse", "\\Junk").await;
    let inbox = mailbox(&api, &anna, "path", "INBOX").await;
    let path = format!("/users/{anna}/filters");
    let rules = [
        json!({"query": {"subject": "filed"}, "action": {"mailbox": target, "seen": true, "flag": true}}),
        json!({"query": {"subject": "dropped"}, "action": {"delete": true}}),
        json!({"query": {"text": "Body, spammy"}, "action": {"spam": true}}),
        json!({"query": {"subject": "onwards"},
            "action": {"targets": ["out@elsewhere.example", "smtp://relay.example:26"]}}),
        json!({"query": {"subject": "off"}, "action": {"delete": true}, "disabled": true}),
    ];
    let mut ids = Vec::new();
    for rule in &rules {
        let answer = ok(api.post(&path, rule).await).await;
        ids.push(answer["id"].as_str().unwrap().to_owned());
    }
    let mut lmtp = store.lmtp().await;
    for subject in ["filed", "dropped", "spammy", "onwards", "off", "plain"] {
        let replies = lmtp.deliver(&["anna@example.com"], &corpus::message(subject)).await;
        assert!(replies[0].starts_with("250"), "{subject}: {replies:?}");
        assert_eq!(replies[0].contains("dropped by"), subject == "dropped", "{replies:?}");
    }
    let subjects = |rows: &[Value]| -> Vec<String> {
        rows.iter().map(|row| row["subject"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(subjects(&list(&api, &anna, &inbox).await), ["plain", "off", "onwards"]);
    let filed = list(&api, &anna, &target).await;
    assert_eq!(subjects(&filed), ["filed"]);
    assert_eq!((&filed[0]["seen"], &filed[0]["flagged"]), (&true.into(), &true.into()));
    assert_eq!(subjects(&list(&api, &anna, &junk).await), ["spammy"]);
    let (_, source) = api
        .raw("GET", &format!("/users/{anna}/mailboxes/{junk}/messages/1/message.eml"), "", b"")
        .await;
    assert!(
        String::from_utf8_lossy(&source).contains("WD-Mail-Classification-Source: user-filter\r\n")
    );
    // what is forwarded waits in the queue: to the address itself, and to the relay for anna
    let entries = queued(&database).await;
    let names: Vec<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["anna@example.com", "out@elsewhere.example"]);
    for (name, entry) in &entries {
        assert_eq!(entry.get_str("sender").unwrap(), "sender@example.org", "{name}");
        let prefix =
            String::from_utf8(entry.get_binary_generic("prefix").unwrap().clone()).unwrap();
        assert!(
            prefix.starts_with("X-Eider-Seen: ") && prefix.contains("\r\nReceived: "),
            "{prefix}"
        );
    }
    let to = entries[0].1.get_document("target").unwrap();
    assert_eq!(to, &bson::doc! {"type": "relay", "value": "smtp://relay.example:26"});
    shows_forwards(&api, &format!("/users/{anna}/mailboxes/{inbox}/messages/1")).await;
    // it is not forwarded when it comes back with our mark, however it came
    let prefix = entries[1].1.get_binary_generic("prefix").unwrap();
    let returning = [prefix.as_slice(), &corpus::message("onwards")].concat();
    let replies = lmtp.deliver(&["anna@example.com"], &returning).await;
    assert!(replies[0].starts_with("250"), "{replies:?}");
    assert_eq!(queued(&database).await.len(), 2);
    // a filter that is deleted does nothing; what names a missing mailbox files into INBOX
    ok(api.delete(&format!("{path}/{}", ids[1])).await).await;
    lmtp.deliver(&["anna@example.com"], &corpus::message("dropped")).await;
    assert_eq!(list(&api, &anna, &inbox).await[0]["subject"], "dropped");
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_are_created_listed_changed_and_deleted() {
    let store = TestStore::start().await;
    let (api, anna) = (store.api(), store.create_user("anna").await);
    let eve = store.create_user("eve").await;
    let path = format!("/users/{anna}/filters");
    let foreign = mailbox(&api, &eve, "path", "INBOX").await;
    let (status, answer) =
        api.post(&path, &json!({"query": {}, "action": {"mailbox": foreign}})).await;
    assert_eq!((status, &answer["code"]), (404, &"NoSuchMailbox".into()), "{answer}");
    let (status, answer) = api.post(&path, &json!({"query": {"x": 1}, "action": {}})).await;
    assert_eq!((status, &answer["code"]), (400, &"InputValidationError".into()), "{answer}");
    assert!(answer["details"]["query,x"].is_string(), "{answer}");
    let rule = json!({
        "name": "News", "query": {"from": "news@", "ha": true, "size": -1000, "listId": "l"},
        "action": {"seen": true, "spam": null, "targets": ["a@b.example"]}, "metaData": {"a": 1}
    });
    let id = ok(api.post(&path, &rule).await).await["id"].as_str().unwrap().to_owned();
    let shown = ok(api.get(&format!("{path}/{id}")).await).await;
    assert_eq!(shown["query"], json!({"from": "news@", "ha": true, "size": -1000, "listId": "l"}));
    assert_eq!(shown["action"], json!({"seen": true, "targets": ["a@b.example"]}));
    assert_eq!(shown["metaData"], json!({"a": 1}));
    let change =
        json!({"query": {"from": "", "subject": "x"}, "action": {"seen": null}, "disabled": true});
    ok(api.put(&format!("{path}/{id}"), &change).await).await;
    let rows = ok(api.get(&path).await).await;
    assert_eq!(rows["limits"], json!({"allowed": 400, "used": 1}));
    let row = &rows["results"][0];
    assert_eq!(
        row["originalQuery"],
        json!({"ha": true, "size": -1000, "listId": "l", "subject": "x"})
    );
    assert_eq!((&row["disabled"], &row["name"]), (&true.into(), &"News".into()));
    assert!(row["query"][0][0].is_string() && row["metaData"].is_null(), "{row}");
    let all = ok(api.get("/filters?forward=B.exam&metaData=true").await).await;
    assert_eq!((&all["total"], &all["results"][0]["user"]), (&1.into(), &anna.clone().into()));
    assert_eq!(all["results"][0]["targets"], json!(["a@b.example"]));
    let none = ok(api.get("/filters?forward=zzz").await).await;
    assert_eq!(none["total"], 0);
    // somebody else's is not there
    let (status, answer) = api.get(&format!("/users/{eve}/filters/{id}")).await;
    assert_eq!((status, &answer["code"]), (404, &"FilterNotFound".into()));
    let (status, _) =
        api.put(&format!("/users/{eve}/filters/{id}"), &json!({"disabled": false})).await;
    assert_eq!(status, 404);
    ok(api.put(&format!("/users/{anna}"), &json!({"filters": 1})).await).await;
    let (status, answer) = api.post(&path, &rule).await;
    assert_eq!((status, &answer["code"], &answer["allowed"]), (403, &"TooMany".into(), &1.into()));
    ok(api.delete(&format!("{path}/{id}")).await).await;
    assert_eq!(api.delete(&format!("{path}/{id}")).await.0, 404);
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_autoreply_answers_each_sender_once_on_all_nodes() {
    let database = unique("eider_test");
    let nodes = [TestStore::start_on(&database).await, TestStore::start_on(&database).await];
    let (api, anna) = (nodes[0].api(), nodes[0].create_user("anna").await);
    let path = format!("/users/{anna}/autoreply");
    let shown = ok(api.get(&path).await).await;
    assert_eq!(
        shown,
        json!({"success": true, "status": false, "name": "", "subject": "", "text": "", "html": ""})
    );
    let body = json!({"status": true, "name": "Anna", "text": "I am away", "start": "2020-01-01T00:00:00.000Z"});
    ok(api.put(&path, &body).await).await;
    ok(api.put(&path, &json!({"subject": "Holidays"})).await).await;
    let shown = ok(api.get(&path).await).await;
    assert_eq!(
        (&shown["start"], &shown["subject"]),
        (&"2020-01-01T00:00:00.000Z".into(), &"Holidays".into())
    );
    assert!(shown["created"].as_str().unwrap().ends_with(".000Z"), "in seconds: {shown}");
    for node in &nodes {
        let mut lmtp = node.lmtp().await;
        for subject in ["one", "two"] {
            lmtp.deliver(&["anna@example.com"], &corpus::message(subject)).await;
        }
        let list = [b"List-Id: <x>\r\n".as_slice(), &corpus::message("list")].concat();
        lmtp.deliver(&["anna@example.com"], &list).await;
    }
    let entries = queued(&database).await;
    assert_eq!(entries.len(), 1, "{entries:?}");
    let (recipient, entry) = &entries[0];
    assert_eq!((recipient.as_str(), entry.get_str("sender").unwrap()), ("sender@example.org", ""));
    assert_eq!(entry.get_str("reason").unwrap(), "autoreply");
    // ours are answered into their mailboxes, and the answer is none that is answered
    let bob = nodes[1].create_user("bob").await;
    let bobs = json!({"status": true, "text": "So am I"});
    ok(api.put(&format!("/users/{bob}/autoreply"), &bobs).await).await;
    let letter = json!({"to": [{"address": "anna@example.com"}], "subject": "Hello", "text": "?"});
    ok(api.post(&format!("/users/{bob}/submit"), &letter).await).await;
    let inbox = mailbox(&api, &bob, "path", "INBOX").await;
    let answers = list(&api, &bob, &inbox).await;
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(answers[0]["subject"], "Auto: Holidays");
    assert_eq!(answers[0]["from"], json!({"name": "Anna", "address": "anna@example.com"}));
    let eml = format!("/users/{bob}/mailboxes/{inbox}/messages/1/message.eml");
    let (_, source) = api.raw("GET", &eml, "", b"").await;
    let source = String::from_utf8(source).unwrap();
    for wanted in [
        "Return-Path: <>\r\n",
        "Auto-Submitted: auto-replied\r\n",
        "In-Reply-To: <",
        "References: <",
    ] {
        assert!(source.contains(wanted), "{wanted}: {source}");
    }
    assert_eq!(list(&api, &anna, &mailbox(&api, &anna, "path", "INBOX").await).await.len(), 7);
    // switched off, and outside its dates
    ok(api.put(&path, &json!({"end": "2020-02-01T00:00:00.000Z"})).await).await;
    let third = json!({"to": [{"address": "anna@example.com"}], "text": "again"});
    let carl = nodes[0].create_user("carl").await;
    ok(api.post(&format!("/users/{carl}/submit"), &third).await).await;
    assert!(list(&api, &carl, &mailbox(&api, &carl, "path", "INBOX").await).await.is_empty());
    ok(api.delete(&path).await).await;
    assert_eq!(ok(api.get(&path).await).await["text"], "");
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_to_an_address_without_a_user_is_passed_on_and_answered() {
    let database = unique("eider_test");
    let store = TestStore::start_on(&database).await;
    let (api, anna) = (store.api(), store.create_user("anna").await);
    let team = json!({
        "address": "team@example.com", "name": "The Team", "forwards": 3,
        "targets": ["out@elsewhere.example", "anna@example.com", "smtp://relay.example:26"],
        "autoreply": {"status": true, "subject": "Thanks", "text": "We have it"}
    });
    let created = ok(api.post("/addresses/forwarded", &team).await).await;
    let path = format!("/addresses/forwarded/{}", created["id"].as_str().unwrap());
    let mut lmtp = store.lmtp().await;
    let both = ["team@example.com", "anna@example.com", "TEAM+x@example.com"];
    let replies = lmtp.deliver(&both, &corpus::message("to the team")).await;
    assert_eq!(replies.len(), 3, "{replies:?}");
    assert!(replies[0].starts_with("250 2.0.0 <team@example.com> passed on"), "{replies:?}");
    assert!(replies[1].starts_with("250 2.0.0 <anna@example.com> stored"), "{replies:?}");
    assert!(replies[2].starts_with("250 2.0.0"), "{replies:?}");
    // named twice it is passed on once; anna has her own copy and the team's
    let inbox = mailbox(&api, &anna, "path", "INBOX").await;
    assert_eq!(list(&api, &anna, &inbox).await.len(), 2);
    let entries = queued(&database).await;
    let names: Vec<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["out@elsewhere.example", "sender@example.org", "team@example.com"]);
    let (out, answer) = (&entries[0].1, &entries[1].1);
    assert_eq!(out.get_str("sender").unwrap(), "sender@example.org");
    assert!(out.get("user").is_none() && answer.get("user").is_none());
    assert_eq!(answer.get_str("reason").unwrap(), "autoreply");
    assert_eq!(answer.get_str("sender").unwrap(), "");
    let shown = ok(api.get(&path).await).await;
    assert_eq!((&shown["limits"]["forwards"]["used"]), &3, "{shown}");
    // what comes back with our mark is in a loop
    let prefix = out.get_binary_generic("prefix").unwrap();
    let returning = [prefix.as_slice(), &corpus::message("back")].concat();
    let replies = lmtp.deliver(&["team@example.com"], &returning).await;
    assert!(replies[0].starts_with("554 5.4.6"), "{replies:?}");
    // over the limit the sender keeps it: it is nowhere else
    let replies = lmtp.deliver(&["team@example.com"], &corpus::message("too many")).await;
    assert!(replies[0].starts_with("451 4.7.1"), "{replies:?}");
    assert_eq!(queued(&database).await.len(), 3);
    ok(api.put(&path, &json!({"forwardedDisabled": true})).await).await;
    let reply = lmtp.command("RSET").await;
    assert!(reply.starts_with("250"), "{reply}");
    lmtp.command("MAIL FROM:<a@b.example>").await;
    let reply = lmtp.command("RCPT TO:<team@example.com>").await;
    assert!(reply.starts_with("550 5.2.1"), "{reply}");
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_submitted_message_reaches_ours_at_once_and_others_by_the_queue() {
    let database = unique("eider_test");
    let store = TestStore::start_on(&database).await;
    let (api, anna) = (store.api(), store.create_user("anna").await);
    let bob = store.create_user("bob").await;
    let letter = json!({
        "from": {"name": "Somebody", "address": "eve@evil.example"},
        "to": [{"name": "Bob", "address": "bob@example.com"}, {"address": "nowhere"}],
        "cc": [{"address": "out@elsewhere.example"}, {"address": "BOB@example.com"}],
        "bcc": [{"address": "secret@elsewhere.example"}],
        "subject": "Grüße", "html": "<p>Hi <b>Bob</b></p>", "meta": {"k": "v"},
        "attachments": [{"filename": "a.txt", "content": "aGk="}]
    });
    let sent = ok(api.post(&format!("/users/{anna}/submit"), &letter).await).await;
    let sent_mailbox = mailbox(&api, &anna, "specialUse", "\\Sent").await;
    assert_eq!(sent["message"]["mailbox"], sent_mailbox.clone());
    let queue_id = sent["message"]["queueId"].as_str().unwrap().to_owned();
    let inbox = mailbox(&api, &bob, "path", "INBOX").await;
    let got = list(&api, &bob, &inbox).await;
    assert_eq!(got.len(), 1, "once, though named twice");
    assert_eq!(got[0]["from"], json!({"name": "Somebody", "address": "anna@example.com"}));
    assert_eq!((&got[0]["subject"], &got[0]["attachments"]), (&"Grüße".into(), &true.into()));
    assert_eq!(got[0]["bcc"], json!([]), "nobody sees Bcc");
    let copies = list(&api, &anna, &sent_mailbox).await;
    assert_eq!(copies[0]["bcc"][0]["address"], "secret@elsewhere.example");
    assert_eq!(copies[0]["seen"], true);
    let entries = queued(&database).await;
    let names: Vec<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["out@elsewhere.example", "secret@elsewhere.example"]);
    assert!(
        entries.iter().all(|(_, entry)| entry.get_str("sender").unwrap() == "anna@example.com")
    );
    // cancelled by the owner only
    let gone = api.delete(&format!("/users/{bob}/outbound/{queue_id}")).await;
    assert_eq!((gone.0, &gone.1["code"]), (200, &"NotEnoughPrivileges".into()));
    let gone = ok(api.delete(&format!("/users/{anna}/outbound/{queue_id}")).await).await;
    assert_eq!((&gone["queueId"], &gone["deleted"]), (&queue_id.clone().into(), &2.into()));
    let gone = api.delete(&format!("/users/{anna}/outbound/{queue_id}")).await;
    assert_eq!((&gone.1["success"], &gone.1["code"]), (&false.into(), &"NoSuchQueueEntry".into()));
    // a reply to all: recipients, subject, thread and flag follow from the message
    let uid = got[0]["id"].as_u64().unwrap();
    let reply =
        json!({"text": "yes", "reference": {"mailbox": inbox, "id": uid, "action": "replyAll"}});
    ok(api.post(&format!("/users/{bob}/submit"), &reply).await).await;
    let back = list(&api, &anna, &mailbox(&api, &anna, "path", "INBOX").await).await;
    assert_eq!(
        (&back[0]["subject"], &back[0]["references"]),
        (&"Re: Grüße".into(), &json!([got[0]["messageId"]]))
    );
    assert_eq!(back[0]["cc"][0]["address"], "out@elsewhere.example");
    assert_eq!(list(&api, &bob, &inbox).await[0]["answered"], true);
    // limits hold
    ok(api.put(&format!("/users/{anna}"), &json!({"recipients": 3})).await).await;
    // a new limit begins with nothing used
    ok(api.post(&format!("/users/{anna}/submit"), &letter).await).await;
    let (status, answer) = api.post(&format!("/users/{anna}/submit"), &letter).await;
    assert_eq!((status, &answer["code"]), (403, &"RateLimitedError".into()), "{answer}");
    let many: Vec<Value> =
        (0..401).map(|n| json!({"address": format!("u{n}@x.example")})).collect();
    let (status, answer) =
        api.post(&format!("/users/{bob}/submit"), &json!({"to": many, "text": "x"})).await;
    assert_eq!((status, &answer["code"]), (403, &"TooMany".into()), "{answer}");
    let unknown = "f".repeat(24);
    assert_eq!(
        api.post(&format!("/users/{unknown}/submit"), &letter).await,
        (200, json!({"success": true}))
    );
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drafts_are_stored_then_sent() {
    let database = unique("eider_test");
    let store = TestStore::start_on(&database).await;
    let (api, anna) = (store.api(), store.create_user("anna").await);
    let bob = store.create_user("bob").await;
    let draft = json!({"isDraft": true, "subject": "Later", "text": "x", "to": [{"address": "bob@example.com"}]});
    let stored = ok(api.post(&format!("/users/{anna}/submit"), &draft).await).await;
    let drafts = mailbox(&api, &anna, "specialUse", "\\Drafts").await;
    assert_eq!(
        (&stored["message"]["mailbox"], &stored["message"]["queueId"]),
        (&drafts.clone().into(), &false.into())
    );
    let inbox = mailbox(&api, &bob, "path", "INBOX").await;
    assert!(list(&api, &bob, &inbox).await.is_empty());
    let path = format!("/users/{anna}/mailboxes/{drafts}/messages/{}", stored["message"]["id"]);
    let sent = ok(api.post(&format!("{path}/submit"), &json!({})).await).await;
    assert!(sent["queueId"].is_string() && sent["message"]["size"].is_u64(), "{sent}");
    assert_eq!(list(&api, &bob, &inbox).await[0]["subject"], "Later");
    assert!(list(&api, &anna, &drafts).await.is_empty());
    let sent_mailbox = mailbox(&api, &anna, "specialUse", "\\Sent").await;
    let copies = list(&api, &anna, &sent_mailbox).await;
    assert_eq!(
        (copies.len(), &copies[0]["draft"], &copies[0]["seen"]),
        (1, &false.into(), &true.into())
    );
    let (status, answer) = api.post(&format!("{path}/submit"), &json!({})).await;
    assert_eq!((status, &answer["code"]), (404, &"MessageNotFound".into()), "{answer}");
    let path = format!("/users/{anna}/mailboxes/{sent_mailbox}/messages/{}", copies[0]["id"]);
    let (status, answer) = api.post(&format!("{path}/submit"), &json!({})).await;
    assert_eq!((status, &answer["code"]), (400, &"MessageNotDraft".into()), "{answer}");
    // sent on by hand
    assert_eq!(
        ok(api.post(&format!("{path}/forward"), &json!({})).await).await["forwarded"],
        json!([])
    );
    let on = ok(api.post(&format!("{path}/forward"), &json!({"addresses": ["x@y.example"]})).await)
        .await;
    assert_eq!(on["forwarded"], json!([{"seq": "001", "type": "mail", "value": "x@y.example"}]));
    assert_eq!(queued(&database).await[0].0, "x@y.example");
    // delayed: ours waits in the queue, too
    let later = json!({"to": [{"address": "bob@example.com"}], "text": "x", "sendTime": "2100-01-01T00:00:00Z"});
    let later = ok(api.post(&format!("/users/{anna}/submit"), &later).await).await;
    assert_eq!(list(&api, &bob, &inbox).await.len(), 1);
    let id = later["message"]["queueId"].as_str().unwrap();
    let gone = ok(api.delete(&format!("/users/{anna}/outbound/{id}")).await).await;
    assert_eq!(gone["deleted"], 1);
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_mailbox_gets_its_submitted_mail_when_there_is_room() {
    let database = unique("eider_test");
    let store = TestStore::start_on(&database).await;
    let (api, anna) = (store.api(), store.create_user("anna").await);
    let bob = store.create_user("bob").await;
    ok(api.put(&format!("/users/{bob}"), &json!({"quota": 10})).await).await;
    let letter = json!({"to": [{"address": "bob@example.com"}], "text": "wait"});
    ok(api.post(&format!("/users/{anna}/submit"), &letter).await).await;
    let inbox = mailbox(&api, &bob, "path", "INBOX").await;
    assert!(list(&api, &bob, &inbox).await.is_empty());
    let entries = queued(&database).await;
    assert_eq!(entries[0].1.get_array("log").unwrap().len(), 1, "{entries:?}");
    ok(api.put(&format!("/users/{bob}"), &json!({"quota": 0})).await).await;
    // due now instead of in five minutes
    let storage = Storage::connect(&database_uri(), &database).await.unwrap();
    let now = bson::doc! {"$set": {"due": bson::DateTime::from_millis(0)}};
    storage.collection::<bson::Document>("queue").update_many(bson::doc! {}, now).await.unwrap();
    within("the delivery", async {
        while list(&api, &bob, &inbox).await.is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await;
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_that_files_into_a_removed_mailbox_is_switched_off() {
    let store = TestStore::start().await;
    let (api, anna) = (store.api(), store.create_user("anna").await);
    let new = ok(api.post(&format!("/users/{anna}/mailboxes"), &json!({ "path": "Lists" })).await);
    let lists = new.await["id"].as_str().unwrap().to_owned();
    let rule = json!({ "query": { "subject": "x" }, "action": { "mailbox": lists } });
    let rule = ok(api.post(&format!("/users/{anna}/filters"), &rule).await).await;
    let path = format!("/users/{anna}/filters/{}", rule["id"].as_str().unwrap());
    assert_eq!(ok(api.get(&path).await).await["disabled"], false);
    ok(api.delete(&format!("/users/{anna}/mailboxes/{lists}")).await).await;
    assert_eq!(ok(api.get(&path).await).await["disabled"], true);
    store.stop().await;
}
