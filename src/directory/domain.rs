//! Domains: aliases, lists of senders' domains, renaming.

use super::Directory;
use super::user::Around;
use crate::auth::name::normal_domain;
use crate::model::error::{Error, Result};
use crate::model::event::Event;
use crate::model::id::ObjectId;
use crate::model::profile::{DomainAction, DomainAlias, Page};
use crate::storage::field::new_id;
use crate::storage::{acme_challenges, domain_access, domain_aliases};

fn event(name: &'static str, alias: &DomainAlias) -> Event {
    let event = Event::of_store(name).with("domainalias", alias.id);
    event.with("alias", &alias.alias).with("domain", &alias.domain)
}

impl Directory {
    /// Lets a domain stand for another one.
    ///
    /// # Errors
    /// `Invalid`, `AlreadyExists` alias, `Unavailable`.
    pub async fn create_domain_alias(&self, alias: &str, domain: &str) -> Result<ObjectId> {
        let alias = DomainAlias {
            id: new_id(),
            alias: normal_domain(alias)?,
            domain: normal_domain(domain)?,
            created_ms: self.clock.now_ms(),
        };
        domain_aliases::insert(&self.storage, &alias).await?;
        self.emit(event("domainalias.created", &alias)).await;
        Ok(alias.id)
    }

    /// One alias.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn load_domain_alias(&self, id: ObjectId) -> Result<DomainAlias> {
        let found = domain_aliases::find(&self.storage, id).await?;
        found.ok_or(Error::NotFound { what: "alias" })
    }

    /// The alias of this name.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn load_domain_alias_by_name(&self, alias: &str) -> Result<DomainAlias> {
        let missing = Error::NotFound { what: "alias" };
        let Ok(alias) = normal_domain(alias) else { return Err(missing) };
        domain_aliases::find_by_name(&self.storage, &alias).await?.ok_or(missing)
    }

    /// Removes an alias.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn delete_domain_alias(&self, id: ObjectId) -> Result<()> {
        let alias = self.load_domain_alias(id).await?;
        if !domain_aliases::delete(&self.storage, id).await? {
            return Err(Error::NotFound { what: "alias" });
        }
        self.emit(event("domainalias.deleted", &alias)).await;
        Ok(())
    }

    /// One page of aliases in their order.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn list_domain_aliases(
        &self,
        query: Option<&str>,
        around: Around<&str>,
        limit: usize,
    ) -> Result<Page<DomainAlias>> {
        let (after, before) = around.after_and_before();
        let one_more = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
        let rows = domain_aliases::list(&self.storage, query, after, before, one_more).await?;
        let total = domain_aliases::count(&self.storage, query).await?;
        Ok(super::page(rows, total, limit, before.is_some()))
    }

    /// Puts a sender's domain on a list of a tag, and off the other one.
    ///
    /// # Errors
    /// `Invalid`, `Unavailable`.
    pub async fn put_domain_access(
        &self,
        tag: &str,
        domain: &str,
        action: DomainAction,
    ) -> Result<ObjectId> {
        domain_access::put(&self.storage, tag.trim(), &normal_domain(domain)?, action).await
    }

    /// The entries of one list of a tag, in order of domains.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn list_domain_access(
        &self,
        tag: &str,
        action: DomainAction,
    ) -> Result<Vec<(ObjectId, String)>> {
        domain_access::list(&self.storage, tag.trim(), action).await
    }

    /// Removes an entry.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn delete_domain_access(&self, entry: ObjectId) -> Result<()> {
        let was_there = domain_access::delete(&self.storage, entry).await?;
        if was_there { Ok(()) } else { Err(Error::NotFound { what: "domain" }) }
    }

    /// What the lists of a user's tags say of a sender's domain; a block wins over an allow. For
    /// delivery; one round trip, none without tags.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn domain_access_of(
        &self,
        tags: &[String],
        domain: &str,
    ) -> Result<Option<DomainAction>> {
        let Ok(domain) = normal_domain(domain) else { return Ok(None) };
        if tags.is_empty() {
            return Ok(None);
        }
        Ok(domain_access::find(&self.storage, tags, &domain).await?.into_iter().max())
    }

    /// The answer to an ACME http-01 challenge (RFC 8555 §8.3) at this host name.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn find_acme_answer(&self, token: &str, host: &str) -> Result<Option<String>> {
        let Ok(domain) = normal_domain(host) else { return Ok(None) };
        acme_challenges::find(&self.storage, token, &domain, self.clock.now_ms()).await
    }

    /// Notes the answer to a challenge until it ends; every node answers with it.
    ///
    /// # Errors
    /// `Invalid` host name, `Unavailable`.
    pub async fn put_acme_answer(
        &self,
        token: &str,
        host: &str,
        key_authorization: &str,
        ttl_ms: i64,
    ) -> Result<()> {
        let end = self.clock.now_ms().saturating_add(ttl_ms);
        let domain = normal_domain(host)?;
        acme_challenges::put(&self.storage, token, &domain, key_authorization, end).await
    }
}
