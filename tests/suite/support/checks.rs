//! The checks on mail from strangers without a door: asked as the relay-in door asks them.

use std::net::IpAddr;

use eider::clock::Clock;
use eider::model::address::EmailAddress;
use eider::model::id::ObjectId;
use eider::net::dns::Resolver;
use eider::screening::Screening;
use eider::screening::settings::Settings;
use eider::screening::verdict::{Refusal, Verdict};
use eider::screening::visit::{Screened, Visit};
use eider::storage::Storage;
use eider::trace::Trace;

use super::dns::DnsServer;
use super::store::{database_uri, unique};

/// What our own mail server is called.
pub const HOST: &str = "mx.here.example";

/// Checks of one node, and what they stand on.
pub struct Checks {
    pub screening: Screening,
    pub clock: Clock,
    pub storage: Storage,
}

/// Checks with nothing trusted.
pub async fn checks_on(dns: &DnsServer, settings: Settings, database: &str) -> Checks {
    let storage = Storage::connect(&database_uri(), database).await.unwrap();
    let clock = Clock::default();
    let resolver = Resolver::new(&dns.settings()).unwrap();
    let trace = Trace::silent(storage.clone(), clock.clone());
    let settings = Settings { trusted: Vec::new(), ..settings };
    let screening =
        Screening::new(settings, storage.clone(), resolver, clock.clone(), trace, HOST.to_owned());
    Checks { screening, clock, storage }
}

pub async fn checks(dns: &DnsServer, settings: Settings) -> Checks {
    checks_on(dns, settings, &unique("eider_test")).await
}

pub fn address(text: &str) -> EmailAddress {
    EmailAddress::new(text).unwrap()
}

pub fn refusal(verdict: Verdict) -> Refusal {
    match verdict {
        Verdict::Refuse(refusal) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

/// The recipient of most tests.
pub fn anna() -> EmailAddress {
    address("anna@here.example")
}

impl Checks {
    pub fn visit(&self, peer: &str) -> Visit {
        self.screening.visit(peer.parse::<IpAddr>().unwrap(), None)
    }

    /// Up to and with RCPT; what was said to the recipient.
    pub async fn rcpt(&self, peer: &str, helo: &str, sender: &str) -> Verdict {
        let (verdict, _) = self.to(peer, helo, sender, &anna()).await;
        verdict
    }

    pub async fn to(
        &self,
        peer: &str,
        helo: &str,
        sender: &str,
        to: &EmailAddress,
    ) -> (Verdict, Visit) {
        let mut visit = self.visit(peer);
        assert_eq!(visit.connected().await, Verdict::Pass);
        assert_eq!(visit.greeted(helo).await, Verdict::Pass);
        let sender = (!sender.is_empty()).then(|| address(sender));
        let trace = ObjectId::from_octets([1; 12]);
        assert_eq!(visit.sender(sender.as_ref(), trace).await, Verdict::Pass);
        (visit.recipient(to, None).await, visit)
    }

    /// A whole message.
    pub async fn message(&self, peer: &str, helo: &str, sender: &str, content: &str) -> Screened {
        let (verdict, mut visit) = self.to(peer, helo, sender, &anna()).await;
        assert_eq!(verdict, Verdict::Pass);
        visit.message(content.replace('\n', "\r\n").into()).await
    }
}

/// The field without its folding.
pub fn field(screened: &Screened) -> String {
    let text = String::from_utf8(screened.lines.clone()).unwrap();
    assert!(text.ends_with("\r\n"), "{text:?}");
    text.replace("\r\n\t", " ")
}

pub fn is_marked(screened: &Screened) -> bool {
    String::from_utf8_lossy(&screened.lines).contains("\r\nX-Eider-Spam: 50\r\n")
}
