//! The checks on strangers through the relay-in door, over real sockets; two nodes where they share.

use eider::config::Config;
use eider::net::network::Network;
use eider::screening::settings::{ClamavSettings, GreylistSettings, Rule};
use serde_json::{Value, json};

use crate::support::dns::DnsServer;
use crate::support::filters::{clamd, eicar};
use crate::support::lmtp::LmtpClient;
use crate::support::store::{self, TestStore, unique};
use crate::support::until;

const ZONE: &str = r#"
1.2.0.192.in-addr.arpa. 0 IN PTR mail.b.example.
mail.b.example. 0 IN A 192.0.2.1
b.example. 0 IN TXT "v=spf1 ip4:192.0.2.1 -all"
_dmarc.b.example. 0 IN TXT "v=DMARC1; p=quarantine"
"#;

/// A node that asks this DNS, and lets us speak for strangers.
fn config(dns: &DnsServer, database: &str) -> Config {
    let mut config = store::config(database);
    config.hostname = Some("mx.here.example".to_owned());
    config.smtp.xclient_from = Network::loopback();
    config.dns = dns.settings();
    config
}

/// A stranger from this address, after EHLO.
async fn stranger(store: &TestStore, peer: &str) -> LmtpClient {
    let mut client = LmtpClient::open(store.smtp_address()).await;
    client.command("EHLO proxy.example.com").await;
    let greeting = client.command(&format!("XCLIENT ADDR={peer} PORT=1")).await;
    assert!(greeting.starts_with("220"), "{greeting}");
    client.command("EHLO mail.b.example").await;
    client
}

/// MAIL and RCPT to Anna; the reply to RCPT.
async fn rcpt(client: &mut LmtpClient, sender: &str) -> String {
    client.command("RSET").await;
    let mail = client.command(&format!("MAIL FROM:<{sender}>")).await;
    assert!(mail.starts_with("250"), "{mail}");
    client.command("RCPT TO:<anna@example.com>").await
}

/// A whole message to Anna; the reply to its end.
async fn bring(client: &mut LmtpClient, sender: &str, message: &str) -> String {
    let reply = rcpt(client, sender).await;
    assert!(reply.starts_with("250"), "{reply}");
    assert!(client.command("DATA").await.starts_with("354"));
    client.send(message.as_bytes()).await;
    client.command("\r\n.").await
}

/// The only message of a mailbox of Anna.
async fn only_message(store: &TestStore, mailbox: &str) -> String {
    let mut imap = store.imap("anna").await;
    until("a message", async || {
        let status = imap.ok(&format!("STATUS \"{mailbox}\" (MESSAGES)")).await;
        status.find("MESSAGES 1)").is_some()
    })
    .await;
    imap.ok(&format!("SELECT \"{mailbox}\"")).await;
    String::from_utf8(imap.body(1).await).unwrap()
}

async fn post(store: &TestStore, path: &str, body: Value) {
    let (status, answer) = store.api().post(path, &body).await;
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_are_in_front_of_the_message_and_in_its_story() {
    let dns = DnsServer::start(ZONE).await;
    let store = TestStore::start_with(config(&dns, &unique("eider_test"))).await;
    store.create_user("anna").await;
    let mut friend = stranger(&store, "192.0.2.1").await;
    let message = "Authentication-Results: mx.here.example; dmarc=fail\r\nX-Spam-Flag: YES\r\n\
                   From: a@b.example\r\nSubject: hello\r\n\r\nHello.";
    let reply = bring(&mut friend, "a@b.example", message).await;
    assert!(reply.starts_with("250"), "{reply}");
    let arrived = only_message(&store, "INBOX").await.replace("\r\n\t", " ");
    let results = "Authentication-Results: mx.here.example; iprev=pass policy.iprev=192.0.2.1; ";
    assert!(arrived.contains(results), "{arrived}");
    let dmarc = "dmarc=pass header.from=b.example policy.dmarc=quarantine\r\n";
    assert!(arrived.contains(dmarc), "{arrived}");
    assert_eq!(
        arrived.matches("mx.here.example; ").count(),
        1,
        "the forged one is gone: {arrived}"
    );
    assert!(!arrived.contains("X-Spam-Flag"), "{arrived}");

    let mut liar = stranger(&store, "192.0.2.66").await;
    let lie = "From: a@b.example\r\nSubject: money\r\n\r\nSend me some.";
    assert!(bring(&mut liar, "x@c.example", lie).await.starts_with("250"));
    let junk = only_message(&store, "Junk").await;
    assert!(junk.contains("dmarc=fail") && junk.contains("X-Eider-Spam: 50"), "{junk}");

    let mut checks = Vec::new();
    until("five checks in the story", async || {
        let path = "/trace?address=192.0.2.66&event=checked";
        let (_, answer) = store.api().get(path).await;
        let details = answer["results"].as_array().unwrap().iter().map(|event| &event["details"]);
        checks = details
            .map(|details| format!("{}={}", details["check"], details["result"]).replace('"', ""))
            .collect();
        checks.len() == 5
    })
    .await;
    checks.sort();
    assert_eq!(checks, ["arc=none", "dkim=none", "dmarc=fail", "iprev=permerror", "spf=none"]);
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_comes_again_at_the_other_node() {
    let dns = DnsServer::start(ZONE).await;
    let database = unique("eider_test");
    let mut config = config(&dns, &database);
    config.screening.greylist =
        GreylistSettings { enabled: true, wait_s: 1, ..GreylistSettings::default() };
    let one = TestStore::start_with(config.clone()).await;
    config.data_dir = std::env::temp_dir().join(unique("eider-data"));
    let other = TestStore::start_with(config).await;
    one.create_user("anna").await;
    let first = rcpt(&mut stranger(&one, "192.0.2.1").await, "a@b.example").await;
    assert!(first.starts_with("451 4.7.1 greylisted"), "{first}");
    let mut client = stranger(&other, "192.0.2.1").await;
    until("the stranger is known", async || {
        let reply = rcpt(&mut client, "a@b.example").await;
        assert!(reply.starts_with("451 4.7.1") || reply.starts_with("250"), "{reply}");
        reply.starts_with("250")
    })
    .await;
    let known = rcpt(&mut stranger(&one, "192.0.2.1").await, "a@b.example").await;
    assert!(known.starts_with("250"), "{known}");
    one.stop().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_of_domains_act_for_the_users_with_their_tag() {
    let dns = DnsServer::start(ZONE).await;
    let mut config = config(&dns, &unique("eider_test"));
    config.screening.blocked_domain = Rule::Refuse;
    config.screening.spf = Rule::Refuse;
    let store = TestStore::start_with(config).await;
    let anna = store.create_user("anna").await;
    let (status, answer) =
        store.api().put(&format!("/users/{anna}"), &json!({ "tags": ["Careful"] })).await;
    assert_eq!(status, 200, "{answer}");
    let mut client = stranger(&store, "192.0.2.66").await;
    let spf = rcpt(&mut client, "a@b.example").await;
    assert!(spf.starts_with("550 5.7.23"), "{spf}");
    post(&store, "/domainaccess/careful/allow", json!({ "domain": "b.example" })).await;
    let allowed = rcpt(&mut client, "a@b.example").await;
    assert!(allowed.starts_with("250"), "{allowed}");
    assert!(rcpt(&mut client, "a@c.example").await.starts_with("250"));
    post(&store, "/domainaccess/careful/block", json!({ "domain": "c.example" })).await;
    let blocked = rcpt(&mut client, "a@c.example").await;
    assert!(blocked.starts_with("550 5.7.1"), "{blocked}");
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_virus_is_refused_and_a_harvester_is_sent_away() {
    let (dns, scanner) = (DnsServer::start(ZONE).await, clamd().await);
    let mut config = config(&dns, &unique("eider_test"));
    let address = scanner.address.to_string();
    config.screening.clamav = ClamavSettings { address, ..ClamavSettings::default() };
    config.screening.unknown_recipients_max = 3;
    config.screening.tarpit_ms = 1;
    let store = TestStore::start_with(config).await;
    store.create_user("anna").await;
    let mut client = stranger(&store, "192.0.2.1").await;
    let virus = format!("From: a@b.example\r\n\r\n{}", eicar());
    let refused = bring(&mut client, "a@b.example", &virus).await;
    assert!(refused.starts_with("550 5.7.1") && refused.contains("Eider.Test"), "{refused}");
    assert!(rcpt(&mut client, "a@b.example").await.starts_with("250"), "the session goes on");
    for name in ["x", "y"] {
        let unknown = client.command(&format!("RCPT TO:<{name}@example.com>")).await;
        assert!(unknown.starts_with("550 5.1.1"), "{unknown}");
    }
    let gone = client.command("RCPT TO:<z@example.com>").await;
    assert!(gone.starts_with("421 4.7.0"), "{gone}");
    assert_eq!(client.try_reply().await, None, "the connection is closed");
    store.stop().await;
}
