//! Contents as they leave: in pieces, in chunks, binary, posted to programs.

use serde_json::json;

use super::{Scene, mta_config, set_pauses, zone_of};
use crate::support::dns::DnsServer;
use crate::support::lmtp::LmtpClient;
use crate::support::smtp_sink::{Options, SmtpSink};
use crate::support::store::unique;
use crate::support::until;
use crate::support::web::WebServer;

/// Forwards what comes for the user.
async fn forward_to(it: &Scene, target: &str) {
    let path = format!("/users/{}", it.user);
    let (status, answer) = it.store.api().put(&path, &json!({ "targets": [target] })).await;
    assert_eq!(status, 200, "{answer}");
}

/// A message larger than many pieces: text with dots, and an attachment that is stored apart.
fn large() -> Vec<u8> {
    let mut body = String::new();
    for number in 0..40_000 {
        body.push_str(&format!("..line {number} é\r\n.\r\n"));
    }
    let encoded =
        "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2\r\n".repeat(30_000);
    format!(
        "From: far@far.example\r\nTo: me@example.com\r\nSubject: large\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; \
         charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{body}\r\n--b\r\n\
         Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n\
         {encoded}\r\n--b--\r\n"
    )
    .into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_messages_leave_whole_by_data_and_by_chunks() {
    for offers in [vec!["PIPELINING", "8BITMIME"], vec!["8BITMIME", "CHUNKING", "SIZE"]] {
        let is_chunked = offers.contains(&"CHUNKING");
        let options = Options { offers, ..Options::default() };
        let it = Scene::start(SmtpSink::start(options).await, &["b.example"]).await;
        let key = json!({ "domain": "example.com", "selector": "s" });
        assert_eq!(it.store.api().post("/dkim", &key).await.0, 200);
        forward_to(&it, "onward@b.example").await;
        it.store.lmtp().await.deliver(&["me@example.com"], &large()).await;
        until("it arrives", async || it.sink.answered().len() == 1).await;
        let mail = it.sink.answered().remove(0);
        assert!(mail.content.starts_with("ARC-Seal: i=1;"));
        assert!(mail.content.as_bytes().ends_with(&large()), "octet for octet");
        let chunk = format!("BDAT {} LAST", mail.content.len());
        assert_eq!(it.sink.lines().contains(&chunk), is_chunked, "{:?}", it.sink.lines());
        let has_size = it.sink.lines().iter().any(|line| {
            line.starts_with("MAIL") && line.contains(&format!(" SIZE={} ", mail.content.len()))
        });
        assert_eq!(has_size, is_chunked);
        it.store.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chunk_is_sent_to_nobody_but_accepted_recipients() {
    let script = |step: &crate::support::smtp_sink::Step| {
        if step.line.contains("bad") && step.verb == "RCPT" {
            return crate::support::smtp_sink::Act::Say("550 5.1.1 no".into());
        }
        crate::support::smtp_sink::Act::Go
    };
    let offers = vec!["PIPELINING", "CHUNKING", "8BITMIME"];
    let options = Options { offers, script: Box::new(script), ..Options::default() };
    let it = Scene::start(SmtpSink::start(options).await, &["b.example"]).await;
    it.submit(&["bad@b.example"], "none", json!({})).await;
    it.submit(&["bad@b.example", "good@b.example"], "one", json!({ "text": ".\r\n..\r\n" })).await;
    until("one arrives, two come back", async || {
        it.sink.answered().len() == 1 && it.inbox().await.len() == 2
    })
    .await;
    assert_eq!(it.sink.mails().len(), 1);
    let mail = it.sink.answered().remove(0);
    assert_eq!(mail.to, ["good@b.example"]);
    assert!(mail.content.contains("\r\n\r\n.\r\n..\r\n"), "{}", mail.content);
    assert!(!it.sink.lines().iter().any(|line| line == "DATA"));
    it.store.stop().await;
}

/// Delivers binary content at the door for strangers, to be forwarded.
async fn arrive_binary(it: &Scene, body: &[u8]) {
    let mut client = LmtpClient::open(it.store.smtp_address()).await;
    let mail = "MAIL FROM:<far@b.example> BODY=BINARYMIME";
    for line in ["EHLO client.example", mail, "RCPT TO:<me@example.com>"] {
        let reply = client.command(line).await;
        assert!(reply.starts_with("250"), "{line}: {reply}");
    }
    let header = b"From: far@b.example\r\nSubject: binary\r\nMIME-Version: 1.0\r\n\
        Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n";
    let message = [header, body].concat();
    let command = format!("BDAT {} LAST\r\n", message.len());
    client.send(&[command.as_bytes(), &message].concat()).await;
    let reply = client.reply().await;
    assert!(reply.starts_with("250"), "{reply}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn binary_content_leaves_unchanged_or_comes_back() {
    let body = b"a\0b\nc\rd\r\n.\r\n\xff\n";
    for is_taken in [true, false] {
        let mut offers = vec!["PIPELINING", "CHUNKING", "8BITMIME"];
        offers.extend(is_taken.then_some("BINARYMIME"));
        let options = Options { offers, ..Options::default() };
        let it = Scene::start(SmtpSink::start(options).await, &["b.example"]).await;
        forward_to(&it, "onward@b.example").await;
        arrive_binary(&it, body).await;
        until("it arrives, or a report", async || it.sink.answered().len() == 1).await;
        let content = it.sink.answered().remove(0).content;
        if is_taken {
            let lossy = String::from_utf8_lossy(body).into_owned();
            assert!(content.ends_with(&format!("\r\n\r\n{lossy}")), "{content:?}");
            let said = it.sink.lines();
            assert!(said.iter().any(|line| line.contains(" BODY=BINARYMIME")), "{said:?}");
        } else {
            assert!(content.contains("Status: 5.6.3\r\n"), "{content}");
            // Said to be binary, but any server can have it
            arrive_binary(&it, b"plain\r\n").await;
            until("it arrives", async || it.sink.answered().len() == 2).await;
            assert_eq!(it.sink.answered()[1].to, ["onward@b.example"]);
        }
        it.store.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn targets_that_are_programs_get_messages_posted_until_they_take_them() {
    let web = WebServer::start(None, &[503, 429], "").await;
    let dns = DnsServer::start(&zone_of(&[])).await;
    let config = mta_config(&unique("eider_mta"), &dns, 1);
    let it = Scene::with_config(SmtpSink::start(Options::default()).await, dns, config).await;
    set_pauses(&it.store, "50,50,50").await;
    forward_to(&it, &format!("http://127.0.0.1:{}/take?key=secret", web.port)).await;
    it.store.lmtp().await.deliver(&["me@example.com"], &large()).await;
    until("it is taken", async || web.requests().len() == 3).await;
    until("the queue is empty", async || it.queued().await.is_empty()).await;
    for (head, body) in web.requests() {
        assert!(head.starts_with("POST /take?key=secret HTTP/1.1\r\n"), "{head}");
        assert!(head.to_ascii_lowercase().contains("content-type: message/rfc822\r\n"), "{head}");
        assert!(body.ends_with(&large()));
    }
    it.store.stop().await;
    // what it does not want comes back to the sender
    let web = WebServer::start(None, &[404], "").await;
    let sink = SmtpSink::start(Options::default()).await;
    let dns = DnsServer::start(&zone_of(&["example.org"])).await;
    let config = mta_config(&unique("eider_mta"), &dns, sink.port());
    let it = Scene::with_config(sink, dns, config).await;
    forward_to(&it, &format!("http://127.0.0.1:{}/take?key=secret", web.port)).await;
    let message = b"From: x@far.example\r\nSubject: on\r\n\r\ntext\r\n";
    it.store.lmtp().await.deliver(&["me@example.com"], message).await;
    until("a report leaves", async || it.sink.answered().len() == 1).await;
    let report = it.sink.answered().remove(0).content;
    assert!(report.contains("404") && !report.contains("secret"), "{report}");
    assert_eq!(web.requests().len(), 1);
    it.store.stop().await;
}
