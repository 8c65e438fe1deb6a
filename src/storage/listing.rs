//! Pages of listings, in order of a key that is unique.

use crate::model::error::Result;
use bson::{Bson, Document, doc};
use futures_util::TryStreamExt as _;
use mongodb::Collection;

/// Documents of a filter in order of a key, `after` or `before` a value of it; at most `limit`.
/// Those before come nearest first. One round trip.
///
/// # Errors
/// `Unavailable`.
pub(super) async fn find_around(
    collection: &Collection<Document>,
    filter: Document,
    key: &str,
    after: Option<Bson>,
    before: Option<Bson>,
    limit: i64,
) -> Result<Vec<Document>> {
    let order = if before.is_some() { -1 } else { 1 };
    let mut conditions = vec![filter];
    conditions.extend(after.map(|value| doc! { key: { "$gt": value } }));
    conditions.extend(before.map(|value| doc! { key: { "$lt": value } }));
    let filter = doc! { "$and": conditions };
    let found = collection.find(filter).sort(doc! { key: order }).limit(limit).await?;
    Ok(found.try_collect().await?)
}
