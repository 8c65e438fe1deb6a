//! Messages over the HTTP interface: lists, threads, search, archive, updates.

use serde_json::{Value, json};

use crate::support::api::ApiClient;
use crate::support::store::TestStore;
use crate::support::until;

struct Stand {
    store: TestStore,
    api: ApiClient,
    user: String,
}

impl Stand {
    async fn start() -> Self {
        let store = TestStore::start().await;
        let user = store.create_user("anna").await;
        Self { api: store.api(), store, user }
    }

    fn path(&self, rest: &str) -> String {
        format!("/users/{}{rest}", self.user)
    }

    async fn get(&self, rest: &str) -> Value {
        let (status, answer) = self.api.get(&self.path(rest)).await;
        assert_eq!(status, 200, "{rest}: {answer}");
        answer
    }

    async fn mailbox(&self, path: &str) -> String {
        let answer = self.get(&format!("/mailboxes/resolve?path={path}")).await;
        answer["id"].as_str().unwrap().to_owned()
    }

    async fn upload(&self, mailbox: &str, message: &Value) -> u64 {
        let path = self.path(&format!("/mailboxes/{mailbox}/messages"));
        let (status, answer) = self.api.post(&path, message).await;
        assert_eq!(status, 200, "{answer}");
        answer["message"]["id"].as_u64().unwrap()
    }
}

fn encode(q: &str) -> String {
    let octet = |b: u8| match b {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(b).to_string(),
        b => format!("%{b:02X}"),
    };
    q.bytes().map(octet).collect()
}

fn ids(list: &Value) -> Vec<u64> {
    list["results"].as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threads_are_counted_collapsed_and_know_their_drafts() {
    let stand = Stand::start().await;
    let inbox = stand.mailbox("INBOX").await;
    let sent = stand.mailbox("Sent%20Mail").await;
    let drafts = stand.mailbox("Drafts").await;
    let message = |id: &str, reply: Option<&str>, subject: &str, day: u32| {
        let mut headers = vec![json!({"key": "Message-ID", "value": format!("<{id}@x>")})];
        headers.extend(reply.map(|to| json!({"key": "In-Reply-To", "value": format!("<{to}@x>")})));
        json!({
            "from": {"address": "anna@example.com"}, "to": [{"address": "bert@example.net"}],
            "subject": subject, "text": "words of wisdom", "headers": headers,
            "date": format!("2026-01-{day:02}T10:00:00Z"),
        })
    };
    stand.upload(&inbox, &message("a", None, "Plan", 1)).await;
    stand.upload(&sent, &message("b", Some("a"), "Re: Plan", 2)).await;
    stand.upload(&inbox, &message("c", Some("b"), "RE: Plan", 3)).await;
    stand.upload(&inbox, &message("d", None, "Other", 4)).await;
    let mut draft = message("e", Some("c"), "Re: Plan", 5);
    draft["draft"] = true.into();
    stand.upload(&drafts, &draft).await;
    let base = format!("/mailboxes/{inbox}/messages?threadCounters=true&includeHasDrafts=true");
    let list = stand.get(&base).await;
    assert_eq!((ids(&list), &list["total"]), (vec![3, 2, 1], &json!(3)));
    let counts = |list: &Value, name: &str| {
        let rows = list["results"].as_array().unwrap().iter();
        rows.map(|row| row[name].clone()).collect::<Vec<_>>()
    };
    assert_eq!(counts(&list, "threadMessageCount"), [json!(1), json!(4), json!(4)]);
    assert_eq!(counts(&list, "hasDrafts"), [json!(false), json!(true), json!(false)]);
    let collapsed = stand.get(&format!("{base}&collapseThreads=true&limit=1")).await;
    assert_eq!((ids(&collapsed), &collapsed["total"]), (vec![3], &json!(2)));
    let next = collapsed["nextCursor"].as_str().unwrap();
    let second = stand.get(&format!("{base}&collapseThreads=true&limit=1&next={next}")).await;
    assert_eq!((ids(&second), counts(&second, "hasDrafts")), (vec![2], vec![json!(true)]));
    assert_eq!(second["nextCursor"], false);
    let back = second["previousCursor"].as_str().unwrap();
    let first = stand.get(&format!("{base}&collapseThreads=true&limit=1&previous={back}")).await;
    assert_eq!(ids(&first), [3]);
    let thread = list["results"][1]["thread"].as_str().unwrap();
    let found = stand.get(&format!("/search?thread={thread}&order=asc")).await;
    assert_eq!(found["total"], 4, "{found}");
    stand.store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn searches_find_what_they_ask_for() {
    let stand = Stand::start().await;
    let (inbox, junk) = (stand.mailbox("INBOX").await, stand.mailbox("Junk").await);
    let message = |from: &str, subject: &str, text: &str, unseen: bool| {
        json!({
            "from": {"name": "Some One", "address": from}, "to": [{"address": "anna@example.com"}],
            "subject": subject, "text": text, "unseen": unseen,
        })
    };
    stand.upload(&inbox, &message("bert@example.net", "Lunch plans", "pizza tonight", true)).await;
    stand.upload(&inbox, &message("carla@example.org", "Invoice 77", "please pay", false)).await;
    stand.upload(&junk, &message("spam@example.org", "Pills", "cheap pizza", true)).await;
    for (q, expected) in [
        ("pizza", 2),
        ("pizza -in:junk", 1),
        ("searchable:true pizza", 1),
        ("\"pizza tonight\"", 1),
        ("from:carla OR subject:pills", 2),
        ("from: \"some one\" is:unread", 2),
        ("-(pizza OR invoice)", 0),
        ("in:inbox seen:true", 1),
        ("in:nowhere", 0),
        ("minsize:100000", 0),
        ("after:2000-01-01 to:anna", 3),
        ("(pizza", 0),
        ("pay lunch", 2),
        ("pay AND lunch", 0),
        ("has:attachment", 0),
    ] {
        let found = stand.get(&format!("/search?q={}", encode(q))).await;
        assert_eq!(found["total"], expected, "{q}: {found}");
        assert_eq!(found["query"], q);
    }
    for (params, expected) in [
        ("query=pizza%20invoice", 3),
        ("query=pizza%20tonight&useAndSearch=true", 1),
        ("or.from=carla&or.subject=lunch", 2),
        ("unseen=true", 2),
        (&format!("mailbox={inbox}&id=1:1"), 1),
        ("from=bert&searchable=true", 1),
        ("limit=1&flagged=true", 0),
    ] {
        let found = stand.get(&format!("/search?{params}")).await;
        assert_eq!(found["total"], expected, "{params}: {found}");
    }
    let newest = stand.get("/search?limit=2").await;
    assert_eq!(newest["results"][0]["subject"], "Pills");
    let next = newest["nextCursor"].as_str().unwrap();
    let rest = stand.get(&format!("/search?limit=2&next={next}")).await;
    assert_eq!(rest["results"][0]["subject"], "Lunch plans");
    let (status, answer) = stand.api.get(&stand.path("/search?next=AAAA")).await;
    assert_eq!((status, &answer["code"]), (500, &json!("InternalDatabaseError")));
    let nobody = format!("/users/{}/search?from=x", "0".repeat(24));
    assert_eq!(stand.api.get(&nobody).await.0, 404);
    let action = json!({"q": "pizza", "action": {"moveTo": inbox}});
    let (status, answer) = stand.api.post(&stand.path("/search"), &action).await;
    assert_eq!((status, &answer["existing"]), (200, &json!(false)), "{answer}");
    until("the found are moved", async || {
        stand.get(&format!("/mailboxes/{inbox}?")).await["total"] == 3
    })
    .await;
    let action = json!({"q": "invoice", "action": {"delete": true}});
    assert_eq!(stand.api.post(&stand.path("/search"), &action).await.0, 200);
    until("the found are deleted", async || stand.get("/archived/messages").await["total"] == 1)
        .await;
    stand.store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_messages_are_listed_and_restored() {
    let stand = Stand::start().await;
    let inbox = stand.mailbox("INBOX").await;
    let subject = |subject: &str| json!({"subject": subject, "text": "x", "metaData": {"n": 1}});
    for name in ["one", "two", "three"] {
        stand.upload(&inbox, &subject(name)).await;
    }
    let messages = stand.path(&format!("/mailboxes/{inbox}/messages"));
    let (status, answer) = stand.api.delete(&format!("{messages}/1")).await;
    assert_eq!((status, &answer["success"]), (200, &json!(true)));
    let (status, answer) = stand.api.delete(&format!("{messages}/1")).await;
    assert_eq!((status, &answer["code"]), (404, &json!("MessageNotFound")), "{answer}");
    let list = stand.get("/archived/messages?metaData=true&includeHeaders=true").await;
    let row = &list["results"][0];
    assert_eq!((&list["total"], &row["subject"]), (&json!(1), &json!("one")), "{list}");
    assert_eq!((&row["metaData"]["n"], &row["headers"]["subject"]), (&json!(1), &json!("one")));
    let id = row["id"].as_str().unwrap();
    assert_eq!(id.len(), 24);
    let other = stand.store.create_user("bert").await;
    let foreign = format!("/users/{other}/archived/messages/{id}/restore");
    let (status, answer) = stand.api.post(&foreign, &json!({})).await;
    assert_eq!((status, &answer["code"]), (404, &json!("MessageNotFound")), "{answer}");
    let restore = stand.path(&format!("/archived/messages/{id}/restore"));
    let missing = json!({"mailbox": "f".repeat(24)});
    let (status, answer) = stand.api.post(&restore, &missing).await;
    assert_eq!((status, &answer["success"]), (200, &json!(false)), "{answer}");
    let (status, answer) = stand.api.post(&restore, &json!({})).await;
    assert_eq!((status, &answer["id"]), (200, &json!(4)), "{answer}");
    let (status, _) = stand.api.post(&restore, &json!({})).await;
    assert_eq!(status, 404);
    // all of a mailbox, by a task; and back, all of a time
    let (status, answer) = stand.api.delete(&format!("{messages}?async=true")).await;
    assert_eq!((status, answer["scheduled"].is_string()), (200, true), "{answer}");
    until("the mailbox is empty", async || {
        stand.get(&format!("/mailboxes/{inbox}?")).await["total"] == 0
    })
    .await;
    let range = json!({"start": "2020-01-01", "end": 4_000_000_000_000i64});
    let (status, answer) = stand.api.post(&stand.path("/archived/restore"), &range).await;
    assert_eq!((status, answer["task"].is_string()), (200, true), "{answer}");
    until("all are restored", async || stand.get("/archived/messages").await["total"] == 0).await;
    let mailboxes = stand.get("/mailboxes?counters=true").await;
    let restored = mailboxes["results"].as_array().unwrap().iter();
    let restored: Vec<&Value> =
        restored.filter(|row| row["path"].as_str().unwrap().starts_with("Restored (")).collect();
    assert_eq!((restored.len(), &restored[0]["total"]), (1, &json!(3)));
    let restored = restored[0]["id"].as_str().unwrap();
    let all = stand.path(&format!("/mailboxes/{restored}/messages?skipArchive=true"));
    let (status, answer) = stand.api.delete(&all).await;
    assert_eq!((status, &answer["deleted"]), (200, &json!(3)), "{answer}");
    assert_eq!(stand.get("/archived/messages").await["total"], 0);
    stand.store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_have_notes_and_an_expiry() {
    let stand = Stand::start().await;
    let inbox = stand.mailbox("INBOX").await;
    stand.upload(&inbox, &json!({"subject": "a", "text": "x"})).await;
    let message = stand.path(&format!("/mailboxes/{inbox}/messages/1"));
    let update = json!({"metaData": {"k": "v"}, "expires": "2100-01-02T03:04:05Z"});
    let (status, answer) = stand.api.put(&message, &update).await;
    assert_eq!((status, &answer["updated"]), (200, &json!(1)), "{answer}");
    let (_, shown) = stand.api.get(&message).await;
    assert_eq!(
        (&shown["expires"], &shown["metaData"]["k"]),
        (&json!("2100-01-02T03:04:05.000Z"), &json!("v")),
        "{shown}"
    );
    let (status, _) = stand.api.put(&message, &json!({"expires": false})).await;
    assert_eq!(status, 200);
    assert!(stand.api.get(&message).await.1.get("expires").is_none());
    let (status, answer) = stand.api.put(&message, &json!({})).await;
    assert_eq!((status, answer.get("code")), (500, None), "{answer}");
    // the mailbox keeps for a day
    let retention = json!({"retention": 86_400_000, "encryptMessages": true});
    let mailbox = stand.path(&format!("/mailboxes/{inbox}"));
    assert_eq!(stand.api.put(&mailbox, &retention).await.0, 200);
    stand.upload(&inbox, &json!({"subject": "b", "text": "x"})).await;
    let second = stand.path(&format!("/mailboxes/{inbox}/messages/2"));
    assert!(stand.api.get(&second).await.1["expires"].is_string());
    let (_, shown) = stand.api.get(&mailbox).await;
    assert_eq!(
        (&shown["retention"], &shown["encryptMessages"]),
        (&json!(86_400_000), &json!(true)),
        "{shown}"
    );
    stand.store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_kept_and_attached() {
    let stand = Stand::start().await;
    let storage = stand.path("/storage");
    let upload = json!({"filename": "b.txt", "content": "aGVsbG8=", "encoding": "base64"});
    let (status, answer) = stand.api.post(&storage, &upload).await;
    assert_eq!(status, 200, "{answer}");
    let file = answer["id"].as_str().unwrap().to_owned();
    let big = vec![7u8; 1_500_000];
    let path = format!("{storage}?filename=a.png&cid=pic");
    let (status, answer) = stand.api.raw("POST", &path, "image/png", &big).await;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
    let (status, answer) = stand.api.post(&storage, &json!({"filename": "c"})).await;
    assert_eq!((status, answer["details"]["content"].is_string()), (400, true), "{answer}");
    let list = stand.get("/storage?limit=1").await;
    let row = &list["results"][0];
    assert_eq!((&list["total"], &row["filename"]), (&json!(2), &json!("a.png")), "{list}");
    assert_eq!((&row["size"], &row["cid"]), (&json!(1_500_000), &json!("pic")));
    let picture = row["id"].as_str().unwrap().to_owned();
    let next = list["nextCursor"].as_str().unwrap();
    let second = stand.get(&format!("/storage?limit=1&next={next}")).await;
    let row = &second["results"][0];
    assert_eq!((&row["id"], &row["contentType"]), (&json!(file), &json!("text/plain")));
    assert_eq!(stand.get("/storage?query=A.P").await["total"], 1);
    let (status, body) = stand.api.raw("GET", &format!("{storage}/{picture}"), "", b"").await;
    assert_eq!((status, body == big), (200, true));
    let other = stand.store.create_user("bert").await;
    let foreign = format!("/users/{other}/storage/{file}");
    assert_eq!(stand.api.get(&foreign).await.1["code"], "FileNotFound");
    assert_eq!(stand.api.delete(&foreign).await.0, 404);
    let drafts = stand.mailbox("Drafts").await;
    let message = json!({"draft": true, "text": "see", "files": [file, picture]});
    let uid = stand.upload(&drafts, &message).await;
    let shown = stand.get(&format!("/mailboxes/{drafts}/messages/{uid}")).await;
    let names: Vec<&str> = shown["attachments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| a["filename"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["b.txt", "a.png"], "{shown}");
    assert_eq!(shown["files"][0]["id"], file.as_str());
    let messages = stand.path(&format!("/mailboxes/{drafts}/messages"));
    let missing = json!({"draft": true, "text": "x", "files": ["0".repeat(24)]});
    let (status, answer) = stand.api.post(&messages, &missing).await;
    assert_eq!((status, answer["details"]["files"].is_string()), (400, true), "{answer}");
    let (status, answer) = stand.api.delete(&format!("{storage}/{file}")).await;
    assert_eq!((status, &answer["success"]), (200, &json!(true)));
    assert_eq!(stand.api.delete(&format!("{storage}/{file}")).await.1["code"], "FileNotFound");
    stand.store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collapsed_thread_is_seen_and_changed_as_one() {
    let stand = Stand::start().await;
    let inbox = stand.mailbox("INBOX").await;
    let drafts = stand.mailbox("Drafts").await;
    let message = |reply: Option<u64>, day: u32, more: Value| {
        let mut message = json!({
            "to": [{"address": "bert@example.net"}], "text": "words",
            "date": format!("2026-01-{day:02}T10:00:00Z"),
        });
        match reply {
            Some(id) => {
                message["reference"] = json!({"mailbox": inbox, "id": id, "action": "reply"});
            }
            None => message["subject"] = json!(format!("Plan {day}")),
        }
        message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        message
    };
    let root = stand.upload(&inbox, &message(None, 1, json!({}))).await;
    let middle = stand.upload(&inbox, &message(Some(root), 2, json!({"unseen": true}))).await;
    let last = stand.upload(&inbox, &message(Some(middle), 3, json!({}))).await;
    let elsewhere = json!({"unseen": true, "flagged": true});
    stand.upload(&drafts, &message(Some(root), 4, elsewhere)).await;
    let other = stand.upload(&inbox, &message(None, 5, json!({}))).await;
    let all = format!("/mailboxes/{inbox}/messages");
    for (order, thread) in [("asc", root), ("desc", last)] {
        let list = stand.get(&format!("{all}?collapseThreads=true&order={order}")).await;
        let rows = list["results"].as_array().unwrap();
        let row = |id: u64| rows.iter().find(|row| row["id"] == id).unwrap();
        assert_eq!((&row(thread)["seen"], &row(thread)["flagged"]), (&json!(false), &json!(true)));
        assert_eq!((&row(other)["seen"], &row(other)["flagged"]), (&json!(true), &json!(false)));
    }
    let list = stand.get(&format!("{all}?includeHasDrafts=true&order=asc")).await;
    let answered: Vec<bool> = list["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["hasDrafts"].as_bool().unwrap())
        .collect();
    // what a draft answers, not what it refers to
    assert_eq!(answered, [true, true, false, false]);
    let whole = json!({"updateThread": true, "seen": true});
    let one = stand.path(&format!("{all}/{middle}"));
    let (status, answer) = stand.api.put(&one, &whole).await;
    assert_eq!((status, &answer["updated"]), (200, &json!(3)), "{answer}");
    let notes = json!({"updateThread": true, "metaData": {"a": 1}});
    let (status, answer) = stand.api.put(&one, &notes).await;
    assert_eq!((status, answer["details"]["updateThread"].is_string()), (400, true), "{answer}");
    let (status, answer) = stand.api.delete(&format!("{one}?updateThread=true")).await;
    assert_eq!((status, &answer["deleted"]), (200, &json!(3)), "{answer}");
    assert_eq!(ids(&stand.get(&all).await), [other]);
    // named was the middle one, a draft: for good; the last, a draft, too, only went along
    assert_eq!(stand.get("/archived/messages").await["total"], 2);
    stand.store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_of_q_are_any_of_them_and_nonsense_is_left_out() {
    let stand = Stand::start().await;
    let inbox = stand.mailbox("INBOX").await;
    let trash = stand.mailbox("Trash").await;
    for (mailbox, text) in [(&inbox, "apple pear"), (&inbox, "pear  plum"), (&trash, "apple")] {
        let message = json!({"subject": text, "text": text, "to": [{"address": "b@example.net"}]});
        stand.upload(mailbox, &message).await;
    }
    for (q, more, count) in [
        ("apple plum", "", 3),
        ("apple plum", "&useAndSearch=true", 0),
        ("apple AND pear", "", 1),
        ("apple", "&searchable=true", 1),
        ("apple nokey:x has:nothing seen:false minsize:x", "", 2),
        ("nokey:x", "", 0),
        ("apple in:nowhere", "", 0),
        ("\"pear  plum\"", "", 1),
        ("\"apple  pear\"", "", 0),
        ("\"apple pear\" -plum", "", 1),
    ] {
        let found = stand.get(&format!("/search?q={}{more}", encode(q))).await;
        assert_eq!(found["total"], count, "{q} {more}: {found}");
    }
    stand.store.stop().await;
}
