//! What is sent of a message: signatures, the entry's own header fields, the stored content; every
//! line ended by CRLF. It is in memory as long as it is sent: all contents of a node together have a
//! bound, and who comes later waits.

use super::sign;
use super::{Context, problem::Problem};
use crate::codec::dsn::header_of;
use crate::codec::smtp::data;
use crate::model::error::Error;
use crate::model::queue::Entry;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// KiB of contents in memory at the same time: four of the largest messages.
pub const MEMORY_KIB: u32 = 256 * 1024;

/// A message as it is sent.
#[derive(Debug)]
pub struct Content {
    /// The octets.
    pub octets: Vec<u8>,
    /// There are some above 127.
    pub is_eight_bit: bool,
    /// There are some in the header.
    pub is_header_utf8: bool,
    /// Its share of the bound.
    pub(super) memory: OwnedSemaphorePermit,
}

/// Reads an entry's message and signs it.
///
/// # Errors
/// A problem that may pass; one that stays when the content is gone.
pub async fn load(ctx: &Context, entry: &Entry) -> Result<Content, Problem> {
    let kib = u32::try_from(entry.content_octets / 1024).unwrap_or(u32::MAX);
    let kib = kib.saturating_mul(2).saturating_add(1).min(MEMORY_KIB);
    let away = |words: &str| Problem::temporary((4, 3, 0), words);
    let memory = Arc::clone(&ctx.memory).acquire_many_owned(kib).await;
    let memory = memory.map_err(|_| away("the node is stopping"))?;
    let stored = match ctx.delivery.queue().load_content(entry).await {
        Ok(stored) => stored,
        Err(Error::NotFound { .. }) => {
            return Err(Problem::permanent((5, 3, 0), "the message's content is gone"));
        }
        Err(error) => return Err(away(&format!("the content cannot be read: {error}"))),
    };
    let keys = sign::keys(ctx, entry, &stored)
        .await
        .map_err(|error| away(&format!("the signing key cannot be read: {error}")))?;
    let prefix = entry.prefix.clone();
    // Signing hashes all of it
    let made = tokio::task::spawn_blocking(move || {
        let mut octets = [prefix.as_slice(), &stored].concat();
        if let Some(mended) = data::with_line_ends(&octets) {
            octets = mended;
        }
        let signatures = sign::signatures(&keys, &octets);
        if !signatures.is_empty() {
            octets.splice(0..0, signatures.into_bytes());
        }
        let is_header_utf8 = !header_of(&octets).is_ascii();
        (octets.is_ascii(), is_header_utf8, octets)
    });
    let (is_ascii, is_header_utf8, octets) =
        made.await.map_err(|error| away(&format!("the message cannot be made: {error}")))?;
    Ok(Content { octets, is_eight_bit: !is_ascii, is_header_utf8, memory })
}
