//! MTA-STS policies of other domains (RFC 8461), as they were fetched: all nodes share them, and they
//! outlive every node.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | text | the domain |
//! | `id` | text | of the record it was fetched for |
//! | `mode` | text | `enforce`, `testing`, `none` |
//! | `mx` | list of text | patterns of its hosts |
//! | `max_age_s` | int64 | how long it was to be kept |
//! | `expires` | date | TTL: when that is over |
//!
//! 300 octets each. Written by `queue::next_hop`.

use super::Storage;
use super::field::{date, get_count, get_ms, int};
use crate::codec::mta_sts::{Mode, StsPolicy};
use crate::model::error::Result;
use crate::model::message::TimeMs;
use bson::{Bson, Document, doc};
use mongodb::Collection;

/// A policy, for which record it was fetched, and when its time is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SharedPolicy {
    /// Of the record.
    pub id: String,
    /// What it says.
    pub policy: StsPolicy,
    /// When it is nothing any more.
    pub expires_ms: TimeMs,
}

fn policies(storage: &Storage) -> Collection<Document> {
    storage.collection("sts_policies")
}

/// A domain's policy that was fetched last; perhaps its time is over. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn find(storage: &Storage, domain: &str) -> Result<Option<SharedPolicy>> {
    let found = policies(storage).find_one(doc! { "_id": domain }).await?;
    Ok(found.as_ref().and_then(read))
}

fn read(document: &Document) -> Option<SharedPolicy> {
    let patterns = document.get_array("mx").ok()?.iter().filter_map(Bson::as_str);
    Some(SharedPolicy {
        id: document.get_str("id").ok()?.to_owned(),
        policy: StsPolicy {
            mode: Mode::named(document.get_str("mode").ok()?)?,
            patterns: patterns.map(str::to_owned).collect(),
            max_age_s: get_count(document, "max_age_s"),
        },
        expires_ms: get_ms(document, "expires"),
    })
}

/// Keeps a domain's policy in place of an older one. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn put(storage: &Storage, domain: &str, shared: &SharedPolicy) -> Result<()> {
    let SharedPolicy { id, policy, expires_ms } = shared;
    let document = doc! {
        "id": id,
        "mode": policy.mode.name(),
        "mx": policy.patterns.as_slice(),
        "max_age_s": int(policy.max_age_s),
        "expires": date(*expires_ms),
    };
    policies(storage).replace_one(doc! { "_id": domain }, document).upsert(true).await?;
    Ok(())
}
