//! The database is away, or the disk full, under open sessions: each door says so in its words, no
//! session ends for it, and all goes on when it is back.

use serde_json::json;

use crate::support::corpus;
use crate::support::lmtp::LmtpClient;
use crate::support::process::Database;
use crate::support::store::{PASSWORD, TestStore, config, unique};
use crate::support::until;

/// A session at a door up to its MAIL.
async fn at_mail(address: std::net::SocketAddr, hello: &str, login: bool) -> LmtpClient {
    use base64::Engine as _;
    let mut client = LmtpClient::open(address).await;
    client.command(hello).await;
    if login {
        let plain = format!("\0anna\0{PASSWORD}");
        let plain = base64::engine::general_purpose::STANDARD.encode(plain);
        assert!(client.command(&format!("AUTH PLAIN {plain}")).await.starts_with("235"));
    }
    let mail = client.command("MAIL FROM:<anna@example.com>").await;
    assert!(mail.starts_with("250"), "{mail}");
    client
}

/// The reply to the end of the data.
async fn data(client: &mut LmtpClient, subject: &str) -> String {
    assert!(client.command("DATA").await.starts_with("354"));
    let message = format!("From: anna@example.com\r\nSubject: {subject}\r\n\r\nHello\r\n");
    client.send(message.as_bytes()).await;
    client.command("\r\n.").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_database_each_door_says_later_and_goes_on_afterwards() {
    let mut database = Database::start().await;
    let mut config = config("eider");
    // nobody waits long in this test
    config.storage.uri = Some(format!("{}&serverSelectionTimeoutMS=500", database.uri()));
    let store = TestStore::start_with(config).await;
    let anna = store.create_user("anna").await;
    let (lmtp, smtp) = (store.lmtp_address(), store.smtp_address());
    let submission = store.submission_address();
    let to = "RCPT TO:<anna@example.com>";
    let mut doors = vec![
        ("LMTP", at_mail(lmtp, "LHLO a.example", false).await),
        ("SMTP", at_mail(smtp, "EHLO a.example", false).await),
        ("submission", at_mail(submission, "EHLO a.example", true).await),
    ];
    // one that is told at RCPT, and one at the end of the data
    let mut early = at_mail(smtp, "EHLO a.example", false).await;
    for (door, client) in &mut doors {
        let reply = client.command(to).await;
        assert!(reply.starts_with("250"), "{door}: {reply}");
    }
    let mut newcomer = LmtpClient::open(submission).await;
    newcomer.command("EHLO a.example").await;
    database.kill().await;
    let reply = early.command(to).await;
    assert!(reply.starts_with("451 4.3.0"), "{reply}");
    for (door, client) in &mut doors {
        let reply = data(client, "away").await;
        assert!(reply.starts_with("451 4.3.0"), "{door}: {reply}");
    }
    let reply = newcomer.command("AUTH PLAIN AGFubmEAeA==").await;
    assert!(reply.starts_with("454 4.7.0"), "{reply}");
    let body = json!({ "to": [{ "address": "anna@example.com" }], "subject": "x", "text": "x" });
    let path = format!("/users/{anna}/submit");
    let (status, answer) = store.api().post(&path, &body).await;
    assert!(status >= 500, "{status} {answer}");

    database.start_again().await;
    until("the database is back", async || early.command(to).await.starts_with("250")).await;
    assert!(data(&mut early, "back").await.starts_with("250"));
    for (door, client) in &mut doors {
        for line in ["MAIL FROM:<anna@example.com>", to] {
            let reply = client.command(line).await;
            assert!(reply.starts_with("250"), "{door}: {reply}");
        }
        let reply = data(client, "back").await;
        assert!(reply.starts_with("250"), "{door}: {reply}");
    }
    let (status, answer) = store.api().post(&path, &body).await;
    assert_eq!(status, 200, "{answer}");
    let mut imap = store.imap("anna").await;
    until("what was taken is there, and nothing else", async || {
        imap.ok("STATUS INBOX (MESSAGES)").await.find("MESSAGES 5)").is_some()
    })
    .await;
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_room_for_what_comes_in_the_sender_keeps_it() {
    let config = config(&unique("eider_test"));
    // where large messages are while they come in, nothing can be made
    std::fs::create_dir_all(&config.data_dir).unwrap();
    std::fs::write(config.data_dir.join("spool"), "in the way").unwrap();
    let store = TestStore::start_with(config).await;
    store.create_user("anna").await;
    let large = corpus::with_attachment("large", &vec![b'x'; 3 * 1024 * 1024]);
    for (address, hello) in
        [(store.lmtp_address(), "LHLO a.example"), (store.smtp_address(), "EHLO a.example")]
    {
        let mut client = at_mail(address, hello, false).await;
        assert!(client.command("RCPT TO:<anna@example.com>").await.starts_with("250"));
        assert!(client.command("DATA").await.starts_with("354"));
        client.send(&large).await;
        let reply = client.command("\r\n.").await;
        assert!(reply.starts_with("452 4.3.1"), "{reply}");
        // what fits into memory is taken
        assert!(client.command("MAIL FROM:<anna@example.com>").await.starts_with("250"));
        assert!(client.command("RCPT TO:<anna@example.com>").await.starts_with("250"));
        let reply = data(&mut client, "small").await;
        assert!(reply.starts_with("250"), "{reply}");
    }
    store.stop().await;
}
