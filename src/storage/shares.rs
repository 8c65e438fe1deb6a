//! `shares`: which mailboxes of others a user has been given rights on: the index of
//! `mailboxes.acl` by grantee.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | ObjectId | |
//! | `user` | ObjectId | to whom something is granted |
//! | `owner`, `mailbox` | ObjectId | whose, which |
//!
//! Index: `{user, mailbox}` unique. Written in the transaction that writes `mailboxes.acl`; the list
//! there decides, a document here only says where to look. Entries for anyone are not here.

use crate::model::error::Result;
use crate::model::id::{MailboxId, UserId};
use crate::model::mailbox::Mailbox;
use crate::model::rights::{Acl, Who};
use crate::storage::Storage;
use crate::storage::field::{get_id, oid};
use crate::storage::mailboxes::mailbox_of;
use bson::{Document, doc};
use mongodb::ClientSession;
use std::collections::BTreeMap;

/// The users a list grants something to.
fn grantees(acl: &Acl) -> Vec<UserId> {
    let users = acl.0.iter().filter(|grant| !grant.negative).filter_map(|grant| match grant.who {
        Who::User(user) => Some(user),
        Who::Anyone => None,
    });
    users.collect()
}

/// Brings the shares of a mailbox from one list to the next, inside the transaction that changes
/// it. One round trip for each user who comes or goes.
///
/// # Errors
/// `Unavailable`.
pub async fn replace(
    storage: &Storage,
    session: &mut ClientSession,
    mailbox: &Mailbox,
    to: &Acl,
) -> Result<()> {
    let (before, after) = (grantees(&mailbox.acl), grantees(to));
    let shares = storage.shares();
    for user in before.iter().filter(|user| !after.contains(user)) {
        let filter = doc! { "user": oid(*user), "mailbox": oid(mailbox.id) };
        shares.delete_one(filter).session(&mut *session).await?;
    }
    for user in after.iter().filter(|user| !before.contains(user)) {
        insert(storage, session, mailbox, *user).await?;
    }
    Ok(())
}

/// Inserts the shares of a mailbox that begins with a list.
///
/// # Errors
/// `Unavailable`.
pub async fn insert_all(
    storage: &Storage,
    session: &mut ClientSession,
    mailbox: &Mailbox,
) -> Result<()> {
    for user in grantees(&mailbox.acl) {
        insert(storage, session, mailbox, user).await?;
    }
    Ok(())
}

async fn insert(
    storage: &Storage,
    session: &mut ClientSession,
    mailbox: &Mailbox,
    user: UserId,
) -> Result<()> {
    let share = doc! { "user": oid(user), "owner": oid(mailbox.user), "mailbox": oid(mailbox.id) };
    storage.shares().insert_one(share).session(session).await?;
    Ok(())
}

/// Forgets what was shared with a user who is deleted.
///
/// # Errors
/// `Unavailable`.
pub async fn delete_all(storage: &Storage, user: UserId) -> Result<()> {
    storage.shares().delete_many(doc! { "user": oid(user) }).await?;
    Ok(())
}

/// The mailboxes on which a user has been given something, in no order. One query, and one more for
/// all owners together if there are any.
///
/// # Errors
/// `Unavailable`.
pub async fn list(storage: &Storage, user: UserId) -> Result<Vec<Mailbox>> {
    let mut cursor = storage.shares().find(doc! { "user": oid(user) }).batch_size(2000).await?;
    let mut owners: BTreeMap<UserId, Vec<MailboxId>> = BTreeMap::new();
    while cursor.advance().await? {
        let share = cursor.deserialize_current()?;
        owners.entry(get_id(&share, "owner")?).or_default().push(get_id(&share, "mailbox")?);
    }
    if owners.is_empty() {
        return Ok(Vec::new());
    }
    let branches: Vec<Document> = owners
        .into_iter()
        .map(|(owner, ids)| {
            let ids: Vec<_> = ids.into_iter().map(oid).collect();
            doc! { "user": oid(owner), "_id": { "$in": ids } }
        })
        .collect();
    find(storage, doc! { "$or": branches }).await
}

/// The mailboxes of these owners whose list names anyone. One query.
///
/// # Errors
/// `Unavailable`.
pub async fn list_open(storage: &Storage, owners: &[UserId]) -> Result<Vec<Mailbox>> {
    if owners.is_empty() {
        return Ok(Vec::new());
    }
    let owners: Vec<_> = owners.iter().map(|owner| oid(*owner)).collect();
    let anyone = doc! { "$elemMatch": { "who": null, "rights": { "$exists": true } } };
    find(storage, doc! { "user": { "$in": owners }, "acl": anyone }).await
}

async fn find(storage: &Storage, filter: Document) -> Result<Vec<Mailbox>> {
    let mut cursor = storage.mailboxes().find(filter).batch_size(2000).await?;
    let mut found = Vec::new();
    while cursor.advance().await? {
        found.push(mailbox_of(&cursor.deserialize_current()?)?);
    }
    Ok(found)
}
