//! Whether a session may go on: what has happened to the user since he logged in.

use super::Authenticator;
use super::authenticate::Protocol;
use crate::model::error::Result;
use crate::model::user::User;
use crate::storage::users;

impl Authenticator {
    /// Why a session of this login has to end, in words for its client; `None`: it may go on. One
    /// round trip.
    ///
    /// Ask when a `Notifier::subscribe_sessions` wakes, and now and then, because a wake may be
    /// lost.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn reason_to_end(&self, login: &User, protocol: Protocol) -> Result<Option<String>> {
        let Some(record) = users::find(&self.storage, login.id).await? else {
            return Ok(Some("The user was deleted".into()));
        };
        let user = &record.profile.user;
        if user.disabled || user.suspended {
            return Ok(Some("The user may no longer log in".into()));
        }
        if record.profile.disabled_scopes.iter().any(|scope| scope == protocol.scope()) {
            return Ok(Some("This protocol was disabled for the user".into()));
        }
        if user.session_epoch == login.session_epoch {
            return Ok(None);
        }
        let reason = record.logout_reason;
        Ok(Some(if reason.is_empty() { "Log in again".into() } else { reason }))
    }
}
