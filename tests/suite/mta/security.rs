//! TLS that is demanded: MTA-STS (RFC 8461), DANE (RFC 7672), routes that want it.

use serde_json::json;

use super::{Scene, mta_config, set_pauses, zone_of};
use crate::support::dns::{DnsServer, Fault};
use crate::support::smtp_sink::{Certificate, Options, SmtpSink, certificate, web_server};
use crate::support::store::unique;
use crate::support::until;

fn authority_file(certificate: &Certificate) -> std::path::PathBuf {
    let path = std::env::temp_dir().join(unique("eider-authority"));
    std::fs::write(&path, &certificate.authority).unwrap();
    path
}

async fn sink_with(certificate: &Certificate) -> SmtpSink {
    let tls = Some(certificate.acceptor.clone());
    SmtpSink::start(Options { tls, ..Options::default() }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mta_sts_is_obeyed_also_when_it_can_no_longer_be_asked_for() {
    let made = certificate(&["mx.b.example", "mta-sts.b.example", "mta-sts.c.example"]);
    let sink = sink_with(&made).await;
    // c.example names another host in its policy than in the DNS
    let policy = |mx: &str| format!("version: STSv1\nmode: enforce\nmx: {mx}\nmax_age: 86400\n");
    let web = web_server(made.acceptor.clone(), policy("mx.b.example")).await;
    let zone = zone_of(&["b.example", "c.example"]).replace(" 60 ", " 0 ")
        + "_mta-sts.b.example. 0 IN TXT \"v=STSv1; id=1\"\nmta-sts.b.example. 0 IN A 127.0.0.1\n\
           _mta-sts.c.example. 0 IN TXT \"v=STSv1; id=1\"\nmta-sts.c.example. 0 IN A 127.0.0.1\n";
    let dns = DnsServer::start(&zone).await;
    let mut config = mta_config(&unique("eider_mta"), &dns, sink.port());
    config.mta.mta_sts = true;
    config.mta.mta_sts_port = web;
    config.mta.trusted_authorities = Some(authority_file(&made));
    let it = Scene::with_config(sink, dns, config).await;
    set_pauses(&it.store, "50").await;
    it.submit(&["1@b.example"], "good", json!({})).await;
    it.submit(&["1@c.example"], "bad", json!({})).await;
    until("one arrives, one comes back", async || {
        it.sink.answered().len() == 1 && it.inbox().await.len() == 1
    })
    .await;
    assert!(it.sink.answered()[0].is_tls);
    let report = it.inbox().await.remove(0);
    assert!(report.contains("1@c.example") && report.contains("MTA-STS"), "{report}");
    // Now the DNS leads elsewhere, and the policy's name is blocked: nothing goes there
    it.dns.break_name("_mta-sts.b.example", Fault::Fails);
    it.dns.set("b.example. 0 IN MX 10 evil.b.example.\nevil.b.example. 0 IN A 127.0.0.1\n");
    it.submit(&["2@b.example"], "stolen", json!({})).await;
    until("it comes back", async || it.inbox().await.len() == 2).await;
    assert_eq!(it.sink.mails().len(), 1);
    it.store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_server_of_the_tlsa_record_gets_the_mail() {
    let (good, other) = (certificate(&["x.example"]), certificate(&["mx.c.example"]));
    let sink = sink_with(&good).await;
    let record = |domain: &str, hash: &str| {
        format!("_{}._tcp.mx.{domain}. 60 IN TLSA 3 1 1 {hash}\n", sink.port())
    };
    let zone = zone_of(&["b.example", "c.example"])
        + &record("b.example", &good.key_hash)
        + &record("c.example", &other.key_hash);
    let dns = DnsServer::start_signed(&zone).await;
    let config = mta_config(&unique("eider_mta"), &dns, sink.port());
    let it = Scene::with_config(sink, dns, config).await;
    set_pauses(&it.store, "50").await;
    it.submit(&["1@b.example"], "good", json!({})).await;
    it.submit(&["1@c.example"], "bad", json!({})).await;
    until("one arrives, one comes back", async || {
        it.sink.answered().len() == 1 && it.inbox().await.len() == 1
    })
    .await;
    let mail = &it.sink.mails()[0];
    assert!(mail.is_tls && mail.to == ["1@b.example"] && it.sink.mails().len() == 1);
    let report = it.inbox().await.remove(0);
    assert!(report.contains("Status: 4.7.5\r\n"), "{report}");
    it.store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_that_wants_a_verified_server_takes_no_other() {
    let made = certificate(&["127.0.0.1"]);
    for is_trusted in [true, false] {
        let sink = sink_with(&made).await;
        let dns = DnsServer::start("").await;
        let mut config = mta_config(&unique("eider_mta"), &dns, 1);
        config.mta.routes = vec![eider::mta::settings::Route {
            senders: vec!["example.com".to_owned()],
            host: sink.address.to_string(),
            tls: eider::mta::settings::TlsLevel::Verified,
            ..eider::mta::settings::Route::default()
        }];
        config.mta.trusted_authorities = is_trusted.then(|| authority_file(&made));
        let it = Scene::with_config(sink, dns, config).await;
        set_pauses(&it.store, "50").await;
        it.submit(&["1@b.example"], "x", json!({})).await;
        until("it arrives or comes back", async || {
            !it.sink.answered().is_empty() || !it.inbox().await.is_empty()
        })
        .await;
        assert_eq!(it.sink.mails().len(), usize::from(is_trusted));
        it.store.stop().await;
    }
}
