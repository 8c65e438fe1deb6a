//! Password hashes: made with Argon2id (RFC 9106), checked in every imported form.
//!
//! Hashing runs on the blocking pool, two at a time, so that a storm of logins costs bounded memory
//! and leaves the runtime to the sessions. A success is remembered for a short while under a hash
//! whose key lives in this process only, because mail clients log in again and again.

use crate::clock::Clock;
use crate::model::error::{Error, Result};
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// Memory of one hash in KiB (OWASP's first choice: 19 MiB, two passes, one lane).
const MEMORY_KIB: u32 = 19 * 1024;
/// Passes.
const PASSES: u32 = 2;
/// Hashes computed at a time.
const CONCURRENT_MAX: usize = 2;
/// Logins waiting for their hash; more are told to come again.
const WAITING_MAX: usize = 1000;
/// Octets of a password; characters are the doors' part.
pub const PASSWORD_OCTETS_MAX: usize = 1024;
/// How long a success is remembered, milliseconds.
const REMEMBER_MS: i64 = 60_000;
/// Successes remembered by a node.
const REMEMBERED_MAX: usize = 10_000;
/// Iterations of an imported PBKDF2 hash we are willing to compute.
const PBKDF2_ITERATIONS_MAX: u32 = 10_000_000;
/// Memory of an imported Argon2 hash we are willing to use, KiB.
const IMPORTED_MEMORY_KIB_MAX: u32 = 256 * 1024;
/// Rounds of an imported hash of crypt(3) we are willing to compute.
const CRYPT_ROUNDS_MAX: u32 = 1_000_000;
/// Cost of an imported bcrypt hash we are willing to compute.
const BCRYPT_COST_MAX: u32 = 15;

/// Makes and checks hashes; cheap to clone.
#[derive(Clone)]
pub struct Passwords {
    inner: Arc<Inner>,
}

struct Inner {
    permits: Semaphore,
    /// As many clones as logins wait.
    waiting: Arc<()>,
    key: [u8; 32],
    clock: Clock,
    /// Keyed hash of (password hash, password) to the end of its remembrance. Held for a look-up
    /// only.
    remembered: Mutex<HashMap<[u8; 32], i64>>,
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passwords([redacted])")
    }
}

impl Passwords {
    /// A hasher with a key of its own.
    pub fn new(clock: Clock) -> Self {
        let inner = Inner {
            permits: Semaphore::new(CONCURRENT_MAX),
            waiting: Arc::default(),
            key: rand::random(),
            clock,
            remembered: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The hash of a new password.
    ///
    /// # Errors
    /// `Invalid` for one that is too long, `Internal`.
    pub async fn hash(&self, password: &str) -> Result<String> {
        if password.len() > PASSWORD_OCTETS_MAX {
            return Err(Error::invalid("password", "a password has at most 1024 octets"));
        }
        let password = password.to_owned();
        self.blocking(move || hash_now(&password)).await?
    }

    /// Whether a password is the one of this hash. An empty or unknown hash takes as long as a real
    /// one.
    ///
    /// # Errors
    /// `Internal`.
    pub async fn verify(&self, password: &str, hash: &str) -> Result<bool> {
        if password.len() > PASSWORD_OCTETS_MAX {
            return Ok(false);
        }
        let mark = self.mark(password, hash);
        if self.is_remembered(&mark) {
            return Ok(true);
        }
        let (password, hash) = (password.to_owned(), hash.to_owned());
        let is_right = self.blocking(move || verify_now(&password, &hash)).await?;
        if is_right {
            self.remember(mark);
        }
        Ok(is_right)
    }

    pub(super) async fn blocking<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        // RAII: counted down also where the caller goes away while it waits
        let waiting = Arc::clone(&self.inner.waiting);
        if Arc::strong_count(&waiting) > WAITING_MAX {
            return Err(Error::Unavailable { reason: "too many logins at once", source: None });
        }
        let permit = self.inner.permits.acquire().await;
        let _permit = permit.map_err(|error| Error::internal("hashing has ended", error))?;
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| Error::internal("hashing failed", error))
    }

    fn mark(&self, password: &str, hash: &str) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.inner.key);
        hasher.update(&(hash.len() as u64).to_le_bytes());
        hasher.update(hash.as_bytes());
        hasher.update(password.as_bytes());
        *hasher.finalize().as_bytes()
    }

    fn is_remembered(&self, mark: &[u8; 32]) -> bool {
        let now = self.inner.clock.now_ms();
        let remembered = self.inner.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.get(mark).is_some_and(|end| *end > now)
    }

    fn remember(&self, mark: [u8; 32]) {
        let now = self.inner.clock.now_ms();
        let mut remembered = self.inner.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED_MAX {
            remembered.retain(|_, end| *end > now);
        }
        if remembered.len() < REMEMBERED_MAX {
            remembered.insert(mark, now.saturating_add(REMEMBER_MS));
        }
    }
}

fn hasher() -> Result<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None)
        .map_err(|error| Error::internal("hash parameters", error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash_now(password: &str) -> Result<String> {
    let hash = hasher()?
        .hash_password(password.as_bytes())
        .map_err(|error| Error::internal("hashing failed", error.to_string()))?;
    Ok(hash.to_string())
}

/// Whether the hash should be made anew with today's parameters.
pub fn is_outdated(hash: &str) -> bool {
    let Ok(parsed) = PasswordHash::new(hash) else { return true };
    let Ok(params) = Params::try_from(&parsed) else { return true };
    parsed.algorithm.as_str() != "argon2id"
        || params.m_cost() < MEMORY_KIB
        || params.t_cost() < PASSES
}

/// Whether an imported hash is of a form that can be checked, within the bounds.
pub fn is_supported(hash: &str) -> bool {
    Form::of(hash).is_some()
}

enum Form {
    Argon2(Box<PasswordHash>),
    Bcrypt,
    Pbkdf2 { digest: Digest, iterations: u32, salt: Vec<u8>, output: Vec<u8> },
    Crypt(Crypt),
}

/// The function inside PBKDF2.
#[derive(Clone, Copy)]
enum Digest {
    Sha1,
    Sha256,
    Sha512,
}

/// The kinds of crypt(3).
#[derive(Clone, Copy)]
enum Crypt {
    Des,
    Md5,
    Sha256,
    Sha512,
}

impl Form {
    fn of(hash: &str) -> Option<Self> {
        if hash.starts_with("$2a$") || hash.starts_with("$2b$") || hash.starts_with("$2y$") {
            let cost: u32 = hash.get(4..6)?.parse().ok()?;
            let is_whole = hash.len() == 60 && hash.is_ascii();
            return (is_whole && (4..=BCRYPT_COST_MAX).contains(&cost)).then_some(Self::Bcrypt);
        }
        if hash.starts_with("$argon2") {
            let parsed = PasswordHash::new(hash).ok()?;
            let params = Params::try_from(&parsed).ok()?;
            let is_bounded = params.m_cost() <= IMPORTED_MEMORY_KIB_MAX && params.t_cost() <= 64;
            return is_bounded.then(|| Self::Argon2(Box::new(parsed)));
        }
        pbkdf2_form(hash).or_else(|| crypt_form(hash).map(Self::Crypt))
    }
}

/// `$1$`, `$5$`, `$6$` with a bounded number of rounds, or thirteen characters of DES.
fn crypt_form(hash: &str) -> Option<Crypt> {
    let is_salted = |rest: &str| rest.len() > 20 && rest.contains('$') && rest.is_ascii();
    let (kind, rest) = match hash.get(..3) {
        Some("$1$") => (Crypt::Md5, hash.get(3..)?),
        Some("$5$") => (Crypt::Sha256, hash.get(3..)?),
        Some("$6$") => (Crypt::Sha512, hash.get(3..)?),
        _ => {
            let is_des = hash.len() == 13
                && hash.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'.' || c == b'/');
            return is_des.then_some(Crypt::Des);
        }
    };
    let rounds = rest.strip_prefix("rounds=").and_then(|rest| rest.split('$').next());
    let is_bounded = match rounds {
        Some(rounds) => rounds.parse::<u32>().is_ok_and(|rounds| rounds <= CRYPT_ROUNDS_MAX),
        None => true,
    };
    (is_salted(rest) && is_bounded).then_some(kind)
}

/// `$pbkdf2-sha256$i=100000$salt$hash`, as PHC and WildDuck write it; also with the bare number.
fn pbkdf2_form(hash: &str) -> Option<Form> {
    use base64::Engine as _;
    let rest = hash.strip_prefix("$pbkdf2-")?;
    let mut fields = rest.split('$');
    let digest = match fields.next()? {
        "sha1" => Digest::Sha1,
        "sha256" => Digest::Sha256,
        "sha512" => Digest::Sha512,
        _ => return None,
    };
    let rounds = fields.next()?;
    let rounds = rounds.split(',').find_map(|field| field.strip_prefix("i=")).unwrap_or(rounds);
    let iterations: u32 = rounds.parse().ok()?;
    let engine = base64::engine::GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        base64::engine::GeneralPurposeConfig::new()
            .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
    );
    // passlib writes `.` for `+`
    let decode = |text: &str| engine.decode(text.replace('.', "+")).ok();
    let (salt, output) = (decode(fields.next()?)?, decode(fields.next()?)?);
    let is_bounded = (1..=PBKDF2_ITERATIONS_MAX).contains(&iterations)
        && (16..=128).contains(&output.len())
        && fields.next().is_none();
    is_bounded.then_some(Form::Pbkdf2 { digest, iterations, salt, output })
}

fn verify_now(password: &str, hash: &str) -> bool {
    match Form::of(hash) {
        Some(Form::Argon2(parsed)) => {
            Argon2::default().verify_password(password.as_bytes(), &*parsed).is_ok()
        }
        Some(Form::Bcrypt) => bcrypt::verify(password, hash).unwrap_or(false),
        Some(Form::Pbkdf2 { digest, iterations, salt, output }) => {
            use subtle::ConstantTimeEq as _;
            let mut computed = vec![0; output.len()];
            let derive = match digest {
                Digest::Sha1 => pbkdf2::pbkdf2_hmac::<sha1::Sha1>,
                Digest::Sha256 => pbkdf2::pbkdf2_hmac::<pbkdf2::sha2::Sha256>,
                Digest::Sha512 => pbkdf2::pbkdf2_hmac::<pbkdf2::sha2::Sha512>,
            };
            derive(password.as_bytes(), &salt, iterations, &mut computed);
            computed.ct_eq(&output).into()
        }
        Some(Form::Crypt(kind)) => match kind {
            Crypt::Des => pwhash::unix_crypt::verify(password, hash),
            Crypt::Md5 => pwhash::md5_crypt::verify(password, hash),
            Crypt::Sha256 => pwhash::sha256_crypt::verify(password, hash),
            Crypt::Sha512 => pwhash::sha512_crypt::verify(password, hash),
        },
        None => {
            // The same work as for a user who exists, so that time tells nobody who does
            let _same_time = hash_now(password);
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn new_hashes_verify_and_are_argon2id() {
        let passwords = Passwords::new(Clock::default());
        let hash = passwords.hash("correct horse").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(!is_outdated(&hash));
        assert!(passwords.verify("correct horse", &hash).await.unwrap());
        assert!(passwords.verify("correct horse", &hash).await.unwrap(), "remembered");
        assert!(!passwords.verify("wrong", &hash).await.unwrap());
        assert!(!passwords.verify("", "").await.unwrap());
        assert!(!passwords.verify("x", "nonsense").await.unwrap());
    }

    #[test]
    fn imported_hashes_verify_and_are_outdated() {
        let bcrypt = bcrypt::hash("secret", 4).unwrap();
        // passlib: pbkdf2_sha256.hash("password", rounds=1000, salt=b"saltsaltsaltsalt")
        let mut output = [0; 32];
        pbkdf2::pbkdf2_hmac::<pbkdf2::sha2::Sha256>(b"secret", b"saltsalt", 1000, &mut output);
        use base64::Engine as _;
        let b64 = |octets: &[u8]| base64::engine::general_purpose::STANDARD_NO_PAD.encode(octets);
        let pbkdf2 = format!("$pbkdf2-sha256$i=1000${}${}", b64(b"saltsalt"), b64(&output));
        for hash in [bcrypt, pbkdf2] {
            assert!(is_supported(&hash) && is_outdated(&hash), "{hash}");
            assert!(verify_now("secret", &hash), "{hash}");
            assert!(!verify_now("Secret", &hash), "{hash}");
        }
        assert!(!is_supported("$2b$31$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
        assert!(!is_supported("plain"));
        // crypt(3) of glibc, by Python's crypt module; SHA-crypt from Drepper's specification
        let known = [
            ("password", "$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/"),
            ("Hello world!", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
            (
                "Hello world!",
                "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbY\
                 EdFCoEOfaS35inz1",
            ),
            ("rasmuslerdorf", "rl.3StKT.4T8M"),
        ];
        for (password, hash) in known {
            assert!(is_supported(hash) && is_outdated(hash), "{hash}");
            assert!(verify_now(password, hash), "{hash}");
            assert!(!verify_now("wrong", hash), "{hash}");
        }
        assert!(!is_supported("$6$rounds=99999999$saltstring$svn8UoSVapNtMuq1ukKS4tPQ"));
    }
}
