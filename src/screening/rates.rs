//! How much of a kind an address or network may do in an hour, counted by all nodes.
//!
//! What cannot be counted is let through: a database that is away refuses mail by itself.

use super::crowd::network_of;
use super::verdict::Refusal;
use super::{Inner, count};
use crate::model::error::Error;
use crate::storage::rate_limits;
use std::net::IpAddr;

const HOUR_MS: i64 = 3_600_000;

fn unknown_key(peer: IpAddr) -> String {
    format!("smtp:u:{peer}")
}

/// Whether the address has named too many unknown recipients. One round trip, if that is limited.
pub(super) async fn harvester(inner: &Inner, peer: IpAddr) -> Option<Refusal> {
    let max = inner.settings.unknown_per_address_max;
    if max == 0 {
        return None;
    }
    let now = inner.clock.now_ms();
    let found = rate_limits::find(&inner.storage, &unknown_key(peer), now).await;
    let is_one = found.is_ok_and(|found| found.is_some_and(|counted| counted.count >= max));
    is_one.then(|| {
        count("harvest", "refuse");
        Refusal::go_away((4, 7, 0), "too many unknown recipients")
    })
}

/// Counts an unknown recipient. One round trip, if that is limited.
pub(super) async fn count_unknown(inner: &Inner, peer: IpAddr) {
    if inner.settings.unknown_per_address_max == 0 {
        return;
    }
    let (key, now) = (unknown_key(peer), inner.clock.now_ms());
    if let Err(error) = rate_limits::count(&inner.storage, &key, now, HOUR_MS).await {
        tracing::warn!(%error, "an unknown recipient is not counted");
    }
}

/// Counts a message of the address and of its network. A round trip for each that is limited.
pub(super) async fn too_many_messages(inner: &Inner, peer: IpAddr) -> Option<Refusal> {
    let settings = &inner.settings;
    let limits = [
        (format!("smtp:a:{peer}"), settings.messages_per_address_max),
        (format!("smtp:n:{}", network_of(peer)), settings.messages_per_network_max),
    ];
    for (key, max) in limits.into_iter().filter(|(_, max)| *max > 0) {
        let (storage, now) = (&inner.storage, inner.clock.now_ms());
        match rate_limits::count_below(storage, &key, 1, max, now, HOUR_MS).await {
            Ok(()) => {}
            Err(Error::Throttled { retry_after_s }) => {
                count("rate", "refuse");
                let text = format!("too many messages from you, try again in {retry_after_s} s");
                return Some(Refusal::new(451, (4, 7, 1), text));
            }
            Err(error) => tracing::warn!(%error, "a message is not counted"),
        }
    }
    None
}
