//! `deferred`: work that a request began and does not wait for, and what a crash must not lose.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | ObjectId | the task, as the API names it |
//! | `user` | ObjectId | whose |
//! | `kind` | string | [`Work`] |
//! | `mailbox`, `target` | ObjectId | where, where to |
//! | `sets` | array of `{mailbox, uids}` | which messages |
//! | `archives` | bool | what is removed goes to the archive |
//! | `set`, `cleared` | int32 | flag bits |
//! | `start`, `end` | date | a range of time |
//! | `due` | date | when a node may take it; whoever takes it moves this on |
//!
//! Every kind of work can be done twice without harm. Indexes: `{due}`, `{user, kind}`. Nearly
//! always empty.

use crate::model::error::{Error, Result};
use crate::model::id::{MailboxId, ObjectId, UserId};
use crate::model::uid::UidSet;
use crate::storage::Storage;
use crate::storage::field::{date, get_id, get_int, get_ms, get_uid_set, oid, uid_set};
use crate::storage::transaction::Session;
use bson::{Bson, Document, doc};
use mongodb::Collection;

/// What is to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Work {
    /// Remove the messages of a mailbox that is gone.
    Drain {
        /// The mailbox.
        mailbox: MailboxId,
    },
    /// Remove all messages of a mailbox.
    Clear {
        /// The mailbox.
        mailbox: MailboxId,
        /// Into the archive.
        archives: bool,
    },
    /// Stamp the expiry of a mailbox's messages (`None`: of all mailboxes) anew.
    Restamp {
        /// The mailbox.
        mailbox: Option<MailboxId>,
    },
    /// Restore what was archived in this time.
    Restore {
        /// Milliseconds since 1970.
        start_ms: i64,
        /// Milliseconds since 1970.
        end_ms: i64,
    },
    /// Do something to messages.
    Apply {
        /// Which.
        sets: Vec<(MailboxId, UidSet)>,
        /// What.
        action: Action,
    },
}

/// What is done to messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// They are removed, into the archive.
    Remove,
    /// Flags are set and cleared.
    Flag {
        /// Bits to set.
        set: u8,
        /// Bits to clear.
        cleared: u8,
    },
    /// They are moved.
    Move {
        /// Where to.
        target: MailboxId,
    },
}

/// Something to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deferred {
    /// The task.
    pub id: ObjectId,
    /// Whose.
    pub user: UserId,
    /// What.
    pub work: Work,
}

fn deferred(storage: &Storage) -> Collection<Document> {
    storage.collection("deferred")
}

fn record(deferred: &Deferred, due_ms: i64) -> Document {
    let mut record =
        doc! { "_id": oid(deferred.id), "user": oid(deferred.user), "due": date(due_ms) };
    let (kind, fields) = match &deferred.work {
        Work::Drain { mailbox } => ("drain", doc! { "mailbox": oid(*mailbox) }),
        Work::Clear { mailbox, archives } => {
            ("clear", doc! { "mailbox": oid(*mailbox), "archives": *archives })
        }
        Work::Restamp { mailbox: Some(mailbox) } => ("restamp", doc! { "mailbox": oid(*mailbox) }),
        Work::Restamp { mailbox: None } => ("restamp", doc! {}),
        Work::Restore { start_ms, end_ms } => {
            ("restore", doc! { "start": date(*start_ms), "end": date(*end_ms) })
        }
        Work::Apply { sets, action } => {
            let sets = sets
                .iter()
                .map(|(mailbox, uids)| doc! { "mailbox": oid(*mailbox), "uids": uid_set(uids) });
            record.insert("sets", sets.collect::<Vec<Document>>());
            match action {
                Action::Remove => ("remove", doc! {}),
                Action::Flag { set, cleared } => {
                    ("flag", doc! { "set": i32::from(*set), "cleared": i32::from(*cleared) })
                }
                Action::Move { target } => ("move", doc! { "target": oid(*target) }),
            }
        }
    };
    record.insert("kind", kind);
    record.extend(fields);
    record
}

fn read(record: &Document) -> Result<Deferred> {
    let mailbox = || get_id(record, "mailbox");
    let bits = |key| u8::try_from(get_int(record, key) & 0xff).unwrap_or_default();
    let apply = |action| Ok::<_, Error>(Work::Apply { sets: sets(record)?, action });
    let work = match record.get_str("kind").unwrap_or_default() {
        "drain" => Work::Drain { mailbox: mailbox()? },
        "clear" => {
            let archives = record.get_bool("archives").unwrap_or(true);
            Work::Clear { mailbox: mailbox()?, archives }
        }
        "restamp" => Work::Restamp { mailbox: mailbox().ok() },
        "restore" => {
            Work::Restore { start_ms: get_ms(record, "start"), end_ms: get_ms(record, "end") }
        }
        "remove" => apply(Action::Remove)?,
        "flag" => apply(Action::Flag { set: bits("set"), cleared: bits("cleared") })?,
        "move" => apply(Action::Move { target: get_id(record, "target")? })?,
        _ => {
            let reason = "deferred work of a kind this version does not know";
            return Err(Error::Internal { reason, source: None });
        }
    };
    Ok(Deferred { id: get_id(record, "_id")?, user: get_id(record, "user")?, work })
}

fn sets(record: &Document) -> Result<Vec<(MailboxId, UidSet)>> {
    let sets = record.get_array("sets").map(Vec::as_slice).unwrap_or_default();
    let sets = sets.iter().filter_map(Bson::as_document);
    sets.map(|set| Ok((get_id(set, "mailbox")?, get_uid_set(set, "uids")))).collect()
}

/// Notes work. Until `due_ms` it is the caller's, in whose transaction it may be. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn insert(
    storage: &Storage,
    session: Option<&mut Session>,
    deferred: &Deferred,
    due_ms: i64,
) -> Result<()> {
    let collection = self::deferred(storage);
    let insert = collection.insert_one(record(deferred, due_ms));
    match session {
        Some(session) => insert.session(session).await?,
        None => insert.await?,
    };
    Ok(())
}

/// The task that clears this mailbox, if there is one. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn find_clear(
    storage: &Storage,
    user: UserId,
    mailbox: MailboxId,
) -> Result<Option<ObjectId>> {
    let filter = doc! { "user": oid(user), "kind": "clear", "mailbox": oid(mailbox) };
    let found = deferred(storage).find_one(filter).projection(doc! { "_id": 1 }).await?;
    found.map(|record| get_id(&record, "_id")).transpose()
}

/// Takes something that is due and makes it due again at `until_ms`. One round trip.
///
/// # Errors
/// `Unavailable`; `Internal` for work of a kind that is not known.
pub async fn claim(storage: &Storage, now_ms: i64, until_ms: i64) -> Result<Option<Deferred>> {
    let filter = doc! { "due": { "$lte": date(now_ms) } };
    let update = doc! { "$set": { "due": date(until_ms) } };
    let claimed =
        deferred(storage).find_one_and_update(filter, update).sort(doc! { "due": 1 }).await?;
    claimed.as_ref().map(read).transpose()
}

/// Forgets work that is done. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn delete(storage: &Storage, id: ObjectId) -> Result<()> {
    deferred(storage).delete_one(doc! { "_id": oid(id) }).await?;
    Ok(())
}

/// Forgets a deleted user's work.
///
/// # Errors
/// `Unavailable`.
pub async fn delete_all(storage: &Storage, user: UserId) -> Result<()> {
    deferred(storage).delete_many(doc! { "user": oid(user) }).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::field::new_id;

    #[test]
    fn what_is_written_is_read() {
        let mailbox = new_id();
        let sets = vec![(mailbox, UidSet::from_ranges(vec![(1, 3), (7, 7)]))];
        let flag = Action::Flag { set: 1, cleared: 4 };
        let works = [
            Work::Drain { mailbox },
            Work::Clear { mailbox, archives: false },
            Work::Restamp { mailbox: Some(mailbox) },
            Work::Restamp { mailbox: None },
            Work::Restore { start_ms: 5, end_ms: 9 },
            Work::Apply { sets: sets.clone(), action: Action::Remove },
            Work::Apply { sets: sets.clone(), action: flag },
            Work::Apply { sets, action: Action::Move { target: new_id() } },
        ];
        for work in works {
            let deferred = Deferred { id: new_id(), user: new_id(), work };
            assert_eq!(read(&record(&deferred, 1)).unwrap(), deferred);
        }
        assert!(read(&doc! { "kind": "later" }).is_err());
    }
}
