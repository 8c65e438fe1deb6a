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
    assert!(it.queued().await.is_empty());
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
