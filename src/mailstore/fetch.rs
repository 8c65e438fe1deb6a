//! Reading messages: rows as a stream, pages, contents by range.
use super::Mailstore;
use crate::model::error::{Error, Result};
use crate::model::id::{MailboxId, UserId};
use crate::model::mailbox::Mailbox;
use crate::model::message::Message;
use crate::model::structure::ByteRange;
use crate::model::uid::{Uid, UidSet};
use crate::storage::page::Scan;
use crate::storage::{content_range, contents, messages, page, wire_forms};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, MaybeDone, maybe_done};
use std::collections::VecDeque;
use std::pin::Pin;

pub use crate::storage::messages::Fields;
pub use crate::storage::wire_forms::Batch as WireBatch;

/// Messages as they come from the database, ascending by UID.
#[derive(Debug)]
pub struct MessageStream {
    stream: messages::Stream,
}

impl MessageStream {
    /// The next message. A round trip per 1,000 messages.
    ///
    /// # Errors
    /// `Unavailable`, `Internal` for a document that cannot be read.
    pub async fn next(&mut self) -> Result<Option<Message>> {
        self.stream.next().await
    }

    /// The next messages, as many as one round trip brings (1,000 at most); empty at the end.
    ///
    /// # Errors
    /// As [`MessageStream::next`].
    pub async fn next_batch(&mut self) -> Result<Vec<Message>> {
        let mut batch = Vec::new();
        while batch.len() < messages::BATCH as usize {
            let Some(message) = self.stream.next().await? else { break };
            batch.push(message);
        }
        Ok(batch)
    }
}

/// A page of a mailbox's messages, by internal date then UID.
#[derive(Clone, Debug, Default)]
pub struct PageQuery {
    /// Oldest first.
    pub ascending: bool,
    /// Rows strictly after this (internal_date, uid), in the order asked for.
    pub after: Option<(i64, Uid)>,
    /// Rows strictly before it; the page nearest to it, still in the order asked for.
    pub before: Option<(i64, Uid)>,
    /// Filter on \Seen.
    pub unseen: Option<bool>,
    /// Rows at most.
    pub limit: usize,
}

impl Mailstore {
    /// Messages of a mailbox; UIDs that do not exist are passed over. Nothing is read before the
    /// first
    /// [`MessageStream::next`]; then one round trip per run of UIDs (or 1,000 scattered ones) and
    /// per 1,000 messages.
    ///
    /// # Errors
    /// None today; those of the stream come from the stream.
    pub async fn fetch(
        &self,
        user: UserId,
        mailbox: MailboxId,
        uids: &UidSet,
        fields: Fields,
    ) -> Result<MessageStream> {
        let stream = messages::stream(self.storage(), user, mailbox, uids, fields);
        Ok(MessageStream { stream })
    }

    /// Only the stored wire forms of messages (`fields`: those), in batches; costs as
    /// [`Mailstore::fetch`].
    pub fn wire_forms(
        &self,
        user: UserId,
        mailbox: MailboxId,
        uids: &UidSet,
        fields: Fields,
    ) -> wire_forms::Stream {
        wire_forms::stream(self.storage(), user, mailbox, uids, fields)
    }

    /// One message. One round trip.
    ///
    /// # Errors
    /// `Unavailable`, `Internal`.
    pub async fn find_message(
        &self,
        user: UserId,
        mailbox: MailboxId,
        uid: Uid,
        fields: Fields,
    ) -> Result<Option<Message>> {
        messages::find_one(self.storage(), user, mailbox, uid, fields).await
    }

    /// A page, one query, at most 10,000 rows. Returns at most `limit` messages and whether more
    /// follow in the
    /// direction of reading (for `before`: whether there are more before the page).
    ///
    /// # Errors
    /// `Unavailable`, `Internal`.
    pub async fn page(
        &self,
        mailbox: &Mailbox,
        query: &PageQuery,
        fields: Fields,
    ) -> Result<(Vec<Message>, bool)> {
        // The page before a row is the page after it in the opposite order, turned round
        let backwards = query.before.is_some() && query.after.is_none();
        let scan = Scan {
            ascending: query.ascending != backwards,
            beyond: query.after.or(query.before),
            unseen: query.unseen,
            limit: query.limit,
            uid_next: mailbox.uid_next,
        };
        let (mut rows, more) =
            page::page(self.storage(), mailbox.user, mailbox.id, &scan, fields).await?;
        if backwards {
            rows.reverse();
        }
        Ok((rows, more))
    }

    /// Octets of a message's content (without its prefix) in a range, clipped to it.
    ///
    /// # Errors
    /// `Unavailable`; `NotFound` when the content has gone with its last message.
    pub async fn load_octets(
        &self,
        _user: UserId,
        message: &Message,
        range: ByteRange,
    ) -> Result<Bytes> {
        content_range::load_range(self.storage(), &message.content, range).await
    }
}

/// Messages read ahead together with their contents.
const BATCH_MESSAGES: usize = 64;
/// Octets of the messages read ahead; the node's cache of contents holds several such batches.
const BATCH_OCTETS: u64 = 4 * 1024 * 1024;

type Batch = Result<(MessageStream, VecDeque<Message>)>;

/// Messages whose contents are in the node's cache when they come.
pub struct WarmStream {
    mailstore: Mailstore,
    ready: VecDeque<Message>,
    /// The batch after that; `None` at the end.
    reading: Option<MaybeDone<BoxFuture<'static, Batch>>>,
}

impl std::fmt::Debug for WarmStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WarmStream").field("ready", &self.ready.len()).finish_non_exhaustive()
    }
}

impl WarmStream {
    /// The next message. A batch costs one round trip beyond those of the messages, however many
    /// contents it has; it is under way while the caller works with the one before.
    ///
    /// # Errors
    /// `Unavailable`, `Internal`.
    pub async fn next(&mut self) -> Result<Option<Message>> {
        if self.ready.is_empty()
            && let Some(mut reading) = self.reading.take()
        {
            (&mut reading).await;
            let batch = Pin::new(&mut reading).take_output();
            let (stream, batch) = batch
                .ok_or(Error::Internal { reason: "a batch was taken twice", source: None })??;
            if !batch.is_empty() {
                self.reading = Some(maybe_done(read_warm(self.mailstore.clone(), stream).boxed()));
            }
            self.ready = batch;
        }
        if let Some(reading) = &mut self.reading {
            // One look sends the query or takes the answer; whoever waits for it waits above
            let _ = reading.now_or_never();
        }
        Ok(self.ready.pop_front())
    }
}

/// Some messages, their contents read into the cache.
async fn read_warm(mailstore: Mailstore, mut stream: MessageStream) -> Batch {
    let (mut batch, mut octets) = (VecDeque::new(), 0);
    while batch.len() < BATCH_MESSAGES && octets < BATCH_OCTETS {
        let Some(message) = stream.next().await? else { break };
        octets += message.row.octets;
        batch.push_back(message);
    }
    let hashes: Vec<_> = batch.iter().map(|message| message.content).collect();
    contents::warm(mailstore.storage(), &hashes).await?;
    Ok((stream, batch))
}

impl Mailstore {
    /// Messages of a mailbox whose contents will be read too; else as [`Mailstore::fetch`].
    ///
    /// # Errors
    /// `Unavailable`, `Internal`.
    pub async fn fetch_with_contents(
        &self,
        user: UserId,
        mailbox: MailboxId,
        uids: &UidSet,
        fields: Fields,
    ) -> Result<WarmStream> {
        let stream = self.fetch(user, mailbox, uids, fields).await?;
        let mailstore = self.clone();
        let reading = Some(maybe_done(read_warm(mailstore.clone(), stream).boxed()));
        Ok(WarmStream { mailstore, ready: VecDeque::new(), reading })
    }
}
