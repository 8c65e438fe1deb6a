//! Second factors: one-time codes (RFC 6238) and those that somebody else checks.
//!
//! While any is on, the master password opens the API alone; the other doors want an application
//! password.

use super::Authenticator;
use super::token::{digest_of, new_token};
use crate::model::error::Result;
use crate::model::event::Event;
use crate::model::id::UserId;
use crate::storage::pending_logins::PendingLogin;
use crate::storage::{changes, pending_logins, rate_limits, user_factors, users};
use totp_rs::{Builder, Secret, Totp};

/// Seconds of a step.
const STEP_S: u64 = 30;
/// Steps a clock may be early or late.
const SKEW: u16 = 6;
/// How long a new secret waits to be confirmed.
const PENDING_MS: i64 = 6 * 3_600_000;
/// How long a login waits for its second factor.
const NONCE_MS: i64 = 600_000;
/// Wrong codes in a window after which a user waits.
const FAILURES_MAX: u64 = 6;
/// That window; a code is not accepted twice within it.
const WINDOW_MS: i64 = 180_000;

/// Why a second factor cannot be switched or checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hindrance {
    /// It is on already.
    IsOn,
    /// It is off, or the setup was never begun or is too old.
    IsOff,
    /// The code is wrong.
    WrongCode,
    /// The login is unknown, too old, or was finished.
    UnknownLogin,
    /// Too many wrong codes, or the code was used before.
    Throttled,
}

/// What a user puts into his authenticator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TotpSetup {
    /// The secret, base32.
    pub seed: String,
    /// A PNG picture of it in base64; `None`: it is too long for one.
    pub picture: Option<String>,
}

/// Where a user's seed is sealed for.
fn place(user: UserId) -> String {
    format!("totp:{user}")
}

fn totp(seed: &str, label: &str, issuer: &str) -> Option<Totp> {
    let secret = Secret::try_from_base32(seed).ok()?;
    // a colon separates the two in the URL
    let plain = |text: &str| text.replace(':', " ");
    let builder = Builder::new().with_secret(secret).with_skew(SKEW).with_step_duration(STEP_S);
    builder.with_account_name(plain(label)).with_issuer(Some(plain(issuer))).build().ok()
}

impl Authenticator {
    /// Begins the setup of one-time codes; they are not on before a code was confirmed.
    ///
    /// # Errors
    /// `NotFound` user, `Unavailable`; inside, the hindrance.
    pub async fn set_up_totp(
        &self,
        user: UserId,
        label: Option<&str>,
        issuer: &str,
    ) -> Result<Result<TotpSetup, Hindrance>> {
        let record = users::load(&self.storage, user).await?;
        if record.profile.second_factors.iter().any(|factor| factor == "totp") {
            return Ok(Err(Hindrance::IsOn));
        }
        let seed = Secret::generate().to_base32();
        let label = label.unwrap_or(&record.profile.user.username);
        let made = totp(&seed, label, issuer);
        let picture = made.and_then(|made| made.to_qr_base64().ok());
        let now = self.clock.now_ms();
        let sealed = self.storage.seal(&place(user), &seed)?;
        user_factors::set_pending_seed(&self.storage, user, &sealed, now).await?;
        Ok(Ok(TotpSetup { seed, picture }))
    }

    /// Switches one-time codes on with the first code.
    ///
    /// # Errors
    /// `NotFound` user, `Unavailable`; inside, the hindrance.
    pub async fn enable_totp(&self, user: UserId, code: &str) -> Result<Result<(), Hindrance>> {
        let record = users::load(&self.storage, user).await?;
        if record.profile.second_factors.iter().any(|factor| factor == "totp") {
            return Ok(Err(Hindrance::IsOn));
        }
        let now = self.clock.now_ms();
        let pending = record.pending_seed.filter(|(_, since)| *since + PENDING_MS > now);
        let Some((seed, _)) = pending else { return Ok(Err(Hindrance::IsOff)) };
        if !is_code(&self.storage.unseal(&place(user), &seed)?, code, now) {
            return Ok(Err(Hindrance::WrongCode));
        }
        let is_first = record.profile.second_factors.is_empty();
        user_factors::enable(&self.storage, user, "totp", Some(&seed), is_first).await?;
        self.end_other_sessions(user, is_first).await;
        self.emit(Event::of_user("mfa.totp.enabled", user)).await;
        Ok(Ok(()))
    }

    /// Marks a second factor that somebody else checks.
    ///
    /// # Errors
    /// `NotFound` user, `Unavailable`; inside, the hindrance.
    pub async fn enable_custom_factor(&self, user: UserId) -> Result<Result<(), Hindrance>> {
        let record = users::load(&self.storage, user).await?;
        if record.profile.second_factors.iter().any(|factor| factor == "custom") {
            return Ok(Err(Hindrance::IsOn));
        }
        let is_first = record.profile.second_factors.is_empty();
        user_factors::enable(&self.storage, user, "custom", None, is_first).await?;
        self.end_other_sessions(user, is_first).await;
        self.emit(Event::of_user("mfa.custom.enabled", user)).await;
        Ok(Ok(()))
    }

    /// Whoever logged in without a second factor logs in again.
    pub(super) async fn end_other_sessions(&self, user: UserId, is_first: bool) {
        if !is_first {
            return;
        }
        let now = self.clock.now_ms();
        let bell = changes::Doorbell::Sessions;
        if let Err(error) = changes::ring(&self.storage, user, bell, now).await {
            tracing::warn!(user.id = %user, %error, "sessions end later than they should");
        }
    }

    /// Switches a second factor off.
    ///
    /// # Errors
    /// `NotFound` user, `Unavailable`; inside, the hindrance.
    pub async fn disable_factor(&self, user: UserId, name: &str) -> Result<Result<(), Hindrance>> {
        let record = users::load(&self.storage, user).await?;
        if !record.profile.second_factors.iter().any(|factor| factor == name) {
            return Ok(Err(Hindrance::IsOff));
        }
        user_factors::disable(&self.storage, user, Some(name)).await?;
        let event = if name == "totp" { "mfa.totp.disabled" } else { "mfa.custom.disabled" };
        self.emit(Event::of_user(event, user)).await;
        Ok(Ok(()))
    }

    /// Switches all second factors off.
    ///
    /// # Errors
    /// `NotFound` user, `Unavailable`.
    pub async fn disable_all_factors(&self, user: UserId) -> Result<()> {
        user_factors::disable(&self.storage, user, None).await?;
        self.emit(Event::of_user("mfa.disabled", user)).await;
        Ok(())
    }

    /// A nonce for a login whose second factor is still missing.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn begin_second_step(&self, user: UserId, wants_token: bool) -> Result<String> {
        let nonce = new_token();
        let expires_ms = self.clock.now_ms().saturating_add(NONCE_MS);
        let login = PendingLogin { digest: digest_of(&nonce), user, wants_token, expires_ms };
        pending_logins::put(&self.storage, &login).await?;
        Ok(nonce)
    }

    /// Checks a one-time code against a login that waits for it; whether that login wanted a token.
    /// After a wrong code it goes on waiting; a code works once.
    ///
    /// # Errors
    /// `NotFound` user, `Unavailable`; inside, the hindrance.
    pub async fn check_totp(
        &self,
        user: UserId,
        nonce: &str,
        code: &str,
    ) -> Result<Result<bool, Hindrance>> {
        let record = users::load(&self.storage, user).await?;
        if record.totp_seed.is_empty() {
            return Ok(Err(Hindrance::IsOff));
        }
        let now = self.clock.now_ms();
        let Some(login) = pending_logins::take(&self.storage, user, &digest_of(nonce), now).await?
        else {
            return Ok(Err(Hindrance::UnknownLogin));
        };
        let seed = self.storage.unseal(&place(user), &record.totp_seed)?;
        let checked = self.check_code(user, &seed, code).await;
        match checked {
            Ok(Ok(())) => Ok(Ok(login.wants_token)),
            other => {
                pending_logins::put(&self.storage, &login).await?;
                other.map(|hindrance| hindrance.map(|()| false))
            }
        }
    }

    async fn check_code(
        &self,
        user: UserId,
        seed: &str,
        code: &str,
    ) -> Result<Result<(), Hindrance>> {
        let now = self.clock.now_ms();
        let failures = format!("totp:{user}");
        let counted = rate_limits::find(&self.storage, &failures, now).await?;
        if counted.is_some_and(|counted| counted.count >= FAILURES_MAX) {
            return Ok(Err(Hindrance::Throttled));
        }
        if !is_code(seed, code, now) {
            rate_limits::count(&self.storage, &failures, now, WINDOW_MS).await?;
            return Ok(Err(Hindrance::WrongCode));
        }
        // RFC 6238 §5.2: a code is accepted once, on whichever node
        let used = format!("totp:{user}:{code}");
        if !rate_limits::is_first(&self.storage, &used, now, WINDOW_MS).await? {
            return Ok(Err(Hindrance::Throttled));
        }
        rate_limits::forget(&self.storage, &failures).await?;
        Ok(Ok(()))
    }
}

/// Whether this is one of the codes of the time around now.
fn is_code(seed: &str, code: &str, now_ms: i64) -> bool {
    let now_s = u64::try_from(now_ms / 1000).unwrap_or(0);
    let is_shaped = code.len() == 6 && code.bytes().all(|digit| digit.is_ascii_digit());
    is_shaped && totp(seed, "x", "x").is_some_and(|totp| totp.check(code, now_s).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_at(seed: &str, now_s: u64) -> String {
        totp(seed, "x", "x").unwrap().generate(now_s).to_string()
    }

    #[test]
    fn codes_are_those_of_rfc_6238() {
        // RFC 6238 appendix B: the secret "12345678901234567890", SHA-1; the last six digits
        let seed = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
        for (at_s, code) in [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")]
        {
            assert_eq!(code_at(seed, at_s), code);
            let at_ms = i64::try_from(at_s).unwrap() * 1000;
            assert!(is_code(seed, code, at_ms + 179_000));
            assert!(!is_code(seed, code, at_ms + 240_000));
        }
        assert!(!is_code(seed, "28708x", 59_000) && !is_code("", "287082", 59_000));
    }
}
