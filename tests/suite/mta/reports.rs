//! Reports to senders (RFC 3464), and what becomes of mail that cannot be delivered.

use serde_json::json;

use super::{Scene, set_pauses};
use crate::support::smtp_sink::{Act, Options, SmtpSink};
use crate::support::until;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_recipients_are_reported_together_and_the_others_get_it() {
    let sink = SmtpSink::scripted(|step| match step.verb.as_str() {
        "RCPT" if step.line.contains("bad") => Act::Say("550 5.1.1 no such user".into()),
        _ => Act::Go,
    });
    let it = Scene::start(sink.await, &["b.example"]).await;
    it.submit(&["good@b.example", "bad1@b.example", "bad2@b.example"], "hi", json!({})).await;
    until("a report comes", async || it.inbox().await.len() == 1).await;
    let report = it.inbox().await.remove(0);
    assert!(report.starts_with("Return-Path: <>\r\n"), "{report}");
    for expected in [
        "From: Mail Delivery System <mailer-daemon@store.example>\r\n",
        "To: <me@example.com>\r\n",
        "Auto-Submitted: auto-replied\r\n",
        "Reporting-MTA: dns; store.example\r\n",
        "Final-Recipient: rfc822; bad1@b.example\r\nAction: failed\r\nStatus: 5.1.1\r\n",
        "Final-Recipient: rfc822; bad2@b.example\r\n",
        "Remote-MTA: dns; mx.b.example\r\nDiagnostic-Code: smtp; 550 5.1.1 no such user\r\n",
        "Content-Type: text/rfc822-headers\r\n",
        "\r\nSubject: hi\r\n",
    ] {
        assert!(report.contains(expected), "{expected}: {report}");
    }
    assert!(!report.contains("good@b.example\r\nAction"), "{report}");
    assert_eq!(it.sink.answered()[0].to, ["good@b.example"]);
    until("the queue is empty", async || it.queued().await.is_empty()).await;
    it.store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_last_pause_it_is_given_up_with_the_last_words() {
    let sink = SmtpSink::scripted(|step| match step.verb.as_str() {
        "RCPT" => Act::Say("451 4.2.1 busy".into()),
        _ => Act::Go,
    });
    let it = Scene::start(sink.await, &["b.example"]).await;
    set_pauses(&it.store, "50,50").await;
    it.submit(&["1@b.example"], "hi", json!({})).await;
    until("a report comes", async || it.inbox().await.len() == 1).await;
    let report = it.inbox().await.remove(0);
    assert!(report.contains("Action: failed\r\nStatus: 4.2.1\r\n"), "{report}");
    assert_eq!(it.sink.lines().iter().filter(|line| line.starts_with("RCPT")).count(), 3);
    it.store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_from_the_null_path_is_never_reported() {
    let sink = SmtpSink::scripted(|step| match step.verb.as_str() {
        "MAIL" => Act::Say("550 5.7.1 go away".into()),
        _ => Act::Go,
    });
    let it = Scene::start(sink.await, &["b.example"]).await;
    let autoreply = json!({ "status": true, "text": "away" });
    let path = format!("/users/{}/autoreply", it.user);
    assert_eq!(it.store.api().put(&path, &autoreply).await.0, 200);
    let mut lmtp = it.store.lmtp().await;
    lmtp.command("MAIL FROM:<far@b.example>").await;
    lmtp.command("RCPT TO:<me@example.com>").await;
    lmtp.command("DATA").await;
    lmtp.send(b"From: far@b.example\r\nSubject: x\r\n\r\ny\r\n.\r\n").await;
    assert!(lmtp.reply().await.starts_with("250"));
    until("the answer was refused", async || {
        it.sink.lines().iter().any(|line| line.starts_with("MAIL FROM:<>"))
            && it.queued().await.is_empty()
    })
    .await;
    assert_eq!(it.inbox().await.len(), 1, "only the mail itself");
    it.store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_for_a_full_mailbox_of_ours_comes_back_after_the_last_pause() {
    let it = Scene::start(SmtpSink::start(Options::default()).await, &[]).await;
    let other = it.store.create_user("other").await;
    set_pauses(&it.store, "1").await;
    let path = format!("/users/{other}");
    assert_eq!(it.store.api().put(&path, &json!({ "quota": 1 })).await.0, 200);
    it.submit(&["other@example.com"], "hi", json!({})).await;
    until("a report comes", async || it.inbox().await.len() == 1).await;
    let report = it.inbox().await.remove(0);
    assert!(report.contains("Final-Recipient: rfc822; other@example.com\r\n"), "{report}");
    assert!(report.contains("Status: 5.2.2\r\n"), "{report}");
    it.store.stop().await;
}

/// Says lines to the submission door and expects these codes.
async fn submit_by_smtp(address: std::net::SocketAddr, dialogue: &[(&str, &str)]) {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _};
    let tcp = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut stream = tokio::io::BufReader::new(tcp);
    for (line, code) in [&[("", "220")], dialogue].concat() {
        if !line.is_empty() {
            stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
        }
        loop {
            let mut reply = String::new();
            stream.read_line(&mut reply).await.unwrap();
            assert!(reply.starts_with(code), "{line}: {reply}");
            if reply.as_bytes().get(3) == Some(&b' ') {
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn successes_are_reported_or_the_wish_goes_on() {
    for has_dsn in [false, true] {
        let offers = if has_dsn { vec!["DSN", "PIPELINING"] } else { vec!["PIPELINING"] };
        let sink = SmtpSink::start(Options { offers, ..Options::default() }).await;
        let it = Scene::start(sink, &["b.example"]).await;
        it.store.create_user("other").await;
        // RFC 4616: NUL me NUL the password
        let login = "AUTH PLAIN AG1lAGNvcnJlY3QgaG9yc2UgYmF0dGVyeQ==";
        let to_other = "RCPT TO:<other@example.com> NOTIFY=SUCCESS";
        let to_b = "RCPT TO:<1@b.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;first+2B1@b.example";
        let message = "From: me@example.com\r\nSubject: wishes\r\n\r\nx\r\n.";
        let dialogue = [
            ("EHLO client.example", "250"),
            (login, "235"),
            ("MAIL FROM:<me@example.com> RET=HDRS ENVID=abc+2B1", "250"),
            (to_other, "250"),
            (to_b, "250"),
            ("DATA", "354"),
            (message, "250"),
        ];
        submit_by_smtp(it.store.submission_address(), &dialogue).await;
        until("it arrives", async || it.sink.answered().len() == 1).await;
        let reports = if has_dsn { 1 } else { 2 };
        until("reports come", async || it.inbox().await.len() == reports).await;
        let all = it.inbox().await.concat();
        assert!(all.contains("Original-Envelope-Id: abc+1\r\n"), "{all}");
        let delivered = "rfc822; other@example.com\r\nAction: delivered\r\nStatus: 2.1.5\r\n";
        assert!(all.contains(delivered), "{all}");
        let relayed = "Original-Recipient: rfc822; first+1@b.example\r\n\
            Final-Recipient: rfc822; 1@b.example\r\nAction: relayed\r\n";
        assert_eq!(all.contains(relayed), !has_dsn, "{all}");
        let lines = it.sink.lines();
        assert_eq!(lines.iter().any(|line| line.ends_with(" RET=HDRS ENVID=abc+2B1")), has_dsn);
        assert_eq!(lines.contains(&to_b.to_owned()), has_dsn, "{lines:?}");
        it.store.stop().await;
    }
}
