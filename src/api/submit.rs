//! Composing and sending a message (`reference/http-api.md`, Submission).

use super::Context;
use super::access::{Grant, Resource};
use super::compose::{Sender, allowed_from, compose_on_pool, message_id, sender};
use super::extract::Call;
use super::params::{Params, Unknown};
use super::problem::{Problem, ProblemView};
use super::reference::{self, Reference};
use super::reply::{Answer, Reply};
use super::upload_fields::{self, Composed};
use crate::codec::mime::build::Draft;
use crate::delivery::submit::{Copy, Submission, Submitted};
use crate::mailstore::append::NewMessage;
use crate::model::address::EmailAddress;
use crate::model::dsn::MessageOptions;
use crate::model::error::{Error, Result};
use crate::model::flag::{Flag, FlagSet};
use crate::model::id::{MailboxId, UserId};
use crate::model::mailbox::SpecialUse;
use crate::model::structure::NamedAddress;
use crate::model::transaction::ForwardPath;
use crate::model::uid::{Uid, UidSet};
use axum::extract::State;
use axum::http::StatusCode;
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// What was sent or stored.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubmittedMessageView {
    /// UID of the stored message; `false`: there is none.
    #[schema(value_type = Value)]
    pub id: Value,
    /// Its mailbox; `false`: there is none.
    #[schema(value_type = Value)]
    pub mailbox: Value,
    /// Name in the queue; `false`: it was only stored.
    #[schema(value_type = Value)]
    pub queue_id: Value,
    /// It was sent, but there is no room for a copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub over_quota: Option<bool>,
}

/// A submitted message.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubmittedView {
    /// Always true.
    pub success: bool,
    /// What was sent or stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<SubmittedMessageView>,
}

/// A message to send.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(missing_docs, reason = "documentation of the body only")]
pub struct SubmitRequest {
    /// Where the copy goes; default: the mailbox for sent messages, for drafts that for drafts.
    pub mailbox: Option<String>,
    /// One of the user's own addresses; others are replaced by his main one.
    pub from: Option<upload_fields::AddressRequest>,
    pub reply_to: Option<upload_fields::AddressRequest>,
    pub to: Option<Vec<upload_fields::AddressRequest>>,
    pub cc: Option<Vec<upload_fields::AddressRequest>>,
    /// In the copy, not in what others get.
    pub bcc: Option<Vec<upload_fields::AddressRequest>>,
    pub headers: Option<Vec<upload_fields::HeaderRequest>>,
    #[schema(max_length = 2048)]
    pub subject: Option<String>,
    pub text: Option<String>,
    pub html: Option<String>,
    pub attachments: Option<Vec<upload_fields::AttachmentRequest>>,
    /// The caller's own data, stored with the copy.
    #[schema(value_type = Option<Object>)]
    pub meta: Option<Value>,
    /// `{mailbox, id, action}` of the message that is answered (`reply`, `replyAll`) or sent on
    /// (`forward`).
    #[schema(value_type = Option<Object>)]
    pub reference: Option<Value>,
    /// Store as a draft, do not send.
    pub is_draft: Option<bool>,
    /// `{mailbox, id}` of the draft that is deleted once the message is sent.
    #[schema(value_type = Option<Object>)]
    pub draft: Option<Value>,
    /// Not before.
    pub send_time: Option<String>,
    /// Store as sent, do not send.
    pub upload_only: Option<bool>,
    /// `{from, to}` instead of those of the message.
    #[schema(value_type = Option<Object>)]
    pub envelope: Option<Value>,
}

/// A read request.
struct Request {
    mailbox: Option<MailboxId>,
    draft: Draft,
    meta: Option<String>,
    reference: Option<Reference>,
    is_draft: bool,
    is_upload: bool,
    replaced: Option<(MailboxId, Uid)>,
    due_ms: Option<i64>,
    envelope: Envelope,
}

/// The envelope that was asked for.
#[derive(Default)]
struct Envelope {
    from: Option<EmailAddress>,
    to: Vec<EmailAddress>,
}

impl Request {
    fn read(p: &mut Params) -> Self {
        let replaced = p.parsed("draft", "must have mailbox and id", |value| {
            let fields = value.as_object()?;
            let mailbox = fields.get("mailbox")?.as_str()?.to_ascii_lowercase().parse().ok()?;
            let uid = super::params::integer_of(fields.get("id")?)?;
            Some((mailbox, Uid::try_from(uid).ok().filter(|uid| *uid > 0)?))
        });
        let replaced = replaced.optional();
        let expected = "must have, if any, from and to with addresses";
        Self {
            mailbox: p.id("mailbox").optional(),
            draft: Composed::read(p).draft,
            meta: p.json("meta").optional(),
            reference: reference::read(p, false),
            is_draft: p.boolean("isDraft").or(false),
            is_upload: p.boolean("uploadOnly").or(false),
            replaced,
            due_ms: p.date("sendTime").optional(),
            envelope: p
                .parsed_in("envelope", expected, read_envelope)
                .optional()
                .unwrap_or_default(),
        }
    }
}

/// The envelope, or the path of what is wrong with it.
fn read_envelope(value: &Value) -> Result<Envelope, String> {
    let fields = value.as_object().ok_or_else(String::new)?;
    let sent = |name: &str| fields.get(name).filter(|value| !value.is_null());
    let address = |value: &Value, path: String| {
        let text = value.get("address").and_then(Value::as_str).map(str::trim);
        let address = text.and_then(|text| EmailAddress::new(text).ok());
        address.ok_or_else(|| format!("{path},address"))
    };
    let from = sent("from").map(|value| address(value, "from".to_owned())).transpose()?;
    let to = match sent("to") {
        Some(value) => {
            let items = value.as_array().ok_or("to")?.iter().enumerate();
            items.map(|(at, item)| address(item, format!("to,{at}"))).collect::<Result<_, _>>()?
        }
        None => Vec::new(),
    };
    Ok(Envelope { from, to })
}

/// Send a message
///
/// Composes a message, sends it, and stores a copy; or only stores it, as a draft or as sent.
#[utoipa::path(
    post, path = "/users/{user}/submit", tag = "Submission", operation_id = "submitMessage",
    params(("user" = String, Path, description = "The user's id, or `me`")),
    request_body = SubmitRequest,
    responses(
        (status = 200, description = "Sent or stored", body = SubmittedView),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "`UserDisabled`, `TooMany`, `RateLimitedError`; not permitted",
            body = ProblemView),
        (status = 404, description = "`NoSuchMailbox`", body = ProblemView),
        (status = 500, description = "`ERRCOMPOSE`, `InternalDatabaseError`", body = ProblemView)
    )
)]
pub async fn submit(State(ctx): State<Context>, mut call: Call) -> Answer {
    let p = &mut call.params;
    let user = p.user();
    p.session();
    // who may not is told so, whatever else is wrong
    ctx.authorize(p.caller(), Resource::Messages, Grant::Create, user)?;
    let mut request = Request::read(p);
    call.params.finish(Unknown::Ignored)?;
    let sender = match sender(&ctx, user).await {
        // the reference's answer for a user who does not exist
        Err(problem) if problem.status == StatusCode::NOT_FOUND => return Ok(Reply::success()),
        sender => sender?,
    };
    let use_ = if request.is_draft { SpecialUse::Drafts } else { SpecialUse::Sent };
    let mailbox = mailbox(&ctx, user, request.mailbox, use_).await?;
    complete(&ctx, user, &sender, &mut request).await?;
    let message = if request.is_draft || request.is_upload {
        store(&ctx, user, request, mailbox).await?
    } else {
        send(&ctx, user, &sender, request, mailbox).await?
    };
    Ok(Reply::json(&SubmittedView { success: true, message: Some(message) }))
}

/// The mailbox that was named, or the one of this use, or INBOX.
///
/// # Errors
/// `NotFound` mailbox.
pub async fn mailbox(
    ctx: &Context,
    user: UserId,
    named: Option<MailboxId>,
    special_use: SpecialUse,
) -> Result<MailboxId> {
    let missing = Error::NotFound { what: "mailbox" };
    if let Some(id) = named {
        return ctx.mailstore.find_mailbox(user, id).await?.map(|found| found.id).ok_or(missing);
    }
    let all = ctx.mailstore.list_mailboxes(user).await?;
    let of_use = all.iter().find(|mailbox| mailbox.special_use == Some(special_use));
    of_use.or_else(|| all.first()).map(|mailbox| mailbox.id).ok_or(missing)
}

/// Completes the draft: what follows from the message it answers, From, date and Message-ID.
async fn complete(
    ctx: &Context,
    user: UserId,
    sender: &Sender,
    request: &mut Request,
) -> Result<(), Problem> {
    let draft = &mut request.draft;
    if let Some(reference) = &request.reference
        && let Some(referenced) = reference.load(&ctx.mailstore, user).await?
    {
        referenced.apply(draft, sender);
    }
    draft.from = Some(allowed_from(draft.from.take(), sender, !request.is_upload));
    let now = ctx.clock.now_ms();
    draft.date_ms = request.due_ms.map_or(now, |due| due.max(now));
    draft.message_id = message_id(draft);
    Ok(())
}

/// The octets of a completed draft.
async fn composed(draft: Draft) -> Result<Bytes, Problem> {
    compose_on_pool(draft).await.map_err(|error| match error {
        // a parameter that cannot be written
        error @ Error::Invalid { .. } => Problem::from(error),
        error => {
            let text = error.to_string();
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "ERRCOMPOSE", text)
        }
    })
}

/// Stores without sending.
async fn store(
    ctx: &Context,
    user: UserId,
    mut request: Request,
    mailbox: MailboxId,
) -> Result<SubmittedMessageView, Problem> {
    let content = composed(std::mem::take(&mut request.draft)).await?;
    let draft = if request.is_draft { Flag::Draft.bit() } else { 0 };
    let message = NewMessage {
        prepared: ctx.mailstore.prepare(content).await?,
        prefix: Bytes::new(),
        flags: FlagSet::new(Flag::Seen.bit() | draft, Vec::new()),
        internal_date: ctx.clock.now_ms(),
        meta: request.meta.clone(),
        info: kept_info(&request).map(|info| Value::Object(info).to_string()),
    };
    let message = ctx.mailstore.encrypted_in((user, mailbox), message).await?;
    let appended = ctx.mailstore.append(user, mailbox, vec![message]).await?;
    let uid = appended.first().map(|appended| json!(appended.uid));
    delete_replaced(ctx, user, request.replaced).await;
    Ok(SubmittedMessageView {
        id: uid.unwrap_or(Value::Bool(false)),
        mailbox: json!(mailbox.to_string()),
        queue_id: Value::Bool(false),
        over_quota: None,
    })
}

/// What a draft keeps for the day it is sent.
fn kept_info(request: &Request) -> Option<Map<String, Value>> {
    let mut info = request.reference.as_ref().map(Reference::info_fields).unwrap_or_default();
    let Envelope { from, to } = &request.envelope;
    if from.is_some() || !to.is_empty() {
        let from = from.as_ref().map(ToString::to_string);
        let to: Vec<String> = to.iter().map(ToString::to_string).collect();
        info.insert("envelope".to_owned(), json!({ "from": from, "to": to }));
    }
    (!info.is_empty()).then_some(info)
}

async fn send(
    ctx: &Context,
    user: UserId,
    sender: &Sender,
    mut request: Request,
    mailbox: MailboxId,
) -> Result<SubmittedMessageView, Problem> {
    let draft = &request.draft;
    let recipients = match request.envelope.to.is_empty() {
        false => distinct(request.envelope.to.clone()),
        true => recipients([&draft.to, &draft.cc, &draft.bcc]),
    };
    if recipients.is_empty() {
        return store(ctx, user, request, mailbox).await;
    }
    let from = reverse_path(request.envelope.from.take(), draft, sender)?;
    let content = composed(std::mem::take(&mut request.draft)).await?;
    let submission = Submission {
        user,
        sender: Some(from),
        with: "HTTP",
        recipients: recipients.into_iter().map(ForwardPath::new).collect(),
        options: MessageOptions::default(),
        content,
        due_ms: request.due_ms,
        copy: Some(Copy {
            mailbox,
            flags: FlagSet::new(Flag::Seen.bit(), Vec::new()),
            meta: request.meta.clone(),
            info: request.reference.as_ref().map(Reference::info_fields).unwrap_or_default(),
        }),
    };
    let submitted = ctx.delivery.submit(submission).await?;
    if let Some(reference) = &request.reference
        && let Err(error) = reference.mark(&ctx.mailstore, user).await
    {
        tracing::warn!(user.id = %user, %error, "an answered message was not flagged");
    }
    delete_replaced(ctx, user, request.replaced).await;
    Ok(view(&submitted, mailbox))
}

/// The view of a sent message. That there is no copy is not a failure of sending.
pub fn view(submitted: &Submitted, mailbox: MailboxId) -> SubmittedMessageView {
    let queue_id = json!(submitted.queue_id.to_string());
    let no = || Value::Bool(false);
    match &submitted.copy {
        Some(Ok(appended)) => SubmittedMessageView {
            id: json!(appended.uid),
            mailbox: json!(mailbox.to_string()),
            queue_id,
            over_quota: None,
        },
        Some(Err(error)) => {
            tracing::warn!(queue.id = %submitted.queue_id, %error, "no copy of a sent message");
            let over_quota = matches!(error, Error::OverQuota).then_some(true);
            SubmittedMessageView { id: no(), mailbox: no(), queue_id, over_quota }
        }
        None => SubmittedMessageView { id: no(), mailbox: no(), queue_id, over_quota: None },
    }
}

/// The envelope's sender: what was asked for if it is his own, else the message's From.
fn reverse_path(
    asked: Option<EmailAddress>,
    draft: &Draft,
    sender: &Sender,
) -> Result<EmailAddress, Problem> {
    if let Some(asked) = asked.filter(|asked| sender.may_send_from(&asked.to_string())) {
        return Ok(asked);
    }
    let from = draft.from.as_ref().map(|from| from.address.as_str());
    EmailAddress::new(from.unwrap_or(&sender.own.address)).map_err(|_| {
        let text = "The user has no address to send from";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "MessageRejected", text)
    })
}

/// Each address of these fields once.
pub fn recipients<const N: usize>(fields: [&Vec<NamedAddress>; N]) -> Vec<EmailAddress> {
    let all = fields.into_iter().flatten();
    distinct(all.filter_map(|named| EmailAddress::new(named.address.trim()).ok()).collect())
}

fn distinct(mut addresses: Vec<EmailAddress>) -> Vec<EmailAddress> {
    let mut seen = std::collections::HashSet::new();
    addresses.retain(|address| seen.insert(address.to_string().to_lowercase()));
    addresses
}

/// Deletes the draft that was sent; it may be gone already.
pub async fn delete_replaced(ctx: &Context, user: UserId, replaced: Option<(MailboxId, Uid)>) {
    let Some((mailbox, uid)) = replaced else { return };
    match ctx.mailstore.remove(user, mailbox, &UidSet::from_range(uid, uid)).await {
        Ok(_) | Err(Error::NotFound { .. }) => {}
        Err(error) => tracing::warn!(user.id = %user, %error, "a sent draft was not deleted"),
    }
}
