//! All indexes of all collections, as one table; created at start, which is idempotent.
//!
//! Only kinds that every MongoDB ≥ 6 cluster and the local default have: compound, unique, partial,
//! TTL.

use crate::model::error::Result;
use crate::model::limits::{CHANGES_DAYS, THREAD_DAYS};
use crate::storage::Storage;
use bson::{Document, doc};
use mongodb::IndexModel;
use mongodb::options::IndexOptions;
use std::time::Duration;

/// One index.
pub struct Index {
    /// The collection.
    pub collection: &'static str,
    /// Its name; `None`: made of the keys. Two indexes of the same keys need one.
    pub name: Option<&'static str>,
    /// Fields with 1 or -1.
    pub keys: &'static [(&'static str, i32)],
    /// No two documents with the same keys.
    pub unique: bool,
    /// Only documents that match.
    pub partial: Option<fn() -> Document>,
    /// Seconds after the date in the (only) key that the document is removed.
    pub ttl_s: Option<u64>,
}

/// An index without extras, for `..PLAIN`.
const PLAIN: Index =
    Index { collection: "", name: None, keys: &[], unique: false, partial: None, ttl_s: None };

/// The table.
pub const INDEXES: &[Index] = &[
    // login names and addresses: races are decided here
    Index { collection: "users", keys: &[("unameview", 1)], unique: true, ..PLAIN },
    Index { collection: "addresses", keys: &[("addrview", 1)], unique: true, ..PLAIN },
    Index { collection: "addresses", keys: &[("user", 1), ("addrview", 1)], ..PLAIN },
    Index { collection: "users", keys: &[("tagsview", 1), ("_id", 1)], ..PLAIN },
    Index { collection: "addresses", keys: &[("tagsview", 1), ("addrview", 1)], ..PLAIN },
    Index { collection: "domain_aliases", keys: &[("alias", 1)], unique: true, ..PLAIN },
    Index { collection: "domain_aliases", keys: &[("domain", 1)], ..PLAIN },
    Index {
        collection: "domain_access",
        keys: &[("tagview", 1), ("domain", 1)],
        unique: true,
        ..PLAIN
    },
    Index { collection: "deleted_users", keys: &[("due", 1)], ..PLAIN },
    Index { collection: "auth_log", keys: &[("user", 1), ("_id", -1)], ..PLAIN },
    Index {
        collection: "auth_log",
        keys: &[("user", 1), ("key", 1), ("bucket", 1)],
        unique: true,
        ..PLAIN
    },
    Index { collection: "auth_log", keys: &[("expires", 1)], ttl_s: Some(0), ..PLAIN },
    Index {
        collection: "address_register",
        keys: &[("user", 1), ("addrview", 1)],
        unique: true,
        ..PLAIN
    },
    Index { collection: "address_register", keys: &[("user", 1), ("updated", -1)], ..PLAIN },
    Index { collection: "app_passwords", keys: &[("user", 1), ("selector", 1)], ..PLAIN },
    Index { collection: "app_passwords", keys: &[("expires", 1)], ttl_s: Some(0), ..PLAIN },
    Index { collection: "pending_logins", keys: &[("expires", 1)], ttl_s: Some(0), ..PLAIN },
    Index { collection: "pending_logins", keys: &[("user", 1)], ..PLAIN },
    Index { collection: "webauthn_challenges", keys: &[("expires", 1)], ttl_s: Some(0), ..PLAIN },
    Index { collection: "webauthn_challenges", keys: &[("user", 1)], ..PLAIN },
    Index { collection: "certificates", keys: &[("acmeDue", 1)], ..PLAIN },
    Index { collection: "acme_challenges", keys: &[("expires", 1)], ttl_s: Some(0), ..PLAIN },
    Index { collection: "tokens", keys: &[("user", 1)], ..PLAIN },
    Index { collection: "tokens", keys: &[("expires", 1)], ttl_s: Some(0), ..PLAIN },
    Index { collection: "dmarc_results", keys: &[("day", 1), ("domain", 1)], ..PLAIN },
    Index { collection: "dmarc_results", keys: &[("expires", 1)], ttl_s: Some(0), ..PLAIN },
    Index { collection: "tls_results", keys: &[("day", 1), ("domain", 1)], ..PLAIN },
    Index { collection: "tls_results", keys: &[("expires", 1)], ttl_s: Some(0), ..PLAIN },
    Index { collection: "sts_policies", keys: &[("expires", 1)], ttl_s: Some(0), ..PLAIN },
    Index { collection: "dmarc_failures", keys: &[("waiting", 1), ("_id", 1)], ..PLAIN },
    Index { collection: "dmarc_failures", keys: &[("domain", 1), ("_id", -1)], ..PLAIN },
    Index { collection: "dmarc_failures", keys: &[("expires", 1)], ttl_s: Some(0), ..PLAIN },
    Index { collection: "greylist", keys: &[("expires", 1)], ttl_s: Some(0), ..PLAIN },
    Index { collection: "limits", keys: &[("expires", 1)], ttl_s: Some(0), ..PLAIN },
    Index {
        collection: "leases",
        keys: &[("expires", 1)],
        ttl_s: Some(super::leases::KEPT_S),
        ..PLAIN
    },
    // one mailbox of a name; listing in order of names
    Index { collection: "mailboxes", keys: &[("user", 1), ("name", 1)], unique: true, ..PLAIN },
    Index { collection: "subscriptions", keys: &[("user", 1), ("name", 1)], unique: true, ..PLAIN },
    // one key of a mailbox: two that make it at the same time get the same
    Index { collection: "url_keys", keys: &[("user", 1), ("mailbox", 1)], unique: true, ..PLAIN },
    Index {
        collection: "metadata",
        keys: &[("user", 1), ("mailbox", 1), ("entry", 1)],
        unique: true,
        ..PLAIN
    },
    // what others share with a user
    Index { collection: "shares", keys: &[("user", 1), ("mailbox", 1)], unique: true, ..PLAIN },
    // fetch and listing by UID
    Index {
        collection: "messages",
        keys: &[("user", 1), ("mailbox", 1), ("uid", 1)],
        unique: true,
        ..PLAIN
    },
    // "what changed since"
    Index { collection: "messages", keys: &[("user", 1), ("mailbox", 1), ("mod_seq", 1)], ..PLAIN },
    // pages of the API
    Index {
        collection: "messages",
        keys: &[("user", 1), ("mailbox", 1), ("idate", -1), ("uid", -1)],
        ..PLAIN
    },
    // pages of the unseen ones
    Index {
        collection: "messages",
        keys: &[("user", 1), ("mailbox", 1), ("unseen", 1), ("idate", -1), ("uid", -1)],
        partial: Some(|| doc! { "unseen": true }),
        ..PLAIN
    },
    Index { collection: "messages", keys: &[("user", 1), ("thread", 1)], ..PLAIN },
    // search over all mailboxes, in the order messages were stored
    Index { collection: "messages", keys: &[("user", 1), ("_id", 1)], ..PLAIN },
    // what is due to be removed
    Index {
        collection: "messages",
        keys: &[("exp", 1)],
        partial: Some(|| doc! { "exp": { "$exists": true } }),
        ..PLAIN
    },
    // pages of the archive, ranges of time to restore, what is due to be purged
    Index { collection: "archived", keys: &[("user", 1), ("_id", 1)], ..PLAIN },
    Index { collection: "archived", keys: &[("user", 1), ("archived", 1)], ..PLAIN },
    Index { collection: "archived", keys: &[("archived", 1)], ..PLAIN },
    // threads a message may belong to
    Index { collection: "threads", keys: &[("user", 1), ("ids", 1)], ..PLAIN },
    Index {
        collection: "threads",
        keys: &[("updated", 1)],
        ttl_s: Some(THREAD_DAYS * 86_400),
        ..PLAIN
    },
    // listings of files
    Index { collection: "files", keys: &[("user", 1), ("filename", 1), ("_id", 1)], ..PLAIN },
    // work that is waiting
    Index { collection: "deferred", keys: &[("due", 1)], ..PLAIN },
    Index { collection: "deferred", keys: &[("user", 1), ("kind", 1)], ..PLAIN },
    // expunged since
    Index { collection: "changes", keys: &[("user", 1), ("mailbox", 1), ("mod_seq", 1)], ..PLAIN },
    // what a user's event stream has not seen
    Index { collection: "changes", keys: &[("user", 1), ("_id", 1)], ..PLAIN },
    Index {
        collection: "changes",
        keys: &[("created", 1)],
        ttl_s: Some(CHANGES_DAYS * 86_400),
        ..PLAIN
    },
    // rules, in order
    Index { collection: "filters", keys: &[("user", 1), ("_id", 1)], ..PLAIN },
    Index { collection: "autoreplies", keys: &[("user", 1)], unique: true, ..PLAIN },
    // what is to be sent next, at all or to one next hop; the entries of a message
    Index { collection: "queue", keys: &[("local", 1), ("due", 1)], ..PLAIN },
    Index { collection: "queue", keys: &[("domain", 1), ("due", 1)], ..PLAIN },
    Index { collection: "queue", keys: &[("domain", 1), ("user", 1), ("due", 1)], ..PLAIN },
    Index { collection: "queue", keys: &[("queue_id", 1), ("seq", 1)], ..PLAIN },
    // looking through the queue
    Index { collection: "queue", keys: &[("user", 1), ("_id", 1)], ..PLAIN },
    Index { collection: "queue", keys: &[("domain", 1), ("_id", 1)], ..PLAIN },
    Index { collection: "queue", keys: &[("sender", 1), ("_id", 1)], ..PLAIN },
    Index { collection: "queue", keys: &[("recipient", 1), ("_id", 1)], ..PLAIN },
    // addresses nothing is sent to
    Index {
        collection: "suppressions",
        keys: &[("address", 1), ("user", 1)],
        unique: true,
        ..PLAIN
    },
    Index { collection: "suppressions", keys: &[("user", 1), ("_id", 1)], ..PLAIN },
    Index { collection: "suppressions", keys: &[("expires", 1)], ttl_s: Some(0), ..PLAIN },
    // the story of a message, events by any of their names
    Index { collection: "deliveries", keys: &[("trace", 1), ("_id", 1)], ..PLAIN },
    Index { collection: "deliveries", keys: &[("keys", 1), ("_id", -1)], ..PLAIN },
    Index { collection: "deliveries", keys: &[("expires", 1)], ttl_s: Some(0), ..PLAIN },
    // who listens to an event, whose turn it is; a hook's next events
    Index { collection: "webhooks", keys: &[("type", 1), ("user", 1)], ..PLAIN },
    Index { collection: "webhooks", keys: &[("due", 1)], ..PLAIN },
    Index { collection: "webhook_notices", keys: &[("hook", 1), ("due", 1), ("_id", 1)], ..PLAIN },
    Index { collection: "webhook_notices", keys: &[("expires", 1)], ttl_s: Some(0), ..PLAIN },
    Index {
        collection: "dkim_keys",
        keys: &[("domain", 1), ("selector", 1)],
        unique: true,
        ..PLAIN
    },
    Index { collection: "certificates", keys: &[("servername", 1)], unique: true, ..PLAIN },
    Index { collection: "certificates", keys: &[("altNames", 1), ("expires", -1)], ..PLAIN },
    // audits of a user, those to begin, those that end; copies once and in order
    Index { collection: "audits", keys: &[("user", 1), ("expires", 1)], ..PLAIN },
    Index { collection: "audits", keys: &[("import.status", 1), ("_id", 1)], ..PLAIN },
    Index { collection: "audits", keys: &[("expires", 1)], ..PLAIN },
    Index {
        collection: "audit_messages",
        keys: &[("audit", 1), ("source", 1)],
        unique: true,
        ..PLAIN
    },
    Index { collection: "audit_messages", keys: &[("audit", 1), ("_id", 1)], ..PLAIN },
    // garbage: contents that no message refers to
    Index {
        collection: "contents",
        keys: &[("n", 1)],
        partial: Some(|| doc! { "n": { "$lte": 0 } }),
        ..PLAIN
    },
    Index {
        collection: "attachments",
        keys: &[("n", 1)],
        partial: Some(|| doc! { "n": { "$lte": 0 } }),
        ..PLAIN
    },
];

/// Creates what is missing: one round trip per collection.
///
/// # Errors
/// `Unavailable`; `Internal` when an index of that name differs.
pub(super) async fn create(storage: &Storage) -> Result<()> {
    let mut collections: Vec<&str> = INDEXES.iter().map(|index| index.collection).collect();
    collections.sort_unstable();
    collections.dedup();
    for collection in collections {
        let models: Vec<IndexModel> =
            INDEXES.iter().filter(|index| index.collection == collection).map(model).collect();
        storage.collection::<Document>(collection).create_indexes(models).await?;
    }
    Ok(())
}

fn model(index: &Index) -> IndexModel {
    let mut keys = Document::new();
    for (field, order) in index.keys {
        keys.insert(*field, *order);
    }
    let options = IndexOptions::builder()
        .name(index.name.map(str::to_owned))
        .unique(index.unique.then_some(true))
        .partial_filter_expression(index.partial.map(|partial| partial()))
        .expire_after(index.ttl_s.map(Duration::from_secs))
        .build();
    IndexModel::builder().keys(keys).options(options).build()
}
