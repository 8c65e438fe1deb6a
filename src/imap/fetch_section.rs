//! Text of messages in FETCH: sections, partials, large ones in pieces (RFC 9051 §6.4.5).

use super::assemble::spool_failed;
use super::fetch::{Plan, write_of_message};
use super::reply::{Outcome, Reply};
use crate::codec::imap::fetch::{BodySection, FetchItem};
use crate::codec::imap::fetch_response::{FetchWriter, Style};
use crate::codec::imap::response_code::ResponseCode;
use crate::codec::mime::section::{Located, Section, SectionText, locate, select_fields};
use crate::codec::mime::text::decode_body;
use crate::codec::mime::tree;
use crate::mailstore::Mailstore;
use crate::model::error::{Error, Result};
use crate::model::id::UserId;
use crate::model::message::Message;
use crate::model::structure::{ByteRange, Part};
use crate::model::uid::SeqNum;
use crate::net::stream::Stream;
use crate::spool::Spool;
use bytes::Bytes;
use std::io;

/// Octets of a section that are loaded before it is its turn.
const AHEAD_OCTETS: u64 = 256 * 1024;
/// Octets loaded at once afterwards.
const PIECE_OCTETS: u64 = 1024 * 1024;

/// One section of one message, its beginning loaded.
#[derive(Debug)]
enum Text {
    /// The message has no such part.
    Missing,
    /// All of it.
    Whole(Bytes),
    /// BINARY.SIZE.
    Octets(u64),
    /// BINARY of a part whose transfer encoding is not known.
    UnknownEncoding,
    /// Octets of the trace prefix, the beginning of the content's range, and what is left of it.
    Long { prefix: Bytes, beginning: Bytes, rest: ByteRange },
}

/// A message and the sections asked for, in order.
#[derive(Debug)]
pub struct Loaded {
    /// The message.
    pub message: Message,
    texts: Vec<Text>,
}

/// What an item asks for: section and partial.
fn asked(item: &FetchItem) -> (Section, Option<(u64, u64)>) {
    let of_message = |text| Section { path: Vec::new(), text };
    match item {
        FetchItem::Section(body) | FetchItem::Binary(body) => (body.section.clone(), body.partial),
        FetchItem::BinarySize(path) => {
            (Section { path: path.clone(), text: SectionText::All }, None)
        }
        FetchItem::Rfc822Header => (of_message(SectionText::Header), None),
        FetchItem::Rfc822Text => (of_message(SectionText::Text), None),
        _ => (of_message(SectionText::All), None),
    }
}

fn is_whole_message(section: &Section) -> bool {
    section.path.is_empty() && section.text == SectionText::All
}

/// Whether the MIME tree is needed: not for `BODY[]`, which is all there is.
pub fn needs_tree(item: &FetchItem) -> bool {
    !is_whole_message(&asked(item).0) || matches!(item, FetchItem::BinarySize(_))
}

/// Loads the beginnings of the sections of a message.
pub async fn load(
    mailstore: &Mailstore,
    user: UserId,
    message: Message,
    items: &[FetchItem],
) -> Result<Loaded> {
    let root = decode_tree(&message)?;
    let mut texts = Vec::with_capacity(items.len());
    for item in items {
        texts.push(load_text(mailstore, user, &message, root.as_ref(), item).await?);
    }
    Ok(Loaded { message, texts })
}

async fn load_text(
    mailstore: &Mailstore,
    user: UserId,
    message: &Message,
    root: Option<&Part>,
    item: &FetchItem,
) -> Result<Text> {
    let (section, partial) = asked(item);
    let is_decoded = match item {
        // as a whole it is what BODY[] is
        FetchItem::Binary(_) => !is_whole_message(&section),
        item => matches!(item, FetchItem::BinarySize(_)),
    };
    if let Some(root) = root.filter(|_| is_decoded) {
        return load_decoded(mailstore, user, message, (root, &section.path), item).await;
    }
    let located = if is_whole_message(&section) {
        let prefix_octets = u64::try_from(message.prefix.len()).unwrap_or(u64::MAX);
        let end = message.row.octets.saturating_sub(prefix_octets);
        Some(Located { range: ByteRange { start: 0, end }, with_prefix: true })
    } else {
        root.and_then(|root| locate(root, &section))
    };
    let Some(located) = located else { return Ok(Text::Missing) };
    let prefix: &[u8] = if located.with_prefix { &message.prefix } else { &[] };
    let fields = match &section.text {
        SectionText::HeaderFields(names) => Some((names, true)),
        SectionText::HeaderFieldsNot(names) => Some((names, false)),
        _ => None,
    };
    if let Some((names, keep_named)) = fields {
        let mut header = prefix.to_vec();
        header.extend(mailstore.load_octets(user, message, located.range).await?);
        let selected = Bytes::from(select_fields(&header, names, keep_named));
        return Ok(Text::Whole(cut(&selected, partial)));
    }
    let prefix = Bytes::copy_from_slice(prefix);
    let prefix_octets = u64::try_from(prefix.len()).unwrap_or(u64::MAX);
    let (prefix, range) = match partial {
        None => (prefix, located.range),
        Some((offset, count)) => {
            // the partial counts from the prefix on
            let own = cut(&prefix, partial);
            let taken = u64::try_from(own.len()).unwrap_or(u64::MAX);
            let skip = offset.saturating_sub(prefix_octets);
            (own, located.range.partial(skip, count.saturating_sub(taken)))
        }
    };
    let ahead = range.partial(0, AHEAD_OCTETS);
    let beginning = if ahead.octets() == 0 {
        Bytes::new()
    } else {
        mailstore.load_octets(user, message, ahead).await?
    };
    if u64::try_from(beginning.len()) != Ok(ahead.octets()) {
        return Err(Error::Internal {
            reason: "content is shorter than its message",
            source: None,
        });
    }
    let rest = ByteRange { start: ahead.end, end: range.end };
    Ok(Text::Long { prefix, beginning, rest })
}

/// What [`copy_item`] found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Copied {
    /// No such part.
    Missing,
    /// BINARY of a part whose transfer encoding is not known.
    UnknownEncoding,
    /// All of it.
    Whole {
        /// Octets with the high bit are among it.
        has_8bit: bool,
        /// NULs are among it.
        has_nul: bool,
    },
}

/// Adds a section of a message to a spool, in pieces; false when there is no such part.
///
/// # Errors
/// `Unavailable`, `Internal`.
pub async fn copy_section(
    mailstore: &Mailstore,
    user: UserId,
    message: &Message,
    (section, partial): (&Section, Option<(u64, Option<u64>)>),
    spool: &mut Spool,
) -> Result<bool> {
    let partial = partial.map(|(offset, count)| (offset, count.unwrap_or(u64::MAX)));
    let body = BodySection { section: section.clone(), partial, peek: true };
    let item = FetchItem::Section(body);
    let copied = copy_item(mailstore, user, message, &item, spool).await?;
    Ok(matches!(copied, Copied::Whole { .. }))
}

/// [`copy_section`] for what a FETCH item asks for.
///
/// # Errors
/// `Unavailable`, `Internal`.
pub async fn copy_item(
    mailstore: &Mailstore,
    user: UserId,
    message: &Message,
    item: &FetchItem,
    spool: &mut Spool,
) -> Result<Copied> {
    let root = decode_tree(message)?;
    let (pieces, rest) = match load_text(mailstore, user, message, root.as_ref(), item).await? {
        Text::Missing | Text::Octets(_) => return Ok(Copied::Missing),
        Text::UnknownEncoding => return Ok(Copied::UnknownEncoding),
        Text::Whole(octets) => ([octets, Bytes::new()], ByteRange::default()),
        Text::Long { prefix, beginning, rest } => ([prefix, beginning], rest),
    };
    let (mut has_8bit, mut has_nul) = (false, false);
    let mut look = |octets: &[u8]| {
        has_8bit |= !octets.is_ascii();
        has_nul |= memchr::memchr(0, octets).is_some();
    };
    for piece in pieces {
        look(&piece);
        spool.push(&piece).await.map_err(spool_failed)?;
    }
    let mut at = 0;
    while at < rest.octets() && !spool.is_too_large() {
        let octets = mailstore.load_octets(user, message, rest.partial(at, PIECE_OCTETS)).await?;
        look(&octets);
        spool.push(&octets).await.map_err(spool_failed)?;
        at += PIECE_OCTETS;
    }
    Ok(Copied::Whole { has_8bit, has_nul })
}

/// The MIME tree of a message that was read with it.
///
/// # Errors
/// `Internal` when it cannot be read.
pub fn decode_tree(message: &Message) -> Result<Option<Part>> {
    if message.tree.is_empty() {
        return Ok(None);
    }
    let root = tree::decode(&message.tree);
    root.map(Some).ok_or(Error::Internal { reason: "unreadable MIME tree", source: None })
}

/// A part without its transfer encoding (RFC 9051 §6.4.5 BINARY).
async fn load_decoded(
    mailstore: &Mailstore,
    user: UserId,
    message: &Message,
    (root, path): (&Part, &[u32]),
    item: &FetchItem,
) -> Result<Text> {
    let Some(part) = tree::find(root, path) else { return Ok(Text::Missing) };
    let is_encoded = match part.encoding.as_str() {
        // what holds parts is never encoded itself (RFC 2045 §6.4)
        _ if path.is_empty() || part.is_multipart() || part.is_message() => false,
        "7bit" | "8bit" | "binary" | "" => false,
        "base64" | "quoted-printable" => true,
        _ => return Ok(Text::UnknownEncoding),
    };
    let is_size = matches!(item, FetchItem::BinarySize(_));
    if is_size && path.is_empty() {
        return Ok(Text::Octets(message.row.octets));
    }
    if is_size && !is_encoded {
        return Ok(Text::Octets(part.body.octets()));
    }
    let mut octets = mailstore.load_octets(user, message, part.body).await?;
    if is_encoded {
        octets = decode_body(&part.encoding, &octets).into();
    }
    if is_size {
        return Ok(Text::Octets(u64::try_from(octets.len()).unwrap_or(u64::MAX)));
    }
    Ok(Text::Whole(cut(&octets, asked(item).1)))
}

/// The partial of octets at hand.
fn cut(octets: &Bytes, partial: Option<(u64, u64)>) -> Bytes {
    let Some((offset, count)) = partial else { return octets.clone() };
    let end = u64::try_from(octets.len()).unwrap_or(u64::MAX);
    let range = ByteRange { start: 0, end }.partial(offset, count);
    match (usize::try_from(range.start), usize::try_from(range.end)) {
        (Ok(start), Ok(end)) => octets.slice(start..end),
        _ => Bytes::new(),
    }
}

impl Loaded {
    /// Writes the FETCH response. If the content cannot be read in the middle of a literal, nothing
    /// true can
    /// follow: the connection ends.
    pub async fn write(
        self,
        mailstore: &Mailstore,
        user: UserId,
        stream: &mut Stream,
        (style, number, is_recent): (Style, SeqNum, bool),
        plan: &Plan,
    ) -> Outcome<()> {
        if self.texts.iter().any(|text| matches!(text, Text::UnknownEncoding)) {
            // RFC 3516 §4.3: NO, and nothing of this message
            let text = "A part has an unknown transfer encoding";
            return Err(Reply::no(ResponseCode::UnknownCte, text).into());
        }
        let mut writer = FetchWriter::begin(stream.output(), style, number);
        let message = (&self.message, is_recent);
        plan.simple.iter().for_each(|item| write_of_message(&mut writer, item, message));
        for (item, text) in plan.sections.iter().zip(&self.texts) {
            let (prefix, beginning, rest) = match text {
                Text::Missing => {
                    write_string(&mut writer, item, None);
                    continue;
                }
                Text::Whole(octets) => {
                    write_string(&mut writer, item, Some(octets));
                    continue;
                }
                Text::Octets(octets) => {
                    if let FetchItem::BinarySize(path) = item {
                        writer.binary_size(path, *octets);
                    }
                    continue;
                }
                Text::UnknownEncoding => continue,
                Text::Long { prefix, beginning, rest } => (prefix, beginning, rest),
            };
            let octets = prefix.len() + beginning.len();
            let octets = u64::try_from(octets).unwrap_or(u64::MAX).saturating_add(rest.octets());
            if octets == 0 {
                write_string(&mut writer, item, Some(&[]));
                continue;
            }
            write_header(&mut writer, item, octets);
            stream.write(prefix).await?;
            stream.write(beginning).await?;
            write_rest(mailstore, user, &self.message, *rest, stream).await?;
            writer = FetchWriter::resume(stream.output(), style);
        }
        writer.end();
        stream.flush_if_full().await?;
        Ok(())
    }
}

async fn write_rest(
    mailstore: &Mailstore,
    user: UserId,
    message: &Message,
    rest: ByteRange,
    stream: &mut Stream,
) -> Outcome<()> {
    let mut at = 0;
    while at < rest.octets() {
        let piece = rest.partial(at, PIECE_OCTETS);
        let octets = mailstore.load_octets(user, message, piece).await.map_err(broken)?;
        if u64::try_from(octets.len()) != Ok(piece.octets()) {
            return Err(broken("content is shorter than its message").into());
        }
        stream.write(&octets).await?;
        at += piece.octets();
    }
    Ok(())
}

fn broken(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::other(reason)
}

const fn name_of(item: &FetchItem) -> &'static str {
    match item {
        FetchItem::Rfc822Header => "RFC822.HEADER",
        FetchItem::Rfc822Text => "RFC822.TEXT",
        _ => "RFC822",
    }
}

fn write_string(writer: &mut FetchWriter<'_>, item: &FetchItem, octets: Option<&[u8]>) {
    match item {
        FetchItem::Section(body) => writer.section(body, octets),
        FetchItem::Binary(body) => writer.binary(body, octets),
        FetchItem::BinarySize(path) => writer.binary_size(path, 0),
        item => writer.named_string(name_of(item), octets),
    }
}

fn write_header(writer: &mut FetchWriter<'_>, item: &FetchItem, octets: u64) {
    match item {
        FetchItem::Section(body) => writer.section_literal_header(body, octets),
        FetchItem::Binary(body) => writer.binary_literal_header(body, octets),
        item => writer.named_literal_header(name_of(item), octets),
    }
}
