//! How sessions live and end: doorbells that end them on another node, heartbeats.

use serde_json::json;

use crate::support::imap::ImapClient;
use crate::support::store::{PASSWORD, TestStore, config, unique};

/// The next response, which has to be a BYE with these words.
async fn bye(imap: &mut ImapClient, words: &str) {
    let line = String::from_utf8_lossy(&imap.response().await).into_owned();
    assert!(line.starts_with("* BYE ") && line.contains(words), "{line}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_on_every_node_end_with_the_right_to_log_in() {
    let database = unique("eider_test");
    let a = TestStore::start_on(&database).await;
    let b = TestStore::start_on(&database).await;
    let changes = [
        (json!({"password": "another good one"}), "Log in again"),
        (json!({"suspended": true}), "no longer log in"),
        (json!({"disabled": true}), "no longer log in"),
        (json!({"disabledScopes": ["imap"]}), "protocol was disabled"),
    ];
    for (number, (change, words)) in changes.into_iter().enumerate() {
        let name = format!("user{number}");
        let user = a.create_user(&name).await;
        let mut idle = b.imap(&name).await;
        idle.ok("SELECT INBOX").await;
        idle.start("IDLE").await;
        assert!(idle.response().await.starts_with(b"+"));
        let mut waiting = b.imap(&name).await;
        let (status, answer) = a.api().put(&format!("/users/{user}"), &change).await;
        assert_eq!(status, 200, "{answer}");
        bye(&mut idle, words).await;
        bye(&mut waiting, words).await;
    }
    let user = a.create_user("anna").await;
    let mut idle = b.imap("anna").await;
    // a change that ends nothing
    let (status, _) = a.api().put(&format!("/users/{user}"), &json!({"name": "Anna"})).await;
    assert_eq!(status, 200);
    idle.ok("NOOP").await;
    a.api().delete(&format!("/users/{user}")).await;
    bye(&mut idle, "deleted").await;
    a.stop().await;
    b.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_session_hears_that_the_server_is_there() {
    let mut config = config(&unique("eider_test"));
    config.imap.idle_heartbeat_s = 1;
    let store = TestStore::start_with(config).await;
    store.create_user("anna").await;
    let mut imap = store.imap("anna").await;
    // RFC 9051 §6.3.13: IDLE is for the authenticated state too
    let tag = imap.start("IDLE").await;
    assert!(imap.response().await.starts_with(b"+"));
    for _ in 0..2 {
        assert_eq!(imap.response().await, b"* OK Still here");
    }
    imap.send(b" done \r\n").await;
    assert!(imap.finish(&tag).await.status.starts_with("OK"));
    let again = imap.command(&format!("LOGIN anna \"{PASSWORD}\"")).await;
    assert!(again.status.starts_with("BAD"), "{}", again.status);
    store.stop().await;
}
