//! Reading a message (`reference/http-api.md`, message details).

use super::Context;
use super::access::{Grant, Resource};
use super::extract::Call;
use super::message_notes::{OutboundView, queue_ids};
use super::message_source::{HEADER_OCTETS_MAX, find, tree_of};
use super::message_view::{self, MessageView};
use super::params::Unknown;
use super::problem::{Problem, ProblemView};
use super::reply::{Answer, Reply};
use crate::codec::mime::display::{self, Layout, Shown, ShownText};
use crate::codec::mime::text::decode_text;
use crate::mailstore::Mailstore;
use crate::mailstore::fetch::Fields;
use crate::model::error::{Error, Result};
use crate::model::flag::{Flag, FlagChange, FlagSet};
use crate::model::id::UserId;
use crate::model::message::Message;
use crate::model::structure::Part;
use crate::model::uid::UidSet;
use axum::extract::State;
use axum::http::StatusCode;
use bytes::Bytes;

/// Encoded octets of text parts that are read for display; encodings make texts up to three times
/// longer.
const TEXT_OCTETS_MAX: u64 = 3 * 640 * 1024;

/// Encoded octets of attachments that are read for their hashes: as much as lies in the content
/// that is read for the texts anyway.
const HASHED_OCTETS_MAX: u64 = 256 * 1024;

/// Message details
///
/// Header fields, text, clean HTML and the list of attachments.
#[utoipa::path(
    get, path = "/users/{user}/mailboxes/{mailbox}/messages/{message}",
    tag = "Messages", operation_id = "showMessage",
    params(
        ("user" = String, Path, description = "User id, or `me`"),
        ("mailbox" = String, Path, description = "Mailbox id"),
        ("message" = u32, Path, description = "UID"),
        ("markAsSeen" = Option<bool>, Query, description = "Set `\\Seen`"),
        ("replaceCidLinks" = Option<bool>, Query,
            description = "Accepted; inline pictures are always `attachment:` links")
    ),
    responses(
        (status = 200, description = "The message", body = MessageView),
        (status = 404, description = "`MessageNotFound`", body = ProblemView)
    )
)]
pub async fn show(State(ctx): State<Context>, mut call: Call) -> Answer {
    let params = &mut call.params;
    let (user, mailbox) = (params.user(), params.id("mailbox").required());
    let uid = params.uid("message").required();
    // reference: changes nothing for current mail
    params.boolean("replaceCidLinks").optional();
    let mark_as_seen = params.boolean("markAsSeen").or(false);
    params.session();
    let caller = call.params.finish(Unknown::Rejected)?;
    ctx.authorize(&caller, Resource::Messages, Grant::Read, user)?;
    let fields = Fields { tree: true, summary: true, meta: true, ..Fields::default() };
    let mut message = find(&ctx.mailstore, user, mailbox, uid, fields).await?;
    let root = tree_of(&message)?;
    let header = root.header.partial(0, HEADER_OCTETS_MAX);
    let header = ctx.mailstore.load_octets(user, &message, header).await?;
    let texts = load_texts(&ctx.mailstore, user, &message, &root).await?;
    let attached = load_attachments(&ctx.mailstore, user, &message, &root).await?;
    if mark_as_seen && !message.row.flags.has(Flag::Seen) {
        // writing needs the grant for it
        ctx.authorize(&caller, Resource::Messages, Grant::Update, user)?;
        let change = FlagChange::Add(FlagSet::new(Flag::Seen.bit(), Vec::new()));
        let uids = UidSet::from_range(uid, uid);
        let stored = ctx.mailstore.store_flags(user, mailbox, &uids, &change, None).await;
        // reference: a failure here is status 200 with an error
        stored.map_err(|error| Problem::from(error).with_status(StatusCode::OK))?;
        message.row.flags = change.apply(&message.row.flags);
    }
    let mut outbound = Vec::new();
    for queue_id in queue_ids(message.info.as_deref()) {
        let entries = ctx.delivery.queue().list_entries(user, queue_id).await?;
        outbound.extend(OutboundView::of(queue_id, &entries));
    }
    let view = display_message(message, user, root, header, (texts, attached)).await?;
    let view = MessageView { outbound, ..view };
    Ok(Reply::json(&view))
}

/// The encoded octets of the first attachments, within [`HASHED_OCTETS_MAX`] together.
async fn load_attachments(
    mailstore: &Mailstore,
    user: UserId,
    message: &Message,
    root: &Part,
) -> Result<Vec<Bytes>> {
    let mut left = HASHED_OCTETS_MAX;
    let mut attached = Vec::new();
    for attachment in Layout::of(root).attachments {
        let range = attachment.part.body;
        let Some(rest) = left.checked_sub(range.octets()) else { break };
        left = rest;
        attached.push(match range.octets() {
            0 => Bytes::new(),
            _ => mailstore.load_octets(user, message, range).await?,
        });
    }
    Ok(attached)
}

/// The encoded octets of the text parts, within [`TEXT_OCTETS_MAX`] together.
async fn load_texts(
    mailstore: &Mailstore,
    user: UserId,
    message: &Message,
    root: &Part,
) -> Result<Vec<Bytes>> {
    let mut left = TEXT_OCTETS_MAX;
    let mut texts = Vec::new();
    for text in Layout::of(root).texts {
        let range = text.part.body.partial(0, left);
        left -= range.octets();
        texts.push(match range.octets() {
            0 => Bytes::new(),
            _ => mailstore.load_octets(user, message, range).await?,
        });
    }
    Ok(texts)
}

/// Decoding and cleaning take milliseconds to tenths of a second: not on the threads that serve
/// sockets.
async fn display_message(
    message: Message,
    user: UserId,
    root: Part,
    header: Bytes,
    (texts, attached): (Vec<Bytes>, Vec<Bytes>),
) -> Result<MessageView> {
    let shown = tokio::task::spawn_blocking(move || {
        let fields = crate::codec::mime::fields::Fields::read(&header);
        let shown = shown(&root, &texts);
        let mut view = message_view::details(&message, user.to_string(), &root, &fields, shown);
        for (attachment, body) in view.attachments.iter_mut().zip(&attached) {
            attachment.hash(body);
        }
        view
    });
    shown.await.map_err(|error| Error::internal("a message could not be displayed", error))
}

fn shown(root: &Part, texts: &[Bytes]) -> Shown {
    let layout = Layout::of(root);
    let shown = layout.texts.iter().zip(texts).map(|(text, octets)| ShownText {
        kind: text.kind,
        is_alternative: text.is_alternative,
        text: decode_text(text.part, octets),
    });
    display::show(shown.collect(), &layout.cids())
}
