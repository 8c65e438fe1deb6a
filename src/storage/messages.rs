//! The collection `messages`: one document is one message in one mailbox. Fields:
//! `record::message`.
//!
//! Indexes: `{user, mailbox, uid}` unique; `{user, mailbox, mod_seq}`; `{user, mailbox, idate,
//! uid}`, and a partial
//! one of the same keys over `unseen: true`; `{user, thread}`; `{user, _id}`, the order messages
//! were stored in, for search; `{exp}` where there is one. Every filter of a request begins with
//! the user.
//!
//! A set of UIDs is never one query with a branch per range: [`Chunks`] cuts it into ranges and
//! lists, each of which
//! is one tight interval scan on every server.

use crate::model::error::{Error, Result};
use crate::model::id::{MailboxId, MessageId, UserId};
use crate::model::message::{Message, Row};
use crate::model::uid::{ModSeq, Uid, UidSet};
use crate::storage::Storage;
use crate::storage::field::{get_count, int, oid};
use crate::storage::record::message::{read, read_row, row_projection, write};
use bson::raw::RawDocumentBuf;
use bson::{Bson, Document, doc};
use mongodb::{ClientSession, Collection, Cursor};
use std::collections::HashMap;

pub use crate::storage::record::message::{Fields, NewRow};

/// The collection's name.
pub const COLLECTION: &str = "messages";
/// Documents of one batch of a cursor: some 1.5 MB with all fields.
pub const BATCH: u32 = 1000;
/// UIDs in one `$in`.
const LIST_MAX: usize = 1000;
/// A range of at least so many UIDs gets its own scan.
const RANGE_MIN: u32 = 64;
/// Statements of one update or delete command: below 16 MB even if each has a full list.
const STATEMENTS_MAX: usize = 250;

pub(super) fn collection(storage: &Storage) -> Collection<RawDocumentBuf> {
    storage.collection(COLLECTION)
}

/// The filter of everything in a mailbox of a user.
pub(super) fn in_mailbox(user: UserId, mailbox: MailboxId) -> Document {
    doc! { "user": oid(user), "mailbox": oid(mailbox) }
}

/// A set of UIDs as conditions on `uid`, ascending, each one range or one list.
#[derive(Clone, Debug)]
pub struct Chunks {
    ranges: std::vec::IntoIter<(Uid, Uid)>,
}

impl Chunks {
    /// The chunks of a set.
    pub fn new(uids: &UidSet) -> Self {
        Self { ranges: uids.ranges().to_vec().into_iter() }
    }
}

impl Iterator for Chunks {
    type Item = Document;

    fn next(&mut self) -> Option<Document> {
        let (first, last) = self.ranges.next()?;
        let small = |range: &(Uid, Uid)| range.1 - range.0 < RANGE_MIN;
        let mut list: Vec<(Uid, Uid)> = vec![(first, last)];
        let mut count = u64::from(last - first) + 1;
        while small(&(first, last))
            && let Some(range) = self.ranges.as_slice().first().copied()
            && small(&range)
        {
            count += u64::from(range.1 - range.0) + 1;
            if count > LIST_MAX as u64 {
                break;
            }
            list.push(range);
            self.ranges.next();
        }
        if list.len() == 1 {
            return Some(doc! { "$gte": i64::from(first), "$lte": i64::from(last) });
        }
        let uids = list.into_iter().flat_map(|range| range.0..=range.1);
        let uids: Vec<Bson> = uids.map(|uid| Bson::Int64(i64::from(uid))).collect();
        Some(doc! { "$in": uids })
    }
}

/// Inserts messages in the caller's transaction. One round trip (the driver splits above 48 MB).
///
/// # Errors
/// `Unavailable`.
pub async fn insert_many(
    storage: &Storage,
    session: &mut ClientSession,
    rows: &[NewRow],
) -> Result<()> {
    let documents = rows.iter().map(write).collect();
    insert_documents(storage, session, documents).await
}

pub(super) async fn insert_documents(
    storage: &Storage,
    session: &mut ClientSession,
    documents: Vec<RawDocumentBuf>,
) -> Result<()> {
    if !documents.is_empty() {
        collection(storage).insert_many(documents).session(session).await?;
    }
    Ok(())
}

/// Messages of a set as they come from the database, ascending by UID; one cursor at a time.
#[derive(Debug)]
pub struct Stream {
    storage: Storage,
    base: Document,
    projection: Document,
    chunks: Chunks,
    cursor: Option<Cursor<RawDocumentBuf>>,
}

/// Opens a stream; nothing is read yet. One round trip per chunk and per 1,000 messages.
pub fn stream(
    storage: &Storage,
    user: UserId,
    mailbox: MailboxId,
    uids: &UidSet,
    fields: Fields,
) -> Stream {
    Stream {
        storage: storage.clone(),
        base: in_mailbox(user, mailbox),
        projection: crate::storage::record::message::projection(fields),
        chunks: Chunks::new(uids),
        cursor: None,
    }
}

impl Stream {
    /// The next message.
    ///
    /// # Errors
    /// `Unavailable`, `Internal` for a document that cannot be read.
    pub async fn next(&mut self) -> Result<Option<Message>> {
        loop {
            if let Some(cursor) = &mut self.cursor {
                if cursor.advance().await? {
                    return read(cursor.current()).map(Some);
                }
                self.cursor = None;
            }
            let Some(chunk) = self.chunks.next() else { return Ok(None) };
            let mut filter = self.base.clone();
            filter.insert("uid", chunk);
            let cursor = collection(&self.storage)
                .find(filter)
                .projection(self.projection.clone())
                .sort(doc! { "uid": 1 })
                .batch_size(BATCH)
                .await?;
            self.cursor = Some(cursor);
        }
    }
}

/// One message. One round trip.
///
/// # Errors
/// `Unavailable`, `Internal`.
pub async fn find_one(
    storage: &Storage,
    user: UserId,
    mailbox: MailboxId,
    uid: Uid,
    fields: Fields,
) -> Result<Option<Message>> {
    let mut filter = in_mailbox(user, mailbox);
    filter.insert("uid", i64::from(uid));
    let projection = crate::storage::record::message::projection(fields);
    let found = collection(storage).find_one(filter).projection(projection).await?;
    found.as_deref().map(read).transpose()
}

/// Calls `visit` for rows with a ModSeq above `after` (all when 0), ascending by ModSeq, without a
/// transaction or
/// inside one. One round trip per 1,000 rows.
///
/// # Errors
/// `Unavailable`, `Internal`, those of `visit`.
pub async fn visit_changed(
    storage: &Storage,
    session: Option<&mut ClientSession>,
    place: (UserId, MailboxId),
    after: ModSeq,
    visit: &mut (dyn FnMut(Row) + Send),
) -> Result<()> {
    let mut filter = in_mailbox(place.0, place.1);
    let mut sort = doc! { "uid": 1 };
    if after > 0 {
        filter.insert("mod_seq", doc! { "$gt": int(after) });
        sort = doc! { "mod_seq": 1 };
    }
    let messages = collection(storage);
    let find = messages.find(filter).projection(row_projection()).sort(sort).batch_size(BATCH);
    match session {
        None => {
            let mut cursor = find.await?;
            while cursor.advance().await? {
                visit(read_row(cursor.current())?);
            }
        }
        Some(session) => {
            let mut cursor = find.session(&mut *session).await?;
            while cursor.advance(session).await? {
                visit(read_row(cursor.current())?);
            }
        }
    }
    Ok(())
}

/// Which messages of a mailbox an operation inside a transaction reads.
#[derive(Clone, Debug)]
pub struct Selection<'a> {
    /// Owner.
    pub user: UserId,
    /// Mailbox.
    pub mailbox: MailboxId,
    /// UIDs.
    pub uids: &'a UidSet,
    /// Flag bits that must all be set.
    pub flags_all: u8,
    /// Only messages whose expiry is not later than this.
    pub due_ms: Option<i64>,
    /// At most so many.
    pub limit: u64,
}

impl<'a> Selection<'a> {
    /// All messages of the set.
    pub const fn of(user: UserId, mailbox: MailboxId, uids: &'a UidSet) -> Self {
        Self { user, mailbox, uids, flags_all: 0, due_ms: None, limit: u64::MAX }
    }

    pub(super) fn filter(&self, chunk: Document) -> Document {
        let mut filter = in_mailbox(self.user, self.mailbox);
        filter.insert("uid", chunk);
        if self.flags_all != 0 {
            filter.insert("flags", doc! { "$bitsAllSet": i32::from(self.flags_all) });
        }
        if let Some(due_ms) = self.due_ms {
            filter.insert("exp", doc! { "$lte": bson::DateTime::from_millis(due_ms) });
        }
        filter
    }
}

/// Calls `visit` for the selected rows (with ids and content hashes), ascending by UID, inside a
/// transaction.
/// One round trip per chunk and per 1,000 rows.
///
/// # Errors
/// `Unavailable`, `Internal`.
pub async fn visit(
    storage: &Storage,
    session: &mut ClientSession,
    selection: &Selection<'_>,
    visit: &mut (dyn FnMut(Message) + Send),
) -> Result<()> {
    let mut projection = row_projection();
    projection.insert("content", 1);
    visit_projected(storage, session, selection, projection, visit).await
}

/// [`visit`] with identifiers and threads, too.
///
/// # Errors
/// `Unavailable`, `Internal`.
pub async fn visit_identified(
    storage: &Storage,
    session: &mut ClientSession,
    selection: &Selection<'_>,
    visit: &mut (dyn FnMut(Message) + Send),
) -> Result<()> {
    let projection = crate::storage::record::message::projection(Fields::default());
    visit_projected(storage, session, selection, projection, visit).await
}

/// Where messages of these identifiers are; what is gone is left out. One round trip.
///
/// # Errors
/// `Unavailable`, `Internal`.
pub async fn find_places(
    storage: &Storage,
    user: UserId,
    ids: &[MessageId],
) -> Result<HashMap<MessageId, (Uid, ModSeq)>> {
    let ids: Vec<Bson> = ids.iter().map(|id| Bson::from(oid(*id))).collect();
    let filter = doc! { "_id": { "$in": ids }, "user": oid(user) };
    let projection = crate::storage::record::message::projection(Fields::default());
    let mut cursor = collection(storage).find(filter).projection(projection).await?;
    let mut places = HashMap::new();
    while cursor.advance().await? {
        let message = read(cursor.current())?;
        places.insert(message.id, (message.row.uid, message.row.mod_seq));
    }
    Ok(places)
}

async fn visit_projected(
    storage: &Storage,
    session: &mut ClientSession,
    selection: &Selection<'_>,
    projection: Document,
    visit: &mut (dyn FnMut(Message) + Send),
) -> Result<()> {
    let messages = collection(storage);
    let mut left = selection.limit;
    for chunk in Chunks::new(selection.uids) {
        if left == 0 {
            break;
        }
        let mut cursor = messages
            .find(selection.filter(chunk))
            .projection(projection.clone())
            .sort(doc! { "uid": 1 })
            .limit(if left == u64::MAX { 0 } else { int(left) })
            .batch_size(BATCH)
            .session(&mut *session)
            .await?;
        while cursor.advance(session).await? {
            visit(read(cursor.current())?);
            left = left.saturating_sub(1);
        }
    }
    Ok(())
}

/// Applies one update to all messages of a set, inside a transaction. Returns how many there were.
/// One round trip per
/// 250 chunks.
///
/// # Errors
/// `Unavailable`, `Internal`.
pub async fn update(
    storage: &Storage,
    session: &mut ClientSession,
    selection: &Selection<'_>,
    update: &Document,
) -> Result<u64> {
    let statements = Chunks::new(selection.uids)
        .map(|chunk| doc! { "q": selection.filter(chunk), "u": update.clone(), "multi": true });
    run_statements(storage, session, ("update", "updates"), statements).await
}

/// Deletes the selected messages, inside a transaction. Returns how many there were. One round trip
/// per 250 chunks.
///
/// # Errors
/// `Unavailable`, `Internal`.
pub async fn delete(
    storage: &Storage,
    session: &mut ClientSession,
    selection: &Selection<'_>,
) -> Result<u64> {
    let statements =
        Chunks::new(selection.uids).map(|chunk| doc! { "q": selection.filter(chunk), "limit": 0 });
    run_statements(storage, session, ("delete", "deletes"), statements).await
}

/// A transaction wrote other rows than it had read: its counters would be wrong, so it must not
/// commit.
pub fn miscounted() -> Error {
    Error::Internal { reason: "a transaction wrote other messages than it read", source: None }
}

/// Runs write statements with as few commands as their sizes allow. (The driver's bulk write needs
/// MongoDB 8.)
pub(super) async fn run_statements(
    storage: &Storage,
    session: &mut ClientSession,
    (command, field): (&str, &str),
    statements: impl Iterator<Item = Document>,
) -> Result<u64> {
    let mut statements = statements.peekable();
    let mut total = 0;
    while statements.peek().is_some() {
        let batch: Vec<Document> = statements.by_ref().take(STATEMENTS_MAX).collect();
        let reply = storage
            .database()
            .run_command(doc! { command: COLLECTION, field: batch, "ordered": true })
            .session(&mut *session)
            .await?;
        if reply.contains_key("writeErrors") {
            return Err(Error::Internal { reason: "a bulk write was refused", source: None });
        }
        total += get_count(&reply, "n");
    }
    Ok(total)
}

/// The number of messages of a mailbox from a UID on. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn count_from(
    storage: &Storage,
    user: UserId,
    mailbox: MailboxId,
    from: Uid,
) -> Result<u64> {
    let mut filter = in_mailbox(user, mailbox);
    filter.insert("uid", doc! { "$gte": i64::from(from) });
    Ok(storage.messages().count_documents(filter).await?)
}

/// Contents that something refers to, for tests.
#[cfg(test)]
pub(crate) async fn counted_contents(storage: &Storage) -> Result<u64> {
    Ok(storage.contents().count_documents(doc! { "n": { "$ne": 0 } }).await?)
}
