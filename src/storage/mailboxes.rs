//! `mailboxes`: one document per mailbox, with its counters.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | ObjectId | the mailbox |
//! | `user` | ObjectId | owner |
//! | `name` | string | levels separated by `/` |
//! | `use` | string | special use with its backslash; absent if none |
//! | `uid_validity`, `uid_next`, `mod_seq` | int64 | RFC 9051 §2.3.1.1, RFC 7162 §3.1 |
//! | `messages`, `unseen`, `deleted`, `octets` | int64 | exact after every commit |
//! | `subscribed`, `hidden`, `encrypt` | bool | |
//! | `retention` | int64 | milliseconds; absent or 0: for ever |
//! | `keywords` | array of string | used now or before, in the case of their first use |
//! | `acl` | array | what others may do (`record/acl.rs`); absent: nothing |
//! | `recent` | int64 | first UID that no IMAP session was told of; absent: it was told of all |
//! | `created` | date | |
//!
//! Index: `{user, name}` unique. Every writer of a mailbox's messages begins with [`bump`]: the
//! write conflict on this
//! document puts the writers of all nodes in one order, so UIDs and ModSeqs become visible in
//! order.

use crate::model::error::Result;
use crate::model::id::{MailboxId, UserId};
use crate::model::mailbox::{Mailbox, MailboxCounts, MailboxName, SpecialUse};
use crate::model::rights::Acl;
use crate::model::uid::Uid;
use crate::storage::Storage;
use crate::storage::error::{exists, unreadable};
use crate::storage::field::{date, get_count, get_id, get_int, get_u32, int, oid};
use crate::storage::record::acl::{read_acl, write_acl};
use bson::{Bson, Document, doc};
use mongodb::ClientSession;
use mongodb::options::ReturnDocument;

/// What a transaction adds to a mailbox.
#[derive(Clone, Default, Debug)]
pub struct Bump {
    /// UIDs to allocate: the new ones are `uid_next - uids ..= uid_next - 1` of the returned
    /// document.
    pub uids: u32,
    /// Added to the number of messages.
    pub messages: i64,
    /// Added to the number without `\Seen`.
    pub unseen: i64,
    /// Added to the number with `\Deleted`.
    pub deleted: i64,
    /// Added to the octets.
    pub octets: i64,
    /// Keywords the mailbox does not know yet.
    pub keywords: Vec<String>,
}

impl Bump {
    fn update(&self, mod_seqs: i64) -> Document {
        let mut increments = Document::new();
        let fields = [
            ("uid_next", i64::from(self.uids)),
            ("mod_seq", mod_seqs),
            ("messages", self.messages),
            ("unseen", self.unseen),
            ("deleted", self.deleted),
            ("octets", self.octets),
        ];
        for (name, by) in fields.into_iter().filter(|field| field.1 != 0) {
            increments.insert(name, by);
        }
        let mut update = Document::new();
        if !increments.is_empty() {
            update.insert("$inc", increments);
        }
        if !self.keywords.is_empty() {
            update.insert("$addToSet", doc! { "keywords": { "$each": self.keywords.clone() } });
        }
        update
    }
}

/// Takes the next ModSeq and `bump.uids` UIDs, adds to the counters, and returns the mailbox after
/// it; `None` when the
/// mailbox is gone. The first write of a transaction. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn bump(
    storage: &Storage,
    session: &mut ClientSession,
    user: UserId,
    mailbox: MailboxId,
    bump: &Bump,
) -> Result<Option<Mailbox>> {
    update_returning(storage, session, user, mailbox, bump.update(1)).await
}

/// Adds to counters and keywords only, later in a transaction that began with [`bump`]. One round
/// trip.
///
/// # Errors
/// `Unavailable`.
pub async fn adjust(
    storage: &Storage,
    session: &mut ClientSession,
    user: UserId,
    mailbox: MailboxId,
    bump: &Bump,
) -> Result<()> {
    let update = bump.update(0);
    if !update.is_empty() {
        let filter = doc! { "_id": oid(mailbox), "user": oid(user) };
        storage.mailboxes().update_one(filter, update).session(session).await?;
    }
    Ok(())
}

async fn update_returning(
    storage: &Storage,
    session: &mut ClientSession,
    user: UserId,
    mailbox: MailboxId,
    update: Document,
) -> Result<Option<Mailbox>> {
    let filter = doc! { "_id": oid(mailbox), "user": oid(user) };
    let after = storage
        .mailboxes()
        .find_one_and_update(filter, update)
        .return_document(ReturnDocument::After)
        .session(session)
        .await?;
    after.as_ref().map(mailbox_of).transpose()
}

/// Inserts a new mailbox. `AlreadyExists` when the name is taken.
///
/// # Errors
/// `AlreadyExists`, `Unavailable`.
pub async fn insert(
    storage: &Storage,
    session: &mut ClientSession,
    mailbox: &Mailbox,
    created_ms: i64,
) -> Result<()> {
    let record = record_of(mailbox, created_ms);
    let inserted = storage.mailboxes().insert_one(record).session(session).await;
    exists(inserted.map(drop).map_err(Into::into), "mailbox")
}

/// One mailbox of a user. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn find(storage: &Storage, user: UserId, mailbox: MailboxId) -> Result<Option<Mailbox>> {
    let filter = doc! { "_id": oid(mailbox), "user": oid(user) };
    storage.mailboxes().find_one(filter).await?.as_ref().map(mailbox_of).transpose()
}

/// One mailbox of a user by name. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn find_by_name(
    storage: &Storage,
    user: UserId,
    name: &MailboxName,
) -> Result<Option<Mailbox>> {
    let filter = doc! { "user": oid(user), "name": name.as_str() };
    storage.mailboxes().find_one(filter).await?.as_ref().map(mailbox_of).transpose()
}

/// All mailboxes of a user in order of names. One query.
///
/// # Errors
/// `Unavailable`.
pub async fn list(storage: &Storage, user: UserId) -> Result<Vec<Mailbox>> {
    let mailboxes = storage.mailboxes();
    let cursor = mailboxes.find(doc! { "user": oid(user) });
    let mut cursor = cursor.sort(doc! { "name": 1 }).batch_size(2000).await?;
    let mut mailboxes = Vec::new();
    while cursor.advance().await? {
        mailboxes.push(mailbox_of(&cursor.deserialize_current()?)?);
    }
    Ok(mailboxes)
}

/// [`list`] inside a transaction.
///
/// # Errors
/// `Unavailable`.
pub async fn list_in(
    storage: &Storage,
    session: &mut ClientSession,
    user: UserId,
) -> Result<Vec<Mailbox>> {
    let mailboxes = storage.mailboxes();
    let find = mailboxes.find(doc! { "user": oid(user) });
    let find = find.sort(doc! { "name": 1 }).batch_size(2000);
    let mut cursor = find.session(&mut *session).await?;
    let mut mailboxes = Vec::new();
    while let Some(record) = cursor.next(session).await {
        mailboxes.push(mailbox_of(&record?)?);
    }
    Ok(mailboxes)
}

/// The number of mailboxes of a user. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn count(storage: &Storage, user: UserId) -> Result<u64> {
    Ok(storage.mailboxes().count_documents(doc! { "user": oid(user) }).await?)
}

/// Sets fields of a mailbox and takes a ModSeq; returns it after the change, `None` when it is
/// gone. One round trip.
///
/// # Errors
/// `AlreadyExists` when a new name is taken, `Unavailable`.
pub async fn set(
    storage: &Storage,
    session: &mut ClientSession,
    user: UserId,
    mailbox: MailboxId,
    change: &Settings,
) -> Result<Option<Mailbox>> {
    let mut fields = Document::new();
    if let Some(name) = &change.name {
        fields.insert("name", name.as_str());
    }
    let flags = [
        ("subscribed", change.subscribed),
        ("hidden", change.hidden),
        ("encrypt", change.encrypt_messages),
    ];
    for (field, value) in flags {
        if let Some(value) = value {
            fields.insert(field, value);
        }
    }
    if let Some(retention) = change.retention_ms {
        fields.insert("retention", int(retention));
    }
    let mut update = doc! { "$inc": { "mod_seq": 1i64 } };
    if !fields.is_empty() {
        update.insert("$set", fields);
    }
    exists(update_returning(storage, session, user, mailbox, update).await, "mailbox")
}

/// Sets the list of a mailbox, in a transaction that began with [`bump`]. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn set_acl(
    storage: &Storage,
    session: &mut ClientSession,
    user: UserId,
    mailbox: MailboxId,
    acl: &Acl,
) -> Result<()> {
    let filter = doc! { "_id": oid(mailbox), "user": oid(user) };
    let update = doc! { "$set": { "acl": write_acl(acl) } };
    storage.mailboxes().update_one(filter, update).session(session).await?;
    Ok(())
}

/// Tells up to which UID IMAP sessions were told of new messages: no change of the mailbox. One round
/// trip.
///
/// # Errors
/// `Unavailable`.
pub async fn set_recent(
    storage: &Storage,
    user: UserId,
    mailbox: MailboxId,
    next: Uid,
) -> Result<()> {
    let filter = doc! { "_id": oid(mailbox), "user": oid(user) };
    let update = doc! { "$max": { "recent": i64::from(next) } };
    storage.mailboxes().update_one(filter, update).await?;
    Ok(())
}

/// Fields to [`set`]; `None` leaves as it is.
#[derive(Clone, Default, Debug)]
pub struct Settings {
    /// Name.
    pub name: Option<MailboxName>,
    /// Subscribed.
    pub subscribed: Option<bool>,
    /// Hidden from IMAP.
    pub hidden: Option<bool>,
    /// Encrypt what is stored.
    pub encrypt_messages: Option<bool>,
    /// Retention in milliseconds.
    pub retention_ms: Option<u64>,
}

/// Deletes the document of a mailbox and returns it; its messages stay. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn delete(
    storage: &Storage,
    session: &mut ClientSession,
    user: UserId,
    mailbox: MailboxId,
) -> Result<Option<Mailbox>> {
    let filter = doc! { "_id": oid(mailbox), "user": oid(user) };
    let before = storage.mailboxes().find_one_and_delete(filter).session(session).await?;
    before.as_ref().map(mailbox_of).transpose()
}

fn record_of(mailbox: &Mailbox, created_ms: i64) -> Document {
    let mut record = doc! {
        "_id": oid(mailbox.id),
        "user": oid(mailbox.user),
        "name": mailbox.name.as_str(),
        "uid_validity": i64::from(mailbox.uid_validity),
        "uid_next": i64::from(mailbox.uid_next),
        "mod_seq": int(mailbox.mod_seq),
        "messages": int(mailbox.counts.messages),
        "unseen": int(mailbox.counts.unseen),
        "deleted": int(mailbox.counts.deleted),
        "octets": int(mailbox.counts.octets),
        "subscribed": mailbox.subscribed,
        "hidden": mailbox.hidden,
        "encrypt": mailbox.encrypt_messages,
        "keywords": mailbox.keywords.clone(),
        "recent": i64::from(mailbox.recent_from),
        "created": date(created_ms),
    };
    if let Some(special_use) = mailbox.special_use {
        record.insert("use", special_use.name());
    }
    if let Some(retention) = mailbox.retention_ms {
        record.insert("retention", int(retention));
    }
    if !mailbox.acl.0.is_empty() {
        record.insert("acl", write_acl(&mailbox.acl));
    }
    record
}

/// Reads a mailbox document.
///
/// # Errors
/// `Internal` when identifier or name is missing.
pub(super) fn mailbox_of(record: &Document) -> Result<Mailbox> {
    let name = record.get_str("name").map_err(|_| unreadable("a mailbox without name"))?;
    let keywords = record
        .get_array("keywords")
        .map(|array| array.iter().filter_map(Bson::as_str).map(str::to_owned).collect::<Vec<_>>());
    let flag = |key: &str| record.get_bool(key).unwrap_or(false);
    Ok(Mailbox {
        id: get_id(record, "_id")?,
        user: get_id(record, "user")?,
        name: MailboxName::new(name)?,
        special_use: record.get_str("use").ok().and_then(SpecialUse::from_name),
        uid_validity: get_u32(record, "uid_validity"),
        uid_next: get_u32(record, "uid_next"),
        mod_seq: get_count(record, "mod_seq"),
        counts: MailboxCounts {
            messages: get_count(record, "messages"),
            unseen: get_count(record, "unseen"),
            deleted: get_count(record, "deleted"),
            octets: get_count(record, "octets"),
        },
        subscribed: flag("subscribed"),
        hidden: flag("hidden"),
        encrypt_messages: flag("encrypt"),
        retention_ms: u64::try_from(get_int(record, "retention")).ok().filter(|ms| *ms > 0),
        keywords: keywords.unwrap_or_default(),
        acl: read_acl(record),
        recent_from: match get_u32(record, "recent") {
            // written before this was kept
            0 => get_u32(record, "uid_next"),
            uid => uid,
        },
    })
}
