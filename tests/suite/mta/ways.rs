//! Where mail goes and leaves from as the operator says: routes with logins, pools of addresses; and
//! that nobody waits for others at a next hop.

use std::time::Duration;

use eider::mta::settings::{Pool, Route};
use serde_json::json;

use super::{Scene, mta_config, set_pauses, zone_of};
use crate::support::dns::DnsServer;
use crate::support::smtp_sink::{Act, Mail, Options, SmtpSink, Step};
use crate::support::store::unique;
use crate::support::until;

fn pool(name: &str, address: &str) -> Pool {
    let addresses = vec![address.parse().unwrap()];
    Pool { name: name.to_owned(), addresses, ..Pool::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_leaves_from_the_addresses_of_its_pool() {
    let sink = SmtpSink::start(Options::default()).await;
    let dns = DnsServer::start(&zone_of(&["b.example", "c.example"])).await;
    let mut config = mta_config(&unique("eider_mta"), &dns, sink.port());
    config.mta.source_addresses = vec!["127.0.0.9".parse().unwrap()];
    config.mta.pools = vec![
        Pool { by_header: true, ..pool("bulk", "127.0.0.2") },
        Pool {
            senders: vec!["other.example".to_owned()],
            hostname: Some("out.other.example".to_owned()),
            ..pool("other", "127.0.0.3")
        },
        Pool { recipients: vec!["C.example".to_owned()], ..pool("c", "127.0.0.4") },
        Pool { tags: vec!["Gold".to_owned()], ..pool("gold", "127.0.0.5") },
    ];
    let it = Scene::with_config(sink, dns, config).await;
    let other = "me@other.example";
    let path = format!("/users/{}/addresses", it.user);
    assert_eq!(it.store.api().post(&path, &json!({ "address": other })).await.0, 200);
    let zone = |name: &str| json!({ "headers": [{ "key": "X-Sending-Zone", "value": name }] });
    it.submit(&["1@b.example"], "bulk", zone("bulk")).await;
    it.submit(&["1@b.example"], "unknown", zone("nothing")).await;
    it.submit(&["1@b.example"], "other", json!({ "from": { "address": other } })).await;
    // one message by two ways
    it.submit(&["1@b.example", "1@c.example"], "two", json!({})).await;
    until("all arrive", async || it.sink.answered().len() == 5).await;
    let path = format!("/users/{}", it.user);
    let (status, answer) = it.store.api().put(&path, &json!({ "tags": ["gold"] })).await;
    assert_eq!(status, 200, "{answer}");
    it.submit(&["1@b.example"], "gold", json!({})).await;
    until("it arrives", async || it.sink.answered().len() == 6).await;
    let mut ways: Vec<(String, String, String)> = it
        .sink
        .answered()
        .into_iter()
        .map(|Mail { to, content, peer, helo, .. }| {
            let subject = content.split("Subject: ").nth(1).unwrap();
            let subject = subject.lines().next().unwrap();
            (format!("{subject} {}", to.concat()), peer.to_string(), helo)
        })
        .collect();
    ways.sort();
    let way = |what: &str, peer: &str, helo: &str| (what.into(), peer.into(), helo.into());
    let own = "store.example";
    assert_eq!(
        ways,
        [
            way("bulk 1@b.example", "127.0.0.2", own),
            way("gold 1@b.example", "127.0.0.5", own),
            way("other 1@b.example", "127.0.0.3", "out.other.example"),
            way("two 1@b.example", "127.0.0.9", own),
            way("two 1@c.example", "127.0.0.4", own),
            way("unknown 1@b.example", "127.0.0.9", own),
        ]
    );
    it.store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn routes_are_found_by_sender_and_recipient_and_logged_in_to() {
    // A server that knows LOGIN only, and one where nobody logs in
    let script = |step: &Step| match step.verb.as_str() {
        "AUTH" if step.line == "AUTH LOGIN" => Act::Say("334 VXNlcm5hbWU6".into()),
        "AUTH" => Act::Say("504 5.5.4 no".into()),
        // "user", then "p\u{e4}ss"
        _ if step.line == "dXNlcg==" => Act::Say("334 UGFzc3dvcmQ6".into()),
        _ if step.line == "cMOkc3M=" => Act::Say("235 2.7.0 ok".into()),
        _ => Act::Go,
    };
    let offers = vec!["PIPELINING", "AUTH LOGIN"];
    let options = Options { offers, script: Box::new(script), ..Options::default() };
    let smarthost = SmtpSink::start(options).await;
    let plain = SmtpSink::start(Options::default()).await;
    let password = std::env::temp_dir().join(unique("eider-password"));
    std::fs::write(&password, "p\u{e4}ss\n").unwrap();
    let dns = DnsServer::start(&zone_of(&["c.example"])).await;
    let mut config = mta_config(&unique("eider_mta"), &dns, plain.port());
    config.mta.routes = vec![
        Route {
            senders: vec!["example.com".to_owned()],
            recipients: vec!["b.example".to_owned()],
            host: smarthost.address.to_string(),
            username: Some("user".to_owned()),
            password_file: Some(password.clone()),
            ..Route::default()
        },
        Route {
            senders: vec!["elsewhere.example".to_owned()],
            host: "127.0.0.1:1".to_owned(),
            ..Route::default()
        },
    ];
    let it = Scene::with_config(plain, dns, config).await;
    it.submit(&["1@b.example", "1@c.example"], "x", json!({})).await;
    until("each goes its way", async || {
        smarthost.answered().len() == 1 && it.sink.answered().len() == 1
    })
    .await;
    assert_eq!(smarthost.answered()[0].to, ["1@b.example"]);
    assert_eq!(it.sink.answered()[0].to, ["1@c.example"]);
    let said = smarthost.lines();
    assert!(said.contains(&"dXNlcg==".to_owned()) && said.contains(&"cMOkc3M=".to_owned()));
    // A login that fails waits for who mends it
    std::fs::write(&password, "wrong").unwrap();
    set_pauses(&it.store, "3600000,3600000").await;
    it.submit(&["2@b.example"], "x", json!({})).await;
    until("it waits", async || {
        let queued = it.queued().await;
        queued.first().is_some_and(|entry| entry["state"] == "deferred")
    })
    .await;
    assert_eq!((smarthost.answered().len(), it.inbox().await.len()), (1, 0));
    std::fs::remove_file(password).unwrap();
    it.store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_next_hop_that_takes_one_message_a_second_delays_nobody() {
    let script = |step: &Step| match step.verb.as_str() {
        "CONTENT" if step.line.contains("slow") => Act::Late(Duration::from_secs(1)),
        _ => Act::Go,
    };
    let sink = SmtpSink::scripted(script).await;
    let dns = DnsServer::start(&zone_of(&["slow.example", "quick.example"])).await;
    let mut config = mta_config(&unique("eider_mta"), &dns, sink.port());
    config.mta.connections_per_domain_max = 1;
    let it = Scene::with_config(sink, dns, config).await;
    let berta = it.store.create_user("berta").await;
    for number in 0..60 {
        it.submit(&["1@slow.example"], &format!("slow {number}"), json!({})).await;
    }
    let taken = async |subject: &str| {
        let wanted = format!("Subject: {subject}\r\n");
        it.sink.answered().iter().filter(|mail| mail.content.contains(&wanted)).count()
    };
    until("the first is taken", async || !it.sink.answered().is_empty()).await;
    // Another next hop
    it.submit(&["1@quick.example"], "quick", json!({})).await;
    until("it arrives", async || taken("quick").await == 1).await;
    assert!(it.sink.answered().len() < 30, "{}", it.sink.answered().len());
    // Another user at the same one: the first has more than fifty left
    let letter =
        json!({ "to": [{ "address": "1@slow.example" }], "subject": "slow berta", "text": "x" });
    let path = format!("/users/{berta}/submit");
    assert_eq!(it.store.api().post(&path, &letter).await.0, 200);
    until("it arrives", async || taken("slow berta").await == 1).await;
    let before = it.sink.answered().len();
    assert!(before < 45, "{before} were before hers");
    it.store.stop().await;
}
