//! How many connections of one address and of one network this node has.
//!
//! The table holds an entry for each address and network with a connection, so it is bounded by the
//! listener's connections.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// The connections that are open.
#[derive(Default, Debug)]
pub(super) struct Crowd {
    open: Mutex<HashMap<(Scope, IpAddr), u32>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Scope {
    Address,
    Network,
}

/// One connection that is counted; it is no more when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    crowd: Arc<Crowd>,
    keys: [(Scope, IpAddr); 2],
}

impl Crowd {
    /// Counts a connection; `None` if there are as many already. 0 is no limit.
    pub(super) fn enter(
        self: &Arc<Self>,
        peer: IpAddr,
        address_max: u32,
        network_max: u32,
    ) -> Option<Place> {
        let keys = [(Scope::Address, peer), (Scope::Network, network_of(peer))];
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, max) in keys.iter().zip([address_max, network_max]) {
            if max > 0 && open.get(key).is_some_and(|count| *count >= max) {
                return None;
            }
        }
        for key in keys {
            let count = open.entry(key).or_default();
            *count = count.saturating_add(1);
        }
        drop(open);
        Some(Place { crowd: Arc::clone(self), keys })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.crowd.open.lock().unwrap_or_else(PoisonError::into_inner);
        for key in self.keys {
            if let Some(count) = open.get_mut(&key) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    open.remove(&key);
                }
            }
        }
    }
}

/// The network that stands for its addresses: /24, and /64, which is one customer.
pub(super) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(Ipv4Addr::from(u32::from(address) & 0xffff_ff00)),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_and_given_back() {
        let crowd: Arc<Crowd> = Arc::default();
        let enter = |last| crowd.enter(IpAddr::from([192, 0, 2, last]), 2, 3);
        let first = enter(1).unwrap();
        let _second = enter(1).unwrap();
        assert!(enter(1).is_none());
        let _third = enter(2).unwrap();
        assert!(enter(3).is_none(), "the network is full");
        drop(first);
        let again = enter(1).unwrap();
        assert!(crowd.enter(IpAddr::from([198, 51, 100, 1]), 0, 0).is_some());
        drop((again, _second, _third));
        assert!(crowd.open.lock().unwrap().is_empty());
    }

    #[test]
    fn networks() {
        let of = |text: &str| network_of(text.parse().unwrap()).to_string();
        assert_eq!(of("192.0.2.77"), "192.0.2.0");
        assert_eq!(of("::ffff:192.0.2.77"), "192.0.2.0");
        assert_eq!(of("2001:db8:1:2:3::4"), "2001:db8:1:2::");
    }
}
