//! Users' rules for arriving messages: create, find, list, change, delete.

use super::Directory;
use super::user::Around;
use crate::model::error::{Error, Result};
use crate::model::event::Event;
use crate::model::filter::{Filter, FilterAction};
use crate::model::id::{ObjectId, UserId};
use crate::model::profile::{Page, UserNumber};
use crate::model::setting::Setting;
use crate::storage::field::new_id;
use crate::storage::{filters, users};

pub use crate::storage::filters::FilterListing;

impl Directory {
    /// Adds a rule; its id and date are set here.
    ///
    /// # Errors
    /// `NotFound` user or mailbox, `LimitReached` filters, `Unavailable`.
    pub async fn create_filter(&self, mut filter: Filter) -> Result<ObjectId> {
        let allowed = self.filters_allowed(filter.user).await?;
        let one_more = i64::try_from(allowed).unwrap_or(i64::MAX);
        let used = filters::list_of_user(&self.storage, filter.user, one_more).await?.len();
        if u64::try_from(used).unwrap_or(u64::MAX) >= allowed {
            return Err(Error::LimitReached { limit: format!("{allowed} filters") });
        }
        self.check_mailbox(filter.user, &filter.action).await?;
        filter.id = new_id();
        filter.created_ms = self.clock.now_ms();
        filters::insert(&self.storage, &filter).await?;
        let (user, id) = (filter.user, filter.id);
        self.emit(Event::of_user("filter.created", user).with("filter", id)).await;
        self.emit_targets(&filter, &[]).await;
        Ok(id)
    }

    async fn emit_targets(&self, filter: &Filter, before: &[crate::model::target::ForwardTarget]) {
        for target in filter.action.targets.iter().filter(|target| !before.contains(target)) {
            let event = Event::of_user("forward added", filter.user).with("type", "filter");
            self.emit(event.with("filter", filter.id).with("target", &target.value)).await;
        }
    }

    /// Rules a user may have.
    ///
    /// # Errors
    /// `NotFound` user, `Unavailable`.
    pub async fn filters_allowed(&self, user: UserId) -> Result<u64> {
        let own = users::load(&self.storage, user).await?.profile.number(UserNumber::Filters);
        match own {
            0 => self.find_number(Setting::MaxFilters).await,
            own => Ok(own),
        }
    }

    /// A rule may only name a mailbox of its own user.
    async fn check_mailbox(&self, user: UserId, action: &FilterAction) -> Result<()> {
        let Some(mailbox) = action.mailbox else { return Ok(()) };
        match self.mailstore.find_mailbox(user, mailbox).await? {
            Some(_) => Ok(()),
            None => Err(Error::NotFound { what: "mailbox" }),
        }
    }

    /// One rule.
    ///
    /// # Errors
    /// `NotFound` filter, `Unavailable`.
    pub async fn load_filter(&self, user: UserId, filter: ObjectId) -> Result<Filter> {
        let found = filters::find(&self.storage, user, filter).await?;
        found.ok_or(Error::NotFound { what: "filter" })
    }

    /// Puts a rule in the place of the one with its id.
    ///
    /// # Errors
    /// `NotFound` filter or mailbox, `Unavailable`.
    pub async fn replace_filter(&self, before: &Filter, after: &Filter) -> Result<()> {
        self.check_mailbox(after.user, &after.action).await?;
        filters::replace(&self.storage, after).await?;
        self.emit_targets(after, &before.action.targets).await;
        Ok(())
    }

    /// Removes a rule.
    ///
    /// # Errors
    /// `NotFound` filter, `Unavailable`.
    pub async fn delete_filter(&self, user: UserId, filter: ObjectId) -> Result<()> {
        if !filters::delete(&self.storage, user, filter).await? {
            return Err(Error::NotFound { what: "filter" });
        }
        self.emit(Event::of_user("filter.deleted", user).with("filter", filter)).await;
        Ok(())
    }

    /// All rules of a user in their order.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn list_filters(&self, user: UserId) -> Result<Vec<Filter>> {
        filters::list_of_user(&self.storage, user, 10_000).await
    }

    /// One page of the rules of all users in order of their ids.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn list_all_filters(
        &self,
        listing: &FilterListing,
        around: Around<ObjectId>,
        limit: usize,
    ) -> Result<Page<Filter>> {
        let (after, before) = around.after_and_before();
        let one_more = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
        let rows = filters::list(&self.storage, listing, after, before, one_more).await?;
        let total = filters::count(&self.storage, listing).await?;
        Ok(super::page(rows, total, limit, before.is_some()))
    }
}
