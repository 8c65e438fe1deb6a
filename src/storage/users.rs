//! Users.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | id | the user |
//! | `username`, `unameview` | text | login name as given; lookup form (lowercase, no dots before `@`) |
//! | `address` | text | main address, empty if none |
//! | `name`, `language` | text | for people |
//! | `password` | text | hash; empty: cannot log in |
//! | `tempPassword` | `{password, validAfter, created}` | a second one for a day, after a reset |
//! | `passwordChange` | date | when it was last set |
//! | `authVersion` | int64 | grows with every change that ends tokens and sessions |
//! | `sessionVersion`, `logoutReason` | int64, text | grows when sessions alone are ended; what they are told |
//! | `quota`, `storageUsed` | int64, octets | 0 is no limit; `storageUsed` moves in `mailstore`'s transactions |
//! | [`UserNumber`] names | int64 | limits; 0 is the default |
//! | `tags`, `tagsview` | list of text | as given; lowercase for filters |
//! | `fromWhitelist`, `disabledScopes` | list of text | |
//! | `metaData`, `internalData` | text | JSON of the owner, of the operator |
//! | `targets`, `mtaRelay` | list of, one `{type, value}` | forwarding; outgoing relay ([`super::target`]) |
//! | `autoreply` | bool | written with the autoreply |
//! | `auditedUntil` | date | end of the last audit of his mail |
//! | `disabled`, `suspended`, `activated` | bool | may not receive or log in; may not log in; complete |
//! | `created` | date | |
//!
//! Index: `{unameview}` unique. One a person: 1 to 2 KB. Written by `directory` and, upgrading
//! hashes, by `auth`.

use super::Storage;
use super::error::exists;
use super::field::{get_count, get_id, get_int, int, oid};
use super::listing::find_around;
use super::target::{get_target, get_targets};
use crate::model::error::{Error, Result};
use crate::model::id::UserId;
use crate::model::profile::{Profile, ProfileUpdate, UserNumber};
use crate::model::user::{User, UserRules};
use bson::{Bson, DateTime, Document, doc};
use mongodb::ClientSession;

/// A password that works for a day beside the real one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TempPassword {
    /// Hash.
    pub hash: String,
    /// Does not work before, milliseconds since 1970.
    pub valid_after_ms: i64,
    /// When it was made, milliseconds since 1970.
    pub created_ms: i64,
}

/// A user with his secrets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UserRecord {
    /// Everything else.
    pub profile: Profile,
    /// Hash; empty: none.
    pub password: String,
    /// A second password.
    pub temp_password: Option<TempPassword>,
    /// Generation of tokens.
    pub auth_version: i64,
    /// May not receive or log in.
    pub disabled: bool,
    /// May not log in.
    pub suspended: bool,
    /// Why his sessions were ended the last time, for them; may be empty.
    pub logout_reason: String,
}

/// A user to insert.
#[derive(Clone, Debug)]
pub struct NewUserRecord {
    /// Identifier.
    pub id: UserId,
    /// Login name.
    pub username: String,
    /// Its lookup form.
    pub unameview: String,
    /// Main address, may be empty.
    pub address: String,
    /// What was set.
    pub update: ProfileUpdate,
    /// Passwords.
    pub passwords: PasswordUpdate,
    /// Now.
    pub created_ms: i64,
}

/// A change of passwords; `None` leaves them.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct PasswordUpdate {
    /// A new hash, or empty for none. Ends the temporary one, and all tokens.
    pub password: Option<String>,
    /// A temporary one beside it.
    pub temp_password: Option<TempPassword>,
    /// Tokens fail from now on.
    pub ends_tokens: bool,
}

fn texts(document: &Document, key: &str) -> Vec<String> {
    let Ok(items) = document.get_array(key) else { return Vec::new() };
    items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

fn text(document: &Document, key: &str) -> String {
    document.get_str(key).unwrap_or_default().to_owned()
}

fn flag(document: &Document, key: &str) -> bool {
    document.get_bool(key).unwrap_or(false)
}

fn millis(document: &Document, key: &str) -> i64 {
    document.get_datetime(key).map_or(0, |date| date.timestamp_millis())
}

fn read(document: &Document) -> Result<UserRecord> {
    let number = |number: UserNumber| {
        let is_set = document.contains_key(number.name());
        let value = get_count(document, number.name());
        (number, if is_set { value } else { number.default_value() })
    };
    let temp_password = document.get_document("tempPassword").ok().map(|temp| TempPassword {
        hash: text(temp, "password"),
        valid_after_ms: millis(temp, "validAfter"),
        created_ms: millis(temp, "created"),
    });
    let (disabled, suspended) = (flag(document, "disabled"), flag(document, "suspended"));
    let user = User {
        id: get_id(document, "_id")?,
        username: text(document, "username"),
        address: text(document, "address"),
        quota_octets: Some(get_count(document, "quota")).filter(|octets| *octets > 0),
        used_octets: get_count(document, "storageUsed"),
        disabled,
        suspended,
        session_epoch: get_int(document, "authVersion") + get_int(document, "sessionVersion"),
        rules: read_rules(document),
    };
    let password = text(document, "password");
    let profile = Profile {
        user,
        name: text(document, "name"),
        language: document.get_str("language").ok().map(str::to_owned),
        numbers: UserNumber::EVERY.map(number).to_vec(),
        tags: texts(document, "tags"),
        from_whitelist: texts(document, "fromWhitelist"),
        disabled_scopes: texts(document, "disabledScopes"),
        meta_data: document.get_str("metaData").ok().map(str::to_owned),
        internal_data: document.get_str("internalData").ok().map(str::to_owned),
        upload_sent_messages: flag(document, "uploadSentMessages"),
        has_password: !password.is_empty(),
        requires_password_change: temp_password.is_some(),
        created_ms: millis(document, "created"),
    };
    let auth_version = get_int(document, "authVersion");
    Ok(UserRecord {
        profile,
        password,
        temp_password,
        auth_version,
        disabled,
        suspended,
        logout_reason: text(document, "logoutReason"),
    })
}

fn read_rules(document: &Document) -> UserRules {
    let value = |number: UserNumber| match document.contains_key(number.name()) {
        true => get_count(document, number.name()),
        false => number.default_value(),
    };
    UserRules {
        spam_level: value(UserNumber::SpamLevel),
        tags: texts(document, "tagsview"),
        targets: get_targets(document, "targets"),
        relay: document.get_document("mtaRelay").ok().and_then(get_target),
        has_autoreply: flag(document, "autoreply"),
        forwards_max: value(UserNumber::Forwards),
        recipients_max: value(UserNumber::Recipients),
        audited_until_ms: millis(document, "auditedUntil"),
    }
}

/// The fields that an update sets.
fn fields(update: &ProfileUpdate) -> Document {
    let mut set = Document::new();
    for (name, value) in [
        ("name", &update.name),
        ("language", &update.language),
        ("metaData", &update.meta_data),
        ("internalData", &update.internal_data),
    ] {
        if let Some(value) = value {
            set.insert(name, value);
        }
    }
    for (number, value) in &update.numbers {
        set.insert(number.name(), int(*value));
    }
    if let Some(tags) = &update.tags {
        set.insert("tagsview", lowercase(tags));
    }
    for (name, value) in [
        ("tags", &update.tags),
        ("fromWhitelist", &update.from_whitelist),
        ("disabledScopes", &update.disabled_scopes),
    ] {
        if let Some(value) = value {
            set.insert(name, value.clone());
        }
    }
    for (name, value) in [
        ("uploadSentMessages", update.upload_sent_messages),
        ("disabled", update.disabled),
        ("suspended", update.suspended),
    ] {
        if let Some(value) = value {
            set.insert(name, value);
        }
    }
    set
}

/// Tags as filters compare them.
pub fn lowercase(tags: &[String]) -> Vec<String> {
    tags.iter().map(|tag| tag.to_lowercase()).collect()
}

fn temp_document(temp: &TempPassword) -> Document {
    doc! {
        "password": &temp.hash,
        "validAfter": DateTime::from_millis(temp.valid_after_ms),
        "created": DateTime::from_millis(temp.created_ms),
    }
}

/// Which users a listing shows.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct UserFilter {
    /// A substring of the main address or of the username's lookup form, lowercase.
    pub query: Option<String>,
    /// Any of these tags, lowercase.
    pub tags: Vec<String>,
    /// All of these tags, lowercase.
    pub required_tags: Vec<String>,
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
        "created": DateTime::from_millis(user.created_ms),
    };
    for number in UserNumber::EVERY {
        document.insert(number.name(), int(number.default_value()));
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
    found.as_ref().map(read).transpose()
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
    found.as_ref().map(read).transpose()
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

/// How many users a filter shows.
///
/// # Errors
/// `Unavailable`.
pub async fn count(storage: &Storage, filter: &UserFilter) -> Result<u64> {
    Ok(storage.users().count_documents(filter.document()).await?)
}

/// Changes a user: one round trip.
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
    if let Some(hash) = &passwords.password {
        set.insert("password", hash);
        set.insert("passwordChange", DateTime::from_millis(now_ms));
        change.insert("$unset", doc! { "tempPassword": 1 });
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

/// Replaces a hash by a better one of the same password, unless the password was changed meanwhile.
///
/// # Errors
/// `Unavailable`.
pub async fn upgrade_hash(storage: &Storage, user: UserId, old: &str, new: &str) -> Result<()> {
    let filter = doc! { "_id": oid(user), "password": old };
    storage.users().update_one(filter, doc! { "$set": { "password": new } }).await?;
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

/// Removes a user inside a transaction; whether there was one.
///
/// # Errors
/// `Unavailable`.
pub async fn delete(storage: &Storage, session: &mut ClientSession, user: UserId) -> Result<bool> {
    let deleted = storage.users().delete_one(doc! { "_id": oid(user) }).session(session).await?;
    Ok(deleted.deleted_count > 0)
}
