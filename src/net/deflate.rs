//! A connection's compression in both directions: raw DEFLATE (RFC 1951) as RFC 4978 wants it.
//!
//! What is inflated at once is bounded, so that a few octets cannot become a flood. After a flush
//! our stream stands at a block's boundary, and blocks of a new compressor that knows nothing of the
//! earlier ones are as good a continuation: so its quarter of a megabyte is given back whenever the
//! connection waits. The inflater has to keep its 32 KiB window, because the client may refer to it.

use bytes::{Buf, BytesMut};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use std::io;

/// Octets inflated at once.
const INFLATED_OCTETS_MAX: usize = 32 * 1024;
/// Room for what a compressor gives at once.
const DEFLATED_OCTETS: usize = 16 * 1024;

/// The state of both directions.
pub struct Deflate {
    deflater: Option<Compress>,
    /// Octets were given to the deflater and not flushed.
    is_dirty: bool,
    inflater: Decompress,
    /// What the client sent and is not inflated yet.
    pending: BytesMut,
    /// The inflater may hold more than it could give.
    has_more: bool,
}

impl std::fmt::Debug for Deflate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deflate").field("pending", &self.pending.len()).finish_non_exhaustive()
    }
}

impl Default for Deflate {
    fn default() -> Self {
        Self {
            deflater: None,
            is_dirty: false,
            inflater: Decompress::new(false),
            pending: BytesMut::new(),
            has_more: false,
        }
    }
}

impl Deflate {
    /// Adds octets of the client.
    pub fn feed(&mut self, octets: &[u8]) {
        self.pending.extend_from_slice(octets);
    }

    /// Inflates a piece of what was fed to the end of `out`; 0: feed more.
    ///
    /// # Errors
    /// `InvalidData` when it is no DEFLATE stream or has ended.
    pub fn inflate(&mut self, out: &mut BytesMut) -> io::Result<usize> {
        if self.pending.is_empty() && !self.has_more {
            return Ok(0);
        }
        let mut piece = Vec::with_capacity(INFLATED_OCTETS_MAX);
        let before = self.inflater.total_in();
        let status = self
            .inflater
            .decompress_vec(&self.pending, &mut piece, FlushDecompress::Sync)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let taken = usize::try_from(self.inflater.total_in() - before).unwrap_or(usize::MAX);
        self.pending.advance(taken.min(self.pending.len()));
        self.has_more = piece.len() == piece.capacity();
        if status == Status::StreamEnd {
            let text = "the compressed stream has ended";
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        out.extend_from_slice(&piece);
        Ok(piece.len())
    }

    /// Deflates octets to the end of `out`; some of it may be kept until [`Self::flush`].
    ///
    /// # Errors
    /// `Other` if the compressor fails.
    pub fn deflate(&mut self, octets: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        self.is_dirty |= !octets.is_empty();
        self.compress(octets, FlushCompress::None, out)
    }

    /// Gives all that was deflated, so that the client can read it.
    ///
    /// # Errors
    /// `Other` if the compressor fails.
    pub fn flush(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        if std::mem::take(&mut self.is_dirty) {
            self.compress(&[], FlushCompress::Sync, out)?;
        }
        Ok(())
    }

    fn compress(
        &mut self,
        mut octets: &[u8],
        flush: FlushCompress,
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        let deflater =
            self.deflater.get_or_insert_with(|| Compress::new(Compression::default(), false));
        loop {
            out.reserve(DEFLATED_OCTETS);
            let before = deflater.total_in();
            deflater.compress_vec(octets, out, flush).map_err(io::Error::other)?;
            let taken = usize::try_from(deflater.total_in() - before).unwrap_or(usize::MAX);
            octets = octets.get(taken..).unwrap_or_default();
            // with room left it has given all it wants to give
            if octets.is_empty() && out.len() < out.capacity() {
                return Ok(());
            }
        }
    }

    /// Gives back memory while the connection waits.
    pub fn rest(&mut self) {
        if !self.is_dirty {
            self.deflater = None;
        }
        if self.pending.is_empty() {
            self.pending = BytesMut::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that comes out of one end's octets at the other.
    fn inflated(inflater: &mut Deflate, octets: &[u8]) -> Vec<u8> {
        inflater.feed(octets);
        let mut out = BytesMut::new();
        while inflater.inflate(&mut out).unwrap() > 0 {}
        out.to_vec()
    }

    #[test]
    fn a_new_compressor_continues_the_stream() {
        let (mut server, mut client) = (Deflate::default(), Deflate::default());
        for round in 0..50u32 {
            let text = format!("* {round} FETCH (FLAGS (\\Seen))\r\n").repeat(round as usize * 40);
            let mut sent = Vec::new();
            for piece in text.as_bytes().chunks(1000) {
                server.deflate(piece, &mut sent).unwrap();
            }
            server.flush(&mut sent).unwrap();
            server.rest();
            assert!(server.deflater.is_none());
            assert!(sent.len() < text.len() / 3 + 64, "{} of {}", sent.len(), text.len());
            assert_eq!(inflated(&mut client, &sent), text.as_bytes());
        }
    }

    #[test]
    fn random_octets_in_random_pieces() {
        let mut state = 7u64;
        let mut octet = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[0]
        };
        let (mut server, mut client) = (Deflate::default(), Deflate::default());
        for length in [0, 1, 100, 70_000, 300_000] {
            let text: Vec<u8> = (0..length).map(|_| octet()).collect();
            let mut sent = Vec::new();
            server.deflate(&text, &mut sent).unwrap();
            server.flush(&mut sent).unwrap();
            let pieces = sent.chunks(4093);
            let got: Vec<u8> = pieces.flat_map(|piece| inflated(&mut client, piece)).collect();
            assert_eq!(got, text);
        }
    }

    #[test]
    fn a_bomb_comes_in_bounded_pieces() {
        let (mut server, mut client) = (Deflate::default(), Deflate::default());
        let mut sent = Vec::new();
        server.deflate(&vec![b'a'; 8 << 20], &mut sent).unwrap();
        server.flush(&mut sent).unwrap();
        assert!(sent.len() < 20_000);
        client.feed(&sent);
        let mut total = 0;
        loop {
            let mut out = BytesMut::new();
            let octets = client.inflate(&mut out).unwrap();
            assert!(octets <= INFLATED_OCTETS_MAX && out.len() == octets);
            total += octets;
            if octets == 0 {
                break;
            }
        }
        assert_eq!(total, 8 << 20);
    }

    #[test]
    fn what_is_no_deflate_is_refused() {
        let mut client = Deflate::default();
        client.feed(b"a NOOP\r\nb NOOP\r\n");
        let mut out = BytesMut::new();
        assert!((0..3).any(|_| client.inflate(&mut out).is_err()));
        // a final block ends the stream
        let mut client = Deflate::default();
        client.feed(&[3, 0]);
        assert!(client.inflate(&mut out).is_err());
    }
}
