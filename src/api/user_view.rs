//! How a user looks in answers.

use super::Bounds;
use super::address_view::target_texts;
use super::reply::{iso_date, json_value};
use crate::auth::certificate::{CertificateFacts, describe};
use crate::encryption::pgp::{self, KeyFacts};
use crate::model::profile::{Profile, UserNumber};
use crate::model::window::{Window, WindowUse};
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
    /// Seconds until it begins anew; `false`: it has not begun.
    pub ttl: Ttl,
}

/// Seconds, or `false`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Ttl {
    /// Seconds.
    Seconds(u64),
    /// `false`.
    None(bool),
}

impl From<&WindowUse> for LimitTtl {
    fn from(usage: &WindowUse) -> Self {
        let ttl = usage.ttl_s.map_or(Ttl::None(false), Ttl::Seconds);
        Self { allowed: usage.allowed, used: usage.used, ttl }
    }
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
    /// Not for users themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// Where his mail is forwarded to.
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

fn quota(profile: &Profile, default_quota: u64) -> Quota {
    let own = profile.number(UserNumber::Quota);
    let allowed = if own == 0 { default_quota } else { own };
    Quota { allowed, used: profile.user.used_octets }
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
    pub fn new(
        profile: &Profile,
        default_quota: u64,
        with_meta: bool,
        with_internal: bool,
        sees_internal: bool,
    ) -> Self {
        let user = &profile.user;
        Self {
            id: user.id.to_string(),
            username: user.username.clone(),
            name: non_empty(&profile.name),
            address: user.address.clone(),
            tags: sees_internal.then(|| profile.tags.clone()),
            targets: target_texts(&user.rules.targets),
            enabled2fa: profile.second_factors.clone(),
            autoreply: user.rules.has_autoreply,
            encrypt_messages: profile.encryption.messages,
            encrypt_forwarded: profile.encryption.forwarded,
            quota: quota(profile, default_quota),
            has_password_set: profile.has_password,
            activated: profile.is_activated,
            disabled: user.disabled,
            suspended: user.suspended,
            meta_data: with_meta.then(|| object(profile.meta_data.as_ref())),
            internal_data: (with_internal && sees_internal)
                .then(|| object(profile.internal_data.as_ref())),
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
    /// What the key says of itself; `false`: there is no key.
    pub key_info: KeyInfo,
    pub smime_certs: Vec<String>,
    pub smime_cipher: String,
    pub smime_key_transport: String,
    pub smime_cert_info: Vec<CertificateView>,
    pub spam_level: u64,
    pub meta_data: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub internal_data: Option<Value>,
    pub targets: Vec<String>,
    /// URL of the server his outgoing mail goes through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mta_relay: Option<String>,
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
    /// When the password was looked up on a list of stolen ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_pwned_check: Option<String>,
    pub password_pwned: bool,
    #[serde(rename = "require2faEnabled")]
    pub require_2fa_enabled: bool,
    pub require_password_change: bool,
}

/// What a certificate says of itself.
#[derive(Debug, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names say it")]
pub struct CertificateView {
    pub subject: String,
    pub serial: String,
    pub fingerprint: String,
}

/// What a PGP key says of itself.
#[derive(Debug, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names say it")]
pub struct KeyView {
    pub name: String,
    pub address: String,
    pub fingerprint: String,
}

/// A key, or `false`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum KeyInfo {
    /// The key.
    Key(KeyView),
    /// `false`.
    None(bool),
}

impl KeyInfo {
    fn of(armour: &str) -> Self {
        let facts = Some(armour).filter(|armour| !armour.is_empty()).and_then(pgp::describe);
        facts.map_or(Self::None(false), |facts| {
            let KeyFacts { name, address, fingerprint } = facts;
            Self::Key(KeyView { name, address, fingerprint })
        })
    }
}

fn certificate(pem: &str) -> Option<CertificateView> {
    let CertificateFacts { subject, serial, fingerprint } = describe(pem)?;
    Some(CertificateView { subject, serial, fingerprint })
}

impl UserView {
    /// A user; tags, closed doors and the operator's JSON are hidden from users (§0.4 note 1).
    pub fn new(profile: &Profile, limits: LimitsView, with_internal: bool) -> Self {
        let (user, encryption) = (&profile.user, &profile.encryption);
        let word = |word: &Option<String>, default: &str| {
            word.clone().unwrap_or_else(|| default.to_owned())
        };
        Self {
            success: true,
            id: user.id.to_string(),
            username: user.username.clone(),
            name: profile.name.clone(),
            address: user.address.clone(),
            language: profile.language.clone(),
            retention: Some(profile.number(UserNumber::Retention)).filter(|ms| *ms > 0),
            enabled2fa: profile.second_factors.clone(),
            autoreply: user.rules.has_autoreply,
            encrypt_messages: encryption.messages,
            encrypt_forwarded: encryption.forwarded,
            pub_key: encryption.pub_key.clone(),
            key_info: KeyInfo::of(&encryption.pub_key),
            smime_certs: encryption.smime_certs.clone(),
            smime_cipher: word(&encryption.smime_cipher, "AES-CBC"),
            smime_key_transport: word(&encryption.smime_key_transport, "PKCS#1 v1.5"),
            smime_cert_info: encryption
                .smime_certs
                .iter()
                .filter_map(|pem| certificate(pem))
                .collect(),
            spam_level: profile.number(UserNumber::SpamLevel),
            meta_data: object(profile.meta_data.as_ref()),
            internal_data: with_internal.then(|| object(profile.internal_data.as_ref())),
            targets: target_texts(&user.rules.targets),
            mta_relay: user.rules.relay.as_ref().map(|relay| relay.value.clone()),
            limits,
            tags: with_internal.then(|| profile.tags.clone()),
            from_whitelist: profile.from_whitelist.clone(),
            feature_flags: profile
                .is_indexed
                .map_or_else(|| json!({}), |wished| json!({ "indexing": wished })),
            disabled_scopes: with_internal.then(|| profile.disabled_scopes.clone()),
            has_password_set: profile.has_password,
            activated: profile.is_activated,
            disabled: user.disabled,
            suspended: user.suspended,
            last_pwned_check: profile.breach.checked_ms.map(iso_date),
            password_pwned: profile.breach.is_known,
            require_2fa_enabled: profile.requires_second_factor,
            require_password_change: profile.requires_password_change,
        }
    }
}

/// What a user may use and uses.
pub fn limits(
    profile: &Profile,
    windows: &[(Window, WindowUse)],
    (filters, default_quota): ((u64, u64), u64),
    (bounds, connections): (Bounds, u64),
) -> LimitsView {
    let unknown = WindowUse { allowed: 0, used: 0, ttl_s: None };
    let ttl = |wanted: Window| {
        let found = windows.iter().find(|(window, _)| *window == wanted);
        LimitTtl::from(found.map_or(&unknown, |(_, used)| used))
    };
    let own_or = |number: UserNumber, bound: u64| match profile.number(number) {
        0 => bound,
        own => own,
    };
    let connections_max = own_or(UserNumber::ImapMaxConnections, bounds.imap_connections);
    let messages_max = own_or(UserNumber::Pop3MaxMessages, bounds.pop3_messages);
    LimitsView {
        quota: quota(profile, default_quota),
        filters: Quota { allowed: filters.0, used: filters.1 },
        recipients: ttl(Window::Recipients),
        forwards: ttl(Window::Forwards),
        received: ttl(Window::Received),
        imap_upload: ttl(Window::ImapUpload),
        imap_download: ttl(Window::ImapDownload),
        pop3_download: ttl(Window::Pop3Download),
        pop3_max_messages: Allowed { allowed: messages_max },
        imap_max_connections: Quota { allowed: connections_max, used: connections },
    }
}
