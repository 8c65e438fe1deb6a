//! Storing a message in a mailbox: given whole, or composed from its fields
//! (`reference/http-api.md`, Messages).

use super::Context;
use super::access::{Grant, Resource};
use super::compose::{allowed_from, compose_on_pool, message_id, sender};
use super::extract::Call;
use super::files;
use super::params::{Params, Unknown};
use super::problem::{Problem, ProblemView};
use super::reference::{self, Reference, Referenced};
use super::reply::{Answer, Reply};
use super::upload_fields::{self, Composed};
use crate::mailstore::append::NewMessage;
use crate::model::error::{Error, Result};
use crate::model::flag::{Flag, FlagSet};
use crate::model::id::{MailboxId, ObjectId, UserId};
use crate::model::limits::MESSAGE_OCTETS_MAX;
use crate::model::mailbox::Mailbox;
use crate::model::uid::{Uid, UidSet};
use axum::extract::State;
use axum::http::StatusCode;
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Where the message went.
#[derive(Debug, Serialize, ToSchema)]
pub struct StoredMessageView {
    /// UID.
    pub id: u32,
    /// Mailbox id.
    pub mailbox: String,
    /// Octets.
    pub size: u64,
}

/// A stored message.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UploadedView {
    /// Always true.
    pub success: bool,
    /// The message.
    pub message: StoredMessageView,
    /// With `replacePrevious`: the previous message is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_deleted: Option<bool>,
    /// With `replacePrevious`: why it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_delete_error: Option<String>,
}

/// What to store.
enum Source {
    Raw(Bytes),
    Composed(Box<Composed>),
}

/// A read upload.
struct Upload {
    source: Source,
    is_draft: bool,
    flags: FlagSet,
    internal_date: i64,
    meta: Option<String>,
    previous: Option<(Option<MailboxId>, Uid)>,
    reference: Option<Reference>,
    files: Vec<ObjectId>,
    /// Keys of `delivery::info`.
    info: Map<String, Value>,
}

impl Upload {
    fn read(params: &mut Params, now_ms: i64) -> Self {
        let reference = reference::read(params, true);
        // what answers a message is written before it is sent
        let is_draft = params.boolean("draft").or(false) || reference.is_some();
        let mut bits = if is_draft { Flag::Draft.bit() } else { 0 };
        if !params.boolean("unseen").or(false) {
            bits |= Flag::Seen.bit();
        }
        if params.boolean("flagged").or(false) {
            bits |= Flag::Flagged.bit();
        }
        params.not_supported_yet(&["bimi"]);
        let internal_date = params.date("date").or(now_ms);
        let raw = read_raw(params);
        // the fields are read in any case: they are allowed beside a raw message, which wins
        let composed = Composed::read(params);
        Self {
            source: raw.map_or(Source::Composed(Box::new(composed)), Source::Raw),
            is_draft,
            flags: FlagSet::new(bits, Vec::new()),
            internal_date,
            meta: params.json("metaData").optional(),
            previous: upload_fields::previous(params),
            info: reference.as_ref().map(Reference::info_fields).unwrap_or_default(),
            reference,
            files: files::read_ids(params),
        }
    }
}

/// The whole message: the body itself, a file of a form, or text that is taken literally.
fn read_raw(params: &mut Params) -> Option<Bytes> {
    let raw = if let Some(body) = params.take_body() {
        if body.content_type != "message/rfc822" && body.content_type != "message/global" {
            params.fail("raw", "\"raw\" must be sent with the type message/rfc822");
        }
        Some(body.content)
    } else if let Some(file) = params.take_file("raw") {
        Some(file.content)
    } else {
        let chars_max = usize::try_from(MESSAGE_OCTETS_MAX).unwrap_or(usize::MAX);
        params.text_or_empty("raw", chars_max).optional().map(Bytes::from)
    }?;
    if u64::try_from(raw.len()).unwrap_or(u64::MAX) > MESSAGE_OCTETS_MAX {
        params.fail("raw", format!("\"raw\" has at most {MESSAGE_OCTETS_MAX} octets"));
    }
    Some(raw)
}

/// Upload a message
///
/// Stores a message given as `message/rfc822` body, as file or text `raw`, or composed from its
/// fields.
#[utoipa::path(
    post, path = "/users/{user}/mailboxes/{mailbox}/messages",
    tag = "Messages", operation_id = "uploadMessage",
    params(
        ("user" = String, Path, description = "User id, or `me`"),
        ("mailbox" = String, Path, description = "Mailbox id")
    ),
    request_body(content(
        (upload_fields::UploadMessageRequest = "application/json"),
        (Vec<u8> = "message/rfc822")
    )),
    responses(
        (status = 200, description = "Stored", body = UploadedView),
        (status = 400, description = "`OverQuotaError`, `EmptyMessage`, `InputValidationError`",
            body = ProblemView),
        (status = 403, description = "`UserDisabled`", body = ProblemView),
        (status = 404, description = "`NoSuchMailbox`, `UserNotFound`", body = ProblemView)
    )
)]
pub async fn upload(State(ctx): State<Context>, mut call: Call) -> Answer {
    let params = &mut call.params;
    let (user, mailbox) = (params.user(), params.id("mailbox").required());
    // who may not is told so, whatever else is wrong
    ctx.authorize(params.caller(), Resource::Messages, Grant::Create, user)?;
    let mut upload = Upload::read(params, ctx.clock.now_ms());
    params.session();
    call.params.finish(Unknown::Rejected)?;
    let mailbox = load_mailbox(&ctx, user, mailbox).await?;
    let content = content(&ctx, user, &mut upload).await?;
    let stored = store(&ctx, user, &mailbox, &upload, content).await?;
    let mut view = UploadedView {
        success: true,
        message: stored,
        previous_deleted: None,
        previous_delete_error: None,
    };
    if let Some((in_mailbox, uid)) = upload.previous {
        match delete_previous(&ctx, user, in_mailbox.unwrap_or(mailbox.id), uid).await {
            Ok(()) => view.previous_deleted = Some(true),
            Err(error) => view.previous_delete_error = Some(error.to_string()),
        }
    }
    Ok(Reply::json(&view))
}

async fn load_mailbox(ctx: &Context, user: UserId, id: MailboxId) -> Result<Mailbox, Problem> {
    match ctx.mailstore.find_mailbox(user, id).await? {
        Some(mailbox) => Ok(mailbox),
        None => {
            super::mailboxes::check_user(&ctx.mailstore, user).await?;
            Err(Error::NotFound { what: "mailbox" }.into())
        }
    }
}

/// The octets to store.
async fn content(ctx: &Context, user: UserId, upload: &mut Upload) -> Result<Bytes, Problem> {
    let sender = sender(ctx, user).await?;
    let referenced = load_reference(ctx, user, upload).await?;
    let (attached, noted) = files::load_all(ctx, user, &upload.files).await?;
    if !attached.is_empty() {
        upload.info.insert("files".into(), noted);
    }
    let octets = match &mut upload.source {
        Source::Raw(raw) => normalise(std::mem::take(raw)),
        Source::Composed(composed)
            if composed.is_empty() && attached.is_empty() && !upload.is_draft =>
        {
            Bytes::new()
        }
        Source::Composed(composed) => {
            let mut draft = std::mem::take(&mut composed.draft);
            draft.attachments.extend(attached);
            if let Some(referenced) = referenced {
                referenced.apply(&mut draft, &sender);
            }
            draft.from = Some(allowed_from(draft.from.take(), &sender, upload.is_draft));
            draft.date_ms = upload.internal_date;
            draft.message_id = message_id(&draft);
            compose_on_pool(draft).await?
        }
    };
    if octets.is_empty() {
        let text = "The message is empty";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "EmptyMessage", text));
    }
    if u64::try_from(octets.len()).unwrap_or(u64::MAX) > MESSAGE_OCTETS_MAX {
        let reason = format!("the message has at most {MESSAGE_OCTETS_MAX} octets");
        return Err(Problem::invalid("attachments", reason));
    }
    Ok(octets)
}

async fn load_reference(
    ctx: &Context,
    user: UserId,
    upload: &Upload,
) -> Result<Option<Referenced>, Problem> {
    match &upload.reference {
        Some(reference) => reference.load(&ctx.mailstore, user).await,
        None => Ok(None),
    }
}

/// Bare line feeds become CRLF; a message that has none is stored as it came.
fn normalise(raw: Bytes) -> Bytes {
    // RFC 5322 §2.3: CR and LF only occur together; IMAP clients rely on it
    let is_bare = |at: usize| at == 0 || raw.get(at - 1) != Some(&b'\r');
    let bare = memchr::memchr_iter(b'\n', &raw).filter(|at| is_bare(*at)).count();
    if bare == 0 {
        return raw;
    }
    let mut lines = Vec::with_capacity(raw.len() + bare);
    let mut start = 0;
    for at in memchr::memchr_iter(b'\n', &raw).filter(|at| is_bare(*at)) {
        lines.extend_from_slice(raw.get(start..at).unwrap_or_default());
        lines.extend_from_slice(b"\r\n");
        start = at + 1;
    }
    lines.extend_from_slice(raw.get(start..).unwrap_or_default());
    lines.into()
}

async fn store(
    ctx: &Context,
    user: UserId,
    mailbox: &Mailbox,
    upload: &Upload,
    content: Bytes,
) -> Result<StoredMessageView, Problem> {
    let size = u64::try_from(content.len()).unwrap_or(u64::MAX);
    let prepared = ctx.mailstore.prepare(content).await?;
    let message = NewMessage {
        prepared: prepared.clone(),
        prefix: Bytes::new(),
        flags: upload.flags.clone(),
        internal_date: upload.internal_date,
        meta: upload.meta.clone(),
        info: (!upload.info.is_empty()).then(|| Value::Object(upload.info.clone()).to_string()),
    };
    let message = ctx.mailstore.encrypted(user, mailbox.encrypt_messages, message).await?;
    let appended = ctx.mailstore.append(user, mailbox.id, vec![message]).await?;
    let appended = appended
        .first()
        .ok_or(Error::Internal { reason: "an append without a message", source: None })?;
    if !upload.is_draft {
        ctx.delivery.note_stored(user, mailbox, &prepared).await;
    }
    Ok(StoredMessageView { id: appended.uid, mailbox: mailbox.id.to_string(), size })
}

async fn delete_previous(
    ctx: &Context,
    user: UserId,
    mailbox: MailboxId,
    uid: Uid,
) -> Result<(), Error> {
    let removed = ctx.mailstore.remove(user, mailbox, &UidSet::from_range(uid, uid)).await?;
    if removed.is_empty() { Err(Error::NotFound { what: "message" }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_line_feeds_become_line_ends() {
        let normal = |raw: &'static [u8]| normalise(Bytes::from_static(raw));
        assert_eq!(normal(b"\na\nb\r\n\n"), "\r\na\r\nb\r\n\r\n");
        assert_eq!(normal(b"a\r\n\r\nb"), "a\r\n\r\nb");
        assert_eq!(normal(b""), "");
    }
}
