//! How a user looks in answers.
//!
//! Fields of features that do not exist here yet have the value that says so: no second factor, no
//! encryption, no forwarding.

use super::reply::json_value;
use crate::model::profile::{Profile, UserNumber};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// Octets allowed and used.
#[derive(Debug, Serialize, ToSchema)]
pub struct Quota {
    /// Octets allowed; 0 is no limit.
    pub allowed: u64,
    /// Octets used.
    pub used: u64,
}

/// A number allowed and used in a window that ends.
#[derive(Debug, Serialize, ToSchema)]
pub struct LimitTtl {
    /// How many are allowed.
    pub allowed: u64,
    /// How many were used in the window.
    pub used: u64,
    /// Always false: no window is open.
    pub ttl: bool,
}

/// A number allowed.
#[derive(Debug, Serialize, ToSchema)]
pub struct Allowed {
    /// How many are allowed; 0 is the default.
    pub allowed: u64,
}

/// A user in a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names say it")]
pub struct UserRow {
    #[schema(example = "6ad9a3c2e1f0b1a2c3d4e5f6")]
    pub id: String,
    #[schema(example = "anna")]
    pub username: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[schema(example = "anna@example.com")]
    pub address: String,
    pub tags: Vec<String>,
    /// Forwarding addresses; none yet.
    pub targets: Vec<String>,
    pub enabled2fa: Vec<String>,
    pub autoreply: bool,
    pub encrypt_messages: bool,
    pub encrypt_forwarded: bool,
    pub quota: Quota,
    pub has_password_set: bool,
    pub activated: bool,
    pub disabled: bool,
    pub suspended: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta_data: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub internal_data: Option<Value>,
}

fn quota(profile: &Profile) -> Quota {
    Quota { allowed: profile.number(UserNumber::Quota), used: profile.user.used_octets }
}

/// Stored JSON text, or an empty object.
fn object(text: Option<&String>) -> Value {
    text.and_then(|text| json_value(text)).unwrap_or_else(|| json!({}))
}

fn non_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

impl UserRow {
    /// A row, with JSON of owner and operator if wished.
    pub fn new(profile: &Profile, with_meta: bool, with_internal: bool) -> Self {
        let user = &profile.user;
        Self {
            id: user.id.to_string(),
            username: user.username.clone(),
            name: non_empty(&profile.name),
            address: user.address.clone(),
            tags: profile.tags.clone(),
            targets: Vec::new(),
            enabled2fa: Vec::new(),
            autoreply: false,
            encrypt_messages: false,
            encrypt_forwarded: false,
            quota: quota(profile),
            has_password_set: profile.has_password,
            activated: true,
            disabled: user.disabled,
            suspended: user.suspended,
            meta_data: with_meta.then(|| object(profile.meta_data.as_ref())),
            internal_data: with_internal.then(|| object(profile.internal_data.as_ref())),
        }
    }
}

/// What a user may use.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names say it")]
pub struct LimitsView {
    pub quota: Quota,
    pub filters: Quota,
    pub recipients: LimitTtl,
    pub forwards: LimitTtl,
    pub received: LimitTtl,
    pub imap_upload: LimitTtl,
    pub imap_download: LimitTtl,
    pub pop3_download: LimitTtl,
    pub pop3_max_messages: Allowed,
    pub imap_max_connections: Quota,
}

/// A user.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names say it")]
pub struct UserView {
    pub success: bool,
    #[schema(example = "6ad9a3c2e1f0b1a2c3d4e5f6")]
    pub id: String,
    #[schema(example = "anna")]
    pub username: String,
    pub name: String,
    #[schema(example = "anna@example.com")]
    pub address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention: Option<u64>,
    pub enabled2fa: Vec<String>,
    pub autoreply: bool,
    pub encrypt_messages: bool,
    pub encrypt_forwarded: bool,
    pub pub_key: String,
    pub key_info: bool,
    pub smime_certs: Vec<String>,
    pub smime_cert_info: Vec<String>,
    pub spam_level: u64,
    pub meta_data: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub internal_data: Option<Value>,
    pub targets: Vec<String>,
    pub limits: LimitsView,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    pub from_whitelist: Vec<String>,
    pub feature_flags: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled_scopes: Option<Vec<String>>,
    pub has_password_set: bool,
    pub activated: bool,
    pub disabled: bool,
    pub suspended: bool,
    pub password_pwned: bool,
    #[serde(rename = "require2faEnabled")]
    pub require_2fa_enabled: bool,
    pub require_password_change: bool,
}

impl UserView {
    /// A user; tags, closed doors and the operator's JSON are hidden from users (§0.4 note 1).
    pub fn new(profile: &Profile, with_internal: bool) -> Self {
        let user = &profile.user;
        Self {
            success: true,
            id: user.id.to_string(),
            username: user.username.clone(),
            name: profile.name.clone(),
            address: user.address.clone(),
            language: profile.language.clone(),
            retention: Some(profile.number(UserNumber::Retention)).filter(|ms| *ms > 0),
            enabled2fa: Vec::new(),
            autoreply: false,
            encrypt_messages: false,
            encrypt_forwarded: false,
            pub_key: String::new(),
            key_info: false,
            smime_certs: Vec::new(),
            smime_cert_info: Vec::new(),
            spam_level: profile.number(UserNumber::SpamLevel),
            meta_data: object(profile.meta_data.as_ref()),
            internal_data: with_internal.then(|| object(profile.internal_data.as_ref())),
            targets: Vec::new(),
            limits: limits(profile),
            tags: with_internal.then(|| profile.tags.clone()),
            from_whitelist: profile.from_whitelist.clone(),
            feature_flags: json!({}),
            disabled_scopes: with_internal.then(|| profile.disabled_scopes.clone()),
            has_password_set: profile.has_password,
            activated: true,
            disabled: user.disabled,
            suspended: user.suspended,
            password_pwned: false,
            require_2fa_enabled: false,
            require_password_change: profile.requires_password_change,
        }
    }
}

fn limits(profile: &Profile) -> LimitsView {
    let ttl = |number| LimitTtl { allowed: profile.number(number), used: 0, ttl: false };
    let pair = |number| Quota { allowed: profile.number(number), used: 0 };
    let received = match profile.number(UserNumber::ReceivedMax) {
        0 => LimitTtl { allowed: 60, used: 0, ttl: false },
        allowed => LimitTtl { allowed, used: 0, ttl: false },
    };
    LimitsView {
        quota: quota(profile),
        filters: pair(UserNumber::Filters),
        recipients: ttl(UserNumber::Recipients),
        forwards: ttl(UserNumber::Forwards),
        received,
        imap_upload: ttl(UserNumber::ImapMaxUpload),
        imap_download: ttl(UserNumber::ImapMaxDownload),
        pop3_download: ttl(UserNumber::Pop3MaxDownload),
        pop3_max_messages: Allowed { allowed: profile.number(UserNumber::Pop3MaxMessages) },
        imap_max_connections: pair(UserNumber::ImapMaxConnections),
    }
}
