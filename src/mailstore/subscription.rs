//! Subscriptions: of mailboxes, and of names without one (RFC 9051 §6.3.7).

use super::Mailstore;
use super::mailbox::MailboxUpdate;
use crate::model::error::{Error, Result};
use crate::model::id::UserId;
use crate::model::limits::MAILBOXES_MAX;
use crate::model::mailbox::MailboxName;
use crate::storage::changes::{self, Doorbell};
use crate::storage::subscriptions;

impl Mailstore {
    /// Subscribes or unsubscribes a name, whether or not such a mailbox exists (RFC 9051 §6.3.7).
    /// One to three round
    /// trips.
    ///
    /// # Errors
    /// `LimitReached`, `Unavailable`.
    pub async fn subscribe(
        &self,
        user: UserId,
        name: &MailboxName,
        subscribed: bool,
    ) -> Result<()> {
        if let Some(mailbox) = self.find_mailbox_by_name(user, name).await? {
            if mailbox.subscribed == subscribed {
                return Ok(());
            }
            let update = MailboxUpdate { subscribed: Some(subscribed), ..MailboxUpdate::default() };
            return self.update_mailbox(user, mailbox.id, update).await;
        }
        if subscribed {
            self.remember(user, name).await?;
        } else {
            subscriptions::delete(self.storage(), user, name).await?;
        }
        let now = self.clock().now_ms();
        let rung = changes::ring(self.storage(), user, Doorbell::Subscriptions, now).await;
        if let Err(error) = rung {
            tracing::warn!(user.id = %user, %error, "a subscription is told later than it should");
        }
        Ok(())
    }

    /// Remembers a name without a mailbox.
    pub(super) async fn remember(&self, user: UserId, name: &MailboxName) -> Result<()> {
        if subscriptions::count(self.storage(), user).await? >= MAILBOXES_MAX as u64 {
            return Err(Error::LimitReached { limit: format!("{MAILBOXES_MAX} subscriptions") });
        }
        subscriptions::insert(self.storage(), user, name).await
    }

    /// Subscribed names that have no own mailbox, or had none when they were subscribed, sorted. One
    /// query.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn list_subscriptions(&self, user: UserId) -> Result<Vec<MailboxName>> {
        subscriptions::list(self.storage(), user).await
    }
}
