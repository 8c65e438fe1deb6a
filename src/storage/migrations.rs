//! The schema version, and the steps from older ones.
//!
//! `settings` document `{_id: "schema", version}`. Steps are numbered, idempotent and run in order;
//! two nodes that
//! start at once may both run a step, which is harmless.

use crate::model::error::{Error, Result};
use crate::storage::Storage;
use crate::storage::field::get_int;
use bson::{Document, doc};

/// The schema this program writes.
pub const VERSION: i64 = 2;

/// Brings the database to [`VERSION`]; one read when it is there already.
///
/// # Errors
/// `Internal` when the database was written by a newer program.
pub(super) async fn run(storage: &Storage) -> Result<()> {
    let settings = storage.settings();
    let stored = settings.find_one(doc! { "_id": "schema" }).await?;
    let version = stored.as_ref().map_or(0, |document| get_int(document, "version"));
    if version > VERSION {
        return Err(Error::Internal {
            reason: "the database was written by a newer version of this program",
            source: None,
        });
    }
    if version < VERSION {
        keys_of_a_domain(storage).await?;
        let update = doc! { "$max": { "version": VERSION } };
        settings.update_one(doc! { "_id": "schema" }, update).upsert(true).await?;
    }
    Ok(())
}

/// 2: a domain may have several signing keys.
async fn keys_of_a_domain(storage: &Storage) -> Result<()> {
    let keys = storage.collection::<Document>("dkim_keys");
    let names = keys.list_index_names().await?;
    if names.iter().any(|name| name == "domain_1") {
        // Another node may be faster
        if let Err(error) = keys.drop_index("domain_1").await {
            let names = keys.list_index_names().await?;
            if names.iter().any(|name| name == "domain_1") {
                return Err(error.into());
            }
        }
    }
    Ok(())
}
