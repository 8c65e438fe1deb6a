//! Programs that are told of events, and the events on their way to them.
//!
//! `webhooks`:
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | id | the hook |
//! | `type` | list of text | names of events, `first.*`, `*` |
//! | `user` | id or null | only events of this user |
//! | `url` | text | where they are posted |
//! | `created` | date | |
//! | `due` | date | when its next event is to be posted; absent: none waits |
//! | `locked_until` | date | end of the turn of the node that posts |
//! | `fence`, `version` | int64 | grow with every turn, with every event |
//!
//! `webhook_notices`, one document per event and hook:
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id`, `hook` | id | |
//! | `body` | text | JSON |
//! | `due` | date | when it is posted; absent: given up (a dead letter) |
//! | `attempts` | int64 | times it was tried |
//! | `error` | text | how the last try ended |
//! | `expires` | date | TTL |
//!
//! So each hook has its own queue and its own turn: a slow one delays nobody, and two nodes do not
//! post the same event. Indexes: `webhooks` `{type, user}`, `{due}`; `webhook_notices`
//! `{hook, due, _id}`, TTL.

use super::Storage;
use super::field::{date, get_count, get_id, get_ms, int, oid};
use super::listing::find_around;
use crate::model::error::{Error, Result};
use crate::model::event::Event;
use crate::model::id::{ObjectId, UserId};
use crate::model::message::TimeMs;
use crate::model::webhook::{Notice, Turn, Webhook};
use bson::{Bson, Document, doc};
use futures_util::TryStreamExt as _;
use mongodb::Collection;
use mongodb::options::ReturnDocument;

/// Time an event is kept, also as a dead letter.
const KEPT_MS: TimeMs = 14 * 24 * 60 * 60 * 1000;
/// Hooks that hear of one event.
const HOOKS_MAX: i64 = 1000;

fn webhooks(storage: &Storage) -> Collection<Document> {
    storage.collection("webhooks")
}

fn notices(storage: &Storage) -> Collection<Document> {
    storage.collection("webhook_notices")
}

fn read(document: &Document) -> Result<Webhook> {
    let types = document.get_array("type").map(Vec::as_slice).unwrap_or_default();
    Ok(Webhook {
        id: get_id(document, "_id")?,
        types: types.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect(),
        user: get_id(document, "user").ok(),
        url: document.get_str("url").unwrap_or_default().to_owned(),
        created_ms: get_ms(document, "created"),
    })
}

/// Stores a new hook.
///
/// # Errors
/// `Unavailable`.
pub async fn insert(storage: &Storage, hook: &Webhook) -> Result<()> {
    let document = doc! {
        "_id": oid(hook.id),
        "type": hook.types.clone(),
        "user": hook.user.map(oid),
        "url": &hook.url,
        "created": date(hook.created_ms),
        "locked_until": date(0),
        "fence": 0_i64,
        "version": 0_i64,
    };
    webhooks(storage).insert_one(document).await?;
    Ok(())
}

/// One hook.
///
/// # Errors
/// `Unavailable`.
pub async fn find(storage: &Storage, hook: ObjectId) -> Result<Option<Webhook>> {
    webhooks(storage).find_one(doc! { "_id": oid(hook) }).await?.as_ref().map(read).transpose()
}

/// Removes a hook and what was on its way to it; whether it was there.
///
/// # Errors
/// `Unavailable`.
pub async fn delete(storage: &Storage, hook: ObjectId) -> Result<bool> {
    let deleted = webhooks(storage).delete_one(doc! { "_id": oid(hook) }).await?.deleted_count > 0;
    notices(storage).delete_many(doc! { "hook": oid(hook) }).await?;
    Ok(deleted)
}

/// Which hooks a listing shows.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct WebhookListing {
    /// With exactly this type.
    pub r#type: Option<String>,
    /// Of this user.
    pub user: Option<UserId>,
}

impl WebhookListing {
    fn document(&self) -> Document {
        let mut filter = Document::new();
        if let Some(wanted) = &self.r#type {
            filter.insert("type", wanted);
        }
        if let Some(user) = self.user {
            filter.insert("user", oid(user));
        }
        filter
    }
}

/// Hooks in order of their ids, `after` or `before` one; at most `limit`. Those before come nearest
/// first.
///
/// # Errors
/// `Unavailable`.
pub async fn list(
    storage: &Storage,
    listing: &WebhookListing,
    after: Option<ObjectId>,
    before: Option<ObjectId>,
    limit: i64,
) -> Result<Vec<Webhook>> {
    let (after, before) = (after.map(oid).map(Bson::from), before.map(oid).map(Bson::from));
    let collection = webhooks(storage);
    let found = find_around(&collection, listing.document(), "_id", after, before, limit).await?;
    found.iter().map(read).collect()
}

/// How many hooks a listing shows.
///
/// # Errors
/// `Unavailable`.
pub async fn count(storage: &Storage, listing: &WebhookListing) -> Result<u64> {
    Ok(webhooks(storage).count_documents(listing.document()).await?)
}

/// Tells those who listen, after a change that is acknowledged already: that they could not be told
/// is logged, it does not undo the change. Round trips as [`emit`].
pub async fn tell(storage: &Storage, event: &Event, now: TimeMs) {
    metrics::counter!("eider_events_total", "event" => event.name).increment(1);
    if let Err(error) = emit(storage, event, now).await {
        tracing::error!(event = event.name, %error, "an event was not told to its webhooks");
    }
}

/// The hooks that listen to an event.
fn listening(event: &Event) -> Document {
    let whose = [Bson::Null].into_iter().chain(event.user.map(|user| Bson::from(oid(user))));
    doc! {
        "type": { "$in": event.types() },
        "user": { "$in": whose.collect::<Vec<Bson>>() },
    }
}

/// Whether any hook listens to such an event: one round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn is_heard(storage: &Storage, event: &Event) -> Result<bool> {
    Ok(webhooks(storage).find_one(listening(event)).await?.is_some())
}

/// Tells the hooks that listen: one round trip when there are none, else three.
///
/// # Errors
/// `Unavailable`.
pub async fn emit(storage: &Storage, event: &Event, now: TimeMs) -> Result<()> {
    let collection = webhooks(storage);
    let found =
        collection.find(listening(event)).projection(doc! { "_id": 1 }).limit(HOOKS_MAX).await?;
    let hooks: Vec<Document> = found.try_collect().await?;
    let hooks: Vec<Bson> = hooks.iter().filter_map(|hook| hook.get("_id").cloned()).collect();
    if hooks.is_empty() {
        return Ok(());
    }
    let rows = hooks.iter().zip(0_u32..).map(|(hook, number)| {
        let id = bson::oid::ObjectId::new();
        doc! {
            "_id": id,
            "hook": hook.clone(),
            "body": body(event, &format!("{}:{number}", id.to_hex()), now),
            "due": date(now),
            "attempts": 0_i64,
            "expires": date(now.saturating_add(KEPT_MS)),
        }
    });
    notices(storage).insert_many(rows).await?;
    // after the notices: who is woken finds them
    let wake = doc! { "$min": { "due": date(now) }, "$inc": { "version": 1_i64 } };
    webhooks(storage).update_many(doc! { "_id": { "$in": hooks } }, wake).await?;
    Ok(())
}

fn body(event: &Event, id: &str, now: TimeMs) -> String {
    let mut fields = serde_json::Map::new();
    fields.insert("ev".into(), event.name.into());
    fields.insert("time".into(), now.into());
    fields.insert("id".into(), id.into());
    if let Some(user) = event.user {
        fields.insert("user".into(), user.to_string().into());
    }
    for (name, value) in &event.fields {
        fields.insert((*name).to_owned(), value.clone().into());
    }
    for (name, value) in &event.numbers {
        fields.insert((*name).to_owned(), (*value).into());
    }
    serde_json::Value::Object(fields).to_string()
}

/// Takes the turn of the hook whose event is due longest and whose turn nobody has.
///
/// # Errors
/// `Unavailable`.
pub async fn claim(storage: &Storage, now: TimeMs, until: TimeMs) -> Result<Option<Turn>> {
    let at_most = doc! { "$lte": date(now) };
    let filter = doc! { "due": at_most.clone(), "locked_until": at_most };
    let lease = doc! { "$set": { "locked_until": date(until) }, "$inc": { "fence": 1_i64 } };
    let collection = webhooks(storage);
    let claim = collection.find_one_and_update(filter, lease).sort(doc! { "due": 1 });
    let claimed = claim.return_document(ReturnDocument::After).await?;
    claimed.as_ref().map(read_turn).transpose()
}

fn read_turn(document: &Document) -> Result<Turn> {
    let (fence, version) = (get_count(document, "fence"), get_count(document, "version"));
    Ok(Turn { hook: read(document)?, fence, version })
}

fn own(turn: &Turn) -> Document {
    doc! { "_id": oid(turn.hook.id), "fence": int(turn.fence) }
}

/// Moves the end of a turn on; the turn with its present version. `None`: it is lost, or the hook
/// is gone.
///
/// # Errors
/// `Unavailable`.
pub async fn prolong(storage: &Storage, turn: &Turn, until: TimeMs) -> Result<Option<Turn>> {
    let lease = doc! { "$set": { "locked_until": date(until) } };
    let collection = webhooks(storage);
    let update = collection.find_one_and_update(own(turn), lease);
    let updated = update.return_document(ReturnDocument::After).await?;
    updated.as_ref().map(read_turn).transpose()
}

/// Ends a turn: the hook is due with its next event. `false`: an event came meanwhile, or the turn
/// is lost; [`prolong`] tells which.
///
/// # Errors
/// `Unavailable`.
pub async fn end_turn(storage: &Storage, turn: &Turn) -> Result<bool> {
    let waiting = doc! { "hook": oid(turn.hook.id), "due": { "$gte": date(0) } };
    let order = doc! { "hook": 1, "due": 1, "_id": 1 };
    let next = notices(storage).find_one(waiting).sort(order).await?;
    let mut change = doc! { "$set": { "locked_until": date(0) } };
    match next.map(|notice| get_ms(&notice, "due")) {
        Some(due) => {
            change = doc! { "$set": { "locked_until": date(0), "due": date(due) } };
        }
        None => {
            change.insert("$unset", doc! { "due": 1 });
        }
    }
    let mut filter = own(turn);
    filter.insert("version", int(turn.version));
    Ok(webhooks(storage).update_one(filter, change).await?.matched_count > 0)
}

/// The next events of a hook that are due, in order.
///
/// # Errors
/// `Unavailable`.
pub async fn due_notices(
    storage: &Storage,
    hook: ObjectId,
    now: TimeMs,
    limit: i64,
) -> Result<Vec<Notice>> {
    let filter = doc! { "hook": oid(hook), "due": { "$lte": date(now) } };
    let order = doc! { "hook": 1, "due": 1, "_id": 1 };
    let found = notices(storage).find(filter).sort(order).limit(limit).await?;
    let documents: Vec<Document> = found.try_collect().await?;
    let notice = |document: &Document| {
        Ok(Notice {
            id: get_id(document, "_id")?,
            body: document.get_str("body").unwrap_or_default().to_owned(),
            attempts: get_count(document, "attempts"),
        })
    };
    documents.iter().map(notice).collect()
}

/// Forgets an event that was posted.
///
/// # Errors
/// `Unavailable`.
pub async fn delete_notice(storage: &Storage, notice: ObjectId) -> Result<()> {
    notices(storage).delete_one(doc! { "_id": oid(notice) }).await?;
    Ok(())
}

/// Notes a try in vain: the event is due again, or given up (`None`).
///
/// # Errors
/// `Unavailable`.
pub async fn fail_notice(
    storage: &Storage,
    notice: ObjectId,
    error: &str,
    due: Option<TimeMs>,
) -> Result<()> {
    let mut change = doc! { "$set": { "error": error }, "$inc": { "attempts": 1_i64 } };
    match due {
        Some(due) => change.insert("$set", doc! { "error": error, "due": date(due) }),
        None => change.insert("$unset", doc! { "due": 1 }),
    };
    let result = notices(storage).update_one(doc! { "_id": oid(notice) }, change).await?;
    if result.matched_count == 0 {
        return Err(Error::NotFound { what: "notice" });
    }
    Ok(())
}

/// Events of a hook that were given up.
///
/// # Errors
/// `Unavailable`.
pub async fn count_dead(storage: &Storage, hook: ObjectId) -> Result<u64> {
    let filter = doc! { "hook": oid(hook), "due": { "$exists": false } };
    Ok(notices(storage).count_documents(filter).await?)
}
