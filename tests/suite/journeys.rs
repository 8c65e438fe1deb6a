//! The journeys of the README: a message in, read over IMAP and over the API.

use crate::support::corpus;
use crate::support::store::TestStore;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_by_lmtp_is_read_over_imap_and_the_api() {
    let store = TestStore::start().await;
    let user = store.create_user("anna").await;
    let message = corpus::with_attachment("hello", &[7u8; 50_000]);
    let replies = store.lmtp().await.deliver(&["anna@example.com"], &message).await;
    assert!(replies[0].starts_with("250"), "{replies:?}");

    let mut imap = store.imap("anna").await;
    let selected = imap.ok("SELECT INBOX").await;
    assert!(selected.find("1 EXISTS").is_some(), "{:?}", selected.lines());
    let body = imap.body(1).await;
    assert!(body.ends_with(&message), "the octets come back as they came");
    let prefix = String::from_utf8(body[..body.len() - message.len()].to_vec()).unwrap();
    for field in
        ["Return-Path: <sender@example.org>", "Delivered-To: anna@example.com", "Received: "]
    {
        assert!(prefix.contains(field), "{prefix}");
    }
    let size = imap.ok("UID FETCH 1 (RFC822.SIZE FLAGS)").await;
    let expected = format!("RFC822.SIZE {}", body.len());
    assert!(size.find(&expected).is_some(), "{:?}", size.lines());

    let api = store.api();
    let (_, mailboxes) = api.get(&format!("/users/{user}/mailboxes?counters=true")).await;
    let inbox = &mailboxes["results"][0];
    assert_eq!(inbox["path"], "INBOX", "{mailboxes}");
    assert_eq!(inbox["total"], 1);
    let path = format!("/users/{user}/mailboxes/{}/messages", inbox["id"].as_str().unwrap());
    let (status, list) = api.get(&path).await;
    assert_eq!((status, &list["results"][0]["subject"]), (200, &"hello".into()), "{list}");
    let (_, source) = api.raw("GET", &format!("{path}/1/message.eml"), "", b"").await;
    assert_eq!(source, body, "the API gives the octets IMAP gives");
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopping_store_says_goodbye() {
    let store = TestStore::start().await;
    store.create_user("anna").await;
    let mut imap = store.imap("anna").await;
    let mut lmtp = store.lmtp().await;
    let stopping = tokio::spawn(store.stop());
    let goodbye = imap.response().await;
    assert!(goodbye.starts_with(b"* BYE"), "{}", String::from_utf8_lossy(&goodbye));
    assert!(lmtp.reply().await.starts_with("421"));
    stopping.await.unwrap();
}
