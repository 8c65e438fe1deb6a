//! A user's document to nouns and back; `storage/users.rs` describes its fields.

use crate::model::error::Result;
use crate::model::id::UserId;
use crate::model::profile::{Breach, Encryption, Profile, ProfileUpdate, UserNumber};
use crate::model::user::{User, UserRules};
use crate::storage::field::{get_binary, get_count, get_id, get_int, int};
use crate::storage::target::{get_target, get_targets, target, targets};
use bson::{DateTime, Document, doc};

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
    /// What SCRAM needs of it; empty: nothing is kept.
    pub scram: Vec<u8>,
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
    /// Secret of his one-time codes, base32; empty: none.
    pub totp_seed: String,
    /// A secret that waits to be confirmed, base32, and since when, milliseconds since 1970.
    pub pending_seed: Option<(String, i64)>,
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
    /// What SCRAM needs of it.
    pub scram: Vec<u8>,
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

fn maybe(document: &Document, key: &str) -> Option<String> {
    document.get_str(key).ok().map(str::to_owned)
}

fn flag(document: &Document, key: &str) -> bool {
    document.get_bool(key).unwrap_or(false)
}

fn millis(document: &Document, key: &str) -> i64 {
    document.get_datetime(key).map_or(0, |date| date.timestamp_millis())
}

pub(in crate::storage) fn read(document: &Document) -> Result<UserRecord> {
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
        is_activated: document.get_bool("activated").unwrap_or(true),
        second_factors: texts(document, "enabled2fa"),
        requires_second_factor: flag(document, "require2faEnabled"),
        encryption: read_encryption(document),
        is_indexed: document.get_bool("indexing").ok(),
        has_password: !password.is_empty(),
        breach: Breach {
            is_known: flag(document, "passwordPwned"),
            checked_ms: document
                .get_datetime("lastPwnedCheck")
                .ok()
                .map(|at| at.timestamp_millis()),
        },
        requires_password_change: temp_password.is_some(),
        created_ms: millis(document, "created"),
    };
    let auth_version = get_int(document, "authVersion");
    Ok(UserRecord {
        profile,
        password,
        scram: get_binary(document, "scram").map(<[u8]>::to_vec).unwrap_or_default(),
        temp_password,
        auth_version,
        disabled,
        suspended,
        logout_reason: text(document, "logoutReason"),
        totp_seed: text(document, "seed"),
        pending_seed: document
            .get_str("pendingSeed")
            .ok()
            .map(|seed| (seed.to_owned(), millis(document, "pendingSeedChanged"))),
    })
}

/// The fields that [`read_encryption`] reads.
pub(in crate::storage) const ENCRYPTION_FIELDS: [&str; 6] = [
    "pubKey",
    "smimeCerts",
    "smimeCipher",
    "smimeKeyTransport",
    "encryptMessages",
    "encryptForwarded",
];

pub(in crate::storage) fn read_encryption(document: &Document) -> Encryption {
    Encryption {
        pub_key: text(document, "pubKey"),
        smime_certs: texts(document, "smimeCerts"),
        smime_cipher: maybe(document, "smimeCipher"),
        smime_key_transport: maybe(document, "smimeKeyTransport"),
        messages: flag(document, "encryptMessages"),
        forwarded: flag(document, "encryptForwarded"),
    }
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
        encrypts_messages: flag(document, "encryptMessages"),
        encrypts_forwarded: flag(document, "encryptForwarded"),
        has_key: !text(document, "pubKey").is_empty() || document.contains_key("smimeCerts"),
        is_filterless: flag(document, "filterless"),
        forwards_max: value(UserNumber::Forwards),
        recipients_max: value(UserNumber::Recipients),
        received_max: value(UserNumber::ReceivedMax),
        imap_connections_max: value(UserNumber::ImapMaxConnections),
        imap_upload_max: value(UserNumber::ImapMaxUpload),
        imap_download_max: value(UserNumber::ImapMaxDownload),
        audited_until_ms: millis(document, "auditedUntil"),
    }
}

/// The fields that an update sets.
pub(in crate::storage) fn fields(update: &ProfileUpdate) -> Document {
    let mut set = Document::new();
    for (name, value) in [
        ("name", &update.name),
        ("language", &update.language),
        ("metaData", &update.meta_data),
        ("internalData", &update.internal_data),
        ("pubKey", &update.encryption.pub_key),
        ("smimeCipher", &update.encryption.smime_cipher),
        ("smimeKeyTransport", &update.encryption.smime_key_transport),
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
        ("smimeCerts", &update.encryption.smime_certs),
    ] {
        if let Some(value) = value {
            set.insert(name, value.clone());
        }
    }
    for (name, value) in [
        ("uploadSentMessages", update.upload_sent_messages),
        ("disabled", update.disabled),
        ("suspended", update.suspended),
        ("require2faEnabled", update.requires_second_factor),
        ("encryptMessages", update.encryption.messages),
        ("encryptForwarded", update.encryption.forwarded),
        ("indexing", update.is_indexed),
    ] {
        if let Some(value) = value {
            set.insert(name, value);
        }
    }
    if let Some(list) = &update.targets {
        set.insert("targets", targets(list));
    }
    if let Some(relay) = &update.relay {
        set.insert("mtaRelay", relay.as_ref().map(target));
    }
    set
}

/// Tags as filters compare them.
pub fn lowercase(tags: &[String]) -> Vec<String> {
    tags.iter().map(|tag| tag.to_lowercase()).collect()
}

pub(in crate::storage) fn temp_document(temp: &TempPassword) -> Document {
    doc! {
        "password": &temp.hash,
        "validAfter": DateTime::from_millis(temp.valid_after_ms),
        "created": DateTime::from_millis(temp.created_ms),
    }
}
