//! DNS lists of addresses (RFC 5782): what being listed weighs, all lists asked at once.

use super::settings::ListSettings;
use crate::net::dns::Resolver;
use crate::net::network::any_contains;
use std::fmt::Write as _;
use std::net::IpAddr;

/// What the lists say about a client.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Listing {
    /// The sum of the weights.
    pub(super) weight: i32,
    /// Zones with a positive weight that have it.
    pub(super) zones: Vec<String>,
}

/// Asks all lists. A list that does not answer says nothing.
pub(super) async fn ask(resolver: &Resolver, lists: &[ListSettings], peer: IpAddr) -> Listing {
    let name = reversed(peer);
    let asked = lists.iter().map(|list| {
        let name = format!("{name}.{}", list.zone);
        async move {
            let found = resolver.ipv4(&name).await;
            let is_listed = found.is_ok_and(|answer| {
                answer.records.iter().any(|reply| any_contains(&list.replies, *reply))
            });
            is_listed.then_some(list)
        }
    });
    let mut listing = Listing::default();
    for list in futures_util::future::join_all(asked).await.into_iter().flatten() {
        listing.weight = listing.weight.saturating_add(list.weight);
        if list.weight > 0 {
            listing.zones.push(list.zone.clone());
        }
    }
    listing
}

/// The address as a name below a list: octets, or nibbles, backwards (RFC 5782 §2.1, §2.4).
fn reversed(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}")
        }
        IpAddr::V6(address) => {
            let mut name = String::with_capacity(63);
            for octet in address.octets().iter().rev() {
                let dot = if name.is_empty() { "" } else { "." };
                // Writing to a string does not fail
                let _written = write!(name, "{dot}{:x}.{:x}", octet & 15, octet >> 4);
            }
            name
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_below_lists() {
        assert_eq!(reversed("192.0.2.99".parse().unwrap()), "99.2.0.192");
        assert_eq!(reversed("::ffff:192.0.2.99".parse().unwrap()), "99.2.0.192");
        // RFC 5782 §2.4's example
        let v6 = "2001:db8:1:2:3:4:567:89ab".parse().unwrap();
        let expected = "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2";
        assert_eq!(reversed(v6), expected);
    }
}
