//! Values of documents: identifiers, counters, hashes, instants, sets of UIDs.

use crate::model::error::Result;
use crate::model::id::{ContentHash, Id};
use crate::model::uid::{Uid, UidSet};
use crate::storage::error::unreadable;
use bson::oid::ObjectId;
use bson::spec::BinarySubtype;
use bson::{Binary, Bson, Document};

/// The ObjectId of an identifier.
pub fn oid<K>(id: Id<K>) -> ObjectId {
    ObjectId::from_bytes(id.octets())
}

/// The identifier of an ObjectId.
pub fn id_of<K>(oid: ObjectId) -> Id<K> {
    Id::from_octets(oid.bytes())
}

/// A fresh identifier.
pub fn new_id<K>() -> Id<K> {
    id_of(ObjectId::new())
}

/// A counter as int64; values beyond 2^63 do not occur and are clipped.
pub fn int(value: impl TryInto<i64>) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}

/// A generic binary value.
pub fn binary(octets: impl Into<Vec<u8>>) -> Bson {
    Bson::Binary(Binary { subtype: BinarySubtype::Generic, bytes: octets.into() })
}

/// A hash as binary value.
pub fn hash(hash: &ContentHash) -> Bson {
    binary(hash.0.to_vec())
}

/// A number field, whatever width it was stored in; missing is 0.
pub fn get_int(document: &Document, key: &str) -> i64 {
    match document.get(key) {
        Some(Bson::Int64(value)) => *value,
        Some(Bson::Int32(value)) => i64::from(*value),
        #[expect(clippy::cast_possible_truncation, reason = "counters edited by hand are doubles")]
        Some(Bson::Double(value)) => *value as i64,
        _ => 0,
    }
}

/// A counter field; missing or negative is 0.
pub fn get_count(document: &Document, key: &str) -> u64 {
    u64::try_from(get_int(document, key)).unwrap_or(0)
}

/// A UID-sized field.
pub fn get_u32(document: &Document, key: &str) -> u32 {
    u32::try_from(get_int(document, key)).unwrap_or(0)
}

/// An identifier field.
///
/// # Errors
/// `Internal` when it is missing.
pub fn get_id<K>(document: &Document, key: &str) -> Result<Id<K>> {
    document.get_object_id(key).map(id_of).map_err(|_| unreadable("a document without identifier"))
}

/// A binary field.
///
/// # Errors
/// `Internal` when it is missing.
pub fn get_binary<'a>(document: &'a Document, key: &str) -> Result<&'a [u8]> {
    document
        .get_binary_generic(key)
        .map(Vec::as_slice)
        .map_err(|_| unreadable("a document without its octets"))
}

/// A hash field.
///
/// # Errors
/// `Internal` when it is missing or not 32 octets.
pub fn get_hash(document: &Document, key: &str) -> Result<ContentHash> {
    let octets = get_binary(document, key)?;
    octets.try_into().map(ContentHash).map_err(|_| unreadable("a hash that is not 32 octets"))
}

/// A set of UIDs as flat array `[first, last, first, last, …]` of int64.
pub fn uid_set(set: &UidSet) -> Bson {
    let ends = set.ranges().iter().flat_map(|&(first, last)| [first, last]);
    Bson::Array(ends.map(|uid| Bson::Int64(i64::from(uid))).collect())
}

/// Reads what [`uid_set`] wrote; anything else gives what can be read of it.
pub fn get_uid_set(document: &Document, key: &str) -> UidSet {
    let Ok(array) = document.get_array(key) else { return UidSet::new() };
    let uids: Vec<Uid> =
        array.iter().filter_map(Bson::as_i64).filter_map(|uid| Uid::try_from(uid).ok()).collect();
    let pair = |pair: &[Uid]| match pair {
        [first, last] => Some((*first, *last)),
        _ => None,
    };
    UidSet::from_ranges(uids.chunks_exact(2).filter_map(pair).collect())
}

/// An instant of a [`crate::clock::Clock`].
pub const fn date(ms: i64) -> Bson {
    Bson::DateTime(bson::DateTime::from_millis(ms))
}

/// An instant field as milliseconds; missing is 0.
pub fn get_ms(document: &Document, key: &str) -> i64 {
    document.get_datetime(key).map_or(0, |date| date.timestamp_millis())
}
