//! What happened to messages: one document per event of a message's story.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | id | the event; made when it happened, so in order of time |
//! | `trace` | id | the story |
//! | `at` | date | when |
//! | `what` | text | a name of `model::trace::Happening` |
//! | `keys` | list of text | what it is found by, as `model::trace::SearchKey` makes them |
//! | `queue_id`, `user` | id | if known |
//! | `sender`, `recipient`, `message_id`, `peer` | text | if known |
//! | names of `model::trace::Detail` | text | if known |
//! | `expires` | date | TTL |
//!
//! Indexes: `{trace, _id}` for a story, `{keys, _id}` for all searches: one list, because most
//! events know some of the names only. Written in batches by `trace`, 600 octets each, two for
//! a message that is stored, four for one that leaves. Shard key: `trace`.

use super::Storage;
use super::error::is_duplicate;
use super::field::{date, get_id, get_ms, oid};
use crate::model::error::Result;
use crate::model::message::TimeMs;
use crate::model::trace::{Detail, Event, Happening, Recorded, Search};
use bson::{Bson, Document, doc};
use futures_util::TryStreamExt as _;
use mongodb::Collection;

fn deliveries(storage: &Storage) -> Collection<Document> {
    storage.collection("deliveries")
}

fn write(recorded: &Recorded, kept_ms: TimeMs) -> Document {
    let Recorded { id, at_ms, event } = recorded;
    let keys: Vec<String> = event.keys().iter().map(|key| key.as_str().to_owned()).collect();
    let mut document = doc! {
        "_id": oid(*id),
        "trace": oid(event.trace),
        "at": date(*at_ms),
        "what": event.what.name(),
        "keys": keys,
        "expires": date(at_ms.saturating_add(kept_ms)),
    };
    if let Some(queue_id) = event.queue_id {
        document.insert("queue_id", oid(queue_id));
    }
    if let Some(user) = event.user {
        document.insert("user", oid(user));
    }
    let peer = event.peer.map(|peer| peer.to_string());
    let texts = [
        ("sender", &event.sender),
        ("recipient", &event.recipient),
        ("message_id", &event.message_id),
        ("peer", &peer),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            document.insert(name, text);
        }
    }
    for (detail, text) in &event.details {
        document.insert(detail.name(), text);
    }
    document
}

/// `None`: an event of a newer release.
fn read(document: &Document) -> Result<Option<Recorded>> {
    let text = |name: &str| document.get_str(name).ok().map(str::to_owned);
    let Some(what) = text("what").and_then(|name| Happening::named(&name)) else {
        return Ok(None);
    };
    let detail = |detail: Detail| Some((detail, text(detail.name())?));
    Ok(Some(Recorded {
        id: get_id(document, "_id")?,
        at_ms: get_ms(document, "at"),
        event: Event {
            queue_id: get_id(document, "queue_id").ok(),
            user: get_id(document, "user").ok(),
            sender: text("sender"),
            recipient: text("recipient"),
            message_id: text("message_id"),
            peer: text("peer").and_then(|peer| peer.parse().ok()),
            details: Detail::EVERY.into_iter().filter_map(detail).collect(),
            ..Event::new(get_id(document, "trace")?, what)
        },
    }))
}

/// Inserts events that are to be kept so long: one round trip. May be repeated.
///
/// # Errors
/// `Unavailable`; some may be there then.
pub async fn insert(storage: &Storage, events: &[Recorded], kept_ms: TimeMs) -> Result<()> {
    let documents = events.iter().map(|event| write(event, kept_ms));
    match deliveries(storage).insert_many(documents).ordered(false).await {
        Err(error) if !is_duplicate(&error) => Err(error.into()),
        _ => Ok(()),
    }
}

/// The smallest id of an instant.
fn id_at(ms: TimeMs) -> Bson {
    let seconds = u32::try_from(ms.div_euclid(1000)).unwrap_or(0);
    Bson::ObjectId(bson::oid::ObjectId::from_parts(seconds, [0; 5], [0; 3]))
}

/// The filter of a search: one interval of an index, of the story's or of that of the keys.
pub(super) fn filter(search: &Search) -> Document {
    let mut filter = doc! {};
    if let Some(trace) = search.trace {
        filter.insert("trace", oid(trace));
    }
    if !search.keys.is_empty() {
        let keys: Vec<&str> = search.keys.iter().map(|key| key.as_str()).collect();
        filter.insert("keys", doc! { "$all": keys });
    }
    if !search.what.is_empty() {
        let names: Vec<&str> = search.what.iter().map(|what| what.name()).collect();
        filter.insert("what", doc! { "$in": names });
    }
    let mut ids = doc! {};
    if let Some(since) = search.since_ms {
        ids.insert("$gte", id_at(since));
    }
    let until = search.until_ms.map(id_at);
    let before = search.before.map(|id| Bson::ObjectId(oid(id)));
    // the earlier of both
    let end = [until, before].into_iter().flatten().min_by_key(|id| id.as_object_id());
    if let Some(end) = end {
        ids.insert("$lt", end);
    }
    if !ids.is_empty() {
        filter.insert("_id", ids);
    }
    filter
}

/// Events, newest first, at most `limit`: one round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn list(storage: &Storage, search: &Search, limit: i64) -> Result<Vec<Recorded>> {
    let newest = doc! { "_id": -1 };
    let found = deliveries(storage).find(filter(search)).sort(newest).limit(limit).await?;
    let documents: Vec<Document> = found.try_collect().await?;
    documents.iter().filter_map(|document| read(document).transpose()).collect()
}

/// Events, oldest first, at most `limit`: one round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn list_oldest(storage: &Storage, search: &Search, limit: i64) -> Result<Vec<Recorded>> {
    let oldest = doc! { "_id": 1 };
    let found = deliveries(storage).find(filter(search)).sort(oldest).limit(limit).await?;
    let documents: Vec<Document> = found.try_collect().await?;
    let mut events: Vec<Recorded> = documents
        .iter()
        .filter_map(|document| read(document).transpose())
        .collect::<Result<_>>()?;
    // ids of several nodes are in order to the second only
    events.sort_by_key(|event| (event.at_ms, event.id));
    Ok(events)
}
