//! Credentials to a user.
//!
//! A name is a username (without dots) or an own address. Whoever does not exist, has no password
//! or
//! gave a wrong one gets the same answer after the same time; only after the right password does a
//! closed door say so.

use super::Authenticator;
use super::name::{normal_address, username_lookup_form};
use super::password::is_outdated;
use crate::model::error::{Error, Result};
use crate::model::user::User;
use crate::storage::users::UserRecord;
use crate::storage::{addresses, users};
use std::net::IpAddr;

/// How long a temporary password works, milliseconds.
const TEMP_PASSWORD_MS: i64 = 24 * 3_600_000;
/// Octets of a name that is worth looking for.
const NAME_OCTETS_MAX: usize = 1024;

/// The door a login comes through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    /// IMAP
    Imap,
    /// POP3
    Pop3,
    /// SMTP submission
    Smtp,
    /// HTTP
    Api,
}

impl Protocol {
    /// Its name among a user's `disabledScopes`; the API is the `master` scope.
    pub const fn scope(self) -> &'static str {
        match self {
            Self::Imap => "imap",
            Self::Pop3 => "pop3",
            Self::Smtp => "smtp",
            Self::Api => "master",
        }
    }
}

/// A login that succeeded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Login {
    /// Who.
    pub user: User,
    /// It was a temporary password: a new one has to be set.
    pub requires_password_change: bool,
}

impl Authenticator {
    /// Checks a name (username or own address) and password.
    ///
    /// # Errors
    /// `Unauthenticated`, `Throttled`, `Forbidden` (closed door, after the right password only),
    /// `Unavailable`.
    pub async fn authenticate(
        &self,
        username: &str,
        password: &str,
        protocol: Protocol,
        peer: IpAddr,
    ) -> Result<User> {
        Ok(self.log_in(username, password, protocol, peer).await?.user)
    }

    /// [`Self::authenticate`], and what kind of password it was. Three round trips when all is
    /// well.
    ///
    /// # Errors
    /// As [`Self::authenticate`].
    pub async fn log_in(
        &self,
        username: &str,
        password: &str,
        protocol: Protocol,
        peer: IpAddr,
    ) -> Result<Login> {
        let record = self.find_login(username).await?;
        let name = record.as_ref().map_or_else(
            || username_lookup_form(username),
            |record| record.profile.user.id.to_string(),
        );
        let had_failures = self.throttle.check(&name).await?;
        let Some((record, is_temporary)) = self.check(record, password, protocol).await? else {
            self.throttle.failed(&name).await?;
            metrics::counter!("eider_logins_total", "result" => "refused").increment(1);
            tracing::info!(protocol = protocol.scope(), %peer, "login refused");
            return Err(Error::Unauthenticated);
        };
        if had_failures {
            self.throttle.succeeded(&name).await?;
        }
        let user = record.profile.user;
        if user.disabled || user.suspended {
            return Err(Error::Forbidden { reason: "this user may not log in" });
        }
        if record.profile.disabled_scopes.iter().any(|scope| scope == protocol.scope()) {
            return Err(Error::Forbidden { reason: "this protocol is disabled for the user" });
        }
        if !is_temporary && is_outdated(&record.password) {
            let hash = self.passwords.hash(password).await?;
            users::upgrade_hash(&self.storage, user.id, &record.password, &hash).await?;
        }
        metrics::counter!("eider_logins_total", "result" => "accepted").increment(1);
        Ok(Login { user, requires_password_change: is_temporary })
    }

    /// Whether this is the user's own password; failures count like those of logins.
    ///
    /// # Errors
    /// `NotFound` user, `Throttled`, `Unavailable`.
    pub async fn is_password(
        &self,
        user: crate::model::id::UserId,
        password: &str,
    ) -> Result<bool> {
        let record = users::load(&self.storage, user).await?;
        let name = user.to_string();
        self.throttle.check(&name).await?;
        let is_right = self.passwords.verify(password, &record.password).await?;
        if !is_right {
            self.throttle.failed(&name).await?;
        }
        Ok(is_right)
    }

    /// The user a name belongs to, for what needs no password.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn find_user(&self, username: &str) -> Result<Option<User>> {
        Ok(self.find_login(username).await?.map(|record| record.profile.user))
    }

    /// The record, and whether the password was the temporary one; `None`: refused.
    async fn check(
        &self,
        record: Option<UserRecord>,
        password: &str,
        protocol: Protocol,
    ) -> Result<Option<(UserRecord, bool)>> {
        let hash = record.as_ref().map_or("", |record| record.password.as_str());
        // an unknown user costs the same hash
        if self.passwords.verify(password, hash).await? {
            return Ok(record.map(|record| (record, false)));
        }
        let Some(record) = record else { return Ok(None) };
        let now = self.clock.now_ms();
        let temporary = record.temp_password.as_ref().filter(|temporary| {
            let end = temporary.created_ms.max(temporary.valid_after_ms) + TEMP_PASSWORD_MS;
            protocol == Protocol::Api && temporary.valid_after_ms <= now && now < end
        });
        let Some(temporary) = temporary else { return Ok(None) };
        if self.passwords.verify(password, &temporary.hash).await? {
            return Ok(Some((record, true)));
        }
        Ok(None)
    }

    async fn find_login(&self, username: &str) -> Result<Option<UserRecord>> {
        if username.is_empty() || username.len() > NAME_OCTETS_MAX {
            return Ok(None);
        }
        let form = username_lookup_form(username);
        if let Some(record) = users::find_by_name(&self.storage, &form).await? {
            return Ok(Some(record));
        }
        // a `*` would meet the stored pattern of a wildcard address
        let Some(address) = normal_address(username).ok().filter(|_| !username.contains('*'))
        else {
            return Ok(None);
        };
        let forms = [address.lookup_form()];
        match addresses::find_by_lookup(&self.storage, &forms).await?.first() {
            Some(entry) => users::find(&self.storage, entry.user).await,
            None => Ok(None),
        }
    }
}
