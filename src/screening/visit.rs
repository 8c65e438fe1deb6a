//! One connection of a client, as the checks see it: he connects, greets, names sender and
//! recipients, brings a message.

use super::authenticate::{self, Facts, Spf, Wish};
use super::crowd::Place;
use super::exceptions::{Exceptions, names};
use super::findings::Stage::{Connection, Greeting, Transaction};
use super::findings::{Findings, Stage};
use super::milter::Said;
use super::milters::Milters;
use super::origin::{Reachability, helo_fault, reachability};
use super::rspamd::Envelope;
use super::settings::{Check, Rule, Settings};
use super::takers::Takers;
use super::verdict::{MARKED, Refusal, Verdict};
use super::{Inner, count, failure, filters, greylist, header, lists, rates, report};
use crate::model::address::EmailAddress;
use crate::model::profile::DomainAction;
use crate::model::queue::TraceId;
use crate::model::trace::{Detail, Event, Happening};
use crate::model::user::User;
use crate::net::network::any_contains;
use crate::storage::domain_access;
use bytes::Bytes;
use mail_auth::{IprevOutput, IprevResult, SpfResult};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Longest delay of one reply.
const TARPIT_MAX: Duration = Duration::from_secs(30);

/// A message after the checks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Screened {
    /// Whether it is taken.
    pub verdict: Verdict,
    /// It is acknowledged, and goes nowhere.
    pub is_discarded: bool,
    /// Header fields of ours, for `MailTransaction::lines`.
    pub lines: Vec<u8>,
    /// The message without what it must not say in our name.
    pub content: Bytes,
}

/// One connection of a client.
#[derive(Debug)]
pub struct Visit {
    inner: Arc<Inner>,
    peer: IpAddr,
    is_checked: bool,
    place: Option<Place>,
    helo: String,
    sender: Option<EmailAddress>,
    trace: Option<TraceId>,
    exceptions: Exceptions,
    findings: Findings,
    iprev: Option<IprevOutput>,
    spf: Option<Spf>,
    unknown: u32,
    milters: Milters,
    /// Recipients that were accepted.
    takers: Takers,
}

impl Visit {
    pub(super) fn new(inner: Arc<Inner>, peer: IpAddr, local: Option<SocketAddr>) -> Self {
        let settings = &inner.settings;
        let is_unchecked = local.is_some_and(|local| settings.unchecked_listeners.contains(&local));
        let exceptions = Exceptions::at(settings, local);
        let is_checked = !is_unchecked && !any_contains(&settings.trusted, peer);
        Self {
            inner,
            peer: peer.to_canonical(),
            is_checked,
            place: None,
            helo: String::new(),
            sender: None,
            trace: None,
            exceptions,
            findings: Findings::default(),
            iprev: None,
            spf: None,
            unknown: 0,
            milters: Milters::default(),
            takers: Takers::default(),
        }
    }

    fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// The client has connected: before the greeting is written.
    pub async fn connected(&mut self) -> Verdict {
        if !self.is_checked {
            return Verdict::Pass;
        }
        if any_contains(&self.settings().refused, self.peer) {
            count("network", "refuse");
            let text = format!("{} may not deliver here", self.peer);
            return Refusal { hang_up: true, ..Refusal::new(554, (5, 7, 1), text) }.into();
        }
        let inner = Arc::clone(&self.inner);
        let settings = &inner.settings;
        let (address_max, network_max) =
            (settings.connections_per_address_max, settings.connections_per_network_max);
        self.place = inner.crowd.enter(self.peer, address_max, network_max);
        if self.place.is_none() {
            count("connections", "refuse");
            return Refusal::go_away((4, 7, 0), "too many connections from you").into();
        }
        if let Some(refusal) = rates::harvester(&inner, self.peer).await {
            return refusal.into();
        }
        let reverse = async {
            match self.exceptions.strictest(Check::ReverseName, settings.reverse_name) {
                Rule::Off => None,
                _ => Some(authenticate::iprev(&inner, self.peer).await),
            }
        };
        let lists = match self.exceptions.strictest(Check::Lists, Rule::Refuse) {
            Rule::Off => &[],
            _ => settings.lists.as_slice(),
        };
        let asked = lists::ask(&inner.resolver, lists, self.peer);
        let (iprev, listing) = tokio::join!(reverse, asked);
        if let Some(IprevResult::Fail(_) | IprevResult::PermError(_)) =
            iprev.as_ref().map(IprevOutput::result)
        {
            // RFC 7372 §3.3
            let text = format!("{} has no name that leads back to it", self.peer);
            let refusal = Refusal::new(550, (5, 7, 25), text);
            self.findings.note(Connection, Check::ReverseName, settings.reverse_name, refusal);
        }
        self.iprev = iprev;
        let rule = match listing.weight {
            weight if weight >= settings.lists_refuse_at => Some(Rule::Refuse),
            weight if weight >= settings.lists_mark_at => Some(Rule::Mark),
            _ => None,
        };
        if let Some(rule) = rule {
            let text = format!("{} is listed by {}", self.peer, listing.zones.join(", "));
            let refusal = Refusal::new(554, (5, 7, 1), text);
            self.findings.note(Connection, Check::Lists, rule, refusal);
        }
        let (milters, away) = Milters::open(&settings.milters).await;
        self.milters = milters;
        let host = self.hostname().unwrap_or_else(|| format!("[{}]", self.peer));
        let peer = self.peer;
        let refused = self.milters.hear(Said::Connected { host: &host, peer }).await;
        self.object(Connection, away.or(refused));
        Verdict::Pass
    }

    /// The client's name, if it leads back to him.
    fn hostname(&self) -> Option<String> {
        let iprev = self.iprev.as_ref().filter(|iprev| *iprev.result() == IprevResult::Pass)?;
        let name = iprev.ptr.as_ref()?.first()?;
        Some(name.trim_end_matches('.').to_owned())
    }

    /// The client has greeted. Also after STARTTLS, when he greets again.
    pub async fn greeted(&mut self, helo: &str) -> Verdict {
        helo.clone_into(&mut self.helo);
        self.spf = None;
        self.findings.clear(Greeting);
        self.findings.clear(Transaction);
        let rule = self.settings().helo;
        if self.is_checked
            && self.exceptions.strictest(Check::Helo, rule) != Rule::Off
            && let Some(fault) = helo_fault(helo, self.peer, &self.inner.hostname)
        {
            let refusal =
                Refusal::new(550, (5, 7, 1), format!("bad name in your greeting: {fault}"));
            self.findings.note(Greeting, Check::Helo, rule, refusal);
        }
        let refused = self.milters.hear(Said::Greeted(helo)).await;
        self.object(Greeting, refused);
        Verdict::Pass
    }

    /// MAIL: a transaction begins. `sender` is `None` for the null path.
    pub async fn sender(&mut self, sender: Option<&EmailAddress>, trace: TraceId) -> Verdict {
        self.findings.clear(Transaction);
        self.spf = None;
        self.sender = sender.cloned();
        self.trace = Some(trace);
        self.takers = Takers::default();
        if !self.is_checked {
            return Verdict::Pass;
        }
        if let Some(refusal) = rates::too_many_messages(&self.inner, self.peer).await {
            return refusal.into();
        }
        let inner = Arc::clone(&self.inner);
        let settings = &inner.settings;
        let spf = async {
            match self.exceptions.strictest(Check::Spf, settings.spf) {
                Rule::Off => None,
                _ => Some(authenticate::spf(&inner, self.peer, &self.helo, sender).await),
            }
        };
        let domain = async {
            let rule = self.exceptions.strictest(Check::SenderDomain, settings.sender_domain);
            match (rule, sender) {
                (Rule::Off, _) | (_, None) => Reachability::Reachable,
                (_, Some(sender)) => reachability(&inner.resolver, sender.domain()).await,
            }
        };
        let (spf, domain) = tokio::join!(spf, domain);
        if spf.as_ref().is_some_and(|spf| spf.mail.result() == SpfResult::Fail) {
            // RFC 7372 §3.2
            let text = format!("SPF: {} may not send for this sender", self.peer);
            let refusal = Refusal::new(550, (5, 7, 23), text);
            self.findings.note(Transaction, Check::Spf, settings.spf, refusal);
        }
        self.spf = spf;
        let path = sender.map(ToString::to_string).unwrap_or_default();
        let refused = self.milters.hear(Said::Sender { path: &path, id: &trace.to_string() }).await;
        self.object(Transaction, refused);
        let refusal = match domain {
            Reachability::Reachable => return Verdict::Pass,
            // RFC 7505 §4.2
            Reachability::NullMx => {
                Refusal::new(550, (5, 7, 27), "the sender's domain takes no mail")
            }
            Reachability::Unknown => {
                Refusal::new(550, (5, 1, 8), "the sender's domain does not exist")
            }
        };
        self.findings.note(Transaction, Check::SenderDomain, settings.sender_domain, refusal);
        Verdict::Pass
    }

    /// RCPT with a recipient who exists; `user` is his owner if he is a user.
    pub async fn recipient(&mut self, recipient: &EmailAddress, user: Option<&User>) -> Verdict {
        if !self.is_checked {
            return Verdict::Pass;
        }
        let said = recipient.to_string();
        let refused = self.milters.hear(Said::Recipient(&said)).await;
        let refused = match refused.map(|refusal| (Check::Milters, refusal)) {
            None if !self.is_exempt(recipient, user) => self.judge(recipient, user).await,
            refused => refused,
        };
        match refused {
            Some((check, refusal)) => {
                count(check.name(), "refuse");
                self.tell(check.name(), "refuse", Some(recipient));
                refusal.into()
            }
            None => {
                let is_marked = self.findings.is_marked(&self.exceptions, (recipient, user));
                let dmarc = self.settings().dmarc;
                self.takers.add(&self.exceptions, dmarc, (recipient, user), is_marked);
                Verdict::Pass
            }
        }
    }

    /// RSET, or another end of a transaction without a message.
    pub async fn reset(&mut self) {
        self.findings.clear(Transaction);
        self.takers = Takers::default();
        self.milters.abort().await;
    }

    async fn judge(
        &self,
        recipient: &EmailAddress,
        user: Option<&User>,
    ) -> Option<(Check, Refusal)> {
        let (settings, whom) = (self.settings(), (recipient, user));
        let rule = |check, usual| self.exceptions.rule(check, usual, whom);
        match self.domain_action(user).await {
            Some(DomainAction::Allow) => return None,
            Some(DomainAction::Block)
                if rule(Check::BlockedDomain, settings.blocked_domain) == Rule::Refuse =>
            {
                let refusal = Refusal::new(550, (5, 7, 1), "the recipient blocks this domain");
                return Some((Check::BlockedDomain, refusal));
            }
            Some(DomainAction::Block) | None => {}
        }
        if let Some(refused) = self.findings.refusal(&self.exceptions, whom) {
            return Some(refused);
        }
        let usual = if settings.greylist.enabled { Rule::Refuse } else { Rule::Off };
        if rule(Check::Greylist, usual) == Rule::Off {
            return None;
        }
        let domain = self.sender.as_ref().map_or("", EmailAddress::domain);
        let put_off =
            greylist::check(&self.inner, self.peer, domain, &recipient.lookup_form()).await;
        put_off.map(|refusal| (Check::Greylist, refusal))
    }

    /// What the lists of the user's tags say about the sender's domain. One round trip for a user
    /// with tags.
    async fn domain_action(&self, user: Option<&User>) -> Option<DomainAction> {
        let tags = &user?.rules.tags;
        let domain = self.sender.as_ref()?.domain();
        if tags.is_empty() {
            return None;
        }
        let found = domain_access::find(&self.inner.storage, tags, domain).await;
        let actions = found.unwrap_or_else(|error| {
            tracing::warn!(%error, "lists of domains are left out");
            Vec::new()
        });
        // As delivery does: who is allowed by one list is allowed
        let is_allowed = actions.contains(&DomainAction::Allow);
        if is_allowed { Some(DomainAction::Allow) } else { actions.first().copied() }
    }

    fn is_exempt(&self, recipient: &EmailAddress, user: Option<&User>) -> bool {
        // RFC 5321 §4.5.1
        let is_postmaster = recipient.local().eq_ignore_ascii_case("postmaster");
        is_postmaster || names(&self.settings().exempt, recipient, user)
    }

    /// RCPT with a recipient who does not exist: the reply is delayed, and in the end the client is
    /// sent away.
    pub async fn unknown_recipient(&mut self) -> Verdict {
        if !self.is_checked {
            return Verdict::Pass;
        }
        self.unknown = self.unknown.saturating_add(1);
        let inner = Arc::clone(&self.inner);
        let settings = &inner.settings;
        rates::count_unknown(&inner, self.peer).await;
        if settings.unknown_recipients_max > 0 && self.unknown >= settings.unknown_recipients_max {
            count("harvest", "refuse");
            return Refusal::go_away((4, 7, 0), "too many unknown recipients").into();
        }
        match settings.tarpit_ms.saturating_mul(self.unknown.into()) {
            0 => Verdict::Pass,
            delay_ms => Verdict::Delay(Duration::from_millis(delay_ms).min(TARPIT_MAX)),
        }
    }

    /// The message is there.
    pub async fn message(&mut self, content: Bytes) -> Screened {
        let inner = Arc::clone(&self.inner);
        let mut lines = Vec::new();
        if !self.is_checked {
            return Screened { verdict: Verdict::Pass, is_discarded: false, lines, content };
        }
        let (mut refusal, mut is_marked) = (None, self.takers.is_marked);
        if inner.settings.authenticate {
            let facts = self.facts().await;
            let done = authenticate::message(&inner, facts, content.clone()).await;
            for (check, result) in &done.results {
                count(check, result);
                self.tell(check, result, None);
            }
            lines.extend_from_slice(done.line.as_bytes());
            if let Some(counted) = &done.counted {
                report::note(&inner, counted).await;
            }
            let (rule, obeyed) = self.obey(done.wish, &done.from_domain);
            (is_marked, refusal) = (is_marked || rule == Rule::Mark, obeyed);
            if let Some(failure) = &done.failure {
                failure::note(&inner, failure, rule).await;
            }
        }
        let mut content = header::without_forgeries(&content, &inner.hostname.to_lowercase());
        if refusal.is_none() {
            let scanned = filters::scan(&inner, &self.envelope(), &self.takers, &content).await;
            for (check, result) in &scanned.results {
                self.tell(check, result, None);
            }
            lines.extend(scanned.lines);
            refusal = scanned.refusal;
        }
        if refusal.is_none() && self.takers.want(Check::Milters) {
            let filtered = self.milters.message(content).await;
            lines.extend(filtered.lines);
            (content, refusal) = (filtered.content, filtered.refusal);
            if filtered.is_quarantined {
                count(Check::Milters.name(), "found");
                is_marked = true;
            }
        }
        if is_marked {
            lines.extend_from_slice(format!("X-Eider-Spam: {MARKED}\r\n").as_bytes());
        }
        let verdict = refusal.map_or(Verdict::Pass, Verdict::Refuse);
        Screened { verdict, is_discarded: self.milters.is_discarded, lines, content }
    }

    fn envelope(&self) -> Envelope {
        Envelope {
            peer: self.peer,
            hostname: self.hostname(),
            helo: self.helo.clone(),
            sender: self.sender.as_ref().map(ToString::to_string).unwrap_or_default(),
            recipients: self.takers.addresses.iter().map(ToString::to_string).collect(),
            id: self.trace.map(|trace| trace.to_string()).unwrap_or_default(),
        }
    }

    /// What follows from DMARC (RFC 7489 §6.6.2): what is done, and the refusal if it is one.
    fn obey(&self, wish: Wish, domain: &str) -> (Rule, Option<Refusal>) {
        if wish == Wish::Nothing || !self.takers.want(Check::Dmarc) {
            return (Rule::Off, None);
        }
        if wish == Wish::Reject && self.takers.dmarc == Some(Rule::Refuse) {
            count("dmarc", "refuse");
            let text = format!("DMARC: {domain} does not want this message accepted");
            return (Rule::Refuse, Some(Refusal::new(550, (5, 7, 1), text)));
        }
        count("dmarc", "found");
        (Rule::Mark, None)
    }

    /// What is known of the client; what has not been asked yet is asked at the same time.
    async fn facts(&mut self) -> Facts {
        let inner = Arc::clone(&self.inner);
        let known = (self.iprev.clone(), self.spf.clone());
        let (iprev, spf) = tokio::join!(
            async {
                match known.0 {
                    Some(iprev) => iprev,
                    None => authenticate::iprev(&inner, self.peer).await,
                }
            },
            async {
                match known.1 {
                    Some(spf) => spf,
                    None => {
                        let sender = self.sender.as_ref();
                        authenticate::spf(&inner, self.peer, &self.helo, sender).await
                    }
                }
            },
        );
        self.iprev = Some(iprev.clone());
        self.spf = Some(spf.clone());
        let (helo, sender) = (self.helo.clone(), self.sender.clone());
        Facts { peer: self.peer, helo, sender, iprev, spf }
    }

    /// A milter objects: that is a refusal at RCPT.
    fn object(&mut self, stage: Stage, refusal: Option<Refusal>) {
        if let Some(refusal) = refusal {
            self.findings.note(stage, Check::Milters, Rule::Refuse, refusal);
        }
    }

    /// Tells the trace.
    fn tell(&self, check: &str, result: &str, recipient: Option<&EmailAddress>) {
        let Some(trace) = self.trace else { return };
        let sender = self.sender.as_ref().map(ToString::to_string).unwrap_or_default();
        let event = Event { sender: Some(sender), ..Event::new(trace, Happening::Checked) };
        let event = event.peer(self.peer).with(Detail::Check, check).with(Detail::Result, result);
        self.inner.trace.record(match recipient {
            Some(recipient) => event.recipient(recipient),
            None => event,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_of_a_visit_may_move_between_threads() {
        fn moves<T: Send>(_session: impl FnOnce(Visit) -> T) {}
        moves(|mut visit| async move {
            let id = crate::model::id::ObjectId::from_octets([1; 12]);
            visit.connected().await;
            visit.greeted("h.example").await;
            visit.sender(None, id).await;
            visit.unknown_recipient().await;
            visit.reset().await;
            visit.message(Bytes::new()).await;
        });
        moves(|mut visit| async move {
            let anna = EmailAddress::new("anna@here.example").ok();
            if let Some(anna) = anna {
                visit.recipient(&anna, None).await;
            }
        });
    }
}
