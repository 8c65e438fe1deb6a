//! What is beyond a limit is refused in words, and the session goes on; only a flood ends it.

use serde_json::json;

use crate::support::corpus;
use crate::support::imap::ImapClient;
use crate::support::store::{TestStore, unique};

/// Sends a line and gives the tagged answer.
async fn line(imap: &mut ImapClient, tag: &str, text: &str) -> String {
    imap.send(format!("{tag} {text}\r\n").as_bytes()).await;
    imap.finish(tag).await.status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_of_a_command_are_refused_in_words() {
    let store = TestStore::start().await;
    store.create_user("anna").await;
    let mut imap = store.imap("anna").await;
    for number in 0..3 {
        imap.append("INBOX", "", &corpus::message(&format!("m{number}"))).await;
    }
    imap.ok("SELECT INBOX").await;
    // RFC 7162 §4: lines of 8192 octets at least; ours are 64 KiB
    let ranges: Vec<String> = (1..10_000).map(|number| format!("{}", number * 2)).collect();
    let set = ranges.join(",");
    assert!(set.len() > 40_000);
    let fetched = imap.ok(&format!("UID FETCH {set} FLAGS")).await;
    assert_eq!(fetched.untagged.len(), 1);
    let status = line(&mut imap, "a", &format!("SEARCH SUBJECT \"{}\"", "x".repeat(70_000))).await;
    assert!(status.starts_with("BAD The line is too long"), "{status}");
    let status = line(&mut imap, "b", &format!("SEARCH {}ALL", "NOT ".repeat(100))).await;
    assert!(status.starts_with("BAD Nested too deeply"), "{status}");
    let status = line(&mut imap, "c", &format!("SEARCH {}", "(".repeat(1000))).await;
    assert!(status.starts_with("BAD Nested too deeply"), "{status}");
    // a literal that waits is refused before it is sent
    let status = line(&mut imap, "d", "SEARCH SUBJECT {70000}").await;
    assert!(status.starts_with("BAD The literal is too large"), "{status}");
    // one that does not wait is dropped whole: nothing in it is a command
    let literal = "z LOGOUT\r\n".repeat(7000);
    let text = format!("e SEARCH SUBJECT {{{}+}}\r\n{literal}\r\n", literal.len());
    imap.send(text.as_bytes()).await;
    let status = imap.finish("e").await.status;
    assert!(status.starts_with("BAD The literal is too large"), "{status}");
    imap.ok("NOOP").await;
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipelined_commands_are_answered_in_order() {
    let store = TestStore::start().await;
    store.create_user("anna").await;
    let mut imap = store.imap("anna").await;
    imap.append("INBOX", "", &corpus::message("one")).await;
    imap.ok("SELECT INBOX").await;
    let kinds = ["NOOP", "FETCH 1 FLAGS", "UID SEARCH ALL", "STATUS Trash (MESSAGES)", "XYZZY"];
    let commands: Vec<String> =
        (0..100).map(|number| format!("p{number} {}\r\n", kinds[number % 4])).collect();
    imap.send(commands.concat().as_bytes()).await;
    for number in 0..100 {
        let answer = imap.finish(&format!("p{number}")).await;
        assert!(answer.status.starts_with("OK"), "p{number}: {}", answer.status);
        assert_eq!(answer.untagged.len(), usize::from(number % 4 != 0), "{:?}", answer.lines());
    }
    // nonsense is refused each time, and in the end the session with it
    let mut refused = 0;
    imap.send("n XYZZY\r\n".repeat(60).as_bytes()).await;
    loop {
        let line = String::from_utf8_lossy(&imap.response().await).into_owned();
        if line.starts_with("* BYE ") {
            break;
        }
        assert!(line.starts_with("n BAD Unknown command"), "{line}");
        refused += 1;
    }
    assert_eq!(refused, 51);
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_receives_so_many_messages_a_minute_at_all_nodes() {
    let database = unique("eider_test");
    let (store, other) =
        (TestStore::start_on(&database).await, TestStore::start_on(&database).await);
    let (api, anna) = (store.api(), store.create_user("anna").await);
    let path = format!("/users/{anna}");
    let (status, answer) = api.put(&path, &json!({ "receivedMax": 3 })).await;
    assert_eq!(status, 200, "{answer}");
    let to = ["anna@example.com"];
    for node in [&store, &other, &store] {
        let replies = node.lmtp().await.deliver(&to, &corpus::message("one of three")).await;
        assert!(replies[0].starts_with("250"), "{replies:?}");
    }
    let replies = other.lmtp().await.deliver(&to, &corpus::message("too many")).await;
    assert!(replies[0].starts_with("452 4.5.3"), "{replies:?}");
    let (_, shown) = api.get(&path).await;
    let received = &shown["limits"]["received"];
    assert_eq!((&received["allowed"], &received["used"]), (&json!(3), &json!(3)), "{shown}");
    // a new limit begins a new window; 0 is none for those who deliver by LMTP
    api.put(&path, &json!({ "receivedMax": 0 })).await;
    for _ in 0..4 {
        let replies = other.lmtp().await.deliver(&to, &corpus::message("as many as come")).await;
        assert!(replies[0].starts_with("250"), "{replies:?}");
    }
    store.stop().await;
    other.stop().await;
}
