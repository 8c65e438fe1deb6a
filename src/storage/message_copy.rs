//! Copying messages to another mailbox, and moving them there in place, inside a transaction.

use crate::model::error::{Error, Result};
use crate::model::flag::{Flag, FlagMask};
use crate::model::id::{MailboxId, UserId};
use crate::model::message::Row;
use crate::model::uid::{ModSeq, Uid, UidSet};
use crate::storage::Storage;
use crate::storage::field::{int, oid};
use crate::storage::messages::{
    self, Chunks, Selection, collection, in_mailbox, insert_documents, run_statements,
};
use crate::storage::record::message::read_row;
use crate::storage::transaction::Session;
use bson::oid::ObjectId;
use bson::raw::{RawDocument, RawDocumentBuf, cstr};
use bson::{DateTime, doc};

/// Documents copied by one insert: some 1.5 MB.
const COPY_BATCH: u32 = 1000;

/// Where messages go.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its owner.
    pub user: UserId,
    /// Mailbox.
    pub mailbox: MailboxId,
    /// UID of the first of them; the others follow without a gap.
    pub uid_first: Uid,
    /// Their ModSeq.
    pub mod_seq: ModSeq,
    /// SAVEDATE of the copies (RFC 8514 §2).
    pub saved_ms: i64,
    /// Flags that copies keep (RFC 4314 §4); a move in place keeps all.
    pub flags: FlagMask,
    /// When they are removed there.
    pub expires_ms: Option<i64>,
}

/// Copies the messages of a set in ascending order of UID, shows each row to `visit`, and returns
/// how many there
/// were. Two round trips per 1,000 messages (and chunk); memory is bounded by one batch.
///
/// # Errors
/// `Unavailable`, `Internal`.
pub async fn copy(
    storage: &Storage,
    session: &mut Session,
    (user, source): (UserId, MailboxId),
    uids: &UidSet,
    target: &Target,
    visit: &mut (dyn FnMut(Row) + Send),
) -> Result<u32> {
    let messages = collection(storage);
    let mut uid = target.uid_first;
    for chunk in Chunks::new(uids) {
        let mut filter = in_mailbox(user, source);
        filter.insert("uid", chunk);
        let mut cursor = messages
            .find(filter)
            .sort(doc! { "uid": 1 })
            .batch_size(COPY_BATCH)
            .session(&mut *session)
            .await?;
        let mut batch = Vec::new();
        while cursor.advance(session).await? {
            let mut row = read_row(cursor.current())?;
            row.flags = target.flags.of(&row.flags);
            batch.push(rewrite(cursor.current(), target, uid)?);
            visit(row);
            uid = uid.checked_add(1).ok_or_else(no_uids_left)?;
            if batch.len() >= COPY_BATCH as usize {
                insert_documents(storage, session, std::mem::take(&mut batch)).await?;
            }
        }
        insert_documents(storage, session, batch).await?;
    }
    Ok(uid - target.uid_first)
}

/// The mailbox has given out all UIDs; it needs a new UIDVALIDITY (RFC 9051 §2.3.1.1).
pub fn no_uids_left() -> Error {
    Error::LimitReached { limit: "4294967295 messages ever in one mailbox".to_owned() }
}

/// The document of a copy: everything but identity, place, saved date and flags that may not be
/// kept as it was.
fn rewrite(document: &RawDocument, target: &Target, uid: Uid) -> Result<RawDocumentBuf> {
    let mut copy = RawDocumentBuf::new();
    let keeps_seen = target.flags.system & Flag::Seen.bit() != 0;
    for element in document {
        let (key, value) = element.map_err(|error| Error::internal("a broken message", error))?;
        match key.as_str() {
            "_id" => copy.append(key, ObjectId::new()),
            "user" => copy.append(key, oid(target.user)),
            "flags" => {
                let flags = value.as_i32().unwrap_or_default() & i32::from(target.flags.system);
                copy.append(key, flags);
            }
            "kw" if !target.flags.keywords => {}
            // with `\Seen` left out it is added below
            "unseen" if !keeps_seen => {}
            "mailbox" => copy.append(key, oid(target.mailbox)),
            "uid" => copy.append(key, i64::from(uid)),
            "mod_seq" => copy.append(key, int(target.mod_seq)),
            "sdate" => copy.append(key, DateTime::from_millis(target.saved_ms)),
            "exp" | "own_exp" | "copied" | "archived" => {}
            _ => copy.append(key, value),
        }
    }
    if !keeps_seen {
        copy.append(cstr!("unseen"), true);
    }
    if let Some(expires_ms) = target.expires_ms {
        copy.append(cstr!("exp"), DateTime::from_millis(expires_ms));
    }
    Ok(copy)
}

/// Moves all messages of a set, each of which must exist, in ascending order of UID. A run of UIDs
/// is one statement
/// that adds the distance; one round trip per 250 runs.
///
/// # Errors
/// `Unavailable`, `Internal`.
pub async fn move_to(
    storage: &Storage,
    session: &mut Session,
    (user, source): (UserId, MailboxId),
    uids: &UidSet,
    target: &Target,
) -> Result<u64> {
    let (mut next, target) = (i64::from(target.uid_first), *target);
    let statements = uids.ranges().to_vec().into_iter().map(move |(first, last)| {
        let (first, last) = (i64::from(first), i64::from(last));
        let mut filter = in_mailbox(user, source);
        filter.insert("uid", doc! { "$gte": first, "$lte": last });
        let mut set = doc! {
            "mailbox": oid(target.mailbox),
            "mod_seq": int(target.mod_seq),
            "sdate": DateTime::from_millis(target.saved_ms),
        };
        let mut unset = doc! { "own_exp": "", "copied": "" };
        match target.expires_ms {
            Some(expires_ms) => set.insert("exp", DateTime::from_millis(expires_ms)),
            None => unset.insert("exp", ""),
        };
        let update = doc! { "$set": set, "$unset": unset, "$inc": { "uid": next - first } };
        next += last - first + 1;
        doc! { "q": filter, "u": update, "multi": true }
    });
    run_statements(storage, session, ("update", "updates"), statements).await
}

/// Puts archived documents into a mailbox, in their order, without `\\Deleted`. Returns their rows.
/// One round trip.
///
/// # Errors
/// `Unavailable`, `Internal`.
pub async fn put_back(
    storage: &Storage,
    session: &mut Session,
    documents: &[RawDocumentBuf],
    target: &Target,
) -> Result<Vec<Row>> {
    let (mut rows, mut batch) = (Vec::new(), Vec::new());
    for (uid, document) in (target.uid_first..).zip(documents) {
        let mut row = read_row(document)?;
        row.flags.system &= !Flag::Deleted.bit();
        let mut copy = RawDocumentBuf::new();
        for element in &rewrite(document, target, uid)? {
            let (key, value) =
                element.map_err(|error| Error::internal("a broken message", error))?;
            match key.as_str() {
                "flags" => copy.append(key, i32::from(row.flags.system)),
                _ => copy.append(key, value),
            }
        }
        rows.push(row);
        batch.push(copy);
    }
    insert_documents(storage, session, batch).await?;
    Ok(rows)
}

/// Notes of all messages of a set that copies of them exist: then they are not archived when they
/// are removed. One round trip per 250 chunks.
///
/// # Errors
/// `Unavailable`, `Internal`.
pub async fn mark_copied(
    storage: &Storage,
    session: &mut Session,
    selection: &Selection<'_>,
) -> Result<u64> {
    messages::update(storage, session, selection, &doc! { "$set": { "copied": true } }).await
}
