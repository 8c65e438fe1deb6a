//! DKIM signatures (RFC 6376, RFC 8463) of what our users and we ourselves write, with the key of
//! the domain in From. What is only forwarded is not signed: we do not answer for it.

use super::Context;
use crate::codec::dsn::header_of;
use crate::codec::mime::structure;
use crate::model::error::Result;
use crate::model::key::DkimKey;
use crate::model::queue::{Entry, Reason};
use mail_auth::common::crypto::{Ed25519Key, RsaKey, Sha256, SigningKey};
use mail_auth::common::headers::HeaderWriter;
use mail_auth::dkim::{Canonicalization, DkimSigner};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// Fields that are signed (RFC 6376 §5.4.1). The first is named once more than it occurs, so that no
/// second one can be added (§8.15).
const FIELDS: [&str; 21] = [
    "From",
    "From",
    "Sender",
    "Reply-To",
    "Subject",
    "Subject",
    "Date",
    "Message-ID",
    "To",
    "To",
    "Cc",
    "Cc",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "In-Reply-To",
    "References",
    "List-Id",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "Auto-Submitted",
];

/// A key, and the domain it signs for.
#[derive(Debug)]
pub struct Key {
    domain: String,
    key: DkimKey,
}

/// The keys an entry's message is signed with: that of the domain in From, else the one of `*`.
///
/// # Errors
/// `Unavailable`.
pub async fn keys(ctx: &Context, entry: &Entry, content: &[u8]) -> Result<Vec<Key>> {
    if entry.reason == Reason::Forward {
        return Ok(Vec::new());
    }
    let Some(domain) = domain_of_from(content) else { return Ok(Vec::new()) };
    let found = match ctx.directory.find_dkim_key(&domain).await? {
        Some(key) => Some(key),
        None => ctx.directory.find_dkim_key("*").await?,
    };
    Ok(found.map(|key| Key { domain, key }).into_iter().collect())
}

/// The domain of the first address in From, in ASCII.
fn domain_of_from(content: &[u8]) -> Option<String> {
    let from = structure::parse(header_of(content)).summary.from.into_iter().next()?;
    let (_, domain) = from.address.rsplit_once('@')?;
    idna::domain_to_ascii(domain).ok().filter(|domain| !domain.is_empty())
}

/// DKIM-Signature fields to be put in front of the message; CPU-bound. A key that cannot be used is
/// an operator's mistake: it is told, and the mail goes without.
pub fn signatures(keys: &[Key], message: &[u8]) -> String {
    let mut fields = String::new();
    for Key { domain, key } in keys {
        match signature(domain, key, message) {
            Ok(field) => fields.push_str(&field),
            Err(error) => {
                tracing::error!(domain, selector = key.selector, %error, "a message is not signed");
            }
        }
    }
    fields
}

fn signature(domain: &str, key: &DkimKey, message: &[u8]) -> mail_auth::Result<String> {
    let pem = key.private_key.as_bytes();
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|_| mail_auth::Error::ParseError)?;
    let is_ed25519 = key.dns_value.contains("k=ed25519");
    if is_ed25519 {
        let key_pair = Ed25519Key::from_pkcs8_maybe_unchecked_der(der.secret_pkcs8_der())?;
        return sign(key_pair, domain, &key.selector, message);
    }
    let key_pair = RsaKey::<Sha256>::from_key_der(PrivateKeyDer::Pkcs8(der))?;
    sign(key_pair, domain, &key.selector, message)
}

fn sign<K: SigningKey>(
    key: K,
    domain: &str,
    selector: &str,
    message: &[u8],
) -> mail_auth::Result<String> {
    let signer = DkimSigner::from_key(key)
        .domain(domain)
        .selector(selector)
        .headers(FIELDS)
        .header_canonicalization(Canonicalization::Relaxed)
        .body_canonicalization(Canonicalization::Relaxed);
    Ok(signer.sign(message)?.to_header())
}
