//! A long queue: what it costs in memory while it waits and while it leaves, however long it is.
//! `EIDER_QUEUE_RECIPIENTS` says how long.

use std::time::Instant;

use serde_json::json;

use super::{Scene, mta_config, zone_of};
use crate::support::dns::DnsServer;
use crate::support::smtp_sink::{Options, SmtpSink};
use crate::support::store::{TestStore, unique};

/// Recipients of one message.
const TOGETHER: usize = 500;
/// KiB the process may grow by.
const GROWTH_KIB_MAX: u64 = 96 * 1024;

/// Resident memory of this process, KiB: the node's and the test's.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_queue_costs_no_more_memory_than_a_short_one() {
    let recipients: usize = std::env::var("EIDER_QUEUE_RECIPIENTS")
        .map_or(5_000, |text| text.parse().expect("a number"));
    let domains: Vec<String> = (0..20).map(|number| format!("d{number}.example")).collect();
    let names: Vec<&str> = domains.iter().map(String::as_str).collect();
    let options = Options { is_keeping: false, ..Options::default() };
    let sink = SmtpSink::start(options).await;
    let dns = DnsServer::start(&zone_of(&names)).await;
    let database = unique("eider_mta");
    // Nobody sends yet
    let mut config = mta_config(&database, &dns, sink.port());
    let sending = mta_config(&database, &dns, sink.port());
    config.roles.retain(|role| *role != eider::config::Role::Mta);
    let it = Scene::with_config(sink, dns, config).await;
    let max = json!({ "recipients": 10_000_000 });
    assert_eq!(it.store.api().put(&format!("/users/{}", it.user), &max).await.0, 200);
    let limit = json!({ "value": TOGETHER });
    assert_eq!(it.store.api().post("/settings/const:max:rcpt_to", &limit).await.0, 200);
    let started = Instant::now();
    for first in (0..recipients).step_by(TOGETHER) {
        let to: Vec<String> = (first..recipients.min(first + TOGETHER))
            .map(|number| format!("u{number}@{}", names[number % names.len()]))
            .collect();
        let to: Vec<&str> = to.iter().map(String::as_str).collect();
        it.submit(&to, &format!("from {first}"), json!({})).await;
    }
    eprintln!("{recipients} recipients queued in {:?}", started.elapsed());
    let before = resident_kib();
    let node = TestStore::start_with(sending).await;
    let (started, mut most) = (Instant::now(), before);
    while it.sink.recipients() < recipients || !it.queued().await.is_empty() {
        most = most.max(resident_kib());
        assert!(started.elapsed().as_secs() < 300 + recipients as u64 / 10, "it stands still");
        tokio::task::yield_now().await;
    }
    let (seconds, growth) = (started.elapsed().as_secs_f64(), most - before);
    let rate = recipients as f64 / seconds;
    eprintln!("left in {seconds:.1} s, {rate:.0} a second; {before} KiB grew by {growth} KiB");
    assert_eq!(it.sink.recipients(), recipients, "each once");
    assert!(growth < GROWTH_KIB_MAX, "{growth} KiB");
    node.stop().await;
    it.store.stop().await;
}
