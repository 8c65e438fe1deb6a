//! The stories of messages, the queue and how it is steered.

use serde_json::{Value, json};

use super::registry::{Row, row};
use crate::support::api::ApiClient;
use crate::support::store::{PASSWORD, TestStore, config, unique};
use crate::support::{corpus, until};

pub const ROWS: &[Row] = &[
    row("searchTrace", "{}"),
    row("showTrace", "{}"),
    row("listQueue", "{}"),
    row("showQueueSummary", "{}"),
    row("showQueueEntry", "{}"),
    row("steerQueue", r#"{"action":"pause","all":true}"#),
    row("steerQueueEntry", r#"{"action":"pause"}"#),
    row("deleteQueue", r#"{"all":true}"#),
    row("deleteQueueEntry", "{}"),
    row("listSuppressions", "{}"),
    row("createSuppression", r#"{"address":"a@b.example"}"#),
    row("deleteSuppression", "{}"),
];

async fn ok(answer: (u16, Value)) -> Value {
    assert_eq!((answer.0, &answer.1["success"]), (200, &json!(true)), "{}", answer.1);
    answer.1
}

/// The rows of a search once there are so many: events are written a moment later.
async fn search(api: &ApiClient, query: &str, count: usize) -> Vec<Value> {
    let mut rows = Vec::new();
    until(&format!("{count} rows of {query}"), async || {
        let answer = ok(api.get(&format!("/trace?{query}")).await).await;
        rows = answer["results"].as_array().unwrap().clone();
        rows.len() >= count
    })
    .await;
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_found_by_its_names_and_its_story_is_told() {
    let store = TestStore::start().await;
    let (api, anna) = (store.api(), store.create_user("anna").await);
    let berta = store.create_user("berta").await;
    let filter = json!({"query": {"subject": "filed"}, "action": {"flag": true}});
    ok(api.post(&format!("/users/{anna}/filters"), &filter).await).await;
    let message = b"Message-ID: <filed-1@example.org>\r\nSubject: filed\r\n\r\nx\r\n";
    let to = ["anna@example.com", "berta@example.com"];
    let replies = store.lmtp().await.deliver(&to, message).await;
    assert!(replies.iter().all(|reply| reply.starts_with("250")), "{replies:?}");
    let rows = search(&api, "messageId=filed-1@example.org", 4).await;
    let trace = rows[0]["trace"].as_str().unwrap().to_owned();
    let story = ok(api.get(&format!("/trace/{trace}")).await).await;
    let events = story["events"].as_array().unwrap();
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["received", "rule", "stored", "stored"], "{story}");
    assert_eq!(events[0]["sender"], "sender@example.org", "{story}");
    assert_eq!(events[0]["address"], "127.0.0.1", "{story}");
    assert_eq!(events[0]["details"]["with"], "LMTP", "{story}");
    assert_eq!(events[0]["details"]["helo"], "client.example.com", "{story}");
    assert_eq!(events[2]["user"], json!(anna), "{story}");
    assert_eq!(events[2]["details"]["uid"], 1, "{story}");
    // by every name, and together
    for query in [
        format!("user={anna}"),
        "recipient=ANNA@example.com".to_owned(),
        "recipient=anna@example.com&sender=sender@example.org".to_owned(),
        format!("trace={trace}&recipient=anna@example.com"),
    ] {
        assert_eq!(search(&api, &query, 2).await.len(), 2, "{query}");
    }
    for (query, count) in [
        ("event=stored&address=127.0.0.1", 2),
        ("sender=sender@example.org&recipient=nobody@example.com", 0),
        ("until=2020-01-01T00:00:00Z", 0),
        ("since=2020-01-01T00:00:00Z&event=received", 1),
    ] {
        assert_eq!(search(&api, query, count).await.len(), count, "{query}");
    }
    // page by page
    let first = ok(api.get(&format!("/trace?trace={trace}&limit=3")).await).await;
    let next = first["nextCursor"].as_str().unwrap();
    let second = ok(api.get(&format!("/trace?trace={trace}&limit=3&next={next}")).await).await;
    assert_eq!(second["results"].as_array().unwrap().len(), 1, "{second}");
    assert_eq!(second["nextCursor"], false, "{second}");
    assert_eq!(second["results"][0]["event"], "received", "{second}");
    // a user sees his part
    let login = json!({ "username": "berta", "password": PASSWORD, "token": true });
    let (_, answer) = api.post("/authenticate", &login).await;
    let own = ApiClient::new(store.running.addresses.api[0], answer["token"].as_str());
    let rows = search(&own, "since=2020-01-01T00:00:00Z", 1).await;
    assert!(rows.iter().all(|row| row["user"] == json!(berta)), "{rows:?}");
    let part = ok(own.get(&format!("/trace/{trace}")).await).await;
    assert_eq!(part["events"].as_array().unwrap().len(), 1, "{part}");
    let (status, answer) = api.get(&format!("/trace/{}", "0".repeat(24))).await;
    assert_eq!((status, &answer["code"]), (404, &json!("TraceNotFound")), "{answer}");
    for bad in ["event=eaten", "address=x", "trace=1", "limit=251", "since=soon", "page=1"] {
        let (status, answer) = api.get(&format!("/trace?{bad}")).await;
        assert_eq!((status, &answer["code"]), (400, &json!("InputValidationError")), "{answer}");
    }
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_mail_has_a_story_too() {
    let store = TestStore::start().await;
    let (api, anna) = (store.api(), store.create_user("anna").await);
    ok(api.put(&format!("/users/{anna}"), &json!({ "quota": 10 })).await).await;
    let replies =
        store.lmtp().await.deliver(&["anna@example.com"], &corpus::message("too much")).await;
    assert!(!replies[0].starts_with("250"), "{replies:?}");
    let rows = search(&api, "event=refused&recipient=anna@example.com", 1).await;
    assert_eq!(rows[0]["details"]["reason"], "over quota", "{rows:?}");
    assert_eq!(rows[0]["user"], json!(anna), "{rows:?}");
    store.stop().await;
}

/// A store that queues and sends nothing, with a message to three recipients that is due in 2030.
async fn with_queue() -> (TestStore, String) {
    let mut config = config(&unique("eider_test"));
    config.roles = vec![eider::config::Role::Api];
    let store = TestStore::start_with(config).await;
    let anna = store.create_user("anna").await;
    let to = ["x@b.example", "y@b.example", "z@c.example"];
    let message = json!({
        "to": to.map(|to| json!({ "address": to })).to_vec(),
        "subject": "later", "text": "x", "sendTime": "2030-01-01T00:00:00.000Z",
    });
    let sent = ok(store.api().post(&format!("/users/{anna}/submit"), &message).await).await;
    let queue_id = sent["message"]["queueId"].as_str().unwrap_or_else(|| panic!("{sent}"));
    let queue_id = queue_id.to_owned();
    (store, queue_id)
}

async fn count(api: &ApiClient, query: &str) -> usize {
    let answer = ok(api.get(&format!("/queue?{query}")).await).await;
    answer["results"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_queue_is_looked_through_and_steered() {
    let (store, queue_id) = with_queue().await;
    let api = store.api();
    let page = ok(api.get("/queue?limit=2").await).await;
    assert_eq!(page["results"][0]["recipient"], "x@b.example", "{page}");
    assert_eq!(page["results"][0]["state"], "scheduled", "{page}");
    assert_eq!(page["results"][0]["due"], "2030-01-01T00:00:00.000Z", "{page}");
    let next = page["nextCursor"].as_str().unwrap();
    let rest = ok(api.get(&format!("/queue?limit=2&next={next}")).await).await;
    let entry = rest["results"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        (&rest["results"][0]["nextHop"], &rest["nextCursor"]),
        (&json!("c.example"), &json!(false))
    );
    for (query, expected) in [
        ("domain=b.example", 2),
        ("recipient=z@c.example", 1),
        ("sender=anna@example.com", 3),
        ("sender=", 0),
        ("state=scheduled&reason=submit", 3),
        ("state=deferred", 0),
        ("reply=421", 0),
        ("until=2020-01-01T00:00:00Z", 0),
        ("since=2020-01-01T00:00:00Z", 3),
    ] {
        assert_eq!(count(&api, query).await, expected, "{query}");
    }
    assert_eq!(count(&api, &format!("queueId={queue_id}")).await, 3);
    // by query, in steps
    let pause = json!({ "action": "pause", "domain": "b.example", "limit": 1 });
    let step = ok(api.put("/queue", &pause).await).await;
    assert_eq!((&step["matched"], &step["changed"]), (&json!(1), &json!(1)), "{step}");
    let pause = json!({ "action": "pause", "domain": "b.example" });
    let step = ok(api.put("/queue", &pause).await).await;
    assert_eq!((&step["matched"], &step["changed"]), (&json!(2), &json!(1)), "one was already");
    assert_eq!(count(&api, "state=paused").await, 2);
    let step = ok(api.put("/queue", &json!({ "action": "resume", "all": true })).await).await;
    assert_eq!((&step["matched"], &step["changed"]), (&json!(3), &json!(2)), "{step}");
    assert_eq!(count(&api, "state=scheduled").await, 3);
    // one by one
    let path = format!("/queue/{entry}");
    ok(api.put(&path, &json!({ "action": "retry" })).await).await;
    let reroute = json!({ "action": "reroute", "target": "smtp://me:secret@relay.example:2525" });
    ok(api.put(&path, &reroute).await).await;
    let shown = ok(api.get(&path).await).await;
    assert_eq!(
        (&shown["state"], &shown["nextHop"]),
        (&json!("ready"), &json!("relay.example:2525"))
    );
    assert!(!shown.to_string().contains("secret"), "{shown}");
    ok(api.put(&path, &json!({ "action": "reroute", "target": "mx" })).await).await;
    assert_eq!(ok(api.get(&path).await).await["nextHop"], "c.example");
    let summary = ok(api.get("/queue/summary").await).await;
    assert_eq!(
        (&summary["total"], &summary["states"]["ready"]),
        (&json!(3), &json!(1)),
        "{summary}"
    );
    assert_eq!(summary["nextHops"][0], json!({ "nextHop": "b.example", "entries": 2 }));
    assert_eq!(summary["ages"]["1"], 3, "{summary}");
    let step = ok(api.delete(&path).await).await;
    assert_eq!(step["changed"], 1, "{step}");
    let (status, answer) = api.get(&path).await;
    assert_eq!((status, &answer["code"]), (404, &json!("QueueEntryNotFound")), "{answer}");
    let step = ok(api.delete("/queue?domain=b.example").await).await;
    assert_eq!(step["changed"], 2, "{step}");
    assert_eq!(count(&api, "").await, 0);
    let rows = search(&api, &format!("queueId={queue_id}&event=cancelled"), 3).await;
    assert_eq!(rows.len(), 3);
    let rows = search(&api, &format!("queueId={queue_id}&event=steered"), 4).await;
    assert!(!format!("{rows:?}").contains("secret"), "{rows:?}");
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_makes_no_sense_is_refused_and_sizes_are_metrics() {
    let (store, _) = with_queue().await;
    let api = store.api();
    for body in [
        json!({ "action": "pause" }),
        json!({ "action": "fly", "all": true }),
        json!({ "action": "reroute", "all": true }),
        json!({ "action": "reroute", "all": true, "target": "http://x.example" }),
        json!({ "action": "pause", "all": true, "limit": 1001 }),
    ] {
        let (status, answer) = api.put("/queue", &body).await;
        assert_eq!((status, &answer["code"]), (400, &json!("InputValidationError")), "{answer}");
    }
    assert_eq!(api.delete("/queue").await.0, 400, "all of it must be said");
    let (status, text) = api.raw("GET", "/metrics", "text/plain", b"").await;
    let text = String::from_utf8(text).unwrap();
    assert_eq!(status, 200);
    for line in [
        "eider_queue_entries{state=\"scheduled\"} 3",
        "eider_queue_entries_by_age{age=\"below_1_h\"} 3",
        "eider_queue_entries_by_next_hop{next_hop=\"b.example\"} 2",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_deleted_user_sent_and_nobody_has_goes_with_him() {
    let (store, _) = with_queue().await;
    let api = store.api();
    let entry = ok(api.get("/queue?limit=1").await).await;
    let user = entry["results"][0]["user"].as_str().unwrap().to_owned();
    ok(api.delete(&format!("/users/{user}")).await).await;
    until("the purge", async || count(&api, "").await == 0).await;
    store.stop().await;
}
