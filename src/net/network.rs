//! Networks as the configuration names them.

use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Whether one of the networks holds the address.
pub fn any_contains(networks: &[Network], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(address))
}

/// A network as `address/bits`, or one address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// This machine: 127.0.0.0/8 and ::1.
    pub fn loopback() -> Vec<Self> {
        vec![
            Self { address: IpAddr::from([127, 0, 0, 0]), bits: 8 },
            Self { address: IpAddr::V6(std::net::Ipv6Addr::LOCALHOST), bits: 128 },
        ]
    }

    /// All addresses: 0.0.0.0/0 and ::/0.
    pub fn everywhere() -> Vec<Self> {
        vec![
            Self { address: IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), bits: 0 },
            Self { address: IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED), bits: 0 },
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
    fn networks_hold_their_addresses() {
        let network = |text: &str| Network::try_from(text.to_owned()).unwrap();
        let has = |net: &str, ip: &str| network(net).contains(ip.parse().unwrap());
        assert!(has("10.0.0.0/8", "10.255.1.2") && !has("10.0.0.0/8", "11.0.0.0"));
        assert!(has("10.0.0.1", "::ffff:10.0.0.1") && !has("10.0.0.1", "10.0.0.2"));
        assert!(has("0.0.0.0/0", "1.2.3.4") && !has("0.0.0.0/0", "::1"));
        assert!(has("2001:db8::/32", "2001:db8:1::") && has("::/0", "::1"));
        assert!(Network::try_from("10.0.0.0/33".to_owned()).is_err());
        assert!(Network::try_from("localhost".to_owned()).is_err());
    }
}
