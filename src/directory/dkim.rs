//! Keys that sign outgoing mail: made or imported, listed, removed (RFC 6376, RFC 8463).
//!
//! An Ed25519 key's record has `k=ed25519`, which the compatible store leaves out: without it
//! nobody can verify with the key (RFC 8463 §4).

use super::Directory;
use super::event::hex_fingerprint;
use super::user::Around;
use crate::model::error::{Error, Result};
use crate::model::event::Event;
use crate::model::id::ObjectId;
use crate::model::key::DkimKey;
use crate::model::profile::Page;
use crate::storage::dkim_keys;
use crate::storage::field::new_id;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail_auth::common::crypto::Ed25519Key;
use rsa::pkcs1::DecodeRsaPrivateKey as _;
use rsa::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, EncodePublicKey as _, LineEnding};
use rsa::traits::PublicKeyParts as _;
use rsa::{RsaPrivateKey, RsaPublicKey};

/// Keys of one domain: two kinds, and as many to come.
const KEYS_MAX: usize = 4;
/// Bits of a new RSA key.
const RSA_BITS: usize = 2048;
/// Bits of the smallest and largest key that is imported (RFC 8301 §3.2).
const RSA_BITS_ALLOWED: std::ops::RangeInclusive<usize> = 1024..=8192;
/// PKCS #8 in front of the 32 octets of an Ed25519 key (RFC 8410 §7).
const ED25519_PRIVATE: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
/// SubjectPublicKeyInfo in front of the 32 octets of its public key (RFC 8410 §4).
const ED25519_PUBLIC: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A key to store.
#[derive(Clone)]
pub struct NewDkimKey {
    /// Whose mail it signs.
    pub domain: String,
    /// Selector.
    pub selector: String,
    /// For people.
    pub description: Option<String>,
    /// PEM, or base64 of the 32 octets of an Ed25519 key; `None`: a new RSA key.
    pub private_key: Option<String>,
    /// The domain's other keys stay, and sign too.
    pub keeps_others: bool,
}

impl std::fmt::Debug for NewDkimKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewDkimKey({} {})", self.selector, self.domain)
    }
}

/// Both halves of a key, as they are stored.
struct Halves {
    private_pem: String,
    public_pem: String,
    fingerprint: String,
    dns_value: String,
}

impl Directory {
    /// Stores a domain's key in place of those it had, or beside them. Reading or making it is work
    /// for the blocking pool.
    ///
    /// # Errors
    /// `Invalid`, `LimitReached`, `Internal` when no key could be made, `Unavailable`.
    pub async fn put_dkim_key(&self, new: NewDkimKey) -> Result<DkimKey> {
        let (domain, selector) = (domain_form(&new.domain)?, selector_form(&new.selector)?);
        let others = dkim_keys::list_of_domain(&self.storage, &domain).await?;
        let same = others.iter().find(|key| key.selector == selector);
        let in_place_of = match new.keeps_others {
            true => same,
            false => same.or(others.first()),
        };
        let in_place_of = in_place_of.map(|key| key.id);
        if in_place_of.is_none() && others.len() >= KEYS_MAX {
            return Err(Error::LimitReached { limit: format!("{KEYS_MAX} keys of a domain") });
        }
        let given = new.private_key;
        let halves = tokio::task::spawn_blocking(move || halves(given.as_deref())).await;
        let halves = halves.map_err(|error| Error::internal("making a key", error))??;
        let key = DkimKey {
            id: new_id(),
            domain,
            selector,
            description: new.description,
            fingerprint: halves.fingerprint,
            private_key: halves.private_pem,
            public_key: halves.public_pem,
            dns_value: halves.dns_value,
            created_ms: self.clock.now_ms(),
        };
        let was_there = dkim_keys::put(&self.storage, &key, in_place_of).await?;
        if !new.keeps_others {
            for other in others.iter().filter(|other| Some(other.id) != in_place_of) {
                dkim_keys::delete(&self.storage, other.id).await?;
            }
        }
        let stored = self.find_dkim_keys(&key.domain).await?;
        let stored = stored.into_iter().find(|stored| stored.selector == key.selector);
        let stored = stored.ok_or(Error::Conflict { reason: "the key was removed meanwhile" })?;
        self.emit(event(if was_there { "dkim.updated" } else { "dkim.created" }, &stored)).await;
        Ok(stored)
    }

    /// One key.
    ///
    /// # Errors
    /// `NotFound` dkim, `Unavailable`.
    pub async fn load_dkim_key(&self, key: ObjectId) -> Result<DkimKey> {
        dkim_keys::find(&self.storage, key).await?.ok_or(Error::NotFound { what: "dkim" })
    }

    /// The keys of a domain, oldest first: all of them sign.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn find_dkim_keys(&self, domain: &str) -> Result<Vec<DkimKey>> {
        let Ok(domain) = domain_form(domain) else { return Ok(Vec::new()) };
        dkim_keys::list_of_domain(&self.storage, &domain).await
    }

    /// Removes a key.
    ///
    /// # Errors
    /// `NotFound` dkim, `Unavailable`.
    pub async fn delete_dkim_key(&self, key: ObjectId) -> Result<()> {
        let stored = self.load_dkim_key(key).await?;
        if !dkim_keys::delete(&self.storage, key).await? {
            return Err(Error::NotFound { what: "dkim" });
        }
        self.emit(event("dkim.deleted", &stored)).await;
        Ok(())
    }

    /// One page of keys in order of domains and selectors, around a [`place_in_lists`].
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn list_dkim_keys(
        &self,
        query: Option<&str>,
        around: Around<&str>,
        limit: usize,
    ) -> Result<Page<DkimKey>> {
        let (after, before) = around.after_and_before();
        let one_more = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
        let rows = dkim_keys::list(&self.storage, query, after, before, one_more).await?;
        let total = dkim_keys::count(&self.storage, query).await?;
        Ok(super::page(rows, total, limit, before.is_some()))
    }
}

/// Where a key stands in a listing.
pub fn place_in_lists(key: &DkimKey) -> String {
    dkim_keys::position(key)
}

/// The name of a key's DNS record (RFC 6376 §3.6.2.1).
pub fn dns_name(key: &DkimKey) -> String {
    let domain = idna::domain_to_ascii(&key.domain).unwrap_or_else(|_| key.domain.clone());
    format!("{}._domainkey.{domain}", key.selector)
}

fn event(name: &'static str, key: &DkimKey) -> Event {
    let event = Event::of_store(name).with("dkim", key.id).with("domain", &key.domain);
    event.with("selector", &key.selector).with("fingerprint", &key.fingerprint)
}

/// A domain as keys are looked up by: lowercase, Unicode.
pub(super) fn domain_form(text: &str) -> Result<String> {
    let (domain, result) = idna::domain_to_unicode(text.trim());
    if result.is_err() || domain.is_empty() || domain.contains(char::is_whitespace) {
        return Err(Error::invalid("domain", "\"domain\" must be a domain name"));
    }
    Ok(domain.to_lowercase())
}

/// RFC 6376 §3.1: `selector = sub-domain *( "." sub-domain )`
fn selector_form(text: &str) -> Result<String> {
    let text = text.trim().to_lowercase();
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
    };
    if !text.split('.').all(is_label) {
        return Err(Error::invalid("selector", "\"selector\" must be a name for DNS"));
    }
    Ok(text)
}

/// CPU-bound.
fn halves(given: Option<&str>) -> Result<Halves> {
    let Some(given) = given else {
        let key = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, RSA_BITS);
        return rsa_halves(&key.map_err(|error| Error::internal("making a key", error))?);
    };
    let text = given.trim();
    if text.len() == 44
        && let Ok(seed) = STANDARD.decode(text)
    {
        return ed25519_halves(&seed);
    }
    let bad = || Error::invalid("privateKey", "\"privateKey\" must be an RSA or Ed25519 key");
    let rsa = RsaPrivateKey::from_pkcs8_pem(text);
    if let Ok(key) = rsa.or_else(|_| RsaPrivateKey::from_pkcs1_pem(text)) {
        let is_allowed = RSA_BITS_ALLOWED.contains(&(key.size() * 8));
        return if is_allowed { rsa_halves(&key) } else { Err(bad()) };
    }
    let inner: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = STANDARD.decode(inner).map_err(|_| bad())?;
    let seed = der.strip_prefix(ED25519_PRIVATE.as_slice()).ok_or_else(bad)?;
    ed25519_halves(seed)
}

fn rsa_halves(key: &RsaPrivateKey) -> Result<Halves> {
    let unwritable = |error: rsa::pkcs8::Error| Error::internal("writing a key", error);
    let public = RsaPublicKey::from(key);
    let spki = public.to_public_key_der();
    let spki = spki.map_err(|error| Error::internal("writing a key", error))?;
    let private = key.to_pkcs8_pem(LineEnding::LF).map_err(unwritable)?;
    Ok(Halves {
        private_pem: private.to_string(),
        public_pem: pem("PUBLIC KEY", spki.as_bytes()),
        fingerprint: hex_fingerprint(spki.as_bytes()),
        dns_value: format!("v=DKIM1;t=s;p={}", STANDARD.encode(spki.as_bytes())),
    })
}

fn ed25519_halves(seed: &[u8]) -> Result<Halves> {
    let bad = || Error::invalid("privateKey", "\"privateKey\" must have 32 octets");
    if seed.len() != 32 {
        return Err(bad());
    }
    let der = [ED25519_PRIVATE.as_slice(), seed].concat();
    let key = Ed25519Key::from_pkcs8_maybe_unchecked_der(&der).map_err(|_| bad())?;
    let public = key.public_key();
    let spki = [ED25519_PUBLIC.as_slice(), &public].concat();
    Ok(Halves {
        private_pem: pem("PRIVATE KEY", &der),
        public_pem: pem("PUBLIC KEY", &spki),
        fingerprint: hex_fingerprint(&spki),
        // RFC 8463 §4.2: the raw key
        dns_value: format!("v=DKIM1;k=ed25519;t=s;p={}", STANDARD.encode(&public)),
    })
}

/// RFC 7468.
fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    let mut rest = text.as_str();
    while let Some((line, after)) = rest.split_at_checked(64) {
        out.push_str(line);
        out.push('\n');
        rest = after;
    }
    if !rest.is_empty() {
        out.push_str(rest);
        out.push('\n');
    }
    out + &format!("-----END {label}-----\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ed25519_keys_are_read_as_octets_and_as_pem() {
        // RFC 8463 Appendix A.2
        let raw = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
        let halves = super::halves(Some(raw)).unwrap();
        let expected = "v=DKIM1;k=ed25519;t=s;p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
        assert_eq!(halves.dns_value, expected);
        let again = super::halves(Some(&halves.private_pem)).unwrap();
        assert_eq!((again.dns_value, again.fingerprint), (halves.dns_value, halves.fingerprint));
        for bad in ["", "x", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"] {
            assert!(super::halves(Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_checked() {
        assert_eq!(domain_form("xn--bcher-kva.Example").unwrap(), "bücher.example");
        assert!(domain_form("a b").is_err() && domain_form("").is_err());
        assert_eq!(selector_form(" S1.Mail ").unwrap(), "s1.mail");
        assert!(selector_form("a b").is_err() && selector_form("a..b").is_err());
    }
}
