//! Asking the DNS: MX, addresses, PTR, TXT, TLSA and CNAME over hickory.
//!
//! An answer says whether DNSSEC proved it; a failure says whether the name does not exist, has no
//! such data, or could not be asked now. Names are absolute: no search domains. Answers are cached
//! for their time to live, at most `cache_entries_max` of them. Knows nothing of mail.

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::dnssec::{Proof, TrustAnchors};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use mail_auth::MessageAuthenticator;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// `[dns]`
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Resolvers to ask, as `127.0.0.1:53`. Default: none, those of `/etc/resolv.conf`.
    pub servers: Vec<SocketAddr>,
    /// Validate answers (RFC 4035); DANE needs it, and resolvers that pass signatures on. Default
    /// false.
    pub dnssec: bool,
    /// File with DNSKEY records of the trust anchors. Default: the root zone's built-in ones.
    pub trust_anchor: Option<PathBuf>,
    /// Milliseconds for one question to one server; 100 to 60000, default 3000. A question is asked
    /// twice at most.
    pub timeout_ms: u64,
    /// Answers kept; 0 to 1000000, default 20000.
    pub cache_entries_max: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            dnssec: false,
            trust_anchor: None,
            timeout_ms: 3000,
            cache_entries_max: 20_000,
        }
    }
}

impl Settings {
    /// Checks the ranges.
    ///
    /// # Errors
    /// The key and what it may be.
    pub fn validate(&self) -> Result<(), String> {
        let checks = [
            ((100..=60_000).contains(&self.timeout_ms), "timeout_ms: 100 to 60000"),
            (self.cache_entries_max <= 1_000_000, "cache_entries_max: 0 to 1000000"),
            (self.dnssec || self.trust_anchor.is_none(), "trust_anchor: only with dnssec = true"),
        ];
        checks.iter().find(|(good, _)| !good).map_or(Ok(()), |(_, wrong)| Err((*wrong).to_owned()))
    }
}

/// Why there are no records.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Failure {
    /// The name does not exist (NXDOMAIN).
    #[error("no such domain")]
    NoDomain,
    /// The name exists and has no record of the type.
    #[error("no such record")]
    NoData,
    /// It could not be found out now: no answer, SERVFAIL, a forged answer.
    #[error("the DNS did not answer: {0}")]
    Temporary(String),
}

impl Failure {
    /// Whether asking later may help.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Temporary(_))
    }
}

/// Records of one type; never empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer<T> {
    /// The records, in the order of the answer.
    pub records: Vec<T>,
    /// DNSSEC proved every record on the way; false without `[dns] dnssec`.
    pub is_secure: bool,
    /// The name is an alias (CNAME) of the one that has the records.
    pub is_alias: bool,
}

/// One MX record (RFC 5321 §5.1); the exchange without its final dot, lowercase, empty for the root.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Mx {
    /// Lower is asked first.
    pub preference: u16,
    /// The host's name.
    pub exchange: String,
}

/// One TLSA record (RFC 6698 §2.1).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tlsa {
    /// 2: a trust anchor, 3: the server's own certificate.
    pub usage: u8,
    /// 0: the whole certificate, 1: its public key.
    pub selector: u8,
    /// 0: as it is, 1: SHA-256, 2: SHA-512.
    pub matching: u8,
    /// What to compare with.
    pub data: Vec<u8>,
}

/// What lookups return.
pub type Found<T> = Result<Answer<T>, Failure>;

/// Asks the DNS; cheap to clone.
#[derive(Clone)]
pub struct Resolver {
    plain: TokioResolver,
    validating: Option<TokioResolver>,
    deadline: Duration,
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Resolver").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

impl Resolver {
    /// A resolver by these settings. Without servers and without a readable `/etc/resolv.conf` every
    /// question fails temporarily.
    ///
    /// # Errors
    /// A trust anchor that cannot be read.
    pub fn new(settings: &Settings) -> std::io::Result<Self> {
        let anchors = match &settings.trust_anchor {
            Some(path) => TrustAnchors::from_file(path).map_err(std::io::Error::other)?,
            None => TrustAnchors::default(),
        };
        let validating = settings.dnssec.then(|| build(settings, Some(anchors))).transpose()?;
        // Twice the question, and once for the way along aliases
        let deadline = Duration::from_millis(settings.timeout_ms.saturating_mul(3));
        Ok(Self { plain: build(settings, None)?, validating, deadline })
    }

    /// What `mail_auth` asks with. SPF, DKIM and DMARC do not wait for proofs (RFC 7208 §11.3).
    pub fn authenticator(&self) -> MessageAuthenticator {
        MessageAuthenticator(self.plain.clone())
    }

    /// The MX records of a domain, best first; equal preferences in the answer's order.
    ///
    /// # Errors
    /// As [`Failure`]. `NoData` is not yet the end: RFC 5321 §5.1 has the implicit MX.
    pub async fn mx(&self, domain: &str) -> Found<Mx> {
        let mut answer = self
            .lookup(domain, RecordType::MX, |data| match data {
                RData::MX(mx) => {
                    Some(Mx { preference: mx.preference, exchange: plain_name(&mx.exchange) })
                }
                _ => None,
            })
            .await?;
        answer.records.sort_by_key(|mx| mx.preference);
        Ok(answer)
    }

    /// The IPv6 and IPv4 addresses of a host, asked at the same time, IPv6 first.
    ///
    /// # Errors
    /// As [`Failure`]: temporary only if neither question brought an address.
    pub async fn addresses(&self, host: &str) -> Found<IpAddr> {
        let (v6, v4) = tokio::join!(self.ipv6(host), self.ipv4(host));
        match (v6, v4) {
            (Ok(mut v6), Ok(v4)) => {
                v6.records.extend(v4.records);
                v6.is_secure &= v4.is_secure;
                v6.is_alias |= v4.is_alias;
                Ok(v6)
            }
            (Ok(found), Err(_)) | (Err(_), Ok(found)) => Ok(found),
            (Err(failure), Err(_)) if failure.is_temporary() => Err(failure),
            (Err(_), Err(failure)) => Err(failure),
        }
    }

    /// The IPv4 addresses of a host.
    ///
    /// # Errors
    /// As [`Failure`].
    pub async fn ipv4(&self, host: &str) -> Found<IpAddr> {
        self.lookup(host, RecordType::A, |data| match data {
            RData::A(a) => Some(IpAddr::V4(a.0)),
            _ => None,
        })
        .await
    }

    /// The IPv6 addresses of a host.
    ///
    /// # Errors
    /// As [`Failure`].
    pub async fn ipv6(&self, host: &str) -> Found<IpAddr> {
        self.lookup(host, RecordType::AAAA, |data| match data {
            RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
            _ => None,
        })
        .await
    }

    /// The names of an address (RFC 1035 §3.5, RFC 3596 §2.5), lowercase, without the final dot.
    ///
    /// # Errors
    /// As [`Failure`].
    pub async fn ptr(&self, address: IpAddr) -> Found<String> {
        let name = Name::from(address).to_ascii();
        self.lookup(&name, RecordType::PTR, |data| match data {
            RData::PTR(name) => Some(plain_name(name)),
            _ => None,
        })
        .await
    }

    /// The TXT records of a name, the strings of each joined.
    ///
    /// # Errors
    /// As [`Failure`].
    pub async fn txt(&self, name: &str) -> Found<Vec<u8>> {
        self.lookup(name, RecordType::TXT, |data| match data {
            RData::TXT(txt) => Some(txt.txt_data.concat()),
            _ => None,
        })
        .await
    }

    /// The TLSA records of a service, as `_25._tcp.mx.example.com`.
    ///
    /// # Errors
    /// As [`Failure`].
    pub async fn tlsa(&self, name: &str) -> Found<Tlsa> {
        self.lookup(name, RecordType::TLSA, |data| match data {
            RData::TLSA(tlsa) => Some(Tlsa {
                usage: tlsa.cert_usage.into(),
                selector: tlsa.selector.into(),
                matching: tlsa.matching.into(),
                data: tlsa.cert_data.clone(),
            }),
            _ => None,
        })
        .await
    }

    /// What a name is an alias of.
    ///
    /// # Errors
    /// As [`Failure`].
    pub async fn cname(&self, name: &str) -> Found<String> {
        self.lookup(name, RecordType::CNAME, |data| match data {
            RData::CNAME(name) => Some(plain_name(&name.0)),
            _ => None,
        })
        .await
    }

    async fn lookup<T>(
        &self,
        name: &str,
        record_type: RecordType,
        read: impl Fn(&RData) -> Option<T>,
    ) -> Found<T> {
        // A name that cannot be asked for does not exist
        let name = absolute_name(name).ok_or(Failure::NoDomain)?;
        let resolver = self.validating.as_ref().unwrap_or(&self.plain);
        let asked = tokio::time::timeout(self.deadline, resolver.lookup(name, record_type)).await;
        let found = match asked {
            Ok(Ok(lookup)) => answer(&lookup, record_type, read),
            Ok(Err(error)) => Err(failure(&error)),
            Err(_) => Err(Failure::Temporary("request timed out".to_owned())),
        };
        let result = match &found {
            Ok(_) => "found",
            Err(Failure::NoDomain | Failure::NoData) => "nothing",
            Err(Failure::Temporary(_)) => "failed",
        };
        metrics::counter!("eider_dns_lookups_total", "result" => result).increment(1);
        found
    }
}

fn build(settings: &Settings, anchors: Option<TrustAnchors>) -> std::io::Result<TokioResolver> {
    let (config, mut options) = if settings.servers.is_empty() {
        read_system_conf().unwrap_or_else(|error| {
            tracing::warn!(%error, "the system names no resolvers; DNS lookups will fail");
            (ResolverConfig::from_name_servers(Vec::new()), ResolverOpts::default())
        })
    } else {
        let servers = settings.servers.iter().map(|address| name_server(*address)).collect();
        (ResolverConfig::from_name_servers(servers), ResolverOpts::default())
    };
    options.timeout = Duration::from_millis(settings.timeout_ms);
    options.attempts = 1;
    options.cache_size = settings.cache_entries_max;
    options.use_hosts_file = ResolveHosts::Always;
    options.try_tcp_on_error = true;
    options.edns0 = true;
    // One day: a long time to live must not outlast every change
    options.positive_max_ttl = Some(Duration::from_secs(86_400));
    options.negative_max_ttl = Some(Duration::from_secs(3600));
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        .with_options(options)
        .with_tls_config(without_tls()?);
    if let Some(anchors) = anchors {
        builder = builder.with_trust_anchor(Arc::new(anchors));
    }
    builder.build().map_err(std::io::Error::other)
}

/// Questions go without TLS; hickory wants a configuration all the same, and else reads the
/// system's certificates.
fn without_tls() -> std::io::Result<rustls::ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(std::io::Error::other)?;
    let roots = rustls::RootCertStore::empty();
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.into())
}

/// The name as the DNS has it: ASCII (RFC 5891 §4.4), with its final dot.
fn absolute_name(name: &str) -> Option<Name> {
    let ascii = if name.is_ascii() { name.to_owned() } else { idna::domain_to_ascii(name).ok()? };
    let mut name = Name::from_ascii(ascii.trim_end_matches('.')).ok()?;
    name.set_fqdn(true);
    Some(name)
}

fn plain_name(name: &Name) -> String {
    name.to_lowercase().to_ascii().trim_end_matches('.').to_owned()
}

fn answer<T>(
    lookup: &Lookup,
    record_type: RecordType,
    read: impl Fn(&RData) -> Option<T>,
) -> Found<T> {
    let answers = lookup.answers();
    if answers.iter().any(|record| record.proof == Proof::Bogus) {
        return Err(Failure::Temporary("DNSSEC validation failed".to_owned()));
    }
    let of_type = |wanted: RecordType| {
        answers.iter().filter(move |record| record.data.record_type() == wanted)
    };
    let records: Vec<T> = of_type(record_type).filter_map(|record| read(&record.data)).collect();
    if records.is_empty() {
        return Err(Failure::NoData);
    }
    let mut aliases = of_type(RecordType::CNAME);
    let is_alias = record_type != RecordType::CNAME && aliases.next().is_some();
    let mut on_the_way = of_type(record_type).chain(of_type(RecordType::CNAME));
    let is_secure = on_the_way.all(|record| record.proof == Proof::Secure);
    Ok(Answer { records, is_secure, is_alias })
}

fn failure(error: &NetError) -> Failure {
    let code = match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => none.response_code,
        NetError::Dns(DnsError::Nsec { response, proof, .. }) if *proof != Proof::Bogus => {
            response.response_code
        }
        error => return Failure::Temporary(error.to_string()),
    };
    match code {
        ResponseCode::NXDomain => Failure::NoDomain,
        ResponseCode::NoError => Failure::NoData,
        code => Failure::Temporary(code.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_absolute_and_ascii() {
        let name = |text: &str| absolute_name(text).map(|name| name.to_ascii());
        assert_eq!(name("example.com").unwrap(), "example.com.");
        assert_eq!(name("example.com.").unwrap(), "example.com.");
        assert_eq!(name("_25._tcp.mx.example.com").unwrap(), "_25._tcp.mx.example.com.");
        assert_eq!(name("bücher.example").unwrap(), "xn--bcher-kva.example.");
        assert_eq!(name(&"a".repeat(64)), None);
        assert_eq!(name(&"a.".repeat(200)), None);
        assert_eq!(name("a..b"), None);
    }

    #[test]
    fn settings_are_checked() {
        assert_eq!(Settings::default().validate(), Ok(()));
        assert!(Settings { timeout_ms: 1, ..Settings::default() }.validate().is_err());
        let anchor = Some("anchor".into());
        assert!(Settings { trust_anchor: anchor, ..Settings::default() }.validate().is_err());
    }

    #[tokio::test]
    async fn nobody_there_is_temporary() {
        let server = "127.0.0.1:9".parse().unwrap();
        let settings = Settings { servers: vec![server], timeout_ms: 100, ..Settings::default() };
        let resolver = Resolver::new(&settings).unwrap();
        assert!(resolver.mx("example.com").await.unwrap_err().is_temporary());
        assert_eq!(resolver.mx(&"x".repeat(70)).await, Err(Failure::NoDomain));
    }
}
