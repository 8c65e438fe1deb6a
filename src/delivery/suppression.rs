//! The suppression list: addresses that nothing is sent to, since their servers said that they do
//! not exist, or their owners complained.
//!
//! Sending to what does not exist again and again is what senders lose their good name by. An
//! address is put on the list of the user whose message bounced, not of all users: one cannot keep
//! others from writing. What is sent to it all the same comes back at once.

use super::Delivery;
use super::incoming_report::is_no_address;
use super::settle::{Fate, Tried};
use crate::model::address::EmailAddress;
use crate::model::error::{Error, Result};
use crate::model::id::{ObjectId, UserId};
use crate::model::message::TimeMs;
use crate::model::queue::{Reason, TraceId};
use crate::model::suppression::{Cause, Suppression};
use crate::storage::field::new_id;
use crate::storage::suppressions;
use serde::{Deserialize, Serialize};

const DAY_MS: TimeMs = 24 * 60 * 60 * 1000;
/// Characters kept of the words of another server.
const REASON_CHARS_MAX: usize = 300;

/// `[suppression]`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Days nothing is sent to an address that bounced; 0 to 3650, default 30. 0: there is no list.
    pub days: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { days: 30 }
    }
}

impl Settings {
    /// Checks the ranges.
    ///
    /// # Errors
    /// The key and what it may be.
    pub fn validate(&self) -> Result<(), String> {
        if self.days > 3650 {
            return Err("days: 0 to 3650".to_owned());
        }
        Ok(())
    }
}

/// Why an address is put on the list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewSuppression {
    /// For whose mail; `None`: for all.
    pub user: Option<UserId>,
    /// The address.
    pub address: EmailAddress,
    /// Why.
    pub cause: Cause,
    /// In words.
    pub reason: String,
    /// The story of the message that told it.
    pub trace: Option<TraceId>,
    /// For how many days; 0: for ever.
    pub days: u32,
}

impl Delivery {
    /// How long addresses that bounce stay on the list; 0: there is none.
    pub const fn suppression_days(&self) -> u32 {
        self.suppression.days
    }

    /// Puts a recipient whose server said that he does not exist on the list of the user who sent
    /// the message. Not where mail is forwarded to: the user would wonder why it stops.
    pub(super) async fn note_failure(&self, tried: &Tried) {
        let Tried { entry, fate, reply, is_reply, status, .. } = tried;
        let is_hard = *fate == Fate::Failed && *is_reply && is_no_address(*status);
        let (Some(user), Ok(address)) = (entry.user, EmailAddress::new(&entry.recipient)) else {
            return;
        };
        if !is_hard || entry.reason != Reason::Submit || self.suppression.days == 0 {
            return;
        }
        let new = NewSuppression {
            user: Some(user),
            address,
            cause: Cause::Bounce,
            reason: reply.clone(),
            trace: Some(entry.trace),
            days: self.suppression.days,
        };
        if let Err(error) = self.suppress(new).await {
            tracing::warn!(user.id = %user, %error, "an address that bounced is on no list");
        }
    }

    /// Puts an address on the list, or renews it; its identifier. One round trip.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn suppress(&self, new: NewSuppression) -> Result<ObjectId> {
        let now = self.clock.now_ms();
        let expires_ms = match new.days {
            0 => None,
            days => Some(now.saturating_add(TimeMs::from(days).saturating_mul(DAY_MS))),
        };
        metrics::counter!("eider_suppressions_total", "cause" => new.cause.name()).increment(1);
        let row = Suppression {
            id: new_id(),
            user: new.user,
            address: new.address.to_string().to_lowercase(),
            cause: new.cause,
            reason: new.reason.chars().take(REASON_CHARS_MAX).collect(),
            trace: new.trace,
            created_ms: now,
            expires_ms,
        };
        suppressions::put(&self.storage, &row).await
    }

    /// Which of these addresses, lowercase, are on the list for mail of this user; nothing when
    /// there is no list. One round trip.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn find_suppressed(
        &self,
        addresses: &[String],
        user: Option<UserId>,
    ) -> Result<Vec<Suppression>> {
        if self.suppression.days == 0 || addresses.is_empty() {
            return Ok(Vec::new());
        }
        suppressions::find_any(&self.storage, addresses, user, self.clock.now_ms()).await
    }

    /// Rows of the list, of a user or of all, in order of their ids, `after` one: one round trip.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn list_suppressions(
        &self,
        user: Option<UserId>,
        address: Option<&str>,
        after: Option<ObjectId>,
        limit: usize,
    ) -> Result<Vec<Suppression>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        suppressions::list(&self.storage, user, address, after, limit).await
    }

    /// One row of the list.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn load_suppression(&self, id: ObjectId) -> Result<Suppression> {
        let found = suppressions::find(&self.storage, id).await?;
        found.ok_or(Error::NotFound { what: "suppression" })
    }

    /// Takes an address off the list.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn unsuppress(&self, id: ObjectId) -> Result<()> {
        match suppressions::delete(&self.storage, id).await? {
            true => Ok(()),
            false => Err(Error::NotFound { what: "suppression" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_years_are_the_end() {
        assert_eq!(Settings::default().validate(), Ok(()));
        assert!(Settings { days: 3651 }.validate().is_err());
    }
}
