//! The stream of updates: events of every kind, resumption, two nodes, the end of a session.

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::support::store::{ROOT_TOKEN, TestStore, unique};
use crate::support::within;

struct Events {
    lines: tokio::io::Lines<BufReader<TcpStream>>,
    /// The id of the last event that had one.
    last: Option<String>,
}

impl Events {
    async fn open(store: &TestStore, user: &str, last: Option<&str>) -> Self {
        let mut stream = TcpStream::connect(store.running.addresses.api[0]).await.unwrap();
        let last = last.map_or_else(String::new, |id| format!("Last-Event-ID: {id}\r\n"));
        let request = format!(
            "GET /users/{user}/updates HTTP/1.1\r\nHost: localhost\r\n\
             X-Access-Token: {ROOT_TOKEN}\r\n{last}\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut lines = BufReader::new(stream).lines();
        let status = within("a status", lines.next_line()).await.unwrap().unwrap();
        assert!(status.contains("200"), "{status}");
        loop {
            let line = within("a header", lines.next_line()).await.unwrap().unwrap();
            if line.is_empty() {
                return Self { lines, last: None };
            }
        }
    }

    /// The next block: its comment, or its JSON. Sizes of HTTP chunks are passed over.
    async fn block(&mut self) -> Result<Value, String> {
        let mut text = String::new();
        loop {
            let line = within("an event", self.lines.next_line()).await.unwrap().expect("a line");
            if let Some(data) = line.strip_prefix("data: ") {
                text.push_str(data);
            } else if let Some(id) = line.strip_prefix("id: ") {
                self.last = Some(id.to_owned());
            } else if line.starts_with(": ") {
                return Err(line);
            } else if line.is_empty() && !text.is_empty() {
                return Ok(serde_json::from_str(&text).unwrap());
            }
        }
    }

    async fn next(&mut self) -> Value {
        loop {
            if let Ok(event) = self.block().await {
                return event;
            }
        }
    }

    /// Events up to the first of this command.
    async fn until(&mut self, command: &str) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            events.push(self.next().await);
            if events.last().unwrap()["command"] == command {
                return events;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_are_told_and_resumed() {
    let database = unique("eider_test");
    let (one, two) = (TestStore::start_on(&database).await, TestStore::start_on(&database).await);
    let user = one.create_user("anna").await;
    let mut events = Events::open(&one, &user, None).await;
    assert_eq!(events.block().await, Err(": idling 1".to_owned()));
    let (path, api) = (format!("/users/{user}/mailboxes"), two.api());
    let (_, created) = api.post(&path, &json!({"path": "Work"})).await;
    let mailbox = created["id"].as_str().unwrap().to_owned();
    let told = events.until("CREATE").await.pop().unwrap();
    assert_eq!((&told["path"], &told["mailbox"]), (&json!("Work"), &json!(mailbox)));
    let created = events.last.clone().expect("an id");
    let messages = format!("{path}/{mailbox}/messages");
    let (_, stored) = api.post(&messages, &json!({"subject": "x", "text": "y"})).await;
    assert_eq!(stored["success"], true, "{stored}");
    let exists = events.until("EXISTS").await.pop().unwrap();
    assert_eq!(exists["uid"], 1);
    for field in ["message", "thread"] {
        assert_eq!(exists[field].as_str().unwrap().len(), 24, "{exists}");
    }
    assert!(exists["idate"].is_string() && exists.get("junk").is_none());
    let counters = events.until("COUNTERS").await.pop().unwrap();
    assert_eq!((&counters["total"], &counters["unseen"]), (&json!(1), &json!(0)), "{counters}");
    api.put(&format!("{messages}/1"), &json!({"flagged": true})).await;
    let fetch = events.until("FETCH").await.pop().unwrap();
    assert_eq!(fetch["flags"], json!(["\\Flagged", "\\Seen"]), "{fetch}");
    api.delete(&format!("{messages}/1")).await;
    let expunge = events.until("EXPUNGE").await.pop().unwrap();
    assert_eq!((&expunge["uid"], &expunge["message"]), (&json!(1), &exists["message"]));
    api.put(&format!("{path}/{mailbox}"), &json!({"path": "Play"})).await;
    assert_eq!(events.until("RENAME").await.pop().unwrap()["path"], "Play");
    // who comes back is told what he missed, and nothing before it
    let mut again = Events::open(&two, &user, Some(&created)).await;
    let missed = again.until("RENAME").await;
    let commands: Vec<&str> =
        missed.iter().map(|event| event["command"].as_str().unwrap()).collect();
    let wanted: Vec<&str> = commands.iter().copied().filter(|name| *name != "COUNTERS").collect();
    // the message is gone: neither EXISTS nor FETCH can be told any more
    assert_eq!(wanted, ["EXPUNGE", "RENAME"], "{missed:?}");
    api.delete(&format!("{path}/{mailbox}")).await;
    let told = events.until("DELETE").await;
    assert_eq!(told.last().unwrap()["mailbox"], mailbox.as_str());
    let dropped = told.iter().find(|event| event["command"] == "DROP").unwrap();
    assert_eq!(dropped["mailbox"], mailbox.as_str());
    // another user's changes are not told
    let other = two.create_user("bert").await;
    let inbox = api.get(&format!("/users/{other}/mailboxes/resolve?path=INBOX")).await.1;
    let inbox = inbox["id"].as_str().unwrap();
    let foreign = format!("/users/{other}/mailboxes/{inbox}/messages");
    api.post(&foreign, &json!({"subject": "x", "text": "y"})).await;
    api.put(&format!("/users/{user}"), &json!({"suspended": true})).await;
    let rest = events.until("LOGOUT").await;
    assert!(rest.iter().all(|event| event["command"] != "EXISTS"), "{rest:?}");
    let nobody = format!("/users/{}/updates", "0".repeat(24));
    assert_eq!(api.get(&nobody).await.0, 404);
    one.stop().await;
    two.stop().await;
}
