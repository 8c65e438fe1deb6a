//! Results of a day, counted: what reports to other domains are made of. In `dmarc_results` what
//! DMARC said of their mail (RFC 7489), in `tls_results` how well connections to their servers were
//! protected (RFC 8460).
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | text | digest of what follows but the count: equal results are one document |
//! | `day` | int64 | days since 1970, UTC |
//! | `domain` | text | the one that is told |
//! | `policy`, `row` | text | the published policy and the result, as who sends the reports writes them |
//! | `to` | list of text | who wants the report |
//! | `n` | int64 | messages, connections |
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
    /// The domain that is told.
    pub domain: String,
    /// The published policy.
    pub policy: String,
    /// The result.
    pub row: String,
    /// Who wants the report.
    pub to: Vec<String>,
    /// How often.
    pub count: u64,
}

/// Which reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum About {
    /// DMARC.
    Dmarc,
    /// TLS.
    Tls,
}

fn results(storage: &Storage, about: About) -> Collection<Document> {
    storage.collection(match about {
        About::Dmarc => "dmarc_results",
        About::Tls => "tls_results",
    })
}

/// The oldest day that is looked at.
const FIRST_DAY: i64 = 0;

/// Counts one more. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn note(
    storage: &Storage,
    about: About,
    result: &Counted,
    expires_ms: i64,
) -> Result<()> {
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
    results(storage, about).update_one(doc! { "_id": id }, update).upsert(true).await?;
    Ok(())
}

/// The oldest day before this one that has results, with one of its domains; after a day and domain
/// if one is given. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn find_before(
    storage: &Storage,
    about: About,
    day: i64,
    after: Option<&(i64, String)>,
) -> Result<Option<(i64, String)>> {
    let (first, domain) = after.map_or((FIRST_DAY, ""), |(day, domain)| (*day, domain.as_str()));
    let found = results(storage, about)
        .find_one(beyond(day, first, domain))
        .sort(doc! { "day": 1, "domain": 1 })
        .await?;
    Ok(found.map(|found| {
        (get_int(&found, "day"), found.get_str("domain").unwrap_or_default().to_owned())
    }))
}

/// Results before a day, and after a domain of another.
pub(super) fn beyond(day: i64, first: i64, domain: &str) -> Document {
    let same = doc! { "day": first, "domain": { "$gt": domain } };
    let later = doc! { "day": { "$gt": first, "$lt": day } };
    doc! { "day": { "$gte": first, "$lt": day }, "$or": [same, later] }
}

/// The results of a domain on a day, at most so many. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn list(
    storage: &Storage,
    about: About,
    (day, domain): (i64, &str),
    max: i64,
) -> Result<Vec<Counted>> {
    let results = results(storage, about);
    let found = results.find(doc! { "day": day, "domain": domain }).limit(max).await?;
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
pub async fn forget(storage: &Storage, about: About, day: i64, domain: &str) -> Result<()> {
    results(storage, about).delete_many(doc! { "day": day, "domain": domain }).await?;
    Ok(())
}
