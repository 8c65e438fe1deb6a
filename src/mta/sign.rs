//! DKIM signatures (RFC 6376, RFC 8463) of what our users and we ourselves write, with all keys of
//! the domain in From. What is only forwarded is not signed: we do not answer for it (`seal`).

use super::Context;
use crate::codec::mime::structure;
use crate::model::error::Result;
use crate::model::key::DkimKey;
use mail_auth::common::crypto::{self, Ed25519Key, RsaKey};
use mail_auth::common::headers::HeaderWriter as _;
use mail_auth::dkim::streaming::DkimSigningStream;
use mail_auth::dkim::{Canonicalization, DkimSigner, Done};
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
    /// In ASCII.
    pub domain: String,
    /// The key.
    pub key: DkimKey,
}

/// A signer that has all it needs.
pub type Signer = DkimSigner<crypto::DkimKey, Done>;

/// The keys of a domain, else those of `*`.
///
/// # Errors
/// `Unavailable`.
pub async fn keys_of(ctx: &Context, domain: &str) -> Result<Vec<Key>> {
    let mut found = ctx.directory.find_dkim_keys(domain).await?;
    if found.is_empty() {
        found = ctx.directory.find_dkim_keys("*").await?;
    }
    Ok(found.into_iter().map(|key| Key { domain: domain.to_owned(), key }).collect())
}

/// The keys a message with this header is signed with.
///
/// # Errors
/// `Unavailable`.
pub async fn keys(ctx: &Context, header: &[u8]) -> Result<Vec<Key>> {
    match domain_of_from(header) {
        Some(domain) => keys_of(ctx, &domain).await,
        None => Ok(Vec::new()),
    }
}

/// The domain of the first address in From, in ASCII.
fn domain_of_from(header: &[u8]) -> Option<String> {
    let from = structure::parse(header).summary.from.into_iter().next()?;
    let (_, domain) = from.address.rsplit_once('@')?;
    idna::domain_to_ascii(domain).ok().filter(|domain| !domain.is_empty())
}

/// Those who sign with these keys. A key that cannot be used is an operator's mistake: it is told,
/// and the mail goes without.
pub fn signers(keys: &[Key]) -> Vec<Signer> {
    let signer = |Key { domain, key }: &Key| {
        let signing = usable(key)?;
        let signer = DkimSigner::from_key(signing).domain(domain).selector(&key.selector);
        let signer = signer.headers(FIELDS).header_canonicalization(Canonicalization::Relaxed);
        Some(signer.body_canonicalization(Canonicalization::Relaxed))
    };
    keys.iter().filter_map(signer).collect()
}

/// A key as it signs.
pub fn usable(key: &DkimKey) -> Option<crypto::DkimKey> {
    read(key)
        .inspect_err(|error| {
            let (domain, selector) = (&key.domain, &key.selector);
            tracing::error!(domain, selector, %error, "a key cannot be used to sign");
        })
        .ok()
}

fn read(key: &DkimKey) -> mail_auth::Result<crypto::DkimKey> {
    let pem = key.private_key.as_bytes();
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|_| mail_auth::Error::ParseError)?;
    if key.is_ed25519() {
        return Ok(Ed25519Key::from_pkcs8_maybe_unchecked_der(der.secret_pkcs8_der())?.into());
    }
    Ok(RsaKey::from_key_der(PrivateKeyDer::Pkcs8(der))?.into())
}

/// The DKIM-Signature fields of messages that have been written to these.
pub fn fields(streams: Vec<DkimSigningStream<'_, crypto::DkimKey>>) -> String {
    let mut fields = String::new();
    for stream in streams {
        match stream.finish() {
            Ok(signature) => fields.push_str(&signature.to_header()),
            Err(error) => tracing::error!(%error, "a message is not signed"),
        }
    }
    fields
}
