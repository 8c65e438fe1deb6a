//! Outgoing mail over real sockets: servers that behave, refuse, are slow or silent or go away; a
//! DNS of the tests' own says where they are.

mod content;
mod exchange;
mod faults;
mod judges;
mod reports;
mod security;
mod signatures;
mod size;
mod tls_reports;
mod ways;

use eider::config::{Config, Role};
use serde_json::{Value, json};

use crate::support::dns::DnsServer;
use crate::support::smtp_sink::SmtpSink;
use crate::support::store::{TestStore, config, unique};

/// `[mta]` for servers on this port, patient for two seconds.
pub fn mta_config(database: &str, dns: &DnsServer, port: u16) -> Config {
    let mut config = config(database);
    config.hostname = Some("store.example".to_owned());
    config.roles.push(Role::Mta);
    config.dns = dns.settings();
    config.mta.port = port;
    config.mta.timeout_s = 2;
    config.mta.mta_sts = false;
    config.mta.allow_networks = eider::net::network::Network::loopback();
    config
}

/// A zone in which these domains have their mail on this machine.
pub fn zone_of(domains: &[&str]) -> String {
    let lines = domains.iter().map(|domain| {
        format!("{domain}. 60 IN MX 10 mx.{domain}.\nmx.{domain}. 60 IN A 127.0.0.1\n")
    });
    lines.collect()
}

/// A store with a user, a DNS, a server.
pub struct Scene {
    pub store: TestStore,
    pub dns: DnsServer,
    pub sink: SmtpSink,
    pub user: String,
}

impl Scene {
    pub async fn start(sink: SmtpSink, domains: &[&str]) -> Self {
        Self::with_zone(sink, &zone_of(domains)).await
    }

    pub async fn with_zone(sink: SmtpSink, zone: &str) -> Self {
        let dns = DnsServer::start(zone).await;
        let config = mta_config(&unique("eider_mta"), &dns, sink.port());
        Self::with_config(sink, dns, config).await
    }

    pub async fn with_config(sink: SmtpSink, dns: DnsServer, config: Config) -> Self {
        let store = TestStore::start_with(config).await;
        let user = store.create_user("me").await;
        Self { store, dns, sink, user }
    }

    /// Submits a message; its queue id.
    pub async fn submit(&self, to: &[&str], subject: &str, more: Value) -> String {
        let to: Vec<Value> = to.iter().map(|address| json!({ "address": address })).collect();
        let mut body = json!({ "to": to, "subject": subject, "text": "hello" });
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        let path = format!("/users/{}/submit", self.user);
        let (status, answer) = self.store.api().post(&path, &body).await;
        assert_eq!(status, 200, "{answer}");
        answer["message"]["queueId"].as_str().unwrap().to_owned()
    }

    /// What is still queued of all messages.
    pub async fn queued(&self) -> Vec<Value> {
        let (status, answer) = self.store.api().get("/queue?limit=250").await;
        assert_eq!(status, 200, "{answer}");
        answer["results"].as_array().unwrap().clone()
    }

    /// Subjects and texts of the user's INBOX.
    pub async fn inbox(&self) -> Vec<String> {
        let mut imap = self.store.imap("me").await;
        imap.ok("SELECT INBOX").await;
        let mut bodies = Vec::new();
        let found = imap.ok("UID SEARCH ALL").await.lines().concat();
        let words = found.split_ascii_whitespace().map(str::to_owned);
        for uid in words.filter_map(|word| word.parse().ok()).collect::<Vec<u32>>() {
            bodies.push(String::from_utf8_lossy(&imap.body(uid).await).into_owned());
        }
        bodies
    }
}

/// Sets the pauses between tries.
pub async fn set_pauses(store: &TestStore, pauses: &str) {
    let path = "/settings/const:sender:defer_times";
    let (status, answer) = store.api().post(path, &json!({ "value": pauses })).await;
    assert_eq!(status, 200, "{answer}");
}
