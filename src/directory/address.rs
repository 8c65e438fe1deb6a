//! Addresses of users: create, find, list, change, delete.

use super::Directory;
use super::user::Around;
use crate::auth::name::normal_address;
use crate::model::error::{Error, Result};
use crate::model::event::Event;
use crate::model::id::{AddressId, UserId};
use crate::model::profile::{AddressEntry, AddressUpdate, Page};
use crate::storage::field::new_id;
use crate::storage::{addresses, transaction, users};
use unicode_normalization::UnicodeNormalization as _;

pub use crate::storage::addresses::AddressFilter;

/// Characters of the fixed part of a pattern.
const PATTERN_CHARS_MAX: usize = 32;
/// Addresses of one user.
const ADDRESSES_MAX: i64 = 10_000;

/// Reason of the `Forbidden` of a pattern that shall become the main address.
pub const PATTERN_AS_MAIN: &str = "a pattern cannot be the main address";

/// An address to create.
#[derive(Clone, Debug)]
pub struct NewAddress {
    /// The address, or a pattern with one `*`.
    pub address: String,
    /// Patterns are allowed.
    pub allows_pattern: bool,
    /// It becomes the main address.
    pub is_main: bool,
    /// Everything else.
    pub update: AddressUpdate,
}

impl Directory {
    /// Adds an address to a user; the first one becomes his main address.
    ///
    /// # Errors
    /// `Invalid`, `NotFound` user, `AlreadyExists` address, `LimitReached`, `Unavailable`.
    pub async fn create_address(&self, user: UserId, new: NewAddress) -> Result<AddressId> {
        let (address, lookup) = checked(&new)?;
        let owner = users::load(&self.storage, user).await?.profile.user;
        let count = addresses::list_of_user(&self.storage, user, ADDRESSES_MAX).await?.len();
        if i64::try_from(count).unwrap_or(i64::MAX) >= ADDRESSES_MAX {
            return Err(Error::LimitReached { limit: format!("{ADDRESSES_MAX} addresses") });
        }
        let entry = AddressEntry {
            id: new_id(),
            user: Some(user),
            forwarding: None,
            address,
            lookup,
            name: new.update.name.unwrap_or_default(),
            tags: new.update.tags.unwrap_or_default(),
            meta_data: new.update.meta_data,
            internal_data: new.update.internal_data,
            created_ms: self.clock.now_ms(),
        };
        let is_pattern = entry.address.contains('*');
        transaction::run!(&self.storage, async |session| {
            addresses::insert(&self.storage, session, &entry).await?;
            let only_if = if new.is_main { None } else { Some("") };
            if new.is_main || (owner.address.is_empty() && !is_pattern) {
                let text = &entry.address;
                users::set_address(&self.storage, session, user, text, only_if).await?;
            }
            Ok(())
        })
        .await?;
        let event = Event::of_user("address.user.created", user).with("address", entry.id);
        self.emit(event.with("value", &entry.address)).await;
        Ok(entry.id)
    }

    /// All addresses of a user.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn list_addresses(&self, user: UserId) -> Result<Vec<AddressEntry>> {
        addresses::list_of_user(&self.storage, user, ADDRESSES_MAX).await
    }

    /// One address of a user.
    ///
    /// # Errors
    /// `NotFound` address, `Unavailable`.
    pub async fn load_address(&self, user: UserId, address: AddressId) -> Result<AddressEntry> {
        let found = addresses::find(&self.storage, user, address).await?;
        found.ok_or(Error::NotFound { what: "address" })
    }

    /// One address, whoever has it.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn find_address(&self, address: AddressId) -> Result<Option<AddressEntry>> {
        addresses::find_any(&self.storage, address).await
    }

    /// The entry of a pattern, written as it was stored.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn find_pattern(&self, pattern: &str) -> Result<Option<AddressEntry>> {
        let Ok((_, lookup)) = pattern_forms(pattern) else { return Ok(None) };
        Ok(addresses::find_by_lookup(&self.storage, &[lookup]).await?.into_iter().next())
    }

    /// One page of all addresses in order of their lookup forms.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn list_all_addresses(
        &self,
        filter: &AddressFilter,
        around: Around<&str>,
        limit: usize,
    ) -> Result<Page<AddressEntry>> {
        let (after, before) = around.after_and_before();
        let one_more = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
        let rows = addresses::list(&self.storage, filter, after, before, one_more).await?;
        let total = addresses::count(&self.storage, filter).await?;
        Ok(super::page(rows, total, limit, before.is_some()))
    }

    /// Changes an address; renaming the main one renames it in the user, too.
    ///
    /// # Errors
    /// `NotFound`, `Invalid`, `AlreadyExists`, `Forbidden` for patterns, `Unavailable`.
    pub async fn update_address(
        &self,
        user: UserId,
        address: AddressId,
        update: AddressUpdate,
        renamed: Option<&str>,
        becomes_main: bool,
    ) -> Result<()> {
        let owner = users::load(&self.storage, user).await?.profile.user;
        let entry = self.load_address(user, address).await?;
        let renamed = match renamed {
            Some(text) => {
                if entry.address.contains('*') || text.contains('*') {
                    return Err(Error::Forbidden { reason: "a pattern cannot be renamed" });
                }
                let new = plain_forms(text)?;
                (new.0 != entry.address).then_some(new)
            }
            None => None,
        };
        let name_after = renamed.as_ref().map_or(entry.address.as_str(), |new| new.0.as_str());
        if becomes_main && name_after.contains('*') {
            return Err(Error::Forbidden { reason: PATTERN_AS_MAIN });
        }
        let moves_main = renamed.is_some() && owner.address == entry.address;
        transaction::run!(&self.storage, async |session| {
            let forms = renamed.as_ref().map(|new| (new.0.as_str(), new.1.as_str()));
            addresses::update(&self.storage, session, &entry, &update, forms).await?;
            if becomes_main || moves_main {
                users::set_address(&self.storage, session, user, name_after, None).await?;
            }
            Ok(())
        })
        .await
    }

    /// Removes an address that is not the main one.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden` for the main address, `Unavailable`.
    pub async fn delete_address(&self, user: UserId, address: AddressId) -> Result<()> {
        let owner = users::load(&self.storage, user).await?.profile.user;
        let entry = self.load_address(user, address).await?;
        if entry.address == owner.address {
            return Err(Error::Forbidden { reason: "the main address cannot be deleted" });
        }
        let was_there = transaction::run!(&self.storage, async |session| {
            addresses::delete(&self.storage, session, &entry).await
        })
        .await?;
        if !was_there {
            return Err(Error::NotFound { what: "address" });
        }
        let event = Event::of_user("address.user.deleted", user).with("address", entry.id);
        self.emit(event.with("value", &entry.address)).await;
        Ok(())
    }
}

/// The stored and the lookup form of a new address.
pub(super) fn checked(new: &NewAddress) -> Result<(String, String)> {
    if !new.address.contains('*') {
        return plain_forms(&new.address);
    }
    if !new.allows_pattern {
        return Err(Error::invalid("address", "an address with * needs allowWildcard"));
    }
    if new.is_main {
        return Err(Error::invalid("main", "a pattern cannot be the main address"));
    }
    pattern_forms(&new.address)
}

pub(super) fn plain_forms(text: &str) -> Result<(String, String)> {
    // behaviours.md §3: kept in lowercase
    let address = normal_address(&text.to_lowercase())?;
    if address.to_string().contains(['+', '*']) {
        return Err(Error::invalid("address", "an address has no + and no *"));
    }
    Ok((address.to_string(), address.lookup_form()))
}

/// `*@d`, `prefix*@d`, `*suffix@d`, `user@*`.
fn pattern_forms(text: &str) -> Result<(String, String)> {
    let bad = |reason: &str| Err(Error::invalid("address", reason));
    let text: String = text.trim().nfc().collect();
    if text.matches('*').count() != 1 || text.contains('+') {
        return bad("a pattern has one * and no +");
    }
    let Some((local, domain)) = text.rsplit_once('@') else {
        return bad("a pattern has the form local@domain");
    };
    if domain == "*" {
        // checked with a stand-in: only the local part is of interest
        let form = normal_address(&format!("{local}@x"))?.lookup_form();
        let base = form.strip_suffix("@x").unwrap_or(&form);
        return Ok((format!("{}@*", local.to_lowercase()), format!("{base}@*")));
    }
    if domain.contains('*') || !(local.starts_with('*') || local.ends_with('*')) {
        return bad("the * stands at an end of the local part, or for the domain");
    }
    if local.chars().count() > PATTERN_CHARS_MAX + 1 {
        return bad("the fixed part of a pattern has at most 32 characters");
    }
    let address = normal_address(&text)?;
    let stored = format!("{}@{}", address.local().to_lowercase(), address.domain());
    Ok((stored, address.lookup_form()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_have_four_forms() {
        let lookup = |text: &str| pattern_forms(text).map(|forms| forms.1).ok();
        assert_eq!(lookup("*@Example.com").as_deref(), Some("*@example.com"));
        assert_eq!(lookup("a.b*@example.com").as_deref(), Some("ab*@example.com"));
        assert_eq!(lookup("*x@example.com").as_deref(), Some("*x@example.com"));
        assert_eq!(lookup("An.na@*").as_deref(), Some("anna@*"));
        for bad in ["a*b@example.com", "**@d", "*+x@d", "*", "a@*.com", "*@*"] {
            assert_eq!(lookup(bad), None, "{bad}");
        }
    }
}
