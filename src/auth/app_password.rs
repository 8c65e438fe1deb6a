//! Passwords of applications: sixteen letters that open IMAP, POP3 or SMTP, never the API.

use super::Authenticator;
use super::authenticate::{Protocol, Secret};
use super::scram;
use crate::model::error::{Error, Result};
use crate::model::event::Event;
use crate::model::id::{ObjectId, UserId};
use crate::model::setting::Setting;
use crate::storage::field::new_id;
use crate::storage::{app_passwords, settings, users};
use rand::RngExt as _;

pub use crate::storage::app_passwords::AppPassword;

/// Letters of a password.
const LETTERS: usize = 16;
/// Groups that passwords are searched by, so that few hashes are computed.
const SELECTORS: u8 = 32;

/// An application's password to create.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct NewAppPassword {
    /// For people.
    pub description: String,
    /// `imap`, `pop3`, `smtp`, or `*`.
    pub scopes: Vec<String>,
    /// The letters; `None`: made here.
    pub password: Option<String>,
    /// It ends so many seconds after its last use; 0: never.
    pub ttl_s: u64,
}

/// The sixteen letters of what was typed; people type spaces and capitals.
pub fn letters_of(password: &str) -> Option<String> {
    if password.len() > 64 {
        return None;
    }
    let letters: String = password.split_whitespace().collect::<String>().to_ascii_lowercase();
    let is_shaped = letters.len() == LETTERS && letters.bytes().all(|c| c.is_ascii_lowercase());
    is_shaped.then_some(letters)
}

fn selector_of(letters: &str) -> u8 {
    let digest = blake3::hash(letters.as_bytes());
    digest.as_bytes().first().copied().unwrap_or(0) % SELECTORS
}

fn event(name: &'static str, password: &AppPassword) -> Event {
    let event = Event::of_user(name, password.user).with("asp", password.id);
    event.with("description", &password.description)
}

fn random_letters() -> String {
    let mut random = rand::rng();
    (0..LETTERS).map(|_| char::from(random.random_range(b'a'..=b'z'))).collect()
}

impl Authenticator {
    /// Creates a password; its letters are told this once.
    ///
    /// # Errors
    /// `NotFound` user, `LimitReached`, `Unavailable`.
    pub async fn create_app_password(
        &self,
        user: UserId,
        new: NewAppPassword,
    ) -> Result<(ObjectId, String)> {
        users::load(&self.storage, user).await?;
        let now = self.clock.now_ms();
        let max = settings::find_number(&self.storage, Setting::AspLimit).await?;
        let count = app_passwords::list(&self.storage, user, None, now).await?.len();
        if u64::try_from(count).unwrap_or(u64::MAX) >= max {
            return Err(Error::LimitReached { limit: format!("{max} application passwords") });
        }
        let letters = new.password.unwrap_or_else(random_letters);
        let ends = i64::try_from(new.ttl_s.saturating_mul(1000)).unwrap_or(i64::MAX);
        let hash = self.passwords.hash(&letters).await?;
        let password = AppPassword {
            scram: scram::keep(&self.storage, &self.passwords, user, &letters, &hash).await?,
            id: new_id(),
            user,
            description: new.description,
            scopes: new.scopes,
            hash,
            selector: selector_of(&letters),
            ttl_s: new.ttl_s,
            expires_ms: (new.ttl_s > 0).then(|| now.saturating_add(ends)),
            used_ms: None,
            created_ms: now,
        };
        app_passwords::insert(&self.storage, &password).await?;
        self.emit(event("asp.created", &password)).await;
        Ok((password.id, letters))
    }

    /// The passwords of a user, oldest first; those that end by themselves only `with_ending`.
    ///
    /// # Errors
    /// `NotFound` user, `Unavailable`.
    pub async fn list_app_passwords(
        &self,
        user: UserId,
        with_ending: bool,
    ) -> Result<Vec<AppPassword>> {
        users::load(&self.storage, user).await?;
        let mut rows = app_passwords::list(&self.storage, user, None, self.clock.now_ms()).await?;
        rows.retain(|row| with_ending || row.ttl_s == 0);
        Ok(rows)
    }

    /// One password of a user.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn load_app_password(&self, user: UserId, id: ObjectId) -> Result<AppPassword> {
        let found = app_passwords::find(&self.storage, user, id).await?;
        found.ok_or(Error::NotFound { what: "app password" })
    }

    /// Removes a password of a user; what it was.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn delete_app_password(&self, user: UserId, id: ObjectId) -> Result<AppPassword> {
        let deleted = app_passwords::delete(&self.storage, user, id).await?;
        let deleted = deleted.ok_or(Error::NotFound { what: "app password" })?;
        self.emit(event("asp.deleted", &deleted)).await;
        Ok(deleted)
    }

    /// The application's password that was typed, if it is one of the user's. Its use is noted
    /// without delaying the login.
    pub(super) async fn check_app_password(
        &self,
        user: UserId,
        password: Secret<'_>,
        protocol: Protocol,
    ) -> Result<Option<AppPassword>> {
        if protocol == Protocol::Api {
            return Ok(None);
        }
        let now = self.clock.now_ms();
        let password = match password {
            Secret::Password(password) => password,
            Secret::Scram(proof) => {
                let rows = app_passwords::list(&self.storage, user, None, now).await?;
                let own = rows.into_iter().find(|row| proof.is_of(&row.scram, &row.hash));
                return Ok(own.inspect(|own| self.touch(own, now)));
            }
            Secret::Token(_) => return Ok(None),
        };
        let Some(letters) = letters_of(password) else { return Ok(None) };
        let selector = Some(selector_of(&letters));
        for row in app_passwords::list(&self.storage, user, selector, now).await? {
            if self.passwords.verify(&letters, &row.hash).await? {
                self.touch(&row, now);
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    /// Notes a use, soon.
    fn touch(&self, used: &AppPassword, now: i64) {
        let (storage, used) = (self.storage.clone(), used.clone());
        self.tasks.spawn("app password", async move {
            if let Err(error) = app_passwords::touch(&storage, &used, now).await {
                tracing::warn!(%error, "the use of an app password was not noted");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_sixteen() {
        let made = random_letters();
        assert_eq!(letters_of(&made), Some(made.clone()));
        assert_eq!(letters_of("abcd EFGH ijkl mnop"), Some("abcdefghijklmnop".into()));
        assert!(selector_of(&made) < SELECTORS);
        for bad in ["", "abc", "abcdefghijklmno1", "abcdefghijklmnopq", "äbcdefghijklmnop"] {
            assert_eq!(letters_of(bad), None, "{bad}");
        }
    }
}
