//! Who the client says he is: HELO, and the domain of the sender.

use crate::net::dns::{Failure, Resolver};
use std::net::IpAddr;

/// What is wrong with a HELO name, in words; `None`: nothing. Whether the name exists is not asked:
/// RFC 5321 §4.1.4 forbids refusing for that.
pub(super) fn helo_fault(helo: &str, peer: IpAddr, hostname: &str) -> Option<&'static str> {
    // RFC 5321 §4.1.3: `[192.0.2.1]`, `[IPv6:2001:db8::1]`
    if let Some(literal) = helo.strip_prefix('[') {
        let address = literal.strip_suffix(']').unwrap_or_default();
        let v6 = address.get(..5).filter(|tag| tag.eq_ignore_ascii_case("ipv6:"));
        let address: Option<IpAddr> = match v6 {
            Some(_) => address.get(5..).and_then(|address| address.parse().ok()),
            None => address.parse().ok(),
        };
        return match address {
            Some(address) if address.to_canonical() == peer.to_canonical() => None,
            Some(_) => Some("the address is not yours"),
            None => Some("that is no address"),
        };
    }
    let name = helo.trim_end_matches('.');
    if name.eq_ignore_ascii_case(hostname) {
        return Some("that is my name");
    }
    if name.parse::<IpAddr>().is_ok() {
        return Some("an address is written in brackets");
    }
    let ascii = idna::domain_to_ascii(name).unwrap_or_default();
    let is_label = |label: &str| {
        let is_good = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
        (1..=63).contains(&label.len()) && label.bytes().all(is_good)
    };
    let is_name = ascii.contains('.') && ascii.len() <= 253 && ascii.split('.').all(is_label);
    (!is_name).then_some("that is no fully qualified name")
}

/// Whether a domain is able to receive the answers to what it sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reachability {
    /// It has a mail server, or that cannot be told now.
    Reachable,
    /// It says it receives no mail (RFC 7505).
    NullMx,
    /// It does not exist, or has neither MX nor address.
    Unknown,
}

/// Asks for MX, then for addresses (RFC 5321 §5.1).
pub(super) async fn reachability(resolver: &Resolver, domain: &str) -> Reachability {
    match resolver.mx(domain).await {
        // RFC 7505 §3: a single record, to the root
        Ok(mx) if mx.records.iter().all(|mx| mx.exchange.is_empty()) => Reachability::NullMx,
        Ok(_) | Err(Failure::Temporary(_)) => Reachability::Reachable,
        Err(Failure::NoDomain) => Reachability::Unknown,
        Err(Failure::NoData) => match resolver.addresses(domain).await {
            Err(Failure::NoDomain | Failure::NoData) => Reachability::Unknown,
            Ok(_) | Err(Failure::Temporary(_)) => Reachability::Reachable,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn helo_names() {
        let fault = |helo| helo_fault(helo, "192.0.2.1".parse().unwrap(), "mx.example.com");
        for good in ["a.example", "A.Example.", "[192.0.2.1]", "bücher.example", "a_b.example"] {
            assert_eq!(fault(good), None, "{good}");
        }
        for bad in [
            "",
            "localhost",
            "192.0.2.1",
            "[192.0.2.2]",
            "[IPv6:::1]",
            "[x]",
            "[",
            "MX.example.COM",
            "a..example",
            "a b.example",
        ] {
            assert!(fault(bad).is_some(), "{bad}");
        }
        let v6 = helo_fault("[IPv6:2001:db8::1]", "2001:db8::1".parse().unwrap(), "mx");
        assert_eq!(v6, None);
    }
}
