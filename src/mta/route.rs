//! Which servers a message goes to: routes of the settings, targets of forwards, or the mail
//! exchangers of the recipient's domain (RFC 5321 §5).

use super::Context;
use super::problem::Problem;
use super::settings::{Settings, TlsLevel, host_and_port};
use crate::model::queue::Entry;
use crate::model::target::TargetKind;
use crate::net::dns::{Failure, Mx};
use rand::seq::SliceRandom as _;
use std::net::IpAddr;
use std::path::PathBuf;

/// Mail exchangers that are tried of one domain, and addresses of each.
const HOSTS_MAX: usize = 10;
const ADDRESSES_MAX: usize = 6;

/// Where a message goes next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Hop {
    /// To the mail exchangers of this domain.
    Domain(String),
    /// To this server.
    Server(Server),
    /// Posted to this URL.
    Url(String),
}

/// A server that somebody named.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Server {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// What the connection must have.
    pub tls: TlsLevel,
    /// TLS from the first octet.
    pub is_tls_at_once: bool,
    /// User name and password of AUTH.
    pub login: Option<(String, Password)>,
}

/// A password, or where it is.
#[derive(Clone, PartialEq, Eq)]
pub enum Password {
    /// Itself.
    Text(String),
    /// In this file.
    File(PathBuf),
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// One host that may take the message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Host {
    /// Its name, or its address.
    pub name: String,
    /// DNSSEC proved that the domain names this host.
    pub is_secure: bool,
}

/// Where an entry goes.
pub fn hop(settings: &Settings, entry: &Entry) -> Result<Hop, Problem> {
    match entry.target.kind {
        TargetKind::Http => return Ok(Hop::Url(entry.target.value.clone())),
        TargetKind::Relay => return relay(&entry.target.value),
        TargetKind::Mail => {}
    }
    let fits = |route: &&super::settings::Route| route.is_for(&entry.sender, &entry.recipient);
    let Some(route) = settings.routes.iter().find(fits) else {
        return Ok(Hop::Domain(entry.domain.clone()));
    };
    let usual = if route.tls_at_once { 465 } else { 25 };
    let bad = || Problem::permanent((5, 3, 5), "the route's host cannot be read");
    let (host, port) = host_and_port(&route.host, usual).ok_or_else(bad)?;
    let login = route.username.clone().zip(route.password_file.clone().map(Password::File));
    let (tls, is_tls_at_once) = (route.tls, route.tls_at_once);
    Ok(Hop::Server(Server { host, port, tls, is_tls_at_once, login }))
}

/// `smtp[s]://[user[:password]@]host[:port]`
fn relay(url: &str) -> Result<Hop, Problem> {
    let bad = || Problem::permanent((5, 3, 5), "the relay's URL cannot be read");
    let parsed = reqwest::Url::parse(url).map_err(|_| bad())?;
    let is_tls_at_once = parsed.scheme() == "smtps";
    let host = parsed.host_str().ok_or_else(bad)?.trim_matches(['[', ']']).to_lowercase();
    let login = (!parsed.username().is_empty()).then(|| {
        let password = decoded(parsed.password().unwrap_or_default());
        (decoded(parsed.username()), Password::Text(password))
    });
    Ok(Hop::Server(Server {
        host,
        port: parsed.port().unwrap_or(if is_tls_at_once { 465 } else { 25 }),
        tls: TlsLevel::Opportunistic,
        is_tls_at_once,
        login,
    }))
}

/// `%xx` (RFC 3986 §2.1)
fn decoded(text: &str) -> String {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    loop {
        rest = match rest {
            [] => return String::from_utf8_lossy(&octets).into_owned(),
            [b'%', a, b, after @ ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => {
                let digit = |octet: u8| char::from(octet).to_digit(16).unwrap_or(0);
                octets.push(u8::try_from(digit(*a) * 16 + digit(*b)).unwrap_or(0));
                after
            }
            [octet, after @ ..] => {
                octets.push(*octet);
                after
            }
        };
    }
}

/// The mail exchangers of a domain, those to be tried first first.
pub async fn exchangers(ctx: &Context, domain: &str) -> Result<Vec<Host>, Problem> {
    // RFC 5321 §4.1.3: an address literal is its own exchanger
    if domain.starts_with('[') {
        let bad = || Problem::permanent((5, 1, 2), "that is no address");
        let (name, _) = host_and_port(domain, 25).ok_or_else(bad)?;
        return match name.trim_start_matches("ipv6:").parse::<IpAddr>() {
            Ok(address) => Ok(vec![Host { name: address.to_string(), is_secure: false }]),
            Err(_) => Err(bad()),
        };
    }
    let (records, is_secure) = match ctx.resolver.mx(domain).await {
        Ok(answer) => (answer.records, answer.is_secure),
        // RFC 5321 §5.1: a domain without MX is its own exchanger
        Err(Failure::NoData) => {
            return Ok(vec![Host { name: domain.to_owned(), is_secure: false }]);
        }
        Err(Failure::NoDomain) => {
            return Err(Problem::permanent((5, 1, 2), "the recipient's domain does not exist"));
        }
        Err(failure) => return Err(Problem::temporary((4, 4, 3), failure.to_string())),
    };
    let names = sorted(records, &ctx.hostname)?;
    Ok(names.into_iter().map(|name| Host { name, is_secure }).collect())
}

/// RFC 5321 §5.1, RFC 7505.
fn sorted(mut records: Vec<Mx>, own: &str) -> Result<Vec<String>, Problem> {
    records.retain(|mx| !mx.exchange.is_empty());
    if records.is_empty() {
        // RFC 7505 §3
        return Err(Problem::permanent((5, 1, 10), "the recipient's domain takes no mail"));
    }
    let is_own = |mx: &&Mx| mx.exchange.eq_ignore_ascii_case(own);
    // Those that are not better than we are would give it back to us
    if let Some(limit) = records.iter().filter(is_own).map(|mx| mx.preference).min() {
        records.retain(|mx| mx.preference < limit);
        if records.is_empty() {
            return Err(Problem::permanent(
                (5, 4, 6),
                "the recipient's domain has its mail sent here, and we do not know it",
            ));
        }
    }
    records.shuffle(&mut rand::rng());
    records.sort_by_key(|mx| mx.preference);
    records.truncate(HOSTS_MAX);
    Ok(records.into_iter().map(|mx| mx.exchange).collect())
}

/// The addresses of a host, IPv6 first, and whether DNSSEC proved them.
pub async fn addresses(ctx: &Context, host: &str) -> Result<(Vec<IpAddr>, bool), Problem> {
    let (found, is_secure) = match host.parse::<IpAddr>() {
        Ok(address) => (vec![address], false),
        Err(_) => match ctx.resolver.addresses(host).await {
            // RFC 5321 §5.1: an exchanger's name is no alias
            Ok(answer) if answer.is_alias => {
                return Err(Problem::permanent((5, 4, 4), "the mail exchanger is an alias"));
            }
            Ok(answer) => (answer.records, answer.is_secure),
            Err(failure) if failure.is_temporary() => {
                return Err(Problem::temporary((4, 4, 3), failure.to_string()));
            }
            Err(_) => {
                return Err(Problem::permanent((5, 4, 4), "the mail exchanger has no address"));
            }
        },
    };
    let allowed = found.into_iter().filter(|address| ctx.may_connect_to(*address));
    let found: Vec<IpAddr> = allowed.take(ADDRESSES_MAX).collect();
    if found.is_empty() {
        return Err(Problem::temporary((4, 4, 4), "we may not connect to its network"));
    }
    Ok((found, is_secure))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mx(preference: u16, exchange: &str) -> Mx {
        Mx { preference, exchange: exchange.to_owned() }
    }

    #[test]
    fn exchangers_are_in_order_and_equals_are_shuffled() {
        let records = vec![mx(20, "c"), mx(10, "a"), mx(10, "b")];
        let mut firsts = std::collections::HashSet::new();
        for _ in 0..200 {
            let hosts = sorted(records.clone(), "me").unwrap();
            assert_eq!(hosts[2], "c");
            firsts.insert(hosts[0].clone());
        }
        assert_eq!(firsts.len(), 2, "both equals come first at times");
        assert_eq!(sorted(vec![mx(0, "")], "me").unwrap_err().status.detail, 10, "null MX");
    }

    #[test]
    fn we_are_not_sent_back_to() {
        let records = vec![mx(10, "a"), mx(20, "ME"), mx(20, "b"), mx(30, "c")];
        assert_eq!(sorted(records, "me").unwrap(), ["a"]);
        let only_us = sorted(vec![mx(10, "me"), mx(20, "b")], "me").unwrap_err();
        assert_eq!((only_us.status.subject, only_us.status.detail), (4, 6));
    }

    #[test]
    fn relays_are_read_from_urls() {
        let Ok(Hop::Server(server)) = relay("smtps://u%40x:p%3Aw@Mx.example") else { panic!() };
        assert_eq!((server.host.as_str(), server.port), ("mx.example", 465));
        assert!(server.is_tls_at_once);
        let login = ("u@x".to_owned(), Password::Text("p:w".to_owned()));
        assert_eq!(server.login, Some(login));
        let Ok(Hop::Server(plain)) = relay("smtp://[::1]:2525") else { panic!() };
        assert_eq!((plain.host.as_str(), plain.port, plain.login), ("::1", 2525, None));
    }
}
