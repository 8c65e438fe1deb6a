//! Searching a user's messages: what of a query the database answers, and the candidates for the
//! rest.

use crate::model::error::Result;
use crate::model::flag::Flag;
use crate::model::id::{MessageId, ThreadId, UserId};
use crate::model::message::Message;
use crate::model::search::Query;
use crate::storage::Storage;
use crate::storage::field::{get_count, get_id, get_int, int, oid};
use crate::storage::messages::{Chunks, collection};
use crate::storage::record::message::{Fields, projection, read};
use bson::raw::RawDocumentBuf;
use bson::{Bson, DateTime, Document, doc};
use mongodb::Cursor;
use std::collections::{BTreeMap, BTreeSet};

/// A query as a filter.
#[derive(Clone, Debug)]
pub struct Filter {
    document: Document,
    /// Whether the filter says all the query does, or only lets through more.
    pub is_exact: bool,
}

/// The filter of a query on a user's messages.
pub fn filter(user: UserId, query: &Query) -> Filter {
    let mut document = doc! { "user": oid(user) };
    // The conditions on the mailbox stand at the top, where every planner finds them
    let parts = match query {
        Query::All(parts) => parts.as_slice(),
        other => std::slice::from_ref(other),
    };
    let mut conditions = Vec::new();
    let mut is_exact = true;
    for part in parts {
        if let Query::Mailbox(mailbox) = part
            && !document.contains_key("mailbox")
        {
            document.insert("mailbox", oid(*mailbox));
            continue;
        }
        let (condition, exact) = condition(part);
        conditions.extend(condition);
        is_exact &= exact;
    }
    if !conditions.is_empty() {
        document.insert("$and", conditions);
    }
    Filter { document, is_exact }
}

/// What the database can say about a query (`None`: nothing), and whether that is all of it.
fn condition(query: &Query) -> (Option<Document>, bool) {
    let exact = |document| (Some(document), true);
    match query {
        Query::All(parts) => {
            let (conditions, is_exact) = conditions(parts);
            match conditions.is_empty() {
                true => (None, is_exact),
                false => (Some(doc! { "$and": conditions }), is_exact),
            }
        }
        Query::Any(parts) if parts.is_empty() => exact(doc! { "_id": Bson::Null }),
        Query::Any(parts) => {
            let (conditions, is_exact) = conditions(parts);
            // One branch of which nothing is known lets everything through
            match conditions.len() == parts.len() {
                true => (Some(doc! { "$or": conditions }), is_exact),
                false => (None, false),
            }
        }
        Query::Not(inner) => match condition(inner) {
            (Some(inner), true) => exact(doc! { "$nor": [inner] }),
            // What is not "all"
            (None, true) => exact(doc! { "_id": Bson::Null }),
            (_, false) => (None, false),
        },
        Query::Mailbox(mailbox) => exact(doc! { "mailbox": oid(*mailbox) }),
        Query::Thread(thread) => exact(doc! { "thread": oid(*thread) }),
        Query::Uids(uids) => {
            let chunks: Vec<Document> = Chunks::new(uids).map(|uid| doc! { "uid": uid }).collect();
            match chunks.is_empty() {
                true => exact(doc! { "_id": Bson::Null }),
                false => exact(doc! { "$or": chunks }),
            }
        }
        Query::After(ms) => exact(doc! { "idate": { "$gte": DateTime::from_millis(*ms) } }),
        Query::Before(ms) => exact(doc! { "idate": { "$lte": DateTime::from_millis(*ms) } }),
        Query::Larger(octets) => exact(doc! { "octets": { "$gte": int(*octets) } }),
        Query::Smaller(octets) => exact(doc! { "octets": { "$lte": int(*octets) } }),
        Query::HasAttachment => exact(doc! { "sum.a": true }),
        // not set is in the document, for a partial index
        Query::Flags(bits) if *bits == Flag::Seen.bit() => {
            exact(doc! { "unseen": { "$exists": false } })
        }
        Query::Flags(bits) => exact(doc! { "flags": { "$bitsAllSet": i32::from(*bits) } }),
        Query::Field(..) | Query::Word(_) | Query::Phrase(_) => (None, false),
    }
}

fn conditions(parts: &[Query]) -> (Vec<Document>, bool) {
    let (mut conditions, mut is_exact) = (Vec::new(), true);
    for part in parts {
        let (condition, exact) = condition(part);
        conditions.extend(condition);
        is_exact &= exact;
    }
    (conditions, is_exact)
}

/// Messages a filter lets through, in no order.
#[derive(Debug)]
pub struct Candidates {
    cursor: Cursor<RawDocumentBuf>,
}

/// Opens a stream of candidates. One round trip, and one per 1,000 of them.
///
/// # Errors
/// `Unavailable`.
pub async fn candidates(storage: &Storage, filter: Filter, fields: Fields) -> Result<Candidates> {
    let messages = collection(storage);
    let find = messages.find(filter.document).projection(projection(fields));
    let cursor = find.batch_size(crate::storage::messages::BATCH).await?;
    Ok(Candidates { cursor })
}

impl Candidates {
    /// The next one.
    ///
    /// # Errors
    /// `Unavailable`, `Internal`.
    pub async fn next(&mut self) -> Result<Option<Message>> {
        if self.cursor.advance().await? {
            return read(self.cursor.current()).map(Some);
        }
        Ok(None)
    }
}

/// A page of messages that meet an exact filter, in the order of their identifiers, strictly beyond
/// one of them. One round trip.
///
/// # Errors
/// `Unavailable`, `Internal`.
pub async fn page(
    storage: &Storage,
    filter: &Filter,
    beyond: Option<MessageId>,
    limit: i64,
    (fields, ascending): (Fields, bool),
) -> Result<Vec<Message>> {
    let mut document = filter.document.clone();
    if let Some(beyond) = beyond {
        let operator = if ascending { "$gt" } else { "$lt" };
        document.insert("_id", doc! { operator: oid(beyond) });
    }
    let order = if ascending { 1 } else { -1 };
    let messages = collection(storage);
    let find = messages.find(document).projection(projection(fields));
    let mut cursor = find.sort(doc! { "_id": order }).limit(limit).await?;
    let mut page = Vec::new();
    while cursor.advance().await? {
        page.push(read(cursor.current())?);
    }
    Ok(page)
}

/// How many messages meet an exact filter. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn count(storage: &Storage, filter: &Filter) -> Result<u64> {
    Ok(storage.messages().count_documents(filter.document.clone()).await?)
}

/// Messages by their identifiers, in no order. One round trip.
///
/// # Errors
/// `Unavailable`, `Internal`.
pub async fn find_by_ids(
    storage: &Storage,
    user: UserId,
    ids: &[MessageId],
    fields: Fields,
) -> Result<Vec<Message>> {
    let ids: Vec<Bson> = ids.iter().map(|id| Bson::ObjectId(oid(*id))).collect();
    let messages = collection(storage);
    let find = messages.find(doc! { "user": oid(user), "_id": { "$in": ids } });
    let mut cursor = find.projection(projection(fields)).await?;
    let mut found = Vec::new();
    while cursor.advance().await? {
        found.push(read(cursor.current())?);
    }
    Ok(found)
}

fn in_threads(user: UserId, threads: &[ThreadId]) -> Document {
    let threads: Vec<Bson> = threads.iter().map(|id| Bson::ObjectId(oid(*id))).collect();
    doc! { "user": oid(user), "thread": { "$in": threads } }
}

/// A thread's messages in all mailboxes.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct ThreadState {
    /// How many there are.
    pub messages: u64,
    /// One of them has no `\Seen`.
    pub is_unseen: bool,
    /// One of them has `\Flagged`.
    pub is_flagged: bool,
}

/// The states of threads. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn thread_states(
    storage: &Storage,
    user: UserId,
    threads: &[ThreadId],
) -> Result<BTreeMap<ThreadId, ThreadState>> {
    let group = doc! { "_id": { "t": "$thread", "f": "$flags" }, "n": { "$sum": 1i64 } };
    let pipeline = [doc! { "$match": in_threads(user, threads) }, doc! { "$group": group }];
    let mut cursor = storage.messages().aggregate(pipeline).await?;
    let mut states: BTreeMap<ThreadId, ThreadState> = BTreeMap::new();
    while cursor.advance().await? {
        let record: Document = cursor.deserialize_current()?;
        let Ok(key) = record.get_document("_id") else { continue };
        let bits = get_int(key, "f");
        let has = |flag: Flag| bits & i64::from(flag.bit()) != 0;
        let state = states.entry(get_id(key, "t")?).or_default();
        state.messages += get_count(&record, "n");
        state.is_unseen |= !has(Flag::Seen);
        state.is_flagged |= has(Flag::Flagged);
    }
    Ok(states)
}

/// Drafts in threads: the threads that have any, and the message ids they refer to.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Drafts {
    /// Threads with a draft.
    pub threads: BTreeSet<ThreadId>,
    /// In-Reply-To of the drafts.
    pub references: BTreeSet<String>,
}

/// The drafts of threads. One round trip.
///
/// # Errors
/// `Unavailable`, `Internal`.
pub async fn find_drafts(storage: &Storage, user: UserId, threads: &[ThreadId]) -> Result<Drafts> {
    let mut filter = in_threads(user, threads);
    filter.insert("flags", doc! { "$bitsAllSet": i32::from(Flag::Draft.bit()) });
    let fields = Fields { summary: true, ..Fields::default() };
    let mut cursor = collection(storage).find(filter).projection(projection(fields)).await?;
    let mut drafts = Drafts::default();
    while cursor.advance().await? {
        let draft = read(cursor.current())?;
        drafts.threads.insert(draft.thread);
        // each id once, References first: what it answers is the last
        drafts.references.extend(draft.summary.references.into_iter().next_back());
    }
    Ok(drafts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::field::new_id;

    #[test]
    fn what_the_database_cannot_say_lets_more_through() {
        let user = new_id();
        let word = Query::Word("x".into());
        let of = |query: Query| filter(user, &query);
        assert!(of(Query::All(vec![])).is_exact);
        assert!(of(Query::Flags(4).negated()).is_exact);
        assert!(of(Query::Any(vec![Query::HasAttachment, Query::Larger(5)])).is_exact);
        let mixed = of(Query::Any(vec![Query::HasAttachment, word.clone()]));
        assert!(!mixed.is_exact && !mixed.document.contains_key("$and"));
        let all = of(Query::All(vec![Query::HasAttachment, word.clone()]));
        assert!(!all.is_exact && all.document.contains_key("$and"));
        assert!(!of(Query::All(vec![Query::Flags(1), word]).negated()).is_exact);
        let own = of(Query::All(vec![Query::Mailbox(new_id()), Query::Mailbox(new_id())]));
        assert!(own.is_exact && own.document.contains_key("$and"), "both mailboxes: nothing");
    }
}
