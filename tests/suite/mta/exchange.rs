//! Mail given to other servers: where they are, what is said to them, what when they fail.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{Scene, mta_config, set_pauses, zone_of};
use crate::support::dns::DnsServer;
use crate::support::smtp_sink::{Act, Options, SmtpSink, certificate};
use crate::support::store::{TestStore, unique};
use crate::support::until;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recipients_of_a_domain_share_a_transaction_and_octets_survive() {
    let it = Scene::start(SmtpSink::start(Options::default()).await, &["b.example"]).await;
    let text = ".\r\n..dots\r\n.\r\nend";
    it.submit(&["1@b.example", "2@b.example"], "both", json!({ "text": text })).await;
    until("the mail arrives", async || it.sink.answered().len() == 1).await;
    let mail = &it.sink.answered()[0];
    assert_eq!(mail.from, "me@example.com");
    assert_eq!(mail.to, ["1@b.example", "2@b.example"]);
    assert!(mail.content.contains("\r\n.\r\n..dots\r\n.\r\nend"), "{}", mail.content);
    assert!(mail.content.starts_with("Received: by store.example"), "{}", mail.content);
    until("the queue is empty", async || it.queued().await.is_empty()).await;
    it.store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_best_host_that_answers_gets_the_mail() {
    let good = SmtpSink::start(Options::default()).await;
    // The first does not listen, the second does not want mail, the third is ours
    let refusing =
        Options { script: Box::new(|_| Act::Say("554 no".into())), ..Options::default() };
    let refusing = SmtpSink::start_at(&format!("127.0.0.3:{}", good.port()), refusing).await;
    let zone = "b.example. 60 IN MX 10 dead.b.example.\nb.example. 60 IN MX 20 no.b.example.\n\
        b.example. 60 IN MX 30 mx.b.example.\ndead.b.example. 60 IN A 127.0.0.2\n\
        no.b.example. 60 IN A 127.0.0.3\nmx.b.example. 60 IN A 127.0.0.1\n\
        c.example. 60 IN A 127.0.0.1\n";
    let it = Scene::with_zone(good, zone).await;
    it.submit(&["1@b.example", "1@c.example"], "x", json!({})).await;
    until("both arrive, one without MX", async || it.sink.answered().len() == 2).await;
    assert!(refusing.sessions() > 0 && refusing.mails().is_empty());
    it.store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn domains_without_mail_are_told_at_once() {
    let zone = "null.example. 60 IN MX 0 .\nself.example. 60 IN MX 10 store.example.\n\
        alias.example. 60 IN MX 10 mx.alias.example.\n\
        mx.alias.example. 60 IN CNAME host.example.\nhost.example. 60 IN A 127.0.0.1\n";
    let it = Scene::with_zone(SmtpSink::start(Options::default()).await, zone).await;
    let to = ["1@null.example", "1@self.example", "1@none.example", "1@alias.example"];
    it.submit(&to, "x", json!({})).await;
    until("four reports come", async || it.inbox().await.len() == 4).await;
    let all = it.inbox().await.concat();
    for status in ["5.1.10", "5.4.6", "5.1.2", "5.4.4"] {
        assert!(all.contains(&format!("Status: {status}\r\n")), "{status}: {all}");
    }
    until("the queue is empty", async || it.queued().await.is_empty()).await;
    assert_eq!(it.sink.sessions(), 0);
    it.store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_for_now_is_tried_again() {
    // First the greeting, then MAIL, RCPT, DATA, and the message are put off
    let verbs = ["CONNECT", "MAIL", "RCPT", "DATA", "CONTENT"];
    let sink = SmtpSink::scripted(move |step| match verbs.get(step.session) {
        Some(verb) if *verb == step.verb => Act::Say("451 4.3.0 later".into()),
        _ => Act::Go,
    });
    let it = Scene::start(sink.await, &["b.example"]).await;
    set_pauses(&it.store, &vec!["50"; 30].join(",")).await;
    it.submit(&["1@b.example"], "x", json!({})).await;
    until("it arrives", async || it.sink.answered().len() == 1).await;
    assert_eq!((it.sink.sessions(), it.sink.mails().len()), (6, 2));
    it.store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_cut_anywhere_loses_nothing() {
    let verbs = ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "CONTENT"];
    for offers in [vec!["PIPELINING"], vec![]] {
        let script = move |step: &crate::support::smtp_sink::Step| match verbs.get(step.session) {
            Some(verb) if *verb == step.verb => Act::Cut,
            _ => Act::Go,
        };
        let options = Options { offers, script: Box::new(script), ..Options::default() };
        let it = Scene::start(SmtpSink::start(options).await, &["b.example"]).await;
        set_pauses(&it.store, &vec!["50"; 30].join(",")).await;
        it.submit(&["1@b.example"], "x", json!({})).await;
        until("it arrives", async || it.sink.answered().len() == 1).await;
        // The server had it once before: its 250 was lost
        assert_eq!(it.sink.mails().len(), 2);
        until("the queue is empty", async || it.queued().await.is_empty()).await;
        assert!(it.inbox().await.is_empty());
        it.store.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_or_silent_server_delays_nobody() {
    let sink = SmtpSink::scripted(|step| match (step.verb.as_str(), step.line.contains("@slow")) {
        ("RCPT", true) => Act::Late(Duration::from_secs(1)),
        ("RCPT", false) if step.line.contains("@silent") => Act::Silent,
        _ => Act::Go,
    });
    let domains = ["slow.example", "silent.example", "quick.example"];
    let it = Scene::start(sink.await, &domains).await;
    for number in 0..30 {
        let subject = format!("{number}");
        it.submit(&["1@slow.example", "1@silent.example"], &subject, json!({})).await;
    }
    let started = Instant::now();
    for number in 0..10 {
        it.submit(&["1@quick.example"], &format!("{number}"), json!({})).await;
    }
    let quick = async || {
        let mails = it.sink.answered();
        mails.iter().filter(|mail| mail.to == ["1@quick.example"]).count() == 10
    };
    until("the quick ones are there", quick).await;
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    it.store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_server_cannot_take_is_returned() {
    let options = Options { offers: vec!["SIZE 100000"], ..Options::default() };
    let it = Scene::start(SmtpSink::start(options).await, &["b.example"]).await;
    it.submit(&["1@b.example"], "plain", json!({})).await;
    it.submit(&["1@b.example"], "large", json!({ "text": "x".repeat(200_000) })).await;
    it.submit(&["é@b.example"], "utf8", json!({})).await;
    until("one arrives, two come back", async || {
        it.sink.answered().len() == 1 && it.inbox().await.len() == 2
    })
    .await;
    let all = it.inbox().await.concat();
    assert!(all.contains("Status: 5.3.4\r\n") && all.contains("Status: 5.6.7\r\n"), "{all}");
    assert!(all.contains("Final-Recipient: utf-8; é@b.example\r\n"), "{all}");
    it.store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_is_used_where_it_is_and_done_without_where_it_fails() {
    for is_broken in [false, true] {
        // A broken server takes STARTTLS and then talks nonsense
        let script = move |step: &crate::support::smtp_sink::Step| {
            if is_broken && step.verb == "STARTTLS" {
                return Act::Say("220 2.0.0 go on\r\nnonsense".into());
            }
            Act::Go
        };
        let tls = Some(certificate(&["another.example"]).acceptor);
        let options = Options { tls, script: Box::new(script), ..Options::default() };
        let it = Scene::start(SmtpSink::start(options).await, &["b.example"]).await;
        it.submit(&["1@b.example"], "x", json!({})).await;
        until("it arrives", async || it.sink.answered().len() == 1).await;
        assert_eq!(it.sink.answered()[0].is_tls, !is_broken);
        it.store.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forwards_go_to_relays_with_passwords() {
    let options = Options { offers: vec!["PIPELINING", "AUTH PLAIN"], ..Options::default() };
    let it = Scene::start(SmtpSink::start(options).await, &["example.org"]).await;
    let relay = format!("smtp://us%40er:pass@127.0.0.1:{}", it.sink.port());
    let path = format!("/users/{}", it.user);
    let (status, answer) = it.store.api().put(&path, &json!({ "targets": [relay] })).await;
    assert_eq!(status, 200, "{answer}");
    let message = b"From: x@far.example\r\nSubject: on\r\n\r\nbare\nline\r\n";
    it.store.lmtp().await.deliver(&["me@example.com"], message).await;
    until("it arrives", async || it.sink.answered().len() == 1).await;
    let mail = &it.sink.answered()[0];
    assert_eq!(mail.to, ["me@example.com"]);
    assert!(mail.content.ends_with("\r\n\r\nbare\r\nline\r\n"), "lines are whole");
    // The sender is in our name, and leads back to the one it was
    assert!(mail.from.starts_with("SRS0=") && mail.from.ends_with("@store.example"));
    let mut lmtp = it.store.lmtp().await;
    lmtp.command("MAIL FROM:<>").await;
    let forged = mail.from.replace("example.org", "victim.example");
    assert!(lmtp.command(&format!("RCPT TO:<{forged}>")).await.starts_with("550"));
    assert!(lmtp.command(&format!("RCPT TO:<{}>", mail.from)).await.starts_with("250"));
    lmtp.command("DATA").await;
    lmtp.send(b"From: mailer-daemon@x\r\nSubject: back\r\n\r\n.\r\n").await;
    assert!(lmtp.reply().await.starts_with("250"));
    until("it goes back to the first sender", async || it.sink.answered().len() == 2).await;
    let back = &it.sink.answered()[1];
    assert_eq!((back.from.as_str(), back.to.concat()), ("", "sender@example.org".to_owned()));
    // RFC 4616: NUL us@er NUL pass
    assert!(it.sink.lines().contains(&"AUTH PLAIN AHVzQGVyAHBhc3M=".to_owned()));
    it.store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn routes_are_taken_and_nodes_share_the_queue() {
    let sink = SmtpSink::start(Options::default()).await;
    let dns = DnsServer::start(&zone_of(&[])).await;
    let database = unique("eider_mta");
    let host = sink.address.to_string();
    let node = |dns: &DnsServer| {
        let mut config = mta_config(&database, dns, 1);
        config.mta.routes = vec![eider::mta::settings::Route {
            recipients: vec!["r1.example".to_owned(), "r2.example".to_owned()],
            host: host.clone(),
            ..eider::mta::settings::Route::default()
        }];
        config
    };
    let second = TestStore::start_with(node(&dns)).await;
    let config = node(&dns);
    let it = Scene::with_config(sink, dns, config).await;
    for number in 0..60 {
        let to = format!("{number}@r{}.example", number % 2 + 1);
        it.submit(&[&to], &format!("{number}"), json!({})).await;
    }
    until("all arrive", async || it.sink.answered().len() >= 60).await;
    until("the queue is empty", async || it.queued().await.is_empty()).await;
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for mail in it.sink.mails() {
        *times.entry(mail.to.concat()).or_default() += 1;
    }
    assert_eq!(times.len(), 60);
    assert!(times.values().all(|times| *times == 1), "{times:?}");
    second.stop().await;
    it.store.stop().await;
}
