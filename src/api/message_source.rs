//! The octets of a message: its source, its attachments, its texts; read in bounded pieces.

use super::Context;
use super::access::{Grant, Resource};
use super::extract::Call;
use super::params::Unknown;
use super::problem::{Problem, ProblemView};
use super::reply::{Answer, Reply};
use crate::codec::mime::display::{Attachment, Layout};
use crate::codec::mime::fields::Fields as HeaderFields;
use crate::codec::mime::stream_decode::StreamDecoder;
use crate::codec::mime::{text, tree};
use crate::mailstore::Mailstore;
use crate::mailstore::fetch::Fields;
use crate::model::error::{Error, Result};
use crate::model::id::{MailboxId, UserId};
use crate::model::limits::CHUNK_OCTETS;
use crate::model::message::Message;
use crate::model::structure::{ByteRange, Part};
use crate::model::uid::Uid;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::{Stream, stream};
use std::io;

/// Octets of a header that are read.
pub const HEADER_OCTETS_MAX: u64 = 256 * 1024;
/// Octets of a text attachment that is converted to UTF-8; larger ones come as they are.
const CONVERTED_OCTETS_MAX: u64 = 16 * 1024 * 1024;

/// One message, or 404 `MessageNotFound`.
///
/// # Errors
/// As `Mailstore::find_message`.
pub async fn find(
    mailstore: &Mailstore,
    user: UserId,
    mailbox: MailboxId,
    uid: Uid,
    fields: Fields,
) -> Result<Message> {
    let found = mailstore.find_message(user, mailbox, uid, fields).await?;
    found.ok_or(Error::NotFound { what: "message" })
}

/// The tree of a message that was read with [`Fields::tree`].
///
/// # Errors
/// `Internal` when it cannot be read.
pub fn tree_of(message: &Message) -> Result<Part> {
    tree::decode(&message.tree)
        .ok_or(Error::Internal { reason: "a stored MIME tree cannot be read", source: None })
}

/// The header fields of a part, as far as [`HEADER_OCTETS_MAX`].
///
/// # Errors
/// As `Mailstore::load_octets`.
pub async fn load_fields(
    mailstore: &Mailstore,
    user: UserId,
    message: &Message,
    part: &Part,
) -> Result<HeaderFields> {
    let range = part.header.partial(0, HEADER_OCTETS_MAX);
    Ok(HeaderFields::read(&mailstore.load_octets(user, message, range).await?))
}

/// Message source
///
/// The message as RFC 5322 octets: the trace header in front, then the octets that were received.
#[utoipa::path(
    get, path = "/users/{user}/mailboxes/{mailbox}/messages/{message}/message.eml",
    tag = "Messages", operation_id = "showMessageSource",
    params(
        ("user" = String, Path, description = "User id, or `me`"),
        ("mailbox" = String, Path, description = "Mailbox id"),
        ("message" = u32, Path, description = "UID")
    ),
    responses(
        (status = 200, description = "The message", content_type = "message/rfc822",
            body = Vec<u8>),
        (status = 404, description = "`MessageNotFound`", body = ProblemView)
    )
)]
pub async fn source(State(ctx): State<Context>, mut call: Call) -> Answer {
    let params = &mut call.params;
    let (user, mailbox) = (params.user(), params.id("mailbox").required());
    let uid = params.uid("message").required();
    params.session();
    let caller = call.params.finish(Unknown::Rejected)?;
    ctx.authorize(&caller, Resource::Messages, Grant::Read, user)?;
    let message = find(&ctx.mailstore, user, mailbox, uid, Fields::default()).await?;
    let prefix_octets = u64::try_from(message.prefix.len()).unwrap_or(0);
    let range = ByteRange { start: 0, end: message.row.octets.saturating_sub(prefix_octets) };
    let octets = message.row.octets;
    let prefix = Bytes::from(message.prefix.clone());
    let content = pieces(ctx.mailstore.clone(), user, message, range, StreamDecoder::new("binary"));
    let body = stream::once(async move { Ok(prefix) });
    let body = futures_util::StreamExt::chain(body, content);
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("message/rfc822"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(octets));
    Ok(Reply::raw(response))
}

/// Download an attachment
///
/// The decoded octets of one attachment.
#[utoipa::path(
    get, path = "/users/{user}/mailboxes/{mailbox}/messages/{message}/attachments/{attachment}",
    tag = "Messages", operation_id = "showAttachment",
    params(
        ("user" = String, Path, description = "User id, or `me`"),
        ("mailbox" = String, Path, description = "Mailbox id"),
        ("message" = u32, Path, description = "UID"),
        ("attachment" = String, Path, description = "Attachment id", example = "ATT00001"),
        ("sendAsString" = Option<bool>, Query, description = "Convert text to UTF-8")
    ),
    responses(
        (status = 200, description = "The attachment", content_type = "application/octet-stream",
            body = Vec<u8>),
        (status = 404, description = "`MessageNotFound`, `AttachmentNotFound`", body = ProblemView)
    )
)]
pub async fn attachment(State(ctx): State<Context>, mut call: Call) -> Answer {
    let params = &mut call.params;
    let (user, mailbox) = (params.user(), params.id("mailbox").required());
    let uid = params.uid("message").required();
    let id = params.text("attachment", 255).required().to_ascii_uppercase();
    let as_text = params.boolean("sendAsString").or(false);
    if id.strip_prefix("ATT").is_none_or(|n| n.is_empty() || n.bytes().any(|b| !b.is_ascii_digit()))
    {
        params.fail("attachment", "\"attachment\" must be an attachment id like ATT00001");
    }
    let caller = call.params.finish(Unknown::Rejected)?;
    ctx.authorize(&caller, Resource::Attachments, Grant::Read, user)?;
    let fields = Fields { tree: true, ..Fields::default() };
    let message = find(&ctx.mailstore, user, mailbox, uid, fields).await?;
    let root = tree_of(&message)?;
    let layout = Layout::of(&root);
    let attachment = layout.attachment(&id).ok_or(Error::NotFound { what: "attachment" })?;
    let fields = load_fields(&ctx.mailstore, user, &message, attachment.part).await?;
    let mut response =
        attachment_response(&ctx.mailstore, user, &message, attachment, as_text).await?;
    if let Some(disposition) = disposition_of(&fields) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, disposition);
    }
    Ok(Reply::raw(response))
}

/// The part's own Content-Disposition, unless it has octets that a header field has not.
fn disposition_of(fields: &HeaderFields) -> Option<HeaderValue> {
    let text = fields.text("content-disposition")?;
    let is_clean = text.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
    let main = text.split(';').next().unwrap_or_default().trim();
    let text = if is_clean && text.len() <= 4096 { text } else { main };
    HeaderValue::from_str(text).ok()
}

async fn attachment_response(
    mailstore: &Mailstore,
    user: UserId,
    message: &Message,
    attachment: &Attachment<'_>,
    as_text: bool,
) -> Result<Response, Problem> {
    let part = attachment.part;
    let is_converted =
        as_text && part.media_type == "text" && part.body.octets() <= CONVERTED_OCTETS_MAX;
    let mut content_type = attachment.content_type();
    let mut response = if is_converted {
        let octets = mailstore.load_octets(user, message, part.body).await?;
        content_type.push_str("; charset=utf-8");
        Response::new(Body::from(text::decode_text(part, &octets)))
    } else {
        let decoder = StreamDecoder::new(&part.encoding);
        let length = decoder.is_identity().then(|| part.body.octets());
        let body = pieces(mailstore.clone(), user, message.clone(), part.body, decoder);
        let mut response = Response::new(Body::from_stream(body));
        if let Some(length) = length {
            response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        response
    };
    let octet_stream = HeaderValue::from_static("application/octet-stream");
    let content_type = HeaderValue::from_str(&content_type).unwrap_or(octet_stream);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    // what strangers sent never runs as a page of ours
    let policy = HeaderValue::from_static("sandbox; default-src 'none'");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    let nosniff = HeaderName::from_static("x-content-type-options");
    headers.insert(nosniff, HeaderValue::from_static("nosniff"));
    *response.status_mut() = StatusCode::OK;
    Ok(response)
}

struct Reading {
    mailstore: Mailstore,
    user: UserId,
    message: Message,
    left: ByteRange,
    decoder: StreamDecoder,
    is_finished: bool,
}

/// A range of a content, decoded, one chunk at a time: the next is read when the client has taken
/// the last.
fn pieces(
    mailstore: Mailstore,
    user: UserId,
    message: Message,
    range: ByteRange,
    decoder: StreamDecoder,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let reading = Reading { mailstore, user, message, left: range, decoder, is_finished: false };
    stream::try_unfold(reading, |mut reading| async move {
        match reading.next().await.map_err(|error| {
            tracing::warn!(%error, "a message could not be read to its end");
            io::Error::other(error)
        })? {
            Some(piece) => Ok(Some((piece, reading))),
            None => Ok(None),
        }
    })
}

impl Reading {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        let chunk_octets = u64::try_from(CHUNK_OCTETS).unwrap_or(u64::MAX);
        while self.left.octets() > 0 {
            let range = self.left.partial(0, chunk_octets);
            let piece = self.mailstore.load_octets(self.user, &self.message, range).await?;
            if piece.is_empty() {
                let reason = "a content is shorter than its message says";
                return Err(Error::Internal { reason, source: None });
            }
            self.left.start = range.end;
            if self.decoder.is_identity() {
                return Ok(Some(piece));
            }
            let decoded = self.decoder.push(&piece);
            if !decoded.is_empty() {
                return Ok(Some(decoded.into()));
            }
        }
        if self.is_finished {
            return Ok(None);
        }
        self.is_finished = true;
        let rest = self.decoder.finish();
        Ok((!rest.is_empty()).then(|| rest.into()))
    }
}
