//! Reports of other servers about our messages, and the suppression list that follows from them.

use eider::config::Role;
use serde_json::{Value, json};

use crate::support::api::ApiClient;
use crate::support::lmtp::LmtpClient;
use crate::support::store::{TestStore, config, unique};
use crate::support::until;

async fn ok(answer: (u16, Value)) -> Value {
    assert_eq!((answer.0, &answer.1["success"]), (200, &json!(true)), "{}", answer.1);
    answer.1
}

/// A store that queues and sends nothing.
async fn start(days: u32) -> (TestStore, String) {
    let mut config = config(&unique("eider_test"));
    config.roles = vec![Role::Api, Role::Lmtp, Role::Imap];
    config.suppression.days = days;
    let store = TestStore::start_with(config).await;
    let anna = store.create_user("anna").await;
    (store, anna)
}

/// Submits a message; its Message-ID and queue id.
async fn submit(api: &ApiClient, user: &str, to: &[&str]) -> (String, String) {
    let to: Vec<Value> = to.iter().map(|to| json!({ "address": to })).collect();
    let id = format!("<{}@example.com>", unique("message"));
    let message = json!({
        "to": to, "subject": "hello", "text": "x",
        "headers": [{ "key": "Message-ID", "value": id }],
    });
    let sent = ok(api.post(&format!("/users/{user}/submit"), &message).await).await;
    let queue_id = sent["message"]["queueId"].as_str().unwrap_or_else(|| panic!("{sent}"));
    (id, queue_id.to_owned())
}

/// A report as other servers write them, about a message with this header.
fn report(kind: &str, part: &str, header: &str) -> String {
    let kind_of_part = if kind == "feedback-report" { kind } else { "delivery-status" };
    format!(
        "From: mailer@b.example\r\nTo: anna@example.com\r\nSubject: report\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type={kind}; boundary=b\r\n\r\n\
         --b\r\n\r\nIt did not work.\r\n\
         --b\r\nContent-Type: message/{kind_of_part}\r\n\r\n{part}\r\n\
         --b\r\nContent-Type: text/rfc822-headers\r\n\r\n{header}\r\n--b--\r\n"
    )
}

fn failure(recipient: &str, status: &str) -> String {
    format!(
        "Reporting-MTA: dns; mx.b.example\r\n\r\nFinal-Recipient: rfc822; {recipient}\r\n\
         Action: failed\r\nStatus: {status}\r\nDiagnostic-Code: smtp; 550 {status} nobody here\r\n"
    )
}

async fn arrive(lmtp: &mut LmtpClient, sender: &str, message: &str) {
    assert!(lmtp.command(&format!("MAIL FROM:<{sender}>")).await.starts_with("250"));
    assert!(lmtp.command("RCPT TO:<anna@example.com>").await.starts_with("250"));
    assert!(lmtp.command("DATA").await.starts_with("354"));
    lmtp.send(message.as_bytes()).await;
    let reply = lmtp.command(".").await;
    assert!(reply.starts_with("250"), "{reply}");
}

/// The list once it has so many rows.
async fn list(api: &ApiClient, count: usize) -> Vec<Value> {
    let mut rows = Vec::new();
    until("the suppression list", async || {
        rows = ok(api.get("/suppressions").await).await["results"].as_array().unwrap().clone();
        rows.len() >= count
    })
    .await;
    rows
}

async fn events(api: &ApiClient, query: &str, count: usize) -> Vec<Value> {
    let mut rows = Vec::new();
    until(query, async || {
        let answer = ok(api.get(&format!("/trace?{query}")).await).await;
        rows = answer["results"].as_array().unwrap().clone();
        rows.len() >= count
    })
    .await;
    rows
}

async fn queued(api: &ApiClient) -> usize {
    ok(api.get("/queue").await).await["results"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_bounced_is_not_sent_to_again() {
    let (store, anna) = start(30).await;
    let (api, mut lmtp) = (store.api(), store.lmtp().await);
    let (id, queue_id) = submit(&api, &anna, &["ghost@b.example", "full@b.example"]).await;
    events(&api, &format!("queueId={queue_id}&event=queued"), 2).await;
    let header = format!("Message-ID: {id}\r\nSubject: hello\r\n");
    // forged ones, of no message of ours, and from a person, say nothing
    let forged = failure("ghost@b.example", "5.1.1");
    let other = "Message-ID: <other@b.example>\r\n";
    arrive(&mut lmtp, "", &report("delivery-status", &forged, other)).await;
    arrive(&mut lmtp, "p@b.example", &report("delivery-status", &forged, &header)).await;
    let nobody = failure("nobody@b.example", "5.1.1");
    arrive(&mut lmtp, "", &report("delivery-status", &nobody, &header)).await;
    let full = failure("full@b.example", "5.2.2");
    arrive(&mut lmtp, "", &report("delivery-status", &full, &header)).await;
    events(&api, "event=bounceReceived&recipient=full@b.example", 1).await;
    // the Message-ID of a returned header, or our queue id in it, names the message
    let received = format!(
        "Received: by {} with HTTP id {queue_id};\r\n\tMon, 23 Nov 2026 10:00:00 +0000\r\n",
        "x.example"
    );
    let header = format!("{received}{header}");
    arrive(&mut lmtp, "", &report("delivery-status", &forged, &header)).await;
    let told = events(&api, "event=bounceReceived&recipient=ghost@b.example", 1).await;
    assert_eq!(told[0]["details"]["result"], "5.1.1", "{told:?}");
    assert_eq!(told[0]["user"], json!(anna), "{told:?}");
    let rows = list(&api, 1).await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    let row = &rows[0];
    assert_eq!((&row["address"], &row["cause"]), (&json!("ghost@b.example"), &json!("bounce")));
    assert_eq!((&row["user"], &row["trace"]), (&json!(anna), &told[0]["trace"]));
    assert!(row["expires"].is_string(), "{row}");
    // what is sent there all the same comes back at once; others get it
    let before = queued(&api).await;
    let (_, second) = submit(&api, &anna, &["Ghost@b.example", "else@b.example"]).await;
    assert_eq!(queued(&api).await, before + 1);
    let suppressed = events(&api, &format!("queueId={second}&event=suppressed"), 1).await;
    assert_eq!(suppressed[0]["recipient"], "Ghost@b.example", "{suppressed:?}");
    let mut imap = store.imap("anna").await;
    imap.ok("SELECT INBOX").await;
    let found = imap.ok("SEARCH SUBJECT undelivered TEXT suppression").await;
    assert!(found.find("SEARCH 6").is_some(), "{:?}", found.lines());
    // of other users it is not
    let berta = store.create_user("berta").await;
    submit(&api, &berta, &["ghost@b.example"]).await;
    assert_eq!(queued(&api).await, before + 2);
    // off the list again
    let id = row["id"].as_str().unwrap();
    ok(api.delete(&format!("/suppressions/{id}")).await).await;
    let (status, answer) = api.delete(&format!("/suppressions/{id}")).await;
    assert_eq!((status, &answer["code"]), (404, &json!("SuppressionNotFound")), "{answer}");
    submit(&api, &anna, &["ghost@b.example"]).await;
    assert_eq!(queued(&api).await, before + 3);
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn complaints_count_and_the_list_is_kept_by_hand_too() {
    let (store, anna) = start(30).await;
    let (api, mut lmtp) = (store.api(), store.lmtp().await);
    let (id, queue_id) = submit(&api, &anna, &["angry@b.example"]).await;
    events(&api, &format!("queueId={queue_id}&event=queued"), 1).await;
    let header = format!("Message-ID: {id}\r\n");
    let part = "Feedback-Type: abuse\r\nUser-Agent: x/1\r\nVersion: 1\r\n";
    arrive(&mut lmtp, "fbl@b.example", &report("feedback-report", part, &header)).await;
    let told = events(&api, "event=complaint", 1).await;
    assert_eq!(told[0]["recipient"], "angry@b.example", "{told:?}");
    assert_eq!(list(&api, 1).await[0]["cause"], "complaint");
    // by hand, for everybody
    let row = json!({ "address": "Trap@c.example", "reason": "a trap", "days": 1 });
    let id = ok(api.post("/suppressions", &row).await).await["id"].clone();
    let again = ok(api.post("/suppressions", &row).await).await;
    assert_eq!(again["id"], id, "once");
    let rows = ok(api.get("/suppressions?address=TRAP@c.example").await).await;
    assert_eq!(rows["results"][0]["reason"], "a trap", "{rows}");
    let before = queued(&api).await;
    submit(&api, &anna, &["trap@c.example"]).await;
    assert_eq!(queued(&api).await, before);
    // one by one, bounced by hand: the sender is told
    let page = ok(api.get("/queue").await).await;
    let entry = page["results"][0]["id"].as_str().unwrap();
    let step = ok(api.put(&format!("/queue/{entry}"), &json!({ "action": "bounce" })).await).await;
    assert_eq!(step["changed"], 1, "{step}");
    assert_eq!(queued(&api).await, before - 1);
    let mut imap = store.imap("anna").await;
    imap.ok("SELECT INBOX").await;
    let found = imap.ok("SEARCH TEXT \"given up by the operator\"").await;
    assert!(found.find("SEARCH 3").is_some(), "{:?}", found.lines());
    for bad in [json!({}), json!({ "address": "x" }), json!({ "address": "a@b.c", "days": -1 })] {
        assert_eq!(api.post("/suppressions", &bad).await.0, 400, "{bad}");
    }
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_list_everything_is_sent() {
    let (store, anna) = start(0).await;
    let api = store.api();
    ok(api.post("/suppressions", &json!({ "address": "a@b.example" })).await).await;
    submit(&api, &anna, &["a@b.example"]).await;
    assert_eq!(queued(&api).await, 1);
    store.stop().await;
}
