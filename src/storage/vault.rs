//! Secrets at rest: seeds of one-time codes, private keys. Sealed with AES-256-GCM under a key made
//! of the site's secret; without a secret they are stored as they are.
//!
//! A sealed text is `$eider1$` and base64 of nonce, octets and tag. It is bound to its place: one
//! that was moved to another document does not open. What was stored before there was a secret
//! opens as it is, and is sealed when it is next written.

use super::Storage;
use crate::model::error::{Error, Result, SECRET_SEALED};
use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::{Aes256Gcm, KeyInit as _, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::sync::Arc;

/// What a sealed text begins with.
const MARK: &str = "$eider1$";
/// Octets of a nonce (NIST SP 800-38D §8.2).
const NONCE_OCTETS: usize = 12;
/// Domain of the key's derivation.
const DERIVATION: &str = "eider 2026-11 secrets at rest";

/// Seals and opens; cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Vault(Option<Arc<Aes256Gcm>>);

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Vault").field(&self.0.is_some()).finish()
    }
}

impl Vault {
    pub(super) fn new(secret: &[u8]) -> Self {
        let key = blake3::derive_key(DERIVATION, secret);
        Self(Some(Arc::new(Aes256Gcm::new(&key.into()))))
    }

    fn seal(&self, place: &str, text: &str) -> Result<String> {
        let Some(cipher) = self.0.as_ref().filter(|_| !text.is_empty()) else {
            return Ok(text.to_owned());
        };
        let nonce: [u8; NONCE_OCTETS] = rand::random();
        let payload = Payload { msg: text.as_bytes(), aad: place.as_bytes() };
        let failed = |_| Error::Internal { reason: "a secret cannot be sealed", source: None };
        let sealed = cipher.encrypt(Nonce::from_slice(&nonce), payload).map_err(failed)?;
        Ok(format!("{MARK}{}", STANDARD.encode([nonce.as_slice(), &sealed].concat())))
    }

    fn open(&self, place: &str, text: &str) -> Result<String> {
        let Some(sealed) = text.strip_prefix(MARK) else { return Ok(text.to_owned()) };
        let closed = || Error::Internal { reason: SECRET_SEALED, source: None };
        let cipher = self.0.as_ref().ok_or_else(closed)?;
        let octets = STANDARD.decode(sealed).map_err(|_| closed())?;
        let (nonce, msg) = octets.split_at_checked(NONCE_OCTETS).ok_or_else(closed)?;
        let payload = Payload { msg, aad: place.as_bytes() };
        let opened = cipher.decrypt(Nonce::from_slice(nonce), payload).map_err(|_| closed())?;
        String::from_utf8(opened).map_err(|_| closed())
    }
}

impl Storage {
    /// The secret as it is stored at a place (`kind:id`).
    ///
    /// # Errors
    /// `Internal`.
    pub fn seal(&self, place: &str, text: &str) -> Result<String> {
        self.vault().seal(place, text)
    }

    /// A secret that was stored at a place.
    ///
    /// # Errors
    /// `Internal` with [`SECRET_SEALED`]: it was sealed with another secret, or there is none.
    pub fn unseal(&self, place: &str, text: &str) -> Result<String> {
        self.vault().open(place, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_in_its_place_with_its_key_only() {
        let (vault, other) = (Vault::new(b"secret"), Vault::new(b"other"));
        let sealed = vault.seal("totp:1", "SEED").unwrap();
        assert!(sealed.starts_with(MARK) && !sealed.contains("SEED"));
        assert_ne!(vault.seal("totp:1", "SEED").unwrap(), sealed);
        assert_eq!(vault.open("totp:1", &sealed).unwrap(), "SEED");
        for (vault, place, text) in [
            (&vault, "totp:2", sealed.as_str()),
            (&other, "totp:1", &sealed),
            (&Vault::default(), "totp:1", &sealed),
            (&vault, "totp:1", "$eider1$AAAA"),
            (&vault, "totp:1", "$eider1$?"),
        ] {
            assert!(vault.open(place, text).is_err(), "{place} {text}");
        }
    }

    #[test]
    fn what_was_stored_in_the_clear_still_opens() {
        assert_eq!(Vault::new(b"x").open("a", "plain").unwrap(), "plain");
        assert_eq!(Vault::default().seal("a", "plain").unwrap(), "plain");
        assert_eq!(Vault::new(b"x").seal("a", "").unwrap(), "");
    }
}
