//! DKIM signatures and ARC seals of what leaves, verified by dkimpy.

use std::path::Path;

use serde_json::{Value, json};

use super::{Scene, mta_config, zone_of};
use crate::support::dns::DnsServer;
use crate::support::judge;
use crate::support::lmtp::LmtpClient;
use crate::support::smtp_sink::{Options, SmtpSink};
use crate::support::store::unique;
use crate::support::until;

/// RFC 8463 Appendix A.2.
const ED25519: &str = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";

/// Stores a key; the name and value of its DNS record.
async fn make_key(it: &Scene, key: Value) -> (String, String) {
    let (status, answer) = it.store.api().post("/dkim", &key).await;
    assert_eq!(status, 200, "{answer}");
    let text = |name: &str| answer["dnsTxt"][name].as_str().unwrap().to_owned();
    (text("name"), text("value"))
}

/// What dkimpy says of a message.
async fn judged(kind: &str, content: &str, records: &[(String, String)]) -> String {
    let python = std::env::var("EIDER_TEST_PYTHON").unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/judges/dkim_verify.py");
    let file = std::env::temp_dir().join(unique("eider-signed"));
    std::fs::write(&file, content).unwrap();
    let mut arguments = vec![script.to_str().unwrap(), kind, file.to_str().unwrap()];
    arguments.extend(records.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]));
    let said = judge::run(&python, &arguments).await;
    std::fs::remove_file(&file).unwrap();
    said.trim().to_owned()
}

/// A TXT record in pieces of 255 octets (RFC 1035 §3.3.14).
fn record((name, value): &(String, String)) -> String {
    let pieces: Vec<String> = value
        .as_bytes()
        .chunks(200)
        .map(|piece| format!("\"{}\"", String::from_utf8_lossy(piece)))
        .collect();
    format!("{name}. 0 IN TXT {}\n", pieces.join(" "))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_keys_of_a_domain_sign_until_they_are_removed() {
    let it = Scene::start(SmtpSink::start(Options::default()).await, &["b.example"]).await;
    let mut records = vec![
        make_key(&it, json!({ "domain": "example.com", "selector": "rsa" })).await,
        make_key(
            &it,
            json!({ "domain": "example.com", "selector": "ed", "privateKey": ED25519, "keep": true }),
        )
        .await,
        make_key(&it, json!({ "domain": "*", "selector": "all" })).await,
    ];
    records[2].0 = "all._domainkey.other.example".to_owned();
    let other = "me@other.example";
    let path = format!("/users/{}/addresses", it.user);
    assert_eq!(it.store.api().post(&path, &json!({ "address": other })).await.0, 200);
    it.submit(&["1@b.example"], "own keys", json!({})).await;
    until("it arrives", async || it.sink.answered().len() == 1).await;
    assert_eq!(judged("dkim", &it.sink.answered()[0].content, &records).await, "2 hold");
    let from = json!({ "from": { "address": other }, "text": "text \r\n.\r\n  x\r\n\r\n\r\n" });
    it.submit(&["2@b.example"], "the key of all", from).await;
    until("it arrives", async || it.sink.answered().len() == 2).await;
    assert_eq!(judged("dkim", &it.sink.answered()[1].content, &records).await, "1 hold");
    // rotation: a new key beside the old one, which goes when the new record has spread
    let next = json!({ "domain": "example.com", "selector": "rsa2", "keep": true });
    records.push(make_key(&it, next).await);
    it.submit(&["3@b.example"], "three keys", json!({})).await;
    until("it arrives", async || it.sink.answered().len() == 3).await;
    assert_eq!(judged("dkim", &it.sink.answered()[2].content, &records).await, "3 hold");
    let (_, listed) = it.store.api().get("/dkim?query=example.com").await;
    let rows = listed["results"].as_array().unwrap();
    let old = rows.iter().find(|row| row["selector"] == "rsa").unwrap();
    let path = format!("/dkim/{}", old["id"].as_str().unwrap());
    assert_eq!(it.store.api().delete(&path).await.0, 200);
    it.submit(&["4@b.example"], "two keys", json!({})).await;
    until("it arrives", async || it.sink.answered().len() == 4).await;
    let last = &it.sink.answered()[3].content;
    assert_eq!(judged("dkim", last, &records).await, "2 hold");
    assert!(last.contains("s=rsa2;") && !last.contains("s=rsa;"), "{last}");
    it.store.stop().await;
}

/// Delivers at the door for strangers, without the mark that would show a loop.
async fn arrive(it: &Scene, to: &str, message: &str) {
    let lines = message.split("\r\n").filter(|line| !line.starts_with("X-Eider-Seen:"));
    let message = lines.collect::<Vec<_>>().join("\r\n");
    let mut client = LmtpClient::open(it.store.smtp_address()).await;
    for line in ["EHLO far.example", "MAIL FROM:<far@far.example>", &format!("RCPT TO:<{to}>")] {
        let reply = client.command(line).await;
        assert!(reply.starts_with("250"), "{line}: {reply}");
    }
    assert!(client.command("DATA").await.starts_with("354"));
    client.send(message.replace("\r\n.", "\r\n..").as_bytes()).await;
    let reply = client.command("\r\n.").await;
    assert!(reply.starts_with("250"), "{reply}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forwarded_mail_is_sealed_and_seals_are_added_to_chains_that_hold() {
    let dns = DnsServer::start(&zone_of(&["far.example"])).await;
    let sink = SmtpSink::start(Options::default()).await;
    let mut config = mta_config(&unique("eider_mta"), &dns, sink.port());
    // loopback is checked as any stranger
    config.screening.trusted = Vec::new();
    let it = Scene::with_config(sink, dns, config).await;
    let mut records = vec![
        make_key(&it, json!({ "domain": "example.com", "selector": "one" })).await,
        make_key(&it, json!({ "domain": "two.example", "selector": "two", "privateKey": ED25519 }))
            .await,
        make_key(&it, json!({ "domain": "two.example", "selector": "rsa", "keep": true })).await,
    ];
    for key in &records {
        it.dns.add(&record(key));
    }
    let api = it.store.api();
    let path = format!("/users/{}", it.user);
    assert_eq!(api.put(&path, &json!({ "targets": ["onward@far.example"] })).await.0, 200);
    // an address without a user
    let forwarded = json!({ "address": "list@two.example", "targets": ["last@far.example"] });
    assert_eq!(api.post("/addresses/forwarded", &forwarded).await.0, 200);
    let message = "From: Far <far@far.example>\r\nTo: me@example.com\r\nSubject: on\r\n\
        Authentication-Results: store.example; spf=pass (forged)\r\n\r\n  text \r\n.\r\nend";
    arrive(&it, "me@example.com", message).await;
    until("it is forwarded", async || it.sink.answered().len() == 1).await;
    let first = it.sink.answered().remove(0).content;
    assert!(first.starts_with("ARC-Seal: i=1; a=rsa-sha256; s=one; d=example.com; cv=none"));
    let results = first.split("ARC-Authentication-Results: i=1;").nth(1).unwrap();
    assert!(results.starts_with("\r\n\tstore.example;\r\n\tiprev="), "{first}");
    assert!(!first.contains("forged"), "{first}");
    assert_eq!(judged("arc", &first, &records).await, "pass 1 success");
    assert!(!first.contains("\nDKIM-Signature:"), "we do not answer for it");
    // the next forwarder adds his set
    arrive(&it, "list@two.example", &first).await;
    until("it is forwarded", async || it.sink.answered().len() == 2).await;
    let second = it.sink.answered().remove(1).content;
    assert!(second.starts_with("ARC-Seal: i=2; a=rsa-sha256; s=rsa; d=two.example; cv=pass"));
    assert!(second.contains("arc=pass"), "{second}");
    assert_eq!(judged("arc", &second, &records).await, "pass 2 success");
    // on a chain that is broken there is no more to build: it says so, and then for ever
    let changed = second.replace("  text ", "  other");
    arrive(&it, "list@two.example", &changed).await;
    until("it is forwarded", async || it.sink.answered().len() == 3).await;
    let third = it.sink.answered().remove(2).content;
    assert!(third.starts_with("ARC-Seal: i=3;") && third.contains("cv=fail"), "{third}");
    arrive(&it, "list@two.example", &third).await;
    until("it is forwarded", async || it.sink.answered().len() == 4).await;
    let fourth = it.sink.answered().remove(3).content;
    assert!(!fourth.starts_with("ARC-Seal"), "{fourth}");
    records.clear();
    it.store.stop().await;
}
