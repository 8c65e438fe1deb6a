//! Removing messages that nobody can reach any more: of a deleted mailbox, of a deleted user.

use crate::model::error::Result;
use crate::model::id::{ContentHash, MailboxId, UserId};
use crate::storage::Storage;
use crate::storage::field::{get_hash, oid};
use crate::storage::transaction::Session;
use bson::{Bson, Document, doc};
use std::collections::BTreeMap;

/// Removes at most `limit` messages of a mailbox, or of all of a user's, and returns how many there
/// were of each
/// content: the counts to lower after the commit. Empty: there are none left. Two round trips.
///
/// # Errors
/// `Unavailable`.
pub async fn remove(
    storage: &Storage,
    session: &mut Session,
    user: UserId,
    mailbox: Option<MailboxId>,
    limit: i64,
) -> Result<BTreeMap<ContentHash, u64>> {
    let mut filter = doc! { "user": oid(user) };
    if let Some(mailbox) = mailbox {
        filter.insert("mailbox", oid(mailbox));
    }
    let messages = storage.messages();
    let find = messages.find(filter).projection(doc! { "content": 1 }).limit(limit);
    let mut cursor = find.session(&mut *session).await?;
    let (mut ids, mut counts) = (Vec::new(), BTreeMap::new());
    while let Some(next) = cursor.next(session).await {
        let record: Document = next?;
        *counts.entry(get_hash(&record, "content")?).or_insert(0) += 1;
        ids.extend(record.get("_id").cloned());
    }
    if !ids.is_empty() {
        let filter = doc! { "user": oid(user), "_id": { "$in": Bson::Array(ids) } };
        messages.delete_many(filter).session(session).await?;
    }
    Ok(counts)
}
