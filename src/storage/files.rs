//! `files`: what a user has uploaded to attach it to messages later.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | ObjectId | the file |
//! | `user` | ObjectId | whose |
//! | `filename`, `type` | string | its name and media type |
//! | `cid` | string | Content-ID for pictures in HTML; absent if none |
//! | `octets` | int64 | its size |
//! | `run` | ObjectId | its chunks in `file_chunks`, not compressed |
//! | `created` | date | |
//!
//! Index: `{user, filename, _id}`, the order of listings. A user has at most some hundreds.

use crate::model::error::{Error, Result};
use crate::model::id::{ObjectId, UserId};
use crate::model::limits::CHUNK_OCTETS;
use crate::storage::field::{date, get_count, get_id, get_ms, int, oid};
use crate::storage::{Storage, chunks, regex};
use bson::{Document, doc};
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use mongodb::Collection;

/// A file without its octets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct File {
    /// Which.
    pub id: ObjectId,
    /// Its name.
    pub filename: String,
    /// Its media type.
    pub content_type: String,
    /// Content-ID without angle brackets.
    pub cid: Option<String>,
    /// Its size.
    pub octets: u64,
    /// When it was uploaded.
    pub created_ms: i64,
}

fn files(storage: &Storage) -> Collection<Document> {
    storage.collection("files")
}

fn file_chunks(storage: &Storage) -> Collection<Document> {
    storage.collection("file_chunks")
}

fn read(record: &Document) -> Result<File> {
    let text = |key: &str| record.get_str(key).map(str::to_owned);
    Ok(File {
        id: get_id(record, "_id")?,
        filename: text("filename").unwrap_or_default(),
        content_type: text("type").unwrap_or_default(),
        cid: text("cid").ok(),
        octets: get_count(record, "octets"),
        created_ms: get_ms(record, "created"),
    })
}

/// Stores a file: its chunks, then its document. A commit for each 8 MB, and one.
///
/// # Errors
/// `Unavailable`; chunks that nothing refers to may be there then.
pub async fn insert(storage: &Storage, user: UserId, file: &File, octets: &Bytes) -> Result<()> {
    let run = bson::oid::ObjectId::new();
    let pieces = octets.chunks(CHUNK_OCTETS).map(<[u8]>::to_vec);
    chunks::insert(&file_chunks(storage), run, pieces).await?;
    let mut record = doc! {
        "_id": oid(file.id), "user": oid(user), "filename": &file.filename,
        "type": &file.content_type, "octets": int(file.octets), "run": run,
        "created": date(file.created_ms),
    };
    if let Some(cid) = &file.cid {
        record.insert("cid", cid);
    }
    files(storage).insert_one(record).await?;
    Ok(())
}

/// The number of a user's files, and their octets. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn sum(storage: &Storage, user: UserId) -> Result<(u64, u64)> {
    let group = doc! { "_id": null, "n": { "$sum": 1i64 }, "octets": { "$sum": "$octets" } };
    let pipeline = [doc! { "$match": { "user": oid(user) } }, doc! { "$group": group }];
    let found = files(storage).aggregate(pipeline).await?.try_next().await?;
    Ok(found.map_or((0, 0), |sum| (get_count(&sum, "n"), get_count(&sum, "octets"))))
}

fn filter(user: UserId, query: Option<&str>) -> Document {
    let mut filter = doc! { "user": oid(user) };
    if let Some(query) = query {
        filter.insert("filename", regex::contains(query));
    }
    filter
}

/// A user's files by name, strictly beyond one of them. One round trip.
///
/// # Errors
/// `Unavailable`, `Internal`.
pub async fn page(
    storage: &Storage,
    user: UserId,
    query: Option<&str>,
    beyond: Option<&(String, ObjectId)>,
    (ascending, limit): (bool, i64),
) -> Result<Vec<File>> {
    let mut conditions = vec![filter(user, query)];
    if let Some((filename, id)) = beyond {
        let operator = if ascending { "$gt" } else { "$lt" };
        conditions.push(doc! { "$or": [
            { "filename": { operator: filename } },
            { "filename": filename, "_id": { operator: oid(*id) } },
        ] });
    }
    let order = if ascending { 1 } else { -1 };
    let files = files(storage);
    let find = files.find(doc! { "$and": conditions }).limit(limit);
    let found = find.sort(doc! { "filename": order, "_id": order }).await?;
    let records: Vec<Document> = found.try_collect().await?;
    records.iter().map(read).collect()
}

/// How many files [`page`] pages through. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn count(storage: &Storage, user: UserId, query: Option<&str>) -> Result<u64> {
    Ok(files(storage).count_documents(filter(user, query)).await?)
}

/// One file. One round trip.
///
/// # Errors
/// `Unavailable`, `Internal`.
pub async fn find(storage: &Storage, user: UserId, id: ObjectId) -> Result<Option<File>> {
    let found = files(storage).find_one(doc! { "_id": oid(id), "user": oid(user) }).await?;
    found.as_ref().map(read).transpose()
}

/// A piece of a file, by its number from 0: at most [`CHUNK_OCTETS`]; `None`: the file is gone. Two
/// round trips.
///
/// # Errors
/// `Unavailable`, `Internal`.
pub async fn load_piece(
    storage: &Storage,
    user: UserId,
    id: ObjectId,
    index: u32,
) -> Result<Option<Bytes>> {
    let filter = doc! { "_id": oid(id), "user": oid(user) };
    let found = files(storage).find_one(filter).projection(doc! { "run": 1 }).await?;
    let Some(record) = found else { return Ok(None) };
    let run = record.get_object_id("run");
    let run = run.map_err(|error| Error::internal("a file without chunks", error))?;
    let pieces = chunks::load(&file_chunks(storage), run, index, index).await?;
    Ok(pieces.into_iter().next())
}

/// Removes a file; says whether there was one. Two round trips.
///
/// # Errors
/// `Unavailable`.
pub async fn delete(storage: &Storage, user: UserId, id: ObjectId) -> Result<bool> {
    let filter = doc! { "_id": oid(id), "user": oid(user) };
    let Some(gone) = files(storage).find_one_and_delete(filter).await? else {
        return Ok(false);
    };
    if let Ok(run) = gone.get_object_id("run") {
        chunks::delete(&file_chunks(storage), run).await?;
    }
    Ok(true)
}

/// Removes all files of a deleted user.
///
/// # Errors
/// `Unavailable`.
pub async fn delete_all(storage: &Storage, user: UserId) -> Result<()> {
    loop {
        let some = page(storage, user, None, None, (true, 100)).await?;
        if some.is_empty() {
            return Ok(());
        }
        for file in some {
            delete(storage, user, file.id).await?;
        }
    }
}
