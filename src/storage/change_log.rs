//! Reading the log of a mailbox's changes, and the mailbox itself, as a view does: alone or in one
//! snapshot.

use crate::model::error::Result;
use crate::model::id::{MailboxId, UserId};
use crate::model::mailbox::Mailbox;
use crate::model::uid::{ModSeq, Uid, UidSet};
use crate::storage::Storage;
use crate::storage::changes::Kind;
use crate::storage::field::{get_count, get_uid_set, int, oid};
use crate::storage::mailboxes::mailbox_of;
use crate::storage::transaction::Session;
use bson::{Document, doc};

/// What the log says.
#[derive(Clone, Debug)]
pub struct Log {
    /// UIDs that went.
    pub expunged: UidSet,
    /// The log holds every change up to this ModSeq, from where it was asked to begin. Every ModSeq
    /// has its change,
    /// so a hole means that changes have expired.
    pub complete_to: ModSeq,
}

/// Reads the changes with a ModSeq in `after+1 ..= up_to`, at most `limit` of them (0: all). One
/// round trip per
/// batch.
///
/// # Errors
/// `Unavailable`.
pub async fn read(
    storage: &Storage,
    session: Option<&mut Session>,
    (user, mailbox): (UserId, MailboxId),
    (after, up_to): (ModSeq, ModSeq),
    limit: i64,
) -> Result<Log> {
    let filter = doc! {
        "user": oid(user), "mailbox": oid(mailbox),
        "mod_seq": { "$gt": int(after), "$lte": int(up_to) },
    };
    let projection = doc! { "_id": 0, "mod_seq": 1, "kind": 1, "uids": 1 };
    let changes = storage.changes();
    let find = changes.find(filter).projection(projection).sort(doc! { "mod_seq": 1 });
    let find = find.limit(limit).batch_size(1000);
    let mut reader = Reader { ranges: Vec::new(), complete_to: after };
    match session {
        None => {
            let mut cursor = find.await?;
            while cursor.advance().await? {
                reader.add(&cursor.deserialize_current()?);
            }
        }
        Some(session) => {
            let mut cursor = find.session(&mut *session).await?;
            while cursor.advance(session).await? {
                reader.add(&cursor.deserialize_current()?);
            }
        }
    }
    let expunged = UidSet::from_ranges(reader.ranges);
    Ok(Log { expunged, complete_to: reader.complete_to })
}

struct Reader {
    ranges: Vec<(Uid, Uid)>,
    complete_to: ModSeq,
}

impl Reader {
    fn add(&mut self, change: &Document) {
        let mod_seq = get_count(change, "mod_seq");
        if mod_seq == self.complete_to + 1 {
            self.complete_to = mod_seq;
        }
        if change.get_str("kind").is_ok_and(|kind| kind == Kind::Expunge.name()) {
            self.ranges.extend_from_slice(get_uid_set(change, "uids").ranges());
        }
    }
}

/// One mailbox as of the snapshot of a transaction. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn find_mailbox(
    storage: &Storage,
    session: &mut Session,
    user: UserId,
    mailbox: MailboxId,
) -> Result<Option<Mailbox>> {
    let filter = doc! { "_id": oid(mailbox), "user": oid(user) };
    let found = storage.mailboxes().find_one(filter).session(session).await?;
    found.as_ref().map(mailbox_of).transpose()
}
