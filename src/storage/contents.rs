//! `contents`: the immutable octets of messages, each distinct content once.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | binary(32) | BLAKE3 of the content |
//! | `n` | int64 | messages that refer to it; errs upwards only |
//! | `octets` | int64 | octets of the content |
//! | `skeleton` | binary | zstd of the content without its holes, if that is at most [`CHUNK_OCTETS`] |
//! | `run` | ObjectId | else its chunks in `content_chunks`, each its own zstd frame of [`CHUNK_OCTETS`] |
//! | `raw` | int64 | octets of the skeleton before compression |
//! | `holes` | array | `{s, e, h, d, l, f}`: start, encoded octets, hash, decoded octets, line characters, final CRLF |
//!
//! Index: `{n}` partial `n ≤ 0`. Counts are raised before a message refers to the content and
//! lowered after it is
//! gone. A content whose count reaches 0 is deleted by a filter on `n ≤ 0`: a raise that came
//! before wins, one that
//! comes after finds nothing and stores it anew. Each hole holds one count of its attachment as
//! long as the content
//! exists.

use crate::codec::mime::skeleton;
use crate::model::error::{Error, Result};
use crate::model::id::ContentHash;
use crate::model::limits::CHUNK_OCTETS;
use crate::model::structure::{Hole, Part};
use crate::storage::compression::{compress, decompress};
use crate::storage::error::{AWAY, is_duplicate, unreadable};
use crate::storage::field::{binary, get_binary, get_count, get_hash, hash as hash_value, int};
use crate::storage::{Storage, attachments, chunks};
use bson::oid::ObjectId;
use bson::{Bson, Document, doc};
use bytes::Bytes;
use mongodb::ClientSession;
use std::collections::BTreeMap;
use std::sync::Arc;

pub use super::content_range::load_range;

/// Races of raise, insert and delete that are tried again.
const ATTEMPTS_MAX: usize = 8;

/// A content ready to be stored: its attachments are stored and counted, its document is not.
#[derive(Clone, Debug)]
pub struct NewContent {
    hash: ContentHash,
    record: Document,
    attachments: BTreeMap<ContentHash, u64>,
}

/// A content cut and compressed, before anything is stored.
#[derive(Debug)]
pub struct Encoded {
    octets: u64,
    holes: Vec<Hole>,
    raw: u64,
    /// Compressed pieces of the skeleton.
    pieces: Vec<Vec<u8>>,
    /// Decoded octets of each hole.
    decoded: Vec<Vec<u8>>,
}

impl Encoded {
    /// Whether more than one document is written for it.
    pub fn has_parts(&self) -> bool {
        !self.holes.is_empty() || self.pieces.len() > 1
    }
}

/// A content's document as read, its inline skeleton decompressed.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) octets: u64,
    pub(super) raw: u64,
    pub(super) skeleton: Option<Bytes>,
    pub(super) run: Option<ObjectId>,
    pub(super) holes: Vec<Hole>,
}

impl Content {
    /// Octets it takes in the cache.
    pub(super) fn cost(&self) -> usize {
        let inline = self.skeleton.as_ref().map_or(0, Bytes::len);
        inline + self.holes.len() * size_of::<Hole>() + 256
    }
}

/// Cuts and compresses a content. CPU-bound.
///
/// # Errors
/// `Internal` when compression fails.
pub fn encode(content: &[u8], root: &Part) -> Result<Encoded> {
    let (skeleton, decoded) = skeleton::split(content, root);
    let mut pieces = Vec::new();
    for piece in skeleton.octets.chunks(CHUNK_OCTETS) {
        pieces.push(compress(piece)?);
    }
    let (octets, raw) = (content.len() as u64, skeleton.octets.len() as u64);
    Ok(Encoded { octets, holes: skeleton.holes, raw, pieces, decoded })
}

/// Stores what a content needs outside its own document: attachments (raised or stored) and chunks
/// of a long skeleton.
/// Nothing for a message without large parts; else as `attachments::store`, one after the other.
///
/// # Errors
/// `Unavailable`; counts may be too high then.
pub async fn store_parts(
    storage: &Storage,
    hash: ContentHash,
    encoded: Encoded,
) -> Result<NewContent> {
    let mut record = doc! {
        "_id": hash_value(&hash), "n": 0i64, "octets": int(encoded.octets), "raw": int(encoded.raw),
    };
    let mut counts = BTreeMap::new();
    let mut bodies: BTreeMap<ContentHash, &[u8]> = BTreeMap::new();
    for (hole, decoded) in encoded.holes.iter().zip(&encoded.decoded) {
        *counts.entry(hole.hash).or_insert(0u64) += 1;
        bodies.insert(hole.hash, decoded);
    }
    for (attachment, octets) in bodies {
        let by = counts.get(&attachment).copied().unwrap_or(1);
        attachments::store(storage, &attachment, octets, by).await?;
    }
    if encoded.pieces.len() > 1 {
        let run = ObjectId::new();
        chunks::insert(&storage.content_chunks(), run, encoded.pieces.into_iter()).await?;
        record.insert("run", run);
    } else {
        let piece = encoded.pieces.into_iter().next().unwrap_or_default();
        record.insert("skeleton", binary(piece));
    }
    if !encoded.holes.is_empty() {
        record.insert("holes", encoded.holes.iter().map(hole_record).collect::<Vec<Bson>>());
    }
    Ok(NewContent { hash, record, attachments: counts })
}

impl NewContent {
    /// Its hash.
    pub fn hash(&self) -> ContentHash {
        self.hash
    }

    fn counted(&self, by: u64) -> Document {
        let mut record = self.record.clone();
        record.insert("n", int(by));
        record
    }

    /// Gives back what [`store_parts`] stored and raised, when the document was not inserted after
    /// all.
    ///
    /// # Errors
    /// `Unavailable`; counts are too high then.
    pub async fn discard(&self, storage: &Storage) -> Result<()> {
        release_parts(storage, &self.record, &self.attachments).await
    }
}

/// Raises the count of a content. `false`: there is no such content. One round trip; one commit
/// when it is there.
///
/// # Errors
/// `Unavailable`.
pub async fn raise(storage: &Storage, hash: &ContentHash, by: u64) -> Result<bool> {
    let update = doc! { "$inc": { "n": int(by) } };
    let filter = doc! { "_id": hash_value(hash) };
    Ok(storage.contents().update_one(filter, update).await?.matched_count > 0)
}

/// Raises the counts of contents. `false`: one of them does not exist (its last message was just
/// expunged), and the others' counts are too high from now on. One round trip and commit for each distinct count.
///
/// # Errors
/// `Unavailable`; counts may be too high then.
pub async fn raise_many(storage: &Storage, counts: &BTreeMap<ContentHash, u64>) -> Result<bool> {
    let mut missing = false;
    for (by, hashes) in by_count(counts) {
        let filter = doc! { "_id": { "$in": hashes.iter().map(hash_value).collect::<Vec<_>>() } };
        let update = doc! { "$inc": { "n": int(by) } };
        let matched = storage.contents().update_many(filter, update).await?.matched_count;
        missing |= matched < hashes.len() as u64;
    }
    // Those that were there stay raised: the missing one may have been stored anew by now, and
    // lowering it would lose it
    Ok(!missing)
}

fn by_count(counts: &BTreeMap<ContentHash, u64>) -> BTreeMap<u64, Vec<ContentHash>> {
    let mut groups: BTreeMap<u64, Vec<ContentHash>> = BTreeMap::new();
    for (hash, by) in counts {
        groups.entry(*by).or_default().push(*hash);
    }
    groups
}

/// Inserts documents of new contents in the transaction of the mailbox that has the only messages
/// of them, each with
/// its count. A duplicate key is a `Conflict` that ends the transaction: use [`store`] then. One
/// round trip.
///
/// # Errors
/// `Conflict`, `Unavailable`.
pub async fn insert_many(
    storage: &Storage,
    session: &mut ClientSession,
    contents: &[(NewContent, u64)],
) -> Result<()> {
    if contents.is_empty() {
        return Ok(());
    }
    let records = contents.iter().map(|(content, by)| content.counted(*by));
    storage.contents().insert_many(records).session(session).await?;
    Ok(())
}

/// Stores a content with a count of `by`, or raises the count of the one that is there. Two round
/// trips, one commit.
///
/// # Errors
/// `Unavailable`; counts may be too high then.
pub async fn store(storage: &Storage, content: &NewContent, by: u64) -> Result<()> {
    for _ in 0..ATTEMPTS_MAX {
        match storage.contents().insert_one(content.counted(by)).await {
            Ok(_) => return Ok(()),
            Err(error) if is_duplicate(&error) => {}
            Err(error) => return Err(error.into()),
        }
        if raise(storage, &content.hash, by).await? {
            return content.discard(storage).await;
        }
    }
    Err(Error::Unavailable { reason: AWAY, source: None })
}

/// Lowers the counts of contents and removes those that no message refers to any more. One round
/// trip and commit for
/// each distinct count, one query; for each removed content two more and those of its attachments.
///
/// # Errors
/// `Unavailable`; counts are too high then.
pub async fn lower_many(storage: &Storage, counts: &BTreeMap<ContentHash, u64>) -> Result<()> {
    if counts.is_empty() {
        return Ok(());
    }
    for (by, hashes) in by_count(counts) {
        let filter = doc! { "_id": { "$in": hashes.iter().map(hash_value).collect::<Vec<_>>() } };
        storage.contents().update_many(filter, doc! { "$inc": { "n": -int(by) } }).await?;
    }
    let keys: Vec<Bson> = counts.keys().map(hash_value).collect();
    let contents = storage.contents();
    let filter = doc! { "_id": { "$in": keys }, "n": { "$lte": 0 } };
    let mut cursor = contents.find(filter).projection(doc! { "_id": 1 }).await?;
    let mut garbage = Vec::new();
    while cursor.advance().await? {
        garbage.push(get_hash(&cursor.deserialize_current()?, "_id")?);
    }
    for hash in garbage {
        remove_garbage(storage, &hash).await?;
    }
    Ok(())
}

/// Deletes a content that nothing refers to, then what it referred to.
async fn remove_garbage(storage: &Storage, hash: &ContentHash) -> Result<()> {
    let filter = doc! { "_id": hash_value(hash), "n": { "$lte": 0 } };
    let projection = doc! { "skeleton": 0 };
    let contents = storage.contents();
    let gone = contents.find_one_and_delete(filter).projection(projection).await?;
    let Some(record) = gone else { return Ok(()) };
    let mut counts = BTreeMap::new();
    for hole in holes_of(&record)? {
        *counts.entry(hole.hash).or_insert(0u64) += 1;
    }
    release_parts(storage, &record, &counts).await
}

/// Removes some contents and attachments whose count is 0: a crash came between the lowering and the
/// removal. A count that is raised first keeps its document, as ever, so they need no age. Says how
/// many; two queries, and what a removal costs for each.
///
/// # Errors
/// `Unavailable`.
pub async fn collect_garbage(storage: &Storage, limit: i64) -> Result<u64> {
    let contents = storage.contents();
    let find = contents.find(doc! { "n": { "$lte": 0 } }).projection(doc! { "_id": 1 });
    let mut cursor = find.limit(limit).await?;
    let mut collected = 0;
    while cursor.advance().await? {
        remove_garbage(storage, &get_hash(&cursor.deserialize_current()?, "_id")?).await?;
        collected += 1;
    }
    Ok(collected + attachments::collect_garbage(storage, limit).await?)
}

async fn release_parts(
    storage: &Storage,
    record: &Document,
    counts: &BTreeMap<ContentHash, u64>,
) -> Result<()> {
    if let Ok(run) = record.get_object_id("run") {
        chunks::delete(&storage.content_chunks(), run).await?;
    }
    for (attachment, by) in counts {
        attachments::lower(storage, attachment, *by).await?;
    }
    Ok(())
}

/// The document of a content, from the cache or by one round trip.
///
/// # Errors
/// `NotFound`, `Internal` when it cannot be read, `Unavailable`.
pub(super) async fn find(storage: &Storage, hash: &ContentHash) -> Result<Arc<Content>> {
    if let Some(content) = storage.cache().content(*hash) {
        return Ok(content);
    }
    let record = storage.contents().find_one(doc! { "_id": hash_value(hash) }).await?;
    read(storage, hash, &record.ok_or(Error::NotFound { what: "content" })?)
}

/// Reads the documents of contents that are not in the cache into it: one round trip, or none.
///
/// The caller bounds the list; a content that is gone is passed over, and missed when it is read.
///
/// # Errors
/// `Internal` when one cannot be read, `Unavailable`.
pub async fn warm(storage: &Storage, hashes: &[ContentHash]) -> Result<()> {
    let is_missing = |hash: &&ContentHash| storage.cache().content(**hash).is_none();
    let missing: Vec<_> = hashes.iter().filter(is_missing).map(hash_value).collect();
    if missing.len() < 2 {
        return Ok(());
    }
    let mut cursor = storage.contents().find(doc! { "_id": { "$in": missing } }).await?;
    while cursor.advance().await? {
        let record = cursor.deserialize_current()?;
        read(storage, &get_hash(&record, "_id")?, &record)?;
    }
    Ok(())
}

/// A content of its document, put into the cache.
fn read(storage: &Storage, hash: &ContentHash, record: &Document) -> Result<Arc<Content>> {
    let raw = get_count(record, "raw");
    let run = record.get_object_id("run").ok();
    let skeleton = match run {
        Some(_) => None,
        None => Some(decompress(get_binary(record, "skeleton")?)?),
    };
    let octets = get_count(record, "octets");
    let content = Content { octets, raw, skeleton, run, holes: holes_of(record)? };
    let content = Arc::new(content);
    storage.cache().put_content(*hash, &content);
    Ok(content)
}

/// The slice `start..end`.
///
/// # Errors
/// `Internal` when it is not all there.
pub(super) fn cut(octets: &Bytes, start: u64, end: u64) -> Result<Bytes> {
    let bound = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    let (start, end) = (bound(start), bound(end));
    if start > end || end > octets.len() {
        return Err(unreadable("a stored content is shorter than it should be"));
    }
    Ok(octets.slice(start..end))
}

fn hole_record(hole: &Hole) -> Bson {
    Bson::Document(doc! {
        "s": int(hole.start),
        "e": int(hole.encoded_octets),
        "h": hash_value(&hole.hash),
        "d": int(hole.decoded_octets),
        "l": i32::from(hole.line_chars),
        "f": hole.final_crlf,
    })
}

fn holes_of(record: &Document) -> Result<Vec<Hole>> {
    let Ok(array) = record.get_array("holes") else { return Ok(Vec::new()) };
    let hole = |value: &Bson| {
        let hole = value.as_document().ok_or_else(|| unreadable("a hole that is no document"))?;
        Ok(Hole {
            start: get_count(hole, "s"),
            encoded_octets: get_count(hole, "e"),
            hash: get_hash(hole, "h")?,
            decoded_octets: get_count(hole, "d"),
            line_chars: u16::try_from(get_count(hole, "l")).unwrap_or(0),
            final_crlf: hole.get_bool("f").unwrap_or(false),
        })
    };
    array.iter().map(hole).collect()
}
