//! What DMARC said of the mail of a day, counted: what aggregate reports are made of.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | text | digest of what follows but the count: equal results are one document |
//! | `day` | int64 | days since 1970, UTC |
//! | `domain` | text | of From |
//! | `policy`, `row` | text | the published policy and the result, as `screening::report` writes them |
//! | `to` | list of text | who wants the report |
//! | `n` | int64 | messages |
//! | `expires` | date | TTL: a report that could not be sent for so long is not sent |
//!
//! Index: `{day, domain}`. 1 KB each, one for each client and result of a day.

use super::Storage;
use super::field::{get_count, get_int};
use crate::model::error::Result;
use bson::{DateTime, Document, doc};
use futures_util::TryStreamExt as _;
use mongodb::Collection;

/// One result, and how often.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Counted {
    /// Day since 1970.
    pub day: i64,
    /// The domain of From.
    pub domain: String,
    /// The published policy.
    pub policy: String,
    /// The result.
    pub row: String,
    /// Who wants the report.
    pub to: Vec<String>,
    /// Messages.
    pub count: u64,
}

fn results(storage: &Storage) -> Collection<Document> {
    storage.collection("dmarc_results")
}

/// Counts a message. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn note(storage: &Storage, result: &Counted, expires_ms: i64) -> Result<()> {
    let Counted { day, domain, policy, row, to, .. } = result;
    let text = format!("{day}\n{domain}\n{policy}\n{row}\n{}", to.join("\n"));
    let id = blake3::hash(text.as_bytes()).to_hex().to_string();
    let update = doc! {
        "$inc": { "n": 1_i64 },
        "$setOnInsert": {
            "day": day,
            "domain": domain,
            "policy": policy,
            "row": row,
            "to": to.as_slice(),
            "expires": DateTime::from_millis(expires_ms),
        },
    };
    results(storage).update_one(doc! { "_id": id }, update).upsert(true).await?;
    Ok(())
}

/// The oldest day before this one that has results, with one of its domains. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn find_before(storage: &Storage, day: i64) -> Result<Option<(i64, String)>> {
    let found = results(storage)
        .find_one(doc! { "day": { "$lt": day } })
        .sort(doc! { "day": 1, "domain": 1 })
        .await?;
    Ok(found.map(|found| {
        (get_int(&found, "day"), found.get_str("domain").unwrap_or_default().to_owned())
    }))
}

/// The results of a domain on a day, at most so many. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn list(storage: &Storage, day: i64, domain: &str, max: i64) -> Result<Vec<Counted>> {
    let found = results(storage).find(doc! { "day": day, "domain": domain }).limit(max).await?;
    let documents: Vec<Document> = found.try_collect().await?;
    let text = |document: &Document, name| document.get_str(name).unwrap_or_default().to_owned();
    let counted = |document: &Document| Counted {
        day,
        domain: domain.to_owned(),
        policy: text(document, "policy"),
        row: text(document, "row"),
        to: document
            .get_array("to")
            .into_iter()
            .flatten()
            .filter_map(|address| address.as_str().map(str::to_owned))
            .collect(),
        count: get_count(document, "n"),
    };
    Ok(documents.iter().map(counted).collect())
}

/// Forgets the results of a domain on a day. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn forget(storage: &Storage, day: i64, domain: &str) -> Result<()> {
    results(storage).delete_many(doc! { "day": day, "domain": domain }).await?;
    Ok(())
}
