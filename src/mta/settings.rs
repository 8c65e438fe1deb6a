//! Settings of the mail agent: how it connects, and to whom instead of the recipient's own servers.

use crate::model::address::EmailAddress;
use crate::net::network::Network;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::path::PathBuf;

/// What a connection must have.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsLevel {
    /// TLS where the server offers it, whoever it is.
    #[default]
    Opportunistic,
    /// TLS, whoever the server is.
    Required,
    /// TLS with a server whose certificate is for its name and from an authority.
    Verified,
}

/// `[[mta.routes]]`: mail that goes to another server than the recipient's own.
#[derive(Clone, Default, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Route {
    /// Domains of senders it is for. Default: all.
    pub senders: Vec<String>,
    /// Domains of recipients it is for. Default: all.
    pub recipients: Vec<String>,
    /// The server: `host`, `host:port` or `[address]:port`; port 25, or 465 with `tls_at_once`.
    pub host: String,
    /// What the connection must have. Default `opportunistic`.
    pub tls: TlsLevel,
    /// TLS from the first octet (RFC 8314). Default false.
    pub tls_at_once: bool,
    /// User name of AUTH, which is only said over TLS. Default: no AUTH.
    pub username: Option<String>,
    /// File with its password.
    pub password_file: Option<PathBuf>,
}

/// `[[mta.pools]]`: addresses that some mail leaves from. All that is given must hold.
#[derive(Clone, Default, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pool {
    /// Its name, 1 to 64 characters.
    pub name: String,
    /// Domains of senders it is for. Default: all.
    pub senders: Vec<String>,
    /// Domains of recipients it is for. Default: all.
    pub recipients: Vec<String>,
    /// Tags of users it is for, one is enough. Default: all.
    pub tags: Vec<String>,
    /// It is for messages that name it in the field `X-Sending-Zone`. Default false.
    pub by_header: bool,
    /// Addresses of this machine; one of the right family at random.
    pub addresses: Vec<IpAddr>,
    /// Our name in EHLO. Default: `hostname`.
    pub hostname: Option<String>,
}

/// `[mta]`
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Port of other domains' servers; default 25.
    pub port: u16,
    /// Connections at the same time; 1 to 10000, default 100.
    pub connections_max: usize,
    /// Connections to one domain at the same time; 1 to 1000, default 10. Fewer while it answers
    /// 421 or not at all.
    pub connections_per_domain_max: usize,
    /// Seconds a server has for each answer; 1 to 600, default 300 (RFC 5321 §4.5.3.2). For a
    /// connection a tenth, after the message twice as many.
    pub timeout_s: u64,
    /// Other addresses for some mail; the first that fits is taken.
    pub pools: Vec<Pool>,
    /// Addresses of this machine to connect from; one of the right family at random. Default: as
    /// the system chooses.
    pub source_addresses: Vec<IpAddr>,
    /// Networks that may be connected to. Default: all.
    pub allow_networks: Vec<Network>,
    /// PEM file with authorities that are trusted beside the system's. Default: none.
    pub trusted_authorities: Option<PathBuf>,
    /// Ask for TLSA records and obey them (DANE, RFC 7672); needs `dns.dnssec`. Default true.
    pub dane: bool,
    /// Ask for MTA-STS policies and obey them (RFC 8461). Default true.
    pub mta_sts: bool,
    /// Port of the policies' web servers; default 443.
    pub mta_sts_port: u16,
    /// Our address in reports about TLS of connections (RFC 8460), which are sent once a day to who
    /// asks for them. Default: empty, none are sent.
    pub tls_reports_from: String,
    /// Other ways for some mail; the first that fits is taken.
    pub routes: Vec<Route>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            port: 25,
            connections_max: 100,
            connections_per_domain_max: 10,
            timeout_s: 300,
            pools: Vec::new(),
            source_addresses: Vec::new(),
            allow_networks: Network::everywhere(),
            trusted_authorities: None,
            dane: true,
            mta_sts: true,
            mta_sts_port: 443,
            tls_reports_from: String::new(),
            routes: Vec::new(),
        }
    }
}

impl Settings {
    /// Checks the ranges.
    ///
    /// # Errors
    /// The key and what it may be.
    pub fn validate(&self) -> Result<(), String> {
        let per_domain = self.connections_per_domain_max;
        let checks = [
            (self.port > 0, "port: 1 to 65535"),
            ((1..=10_000).contains(&self.connections_max), "connections_max: 1 to 10000"),
            ((1..=1000).contains(&per_domain), "connections_per_domain_max: 1 to 1000"),
            ((1..=600).contains(&self.timeout_s), "timeout_s: 1 to 600"),
            (self.mta_sts_port > 0, "mta_sts_port: 1 to 65535"),
        ];
        if let Some((_, wrong)) = checks.iter().find(|(good, _)| !good) {
            return Err((*wrong).to_owned());
        }
        let from = &self.tls_reports_from;
        if !from.is_empty() && EmailAddress::new(from).is_err() {
            return Err(format!("tls_reports_from: {from:?} is no address"));
        }
        for pool in &self.pools {
            if !(1..=64).contains(&pool.name.chars().count()) || pool.addresses.is_empty() {
                return Err("pools: a name of 1 to 64 characters, and addresses".to_owned());
            }
        }
        for route in &self.routes {
            if host_and_port(&route.host, 25).is_none() {
                return Err(format!("routes: {:?} is not HOST or HOST:PORT", route.host));
            }
            if route.username.is_some() != route.password_file.is_some() {
                return Err("routes: username and password_file go together".to_owned());
            }
        }
        Ok(())
    }
}

impl Route {
    /// Whether mail of this sender to this recipient goes there.
    pub fn is_for(&self, sender: &str, recipient: &str) -> bool {
        is_in(&self.senders, sender) && is_in(&self.recipients, recipient)
    }
}

/// Whether the domain of an address is listed; an empty list has all.
pub fn is_in(domains: &[String], address: &str) -> bool {
    let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
    domains.is_empty() || domains.iter().any(|listed| listed.eq_ignore_ascii_case(domain))
}

/// `host`, `host:port`, `[address]` or `[address]:port`.
pub fn host_and_port(text: &str, port: u16) -> Option<(String, u16)> {
    let (host, rest) = match text.strip_prefix('[') {
        Some(inner) => inner.split_once(']')?,
        None => match text.split_once(':') {
            Some((host, _)) => (host, text.strip_prefix(host)?),
            None => (text, ""),
        },
    };
    let port = match rest.strip_prefix(':') {
        Some(port) => port.parse().ok().filter(|port| *port > 0)?,
        None if rest.is_empty() => port,
        None => return None,
    };
    let host = host.strip_prefix("IPv6:").unwrap_or(host);
    let is_good = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c == '/');
    is_good.then(|| (host.to_lowercase(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_have_ports_or_not() {
        let read = |text| host_and_port(text, 25);
        assert_eq!(read("Mx.example"), Some(("mx.example".to_owned(), 25)));
        assert_eq!(read("mx.example:2525"), Some(("mx.example".to_owned(), 2525)));
        assert_eq!(read("[::1]:26"), Some(("::1".to_owned(), 26)));
        assert_eq!(read("[127.0.0.1]"), Some(("127.0.0.1".to_owned(), 25)));
        for bad in ["", ":25", "a:b", "a:0", "a:70000", "[::1", "[::1]x", "a b"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn routes_are_for_domains_of_both_ends() {
        let route = Route { senders: vec!["A.example".to_owned()], ..Route::default() };
        assert!(route.is_for("x@a.example", "y@b.example"));
        assert!(!route.is_for("", "y@b.example") && !route.is_for("x@c.example", "y@b.example"));
        let both = Route { recipients: vec!["b.example".to_owned()], ..route };
        assert!(both.is_for("x@a.example", "y@B.example"));
        assert!(!both.is_for("x@a.example", "y@a.example"));
    }

    #[test]
    fn defaults_are_valid() {
        assert_eq!(Settings::default().validate(), Ok(()));
        let route = Route { host: "a:b".to_owned(), ..Route::default() };
        assert!(Settings { routes: vec![route], ..Settings::default() }.validate().is_err());
    }
}
