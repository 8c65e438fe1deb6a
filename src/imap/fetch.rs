//! FETCH and UID FETCH (RFC 9051 §6.4.5, RFC 7162 §3.1.4).
//!
//! What the view knows is answered without the database. All else is one query with exactly the
//! needed
//! fields; the stored wire forms are copied to the socket.

use super::fetch_section::{Loaded, load};
use super::message_set::expunge_issued;
use super::reply::{Outcome, Reply};
use super::selected::Numbers;
use super::session::Session;
use super::uid_chunks::chunks;
use crate::codec::imap::fetch::{Fetch, FetchItem};
use crate::codec::imap::fetch_response::{FetchWriter, Style};
use crate::codec::imap::search_response::Found;
use crate::mailstore::fetch::{Fields, WireBatch};
use crate::mailstore::view::View;
use crate::model::flag::{Flag, FlagChange, FlagSet};
use crate::model::message::{Message, Row};
use crate::model::rights::Rights;
use crate::model::uid::UidSet;
use crate::net::stream::Stream;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesOrdered;
use futures_util::{FutureExt, StreamExt};

/// Messages whose sections are loaded ahead of the one being written.
const LOOK_AHEAD: usize = 8;

/// What a FETCH needs, decided once.
#[derive(Debug)]
pub struct Plan {
    /// Items with a short value, in order, UID and MODSEQ added where they are due.
    pub simple: Vec<FetchItem>,
    /// Items with text of the message, in order.
    pub sections: Vec<FetchItem>,
    fields: Fields,
    is_in_view: bool,
    /// Beside what the view knows only stored wire forms: a client's first sync.
    is_first_sync: bool,
    sets_seen: bool,
    look_ahead: usize,
}

impl Plan {
    fn new(fetch: &Fetch) -> Self {
        let (sections, mut simple): (Vec<_>, Vec<_>) =
            fetch.items.iter().cloned().partition(is_section);
        if fetch.uid && !simple.contains(&FetchItem::Uid) {
            simple.insert(0, FetchItem::Uid);
        }
        // RFC 7162 §3.1.4.1: CHANGEDSINCE asks for MODSEQ
        if fetch.changed_since.is_some() && !simple.contains(&FetchItem::ModSeq) {
            simple.push(FetchItem::ModSeq);
        }
        let fields = Fields {
            envelope: simple.contains(&FetchItem::Envelope),
            body: simple.contains(&FetchItem::Body),
            bodystructure: simple.contains(&FetchItem::BodyStructure),
            summary: simple.contains(&FetchItem::Preview),
            tree: sections.iter().any(super::fetch_section::needs_tree),
            ..Fields::default()
        };
        let is_in_view = sections.is_empty() && simple.iter().all(is_row_item);
        let is_first_sync = sections.is_empty()
            && simple.iter().all(|item| is_row_item(item) || is_wire_form(item));
        let sets_seen = fetch.items.iter().any(FetchItem::sets_seen);
        // decoded parts are whole in memory
        let is_decoded =
            |item: &FetchItem| matches!(item, FetchItem::Binary(_) | FetchItem::BinarySize(_));
        let look_ahead = if sections.iter().any(is_decoded) { 1 } else { LOOK_AHEAD };
        Self { simple, sections, fields, is_in_view, is_first_sync, sets_seen, look_ahead }
    }
}

const fn is_section(item: &FetchItem) -> bool {
    matches!(
        item,
        FetchItem::Section(_)
            | FetchItem::Binary(_)
            | FetchItem::BinarySize(_)
            | FetchItem::Rfc822
            | FetchItem::Rfc822Header
            | FetchItem::Rfc822Text
    )
}

const fn is_row_item(item: &FetchItem) -> bool {
    matches!(
        item,
        FetchItem::Flags
            | FetchItem::Uid
            | FetchItem::InternalDate
            | FetchItem::Rfc822Size
            | FetchItem::ModSeq
            | FetchItem::SaveDate
            | FetchItem::GmailLabels
    )
}

const fn is_wire_form(item: &FetchItem) -> bool {
    matches!(item, FetchItem::Envelope | FetchItem::Body | FetchItem::BodyStructure)
}

impl Session {
    /// FETCH.
    pub async fn fetch(&mut self, fetch: &Fetch) -> Outcome {
        self.opened_with(Rights::READ)?;
        let plan = Plan::new(fetch);
        // RFC 7162 §3.1: asking for MODSEQ enables CONDSTORE
        self.enabled.condstore |= plan.simple.contains(&FetchItem::ModSeq);
        let mut uids = self.resolve(&fetch.set, fetch.uid)?;
        let some_gone = !fetch.uid && self.has_expunged(&uids).await?;
        if let Some(since) = fetch.changed_since {
            if fetch.vanished {
                self.fetch_vanished(&fetch.set, since).await?;
            }
            let (_, view) = self.opened_view().await?;
            uids = view.changed_since(&uids, since).iter().map(|row| row.uid).collect();
        }
        if let Some(window) = fetch.partial {
            // RFC 9394 §3.3: a window into what is left
            let count = usize::try_from(uids.len()).unwrap_or(usize::MAX);
            uids = UidSet::from_ranges(Found::Set(&uids).runs(window.of(count)));
        }
        let (uids, limit) = self.within_limit(uids);
        if plan.sections.is_empty() && plan.simple == [FetchItem::Uid] {
            // the session knows these even of messages that are gone (RFC 2180 §4.1.1)
            self.fetch_uids(&uids).await?;
            return Ok(Reply { code: limit, ..Reply::ok("Fetched") });
        }
        let told = if plan.is_in_view {
            self.fetch_from_view(&plan, &uids).await?
        } else if plan.is_first_sync {
            self.fetch_wire_forms(&plan, &uids).await?
        } else if !uids.is_empty() {
            self.fetch_from_database(&plan, &uids).await?
        } else {
            0
        };
        if plan.sets_seen {
            self.set_seen(&uids).await?;
        }
        // expunged before, or while this was read
        if some_gone || !fetch.uid && told < uids.len() {
            return Err(expunge_issued().into());
        }
        Ok(Reply { code: limit, ..Reply::ok("Fetched") })
    }

    async fn fetch_uids(&mut self, uids: &UidSet) -> Outcome<()> {
        let style = self.enabled.style();
        let Some(opened) = &self.opened else { return Ok(()) };
        let mut numbers = opened.selected.numbers();
        for uid in uids.iter() {
            let Some(number) = numbers.of(uid) else { continue };
            let mut writer = FetchWriter::begin(self.stream.output(), style, number);
            writer.uid(uid);
            writer.end();
            self.stream.flush_if_full().await?;
        }
        Ok(())
    }

    /// Returns how many messages were told, as the following do.
    async fn fetch_from_view(&mut self, plan: &Plan, uids: &UidSet) -> Outcome<u64> {
        let style = self.enabled.style();
        let (_, view) = self.opened_view().await?;
        let Some(opened) = &self.opened else { return Ok(0) };
        let mut told = 0;
        let mut numbers = opened.selected.numbers();
        let mut lines = Vec::new();
        for chunk in chunks(uids, 1024) {
            lines.clear();
            // under the view's lock only this buffer is written to
            view.for_each(&chunk, &mut |row| {
                let Some(number) = numbers.of(row.uid) else { return };
                let mut writer = FetchWriter::begin(&mut lines, style, number);
                let row = (row, numbers.is_recent(row.uid));
                plan.simple.iter().for_each(|item| write_of_row(&mut writer, item, row));
                writer.end();
                told += 1;
            });
            self.stream.write(&lines).await?;
        }
        Ok(told)
    }

    async fn fetch_wire_forms(&mut self, plan: &Plan, uids: &UidSet) -> Outcome<u64> {
        let style = self.enabled.style();
        let mailstore = self.context.mailstore.clone();
        let (_, view) = self.opened_view().await?;
        let Some(opened) = &self.opened else { return Ok(0) };
        let mut told = 0;
        let mut numbers = opened.selected.numbers();
        let mut stream = mailstore.wire_forms(opened.owner, opened.id, uids, plan.fields);
        let mut batch = stream.next().await?;
        while let Some(messages) = batch {
            // The database reads the next batch while the client gets this one
            let written =
                write_wire_forms(&mut self.stream, (style, &mut numbers), plan, &view, &messages);
            let (next, written) = tokio::join!(stream.next(), written);
            told += written?;
            batch = next?;
        }
        Ok(told)
    }

    async fn fetch_from_database(&mut self, plan: &Plan, uids: &UidSet) -> Outcome<u64> {
        let style = self.enabled.style();
        let mailstore = self.context.mailstore.clone();
        let Some(opened) = &self.opened else { return Ok(0) };
        let mut told = 0;
        let user = opened.owner;
        let mut numbers = opened.selected.numbers();
        if plan.sections.is_empty() {
            let mut messages = mailstore.fetch(user, opened.id, uids, plan.fields).await?;
            let mut batch = messages.next_batch().await?;
            while !batch.is_empty() {
                // The database reads the next batch while the client gets this one
                let written =
                    write_batch(&mut self.stream, (style, &mut numbers), &plan.simple, &batch);
                let (next, written) = tokio::join!(messages.next_batch(), written);
                told += written?;
                batch = next?;
            }
            return Ok(told);
        }
        let mut messages =
            mailstore.fetch_with_contents(user, opened.id, uids, plan.fields).await?;
        let mut ahead: FuturesOrdered<BoxFuture<'_, _>> = FuturesOrdered::new();
        let mut is_at_end = false;
        loop {
            while !is_at_end && ahead.len() < plan.look_ahead {
                match messages.next().await? {
                    Some(message) => {
                        ahead.push_back(load(&mailstore, user, message, &plan.sections).boxed());
                    }
                    None => is_at_end = true,
                }
            }
            let Some(next) = ahead.next().await else { break };
            let message: Loaded = next?;
            let Some(number) = numbers.of(message.message.row.uid) else { continue };
            let known = (style, number, numbers.is_recent(message.message.row.uid));
            message.write(&mailstore, user, &mut self.stream, known, plan).await?;
            told += 1;
        }
        Ok(told)
    }

    /// RFC 9051 §6.4.5: fetching text sets \Seen. The look afterwards tells it.
    async fn set_seen(&mut self, uids: &UidSet) -> Outcome<()> {
        // RFC 4314 §4: without `s` it is fetched nevertheless
        let opened = self.opened()?;
        if opened.read_only || !opened.rights.has(Rights::SEEN) {
            return Ok(());
        }
        let (opened, view) = self.opened_view().await?;
        let mut unseen = UidSet::new();
        view.for_each(uids, &mut |row| {
            if !row.flags.has(Flag::Seen) {
                unseen.insert(row.uid);
            }
        });
        let (user, mailbox) = (opened.owner, opened.id);
        if !unseen.is_empty() {
            let seen = FlagChange::Add(FlagSet::new(Flag::Seen.bit(), Vec::new()));
            self.context.mailstore.store_flags(user, mailbox, &unseen, &seen, None).await?;
        }
        Ok(())
    }
}

async fn write_wire_forms(
    stream: &mut Stream,
    (style, numbers): (Style, &mut Numbers<'_>),
    plan: &Plan,
    view: &View,
    batch: &WireBatch,
) -> Outcome<u64> {
    let mut told = 0;
    for forms in batch.iter()? {
        let forms = forms?;
        let (Some(number), Some(row)) = (numbers.of(forms.uid), view.row(forms.uid)) else {
            continue;
        };
        let row = (&row, numbers.is_recent(forms.uid));
        let mut writer = FetchWriter::begin(stream.output(), style, number);
        for item in &plan.simple {
            match item {
                FetchItem::Envelope => writer.wire_form("ENVELOPE", forms.envelope),
                FetchItem::Body => writer.wire_form("BODY", forms.body),
                FetchItem::BodyStructure => writer.wire_form("BODYSTRUCTURE", forms.bodystructure),
                item => write_of_row(&mut writer, item, row),
            }
        }
        writer.end();
        told += 1;
        stream.flush_if_full().await?;
    }
    Ok(told)
}

async fn write_batch(
    stream: &mut Stream,
    (style, numbers): (Style, &mut Numbers<'_>),
    items: &[FetchItem],
    batch: &[Message],
) -> std::io::Result<u64> {
    let mut told = 0;
    for message in batch {
        let Some(number) = numbers.of(message.row.uid) else { continue };
        let message = (message, numbers.is_recent(message.row.uid));
        let mut writer = FetchWriter::begin(stream.output(), style, number);
        items.iter().for_each(|item| write_of_message(&mut writer, item, message));
        writer.end();
        told += 1;
        stream.flush_if_full().await?;
    }
    Ok(told)
}

/// With whether the message is recent in this session.
fn write_of_row(writer: &mut FetchWriter<'_>, item: &FetchItem, (row, is_recent): (&Row, bool)) {
    match item {
        FetchItem::Flags => writer.flags(&row.flags, is_recent),
        FetchItem::Uid => writer.uid(row.uid),
        FetchItem::InternalDate => writer.internal_date(row.internal_date),
        FetchItem::Rfc822Size => writer.rfc822_size(row.octets),
        FetchItem::ModSeq => writer.mod_seq(row.mod_seq),
        FetchItem::SaveDate => writer.save_date(row.saved_date),
        FetchItem::GmailLabels => writer.gmail_labels(&row.flags),
        _ => {}
    }
}

/// Writes an item that is no text of the message.
pub fn write_of_message(
    writer: &mut FetchWriter<'_>,
    item: &FetchItem,
    (message, is_recent): (&Message, bool),
) {
    match item {
        FetchItem::Envelope => writer.wire_form("ENVELOPE", &message.envelope),
        FetchItem::Body => writer.wire_form("BODY", &message.body),
        FetchItem::BodyStructure => writer.wire_form("BODYSTRUCTURE", &message.bodystructure),
        FetchItem::EmailId => writer.email_id(&message.content.to_string()),
        FetchItem::ThreadId => writer.thread_id(&message.thread.to_string()),
        // RFC 8970 §3.2: stored when the message came
        FetchItem::Preview => writer.preview(&message.summary.preview),
        FetchItem::GmailMessage => {
            writer.gmail_number("X-GM-MSGID", message.content.number());
        }
        FetchItem::GmailThread => writer.gmail_number("X-GM-THRID", message.thread.number()),
        item => write_of_row(writer, item, (&message.row, is_recent)),
    }
}
