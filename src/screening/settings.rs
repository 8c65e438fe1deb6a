//! Settings of the checks, `[screening]`.

use crate::model::address::EmailAddress;
use crate::net::network::Network;
use crate::net::service::is_address;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// What follows from a finding.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// Nothing; where it costs a question, it is not asked.
    #[default]
    Off,
    /// The message counts as spam.
    Mark,
    /// The message is refused.
    Refuse,
}

/// A check whose rule may be another for some mail.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// `reverse_name`
    ReverseName,
    /// `helo`
    Helo,
    /// `sender_domain`
    SenderDomain,
    /// `spf`
    Spf,
    /// `dmarc`
    Dmarc,
    /// `blocked_domain`
    BlockedDomain,
    /// `lists`; their weights say what follows, unless it is `off`.
    Lists,
    /// `greylist`; what is not `off` is on.
    Greylist,
    /// `rspamd`, which answers for itself unless it is `off`.
    Rspamd,
    /// `clamav`, the same.
    Clamav,
    /// `milters`, the same.
    Milters,
}

impl Check {
    /// Its name in metrics and in the trace.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReverseName => "iprev",
            Self::Helo => "helo",
            Self::SenderDomain => "sender_domain",
            Self::Spf => "spf",
            Self::Dmarc => "dmarc",
            Self::BlockedDomain => "blocked_domain",
            Self::Lists => "dnsbl",
            Self::Greylist => "greylist",
            Self::Rspamd => "rspamd",
            Self::Clamav => "clamav",
            Self::Milters => "milter",
        }
    }
}

/// `[[screening.exceptions]]`: other rules for some mail. The first exception that is for a message
/// and has a check says its rule.
#[derive(Clone, Default, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExceptionSettings {
    /// Addresses of ours (`0.0.0.0:25`) that mail comes in by. Default: all.
    pub listeners: Vec<SocketAddr>,
    /// Recipients, as in `exempt`. Default: all.
    pub recipients: Vec<String>,
    /// The rules: `{ spf = "refuse", greylist = "off" }`.
    pub rules: BTreeMap<Check, Rule>,
}

/// `[screening]`
#[derive(Clone, PartialEq, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Networks whose mail is not checked at all. Default: loopback.
    pub trusted: Vec<Network>,
    /// Addresses of ours (`0.0.0.0:25`) where nothing is checked. Default: none.
    pub unchecked_listeners: Vec<SocketAddr>,
    /// Networks that may not deliver. Default: none.
    pub refused: Vec<Network>,
    /// Recipients who get what would be refused or delayed for its origin: `a@example.com`,
    /// `example.com`, `tag:name` (a tag of the user). `postmaster` always does. Default: none.
    pub exempt: Vec<String>,
    /// Other rules for some listeners, domains and addresses. Default: none.
    pub exceptions: Vec<ExceptionSettings>,
    /// Authentication-Results (RFC 8601) are found out and written. Default true.
    pub authenticate: bool,
    /// Milliseconds all questions about one message may take; 100 to 60000, default 8000.
    pub deadline_ms: u64,
    /// The client's address has no name that leads back to it. Default `off`.
    pub reverse_name: Rule,
    /// The client's HELO is no host name, or our own. Default `off`.
    pub helo: Rule,
    /// The sender's domain can receive no mail. Default `off`.
    pub sender_domain: Rule,
    /// SPF says fail (RFC 7208). Default `off`.
    pub spf: Rule,
    /// DMARC fails (RFC 7489): `mark` what the domain wants rejected or quarantined, `refuse` what
    /// it wants rejected. Default `mark`.
    pub dmarc: Rule,
    /// Our address in DMARC's aggregate reports, which are sent once a day to who asks for them.
    /// Default: empty, none are sent.
    pub dmarc_reports_from: String,
    /// Failure reports (RFC 6591) that a domain which asks for them gets in an hour; 0 to 1000,
    /// default 0. They show the header of a message to its supposed sender.
    pub dmarc_failures_per_hour: u64,
    /// The sender's domain is on the `block` list of a tag of the recipient. Default `off`: it is
    /// delivered as spam.
    pub blocked_domain: Rule,
    /// Connections of one address at the same time; 0 to 100000, 0: no limit, default 100.
    pub connections_per_address_max: u32,
    /// The same of one network (/24, /64). Default 400.
    pub connections_per_network_max: u32,
    /// Messages an address may send in an hour, counted by all nodes; 0: no limit, the default.
    pub messages_per_address_max: u64,
    /// The same of one network (/24, /64). Default 0.
    pub messages_per_network_max: u64,
    /// Unknown recipients a connection may name before it is closed; 0 to 1000, 0: no limit,
    /// default 20.
    pub unknown_recipients_max: u32,
    /// Unknown recipients an address may name in an hour, counted by all nodes; 0: no limit, the
    /// default.
    pub unknown_per_address_max: u64,
    /// Milliseconds that the replies to unknown recipients are delayed, more with each; 0 to 30000,
    /// default 0.
    pub tarpit_ms: u64,
    /// DNS lists of addresses (RFC 5782). Default: none.
    pub lists: Vec<ListSettings>,
    /// Weight at which listed clients are refused; 1 to 1000, default 10.
    pub lists_refuse_at: i32,
    /// Weight at which mail of listed clients counts as spam; 1 to 1000, default 5.
    pub lists_mark_at: i32,
    /// Greylisting.
    pub greylist: GreylistSettings,
    /// Rspamd.
    pub rspamd: RspamdSettings,
    /// ClamAV.
    pub clamav: ClamavSettings,
    /// Milters, asked in this order. Default: none.
    pub milters: Vec<MilterSettings>,
}

/// What happens to mail while a filter is away.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Away {
    /// It goes on unfiltered.
    Pass,
    /// It is put off with 451.
    Tempfail,
}

/// `[screening.rspamd]`
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RspamdSettings {
    /// Its address, `http://127.0.0.1:11333`. Default: empty, it is not asked.
    pub url: String,
    /// Milliseconds for an answer; 100 to 300000, default 20000.
    pub timeout_ms: u64,
    /// `pass` or `tempfail`. Default `pass`.
    pub away: Away,
    /// What it rejects is refused; else delivered as spam. Default true.
    pub reject: bool,
}

impl Default for RspamdSettings {
    fn default() -> Self {
        Self { url: String::new(), timeout_ms: 20_000, away: Away::Pass, reject: true }
    }
}

/// `[screening.clamav]`
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClamavSettings {
    /// clamd's address, `127.0.0.1:3310` or a socket's path. Default: empty, it is not asked.
    pub address: String,
    /// Milliseconds for an answer; 100 to 300000, default 60000.
    pub timeout_ms: u64,
    /// `pass` or `tempfail`. Default `tempfail`.
    pub away: Away,
}

impl Default for ClamavSettings {
    fn default() -> Self {
        Self { address: String::new(), timeout_ms: 60_000, away: Away::Tempfail }
    }
}

/// `[[screening.milters]]`
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MilterSettings {
    /// `127.0.0.1:8891`, or a socket's path.
    pub address: String,
    /// Milliseconds for each answer; 100 to 300000, default 30000.
    #[serde(default = "half_a_minute")]
    pub timeout_ms: u64,
    /// `pass` or `tempfail`. Default `tempfail`.
    #[serde(default = "tempfail")]
    pub away: Away,
}

const fn half_a_minute() -> u64 {
    30_000
}

const fn tempfail() -> Away {
    Away::Tempfail
}

/// `[[screening.lists]]`
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ListSettings {
    /// The zone, `zen.spamhaus.org`.
    pub zone: String,
    /// What being listed weighs; negative for lists of good addresses. -1000 to 1000, default 10.
    #[serde(default = "ten")]
    pub weight: i32,
    /// Which replies count, as networks. Default `127.0.0.0/24`, which leaves out a list's error
    /// replies (127.255.255.x).
    #[serde(default = "usual_replies")]
    pub replies: Vec<Network>,
}

const fn ten() -> i32 {
    10
}

fn usual_replies() -> Vec<Network> {
    Network::try_from("127.0.0.0/24".to_owned()).into_iter().collect()
}

/// `[screening.greylist]`: who is unknown is put off until he comes again.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct GreylistSettings {
    /// Whether it is done. Default false.
    pub enabled: bool,
    /// Only whom Rspamd would greylist is put off, when his message is there. Default false.
    pub suspects: bool,
    /// Seconds before which a retry is put off again; 1 to 86400, default 300.
    pub wait_s: u64,
    /// Seconds after which a retry counts as a first attempt; more than `wait_s`, at most 604800,
    /// default 172800.
    pub window_s: u64,
    /// Seconds somebody is known who has come again in time; 3600 to 31536000, default 3110400 (36
    /// days).
    pub lifetime_s: u64,
}

impl Default for GreylistSettings {
    fn default() -> Self {
        Self {
            enabled: false,
            suspects: false,
            wait_s: 300,
            window_s: 172_800,
            lifetime_s: 3_110_400,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            trusted: Network::loopback(),
            unchecked_listeners: Vec::new(),
            refused: Vec::new(),
            exempt: Vec::new(),
            exceptions: Vec::new(),
            authenticate: true,
            deadline_ms: 8000,
            reverse_name: Rule::Off,
            helo: Rule::Off,
            sender_domain: Rule::Off,
            spf: Rule::Off,
            dmarc: Rule::Mark,
            dmarc_reports_from: String::new(),
            dmarc_failures_per_hour: 0,
            blocked_domain: Rule::Off,
            connections_per_address_max: 100,
            connections_per_network_max: 400,
            messages_per_address_max: 0,
            messages_per_network_max: 0,
            unknown_recipients_max: 20,
            unknown_per_address_max: 0,
            tarpit_ms: 0,
            lists: Vec::new(),
            lists_refuse_at: 10,
            lists_mark_at: 5,
            greylist: GreylistSettings::default(),
            rspamd: RspamdSettings::default(),
            clamav: ClamavSettings::default(),
            milters: Vec::new(),
        }
    }
}

/// Zones asked about one client.
const LISTS_MAX: usize = 50;
/// Exceptions looked through for each recipient.
const EXCEPTIONS_MAX: usize = 1000;
/// Milters asked about one client.
const MILTERS_MAX: usize = 10;

impl Settings {
    /// Checks the ranges.
    ///
    /// # Errors
    /// The key and what it may be.
    pub fn validate(&self) -> Result<(), String> {
        let grey = &self.greylist;
        let timeout_is_good = |timeout_ms: u64| (100..=300_000).contains(&timeout_ms);
        let milter_is_good = |milter: &MilterSettings| {
            is_address(&milter.address) && timeout_is_good(milter.timeout_ms)
        };
        let reports_from = &self.dmarc_reports_from;
        let url = &self.rspamd.url;
        let clamd = &self.clamav.address;
        let weights_are_good = self.lists.iter().all(|list| (-1000..=1000).contains(&list.weight));
        let checks = [
            ((100..=60_000).contains(&self.deadline_ms), "deadline_ms: 100 to 60000"),
            (
                self.connections_per_address_max <= 100_000,
                "connections_per_address_max: 0 to 100000",
            ),
            (
                self.connections_per_network_max <= 100_000,
                "connections_per_network_max: 0 to 100000",
            ),
            (self.unknown_recipients_max <= 1000, "unknown_recipients_max: 0 to 1000"),
            (self.dmarc_failures_per_hour <= 1000, "dmarc_failures_per_hour: 0 to 1000"),
            (self.exceptions.len() <= EXCEPTIONS_MAX, "exceptions: at most 1000"),
            (self.tarpit_ms <= 30_000, "tarpit_ms: 0 to 30000"),
            (self.lists.len() <= LISTS_MAX, "lists: at most 50"),
            (weights_are_good, "lists.weight: -1000 to 1000"),
            (
                reports_from.is_empty() || EmailAddress::new(reports_from).is_ok(),
                "dmarc_reports_from: an address",
            ),
            ((1..=1000).contains(&self.lists_refuse_at), "lists_refuse_at: 1 to 1000"),
            ((1..=1000).contains(&self.lists_mark_at), "lists_mark_at: 1 to 1000"),
            ((1..=86_400).contains(&grey.wait_s), "greylist.wait_s: 1 to 86400"),
            (
                grey.window_s > grey.wait_s && grey.window_s <= 604_800,
                "greylist.window_s: more than wait_s, at most 604800",
            ),
            (
                url.is_empty() || url.starts_with("http://") || url.starts_with("https://"),
                "rspamd.url: http://HOST:PORT",
            ),
            (timeout_is_good(self.rspamd.timeout_ms), "rspamd.timeout_ms: 100 to 300000"),
            (clamd.is_empty() || is_address(clamd), "clamav.address: HOST:PORT or /PATH"),
            (timeout_is_good(self.clamav.timeout_ms), "clamav.timeout_ms: 100 to 300000"),
            (self.milters.len() <= MILTERS_MAX, "milters: at most 10"),
            (
                self.milters.iter().all(milter_is_good),
                "milters: address HOST:PORT or /PATH, timeout_ms 100 to 300000",
            ),
            (
                (3600..=31_536_000).contains(&grey.lifetime_s),
                "greylist.lifetime_s: 3600 to 31536000",
            ),
        ];
        checks.iter().find(|(good, _)| !good).map_or(Ok(()), |(_, wrong)| Err((*wrong).to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_lists_need_a_zone_only() {
        assert_eq!(Settings::default().validate(), Ok(()));
        let text = r#"{"lists": [{"zone": "zen.example"}], "dmarc": "refuse"}"#;
        let settings: Settings = serde_json::from_str(text).unwrap();
        assert_eq!((settings.lists[0].weight, settings.dmarc), (10, Rule::Refuse));
        assert_eq!(settings.lists[0].replies.len(), 1);
        let grey = GreylistSettings { window_s: 5, ..GreylistSettings::default() };
        assert!(Settings { greylist: grey, ..Settings::default() }.validate().is_err());
    }
}
