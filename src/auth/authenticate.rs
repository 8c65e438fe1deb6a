//! Credentials to a user.
//!
//! A name is a username (without dots) or an own address. Whoever does not exist, has no password
//! or
//! gave a wrong one gets the same answer after the same time; only after the right password does a
//! closed door say so.

use super::Authenticator;
use super::app_password::AppPassword;
use super::log::AuthEvent;
use super::name::{normal_address, username_lookup_form};
use super::password::is_outdated;
use super::scram::{self, Proof, is_kept};
use crate::model::error::{Error, Result};
use crate::model::id::UserId;
use crate::model::profile::{Breach, Profile};
use crate::model::user::User;
use crate::storage::users::UserRecord;
use crate::storage::{addresses, domain_aliases, users};
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
    /// Its name in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Imap => "IMAP",
            Self::Pop3 => "POP3",
            Self::Smtp => "SMTP",
            Self::Api => "API",
        }
    }

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

/// Reason of the `Forbidden` of a door that is closed to the user, or to this kind of password.
pub const DOOR_CLOSED: &str = "this protocol is closed to the user, or wants another password";
/// Reason of the `Forbidden` of a temporary password that will work later.
pub const NOT_YET_VALID: &str = "the temporary password is not valid yet";
/// Reason of the `Forbidden` of a user who may not log in at all.
const MAY_NOT: &str = "this user may not log in";

/// One try to log in.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// Username or own address.
    pub username: &'a str,
    /// What was typed.
    pub password: Secret<'a>,
    /// The door.
    pub protocol: Protocol,
    /// Where it comes from.
    pub peer: Option<IpAddr>,
    /// For the log: what the caller calls his protocol, his session, his application.
    pub label: Option<&'a str>,
    /// For the log.
    pub session: Option<&'a str>,
    /// For the log.
    pub app_id: Option<&'a str>,
}

/// What somebody knows, kept out of logs.
#[derive(Clone, Copy)]
pub enum Secret<'a> {
    /// A password.
    Password(&'a str),
    /// The proof of one.
    Scram(&'a Proof),
    /// A token.
    Token(&'a str),
}

impl std::fmt::Debug for Secret<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Which password it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// The user's own.
    Master,
    /// An application's.
    App,
    /// A temporary one: a new one has to be set.
    Temporary,
    /// None, but a token that was given for one.
    Token,
}

impl Source {
    /// Its name in the log.
    const fn name(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::App => "asp",
            Self::Temporary => "temporary",
            Self::Token => "token",
        }
    }
}

/// A login that succeeded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Login {
    /// Who.
    pub user: User,
    /// Which password it was.
    pub source: Source,
    /// Second factors that have to follow; only after the master password.
    pub second_factors: Vec<String>,
    /// Clients shall insist on a second factor.
    pub requires_second_factor: bool,
    /// Whether strangers are known to know the user's own password.
    pub breach: Breach,
}

/// What a typed password was found to be.
struct Found {
    source: Source,
    app_password: Option<AppPassword>,
}

impl Authenticator {
    /// Checks a name (username or own address) and password: the one function that decides, for
    /// every door.
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
        let (password, peer) = (Secret::Password(password), Some(peer));
        let (label, session, app_id) = (None, None, None);
        let attempt = Attempt { username, password, protocol, peer, label, session, app_id };
        Ok(self.log_in(&attempt).await?.user)
    }

    /// [`Self::authenticate`], and what kind of password it was. Three round trips when all is
    /// well, and the log is written afterwards.
    ///
    /// # Errors
    /// As [`Self::authenticate`].
    pub async fn log_in(&self, attempt: &Attempt<'_>) -> Result<Login> {
        let record = match attempt.password {
            Secret::Token(token) => self.find_holder(attempt.username, token).await?,
            Secret::Password(_) | Secret::Scram(_) => self.find_login(attempt.username).await?,
        };
        let user = record.as_ref().map(|record| record.profile.user.id);
        let name =
            user.map_or_else(|| username_lookup_form(attempt.username), |user| user.to_string());
        let mut event = event_of(attempt);
        let outcome = self.decide(attempt, record, &name, &mut event).await;
        let is_known = matches!(
            outcome,
            Ok(_) | Err(Error::Unauthenticated | Error::Forbidden { .. } | Error::Throttled { .. })
        );
        let result = if outcome.is_ok() { "success" } else { "fail" };
        event.result = Some(result);
        if let Some(user) = user.filter(|_| is_known) {
            self.log(user, event);
        }
        let door = attempt.protocol.scope();
        metrics::counter!("eider_logins_total", "door" => door, "result" => result).increment(1);
        if let Err(error) = &outcome {
            tracing::info!(protocol = door, peer = ?attempt.peer, %error, "login refused");
        }
        outcome
    }

    async fn decide(
        &self,
        attempt: &Attempt<'_>,
        record: Option<UserRecord>,
        name: &str,
        event: &mut AuthEvent,
    ) -> Result<Login> {
        // who guesses tokens may do so for ever
        if matches!(attempt.password, Secret::Token(_)) {
            let found = Found { source: Source::Token, app_password: None };
            return self.finish(attempt, record, found, event).await;
        }
        let had_failures = match self.throttle.check(name).await {
            Ok(had_failures) => had_failures,
            Err(throttled) => {
                // applications that know their password need not wait for those who guess
                return match self.find_app_password(attempt, record.as_ref()).await? {
                    Some(found) => self.finish(attempt, record, found, event).await,
                    None => Err(throttled),
                };
            }
        };
        let Some(found) = self.check(attempt, record.as_ref()).await? else {
            self.throttle.failed(name).await?;
            return Err(Error::Unauthenticated);
        };
        if had_failures {
            self.throttle.succeeded(name).await?;
        }
        self.finish(attempt, record, found, event).await
    }

    /// After the right password: whether this door is open to it.
    async fn finish(
        &self,
        attempt: &Attempt<'_>,
        record: Option<UserRecord>,
        found: Found,
        event: &mut AuthEvent,
    ) -> Result<Login> {
        let record = record.ok_or(Error::Unauthenticated)?;
        let (scope, is_api) = (attempt.protocol.scope(), attempt.protocol == Protocol::Api);
        event.source = Some(found.source.name());
        event.app_password =
            found.app_password.as_ref().map(|own| (own.id, own.description.clone()));
        let profile = record.profile;
        let user = profile.user;
        if user.disabled || user.suspended {
            return Err(Error::Forbidden { reason: MAY_NOT });
        }
        let is_closed = profile.disabled_scopes.iter().any(|closed| closed == scope)
            || found.app_password.as_ref().is_some_and(|own| !own.opens(scope))
            || (found.source == Source::Master && !is_api && !profile.second_factors.is_empty())
            || (found.source == Source::Temporary && !is_api);
        if is_closed {
            return Err(Error::Forbidden { reason: DOOR_CLOSED });
        }
        if found.source == Source::Master
            && let Secret::Password(password) = attempt.password
        {
            self.refresh(user.id, password, &record.password, &record.scram).await?;
        }
        let is_master = found.source == Source::Master;
        let second_factors = if is_master { profile.second_factors } else { Vec::new() };
        event.second_factors.clone_from(&second_factors);
        let (requires_second_factor, breach) = (profile.requires_second_factor, profile.breach);
        Ok(Login { user, source: found.source, second_factors, requires_second_factor, breach })
    }

    /// Brings what is kept of a password up to date, now that it came in the clear.
    async fn refresh(&self, user: UserId, password: &str, hash: &str, kept: &[u8]) -> Result<()> {
        if is_outdated(hash) {
            let new = self.passwords.hash(password).await?;
            let (storage, passwords) = (&self.storage, &self.passwords);
            let kept = scram::keep(storage, passwords, user, password, &new).await?;
            return users::upgrade_hash(storage, user, hash, &new, &kept).await;
        }
        if is_kept(kept, hash) {
            return Ok(());
        }
        let (own, password, hash) = (self.clone(), password.to_owned(), hash.to_owned());
        self.tasks.spawn("scram", async move {
            let (storage, passwords) = (&own.storage, &own.passwords);
            let kept = match scram::keep(storage, passwords, user, &password, &hash).await {
                Ok(kept) => users::keep_scram(storage, user, &hash, &kept).await,
                Err(error) => Err(error),
            };
            if let Err(error) = kept {
                tracing::warn!(user.id = %user, %error, "a password is not kept for SCRAM");
            }
        });
        Ok(())
    }

    /// Whether this is the user's own password; failures count like those of logins.
    ///
    /// # Errors
    /// `NotFound` user, `Throttled`, `Unavailable`.
    pub async fn is_password(&self, user: UserId, password: &str) -> Result<bool> {
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
        Ok(self.find_profile(username).await?.map(|profile| profile.user))
    }

    /// Everything but his secrets about the user a name belongs to.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn find_profile(&self, username: &str) -> Result<Option<Profile>> {
        Ok(self.find_login(username).await?.map(|record| record.profile))
    }

    async fn find_app_password(
        &self,
        attempt: &Attempt<'_>,
        record: Option<&UserRecord>,
    ) -> Result<Option<Found>> {
        let Some(record) = record else { return Ok(None) };
        let user = record.profile.user.id;
        let own = self.check_app_password(user, attempt.password, attempt.protocol).await?;
        Ok(own.map(|own| Found { source: Source::App, app_password: Some(own) }))
    }

    /// An application's password, the temporary one or the user's own; `None`: refused.
    async fn check(
        &self,
        attempt: &Attempt<'_>,
        record: Option<&UserRecord>,
    ) -> Result<Option<Found>> {
        if let Some(found) = self.find_app_password(attempt, record).await? {
            return Ok(Some(found));
        }
        let password = match attempt.password {
            Secret::Password(password) => password,
            Secret::Scram(proof) => {
                let record = record.filter(|record| proof.is_of(&record.scram, &record.password));
                return Ok(record.map(|_| Found { source: Source::Master, app_password: None }));
            }
            Secret::Token(_) => return Ok(None),
        };
        let hash = record.map_or("", |record| record.password.as_str());
        // an unknown user costs the same hash
        if self.passwords.verify(password, hash).await? {
            return Ok(record.map(|_| Found { source: Source::Master, app_password: None }));
        }
        let now = self.clock.now_ms();
        let temporary = record.and_then(|record| record.temp_password.as_ref());
        let temporary = temporary.filter(|temporary| {
            now < temporary.created_ms.max(temporary.valid_after_ms) + TEMP_PASSWORD_MS
        });
        let Some(temporary) = temporary else { return Ok(None) };
        if !self.passwords.verify(password, &temporary.hash).await? {
            return Ok(None);
        }
        if temporary.valid_after_ms > now {
            return Err(Error::Forbidden { reason: NOT_YET_VALID });
        }
        Ok(Some(Found { source: Source::Temporary, app_password: None }))
    }

    /// The holder of a token, if he has this name or none was said.
    async fn find_holder(&self, username: &str, token: &str) -> Result<Option<UserRecord>> {
        let Some(tokens) = &self.tokens else { return Ok(None) };
        let holder = tokens.find(token).await?.and_then(|principal| principal.user);
        let Some(holder) = holder else { return Ok(None) };
        let record = match username {
            "" => users::find(&self.storage, holder).await?,
            username => self.find_login(username).await?,
        };
        Ok(record.filter(|record| record.profile.user.id == holder))
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
        match self.find_address_owner(&address.lookup_form()).await? {
            Some(user) => users::find(&self.storage, user).await,
            None => Ok(None),
        }
    }

    /// The user of an exact address, also in a domain that stands for another.
    async fn find_address_owner(&self, lookup: &str) -> Result<Option<UserId>> {
        let first = addresses::find_by_lookup(&self.storage, &[lookup.to_owned()]).await?;
        if let Some(entry) = first.first() {
            return Ok(entry.user);
        }
        let Some((local, domain)) = lookup.rsplit_once('@') else { return Ok(None) };
        let Some(alias) = domain_aliases::find_by_name(&self.storage, domain).await? else {
            return Ok(None);
        };
        let forms = [format!("{local}@{}", alias.domain)];
        let found = addresses::find_by_lookup(&self.storage, &forms).await?;
        Ok(found.first().and_then(|entry| entry.user))
    }
}

/// What the log says of an attempt, before it is known how it ends.
fn event_of(attempt: &Attempt<'_>) -> AuthEvent {
    let scope = attempt.protocol.scope();
    AuthEvent {
        action: "authentication",
        protocol: Some(attempt.label.unwrap_or(attempt.protocol.name()).to_owned()),
        scope: Some(scope),
        sess: attempt.session.map(str::to_owned),
        ip: attempt.peer,
        app_id: attempt.app_id.map(str::to_owned),
        ..AuthEvent::default()
    }
}
