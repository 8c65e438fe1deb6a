//! Zstandard frames (RFC 8878), as skeletons are stored: one piece is one frame.
//!
//! Making a context costs more than a small message needs, so each thread keeps one of either kind.

use crate::model::error::{Error, Result};
use crate::model::limits::CHUNK_OCTETS;
use bytes::Bytes;
use std::cell::RefCell;
use zstd::bulk::{Compressor, Decompressor};

/// zstd's own default: twice the ratio of level 1 is not worth three times the time.
const LEVEL: i32 = 3;

thread_local! {
    /// `None` before the first use.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// One frame, with the size of the piece in its header.
///
/// # Errors
/// `Internal`.
pub(super) fn compress(piece: &[u8]) -> Result<Vec<u8>> {
    let compressed = COMPRESSOR.with_borrow_mut(|kept| {
        let mut compressor = match kept.take() {
            Some(compressor) => compressor,
            None => Compressor::new(LEVEL)?,
        };
        let compressed = compressor.compress(piece);
        *kept = Some(compressor);
        compressed
    });
    compressed.map_err(|error| Error::internal("a content cannot be compressed", error))
}

/// The piece of a frame, which is at most [`CHUNK_OCTETS`].
///
/// # Errors
/// `Internal` for anything else.
pub(super) fn decompress(frame: &[u8]) -> Result<Bytes> {
    if frame.is_empty() {
        return Ok(Bytes::new());
    }
    // What the frame says of its size, so that a small message costs a small allocation
    let said = zstd::zstd_safe::get_frame_content_size(frame).ok().flatten();
    let capacity = said.and_then(|octets| usize::try_from(octets).ok()).unwrap_or(CHUNK_OCTETS);
    let piece = DECOMPRESSOR.with_borrow_mut(|kept| {
        let mut decompressor = match kept.take() {
            Some(decompressor) => decompressor,
            None => Decompressor::new()?,
        };
        let piece = decompressor.decompress(frame, capacity.min(CHUNK_OCTETS));
        *kept = Some(decompressor);
        piece
    });
    let piece =
        piece.map_err(|error| Error::internal("a stored content cannot be decompressed", error))?;
    Ok(piece.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_back_and_broken_frames_are_told() {
        for octets in [0, 1, 1000, CHUNK_OCTETS] {
            let piece: Vec<u8> = (0..octets).map(|n| u8::try_from(n * n % 251).unwrap()).collect();
            let frame = compress(&piece).unwrap();
            assert_eq!(decompress(&frame).unwrap(), piece);
        }
        let frame = compress(b"some text").unwrap();
        assert!(decompress(&frame[..frame.len() - 1]).is_err());
        assert!(decompress(b"no frame").is_err());
        assert!(decompress(&compress(&vec![0; CHUNK_OCTETS + 1]).unwrap()).is_err());
        assert_eq!(decompress(&frame).unwrap(), "some text");
    }
}
