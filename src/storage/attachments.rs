//! `attachments`: decoded attachments, each once in the whole store.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | binary(32) | BLAKE3 of the decoded octets |
//! | `n` | int64 | holes of contents that refer to it; errs upwards only |
//! | `octets` | int64 | decoded octets |
//! | `run` | ObjectId | its chunks in `attachment_chunks`, not compressed |
//!
//! Index: `{n}` partial `n ≤ 0`. A count is raised before a content refers to the attachment; one
//! that reaches 0 is
//! deleted by a filter on `n ≤ 0`, so that a raise that came first wins, and one that comes later
//! stores it anew.

use crate::model::error::{Error, Result};
use crate::model::id::ContentHash;
use crate::model::limits::CHUNK_OCTETS;
use crate::storage::Storage;
use crate::storage::chunks;
use crate::storage::error::{AWAY, is_duplicate, unreadable};
use crate::storage::field::{get_count, hash as hash_value, int};
use bson::oid::ObjectId;
use bson::{Bson, Document, doc};
use bytes::{Bytes, BytesMut};
use mongodb::options::ReturnDocument;

/// Races of raise, insert and delete that are tried again.
const ATTEMPTS_MAX: usize = 8;

/// Raises the count of an attachment by `by`, storing it if it is new. Known: one round trip and
/// commit. New: two more
/// round trips, and a commit per 8 MB and for the document.
///
/// # Errors
/// `Unavailable`.
pub(super) async fn store(
    storage: &Storage,
    hash: &ContentHash,
    octets: &[u8],
    by: u64,
) -> Result<()> {
    for _ in 0..ATTEMPTS_MAX {
        let raise = doc! { "$inc": { "n": int(by) } };
        let filter = doc! { "_id": hash_value(hash) };
        if storage.attachments().update_one(filter, raise).await?.matched_count > 0 {
            return Ok(());
        }
        let run = ObjectId::new();
        let pieces = octets.chunks(CHUNK_OCTETS).map(<[u8]>::to_vec);
        chunks::insert(&storage.attachment_chunks(), run, pieces).await?;
        let record = doc! {
            "_id": hash_value(hash), "n": int(by), "octets": int(octets.len()), "run": run,
        };
        match storage.attachments().insert_one(record).await {
            Ok(_) => return Ok(()),
            Err(error) if is_duplicate(&error) => {
                chunks::delete(&storage.attachment_chunks(), run).await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Unavailable { reason: AWAY, source: None })
}

/// Lowers the count of an attachment and removes it when nothing refers to it any more. One round
/// trip and commit;
/// three when it was the last.
///
/// # Errors
/// `Unavailable`; the count is too high then.
pub(super) async fn lower(storage: &Storage, hash: &ContentHash, by: u64) -> Result<()> {
    let lowered = storage
        .attachments()
        .find_one_and_update(doc! { "_id": hash_value(hash) }, doc! { "$inc": { "n": -int(by) } })
        .return_document(ReturnDocument::After)
        .await?;
    let Some(record) = lowered else { return Ok(()) };
    if get_count(&record, "n") > 0 {
        return Ok(());
    }
    remove_garbage(storage, hash).await
}

/// Removes some attachments whose count is 0. Says how many; one query, and two round trips for each.
///
/// # Errors
/// `Unavailable`.
pub(super) async fn collect_garbage(storage: &Storage, limit: i64) -> Result<u64> {
    let attachments = storage.attachments();
    let find = attachments.find(doc! { "n": { "$lte": 0 } }).projection(doc! { "_id": 1 });
    let mut cursor = find.limit(limit).await?;
    let mut collected = 0;
    while cursor.advance().await? {
        let record: Document = cursor.deserialize_current()?;
        remove_garbage(storage, &crate::storage::field::get_hash(&record, "_id")?).await?;
        collected += 1;
    }
    Ok(collected)
}

async fn remove_garbage(storage: &Storage, hash: &ContentHash) -> Result<()> {
    let filter = doc! { "_id": hash_value(hash), "n": { "$lte": 0 } };
    if let Some(gone) = storage.attachments().find_one_and_delete(filter).await?
        && let Ok(run) = gone.get_object_id("run")
    {
        chunks::delete(&storage.attachment_chunks(), run).await?;
    }
    Ok(())
}

/// The run of chunks of each attachment. One query.
///
/// # Errors
/// `Unavailable`.
pub(super) async fn runs(
    storage: &Storage,
    hashes: &[ContentHash],
) -> Result<Vec<(ContentHash, ObjectId)>> {
    let keys: Vec<Bson> = hashes.iter().map(hash_value).collect();
    let filter = doc! { "_id": { "$in": keys } };
    let attachments = storage.attachments();
    let mut cursor = attachments.find(filter).projection(doc! { "run": 1 }).await?;
    let mut runs = Vec::new();
    while cursor.advance().await? {
        let record: Document = cursor.deserialize_current()?;
        let run = record.get_object_id("run");
        let run = run.map_err(|_| unreadable("an attachment without chunks"))?;
        runs.push((crate::storage::field::get_hash(&record, "_id")?, run));
    }
    Ok(runs)
}

/// Decoded octets `start..end` of a run; reads the chunks of that range that are not in the cache.
///
/// # Errors
/// `Internal` when a chunk is missing, `Unavailable`.
pub(super) async fn load_range(
    storage: &Storage,
    run: ObjectId,
    start: u64,
    end: u64,
) -> Result<Bytes> {
    if start >= end {
        return Ok(Bytes::new());
    }
    let (first, last, base) = chunks::span(start, end);
    let cached: Option<Vec<Bytes>> = if last - first < 4 {
        (first..=last).map(|index| storage.cache().chunk(run, index)).collect()
    } else {
        None
    };
    let pieces = match cached {
        Some(pieces) => pieces,
        None => {
            let pieces = chunks::load(&storage.attachment_chunks(), run, first, last).await?;
            if let (true, Some(piece)) = (pieces.len() < 4, pieces.last()) {
                // A client that reads by ranges comes back for the rest of the last chunk
                storage.cache().put_chunk(run, last, piece);
            }
            pieces
        }
    };
    super::contents::cut(&join(pieces), start - base, end - base)
}

fn join(mut pieces: Vec<Bytes>) -> Bytes {
    if pieces.len() == 1 {
        return pieces.pop().unwrap_or_default();
    }
    let mut joined = BytesMut::with_capacity(pieces.iter().map(Bytes::len).sum());
    pieces.iter().for_each(|piece| joined.extend_from_slice(piece));
    joined.freeze()
}
