//! What people have tried on mail servers: octets that one side takes for the end of a message and
//! the other does not, commands behind commands, words of people who are not trusted. (For paths
//! that are to be relayed there is a transcript, `rfc5321-3.6-not-ours`; for what is sent before TLS
//! `tls.rs`; for `DATA` `smtp.rs`.)

use crate::support::corpus;
use crate::support::lmtp::LmtpClient;
use crate::support::store::TestStore;

async fn at_rcpt(store: &TestStore, parameters: &str) -> LmtpClient {
    let mut client = LmtpClient::open(store.smtp_address()).await;
    client.command("EHLO a.example").await;
    let mail = client.command(&format!("MAIL FROM:<a@example.org>{parameters}")).await;
    assert!(mail.starts_with("250"), "{mail}");
    assert!(client.command("RCPT TO:<anna@example.com>").await.starts_with("250"));
    client
}

async fn store_with_anna() -> TestStore {
    let store = TestStore::start().await;
    store.create_user("anna").await;
    store
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chunks_smuggle_nothing_either() {
    let store = store_with_anna().await;
    let inner = "MAIL FROM:<x@example.com>\r\nRCPT TO:<anna@example.com>\r\nDATA\r\nno\r\n.\r\n";
    for end in ["\n.\n", "\n.\r\n", "\r.\r", "\r\n.\n", "\r\n.\r"] {
        let mut client = at_rcpt(&store, "").await;
        let content = format!("Subject: outer\r\n\r\nhello{end}{inner}");
        client.send(format!("BDAT {} LAST\r\n{content}", content.len()).as_bytes()).await;
        let reply = client.reply().await;
        assert!(reply.starts_with("550 5.5.2"), "{end:?}: {reply}");
        assert!(client.command("NOOP").await.starts_with("250"), "{end:?}: in step");
    }
    // the usual end of DATA ends no chunk; it is content
    let mut client = at_rcpt(&store, "").await;
    let content = format!("Subject: one\r\n\r\nhello\r\n.\r\n{inner}");
    client.send(format!("BDAT {} LAST\r\n{content}", content.len()).as_bytes()).await;
    assert!(client.reply().await.starts_with("250"));
    // and who says he sends binary content may send it
    let mut client = at_rcpt(&store, " BODY=BINARYMIME").await;
    let content = b"Subject: two\r\n\r\n\x00\n.\n\r.\r\xff";
    client.send(format!("BDAT {} LAST\r\n", content.len()).as_bytes()).await;
    client.send(content).await;
    assert!(client.reply().await.starts_with("250"));
    let mut imap = store.imap("anna").await;
    assert!(imap.ok("SELECT INBOX").await.find("2 EXISTS").is_some());
    assert!(imap.body(1).await.ends_with(inner.as_bytes()));
    assert!(imap.body(2).await.ends_with(content));
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chunks_of_no_size_end_the_session() {
    let store = store_with_anna().await;
    for size in ["-1", "0x10", "18446744073709551616", "99999999999999", ""] {
        let mut client = at_rcpt(&store, "").await;
        client.send(format!("BDAT {size}\r\nQUIT\r\n").as_bytes()).await;
        let reply = client.reply().await;
        assert!(
            reply.starts_with("501 5.5.4") || reply.starts_with("552 5.3.4"),
            "{size}: {reply}"
        );
        // what follows may be content: nothing of it is answered
        assert_eq!(client.try_reply().await, None, "{size}");
    }
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_trusted_speak_for_others() {
    let store = store_with_anna().await;
    for first in ["PROXY TCP4 192.0.2.9 10.0.0.1 4711 25", "XCLIENT ADDR=192.0.2.9", "XFORWARD A=b"]
    {
        let mut client = LmtpClient::open(store.smtp_address()).await;
        let reply = client.command(first).await;
        assert!(reply.starts_with('5'), "{first}: {reply}");
        client.command("EHLO a.example").await;
        client.command("MAIL FROM:<a@example.org>").await;
        client.command("RCPT TO:<anna@example.com>").await;
        assert!(client.command("DATA").await.starts_with("354"));
        client.send(&corpus::message("who am I")).await;
        assert!(client.command("\r\n.").await.starts_with("250"));
    }
    let mut imap = store.imap("anna").await;
    imap.ok("SELECT INBOX").await;
    for uid in 1..=3 {
        let text = String::from_utf8(imap.body(uid).await).unwrap();
        assert!(text.contains("([127.0.0.1])") && !text.contains("192.0.2.9"), "{text}");
    }
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_gets_into_our_fields_or_past_the_parser() {
    let store = store_with_anna().await;
    let mut client = LmtpClient::open(store.smtp_address()).await;
    for bad in [
        &b"EHLO a.example\r\x0aX: y\r\n"[..],
        b"EHLO (comment)\r\n",
        b"EHLO a;b\r\n",
        b"EHLO \r\n",
        b"MAIL FROM:<a\x00@example.org>\r\n",
        b"MAIL FROM:<\"a\rb\"@example.org>\r\n",
        b"NO\x00OP\r\n",
        b"\xff\xfe\r\n",
        b"\r\n",
    ] {
        let lines = bad.split(|octet| *octet == b'\n').count() - 1;
        client.send(bad).await;
        for _ in 0..lines {
            let reply = client.reply().await;
            let shown = String::from_utf8_lossy(bad).into_owned();
            let is_greeting = reply.starts_with("250");
            assert!(reply.starts_with('5') || (is_greeting && lines > 1), "{shown:?}: {reply}");
        }
    }
    // one line too long, and as many as one likes behind it
    client.send(format!("NOOP {}\r\nNOOP\r\n", "x".repeat(100_000)).as_bytes()).await;
    assert!(client.reply().await.starts_with("500 5.5.6"));
    assert!(client.reply().await.starts_with("250"));
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_recipients_and_not_one_more() {
    let store = TestStore::start().await;
    let anna = store.create_user("anna").await;
    let many = serde_json::json!({ "receivedMax": 10_000 });
    let (status, answer) = store.api().put(&format!("/users/{anna}"), &many).await;
    assert_eq!(status, 200, "{answer}");
    let mut client = LmtpClient::open(store.smtp_address()).await;
    let features = client.command("EHLO a.example").await;
    assert!(features.contains("LIMITS RCPTMAX=1000"), "{features}");
    assert!(client.command("MAIL FROM:<a@example.org>").await.starts_with("250"));
    // RFC 5321 §4.5.3.1.8, RFC 9422 §4.3; every tenth is unknown, and does not count
    let mut lines = String::new();
    for number in 0..1112 {
        let name = if number % 10 == 9 { "nobody" } else { "anna" };
        lines.push_str(&format!("RCPT TO:<{name}+{number}@example.com>\r\n"));
    }
    client.send(lines.as_bytes()).await;
    let (mut good, mut unknown, mut over) = (0, 0, 0);
    for _ in 0..1112 {
        let reply = client.reply().await;
        match reply.get(..9) {
            Some("250 2.1.5") => good += 1,
            Some("550 5.1.1") => unknown += 1,
            Some("452 4.5.3") => over += 1,
            _ => panic!("{reply}"),
        }
    }
    assert_eq!((good, unknown, over), (1000, 111, 1));
    assert!(client.command("DATA").await.starts_with("354"));
    client.send(&corpus::message("to many of me")).await;
    assert!(client.command("\r\n.").await.starts_with("250"));
    let mut imap = store.imap("anna").await;
    assert!(imap.ok("SELECT INBOX").await.find(" EXISTS").is_some_and(|line| line == "* 1 EXISTS"));
    store.stop().await;
}
