//! Stored messages that leave: drafts, messages sent on; and cancelling what is queued
//! (`reference/http-api.md`, Messages).

use super::Context;
use super::access::{Grant, Resource};
use super::compose::{Sender, message_id, sender};
use super::extract::Call;
use super::message_source::{find, load_fields, tree_of};
use super::params::Unknown;
use super::problem::{Problem, ProblemView};
use super::reference::Reference;
use super::reply::{Answer, Reply};
use super::submit::{delete_replaced, mailbox, recipients};
use crate::codec::mime::build::Draft;
use crate::codec::mime::fields::{Fields as HeaderFields, Recipient};
use crate::delivery::info;
use crate::delivery::submit::{Copy, Submission, redated};
use crate::mailstore::fetch::Fields;
use crate::model::address::EmailAddress;
use crate::model::dsn::MessageOptions;
use crate::model::error::Result;
use crate::model::flag::{Flag, FlagSet};
use crate::model::id::{MailboxId, ObjectId, UserId};
use crate::model::mailbox::SpecialUse;
use crate::model::message::Message;
use crate::model::structure::{ByteRange, NamedAddress};
use crate::model::target::{ForwardTarget, TargetKind};
use crate::model::transaction::ForwardPath;
use crate::model::uid::Uid;
use crate::queue::finish::Cancelled;
use axum::extract::State;
use axum::http::StatusCode;
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Where a sent draft went.
#[derive(Debug, Serialize, ToSchema)]
pub struct SentDraftMessageView {
    /// UID.
    pub id: Uid,
    /// Mailbox id.
    pub mailbox: String,
    /// Octets.
    pub size: u64,
}

/// A sent draft.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SentDraftView {
    /// Always true.
    pub success: bool,
    /// Name in the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_id: Option<String>,
    /// Where its copy went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<SentDraftMessageView>,
}

/// What a draft is sent with.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct SubmitDraftRequest {
    /// Delete the stored files the draft used.
    pub delete_files: Option<bool>,
    /// Not before.
    pub send_time: Option<String>,
}

/// Send a draft
///
/// It moves to the mailbox for sent messages with the date it is sent.
#[utoipa::path(
    post, path = "/users/{user}/mailboxes/{mailbox}/messages/{message}/submit",
    tag = "Submission", operation_id = "submitDraft",
    params(
        ("user" = String, Path, description = "The user's id, or `me`"),
        ("mailbox" = String, Path, description = "Mailbox id"),
        ("message" = u32, Path, description = "UID")
    ),
    request_body = SubmitDraftRequest,
    responses(
        (status = 200, description = "Sent; without recipients only `success`",
            body = SentDraftView),
        (status = 400, description = "`MessageNotDraft`; a parameter was refused",
            body = ProblemView),
        (status = 403, description = "`UserDisabled`, `TooMany`, `RateLimitedError`; not permitted",
            body = ProblemView),
        (status = 404, description = "`UserNotFound`, `MessageNotFound`", body = ProblemView),
        (status = 500, description = "`MessageRejected`, `InternalDatabaseError`",
            body = ProblemView)
    )
)]
pub async fn submit_draft(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let (user, in_mailbox) = (p.user(), p.id("mailbox").required());
    let uid = p.uid("message").required();
    p.session();
    let deletes_files = p.boolean("deleteFiles").or(false);
    let due_ms = p.date("sendTime").optional();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Messages, Grant::Create, user)?;
    let sender = sender(&ctx, user).await?;
    let fields = Fields { tree: true, meta: true, ..Fields::default() };
    let message = find(&ctx.mailstore, user, in_mailbox, uid, fields).await?;
    if !message.row.flags.has(Flag::Draft) {
        let text = "This message is not a draft";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "MessageNotDraft", text));
    }
    let header = load_fields(&ctx.mailstore, user, &message, &tree_of(&message)?).await?;
    let (from, to) = envelope(&message, &header, &sender)?;
    if to.is_empty() {
        return Ok(Reply::json(&SentDraftView { success: true, queue_id: None, message: None }));
    }
    let content = dated_content(&ctx, user, &message, due_ms).await?;
    let (sent, size) = (mailbox(&ctx, user, None, SpecialUse::Sent).await?, content.len());
    let reference = Reference::of_info(message.info.as_deref());
    let keywords = message.row.flags.keywords().to_vec();
    let copy = Copy {
        mailbox: sent,
        flags: FlagSet::new(Flag::Seen.bit(), keywords),
        meta: message.meta.clone(),
        info: reference.as_ref().map(Reference::info_fields).unwrap_or_default(),
    };
    let submission = Submission {
        user,
        sender: Some(from),
        with: "HTTP",
        recipients: to.into_iter().map(ForwardPath::new).collect(),
        options: MessageOptions::default(),
        content,
        due_ms,
        copy: Some(copy),
    };
    let submitted = ctx.delivery.submit(submission).await?;
    if let Some(reference) = &reference
        && let Err(error) = reference.mark(&ctx.mailstore, user).await
    {
        tracing::warn!(user.id = %user, %error, "an answered message was not flagged");
    }
    if deletes_files {
        super::files::delete_noted(&ctx, user, message.info.as_deref()).await;
    }
    let message = match &submitted.copy {
        Some(Ok(appended)) => {
            delete_replaced(&ctx, user, Some((in_mailbox, uid))).await;
            let size = u64::try_from(size).unwrap_or(u64::MAX);
            Some(SentDraftMessageView { id: appended.uid, mailbox: sent.to_string(), size })
        }
        // the draft stays: it is the only copy
        Some(Err(error)) => {
            tracing::warn!(queue.id = %submitted.queue_id, %error, "no copy of a sent draft");
            None
        }
        None => None,
    };
    let queue_id = Some(submitted.queue_id.to_string());
    Ok(Reply::json(&SentDraftView { success: true, queue_id, message }))
}

/// The draft's octets with the date it is sent.
async fn dated_content(
    ctx: &Context,
    user: UserId,
    message: &Message,
    due_ms: Option<i64>,
) -> Result<Bytes> {
    let content = content(ctx, user, message).await?;
    let now = ctx.clock.now_ms();
    let id = message_id(&Draft::default());
    Ok(redated(&content, due_ms.map_or(now, |due| due.max(now)), &id))
}

/// The whole content of a message, without its trace prefix.
async fn content(ctx: &Context, user: UserId, message: &Message) -> Result<Bytes> {
    let prefix = u64::try_from(message.prefix.len()).unwrap_or(0);
    let range = ByteRange { start: 0, end: message.row.octets.saturating_sub(prefix) };
    ctx.mailstore.load_octets(user, message, range).await
}

fn members(header: &HeaderFields, name: &str) -> Vec<NamedAddress> {
    let members = |recipient: Recipient| match recipient {
        Recipient::One(one) => vec![one],
        Recipient::Group { members, .. } => members,
    };
    header.recipients(name).unwrap_or_default().into_iter().flat_map(members).collect()
}

/// Sender and recipients of a draft: those that were stored with it, else those of its header.
fn envelope(
    message: &Message,
    header: &HeaderFields,
    sender: &Sender,
) -> Result<(EmailAddress, Vec<EmailAddress>), Problem> {
    let rejected = |text: &str| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "MessageRejected", text.to_owned())
    };
    let from = members(header, "from");
    // a draft may have come by IMAP: nobody sends in another's name
    if from.iter().any(|from| !sender.may_send_from(&from.address)) {
        return Err(rejected("The From address does not belong to the user"));
    }
    let from = from.first().map_or(sender.own.address.as_str(), |from| from.address.as_str());
    let from = EmailAddress::new(from).map_err(|_| rejected("There is no address to send from"))?;
    let info = message.info.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok());
    let stored = info.as_ref().and_then(|info| info.get("envelope"));
    let Some(stored) = stored else {
        let all = ["to", "cc", "bcc"].map(|name| members(header, name));
        return Ok((from, recipients([&all[0], &all[1], &all[2]])));
    };
    let address = |value: &Value| EmailAddress::new(value.as_str()?).ok();
    let asked = stored.get("from").and_then(address);
    let asked = asked.filter(|asked| sender.may_send_from(&asked.to_string()));
    let to = stored.get("to").and_then(Value::as_array);
    let to: Vec<EmailAddress> = to.into_iter().flatten().filter_map(address).collect();
    Ok((asked.unwrap_or(from), to))
}

/// One target a message was sent to.
#[derive(Debug, Serialize, ToSchema)]
pub struct ForwardedView {
    /// Number of the entry in the queue, three hexadecimal digits.
    pub seq: String,
    /// `mail`, `relay` or `http`.
    pub r#type: String,
    /// Address or URL.
    pub value: String,
}

/// A message that was sent on.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ForwardedMessageView {
    /// Always true.
    pub success: bool,
    /// Name in the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_id: Option<String>,
    /// Where it was sent to.
    pub forwarded: Vec<ForwardedView>,
}

/// Where a message is sent on to.
#[derive(Debug, ToSchema)]
pub struct ForwardRequest {
    /// Number, from 1, of one of the targets it was forwarded to.
    pub target: Option<u32>,
    /// Further addresses.
    pub addresses: Option<Vec<String>>,
}

/// Forward a stored message
///
/// To the targets it was forwarded to when it arrived, to one of them, or to addresses.
#[utoipa::path(
    post, path = "/users/{user}/mailboxes/{mailbox}/messages/{message}/forward",
    tag = "Submission", operation_id = "forwardMessage",
    params(
        ("user" = String, Path, description = "The user's id, or `me`"),
        ("mailbox" = String, Path, description = "Mailbox id"),
        ("message" = u32, Path, description = "UID")
    ),
    request_body = ForwardRequest,
    responses(
        (status = 200, description = "Sent on; without targets `forwarded` is empty",
            body = ForwardedMessageView),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = ProblemView),
        (status = 404, description = "`MessageNotFound`", body = ProblemView)
    )
)]
pub async fn forward(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let (user, in_mailbox): (UserId, MailboxId) = (p.user(), p.id("mailbox").required());
    let uid = p.uid("message").required();
    p.session();
    let number = p.integer("target", 1..=1000).optional();
    let addresses = p.parsed("addresses", "must be a list of email addresses", |value| {
        let target = |item: &Value| {
            let target = ForwardTarget::new(item.as_str()?).ok()?;
            (target.kind == TargetKind::Mail).then_some(target)
        };
        value.as_array()?.iter().map(target).collect::<Option<Vec<_>>>()
    });
    let addresses = addresses.optional().unwrap_or_default();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Messages, Grant::Create, user)?;
    let fields = Fields { meta: true, ..Fields::default() };
    let message = find(&ctx.mailstore, user, in_mailbox, uid, fields).await?;
    let stored = info::forward_targets(message.info.as_deref());
    let mut targets = match number.and_then(|number| usize::try_from(number).ok()) {
        Some(number) => stored.into_iter().skip(number - 1).take(1).collect(),
        None if addresses.is_empty() => stored,
        None => Vec::new(),
    };
    targets.extend(addresses);
    let mut view = ForwardedMessageView { success: true, queue_id: None, forwarded: Vec::new() };
    if targets.is_empty() {
        return Ok(Reply::json(&view));
    }
    let content = content(&ctx, user, &message).await?;
    let entries = ctx.delivery.forward_stored(user, &message.prefix, content, &targets).await?;
    view.queue_id = entries.first().map(|entry| entry.queue_id.to_string());
    view.forwarded = entries
        .iter()
        .map(|entry| ForwardedView {
            seq: format!("{:03x}", entry.seq),
            r#type: entry.target.kind.name().to_owned(),
            value: entry.target.value.clone(),
        })
        .collect();
    Ok(Reply::json(&view))
}

/// What cancelling did.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CancelledView {
    /// Whether there was such a message of this user.
    pub success: bool,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_id: Option<String>,
    /// Recipients that do not get it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted: Option<u64>,
    /// `NoSuchQueueEntry`, `NotEnoughPrivileges`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
}

/// Cancel a queued message
///
/// Recipients that are being sent to at this moment still get it.
#[utoipa::path(
    delete, path = "/users/{user}/outbound/{queueId}", tag = "Submission",
    operation_id = "deleteOutbound",
    params(
        ("user" = String, Path, description = "The user's id, or `me`"),
        ("queueId" = String, Path, description = "Name in the queue")
    ),
    responses(
        (status = 200, description = "Cancelled, or `success` false with a code",
            body = CancelledView),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = ProblemView)
    )
)]
pub async fn cancel(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let user = p.user();
    p.session();
    let queue_id = p.parsed("queueId", "must be 18 to 24 hexadecimal digits", |value| {
        let text = value.as_str()?.to_ascii_lowercase();
        let is_hex = text.bytes().all(|digit| digit.is_ascii_hexdigit());
        (is_hex && (18..=24).contains(&text.len())).then_some(text)
    });
    let queue_id = queue_id.required();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Messages, Grant::Delete, user)?;
    // ours have 24 digits: a shorter one is nobody's
    let cancelled = match queue_id.parse::<ObjectId>() {
        Ok(id) => ctx.delivery.queue().cancel(user, id).await?,
        Err(_) => Cancelled::NotFound,
    };
    let refused = |code| CancelledView { success: false, queue_id: None, deleted: None, code };
    Ok(Reply::json(&match cancelled {
        Cancelled::Entries(deleted) => CancelledView {
            success: true,
            queue_id: Some(queue_id),
            deleted: Some(deleted),
            code: None,
        },
        Cancelled::NotFound => refused(Some("NoSuchQueueEntry")),
        Cancelled::NotOwned => refused(Some("NotEnoughPrivileges")),
    }))
}
