//! The queue as operators look at it and steer it: pages by query, sizes, changes by hand.
//!
//! A paused entry is due at the end of time, so claims skip it by the index they use; the time it
//! was due at is in `paused`. Only entries that no worker has are changed.
//! Indexes: `{user, _id}`, `{domain, _id}`, `{sender, _id}`, `{recipient, _id}`.

use super::Storage;
use super::field::{date, get_count, get_hash, get_int, int, oid};
use super::queue::{queue, read};
use super::regex::contains;
use super::target::target as write_target;
use crate::model::error::Result;
use crate::model::id::{ContentHash, ObjectId, UserId};
use crate::model::message::TimeMs;
use crate::model::queue::{AGE_HOURS, Entry, Query, Share, State, Summary};
use crate::model::target::ForwardTarget;
use bson::{Bson, Document, bson, doc};
use futures_util::TryStreamExt as _;
use mongodb::options::ReturnDocument;
use std::time::Duration;

/// When paused entries are due: 1 January 9999.
const NEVER_MS: TimeMs = 253_370_764_800_000;
/// How long the queue is counted at most.
const COUNT_TIME_MAX: Duration = Duration::from_secs(10);
/// Next hops that are counted one by one.
const NEXT_HOPS_MAX: i64 = 20;
const HOUR_MS: TimeMs = 3_600_000;

fn idle(now: TimeMs) -> Document {
    doc! { "$lte": date(now) }
}

/// The entries of a query. One of its indexes bounds the scan when a name is given; else the whole
/// queue is looked through, page by page.
pub(super) fn filter(query: &Query, now: TimeMs) -> Document {
    let mut filter = doc! {};
    let texts =
        [("domain", &query.domain), ("sender", &query.sender), ("recipient", &query.recipient)];
    for (name, text) in texts {
        if let Some(text) = text {
            filter.insert(name, text);
        }
    }
    let ids = [("user", query.user.map(oid)), ("queue_id", query.queue_id.map(oid))];
    filter.extend(ids.into_iter().filter_map(|(name, id)| Some((name.to_owned(), id?.into()))));
    if let Some(reason) = query.reason {
        filter.insert("reason", reason.name());
    }
    let mut created = doc! {};
    if let Some(since) = query.since_ms {
        created.insert("$gte", date(since));
    }
    if let Some(until) = query.until_ms {
        created.insert("$lt", date(until));
    }
    if !created.is_empty() {
        filter.insert("created", created);
    }
    if let Some(reply) = &query.reply {
        filter.insert("log.reply", contains(reply));
    }
    if let Some(state) = query.state {
        filter.extend(of_state(state, now));
    }
    filter
}

/// As `Entry::state` tells them.
fn of_state(state: State, now: TimeMs) -> Document {
    let mut filter = doc! { "locked_until": idle(now), "paused": { "$exists": false } };
    match state {
        State::Active => return doc! { "locked_until": { "$gt": date(now) } },
        State::Paused => filter.extend(doc! { "paused": { "$exists": true } }),
        State::Deferred => filter.extend(doc! { "log.0": { "$exists": true } }),
        State::Ready => filter.extend(doc! { "log.0": { "$exists": false }, "due": idle(now) }),
        State::Scheduled => {
            filter.extend(doc! { "log.0": { "$exists": false }, "due": { "$gt": date(now) } });
        }
    }
    filter
}

/// Entries of a query in order of their ids, `after` one, at most `limit`: one round trip.
///
/// # Errors
/// `Unavailable`; `Internal` for a document that cannot be read.
pub async fn list(
    storage: &Storage,
    query: &Query,
    after: Option<ObjectId>,
    now: TimeMs,
    limit: i64,
) -> Result<Vec<Entry>> {
    let mut filter = filter(query, now);
    if let Some(after) = after {
        filter.insert("_id", doc! { "$gt": oid(after) });
    }
    let found = queue(storage).find(filter).sort(doc! { "_id": 1 }).limit(limit).await?;
    let documents: Vec<Document> = found.try_collect().await?;
    documents.iter().map(read).collect()
}

/// One entry: one round trip.
///
/// # Errors
/// `Unavailable`; `Internal` for a document that cannot be read.
pub async fn find(storage: &Storage, entry: ObjectId) -> Result<Option<Entry>> {
    let found = queue(storage).find_one(doc! { "_id": oid(entry) }).await?;
    found.as_ref().map(read).transpose()
}

/// Changes the entries of these ids that match a condition and that no worker has: how many.
async fn change(
    storage: &Storage,
    ids: &[ObjectId],
    condition: Document,
    now: TimeMs,
    changes: Vec<Document>,
) -> Result<u64> {
    let ids: Vec<Bson> = ids.iter().map(|id| Bson::ObjectId(oid(*id))).collect();
    let mut filter = doc! { "_id": { "$in": ids }, "locked_until": idle(now) };
    filter.extend(condition);
    Ok(queue(storage).update_many(filter, changes).await?.matched_count)
}

/// Pauses entries, but not those that are already or that a worker has; how many. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn pause(storage: &Storage, ids: &[ObjectId], now: TimeMs) -> Result<u64> {
    let changes = vec![doc! { "$set": { "paused": "$due", "due": date(NEVER_MS) } }];
    change(storage, ids, doc! { "paused": { "$exists": false } }, now, changes).await
}

/// Resumes paused entries; how many. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn resume(storage: &Storage, ids: &[ObjectId], now: TimeMs) -> Result<u64> {
    let changes = vec![doc! { "$set": { "due": "$paused" } }, doc! { "$unset": "paused" }];
    change(storage, ids, doc! { "paused": { "$exists": true } }, now, changes).await
}

/// Makes entries due now, also paused ones; how many. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn retry(storage: &Storage, ids: &[ObjectId], now: TimeMs) -> Result<u64> {
    let changes = vec![doc! { "$set": { "due": date(now) } }, doc! { "$unset": "paused" }];
    change(storage, ids, doc! {}, now, changes).await
}

/// Sends an entry elsewhere. `false`: a worker has it, or it is gone. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn reroute(
    storage: &Storage,
    entry: ObjectId,
    target: &ForwardTarget,
    now: TimeMs,
) -> Result<bool> {
    let free = doc! { "_id": oid(entry), "locked_until": idle(now) };
    let set = doc! { "target": write_target(target), "domain": target.domain(), "local": false };
    let changed = queue(storage).update_one(free, doc! { "$set": set }).await?;
    Ok(changed.matched_count > 0)
}

/// Takes an entry that no worker has, whenever it is due, as a claim does. One round trip.
///
/// # Errors
/// `Unavailable`; `Internal` for a document that cannot be read.
pub async fn take(
    storage: &Storage,
    entry: ObjectId,
    now: TimeMs,
    until: TimeMs,
) -> Result<Option<Entry>> {
    let lease = doc! {
        "$set": { "locked_until": date(until) },
        // a paused one stays so if we die
        "$max": { "due": date(until) },
        "$inc": { "fence": 1_i64 },
    };
    let free = doc! { "_id": oid(entry), "locked_until": idle(now) };
    let entries = queue(storage);
    let taking = entries.find_one_and_update(free, lease);
    let taken = taking.return_document(ReturnDocument::After).await?;
    taken.as_ref().map(read).transpose()
}

/// Removes some entries of a user, whoever has them: the content of each that was removed here. One
/// query, and a round trip for each.
///
/// # Errors
/// `Unavailable`.
pub async fn delete_of_user(
    storage: &Storage,
    user: UserId,
    limit: i64,
) -> Result<Vec<ContentHash>> {
    let (entries, only) = (queue(storage), doc! { "_id": 1 });
    let found = entries.find(doc! { "user": oid(user) }).projection(only).limit(limit).await?;
    let ids: Vec<Document> = found.try_collect().await?;
    let mut contents = Vec::with_capacity(ids.len());
    for id in ids {
        // one by one: a worker may finish some meanwhile, and lowers the count itself then
        let one = doc! { "_id": id.get_object_id("_id").ok(), "user": oid(user) };
        if let Some(gone) = entries.find_one_and_delete(one).await? {
            contents.push(get_hash(&gone, "content")?);
        }
    }
    Ok(contents)
}

/// Counts the queue: two scans of it in the database.
///
/// # Errors
/// `Unavailable`, also when it takes too long.
pub async fn summarize(storage: &Storage, now: TimeMs) -> Result<Summary> {
    let run = async |pipeline: Vec<Document>| -> Result<Vec<Document>> {
        let entries = queue(storage);
        let counting = entries.aggregate(pipeline).max_time(COUNT_TIME_MAX);
        Ok(counting.await?.try_collect().await?)
    };
    let shares = run(share_pipeline(now)).await?;
    let hops = run(vec![
        doc! { "$group": { "_id": "$domain", "n": { "$sum": 1_i64 } } },
        doc! { "$sort": { "n": -1, "_id": 1 } },
        doc! { "$limit": NEXT_HOPS_MAX },
    ])
    .await?;
    let hop = |hop: &Document| Some((hop.get_str("_id").ok()?.to_owned(), get_count(hop, "n")));
    Ok(Summary {
        shares: shares.iter().filter_map(read_share).collect(),
        next_hops: hops.iter().filter_map(hop).collect(),
    })
}

/// Groups entries by state, age and the first three characters of the last reply.
fn share_pipeline(now: TimeMs) -> Vec<Document> {
    let tries = doc! { "$size": { "$ifNull": ["$log", []] } };
    let is_tried = bson!({ "$gt": [tries, 0] });
    let if_else =
        |test: Bson, then: Bson, otherwise: Bson| bson!({ "$cond": [test, then, otherwise] });
    let name = |state: State| Bson::String(state.name().to_owned());
    let is_due = bson!({ "$lte": ["$due", date(now)] });
    let mut state = if_else(is_due, name(State::Ready), name(State::Scheduled));
    state = if_else(is_tried.clone(), name(State::Deferred), state);
    let is_paused = bson!({ "$gt": ["$paused", Bson::Null] });
    state = if_else(is_paused, name(State::Paused), state);
    let is_active = bson!({ "$gt": ["$locked_until", date(now)] });
    state = if_else(is_active, name(State::Active), state);
    let mut age = bson!(0_i64);
    for hours in AGE_HOURS.into_iter().rev() {
        let bound = now.saturating_sub(TimeMs::from(hours).saturating_mul(HOUR_MS));
        age = if_else(bson!({ "$gt": ["$created", date(bound)] }), int(hours).into(), age);
    }
    // a path through the list, `$log.reply`, is empty to the local default
    let last = doc! { "last": { "$arrayElemAt": ["$log", -1] } };
    let reply = doc! { "$let": { "vars": last, "in": "$$last.reply" } };
    let code = bson!({ "$substrCP": [reply, 0, 3] });
    let code = if_else(is_tried, code, bson!(""));
    let group = doc! { "_id": { "s": state, "a": age, "c": code }, "n": { "$sum": 1_i64 } };
    vec![doc! { "$group": group }]
}

fn read_share(group: &Document) -> Option<Share> {
    let key = group.get_document("_id").ok()?;
    let code = match key.get_str("c").unwrap_or_default() {
        "" => "",
        digits if digits.bytes().all(|digit| digit.is_ascii_digit()) => digits,
        _ => "other",
    };
    Some(Share {
        state: State::named(key.get_str("s").ok()?)?,
        hours_below: u32::try_from(get_int(key, "a")).ok().filter(|hours| *hours > 0),
        code: code.to_owned(),
        entries: get_count(group, "n"),
    })
}
