//! SCRAM-SHA-256 (RFC 5802, RFC 7677): what is kept of a password for it, and proofs.
//!
//! A user has one salt, made from a secret of the store, so that all his passwords (his own and
//! those of applications) answer to the same challenge, and names nobody has get one too. What is
//! kept belongs to one password hash: when that changes, by whatever way, it is void, and made anew
//! when the password is next set or comes in the clear.

use super::password::Passwords;
use crate::model::error::Result;
use crate::model::id::UserId;
use crate::storage::{Storage, secrets};
use ring::{hmac, pbkdf2};
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::num::NonZeroU32;
use std::sync::OnceLock;
use subtle::ConstantTimeEq as _;

/// Iterations; RFC 7677 §4 asks for 4096 at least. They guard what is kept, so there are as many as
/// a phone can bear.
pub const ITERATIONS: NonZeroU32 = NonZeroU32::MIN.saturating_add(65_535);

type Key = [u8; 32];

/// What is kept of a password: `StoredKey` and `ServerKey` (RFC 5802 §3).
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    stored_key: Key,
    server_key: Key,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Verifier {
    /// Of a password: some 30 ms of work.
    pub fn new(password: &str, salt: &[u8], iterations: NonZeroU32) -> Self {
        let (words, mut salted): (_, Key) = (normal(password), [0; 32]);
        let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
        pbkdf2::derive(algorithm, iterations, salt, words.as_bytes(), &mut salted);
        let stored_key = Sha256::digest(mac(&salted, b"Client Key")).into();
        Self { stored_key, server_key: mac(&salted, b"Server Key") }
    }

    /// As it is stored, for a password with this hash.
    pub fn to_octets(&self, hash: &str) -> Vec<u8> {
        [mark(hash).as_slice(), &self.stored_key, &self.server_key].concat()
    }

    /// As it was stored; `None`: it belongs to another hash.
    pub fn from_octets(octets: &[u8], hash: &str) -> Option<Self> {
        let rest = octets.strip_prefix(mark(hash).as_slice())?;
        let (stored_key, server_key) = rest.split_first_chunk::<32>()?;
        Some(Self { stored_key: *stored_key, server_key: server_key.try_into().ok()? })
    }

    /// Whether a proof is one of this password; what the server proves then (RFC 5802 §3).
    pub fn check(&self, proof: &[u8], auth_message: &str) -> Option<Key> {
        let signature = mac(&self.stored_key, auth_message.as_bytes());
        let proof: &Key = proof.try_into().ok()?;
        let mut client_key: Key = *proof;
        client_key.iter_mut().zip(signature).for_each(|(octet, other)| *octet ^= other);
        let stored: Key = Sha256::digest(client_key).into();
        bool::from(stored.ct_eq(&self.stored_key))
            .then(|| mac(&self.server_key, auth_message.as_bytes()))
    }
}

/// What is to be kept of a user's new password, which has this hash.
///
/// # Errors
/// `Unavailable`, `Internal`.
pub async fn keep(
    storage: &Storage,
    passwords: &Passwords,
    user: UserId,
    password: &str,
    hash: &str,
) -> Result<Vec<u8>> {
    let salt = salt(&secrets::load(storage, "scram").await?, &user.octets());
    let (password, hash) = (password.to_owned(), hash.to_owned());
    let verifier = move || Verifier::new(&password, &salt, ITERATIONS).to_octets(&hash);
    passwords.blocking(verifier).await
}

/// An exchange that waits for its proof.
#[derive(Debug)]
pub(super) struct Handshake {
    /// Who it says it is.
    pub username: String,
    /// Both nonces.
    pub nonce: String,
    /// What `c=` has to be.
    pub binding: Vec<u8>,
    /// The beginning of `AuthMessage`.
    pub begun: String,
}

/// What a client says in proof, and what the server answers once it is found right.
#[derive(Debug)]
pub struct Proof {
    proof: Vec<u8>,
    auth_message: String,
    signature: OnceLock<Key>,
}

impl Proof {
    /// Not yet checked.
    pub const fn new(proof: Vec<u8>, auth_message: String) -> Self {
        Self { proof, auth_message, signature: OnceLock::new() }
    }

    /// Whether it is one of the password with this hash, of which these octets are kept.
    pub fn is_of(&self, kept: &[u8], hash: &str) -> bool {
        let verifier = Verifier::from_octets(kept, hash);
        let signature =
            verifier.and_then(|verifier| verifier.check(&self.proof, &self.auth_message));
        signature.is_some_and(|signature| self.signature.set(signature).is_ok())
    }

    /// What proves that the server knows the password; `None` until the proof was found right.
    pub fn signature(&self) -> Option<Key> {
        self.signature.get().copied()
    }
}

/// Whether something is kept of the password with this hash.
pub fn is_kept(kept: &[u8], hash: &str) -> bool {
    Verifier::from_octets(kept, hash).is_some()
}

/// The salt of a user, or of a name nobody has.
pub fn salt(secret: &[u8; 32], whose: &[u8]) -> [u8; 16] {
    let hash = blake3::keyed_hash(secret, whose);
    hash.as_bytes().first_chunk().copied().unwrap_or_default()
}

/// RFC 5802 §2.2: `Normalize`; what SASLprep (RFC 4013) does not know is taken as it is, as
/// clients do.
fn normal(password: &str) -> Cow<'_, str> {
    stringprep::saslprep(password).unwrap_or(Cow::Borrowed(password))
}

fn mark(hash: &str) -> [u8; 16] {
    blake3::hash(hash.as_bytes()).as_bytes().first_chunk().copied().unwrap_or_default()
}

fn mac(key: &Key, data: &[u8]) -> Key {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, data).as_ref().try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    #[test]
    fn the_exchange_of_rfc_7677() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let verifier = Verifier::new("pencil", &salt, NonZeroU32::new(4096).unwrap());
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let auth_message = format!(
            "n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
             c=biws,r={nonce}"
        );
        let proof = STANDARD.decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=").unwrap();
        let signature = verifier.check(&proof, &auth_message).unwrap();
        let expected = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        assert_eq!(STANDARD.encode(signature), expected);
        assert_eq!(verifier.check(&proof, "another"), None);
        assert_eq!(verifier.check(b"short", &auth_message), None);
    }

    #[test]
    fn what_is_kept_belongs_to_a_hash() {
        let verifier = Verifier::new("pencil", b"salt", NonZeroU32::MIN);
        let octets = verifier.to_octets("$argon2id$1");
        assert_eq!(Verifier::from_octets(&octets, "$argon2id$1"), Some(verifier));
        assert_eq!(Verifier::from_octets(&octets, "$argon2id$2"), None);
        assert_eq!(Verifier::from_octets(b"", "$argon2id$1"), None);
    }

    #[test]
    fn passwords_are_prepared() {
        // RFC 4013 §3
        let same = [("I\u{ad}X", "IX"), ("\u{aa}", "a"), ("\u{2168}", "IX")];
        for (typed, meant) in same {
            assert_eq!(
                Verifier::new(typed, b"s", NonZeroU32::MIN),
                Verifier::new(meant, b"s", NonZeroU32::MIN)
            );
        }
        assert_ne!(
            Verifier::new("user", b"s", NonZeroU32::MIN),
            Verifier::new("USER", b"s", NonZeroU32::MIN)
        );
        assert_ne!(salt(&[1; 32], b"a"), salt(&[1; 32], b"b"));
    }
}
