//! One document under a key that is unique: changed, or made.

use super::error::is_duplicate;
use crate::model::error::Result;
use bson::Document;
use mongodb::Collection;

/// Applies a change to the document of a filter, making it if there is none; whether there was one.
/// Two that make it at the same time: one of them finds the other's. One round trip, then two.
///
/// # Errors
/// `Unavailable`, `Conflict` for another unique key.
pub(super) async fn upsert(
    collection: &Collection<Document>,
    filter: Document,
    change: Document,
) -> Result<bool> {
    let first = collection.update_one(filter.clone(), change.clone()).upsert(true).await;
    let result = match first {
        Err(error) if is_duplicate(&error) => {
            collection.update_one(filter, change).upsert(true).await?
        }
        result => result?,
    };
    Ok(result.matched_count > 0)
}

#[cfg(test)]
mod tests {
    use super::upsert;
    use crate::storage::testing::storage;
    use bson::doc;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn many_at_once_make_one() {
        let storage = storage("upsert").await;
        let keys = storage.collection("dkim_keys");
        let one = |number: i64| {
            let change = doc! { "$set": { "n": number }, "$setOnInsert": { "_id": number } };
            let keys = keys.clone();
            async move { upsert(&keys, doc! { "domain": "example.com" }, change).await.unwrap() }
        };
        let all = futures_util::future::join_all((0..32).map(one)).await;
        assert_eq!(all.iter().filter(|was_there| !**was_there).count(), 1);
        assert_eq!(keys.count_documents(doc! {}).await.unwrap(), 1);
        storage.drop_database().await.unwrap();
    }
}
