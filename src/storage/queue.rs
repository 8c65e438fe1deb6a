//! The outbound queue: one document per recipient of an outgoing message.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | id | the entry |
//! | `queue_id` | id | the message, all its recipients |
//! | `trace` | id | the message's story |
//! | `seq` | int32 | number among them, from 1 |
//! | `user` | id | on whose behalf; absent for forwarding addresses |
//! | `forwarder` | text | the address of ours that forwards it; absent: none does |
//! | `reason` | text | `submit`, `forward`, `autoreply`, `bounce` |
//! | `sender`, `recipient` | text | reverse-path (empty: null) and forward-path |
//! | `target` | `{type, value}` | `mail`: to the recipient's domain; `relay`: to that server; `http`: posted there |
//! | `domain` | text | next hop's name: what entries are batched by |
//! | `local` | bool | the recipient was ours when it was enqueued |
//! | `content`, `octets` | hash, int64 | holds one count of the content |
//! | `prefix` | binary | header fields in front of the content |
//! | `options` | `{ret, envid, tls, any_tls, zone, utf8, binary}` | what the sender asked for the message |
//! | `dsn` | `{success, failure, delay, orcpt: [type, address]}` | what he asked for the recipient, as above |
//! | `tries` | int64 | how often it was put off; absent: never |
//! | `delay_told` | true | he was told that it is late; else absent |
//! | `due` | date | when it is tried; a claim moves it to the end of the lease |
//! | `paused` | date | somebody paused it, and `due` is far away: when it was due; else absent |
//! | `locked_until` | date | end of the lease of the last claim; in the past: nobody has it |
//! | `claim` | id | of the last claim of several at once |
//! | `node` | text | name of the node of the last claim |
//! | `fence` | int64 | grows with every claim; writes of a worker name the one it got |
//! | `log` | list of `{at, host, reply}` | the last tries |
//! | `created` | date | |
//!
//! Indexes: `{local, due}` to claim our own, `{domain, due}` to find a next hop,
//! `{domain, user, due}` to claim for it,
//! `{queue_id, seq}` to inspect, and those of `queue_query` to look through it. 500 octets each.

use super::Storage;
use super::field::{binary, date, get_count, get_hash, get_id, get_ms, hash, int, new_id, oid};
use super::target::{get_target, target};
use crate::model::dsn::{MessageOptions, Notify, RecipientDsn, Return};
use crate::model::error::{Error, Result};
use crate::model::id::{ObjectId, UserId};
use crate::model::message::TimeMs;
use crate::model::queue::{Attempt, Entry, QueueId, Reason};
use bson::{Bson, Document, doc};
use futures_util::TryStreamExt as _;
use mongodb::options::ReturnDocument;
use mongodb::{ClientSession, Collection};

/// Tries kept of an entry.
const LOG_MAX: i32 = 20;

pub(super) fn queue(storage: &Storage) -> Collection<Document> {
    storage.collection("queue")
}

fn write(entry: &Entry) -> Document {
    let mut document = doc! {
        "_id": oid(entry.id),
        "queue_id": oid(entry.queue_id),
        "trace": oid(entry.trace),
        "seq": i64::from(entry.seq),
        "reason": entry.reason.name(),
        "sender": &entry.sender,
        "recipient": &entry.recipient,
        "target": target(&entry.target),
        "domain": &entry.domain,
        "local": entry.is_local,
        "content": hash(&entry.content),
        "octets": int(entry.content_octets),
        "prefix": binary(entry.prefix.clone()),
        "due": date(entry.due_ms),
        "locked_until": date(entry.locked_until_ms),
        "fence": int(entry.fence),
        "log": entry.attempts.iter().map(attempt).collect::<Vec<Bson>>(),
        "created": date(entry.created_ms),
    };
    if let Some(user) = entry.user {
        document.insert("user", oid(user));
    }
    if let Some(forwarder) = &entry.forwarder {
        document.insert("forwarder", forwarder);
    }
    let options = options(&entry.options);
    if !options.is_empty() {
        document.insert("options", options);
    }
    let dsn = recipient_dsn(&entry.dsn);
    if !dsn.is_empty() {
        document.insert("dsn", dsn);
    }
    if entry.is_delay_told {
        document.insert("delay_told", true);
    }
    if entry.tries > 0 {
        document.insert("tries", i64::from(entry.tries));
    }
    document
}

fn options(options: &MessageOptions) -> Document {
    let mut document = doc! {};
    if let Some(ret) = options.ret {
        document.insert("ret", if ret == Return::Full { "full" } else { "hdrs" });
    }
    if let Some(id) = &options.envelope_id {
        document.insert("envid", id);
    }
    if options.requires_tls {
        document.insert("tls", true);
    }
    if options.waives_tls {
        document.insert("any_tls", true);
    }
    if let Some(zone) = &options.zone {
        document.insert("zone", zone);
    }
    if options.is_utf8 {
        document.insert("utf8", true);
    }
    if options.is_binary {
        document.insert("binary", true);
    }
    document
}

fn get_options(document: &Document) -> MessageOptions {
    let ret = |name: &str| if name == "full" { Return::Full } else { Return::Headers };
    MessageOptions {
        ret: document.get_str("ret").ok().map(ret),
        envelope_id: document.get_str("envid").ok().map(str::to_owned),
        requires_tls: document.get_bool("tls").unwrap_or(false),
        waives_tls: document.get_bool("any_tls").unwrap_or(false),
        zone: document.get_str("zone").ok().map(str::to_owned),
        is_utf8: document.get_bool("utf8").unwrap_or(false),
        is_binary: document.get_bool("binary").unwrap_or(false),
    }
}

fn recipient_dsn(dsn: &RecipientDsn) -> Document {
    let mut document = doc! {};
    if let Some(Notify { success, failure, delay }) = dsn.notify {
        document.extend(doc! { "success": success, "failure": failure, "delay": delay });
    }
    if let Some((kind, address)) = &dsn.original {
        document.insert("orcpt", vec![kind, address]);
    }
    document
}

fn get_recipient_dsn(document: &Document) -> RecipientDsn {
    let flag = |name: &str| document.get_bool(name).unwrap_or(false);
    let notify =
        || Notify { success: flag("success"), failure: flag("failure"), delay: flag("delay") };
    let original = document.get_array("orcpt").ok().and_then(|pair| match pair.as_slice() {
        [Bson::String(kind), Bson::String(address)] => Some((kind.clone(), address.clone())),
        _ => None,
    });
    RecipientDsn { notify: document.contains_key("success").then(notify), original }
}

fn attempt(attempt: &Attempt) -> Bson {
    let Attempt { at_ms, host, reply } = attempt;
    Bson::Document(doc! { "at": date(*at_ms), "host": host, "reply": reply })
}

pub(super) fn read(document: &Document) -> Result<Entry> {
    let broken = || Error::Internal { reason: "a queue entry cannot be read", source: None };
    let text = |name: &str| document.get_str(name).unwrap_or_default().to_owned();
    let reason = Reason::EVERY.into_iter().find(|reason| reason.name() == text("reason"));
    let to = document.get_document("target").ok().and_then(get_target);
    let log = document.get_array("log").map(Vec::as_slice).unwrap_or_default();
    let attempts = log.iter().filter_map(Bson::as_document).map(|tried| Attempt {
        at_ms: get_ms(tried, "at"),
        host: tried.get_str("host").unwrap_or_default().to_owned(),
        reply: tried.get_str("reply").unwrap_or_default().to_owned(),
    });
    Ok(Entry {
        id: get_id(document, "_id")?,
        queue_id: get_id(document, "queue_id")?,
        // entries of before there were stories
        trace: get_id(document, "trace").or_else(|_| get_id(document, "queue_id"))?,
        seq: u32::try_from(get_count(document, "seq")).unwrap_or(0),
        user: get_id(document, "user").ok(),
        forwarder: document.get_str("forwarder").ok().map(str::to_owned),
        reason: reason.ok_or_else(broken)?,
        sender: text("sender"),
        recipient: text("recipient"),
        target: to.ok_or_else(broken)?,
        domain: text("domain"),
        is_local: document.get_bool("local").unwrap_or(false),
        content: get_hash(document, "content")?,
        content_octets: get_count(document, "octets"),
        options: document.get_document("options").map(get_options).unwrap_or_default(),
        dsn: document.get_document("dsn").map(get_recipient_dsn).unwrap_or_default(),
        is_delay_told: document.get_bool("delay_told").unwrap_or(false),
        prefix: document.get_binary_generic("prefix").cloned().unwrap_or_default(),
        due_ms: get_ms(document, "due"),
        paused_due_ms: document.contains_key("paused").then(|| get_ms(document, "paused")),
        created_ms: get_ms(document, "created"),
        locked_until_ms: get_ms(document, "locked_until"),
        tries: u32::try_from(get_count(document, "tries")).unwrap_or(u32::MAX),
        fence: get_count(document, "fence"),
        attempts: attempts.collect(),
    })
}

/// Inserts the entries of a message inside a transaction, those that have a lease for the node of
/// this name: one round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn insert(
    storage: &Storage,
    session: &mut ClientSession,
    entries: &[Entry],
    node: &str,
) -> Result<()> {
    let documents = entries.iter().map(|entry| {
        let mut document = write(entry);
        if entry.locked_until_ms > 0 {
            document.insert("node", node);
        }
        document
    });
    queue(storage).insert_many(documents).session(session).await?;
    Ok(())
}

/// Takes the entry for one of our own users that is due longest and nobody has: one round trip. It
/// is due again when the lease ends, so an entry whose worker died is claimed by another.
///
/// # Errors
/// `Unavailable`; `Internal` for a document that cannot be read.
pub async fn claim_local(storage: &Storage, lease: &Lease, now: TimeMs) -> Result<Option<Entry>> {
    let filter = doc! { "local": true, "due": { "$lte": date(now) } };
    let collection = queue(storage);
    let claim = collection.find_one_and_update(filter, lease.change());
    let claim = claim.sort(doc! { "local": 1, "due": 1 });
    let claimed = claim.return_document(ReturnDocument::After).await?;
    claimed.as_ref().map(read).transpose()
}

/// What a claim writes into an entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lease {
    /// Its end.
    pub until_ms: TimeMs,
    /// The name of the node that claims.
    pub node: String,
}

impl Lease {
    fn change(&self) -> Document {
        let until = date(self.until_ms);
        doc! {
            "$set": { "due": &until, "locked_until": &until, "node": &self.node },
            "$inc": { "fence": 1_i64 },
        }
    }
}

/// Gives back, due at once, what a node has claimed and not finished; how much. One round trip:
/// leased entries are those that are due between now and the end of a lease that begins now.
///
/// # Errors
/// `Unavailable`.
pub async fn release_of_node(storage: &Storage, lease: &Lease, now: TimeMs) -> Result<u64> {
    let due = doc! { "$gt": date(now), "$lte": date(lease.until_ms) };
    let filter = doc! {
        "local": { "$in": [true, false] },
        "due": due.clone(),
        "locked_until": due,
        "node": &lease.node,
    };
    let change = doc! {
        "$set": { "due": date(now), "locked_until": date(0) },
        "$inc": { "fence": 1_i64 },
    };
    Ok(queue(storage).update_many(filter, change).await?.modified_count)
}

/// The next hop, in order of names and after one of them, that has something due: one round trip.
/// Those of `busy` are passed over.
///
/// # Errors
/// `Unavailable`.
pub async fn find_due_domain(
    storage: &Storage,
    after: &str,
    busy: &[String],
    now: TimeMs,
) -> Result<Option<String>> {
    let domain = doc! { "$gt": after, "$nin": busy };
    let filter = doc! { "domain": domain, "due": { "$lte": date(now) }, "local": false };
    let order = doc! { "domain": 1, "due": 1 };
    let found =
        queue(storage).find_one(filter).sort(order).projection(doc! { "domain": 1 }).await?;
    Ok(found.and_then(|document| document.get_str("domain").ok().map(str::to_owned)))
}

/// Which entries of a next hop are claimed: those of users after this one, or of all.
pub(super) fn due_of(domain: &str, after: Option<UserId>, now: TimeMs) -> Document {
    let mut filter = doc! { "domain": domain, "due": { "$lte": date(now) }, "local": false };
    if let Some(user) = after {
        filter.insert("user", doc! { "$gt": oid(user) });
    }
    filter
}

/// Takes up to `max` entries of a next hop that are due and nobody has, in order of their users,
/// then those due longest first; `after` a user. Three round trips.
///
/// # Errors
/// `Unavailable`; `Internal` for a document that cannot be read.
pub async fn claim_domain(
    storage: &Storage,
    (domain, after): (&str, Option<UserId>),
    (lease, now): (&Lease, TimeMs),
    max: i64,
) -> Result<Vec<Entry>> {
    let due = doc! { "$lte": date(now) };
    let order = doc! { "domain": 1, "user": 1, "due": 1 };
    let collection = queue(storage);
    let found = collection
        .find(due_of(domain, after, now))
        .sort(order)
        .projection(doc! { "_id": 1 })
        .limit(max);
    let found: Vec<Document> = found.await?.try_collect().await?;
    let ids: Vec<Bson> = found.iter().filter_map(|document| document.get("_id").cloned()).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let claim: ObjectId = new_id();
    let claim = oid(claim);
    let mut change = lease.change();
    if let Ok(set) = change.get_document_mut("$set") {
        set.insert("claim", claim);
    }
    // Another worker may have been faster with some: then they are no longer due
    queue(storage).update_many(doc! { "_id": { "$in": &ids }, "due": due }, change).await?;
    let mine = queue(storage).find(doc! { "_id": { "$in": &ids }, "claim": claim }).await?;
    let mine: Vec<Document> = mine.try_collect().await?;
    let mut entries = mine.iter().map(read).collect::<Result<Vec<Entry>>>()?;
    let place = |entry: &Entry| ids.iter().position(|id| *id == Bson::from(oid(entry.id)));
    entries.sort_by_key(place);
    Ok(entries)
}

fn held(entry: &Entry) -> Document {
    doc! { "_id": oid(entry.id), "fence": int(entry.fence) }
}

/// Gives an entry back to be tried again at `due`. `false`: another worker has it.
///
/// # Errors
/// `Unavailable`.
pub async fn reschedule(
    storage: &Storage,
    entry: &Entry,
    tried: &Attempt,
    due: TimeMs,
) -> Result<bool> {
    let mut set = doc! { "due": date(due), "locked_until": date(0) };
    if entry.is_delay_told {
        set.insert("delay_told", true);
    }
    let change = doc! {
        "$set": set,
        "$push": { "log": { "$each": [attempt(tried)], "$slice": -LOG_MAX } },
        "$inc": { "fence": 1_i64, "tries": 1_i64 },
    };
    Ok(queue(storage).update_one(held(entry), change).await?.matched_count > 0)
}

/// Moves the end of a lease on. `false`: another worker has the entry.
///
/// # Errors
/// `Unavailable`.
pub async fn prolong(storage: &Storage, entry: &Entry, until: TimeMs) -> Result<bool> {
    let change = doc! { "$set": { "due": date(until), "locked_until": date(until) } };
    Ok(queue(storage).update_one(held(entry), change).await?.matched_count > 0)
}

/// Gives entries back untried, due at once: one round trip.
///
/// # Errors
/// `Unavailable`; their leases end.
pub async fn release(storage: &Storage, entries: &[&Entry], now: TimeMs) -> Result<()> {
    if let Some(filter) = all_held(entries) {
        let change = doc! {
            "$set": { "due": date(now), "locked_until": date(0) },
            "$inc": { "fence": 1_i64 },
        };
        queue(storage).update_many(filter, change).await?;
    }
    Ok(())
}

/// Removes entries that are done, those that no other worker has; how many: one round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn delete(storage: &Storage, entries: &[&Entry]) -> Result<u64> {
    match entries {
        [] => Ok(0),
        [entry] => Ok(queue(storage).delete_one(held(entry)).await?.deleted_count),
        entries => match all_held(entries) {
            Some(filter) => Ok(queue(storage).delete_many(filter).await?.deleted_count),
            None => Ok(0),
        },
    }
}

fn all_held(entries: &[&Entry]) -> Option<Document> {
    let each: Vec<Document> = entries.iter().map(|entry| held(entry)).collect();
    (!each.is_empty()).then(|| doc! { "$or": each })
}

/// Removes an entry of a user that no worker has at this time; whether it was removed.
///
/// # Errors
/// `Unavailable`.
pub async fn delete_unlocked(
    storage: &Storage,
    user: UserId,
    entry: ObjectId,
    now: TimeMs,
) -> Result<bool> {
    let idle = doc! { "$lte": date(now) };
    let filter = doc! { "_id": oid(entry), "user": oid(user), "locked_until": idle };
    Ok(queue(storage).delete_one(filter).await?.deleted_count > 0)
}

/// The entries of a message that are still there, in order: one round trip.
///
/// # Errors
/// `Unavailable`; `Internal` for a document that cannot be read.
pub async fn list_of_message(storage: &Storage, queue_id: QueueId) -> Result<Vec<Entry>> {
    let order = doc! { "queue_id": 1, "seq": 1 };
    let found = queue(storage).find(doc! { "queue_id": oid(queue_id) }).sort(order).await?;
    let documents: Vec<Document> = found.try_collect().await?;
    documents.iter().map(read).collect()
}
