//! Users: create, find, list, change, delete.

use super::Directory;
use crate::auth::name::{new_username, normal_address, username_lookup_form};
use crate::auth::password::is_supported;
use crate::auth::scram::keep;
use crate::mailstore::deferred::Work;
use crate::model::error::{Error, Result};
use crate::model::event::Event;
use crate::model::id::UserId;
use crate::model::profile::{AddressEntry, Page, Profile, ProfileUpdate, UserNumber};
use crate::model::target::ForwardTarget;
use crate::model::user::User;
use crate::storage::changes::{self, Doorbell};
use crate::storage::field::new_id;
use crate::storage::users::{NewUserRecord, PasswordUpdate, TempPassword, UserRecord};
use crate::storage::{addresses, transaction, users};
use rand::RngExt as _;

pub use crate::storage::users::UserFilter;

/// Letters of a temporary password; without those that look alike.
const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789";
/// Characters of a temporary password.
const TEMP_PASSWORD_CHARS: usize = 12;

/// A password to set.
#[derive(Clone, PartialEq, Eq)]
pub enum NewPassword {
    /// None: the user cannot log in.
    None,
    /// Words.
    Plain(String),
    /// A hash made elsewhere.
    Hashed(String),
}

impl std::fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Which main address a new user has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NewUserAddress {
    /// The username if it is an address, else the username at the store's own domain.
    FromUsername,
    /// None.
    None,
    /// This one.
    Given(String),
}

/// A user to create.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Login name.
    pub username: String,
    /// Password.
    pub password: NewPassword,
    /// The password has to be replaced after the first login, within a day.
    pub is_temporary: bool,
    /// Main address.
    pub address: NewUserAddress,
    /// The address gets the user's tags.
    pub tags_to_address: bool,
    /// Everything else.
    pub update: ProfileUpdate,
}

impl NewUser {
    /// A user with a password, and the main address that follows from his name.
    pub fn new(username: &str, password: NewPassword) -> Self {
        Self {
            username: username.to_owned(),
            password,
            is_temporary: false,
            address: NewUserAddress::FromUsername,
            tags_to_address: false,
            update: ProfileUpdate::default(),
        }
    }
}

/// Where a listing continues.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Around<T> {
    /// At the first row.
    Start,
    /// Behind this row.
    After(T),
    /// In front of this row.
    Before(T),
}

impl<T> Around<T> {
    /// The row to read behind, and the row to read in front of.
    pub(super) fn after_and_before(self) -> (Option<T>, Option<T>) {
        match self {
            Self::Start => (None, None),
            Self::After(row) => (Some(row), None),
            Self::Before(row) => (None, Some(row)),
        }
    }
}

impl Directory {
    /// Creates a user with his main address and default mailboxes.
    ///
    /// The mailboxes come first, then user and address in one transaction: whoever exists has his
    /// mailboxes, whatever crashes in between.
    ///
    /// # Errors
    /// `Invalid`, `AlreadyExists` user or address, `Unavailable`.
    pub async fn create_user(&self, new: NewUser) -> Result<UserId> {
        let username = new_username(&new.username)?;
        let unameview = username_lookup_form(&username);
        let address = self.new_address(&username, &new.address)?;
        if users::find_by_name(&self.storage, &unameview).await?.is_some() {
            return Err(Error::AlreadyExists { what: "user" });
        }
        if let Some(address) = &address {
            let forms = [address.lookup_form()];
            if !addresses::find_by_lookup(&self.storage, &forms).await?.is_empty() {
                return Err(Error::AlreadyExists { what: "address" });
            }
        }
        let now = self.clock.now_ms();
        let id: UserId = new_id();
        let record = NewUserRecord {
            id,
            username,
            unameview,
            address: address.as_ref().map(ToString::to_string).unwrap_or_default(),
            passwords: self.password_update(id, new.password, new.is_temporary, now).await?,
            created_ms: now,
            update: new.update,
        };
        let entry = address.map(|address| AddressEntry {
            id: new_id(),
            user: Some(id),
            forwarding: None,
            lookup: address.lookup_form(),
            address: address.to_string(),
            name: String::new(),
            tags: if new.tags_to_address {
                record.update.tags.clone().unwrap_or_default()
            } else {
                Vec::new()
            },
            meta_data: None,
            internal_data: None,
            created_ms: now,
        });
        let language = record.update.language.clone().unwrap_or_else(|| "en".to_owned());
        self.mailstore.create_default_mailboxes(id, &language).await?;
        let inserted = transaction::run!(&self.storage, async |session| {
            users::insert(&self.storage, session, &record).await?;
            match &entry {
                Some(entry) => addresses::insert(&self.storage, session, entry).await,
                None => Ok(()),
            }
        })
        .await;
        if let Err(Error::AlreadyExists { .. }) = &inserted {
            self.mailstore.delete_user_data(id).await?;
        }
        inserted?;
        tracing::info!(user.id = %id, "user created");
        let event = Event::of_user("user.created", id).with("username", &record.username);
        let event = event.with("name", record.update.name.as_deref().unwrap_or_default());
        self.emit(event.with("address", &record.address)).await;
        self.tell_targets(id, &[], record.update.targets.as_deref().unwrap_or_default()).await;
        Ok(id)
    }

    fn new_address(
        &self,
        username: &str,
        address: &NewUserAddress,
    ) -> Result<Option<crate::model::address::EmailAddress>> {
        let address = match address {
            NewUserAddress::None => return Ok(None),
            NewUserAddress::Given(address) => normal_address(&address.to_lowercase())?,
            NewUserAddress::FromUsername if username.contains('@') => normal_address(username)?,
            NewUserAddress::FromUsername => {
                normal_address(&format!("{username}@{}", self.email_domain))?
            }
        };
        if address.local().contains(['*', '+']) || address.domain().contains('*') {
            return Err(Error::invalid("address", "a main address has no * and no +"));
        }
        Ok(Some(address))
    }

    async fn password_update(
        &self,
        user: UserId,
        password: NewPassword,
        is_temporary: bool,
        now_ms: i64,
    ) -> Result<PasswordUpdate> {
        let mut scram = Vec::new();
        let hash = match password {
            NewPassword::None => String::new(),
            NewPassword::Plain(words) => {
                let hash = self.passwords.hash(&words).await?;
                if !is_temporary {
                    scram = keep(&self.storage, &self.passwords, user, &words, &hash).await?;
                }
                hash
            }
            NewPassword::Hashed(hash) if is_supported(&hash) => hash,
            NewPassword::Hashed(_) => {
                let reason = "this kind of hash is not known";
                return Err(Error::invalid("password", reason));
            }
        };
        let mut update = PasswordUpdate { scram, ends_tokens: true, ..PasswordUpdate::default() };
        if is_temporary && !hash.is_empty() {
            let (valid_after_ms, created_ms) = (now_ms, now_ms);
            update.temp_password = Some(TempPassword { hash, valid_after_ms, created_ms });
        } else {
            update.password = Some(hash);
        }
        Ok(update)
    }

    /// One user; `None`: no such user.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn find_user(&self, user: UserId) -> Result<Option<Profile>> {
        Ok(users::find(&self.storage, user).await?.map(|record| record.profile))
    }

    /// One user who has to exist.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn load_user(&self, user: UserId) -> Result<Profile> {
        self.find_user(user).await?.ok_or(Error::NotFound { what: "user" })
    }

    /// The user of a login name.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn find_user_by_name(&self, username: &str) -> Result<Option<User>> {
        let form = username_lookup_form(username);
        Ok(users::find_by_name(&self.storage, &form).await?.map(|record| record.profile.user))
    }

    /// One page of users in order of their identifiers.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn list_users(
        &self,
        filter: &UserFilter,
        around: Around<UserId>,
        limit: usize,
    ) -> Result<Page<Profile>> {
        let (after, before) = around.after_and_before();
        let one_more = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
        let found: Vec<UserRecord> =
            users::list(&self.storage, filter, after, before, one_more).await?;
        let total = users::count(&self.storage, filter).await?;
        let rows = found.into_iter().map(|record| record.profile).collect();
        Ok(super::page(rows, total, limit, before.is_some()))
    }

    /// Changes a user; a new password or a suspension ends his tokens.
    ///
    /// # Errors
    /// `NotFound`, `Invalid`, `Unavailable`.
    pub async fn update_user(
        &self,
        user: UserId,
        mut update: ProfileUpdate,
        password: Option<NewPassword>,
    ) -> Result<()> {
        let (now, is_new_password) = (self.clock.now_ms(), password.is_some());
        let mut passwords = match password {
            Some(password) => self.password_update(user, password, false, now).await?,
            None => PasswordUpdate::default(),
        };
        let closes = update.suspended == Some(true) || update.disabled == Some(true);
        passwords.ends_tokens |= closes;
        // certificates and a PGP key exclude each other: the later one wins
        let keys = &mut update.encryption;
        if keys.smime_certs.as_ref().is_some_and(|certificates| !certificates.is_empty()) {
            keys.pub_key = Some(String::new());
        } else if keys.pub_key.as_ref().is_some_and(|key| !key.is_empty()) {
            keys.smime_certs = Some(Vec::new());
        }
        let ends = passwords.ends_tokens || update.disabled_scopes.is_some();
        let targets_before = match &update.targets {
            Some(_) => users::load(&self.storage, user).await?.profile.user.rules.targets,
            None => Vec::new(),
        };
        users::update(&self.storage, user, &update, &passwords, now).await?;
        if update.numbers.iter().any(|number| number.0 == UserNumber::Retention) {
            self.mailstore.defer(user, Work::Restamp { mailbox: None }).await?;
        }
        self.reset_windows(user, &update.numbers).await?;
        if let Some(targets) = &update.targets {
            self.tell_targets(user, &targets_before, targets).await;
        }
        if is_new_password {
            self.emit(Event::of_user("user.password.changed", user)).await;
        }
        if ends {
            self.ring_sessions(user).await;
        }
        Ok(())
    }

    /// Tells where a user's mail goes to that it did not before.
    async fn tell_targets(&self, user: UserId, before: &[ForwardTarget], now: &[ForwardTarget]) {
        for target in now.iter().filter(|target| !before.contains(target)) {
            let event = Event::of_user("forward added", user).with("type", "user");
            self.emit(event.with("target", &target.value)).await;
        }
    }

    /// Ends a user's sessions of all protocols on all nodes, not his tokens. `reason`: what their
    /// clients are told, may be empty.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn end_sessions(&self, user: UserId, reason: &str) -> Result<()> {
        users::end_sessions(&self.storage, user, reason).await?;
        self.ring_sessions(user).await;
        Ok(())
    }

    /// Has a user's sessions on all nodes look whether they may go on, after a commit that may end
    /// them. A bell that does not ring is no failure: they look by themselves every few minutes.
    pub(super) async fn ring_sessions(&self, user: UserId) {
        let now = self.clock.now_ms();
        if let Err(error) = changes::ring(&self.storage, user, Doorbell::Sessions, now).await {
            tracing::warn!(user.id = %user, %error, "sessions end later than they should");
        }
    }

    /// Makes a temporary password that works for a day beside the real one; over the API only.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn reset_password(&self, user: UserId, valid_after_ms: i64) -> Result<String> {
        let password = random_password();
        let hash = self.passwords.hash(&password).await?;
        let created_ms = self.clock.now_ms();
        let temp_password = Some(TempPassword { hash, valid_after_ms, created_ms });
        let passwords = PasswordUpdate { temp_password, ..PasswordUpdate::default() };
        let nothing = ProfileUpdate::default();
        users::update(&self.storage, user, &nothing, &passwords, created_ms).await?;
        Ok(password)
    }

    /// Counts a user's storage anew: octets now, and as they were recorded.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn recount_user(&self, user: UserId) -> Result<(u64, u64)> {
        transaction::run!(&self.storage, async |session| {
            users::recount(&self.storage, session, user).await
        })
        .await
    }
}

fn random_password() -> String {
    let mut random = rand::rng();
    let letter = |_| {
        let index = random.random_range(0..LETTERS.len());
        LETTERS.get(index).copied().map_or('x', char::from)
    };
    (0..TEMP_PASSWORD_CHARS).map(letter).collect()
}
