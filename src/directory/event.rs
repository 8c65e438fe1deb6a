//! Events to those who listen, and who listens.

use super::Directory;
use super::user::Around;
use crate::model::error::{Error, Result};
use crate::model::event::Event;
use crate::model::id::{ObjectId, UserId};
use crate::model::profile::Page;
use crate::model::webhook::Webhook;
use crate::storage::field::new_id;
use crate::storage::{users, webhooks};
use sha2::{Digest as _, Sha256};

pub use crate::storage::webhooks::WebhookListing;

/// SHA-256 as hex digits with colons, as certificates and keys are told apart.
pub(super) fn hex_fingerprint(octets: &[u8]) -> String {
    let digest = Sha256::digest(octets);
    digest.iter().map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().join(":")
}

impl Directory {
    /// Tells those who listen, after a change that is acknowledged already.
    pub async fn emit(&self, event: Event) {
        webhooks::tell(&self.storage, &event, self.clock.now_ms()).await;
    }

    /// Adds a hook.
    ///
    /// # Errors
    /// `NotFound` user, `Unavailable`.
    pub async fn create_webhook(
        &self,
        types: Vec<String>,
        user: Option<UserId>,
        url: String,
    ) -> Result<ObjectId> {
        if let Some(user) = user {
            users::load(&self.storage, user).await?;
        }
        let hook = Webhook { id: new_id(), types, user, url, created_ms: self.clock.now_ms() };
        webhooks::insert(&self.storage, &hook).await?;
        Ok(hook.id)
    }

    /// One hook.
    ///
    /// # Errors
    /// `NotFound` webhook, `Unavailable`.
    pub async fn load_webhook(&self, hook: ObjectId) -> Result<Webhook> {
        webhooks::find(&self.storage, hook).await?.ok_or(Error::NotFound { what: "webhook" })
    }

    /// Removes a hook and what was on its way to it.
    ///
    /// # Errors
    /// `NotFound` webhook, `Unavailable`.
    pub async fn delete_webhook(&self, hook: ObjectId) -> Result<()> {
        match webhooks::delete(&self.storage, hook).await? {
            true => Ok(()),
            false => Err(Error::NotFound { what: "webhook" }),
        }
    }

    /// One page of hooks in order of their ids.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn list_webhooks(
        &self,
        listing: &WebhookListing,
        around: Around<ObjectId>,
        limit: usize,
    ) -> Result<Page<Webhook>> {
        let (after, before) = around.after_and_before();
        let one_more = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
        let rows = webhooks::list(&self.storage, listing, after, before, one_more).await?;
        let total = webhooks::count(&self.storage, listing).await?;
        Ok(super::page(rows, total, limit, before.is_some()))
    }
}
