//! Many messages through servers that fail at random, while one of two nodes stops and starts: each
//! ends in exactly one of delivered and reported, none is lost, and none comes twice but where our
//! server took it and its 250 was lost. `EIDER_TRANSPORT_MESSAGES` says how many.

use std::collections::BTreeMap;
use std::sync::Mutex;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;

use super::{Scene, mta_config, set_pauses, zone_of};
use crate::support::dns::DnsServer;
use crate::support::smtp_sink::{Act, SmtpSink, Step};
use crate::support::store::{TestStore, unique};

/// What happens at a step, one time in `one_in`.
fn fault(random: &mut StdRng, step: &Step, one_in: u32) -> Act {
    if random.random_range(0..one_in) > 0 {
        return Act::Go;
    }
    match (random.random_range(0..10), step.verb.as_str()) {
        (0..3, _) => Act::Cut,
        (3, _) => Act::Silent,
        (4, _) => Act::Say("421 4.3.2 closing".into()),
        (_, "RCPT") => Act::Say("550 5.1.1 nobody".into()),
        (_, "EHLO") => Act::Go,
        _ => Act::Say("451 4.3.0 later".into()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_ends_once_whatever_fails() {
    let count: usize = std::env::var("EIDER_TRANSPORT_MESSAGES")
        .map_or(200, |text| text.parse().expect("a number"));
    let seed: u64 = rand::random();
    eprintln!("seed {seed}");
    let random = Mutex::new(StdRng::seed_from_u64(seed));
    let sink = SmtpSink::scripted(move |step| fault(&mut random.lock().unwrap(), step, 15)).await;
    let domains: Vec<String> = (0..7).map(|number| format!("d{number}.example")).collect();
    let domains: Vec<&str> = domains.iter().map(String::as_str).collect();
    let dns = DnsServer::start(&zone_of(&domains)).await;
    let database = unique("eider_mta");
    let second = mta_config(&database, &dns, sink.port());
    let config = mta_config(&database, &dns, sink.port());
    let it = Scene::with_config(sink, dns, config).await;
    set_pauses(&it.store, &vec!["50"; 300].join(",")).await;
    let max = json!({ "recipients": 100_000 });
    assert_eq!(it.store.api().put(&format!("/users/{}", it.user), &max).await.0, 200);
    let mut other = Some(TestStore::start_with(second.clone()).await);
    for number in 0..count {
        let domain = domains[number % domains.len()];
        it.submit(&[&format!("u{number}@{domain}")], &format!("n{number}"), json!({})).await;
        if number == count / 2 {
            other.take().unwrap().stop().await;
            other = Some(TestStore::start_with(second.clone()).await);
        }
    }
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(120 + count as u64);
    while !it.queued().await.is_empty() {
        assert!(std::time::Instant::now() < deadline, "{} left", it.queued().await.len());
        tokio::task::yield_now().await;
    }
    let (mut taken, mut lost) = (BTreeMap::<String, usize>::new(), 0);
    for mail in it.sink.mails() {
        if mail.is_answered {
            *taken.entry(mail.to.concat()).or_default() += 1;
        }
        lost += usize::from(!mail.is_answered);
    }
    let reports = it.inbox().await;
    for number in 0..count {
        let recipient = format!("u{number}@{}", domains[number % domains.len()]);
        let needle = format!("Final-Recipient: rfc822; {recipient}\r\n");
        let reported = reports.iter().filter(|report| report.contains(&needle)).count();
        let taken = taken.get(&recipient).copied().unwrap_or(0);
        assert_eq!(taken + reported, 1, "{recipient}: {taken} taken, {reported} reported");
    }
    eprintln!(
        "{count} messages: {} taken, {} reported, {lost} without our 250",
        taken.len(),
        reports.len()
    );
    other.unwrap().stop().await;
    it.store.stop().await;
}
