//! `archived`: messages that users removed, kept for a while so that they can be restored.
//!
//! A document of `messages` as it was (`record::message`), without its expiry, and with
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `archived` | date | when it was removed |
//!
//! It still counts as a reference to its content, but not in the user's storage. Written in the
//! transaction that removes the message; removed by a restore or by the purge after
//! `const:archive:time`. Indexes: `{user, _id}`, `{user, archived}`, `{archived}`.

use crate::model::error::{Error, Result};
use crate::model::flag::Flag;
use crate::model::id::{ContentHash, MailboxId, MessageId, UserId};
use crate::model::message::Message;
use crate::storage::Storage;
use crate::storage::field::{get_hash, get_id, oid};
use crate::storage::messages::{BATCH, Chunks, Selection, collection};
use crate::storage::record::message::{Fields, projection, read};
use crate::storage::transaction::Session;
use bson::raw::{RawDocument, RawDocumentBuf, cstr};
use bson::{Bson, DateTime, Document, doc};
use mongodb::Collection;
use std::collections::BTreeMap;

/// Octets of documents inserted by one command.
const INSERT_OCTETS: usize = 4 * 1024 * 1024;

fn archived(storage: &Storage) -> Collection<RawDocumentBuf> {
    storage.collection("archived")
}

/// Moves documents into the archive, some at a time.
struct Archiver<'a> {
    storage: &'a Storage,
    now_ms: i64,
    batch: Vec<RawDocumentBuf>,
    octets: usize,
}

impl<'a> Archiver<'a> {
    const fn new(storage: &'a Storage, now_ms: i64) -> Self {
        Self { storage, now_ms, batch: Vec::new(), octets: 0 }
    }

    async fn put(&mut self, session: &mut Session, document: &RawDocument) -> Result<()> {
        let mut record = RawDocumentBuf::new();
        for element in document {
            let (key, value) =
                element.map_err(|error| Error::internal("a broken message", error))?;
            if !matches!(key.as_str(), "exp" | "own_exp") {
                record.append(key, value);
            }
        }
        record.append(cstr!("archived"), DateTime::from_millis(self.now_ms));
        self.octets += record.as_bytes().len();
        self.batch.push(record);
        if self.octets >= INSERT_OCTETS || self.batch.len() >= BATCH as usize {
            self.flush(session).await?;
        }
        Ok(())
    }

    async fn flush(&mut self, session: &mut Session) -> Result<()> {
        self.octets = 0;
        let batch = std::mem::take(&mut self.batch);
        if !batch.is_empty() {
            archived(self.storage).insert_many(batch).session(session).await?;
        }
        Ok(())
    }
}

/// What of the removed messages goes into the archive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kept {
    /// Nothing.
    Nothing,
    /// All but drafts, and but what was copied before: clients move like that.
    Usual,
    /// Drafts, too: nobody named them, they only go with others.
    DraftsToo,
}

impl Kept {
    fn has(self, document: &RawDocument, message: &Message) -> bool {
        let is_copied = document.get_bool(cstr!("copied")).unwrap_or(false);
        match self {
            Self::Nothing => false,
            Self::Usual => !is_copied && !message.row.flags.has(Flag::Draft),
            Self::DraftsToo => !is_copied,
        }
    }
}

/// Calls `visit` for the selected messages, ascending by UID, and copies those worth keeping into
/// the archive, as of `now_ms`; tells `visit` whether it did. The documents stay
/// where they are. Two round trips per chunk and 1,000 messages, or 4 MB of them.
///
/// # Errors
/// `Unavailable`, `Internal`.
pub async fn visit(
    storage: &Storage,
    session: &mut Session,
    selection: &Selection<'_>,
    (kept, now_ms): (Kept, i64),
    visit: &mut (dyn FnMut(Message, bool) + Send),
) -> Result<()> {
    let messages = collection(storage);
    let mut archiver = Archiver::new(storage, now_ms);
    let mut left = i64::try_from(selection.limit).unwrap_or(i64::MAX);
    for chunk in Chunks::new(selection.uids) {
        if left == 0 {
            break;
        }
        let mut find = messages
            .find(selection.filter(chunk))
            .sort(doc! { "uid": 1 })
            .limit(if left == i64::MAX { 0 } else { left })
            .batch_size(BATCH);
        if kept == Kept::Nothing {
            find = find.projection(projection(Fields::default()));
        }
        let mut cursor = find.session(&mut *session).await?;
        while cursor.advance(session).await? {
            let message = read(cursor.current())?;
            let is_kept = kept.has(cursor.current(), &message);
            if is_kept {
                archiver.put(session, cursor.current()).await?;
            }
            visit(message, is_kept);
            left = left.saturating_sub(1);
        }
        archiver.flush(session).await?;
    }
    Ok(())
}

/// What [`remove_unreachable`] removed.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Removed {
    /// Messages.
    pub messages: u64,
    /// Of each content, how many of them were not archived: the counts to lower after the commit.
    pub references: BTreeMap<ContentHash, u64>,
}

/// Removes at most `limit` messages of a mailbox that is gone (`None`: of all of a user's), into
/// the archive unless `now_ms` is `None`. Two round trips, three with an archive.
///
/// # Errors
/// `Unavailable`.
pub async fn remove_unreachable(
    storage: &Storage,
    session: &mut Session,
    (user, mailbox): (UserId, Option<MailboxId>),
    limit: i64,
    now_ms: Option<i64>,
) -> Result<Removed> {
    let mut filter = doc! { "user": oid(user) };
    if let Some(mailbox) = mailbox {
        filter.insert("mailbox", oid(mailbox));
    }
    let messages = collection(storage);
    let mut find = messages.find(filter).limit(limit);
    if now_ms.is_none() {
        find = find.projection(doc! { "content": 1, "flags": 1 });
    }
    let mut archiver = Archiver::new(storage, now_ms.unwrap_or_default());
    let mut cursor = find.session(&mut *session).await?;
    let (mut ids, mut removed) = (Vec::new(), Removed::default());
    while cursor.advance(session).await? {
        let message = read(cursor.current())?;
        if now_ms.is_some() && Kept::Usual.has(cursor.current(), &message) {
            archiver.put(session, cursor.current()).await?;
        } else {
            *removed.references.entry(message.content).or_default() += 1;
        }
        ids.push(Bson::ObjectId(oid(message.id)));
        removed.messages += 1;
    }
    archiver.flush(session).await?;
    if !ids.is_empty() {
        let filter = doc! { "user": oid(user), "_id": { "$in": ids } };
        messages.delete_many(filter).session(session).await?;
    }
    Ok(removed)
}

/// Which archived messages are purged.
#[derive(Clone, Copy, Debug)]
pub enum Purge {
    /// All of a user's.
    OfUser(UserId),
    /// All that were archived at this time or before.
    Until(i64),
}

/// Removes at most `limit` archived messages for good and returns the counts to lower after the
/// commit; empty: there are none left. Two round trips in a transaction, so that two nodes do not
/// both count one.
///
/// # Errors
/// `Unavailable`.
pub async fn purge(
    storage: &Storage,
    session: &mut Session,
    which: Purge,
    limit: i64,
) -> Result<BTreeMap<ContentHash, u64>> {
    let filter = match which {
        Purge::OfUser(user) => doc! { "user": oid(user) },
        Purge::Until(ms) => doc! { "archived": { "$lte": DateTime::from_millis(ms) } },
    };
    let collection = storage.archived();
    let find = collection.find(filter).projection(doc! { "content": 1 }).limit(limit);
    let mut cursor = find.session(&mut *session).await?;
    let (mut ids, mut counts) = (Vec::new(), BTreeMap::new());
    while let Some(next) = cursor.next(session).await {
        let record: Document = next?;
        *counts.entry(get_hash(&record, "content")?).or_insert(0) += 1;
        ids.extend(record.get("_id").cloned());
    }
    if !ids.is_empty() {
        collection.delete_many(doc! { "_id": { "$in": ids } }).session(session).await?;
    }
    Ok(counts)
}

/// Takes messages out of the archive, in the order of their identifiers; those that are not there
/// (any more) are passed over. Two round trips.
///
/// # Errors
/// `Unavailable`; `Conflict` when one goes meanwhile.
pub async fn take(
    storage: &Storage,
    session: &mut Session,
    user: UserId,
    ids: &[MessageId],
) -> Result<Vec<RawDocumentBuf>> {
    let ids: Vec<Bson> = ids.iter().map(|id| Bson::ObjectId(oid(*id))).collect();
    let filter = doc! { "user": oid(user), "_id": { "$in": ids } };
    let archived = archived(storage);
    let find = archived.find(filter.clone()).sort(doc! { "_id": 1 });
    let mut cursor = find.session(&mut *session).await?;
    let mut taken = Vec::new();
    while cursor.advance(session).await? {
        taken.push(cursor.current().to_owned());
    }
    if !taken.is_empty() {
        let deleted = archived.delete_many(filter).session(session).await?.deleted_count;
        if deleted != taken.len() as u64 {
            return Err(Error::Conflict { reason: "archived messages went meanwhile" });
        }
    }
    Ok(taken)
}

/// A user's archived messages in the order of their identifiers, strictly beyond one of them in the
/// direction of reading. One round trip.
///
/// # Errors
/// `Unavailable`, `Internal`.
pub async fn page(
    storage: &Storage,
    user: UserId,
    beyond: Option<MessageId>,
    ascending: bool,
    limit: i64,
) -> Result<Vec<Message>> {
    let mut filter = doc! { "user": oid(user) };
    if let Some(beyond) = beyond {
        let operator = if ascending { "$gt" } else { "$lt" };
        filter.insert("_id", doc! { operator: oid(beyond) });
    }
    let order = if ascending { 1 } else { -1 };
    let collection = archived(storage);
    let mut cursor = collection.find(filter).sort(doc! { "_id": order }).limit(limit).await?;
    let mut page = Vec::new();
    while cursor.advance().await? {
        page.push(read(cursor.current())?);
    }
    Ok(page)
}

/// The number of a user's archived messages. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn count(storage: &Storage, user: UserId) -> Result<u64> {
    Ok(storage.archived().count_documents(doc! { "user": oid(user) }).await?)
}

/// Where one archived message lay. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn find_mailbox(
    storage: &Storage,
    user: UserId,
    id: MessageId,
) -> Result<Option<MailboxId>> {
    let filter = doc! { "_id": oid(id), "user": oid(user) };
    let found = storage.archived().find_one(filter).projection(doc! { "mailbox": 1 }).await?;
    found.map(|record| get_id(&record, "mailbox")).transpose()
}

/// Some of a user's messages that were archived in this time, oldest first. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn find_between(
    storage: &Storage,
    user: UserId,
    (start_ms, end_ms): (i64, i64),
    limit: i64,
) -> Result<Vec<MessageId>> {
    let (start, end) = (DateTime::from_millis(start_ms), DateTime::from_millis(end_ms));
    let filter = doc! { "user": oid(user), "archived": { "$gte": start, "$lte": end } };
    let archived = storage.archived();
    let find = archived.find(filter).projection(doc! { "_id": 1 });
    let mut cursor = find.sort(doc! { "archived": 1 }).limit(limit).await?;
    let mut ids = Vec::new();
    while cursor.advance().await? {
        ids.push(get_id(&cursor.deserialize_current()?, "_id")?);
    }
    Ok(ids)
}
