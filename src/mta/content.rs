//! What is sent of a message: signatures or seals, the entry's own header fields, the stored content;
//! every line ended by CRLF.
//!
//! It is read in pieces, twice when it is large: once to sign it and to know what it needs of a
//! server, once to send it. So a message takes the memory of some pieces, however large it is.

use super::seal::{self, BodyHashers, BodyHashes, Unsealed};
use super::sign::{self, Key};
use super::{Context, problem::Problem};
use crate::codec::dsn::header_of;
use crate::codec::smtp::data::LineEnds;
use crate::model::error::{Error, Result};
use crate::model::queue::{Entry, Reason};
use crate::model::structure::ByteRange;
use crate::queue::Queue;
use bytes::Bytes;
use tokio::sync::mpsc;

/// Octets read at once. A message whose header does not end in the first piece is not signed.
const PIECE_OCTETS: u64 = 256 * 1024;
/// Pieces between the reader and who signs.
const PIECES_WAITING: usize = 2;

/// A message as it is sent.
#[derive(Debug)]
pub struct Content {
    /// Signatures or seals, and the entry's own header fields.
    head: Bytes,
    source: Source,
    /// All octets of it.
    pub octets: u64,
    /// There are some above 127.
    pub is_eight_bit: bool,
    /// There are some in the header.
    pub is_header_utf8: bool,
    /// It has lines that SMTP does not know (RFC 3030 §3).
    pub is_binary: bool,
}

/// The stored octets of an entry.
#[derive(Clone, Debug)]
struct Source {
    queue: Queue,
    entry: Entry,
    first: Bytes,
}

impl Source {
    async fn open(queue: &Queue, entry: &Entry) -> Result<Self> {
        let first = queue.load_octets(entry, ByteRange { start: 0, end: PIECE_OCTETS }).await?;
        Ok(Self { queue: queue.clone(), entry: entry.clone(), first })
    }

    fn pieces(&self, head: Bytes) -> Pieces {
        let ends = (!self.entry.options.is_binary).then(LineEnds::default);
        Pieces { source: self.clone(), head: Some(head), read: 0, ends }
    }
}

/// A message's octets, one piece after the other.
#[derive(Debug)]
pub struct Pieces {
    source: Source,
    /// What comes first.
    head: Option<Bytes>,
    /// Stored octets that were given out.
    read: u64,
    /// `None`: they are sent as they are.
    ends: Option<LineEnds>,
}

impl Pieces {
    /// The next piece; `None`: that was all.
    ///
    /// # Errors
    /// `NotFound` content, `Unavailable`.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        if let Some(head) = self.head.take_if(|head| !head.is_empty()) {
            return Ok(Some(head));
        }
        let Source { queue, entry, first } = &self.source;
        let piece = if self.read == 0 {
            first.clone()
        } else {
            let end = self.read.saturating_add(PIECE_OCTETS);
            queue.load_octets(entry, ByteRange { start: self.read, end }).await?
        };
        if piece.is_empty() {
            return Ok(None);
        }
        self.read = self.read.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        let Some(ends) = &mut self.ends else { return Ok(Some(piece)) };
        let mut mended = Vec::with_capacity(piece.len());
        ends.mend(&piece, &mut mended);
        Ok(Some(mended.into()))
    }
}

impl Content {
    /// All octets from the start.
    pub fn pieces(&self) -> Pieces {
        self.source.pieces(self.head.clone())
    }
}

/// What was found out about a message on the first way through it.
struct Scanned {
    octets: u64,
    is_ascii: bool,
    has_odd_lines: bool,
    signatures: String,
    /// Only if asked for.
    body: Option<BodyHashes>,
}

fn away(words: &str) -> Problem {
    Problem::temporary((4, 3, 0), words)
}

/// Why a content cannot be read.
pub fn unreadable(error: &Error) -> Problem {
    match error {
        Error::NotFound { .. } => Problem::permanent((5, 3, 0), "the message's content is gone"),
        error => away(&format!("the content cannot be read: {error}")),
    }
}

/// Reads an entry's message, and signs or seals it.
///
/// # Errors
/// A problem that may pass; one that stays when the content is gone.
pub async fn load(ctx: &Context, entry: &Entry) -> std::result::Result<Content, Problem> {
    let source = Source::open(ctx.delivery.queue(), entry).await;
    let source = source.map_err(|error| unreadable(&error))?;
    let prefix = Bytes::from(entry.prefix.clone());
    let header = header(&source, &prefix).await.map_err(|error| unreadable(&error))?;
    let keyless = |error| away(&format!("the signing key cannot be read: {error}"));
    let (mut keys, mut sealing) = (Vec::new(), None);
    if header.is_whole && entry.reason == Reason::Forward {
        sealing = seal::key(ctx, entry).await.map_err(keyless)?;
    } else if header.is_whole {
        keys = sign::keys(ctx, &header.octets).await.map_err(keyless)?;
    }
    let plan = Plan {
        header_octets: header.octets.len(),
        keys,
        is_sealed: sealing.is_some(),
        is_binary: entry.options.is_binary,
    };
    let scanned = scanned(&source, &prefix, plan).await?;
    let mut fields = scanned.signatures.into_bytes();
    if let Some((key, body)) = sealing.zip(scanned.body) {
        let message = Unsealed { prefix: &prefix, header: &header.octets, body: &body };
        fields = Box::pin(seal::set(ctx, &key, message)).await.into_bytes();
    }
    let octets = scanned.octets.saturating_add(u64::try_from(fields.len()).unwrap_or(u64::MAX));
    fields.extend_from_slice(&prefix);
    Ok(Content {
        head: fields.into(),
        octets,
        is_eight_bit: !scanned.is_ascii,
        is_header_utf8: !header.octets.is_ascii(),
        is_binary: entry.options.is_binary && scanned.has_odd_lines,
        source,
    })
}

/// A header as far as it is in the first piece.
struct Header {
    octets: Vec<u8>,
    is_whole: bool,
}

async fn header(source: &Source, prefix: &Bytes) -> Result<Header> {
    let mut pieces = source.pieces(Bytes::new());
    let start = pieces.next().await?.unwrap_or_default();
    let is_all = pieces.read >= source.entry.content_octets;
    let of_content = header_of(&start);
    let is_whole = is_all || of_content.len() < start.len();
    Ok(Header { octets: [prefix, of_content].concat(), is_whole })
}

/// What is done on the first way.
struct Plan {
    header_octets: usize,
    keys: Vec<Key>,
    is_sealed: bool,
    is_binary: bool,
}

/// Goes through the message once; signing hashes all of it.
async fn scanned(
    source: &Source,
    prefix: &Bytes,
    plan: Plan,
) -> std::result::Result<Scanned, Problem> {
    let (sender, receiver) = mpsc::channel(PIECES_WAITING);
    let scanning = tokio::task::spawn_blocking(move || scan(receiver, &plan));
    let mut pieces = source.pieces(prefix.clone());
    while let Some(piece) = pieces.next().await.map_err(|error| unreadable(&error))? {
        // It only stops when it has panicked
        if sender.send(piece).await.is_err() {
            break;
        }
    }
    drop(sender);
    scanning.await.map_err(|error| away(&format!("the message cannot be made: {error}")))
}

/// CPU-bound.
fn scan(mut pieces: mpsc::Receiver<Bytes>, plan: &Plan) -> Scanned {
    let signers = sign::signers(&plan.keys);
    let mut streams: Vec<_> = signers.iter().map(sign::Signer::sign_streaming).collect();
    let mut hashers = plan.is_sealed.then(BodyHashers::default);
    let (mut octets, mut is_ascii, mut has_nul) = (0_usize, true, false);
    let (mut ends, mut spare) = (LineEnds::default(), Vec::new());
    // The empty line is of neither
    let body_start = plan.header_octets.saturating_add(2);
    while let Some(piece) = pieces.blocking_recv() {
        streams.iter_mut().for_each(|stream| stream.write(&piece));
        if let Some(hashers) = &mut hashers {
            hashers.write(piece.get(body_start.saturating_sub(octets)..).unwrap_or_default());
        }
        octets = octets.saturating_add(piece.len());
        is_ascii &= piece.is_ascii();
        if plan.is_binary {
            has_nul |= piece.contains(&0);
            spare.clear();
            ends.mend(&piece, &mut spare);
        }
    }
    Scanned {
        octets: u64::try_from(octets).unwrap_or(u64::MAX),
        is_ascii,
        has_odd_lines: has_nul || ends.has_mended(),
        signatures: sign::fields(streams),
        body: hashers.map(BodyHashers::finish),
    }
}
