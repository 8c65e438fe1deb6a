//! LMTP (RFC 2033): one reply per recipient, and refusals in words.

use crate::support::corpus;
use crate::support::store::{self, TestStore};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_recipient_has_its_reply() {
    let store = TestStore::start().await;
    store.create_user("anna").await;
    store.create_user("ben").await;
    let to = ["anna@example.com", "nobody@example.com", "ben+news@example.com", "b.en@example.com"];
    let replies = store.lmtp().await.deliver(&to, &corpus::message("many")).await;
    assert!(replies[0].starts_with("250"), "{replies:?}");
    assert!(replies[1].starts_with("550 5.1.1"), "{replies:?}");
    assert!(replies[2].starts_with("250"), "{replies:?}");
    assert!(replies[3].starts_with("250"), "{replies:?}");
    // the same user twice: stored once
    let status = store.imap("ben").await.ok("STATUS INBOX (MESSAGES)").await;
    assert!(status.find("MESSAGES 1)").is_some(), "{:?}", status.lines());
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_name_the_reason() {
    let mut config = store::config(&store::unique("eider_test"));
    config.lmtp.message_octets_max = 20_000;
    let store = TestStore::start_with(config).await;
    let user = store.create_user("anna").await;
    let mut lmtp = store.lmtp().await;
    assert!(lmtp.command("RCPT TO:<anna@example.com>").await.starts_with("503 5.5.1"));
    assert!(lmtp.command("DATA").await.starts_with("503 5.5.1"));
    assert!(lmtp.command("EXPN x").await.starts_with("50"));
    assert!(lmtp.command("MAIL FROM:bad").await.starts_with("501 5"));
    assert!(lmtp.command("MAIL FROM:<> SIZE=20001").await.starts_with("552 5.3.4"));
    let replies = lmtp.deliver(&["anna@example.com"], &[b'x'; 30_000]).await;
    assert!(replies[0].starts_with("552 5.3.4"), "{replies:?}");
    // and the session goes on
    let replies = lmtp.deliver(&["anna@example.com"], &corpus::message("fits")).await;
    assert!(replies[0].starts_with("250"), "{replies:?}");
    let (status, answer) =
        store.api().put(&format!("/users/{user}"), &serde_json::json!({ "quota": 1000 })).await;
    assert_eq!(status, 200, "{answer}");
    let replies = lmtp.deliver(&["anna@example.com"], &corpus::message(&"x".repeat(900))).await;
    assert!(replies[0].starts_with("552 5.2.2") || replies[0].starts_with("452"), "{replies:?}");
    let long = format!("NOOP {}", "x".repeat(20_000));
    assert!(lmtp.command(&long).await.starts_with("500 5.5."));
    let mut again = store.lmtp().await;
    let loops = "Received: from a by b; Mon, 23 Nov 2026 10:00:00 +0000\r\n".repeat(101);
    let message = [loops.as_bytes(), &corpus::message("loop")].concat();
    let replies = again.deliver(&["anna@example.com"], &message).await;
    assert!(replies[0].starts_with("554 5.4.6"), "{replies:?}");
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chunks_carry_any_octets() {
    let store = TestStore::start().await;
    store.create_user("anna").await;
    let mut lmtp = store.lmtp().await;
    let message = b"Subject: binary\r\n\r\nnul \0 and bare \n and \r and .\r\n.\r\nend".to_vec();
    assert!(
        lmtp.command("MAIL FROM:<a@example.org> BODY=BINARYMIME").await.starts_with("250"),
        "RFC 3030"
    );
    assert!(lmtp.command("RCPT TO:<anna@example.com>").await.starts_with("250"));
    let (first, second) = message.split_at(20);
    lmtp.send(format!("BDAT {}\r\n", first.len()).as_bytes()).await;
    lmtp.send(first).await;
    assert!(lmtp.reply().await.starts_with("250"));
    lmtp.send(format!("BDAT {} LAST\r\n", second.len()).as_bytes()).await;
    lmtp.send(second).await;
    assert!(lmtp.reply().await.starts_with("250"));
    let mut imap = store.imap("anna").await;
    imap.ok("SELECT INBOX").await;
    // NUL needs BINARY or literal8 over IMAP; the API gives the source as it is
    let uids = imap.ok("UID SEARCH ALL").await;
    assert!(uids.find("SEARCH 1").is_some(), "{:?}", uids.lines());
    store.stop().await;
}
