//! Users.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | id | the user |
//! | `username`, `unameview` | text | login name as given; lookup form (lowercase, no dots before `@`) |
//! | `address` | text | main address, empty if none |
//! | `name`, `language` | text | for people |
//! | `password` | text | hash; empty: cannot log in |
//! | `scram` | binary | what SCRAM needs of it ([`crate::auth::scram`]); void with another hash |
//! | `tempPassword` | `{password, validAfter, created}` | a second one for a day, after a reset |
//! | `passwordChange` | date | when it was last set |
//! | `authVersion` | int64 | grows with every change that ends tokens and sessions |
//! | `sessionVersion`, `logoutReason` | int64, text | grows when sessions alone are ended; what they are told |
//! | `quota`, `storageUsed` | int64, octets | 0 is `const:max:storage`; `storageUsed` moves with messages |
//! | [`UserNumber`] names | int64 | limits; 0 is the default |
//! | `tags`, `tagsview` | list of text | as given; lowercase for filters |
//! | `fromWhitelist`, `disabledScopes` | list of text | |
//! | `metaData`, `internalData` | text | JSON of the owner, of the operator |
//! | `targets`, `mtaRelay` | list of, one `{type, value}` | forwarding; outgoing relay ([`super::target`]) |
//! | `autoreply` | bool | written with the autoreply |
//! | `filterless` | true | he has never had a filter; absent: he may have some |
//! | `auditedUntil` | date | end of the last audit of his mail |
//! | `enabled2fa` | list of text | `totp`, `webauthn`, `custom` |
//! | `seed`, `pendingSeed`, `pendingSeedChanged` | text, text, date | one-time codes, sealed (`super::vault`) |
//! | `webauthn` | `{credentials}` | passkeys ([`super::webauthn`]) |
//! | `require2faEnabled` | bool | shown to clients, which insist on a second factor |
//! | `pubKey`, `smimeCerts`, `smimeCipher`, `smimeKeyTransport` | text | keys for encryption |
//! | `encryptMessages`, `encryptForwarded`, `indexing` | bool | what his key is used for |
//! | `oldPasswords` | list of `{date, hash}` | the last ten |
//! | `passwordPwned`, `lastPwnedCheck` | bool, date | what a list of stolen passwords says, and when |
//! | `disabled`, `suspended`, `activated` | bool | may not receive or log in; may not log in; complete |
//! | `created` | date | |
//!
//! Index: `{unameview}` unique. One a person: 1 to 2 KB. Written by `directory` and, upgrading
//! hashes, by `auth`.

use super::Storage;
use super::error::exists;
use super::field::{binary, get_count, int, oid};
use super::listing::find_around;
use super::record::user::{fields, read, temp_document};
use super::settings;
use crate::model::error::{Error, Result};
use crate::model::id::UserId;
use crate::model::profile::{ProfileUpdate, UserNumber};
use crate::model::setting::Setting;
use bson::{Bson, DateTime, Document, doc};
use mongodb::ClientSession;

pub use super::record::user::{NewUserRecord, PasswordUpdate, TempPassword, UserRecord, lowercase};

/// Former hashes that are kept.
const OLD_PASSWORDS_MAX: i32 = 10;

/// Which users a listing shows.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct UserFilter {
    /// A substring of the main address or of the username's lookup form, lowercase.
    pub query: Option<String>,
    /// Any of these tags, lowercase.
    pub tags: Vec<String>,
    /// All of these tags, lowercase.
    pub required_tags: Vec<String>,
    /// A substring of a target of forwarding.
    pub forward: Option<String>,
    /// Only this user.
    pub only: Option<UserId>,
}

impl UserFilter {
    fn document(&self) -> Document {
        let mut filter = Document::new();
        if let Some(only) = self.only {
            filter.insert("_id", oid(only));
        }
        if let Some(query) = &self.query {
            let dotless = super::regex::escape(&query.replace('.', ""));
            let pattern = super::regex::escape(query);
            filter.insert(
                "$or",
                vec![
                    doc! { "address": { "$regex": pattern, "$options": "i" } },
                    doc! { "unameview": { "$regex": dotless } },
                ],
            );
        }
        if let Some(forward) = &self.forward {
            let pattern = super::regex::escape(forward);
            filter.insert("targets.value", doc! { "$regex": pattern, "$options": "i" });
        }
        super::regex::add_tags(&mut filter, &self.tags, &self.required_tags);
        filter
    }
}

/// Inserts a user inside a transaction.
///
/// # Errors
/// `AlreadyExists` user, `Unavailable`.
pub async fn insert(
    storage: &Storage,
    session: &mut ClientSession,
    user: &NewUserRecord,
) -> Result<()> {
    let mut document = doc! {
        "_id": oid(user.id),
        "username": &user.username,
        "unameview": &user.unameview,
        "address": &user.address,
        "password": user.passwords.password.as_deref().unwrap_or_default(),
        "authVersion": 0_i64,
        "storageUsed": 0_i64,
        "activated": true,
        "disabled": false,
        "suspended": false,
        "filterless": true,
        "created": DateTime::from_millis(user.created_ms),
    };
    for number in UserNumber::EVERY {
        document.insert(number.name(), int(number.default_value()));
    }
    if !user.passwords.scram.is_empty() {
        document.insert("scram", binary(user.passwords.scram.clone()));
    }
    if let Some(temp) = &user.passwords.temp_password {
        document.insert("tempPassword", temp_document(temp));
    }
    document.extend(fields(&user.update));
    let inserted = storage.users().insert_one(document).session(session).await;
    exists(inserted.map(|_| ()).map_err(Error::from), "user")
}

/// One user: one round trip.
///
/// # Errors
/// `Unavailable`; `Internal` for a document that cannot be read.
pub async fn find(storage: &Storage, user: UserId) -> Result<Option<UserRecord>> {
    let found = storage.users().find_one(doc! { "_id": oid(user) }).await?;
    complete(storage, found).await
}

/// Reads a user; who has no quota of his own has the store's.
async fn complete(storage: &Storage, found: Option<Document>) -> Result<Option<UserRecord>> {
    let Some(document) = found else { return Ok(None) };
    let mut record = read(&document)?;
    let user = &mut record.profile.user;
    if user.quota_octets.is_none() {
        let default = settings::find_number(storage, Setting::MaxStorage).await?;
        user.quota_octets = Some(default).filter(|octets| *octets > 0);
    }
    Ok(Some(record))
}

/// One user who has to exist.
///
/// # Errors
/// `NotFound`, and those of [`find`].
pub async fn load(storage: &Storage, user: UserId) -> Result<UserRecord> {
    find(storage, user).await?.ok_or(Error::NotFound { what: "user" })
}

/// The user of this name's lookup form: one round trip.
///
/// # Errors
/// `Unavailable`; `Internal` for a document that cannot be read.
pub async fn find_by_name(storage: &Storage, unameview: &str) -> Result<Option<UserRecord>> {
    let found = storage.users().find_one(doc! { "unameview": unameview }).await?;
    complete(storage, found).await
}

/// Rows of a listing in order of identifiers, `after` or `before` one; at most `limit`.
/// Those before come nearest first. One round trip.
///
/// # Errors
/// `Unavailable`; `Internal` for a document that cannot be read.
pub async fn list(
    storage: &Storage,
    filter: &UserFilter,
    after: Option<UserId>,
    before: Option<UserId>,
    limit: i64,
) -> Result<Vec<UserRecord>> {
    let (after, before) = (after.map(oid).map(Bson::from), before.map(oid).map(Bson::from));
    let (users, filter) = (storage.users(), filter.document());
    let documents = find_around(&users, filter, "_id", after, before, limit).await?;
    documents.iter().map(read).collect()
}

/// How many users a filter shows; without a filter the collection knows, and none is counted.
///
/// # Errors
/// `Unavailable`.
pub async fn count(storage: &Storage, filter: &UserFilter) -> Result<u64> {
    let filter = filter.document();
    if filter.is_empty() {
        return Ok(storage.users().estimated_document_count().await?);
    }
    Ok(storage.users().count_documents(filter).await?)
}

/// Changes a user: one round trip, two with a new password.
///
/// # Errors
/// `NotFound` user, `Unavailable`.
pub async fn update(
    storage: &Storage,
    user: UserId,
    update: &ProfileUpdate,
    passwords: &PasswordUpdate,
    now_ms: i64,
) -> Result<()> {
    let mut set = fields(update);
    let mut change = Document::new();
    let mut unset = Document::new();
    if update.disables_second_factors {
        set.insert("enabled2fa", Vec::<String>::new());
        unset.extend(doc! { "seed": 1, "pendingSeed": 1, "pendingSeedChanged": 1, "webauthn": 1 });
    }
    if let Some(hash) = &passwords.password {
        let now = DateTime::from_millis(now_ms);
        set.insert("password", hash);
        set.insert("scram", binary(passwords.scram.clone()));
        set.insert("passwordChange", now);
        set.insert("passwordPwned", false);
        unset.extend(doc! { "tempPassword": 1, "lastPwnedCheck": 1 });
        let old = find(storage, user).await?.map(|record| record.password).unwrap_or_default();
        if !old.is_empty() {
            let each = vec![doc! { "date": now, "hash": old }];
            let kept = doc! { "$each": each, "$slice": -OLD_PASSWORDS_MAX };
            change.insert("$push", doc! { "oldPasswords": kept });
        }
    } else if let Some(temp) = &passwords.temp_password {
        set.insert("tempPassword", temp_document(temp));
    }
    if passwords.ends_tokens || passwords.password.is_some() {
        change.insert("$inc", doc! { "authVersion": 1_i64 });
        set.insert("logoutReason", "");
    }
    if !set.is_empty() {
        change.insert("$set", set);
    }
    if !unset.is_empty() {
        change.insert("$unset", unset);
    }
    if change.is_empty() {
        return load(storage, user).await.map(|_| ());
    }
    let result = storage.users().update_one(doc! { "_id": oid(user) }, change).await?;
    if result.matched_count == 0 {
        return Err(Error::NotFound { what: "user" });
    }
    Ok(())
}

/// Sets the main address inside a transaction, if it is still this one.
///
/// # Errors
/// `NotFound` user, `Unavailable`.
pub async fn set_address(
    storage: &Storage,
    session: &mut ClientSession,
    user: UserId,
    address: &str,
    only_if: Option<&str>,
) -> Result<()> {
    let mut filter = doc! { "_id": oid(user) };
    if let Some(address) = only_if {
        filter.insert("address", address);
    }
    let set = doc! { "$set": { "address": address } };
    let result = storage.users().update_one(filter, set).session(session).await?;
    if result.matched_count == 0 && only_if.is_none() {
        return Err(Error::NotFound { what: "user" });
    }
    Ok(())
}

/// Renames the main address inside a transaction, if it is this one; whether it was.
///
/// # Errors
/// `Unavailable`.
pub async fn move_address(
    storage: &Storage,
    session: &mut ClientSession,
    user: UserId,
    before: &str,
    after: &str,
) -> Result<bool> {
    let filter = doc! { "_id": oid(user), "address": before };
    let set = doc! { "$set": { "address": after } };
    Ok(storage.users().update_one(filter, set).session(session).await?.matched_count > 0)
}

/// Replaces a hash by a better one of the same password, unless the password was changed meanwhile.
///
/// # Errors
/// `Unavailable`.
pub async fn upgrade_hash(
    storage: &Storage,
    user: UserId,
    old: &str,
    new: &str,
    scram: &[u8],
) -> Result<()> {
    let filter = doc! { "_id": oid(user), "password": old };
    let set = doc! { "password": new, "scram": binary(scram) };
    storage.users().update_one(filter, doc! { "$set": set }).await?;
    Ok(())
}

/// Notes whether strangers know a password, if it still has this hash.
///
/// # Errors
/// `Unavailable`.
pub async fn note_breach(
    storage: &Storage,
    user: UserId,
    hash: &str,
    is_known: bool,
    now_ms: i64,
) -> Result<()> {
    let filter = doc! { "_id": oid(user), "password": hash };
    let set = doc! { "passwordPwned": is_known, "lastPwnedCheck": DateTime::from_millis(now_ms) };
    storage.users().update_one(filter, doc! { "$set": set }).await?;
    Ok(())
}

/// Keeps what SCRAM needs of a password, if it still has this hash.
///
/// # Errors
/// `Unavailable`.
pub async fn keep_scram(storage: &Storage, user: UserId, hash: &str, kept: &[u8]) -> Result<()> {
    let filter = doc! { "_id": oid(user), "password": hash };
    storage.users().update_one(filter, doc! { "$set": { "scram": binary(kept) } }).await?;
    Ok(())
}

/// Sums the octets of a user's mailboxes and records them, inside a transaction: the sum and what
/// was
/// recorded before. An append at the same time conflicts on the user, and this is tried again.
///
/// # Errors
/// `NotFound` user, `Unavailable`.
pub async fn recount(
    storage: &Storage,
    session: &mut ClientSession,
    user: UserId,
) -> Result<(u64, u64)> {
    let fields = doc! { "octets": 1 };
    let mailboxes = storage.mailboxes();
    let found = mailboxes.find(doc! { "user": oid(user) }).projection(fields);
    let mut cursor = found.session(&mut *session).await?;
    let mut octets: u64 = 0;
    while let Some(mailbox) = cursor.next(&mut *session).await.transpose()? {
        octets = octets.saturating_add(get_count(&mailbox, "octets"));
    }
    let set = doc! { "$set": { "storageUsed": int(octets) } };
    let users = storage.users();
    let update = users.find_one_and_update(doc! { "_id": oid(user) }, set).session(session);
    let before = update.await?.ok_or(Error::NotFound { what: "user" })?;
    Ok((octets, get_count(&before, "storageUsed")))
}

/// Ends a user's sessions, not his tokens, with a reason for them: one round trip. The doorbell is
/// [`super::changes::ring`].
///
/// # Errors
/// `NotFound` user, `Unavailable`.
pub async fn end_sessions(storage: &Storage, user: UserId, reason: &str) -> Result<()> {
    let change = doc! {
        "$inc": { "sessionVersion": 1_i64 }, "$set": { "logoutReason": reason },
    };
    let updated = storage.users().update_one(doc! { "_id": oid(user) }, change).await?;
    if updated.matched_count == 0 {
        return Err(Error::NotFound { what: "user" });
    }
    Ok(())
}

/// How many filters a user has.
///
/// # Errors
/// `Unavailable`.
pub async fn count_filters(storage: &Storage, user: UserId) -> Result<u64> {
    let filters = storage.collection::<Document>("filters");
    Ok(filters.count_documents(doc! { "user": oid(user) }).await?)
}
