//! TLS that is demanded: MTA-STS (RFC 8461), DANE (RFC 7672), routes that want it.

use serde_json::json;

use super::{Scene, mta_config, set_pauses, zone_of};
use crate::support::dns::{DnsServer, Fault};
use crate::support::judge;
use crate::support::smtp_sink::{Certificate, Options, SmtpSink, certificate};
use crate::support::store::{PASSWORD, TestStore, unique};
use crate::support::until;
use crate::support::web::WebServer;

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
    let web = WebServer::start(Some(made.acceptor.clone()), &[], &policy("mx.b.example")).await;
    let zone = zone_of(&["b.example", "c.example"]).replace(" 60 ", " 0 ")
        + "_mta-sts.b.example. 0 IN TXT \"v=STSv1; id=1\"\nmta-sts.b.example. 0 IN A 127.0.0.1\n\
           _mta-sts.c.example. 0 IN TXT \"v=STSv1; id=1\"\nmta-sts.c.example. 0 IN A 127.0.0.1\n";
    let dns = DnsServer::start(&zone).await;
    let database = unique("eider_mta");
    let mut config = mta_config(&database, &dns, sink.port());
    config.mta.mta_sts = true;
    config.mta.mta_sts_port = web.port;
    config.mta.trusted_authorities = Some(authority_file(&made));
    let config_again = config.clone();
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
    assert_eq!((it.sink.mails().len(), web.requests().len()), (1, 2));
    // The policy outlives the node: another one knows it, too
    it.store.stop().await;
    let mut config = mta_config(&database, &it.dns, it.sink.port());
    config.mta = config_again.mta;
    let store = TestStore::start_with(config).await;
    let it = Scene { store, ..it };
    it.submit(&["3@b.example"], "stolen", json!({})).await;
    until("it comes back", async || it.inbox().await.len() == 3).await;
    assert_eq!((it.sink.mails().len(), web.requests().len()), (1, 2));
    // Who says that TLS does not matter gets what he wants (RFC 8689 §5)
    let headers = json!({ "headers": [{ "key": "TLS-Required", "value": "No" }] });
    it.submit(&["4@b.example"], "open", headers).await;
    until("it arrives", async || it.sink.answered().len() == 2).await;
    assert_eq!(it.sink.answered()[1].to, ["4@b.example"]);
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
async fn a_trust_anchor_of_the_tlsa_record_vouches_for_names_below_it() {
    let made = certificate(&["mx.b.example"]);
    let sink = sink_with(&made).await;
    let port = sink.port();
    let zone = zone_of(&["b.example", "c.example"])
        + &format!("_{port}._tcp.mx.b.example. 60 IN TLSA 2 0 1 {}\n", made.authority_hash)
        // the same anchor, but the certificate is not for this name
        + &format!("_{port}._tcp.mx.c.example. 60 IN TLSA 2 0 1 {}\n", made.authority_hash);
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
    assert_eq!(it.sink.mails()[0].to, ["1@b.example"]);
    assert!(it.inbox().await.remove(0).contains("Status: 4.7.5\r\n"));
    it.store.stop().await;
}

/// Submits with REQUIRETLS by Python's smtplib.
async fn submit_requiring_tls(it: &Scene, to: &str) {
    let python = std::env::var("EIDER_TEST_PYTHON").unwrap();
    let script =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/judges/requiretls.py");
    let port = it.store.running.addresses.submission_tls[0].port().to_string();
    let arguments = [script.to_str().unwrap(), &port, "me", PASSWORD, "me@example.com", to];
    judge::run(&python, &arguments).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_requires_tls_goes_on_only_where_it_is_kept() {
    let made = certificate(&["mx.b.example", "mx.c.example", "mx.d.example"]);
    let options =
        |offers| Options { tls: Some(made.acceptor.clone()), offers, ..Options::default() };
    let sink = SmtpSink::start(options(vec!["PIPELINING", "8BITMIME", "REQUIRETLS"])).await;
    let without = format!("127.0.0.2:{}", sink.port());
    let without = SmtpSink::start_at(&without, options(vec!["PIPELINING", "8BITMIME"])).await;
    // c does not offer it; nobody proves the way to d
    let zone = zone_of(&["b.example"]) + &zone_of(&["c.example"]).replace("127.0.0.1", "127.0.0.2");
    let dns = DnsServer::start_signed(&zone).await;
    dns.set_unsigned(&zone, &[("d.example.", &zone_of(&["d.example"]))]);
    let mut config = mta_config(&unique("eider_mta"), &dns, sink.port());
    config.mta.trusted_authorities = Some(authority_file(&made));
    let it = Scene::with_config(sink, dns, config).await;
    set_pauses(&it.store, "50").await;
    for to in ["1@b.example", "1@c.example", "1@d.example"] {
        submit_requiring_tls(&it, to).await;
    }
    until("one arrives, two come back", async || {
        it.sink.answered().len() == 1 && it.inbox().await.len() == 2
    })
    .await;
    assert!(without.mails().is_empty());
    assert!(it.sink.answered()[0].is_tls && it.sink.mails()[0].to == ["1@b.example"]);
    let said = it.sink.lines();
    assert!(said.iter().any(|line| line.starts_with("MAIL") && line.ends_with(" REQUIRETLS")));
    let reports = it.inbox().await.concat();
    assert_eq!(reports.matches("Status: 5.7.30\r\n").count(), 2, "{reports}");
    assert!(!reports.contains("secret text"), "the header only: {reports}");
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
