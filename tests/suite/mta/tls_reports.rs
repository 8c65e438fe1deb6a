//! Reports about TLS of connections (RFC 8460), by mail and by POST.

use std::collections::BTreeMap;
use std::io::Read as _;

use mongodb::bson::{Document, doc};
use serde_json::{Value, json};

use super::{Scene, mta_config, set_pauses, zone_of};
use crate::support::dns::DnsServer;
use crate::support::smtp_sink::{Mail, Options, SmtpSink, certificate};
use crate::support::store::{TestStore, database_uri, unique};
use crate::support::until;
use crate::support::web::WebServer;

/// A report as its reader unpacks it.
fn unpacked(packed: &[u8]) -> Value {
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The attachment of a report.
fn attached(content: &str) -> Value {
    use base64::Engine as _;
    let part = content.split("application/tlsrpt+gzip").nth(1).unwrap();
    let body = part.split("\r\n\r\n").nth(1).unwrap();
    let encoded: String = body.lines().take_while(|line| !line.starts_with("--")).collect();
    unpacked(&base64::engine::general_purpose::STANDARD.decode(encoded).unwrap())
}

/// Everything that was counted was so yesterday.
async fn a_day_passes(database: &str) {
    let client = mongodb::Client::with_uri_str(database_uri()).await.unwrap();
    let results = client.database(database).collection::<Document>("tls_results");
    results.update_many(doc! {}, doc! { "$inc": { "day": -1_i64 } }).await.unwrap();
}

/// Domains that ask for reports by mail or, one, by POST; one that asks for none.
fn reporting_zone(web: u16) -> String {
    let mut zone = zone_of(&["b.example", "c.example", "d.example", "r.example", "silent.example"])
        + &zone_of(&["e.example"]).replace("127.0.0.1", "127.0.0.2");
    for domain in ["b", "c"] {
        zone.push_str(&format!(
            "_mta-sts.{domain}.example. 60 IN TXT \"v=STSv1; id=1\"\n\
             mta-sts.{domain}.example. 60 IN A 127.0.0.1\n"
        ));
    }
    zone.push_str("web.example. 60 IN A 127.0.0.1\n");
    for domain in ["b", "c", "d", "e"] {
        let place = match domain {
            "d" => format!("https://web.example:{web}/{domain}"),
            _ => "mailto:reports@r.example".to_owned(),
        };
        zone.push_str(&format!(
            "_smtp._tls.{domain}.example. 60 IN TXT \"v=TLSRPTv1; rua={place}\"\n"
        ));
    }
    zone
}

/// The reports in messages, by domain.
fn mailed(mails: Vec<Mail>) -> BTreeMap<String, Value> {
    let mut reports = BTreeMap::new();
    for mail in mails {
        assert_eq!((mail.from.as_str(), mail.to.concat()), ("", "reports@r.example".to_owned()));
        let header = mail.content.split("\r\n\r\n").next().unwrap();
        for line in ["TLS-Required: No", "TLS-Report-Submitter: example.com"] {
            assert!(header.contains(line), "{header}");
        }
        assert!(header.contains("DKIM-Signature:") && header.contains("d=example.com"), "{header}");
        assert!(header.contains("report-type=\"tlsrpt\""), "{header}");
        let report = attached(&mail.content);
        let domain = report["policies"][0]["policy"]["policy-domain"].as_str().unwrap().to_owned();
        assert!(header.contains(&format!("TLS-Report-Domain: {domain}")), "{header}");
        reports.insert(domain, report);
    }
    reports
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn domains_that_ask_are_told_once_a_day_how_their_servers_are_reached() {
    let made =
        certificate(&["mx.b.example", "mta-sts.b.example", "mta-sts.c.example", "web.example"]);
    let options = Options { tls: Some(made.acceptor.clone()), ..Options::default() };
    let sink = SmtpSink::start(options).await;
    // e.example's server has no TLS, r.example takes reports
    let plain = SmtpSink::start_at(&format!("127.0.0.2:{}", sink.port()), Options::default()).await;
    let policy = "version: STSv1\nmode: testing\nmx: mx.b.example\nmax_age: 86400\n";
    let policies = WebServer::start(Some(made.acceptor.clone()), &[], policy).await;
    let web = WebServer::start(Some(made.acceptor.clone()), &[], "").await;
    let dns = DnsServer::start(&reporting_zone(web.port)).await;
    let database = unique("eider_mta");
    let mut config = mta_config(&database, &dns, sink.port());
    config.mta.mta_sts = true;
    config.mta.mta_sts_port = policies.port;
    config.mta.tls_reports_from = "tls@example.com".to_owned();
    let file = std::env::temp_dir().join(unique("eider-authority"));
    std::fs::write(&file, &made.authority).unwrap();
    config.mta.trusted_authorities = Some(file);
    let mta = config.mta.clone();
    let it = Scene::with_config(sink, dns, config).await;
    set_pauses(&it.store, "50").await;
    let key = json!({ "domain": "example.com", "selector": "s" });
    assert_eq!(it.store.api().post("/dkim", &key).await.0, 200);
    let to = ["1@b.example", "1@c.example", "1@d.example", "1@e.example", "1@silent.example"];
    it.submit(&to, "x", json!({})).await;
    until("all arrive", async || it.sink.answered().len() == 4 && plain.answered().len() == 1)
        .await;
    until("the queue is empty", async || it.queued().await.is_empty()).await;
    it.store.stop().await;
    a_day_passes(&database).await;

    // Two nodes; one of them sends
    let mut config = mta_config(&database, &it.dns, it.sink.port());
    config.mta = mta;
    let other = TestStore::start_with(config.clone()).await;
    config.data_dir = config.data_dir.with_extension("second");
    let it = Scene { store: TestStore::start_with(config).await, ..it };
    until("all are told", async || it.sink.answered().len() == 7 && web.requests().len() == 1)
        .await;
    until("the queue is empty", async || it.queued().await.is_empty()).await;
    let mut reports = mailed(it.sink.answered().split_off(4));
    let (head, posted) = web.requests().remove(0);
    assert!(head.starts_with("POST /d ") && head.contains("application/tlsrpt+gzip"), "{head}");
    reports.insert("d.example".to_owned(), unpacked(&posted));
    let of = |domain: &str| {
        let report = &reports[&format!("{domain}.example")];
        assert_eq!(report["organization-name"], "store.example");
        assert_eq!(report["contact-info"], "tls@example.com");
        assert!(report["date-range"]["start-datetime"].as_str().unwrap().ends_with("T00:00:00Z"));
        assert_eq!(report["policies"].as_array().unwrap().len(), 1, "{report}");
        report["policies"][0].clone()
    };
    let (kept, other_host, no_policy, no_tls) = (of("b"), of("c"), of("d"), of("e"));
    let sums = |policy: &Value| {
        let count = |name: &str| policy["summary"][name].as_u64().unwrap();
        (count("total-successful-session-count"), count("total-failure-session-count"))
    };
    assert_eq!((sums(&kept), sums(&other_host)), ((1, 0), (0, 1)));
    assert_eq!((sums(&no_policy), sums(&no_tls)), ((1, 0), (0, 1)));
    let lines: Vec<&str> = policy.lines().collect();
    assert_eq!(kept["policy"]["policy-type"], "sts");
    assert_eq!(kept["policy"]["policy-string"], json!(lines));
    let failure = json!({
        "result-type": "certificate-host-mismatch", "receiving-mx-hostname": "mx.c.example",
        "receiving-ip": "127.0.0.1", "failed-session-count": 1,
    });
    assert_eq!(other_host["failure-details"], json!([failure]));
    assert_eq!(no_policy["policy"]["policy-type"], "no-policy-found");
    assert_eq!(no_tls["failure-details"][0]["result-type"], "starttls-not-supported");
    other.stop().await;
    it.store.stop().await;
}
