//! Settings of the IMAP door.

use crate::model::limits::MESSAGE_OCTETS_MAX;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// The section `imap` of the configuration.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Addresses that speak plaintext with STARTTLS. Default `["127.0.0.1:1143"]`.
    pub listen: Vec<String>,
    /// Addresses that start with TLS. Default `["127.0.0.1:1993"]`.
    pub listen_tls: Vec<String>,
    /// Connections of all users at once, 1 and up. Default 100,000.
    pub connections_max: usize,
    /// Connections of one user at once on this node, 1 and up. Default 50.
    pub connections_per_user_max: usize,
    /// Octets of a message that APPEND accepts, 1024 to 67,108,864 (64 MiB), the default.
    pub message_octets_max: u64,
    /// Networks whose clients may send a password without TLS. Default loopback.
    pub plaintext_auth_from: Vec<Network>,
    /// Seconds a client has to log in, 1 and up. Default 60.
    pub login_timeout_s: u64,
    /// Seconds a logged-in client may be silent; RFC 9051 §5.4 asks for 1800 at least. Default
    /// 1800.
    pub idle_timeout_s: u64,
    /// Seconds between two `* OK Still here` to a client in IDLE, so that address translators do not
    /// forget the connection; 0: none. Default 120.
    pub idle_heartbeat_s: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: vec!["127.0.0.1:1143".into()],
            listen_tls: vec!["127.0.0.1:1993".into()],
            connections_max: 100_000,
            connections_per_user_max: 50,
            message_octets_max: MESSAGE_OCTETS_MAX,
            plaintext_auth_from: Network::loopback(),
            login_timeout_s: 60,
            idle_timeout_s: 1800,
            idle_heartbeat_s: 120,
        }
    }
}

impl Settings {
    /// Checks the ranges.
    ///
    /// # Errors
    /// The key and what it may be.
    pub fn validate(&self) -> Result<(), &'static str> {
        let checks = [
            (self.connections_max > 0, "connections_max: 1 and up"),
            (self.connections_per_user_max > 0, "connections_per_user_max: 1 and up"),
            (
                (1024..=MESSAGE_OCTETS_MAX).contains(&self.message_octets_max),
                "message_octets_max: 1024 to 67108864",
            ),
            (self.login_timeout_s > 0, "login_timeout_s: 1 and up"),
            // RFC 9051 §5.4 asks for half an hour; less is the operator's choice
            (self.idle_timeout_s > 0, "idle_timeout_s: 1 and up"),
        ];
        checks.iter().find(|(good, _)| !good).map_or(Ok(()), |(_, wrong)| Err(*wrong))
    }

    /// Whether a client at this address may send a password without TLS.
    pub fn allows_plaintext(&self, peer: IpAddr) -> bool {
        self.plaintext_auth_from.iter().any(|network| network.contains(peer))
    }
}

/// A network as `address/bits`, or one address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    fn loopback() -> Vec<Self> {
        vec![
            Self { address: IpAddr::from([127, 0, 0, 0]), bits: 8 },
            Self { address: IpAddr::V6(std::net::Ipv6Addr::LOCALHOST), bits: 128 },
        ]
    }

    /// Whether the address lies in the network. IPv4 addresses written as IPv6 count as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let prefix = |octets: u128, width: u32| {
            octets.checked_shr(width.saturating_sub(u32::from(self.bits))).unwrap_or(0)
        };
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                prefix(u32::from(own).into(), 32) == prefix(u32::from(other).into(), 32)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                prefix(own.into(), 128) == prefix(other.into(), 128)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl TryFrom<String> for Network {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text.as_str(), None),
        };
        let address: IpAddr =
            address.parse().map_err(|_| format!("{text} is not a network like 10.0.0.0/8"))?;
        let widest = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(widest), |bits| bits.parse().map_err(|_| ()));
        match bits {
            Ok(bits) if bits <= widest => Ok(Self { address, bits }),
            _ => Err(format!("{text}: a network has 0 to {widest} bits")),
        }
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        format!("{}/{}", network.address, network.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_nothing_may_be_zero() {
        assert_eq!(Settings::default().validate(), Ok(()));
        let closed = Settings { connections_max: 0, ..Settings::default() };
        assert!(closed.validate().unwrap_err().starts_with("connections_max"));
        let large = Settings { message_octets_max: u64::MAX, ..Settings::default() };
        assert!(large.validate().is_err());
    }

    #[test]
    fn networks_hold_their_addresses() {
        let network = |text: &str| Network::try_from(text.to_owned()).unwrap();
        let has = |net: &str, ip: &str| network(net).contains(ip.parse().unwrap());
        assert!(has("10.0.0.0/8", "10.255.1.2") && !has("10.0.0.0/8", "11.0.0.0"));
        assert!(has("10.0.0.1", "::ffff:10.0.0.1") && !has("10.0.0.1", "10.0.0.2"));
        assert!(has("0.0.0.0/0", "1.2.3.4") && !has("0.0.0.0/0", "::1"));
        assert!(has("2001:db8::/32", "2001:db8:1::") && has("::/0", "::1"));
        assert!(Network::try_from("10.0.0.0/33".to_owned()).is_err());
        assert!(Network::try_from("localhost".to_owned()).is_err());
        assert!(Settings::default().allows_plaintext("127.0.0.9".parse().unwrap()));
    }
}
