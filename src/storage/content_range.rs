//! Reading a range of a content: only the skeleton chunks and attachment chunks it needs.

use crate::codec::mime::skeleton;
use crate::model::error::{Error, Result};
use crate::model::id::ContentHash;
use crate::model::structure::{ByteRange, Hole};
use crate::storage::compression::decompress;
use crate::storage::contents::{Content, cut, find};
use crate::storage::error::unreadable;
use crate::storage::{Storage, attachments, chunks};
use bson::oid::ObjectId;
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;

/// One stretch of a range, in order.
enum Stretch<'a> {
    /// Octets of the skeleton.
    Skeleton(u64, u64),
    /// Encoded octets of a hole.
    Hole(&'a Hole, u64, u64),
}

/// The octets of a content in a range, clipped to it.
///
/// A small content: one round trip, none when it was read lately. A range with externalised parts:
/// one more for
/// their chunk runs and one for each part.
///
/// # Errors
/// `NotFound` when the content is gone, `Internal` when it cannot be read, `Unavailable`.
pub async fn load_range(storage: &Storage, hash: &ContentHash, range: ByteRange) -> Result<Bytes> {
    let is_cached = storage.cache().content(*hash).is_some();
    match load(storage, hash, range).await {
        // It may have been removed and stored again since: then its chunks are elsewhere
        Err(Error::Internal { .. }) if is_cached => {
            storage.cache().remove_content(*hash);
            load(storage, hash, range).await
        }
        other => other,
    }
}

async fn load(storage: &Storage, hash: &ContentHash, range: ByteRange) -> Result<Bytes> {
    let content = find(storage, hash).await?;
    let range = ByteRange { start: range.start, end: range.end.min(content.octets) };
    if range.octets() == 0 {
        return Ok(Bytes::new());
    }
    let stretches = stretches(&content, range);
    if let [Stretch::Skeleton(start, end)] = stretches.as_slice() {
        return load_skeleton(storage, &content, *start, *end).await;
    }
    let runs = load_runs(storage, &stretches).await?;
    let mut octets = BytesMut::with_capacity(usize::try_from(range.octets()).unwrap_or(0));
    for stretch in &stretches {
        match stretch {
            Stretch::Skeleton(start, end) => {
                octets.extend_from_slice(&load_skeleton(storage, &content, *start, *end).await?);
            }
            Stretch::Hole(hole, start, end) => {
                let run = runs.get(&hole.hash).copied();
                let run = run.ok_or_else(|| unreadable("an attachment is missing"))?;
                octets.extend_from_slice(&load_hole(storage, hole, run, *start, *end).await?);
            }
        }
    }
    Ok(octets.freeze())
}

/// What a range consists of.
fn stretches(content: &Content, range: ByteRange) -> Vec<Stretch<'_>> {
    let mut stretches = Vec::new();
    // Position in the content, and how much of the content before it is not in the skeleton
    let (mut position, mut cut_out) = (0u64, 0u64);
    let text = |from: u64, to: u64, cut_out: u64, stretches: &mut Vec<Stretch<'_>>| {
        let (start, end) = (from.max(range.start), to.min(range.end));
        if start < end {
            stretches.push(Stretch::Skeleton(start - cut_out, end - cut_out));
        }
    };
    for hole in &content.holes {
        text(position, hole.start, cut_out, &mut stretches);
        let after = hole.start + hole.encoded_octets;
        let (start, end) = (hole.start.max(range.start), after.min(range.end));
        if start < end {
            stretches.push(Stretch::Hole(hole, start - hole.start, end - hole.start));
        }
        position = after;
        cut_out += hole.encoded_octets;
    }
    text(position, content.octets, cut_out, &mut stretches);
    stretches
}

async fn load_runs(
    storage: &Storage,
    stretches: &[Stretch<'_>],
) -> Result<BTreeMap<ContentHash, ObjectId>> {
    let mut hashes: Vec<ContentHash> = stretches
        .iter()
        .filter_map(|stretch| match stretch {
            Stretch::Hole(hole, ..) => Some(hole.hash),
            Stretch::Skeleton(..) => None,
        })
        .collect();
    hashes.sort_unstable();
    hashes.dedup();
    Ok(attachments::runs(storage, &hashes).await?.into_iter().collect())
}

async fn load_skeleton(
    storage: &Storage,
    content: &Content,
    start: u64,
    end: u64,
) -> Result<Bytes> {
    if let Some(skeleton) = &content.skeleton {
        return cut(skeleton, start, end);
    }
    let run = content.run.ok_or_else(|| unreadable("a content without octets"))?;
    let (first, last, base) = chunks::span(start, end.min(content.raw));
    let mut joined = BytesMut::new();
    for index in first..=last {
        let piece = match storage.cache().chunk(run, index) {
            Some(piece) => piece,
            None => {
                let pieces = chunks::load(&storage.content_chunks(), run, index, index).await?;
                let piece = decompress(pieces.first().map_or(&[][..], |piece| piece))?;
                storage.cache().put_chunk(run, index, &piece);
                piece
            }
        };
        if first == last {
            return cut(&piece, start - base, end - base);
        }
        joined.extend_from_slice(&piece);
    }
    cut(&joined.freeze(), start - base, end - base)
}

async fn load_hole(
    storage: &Storage,
    hole: &Hole,
    run: ObjectId,
    start: u64,
    end: u64,
) -> Result<Bytes> {
    let (from, to, skip) = skeleton::decoded_range(hole, start, end);
    let decoded = attachments::load_range(storage, run, from, to).await?;
    let encoded = skeleton::encode_lines(hole, &decoded, to >= hole.decoded_octets);
    let skip = skip as u64;
    cut(&Bytes::from(encoded), skip, skip + (end - start))
}
