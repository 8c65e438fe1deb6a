//! Access tokens: forty hex digits outside, a SHA-256 digest inside (`reference/http-api.md` §0.4).

use crate::clock::Clock;
use crate::model::error::{Error, Result};
use crate::model::id::UserId;
use crate::model::principal::{Principal, Role};
use crate::storage::tokens::TokenRecord;
use crate::storage::{Storage, tokens, users};
use sha2::{Digest as _, Sha256};

/// A token's end is moved on at most this often, so that reading stays reading.
const PROLONG_EVERY_MS: i64 = 3_600_000;
/// Characters of a token that is worth looking for.
const TOKEN_CHARS_MAX: usize = 256;

/// How long tokens live.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lifetime {
    /// Seconds without use.
    pub ttl_s: u64,
    /// Seconds since it was issued.
    pub lifetime_s: u64,
}

/// The tokens of the API; cheap to clone.
#[derive(Clone, Debug)]
pub struct Tokens {
    storage: Storage,
    clock: Clock,
    lifetime: Lifetime,
}

impl Tokens {
    /// Tokens in this database.
    pub const fn new(storage: Storage, clock: Clock, lifetime: Lifetime) -> Self {
        Self { storage, clock, lifetime }
    }

    /// A new token of a user: two round trips.
    ///
    /// # Errors
    /// `NotFound` user, `Unavailable`.
    pub async fn issue(&self, user: UserId) -> Result<String> {
        let auth_version = users::load(&self.storage, user).await?.auth_version;
        let token = new_token();
        let created_ms = self.clock.now_ms();
        let expires_ms = Some(created_ms.saturating_add(milliseconds(self.lifetime.ttl_s)));
        let (user, role) = (Some(user), Role::User);
        let digest = digest_of(&token);
        let record = TokenRecord { digest, user, role, auth_version, created_ms, expires_ms };
        tokens::insert(&self.storage, &record).await?;
        Ok(token)
    }

    /// A new token of an operator: it has a role, belongs to nobody, and works until it is revoked.
    /// One round trip.
    ///
    /// # Errors
    /// `Invalid` for the role of users, `Unavailable`.
    pub async fn issue_for_role(&self, role: Role) -> Result<String> {
        if role == Role::User {
            return Err(Error::invalid("role", "a user gets his token by logging in"));
        }
        let token = new_token();
        let record = TokenRecord {
            digest: digest_of(&token),
            user: None,
            role,
            auth_version: 0,
            created_ms: self.clock.now_ms(),
            expires_ms: None,
        };
        tokens::insert(&self.storage, &record).await?;
        Ok(token)
    }

    /// Who holds this token; `None` for unknown, expired and revoked ones. Two round trips.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn find(&self, token: &str) -> Result<Option<Principal>> {
        if token.is_empty() || token.len() > TOKEN_CHARS_MAX {
            return Ok(None);
        }
        let Some(record) = tokens::find(&self.storage, &digest_of(token)).await? else {
            return Ok(None);
        };
        let now = self.clock.now_ms();
        let Some(user) = record.user else {
            let is_alive = record.expires_ms.is_none_or(|end| end > now);
            return Ok(is_alive.then_some(Principal { user: None, role: record.role }));
        };
        let dies = record.created_ms.saturating_add(milliseconds(self.lifetime.lifetime_s));
        let end = record.expires_ms.unwrap_or(dies);
        if end <= now || dies <= now {
            return Ok(None);
        }
        let Some(holder) = users::find(&self.storage, user).await? else { return Ok(None) };
        let is_revoked = holder.auth_version > record.auth_version;
        if is_revoked || holder.disabled || holder.suspended {
            return Ok(None);
        }
        let expires = now.saturating_add(milliseconds(self.lifetime.ttl_s));
        if expires.saturating_sub(end) > PROLONG_EVERY_MS {
            tokens::prolong(&self.storage, &record.digest, expires).await?;
        }
        Ok(Some(Principal { user: Some(user), role: record.role }))
    }

    /// Lets a token outlive the change of its user's password that was made with it.
    ///
    /// # Errors
    /// `NotFound` user, `Unavailable`.
    pub async fn renew(&self, user: UserId, token: &str) -> Result<()> {
        let version = users::load(&self.storage, user).await?.auth_version;
        tokens::renew(&self.storage, user, &digest_of(token), version).await
    }

    /// Forgets a token.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn revoke(&self, token: &str) -> Result<()> {
        tokens::delete(&self.storage, &digest_of(token)).await
    }
}

/// Twenty random octets in hex.
pub fn new_token() -> String {
    hex(&rand::random::<[u8; 20]>())
}

/// What is stored of a token or nonce.
pub(super) fn digest_of(token: &str) -> String {
    hex(&Sha256::digest(token.as_bytes()))
}

pub(super) fn hex(octets: &[u8]) -> String {
    use std::fmt::Write as _;
    octets.iter().fold(String::with_capacity(octets.len() * 2), |mut text, octet| {
        let _infallible = write!(text, "{octet:02x}");
        text
    })
}

fn milliseconds(seconds: u64) -> i64 {
    i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX)
}
