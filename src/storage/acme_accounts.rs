//! The store's accounts at certificate authorities.
//!
//! Collection `settings`, document `{_id: "acme:<directory url>", credentials: text}`: the text is
//! sealed (`super::vault`).

use super::Storage;
use crate::model::error::Result;
use bson::doc;

fn key(url: &str) -> String {
    format!("acme:{url}")
}

/// The account at an authority: one round trip.
///
/// # Errors
/// `Unavailable`; `Internal` when it does not open.
pub async fn find(storage: &Storage, url: &str) -> Result<Option<String>> {
    let found = storage.settings().find_one(doc! { "_id": key(url) }).await?;
    let text = found.as_ref().and_then(|found| found.get_str("credentials").ok());
    text.map(|text| storage.unseal(&key(url), text)).transpose()
}

/// Keeps an account: one round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn put(storage: &Storage, url: &str, credentials: &str) -> Result<()> {
    let set = doc! { "$set": { "credentials": storage.seal(&key(url), credentials)? } };
    storage.settings().update_one(doc! { "_id": key(url) }, set).upsert(true).await?;
    Ok(())
}
