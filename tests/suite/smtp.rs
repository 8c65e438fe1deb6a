//! SMTP's doors over real sockets: mail of other servers, mail of users.

use serde_json::json;

use crate::support::corpus;
use crate::support::imap::ImapClient;
use crate::support::lmtp::LmtpClient;
use crate::support::store::{self, PASSWORD, TestStore, unique};
use crate::support::until;

/// A client after EHLO.
async fn smtp(address: std::net::SocketAddr) -> LmtpClient {
    let mut client = LmtpClient::open(address).await;
    let features = client.command("EHLO client.example.com").await;
    assert!(features.starts_with("250"), "{features}");
    client
}

/// A client that has logged in.
async fn submission(store: &TestStore, user: &str) -> LmtpClient {
    let mut client = smtp(store.submission_address()).await;
    let welcome = log_in(&mut client, user, PASSWORD).await;
    assert!(welcome.starts_with("235"), "{welcome}");
    client
}

async fn log_in(client: &mut LmtpClient, user: &str, password: &str) -> String {
    use base64::Engine as _;
    let plain = base64::engine::general_purpose::STANDARD.encode(format!("\0{user}\0{password}"));
    client.command(&format!("AUTH PLAIN {plain}")).await
}

/// Sends to these recipients, which must all be accepted; the reply to the data.
async fn send(client: &mut LmtpClient, from: &str, to: &[&str], message: &[u8]) -> String {
    let mail = client.command(&format!("MAIL FROM:<{from}>")).await;
    assert!(mail.starts_with("250"), "{mail}");
    for recipient in to {
        let reply = client.command(&format!("RCPT TO:<{recipient}>")).await;
        assert!(reply.starts_with("250"), "{recipient}: {reply}");
    }
    assert!(client.command("DATA").await.starts_with("354"));
    client.send(message).await;
    client.command("\r\n.").await
}

/// The text of the only message of a mailbox, when it is there.
async fn only_message(imap: &mut ImapClient, mailbox: &str) -> String {
    until("a message", async || {
        let status = imap.ok(&format!("STATUS \"{mailbox}\" (MESSAGES)")).await;
        status.find("MESSAGES 1)").is_some()
    })
    .await;
    imap.ok(&format!("SELECT \"{mailbox}\"")).await;
    String::from_utf8(imap.body(1).await).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_user_submits_on_one_node_arrives_on_another() {
    let database = unique("eider_test");
    let (one, other) = (TestStore::start_on(&database).await, TestStore::start_on(&database).await);
    let anna = one.create_user("anna").await;
    one.create_user("berta").await;
    let keeps = json!({ "uploadSentMessages": true });
    let (status, answer) = one.api().put(&format!("/users/{anna}"), &keeps).await;
    assert_eq!(status, 200, "{answer}");
    let mut client = submission(&one, "anna").await;
    let message =
        b"To: berta@example.com\r\nBcc: carl@example.org\r\nSubject: hello\r\n\r\nHello.\r\n";
    let reply = send(&mut client, "anna@example.com", &["berta@example.com"], message).await;
    assert!(reply.starts_with("250 2.0.0 queued as "), "{reply}");
    let arrived = only_message(&mut other.imap("berta").await, "INBOX").await;
    let has = ["Return-Path: <anna@example.com>", "with ESMTPA id", "Date: ", "Message-ID: <"];
    for text in has.iter().chain(&["From: <anna@example.com>", "\r\nHello."]) {
        assert!(arrived.contains(text), "{text} is not in {arrived}");
    }
    assert!(!arrived.contains("Bcc") && !arrived.contains("127.0.0.1]) by"), "{arrived}");
    let kept = only_message(&mut other.imap("anna").await, "Sent Mail").await;
    assert!(kept.contains("Bcc: carl@example.org"), "{kept}");
    one.stop().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_smuggled() {
    let store = TestStore::start().await;
    for name in ["anna", "berta"] {
        store.create_user(name).await;
    }
    let inner = "MAIL FROM:<admin@example.com>\r\nRCPT TO:<anna@example.com>\r\nDATA\r\n\
        Subject: smuggled\r\n\r\nno\r\n";
    let mut stranger = smtp(store.smtp_address()).await;
    let mut user = submission(&store, "berta").await;
    let from = ["someone@example.org", "berta@example.com"];
    for end in ["\n.\n", "\n.\r\n", "\r.\r", "\r\n.\n", "\r\n.\r", "\r.\n", "\n\n.\r\r\n"] {
        for (client, from) in [&mut stranger, &mut user].into_iter().zip(from) {
            let message = format!("Subject: outer\r\n\r\nhello{end}{inner}");
            let reply = send(client, from, &["anna@example.com"], message.as_bytes()).await;
            assert!(reply.starts_with("550 5.5.2"), "{end:?}: {reply}");
            assert!(
                client.command("NOOP").await.starts_with("250"),
                "{end:?}: replies are in step"
            );
        }
    }
    // neither is a command that ends with a bare LF
    stranger.send(b"MAIL FROM:<a@example.org>\nRCPT TO:<anna@example.com>\r\n").await;
    assert!(stranger.reply().await.starts_with("500 5.5.2"));
    assert!(stranger.reply().await.starts_with("503 5.5.1"));
    let status = store.imap("anna").await.ok("STATUS INBOX (MESSAGES)").await;
    assert!(status.find("MESSAGES 0)").is_some(), "{:?}", status.lines());
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cannot_have_it_now_gets_it_later_and_nobody_twice() {
    let store = TestStore::start().await;
    store.create_user("anna").await;
    let berta = store.create_user("berta").await;
    let (api, path) = (store.api(), format!("/users/{berta}"));
    assert_eq!(api.put(&path, &json!({ "quota": 1000 })).await.0, 200);
    let mut client = smtp(store.smtp_address()).await;
    let message = corpus::message(&"x".repeat(900));
    // for her alone it is refused
    let reply = send(&mut client, "a@example.org", &["berta@example.com"], &message).await;
    assert!(reply.starts_with("552 5.2.2"), "{reply}");
    let to = ["anna@example.com", "berta@example.com"];
    let reply = send(&mut client, "a@example.org", &to, &message).await;
    assert!(reply.starts_with("250 2.0.0 accepted as "), "{reply}");
    only_message(&mut store.imap("anna").await, "INBOX").await;
    let (_, queue) = api.get("/queue").await;
    let entries = queue["results"].as_array().unwrap();
    assert_eq!(entries.len(), 1, "{queue}");
    assert_eq!(entries[0]["reason"], "arrival", "{queue}");
    assert_eq!(entries[0]["recipient"], "berta@example.com", "{queue}");
    assert_eq!(api.put(&path, &json!({ "quota": 1_000_000 })).await.0, 200);
    let entry = format!("/queue/{}", entries[0]["id"].as_str().unwrap());
    let (status, answer) = api.put(&entry, &json!({ "action": "retry" })).await;
    assert_eq!(status, 200, "{answer}");
    let arrived = only_message(&mut store.imap("berta").await, "INBOX").await;
    assert!(arrived.contains("from client.example.com ([127.0.0.1])"), "{arrived}");
    assert!(!arrived.contains("anna@example.com>"), "{arrived}");
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trusted_servers_and_load_balancers_say_whose_mail_it_is() {
    let loopback = eider::net::network::Network::loopback;
    let mut config = store::config(&unique("eider_test"));
    config.smtp.xclient_from = loopback();
    config.submission.proxy_from = loopback();
    config.submission.plaintext_auth_from = Vec::new();
    config.imap.proxy_from = loopback();
    let store = TestStore::start_with(config).await;
    store.create_user("anna").await;
    let mut client = smtp(store.smtp_address()).await;
    assert!(client.command("XCLIENT ADDR=nowhere").await.starts_with("501 5.5.4"));
    let line = "XCLIENT NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::7 PORT=4711 HELO=mx.far.example";
    assert!(client.command(line).await.starts_with("220 "));
    assert!(client.command("MAIL FROM:<a@example.org>").await.starts_with("503 5.5.1"));
    let features = client.command("EHLO proxy.example.com").await;
    assert!(features.contains("XCLIENT NAME ADDR PORT PROTO HELO"), "{features}");
    let reply =
        send(&mut client, "a@example.org", &["anna@example.com"], &corpus::message("far")).await;
    assert!(reply.starts_with("250"), "{reply}");
    // POP3 has no proxy here
    let mut imap = tokio::net::TcpStream::connect(store.imap_address()).await.unwrap();
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    imap.write_all(b"PROXY TCP4 192.0.2.9 10.0.0.1 4711 143\r\na CAPABILITY\r\n").await.unwrap();
    let mut greeting = [0; 5];
    imap.read_exact(&mut greeting).await.unwrap();
    assert_eq!(&greeting, b"* OK ");
    // the address told is the one that counts: it is not loopback, so no password without TLS
    let mut client = LmtpClient::open_with(
        store.submission_address(),
        b"PROXY TCP4 192.0.2.9 10.0.0.1 4711 587\r\n",
    )
    .await;
    let features = client.command("EHLO x").await;
    assert!(!features.contains("AUTH"), "{features}");
    assert!(log_in(&mut client, "anna", PASSWORD).await.starts_with("538 5.7.11"));
    // and a connection without the header is closed without a word
    let mut bare = tokio::net::TcpStream::connect(store.imap_address()).await.unwrap();
    bare.write_all(b"a LOGOUT of more octets than a header starts with\r\n").await.unwrap();
    let mut said = Vec::new();
    let _reset = bare.read_to_end(&mut said).await;
    assert!(said.is_empty());
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rules_of_logins_hold_for_submission() {
    let store = TestStore::start().await;
    let anna = store.create_user("anna").await;
    let (api, path) = (store.api(), format!("/users/{anna}"));
    let body = json!({ "description": "mailer", "scopes": ["smtp"] });
    let (status, made) = api.post(&format!("{path}/asps"), &body).await;
    assert_eq!(status, 200, "{made}");
    let mailer = made["password"].as_str().unwrap().to_owned();
    let body = json!({ "description": "reader", "scopes": ["imap"] });
    let (_, made) = api.post(&format!("{path}/asps"), &body).await;
    let reader = made["password"].as_str().unwrap().to_owned();
    let mut client = smtp(store.submission_address()).await;
    assert!(log_in(&mut client, "anna", &reader).await.starts_with("535 5.7.8"));
    assert!(log_in(&mut client, "anna@example.com", &mailer).await.starts_with("235"));
    assert_eq!(api.put(&path, &json!({ "disabledScopes": ["smtp"] })).await.0, 200);
    let mut client = smtp(store.submission_address()).await;
    assert!(log_in(&mut client, "anna", PASSWORD).await.starts_with("535 5.7.8"));
    assert_eq!(api.put(&path, &json!({ "disabledScopes": [] })).await.0, 200);
    for _ in 0..12 {
        assert!(log_in(&mut client, "anna", "guess").await.starts_with("535 5.7.8"));
    }
    assert!(log_in(&mut client, "anna", PASSWORD).await.starts_with("454 4.7.0"));
    let (_, log) = api.get(&format!("{path}/authlog")).await;
    assert!(log.to_string().contains("SMTP"), "{log}");
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_are_checked_at_the_door() {
    let mut config = store::config(&unique("eider_test"));
    config.screening.trusted = Vec::new();
    config.screening.refused = eider::net::network::Network::loopback();
    let store = TestStore::start_with(config).await;
    let mut client = LmtpClient::connect_any(store.smtp_address()).await;
    let greeting = client.reply().await;
    assert!(greeting.starts_with("554 5.7.1 127.0.0.1 may not deliver here"), "{greeting}");
    assert!(client.try_reply().await.is_none(), "and the connection is closed");
    // those who have logged in are no strangers
    store.create_user("anna").await;
    submission(&store, "anna").await;
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_a_mailbox_is_submitted_without_being_fetched() {
    let store = TestStore::start().await;
    for name in ["anna", "berta"] {
        store.create_user(name).await;
    }
    let draft = b"From: anna@example.com\r\nSubject: a draft\r\n\r\nHello from the draft.\r\n";
    let mut imap = store.imap("anna").await;
    assert!(imap.append("Drafts", "", draft).await.status.starts_with("OK"));
    let mut url = async |section: &str, whom: &str| {
        let rump = format!("imap://anna@host/Drafts;UID=1{section};URLAUTH={whom}");
        let answer = imap.ok(&format!("GENURLAUTH \"{rump}\" INTERNAL")).await;
        let line = answer.find("GENURLAUTH").unwrap();
        line.trim_end().trim_end_matches('"').rsplit('"').next().unwrap().to_owned()
    };
    let whole = url("", "submit+anna").await;
    let text = url("/;SECTION=TEXT", "submit+anna").await;
    let bertas = url("", "submit+berta").await;
    let mut client = submission(&store, "anna").await;
    let features = client.command("EHLO client.example.com").await;
    assert!(features.contains("BURL imap"), "{features}");
    let begin = async |client: &mut LmtpClient| {
        client.command("MAIL FROM:<anna@example.com>").await;
        client.command("RCPT TO:<berta@example.com>").await
    };
    let early = client.command(&format!("BURL {whole} LAST")).await;
    assert!(early.starts_with("503 5.5.1"), "{early}");
    // what is for somebody else, changed, or nothing at all
    for bad in [
        &bertas,
        &whole.replace("UID=1", "UID=2"),
        &"imap://anna@host/Drafts;UID=1".to_owned(),
        &"http://www.example.com/".to_owned(),
    ] {
        assert!(begin(&mut client).await.starts_with("250"));
        let reply = client.command(&format!("BURL {bad} LAST")).await;
        assert!(reply.starts_with("554 5.6.6"), "{bad}: {reply}");
        let over = client.command("BDAT 0 LAST").await;
        assert!(over.starts_with("503"), "the transaction is over: {over}");
    }
    assert!(begin(&mut client).await.starts_with("250"));
    let reply = client.command(&format!("BURL {whole} LAST")).await;
    assert!(reply.starts_with("250 2.0.0 queued as"), "{reply}");
    let mut other = store.imap("berta").await;
    let arrived = only_message(&mut other, "INBOX").await;
    assert!(arrived.contains("Subject: a draft\r\n") && arrived.contains("from the draft"));
    // pieces, from here and from there
    assert!(begin(&mut client).await.starts_with("250"));
    let head = "From: anna@example.com\r\nSubject: pieces\r\n\r\n";
    client.send(format!("BDAT {}\r\n{head}", head.len()).as_bytes()).await;
    assert!(client.reply().await.starts_with("250 2.0.0"));
    let reply = client.command(&format!("BURL {text}")).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    client.send(b"BDAT 8 LAST\r\nThe end.").await;
    assert!(client.reply().await.starts_with("250 2.0.0 queued as"));
    until("the second", async || {
        other.ok("STATUS INBOX (MESSAGES)").await.find("MESSAGES 2)").is_some()
    })
    .await;
    other.ok("NOOP").await;
    let second = String::from_utf8(other.body(2).await).unwrap();
    assert!(second.ends_with("\r\n\r\nHello from the draft.\r\nThe end."), "{second}");
    // strangers have no mailboxes here
    let mut stranger = smtp(store.smtp_address()).await;
    assert!(stranger.command(&format!("BURL {whole} LAST")).await.starts_with("502 5.5.1"));
    store.stop().await;
}
