//! What a user may store (RFC 9208's STORAGE, MESSAGE and MAILBOX).
//!
//! What is used is counted by the transactions that add and remove messages (`storage/usage.rs`),
//! and an append or
//! copy that would exceed the quota is aborted there. This file answers questions.

use super::Mailstore;
use crate::model::error::{Error, Result};
use crate::model::id::UserId;
use crate::model::setting::Setting;
use crate::storage::settings;
pub use crate::storage::usage::Usage;

/// What counts against a user's limits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QuotaCount {
    /// Octets, and the limits.
    pub usage: Usage,
    /// Messages in all mailboxes.
    pub messages: u64,
    /// Mailboxes.
    pub mailboxes: u64,
    /// Mailboxes allowed.
    pub mailboxes_max: u64,
}

impl Mailstore {
    /// Everything that counts against a user's limits. Two queries.
    ///
    /// # Errors
    /// `NotFound` user, `Unavailable`.
    pub async fn count_quota(&self, user: UserId) -> Result<QuotaCount> {
        let usage = self.find_usage(user).await?;
        let (mailboxes, messages) = crate::storage::usage::count(self.storage(), user).await?;
        let mailboxes_max = settings::find_number(self.storage(), Setting::MaxMailboxes).await?;
        Ok(QuotaCount { usage, messages, mailboxes, mailboxes_max })
    }

    /// What a user uses and may use. One round trip.
    ///
    /// # Errors
    /// `NotFound` user, `Unavailable`.
    pub async fn find_usage(&self, user: UserId) -> Result<Usage> {
        let usage = crate::storage::usage::find(self.storage(), user).await?;
        usage.ok_or(Error::NotFound { what: "user" })
    }

    /// Whether so many octets more fit now: refuses early what the append would refuse. One round
    /// trip.
    ///
    /// # Errors
    /// `OverQuota`, `NotFound` user, `Unavailable`.
    pub async fn check_room(&self, user: UserId, octets: u64) -> Result<()> {
        let usage = self.find_usage(user).await?;
        let used_octets = usage.used_octets.saturating_add(octets);
        if (Usage { used_octets, ..usage }).is_over() { Err(Error::OverQuota) } else { Ok(()) }
    }
}
