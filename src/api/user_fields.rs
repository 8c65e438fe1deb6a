//! The fields of a user that creating and changing him have in common.

use super::params::{Params, boolean_of};
use super::problem::Problem;
use crate::auth::breach::Breaches;
use crate::auth::name::{new_username, normal_address};
use crate::auth::password::is_supported;
use crate::directory::Directory;
use crate::directory::user::NewPassword;
use crate::encryption::{pgp, smime};
use crate::model::profile::{EncryptionUpdate, ProfileUpdate, UserNumber, normal_tags};
use crate::model::target::{ForwardTarget, TargetKind};
use axum::http::StatusCode;
use serde_json::Value;

/// What a user may change of himself; everything else is dropped (§0.4 note 1).
#[rustfmt::skip]
pub const OWN_FIELDS: &[&str] = &[
    "user", "existingPassword", "password", "allowUnsafe", "language", "name", "targets",
    "mtaRelay", "spamLevel", "uploadSentMessages", "metaData", "pubKey", "smimeCerts",
    "smimeCipher", "smimeKeyTransport", "encryptMessages", "encryptForwarded", "retention",
    "disable2fa", "protocol", "sess", "ip",
];

/// S/MIME certificates of a user.
const CERTIFICATES_MAX: usize = 16;
/// Characters of a certificate in PEM.
const CERTIFICATE_CHARS_MAX: usize = 64 * 1024;
/// Characters of a PGP key in armour.
const PUB_KEY_CHARS_MAX: usize = 128 * 1024;
/// Doors that can be closed to a user.
const SCOPES: [&str; 3] = ["imap", "pop3", "smtp"];

/// The password; `None`: not sent. Empty text and `false` mean "none".
pub fn password(p: &mut Params, is_hashed: bool) -> Option<NewPassword> {
    match p.take("password")? {
        Value::Bool(false) => Some(NewPassword::None),
        Value::String(text) if text.is_empty() => Some(NewPassword::None),
        Value::String(text) if is_hashed => {
            if !is_supported(&text) {
                p.fail("password", "\"password\" must be a hash of a known kind");
            }
            Some(NewPassword::Hashed(text))
        }
        Value::String(text) if text.chars().count() <= 256 => Some(NewPassword::Plain(text)),
        _ => {
            p.fail("password", "\"password\" must be text of at most 256 characters");
            Some(NewPassword::None)
        }
    }
}

/// A name to log in with: a username, or an address (§0.5).
pub fn login_name(p: &mut Params) -> String {
    let rule = "must be a username or an email address";
    let name = p.parsed("username", rule, |value| {
        let text = value.as_str()?.trim();
        let is_name = new_username(text).is_ok() || normal_address(text).is_ok();
        is_name.then(|| text.to_owned())
    });
    name.required()
}

/// `allowUnsafe: false` asks for a breach check, which needs a list to ask. Whether the password is
/// to be checked.
pub fn wants_breach_check(p: &mut Params, has_list: bool) -> bool {
    let wants = !p.boolean("allowUnsafe").or(true);
    if wants && !has_list {
        p.fail("allowUnsafe", "\"allowUnsafe\" false needs the setting api.breach_url");
    }
    wants
}

/// Refuses a password that strangers know; a list that does not answer refuses nobody.
///
/// # Errors
/// 403 `InsecurePasswordError`.
pub async fn refuse_breached(
    list: Option<&Breaches>,
    password: Option<&NewPassword>,
) -> Result<(), Problem> {
    if let (Some(list), Some(NewPassword::Plain(password))) = (list, password)
        && list.knows(password).await == Some(true)
    {
        let text = "The password is on a list of stolen ones";
        return Err(Problem::new(StatusCode::FORBIDDEN, "InsecurePasswordError", text));
    }
    Ok(())
}

/// Everything but passwords, addresses and what closes the account.
pub fn update_of(p: &mut Params, now_ms: i64) -> ProfileUpdate {
    let mut numbers = Vec::new();
    for number in UserNumber::EVERY {
        let high = if number == UserNumber::SpamLevel { 100 } else { i64::MAX };
        if let Some(value) = p.integer(number.name(), 0..=high).optional() {
            numbers.push((number, u64::try_from(value).unwrap_or(0)));
        }
    }
    let scopes = p.each("disabledScopes", "knows imap, pop3 and smtp", |value| {
        let known = value.as_str().filter(|scope| SCOPES.contains(scope));
        known.map(str::to_owned).ok_or_else(String::new)
    });
    let scopes = scopes.optional();
    ProfileUpdate {
        name: p.text_or_empty("name", 256).optional(),
        language: p.text("language", 20).optional(),
        numbers,
        tags: p.texts("tags", 128).optional().map(|tags| normal_tags(&tags)),
        from_whitelist: p.texts("fromWhitelist", 128).optional(),
        disabled_scopes: scopes,
        meta_data: p.json("metaData").optional(),
        internal_data: p.json("internalData").optional(),
        upload_sent_messages: p.boolean("uploadSentMessages").optional(),
        requires_second_factor: p.boolean("require2faEnabled").optional(),
        is_indexed: indexing(p),
        targets: targets(p),
        relay: relay(p),
        encryption: encryption(p, now_ms),
        ..ProfileUpdate::default()
    }
}

fn indexing(p: &mut Params) -> Option<bool> {
    let flags = p.object("featureFlags").optional()?;
    let mut wished = None;
    for (name, value) in flags {
        match (name.as_str(), boolean_of(&value)) {
            ("indexing", Some(value)) => wished = Some(value),
            _ => {
                p.fail(&format!("featureFlags,{name}"), format!("\"{name}\" is not a known flag"));
            }
        }
    }
    wished
}

fn targets(p: &mut Params) -> Option<Vec<ForwardTarget>> {
    let texts = target_texts(p)?;
    match Directory::forward_targets(&texts, None) {
        Ok(targets) => Some(targets),
        Err(error) => {
            p.fail("targets", error.to_string());
            None
        }
    }
}

/// `targets` as they are written, each of a kind that is known.
pub fn target_texts(p: &mut Params) -> Option<Vec<String>> {
    let expected = "must be a list of addresses and smtp, smtps, http or https URLs";
    let texts = p.each("targets", expected, |value| {
        let text = value.as_str().filter(|text| ForwardTarget::new(text).is_ok());
        text.map(str::to_owned).ok_or_else(String::new)
    });
    texts.optional()
}

/// Empty text takes the relay away.
fn relay(p: &mut Params) -> Option<Option<ForwardTarget>> {
    let text = p.text_or_empty("mtaRelay", 1024).optional()?;
    if text.is_empty() {
        return Some(None);
    }
    match ForwardTarget::new(&text) {
        Ok(target) if target.kind == TargetKind::Relay => Some(Some(target)),
        Ok(_) | Err(_) => {
            p.fail("mtaRelay", "\"mtaRelay\" must be a smtp:// or smtps:// URL");
            None
        }
    }
}

fn encryption(p: &mut Params, now_ms: i64) -> EncryptionUpdate {
    let pub_key = p.text_or_empty("pubKey", PUB_KEY_CHARS_MAX).optional();
    let has_key = pub_key.as_ref().is_some_and(|key| !key.is_empty());
    if let Some(key) = pub_key.as_ref().filter(|key| !key.is_empty())
        && let Err(reason) = pgp::check(key, now_ms)
    {
        p.fail("pubKey", format!("PGP key validation failed: {reason}"));
    }
    let certificates = p.texts("smimeCerts", CERTIFICATE_CHARS_MAX).optional();
    for (index, certificate) in certificates.iter().flatten().enumerate() {
        if let Err(reason) = smime::check(certificate) {
            let path = format!("smimeCerts,{index}");
            p.fail(&path, format!("S/MIME certificate validation failed: {reason}"));
        }
    }
    if has_key && certificates.as_ref().is_some_and(|list| !list.is_empty()) {
        p.fail("pubKey", "A PGP key and S/MIME certificates exclude each other");
    }
    if certificates.as_ref().is_some_and(|list| list.len() > CERTIFICATES_MAX) {
        p.fail("smimeCerts", format!("\"smimeCerts\" has at most {CERTIFICATES_MAX} items"));
    }
    EncryptionUpdate {
        pub_key,
        smime_certs: certificates,
        smime_cipher: p.choice("smimeCipher", &["AES-CBC", "AES-GCM"]).optional(),
        smime_key_transport: p.choice("smimeKeyTransport", &["PKCS#1 v1.5", "OAEP"]).optional(),
        messages: p.boolean("encryptMessages").optional(),
        forwarded: p.boolean("encryptForwarded").optional(),
    }
}
