//! `content_chunks` and `attachment_chunks`: octets too long for their owner's document.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | binary(16) | the run's ObjectId, then the index as 32-bit big-endian |
//! | `d` | binary | at most [`CHUNK_OCTETS`] octets, compressed as the owner says |
//!
//! A run of chunks has an ObjectId of its own instead of the owner's hash, so that removing an old
//! run cannot touch the
//! run of an owner that was stored again meanwhile.

use crate::model::error::Result;
use crate::model::limits::CHUNK_OCTETS;
use crate::storage::error::unreadable;
use crate::storage::field::{binary, get_binary};
use bson::oid::ObjectId;
use bson::{Bson, Document, doc};
use bytes::Bytes;
use mongodb::Collection;

/// Octets written by one insert.
const BATCH_OCTETS: usize = 8 * 1024 * 1024;

fn key(run: ObjectId, index: u32) -> Bson {
    let mut octets = run.bytes().to_vec();
    octets.extend_from_slice(&index.to_be_bytes());
    binary(octets)
}

/// Writes a run. One commit per 8 MB.
///
/// # Errors
/// `Unavailable`; part of the run may be there then.
pub(super) async fn insert(
    collection: &Collection<Document>,
    run: ObjectId,
    chunks: impl Iterator<Item = Vec<u8>>,
) -> Result<()> {
    let (mut batch, mut octets) = (Vec::new(), 0);
    for (index, chunk) in (0u32..).zip(chunks) {
        octets += chunk.len();
        batch.push(doc! { "_id": key(run, index), "d": binary(chunk) });
        if octets >= BATCH_OCTETS {
            collection.insert_many(std::mem::take(&mut batch)).await?;
            octets = 0;
        }
    }
    if !batch.is_empty() {
        collection.insert_many(batch).await?;
    }
    Ok(())
}

/// Reads chunks `first..=last` of a run, in order. One query.
///
/// # Errors
/// `Internal` when one is missing, `Unavailable`.
pub(super) async fn load(
    collection: &Collection<Document>,
    run: ObjectId,
    first: u32,
    last: u32,
) -> Result<Vec<Bytes>> {
    let filter = doc! { "_id": { "$gte": key(run, first), "$lte": key(run, last) } };
    let mut cursor = collection.find(filter).sort(doc! { "_id": 1 }).await?;
    let mut chunks = Vec::new();
    while cursor.advance().await? {
        let record: Document = cursor.deserialize_current()?;
        chunks.push(Bytes::copy_from_slice(get_binary(&record, "d")?));
    }
    if u32::try_from(chunks.len()).ok() != Some(last - first + 1) {
        return Err(unreadable("a chunk of a stored content is missing"));
    }
    Ok(chunks)
}

/// Removes a run.
///
/// # Errors
/// `Unavailable`.
pub(super) async fn delete(collection: &Collection<Document>, run: ObjectId) -> Result<()> {
    let filter = doc! { "_id": { "$gte": key(run, 0), "$lte": key(run, u32::MAX) } };
    collection.delete_many(filter).await?;
    Ok(())
}

/// The chunks a range of raw octets lies in, and the offset of the first.
pub(super) fn span(start: u64, end: u64) -> (u32, u32, u64) {
    let size = CHUNK_OCTETS as u64;
    let first = start / size;
    let last = end.saturating_sub(1).max(start) / size;
    let narrow = |index: u64| u32::try_from(index).unwrap_or(u32::MAX);
    (narrow(first), narrow(last), first * size)
}
