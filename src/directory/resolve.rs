//! An address to its recipient (`reference/behaviours.md` §3).
//!
//! In this order: the exact address without dots and `+label`; the same in the domain that its
//! domain is an alias of; patterns of its own domain, the one with most letters first (`prefix*@d`
//! before `*suffix@d`, `*@d` last); those of the other domain; `user@*`; a rewritten sender
//! (`srs`). One round trip where the exact address exists, three where only a pattern does.
//!
//! Addresses and users are always read anew. A node remembers whose an address was only to read both
//! at the same time.

use super::Directory;
use crate::auth::name::normal_address;
use crate::model::address::EmailAddress;
use crate::model::error::Result;
use crate::model::id::UserId;
use crate::model::profile::AddressEntry;
use crate::model::user::User;
use crate::storage::{addresses, domain_aliases, users};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Characters of a local part that patterns are compared with.
const PATTERN_CHARS_MAX: usize = 32;

/// Where mail to an address goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Destination {
    /// To the mailboxes of this user.
    User(Box<User>),
    /// Nowhere here: `forwarding` of the entry says where it goes on to.
    Forwarded(Box<AddressEntry>),
}

/// Addresses that are remembered, some 100 octets each; then it begins anew.
const HINTS_MAX: usize = 50_000;

/// Whose addresses were when they were last looked up.
#[derive(Debug, Default)]
pub(super) struct Hints {
    owners: Mutex<HashMap<String, UserId>>,
}

impl Hints {
    fn find(&self, address: &str) -> Option<UserId> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner).get(address).copied()
    }

    fn add(&self, address: String, owner: UserId) {
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        if owners.len() >= HINTS_MAX {
            owners.clear();
        }
        owners.insert(address, owner);
    }
}

impl Directory {
    /// The user an address delivers to; `None`: no such address, or one that only forwards.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn resolve_recipient(&self, address: &EmailAddress) -> Result<Option<User>> {
        match self.resolve_destination(address).await? {
            Some(Destination::User(user)) => Ok(Some(*user)),
            Some(Destination::Forwarded(_)) | None => Ok(None),
        }
    }

    /// Where mail to an address goes; `None`: no such address. For delivery.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn resolve_destination(&self, address: &EmailAddress) -> Result<Option<Destination>> {
        let name = address.to_string();
        let expected = self.hints.find(&name);
        let (entry, found) =
            tokio::try_join!(self.resolve_address(address, true), self.read_owner(expected))?;
        let entry = match entry {
            Some(entry) => Some(entry),
            None => self.find_rewritten(address).await?,
        };
        let Some(entry) = entry else { return Ok(None) };
        let Some(owner) = entry.user else {
            return Ok(Some(Destination::Forwarded(Box::new(entry))));
        };
        let user = match found {
            Some(user) if user.id == owner => Some(user),
            _ => self.read_owner(Some(owner)).await?,
        };
        if user.is_some() && expected != Some(owner) {
            self.hints.add(name, owner);
        }
        Ok(user.map(|user| Destination::User(Box::new(user))))
    }

    async fn read_owner(&self, user: Option<UserId>) -> Result<Option<User>> {
        let Some(user) = user else { return Ok(None) };
        Ok(users::find(&self.storage, user).await?.map(|record| record.profile.user))
    }

    /// The entry an address belongs to, with patterns if wished.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn resolve_address(
        &self,
        address: &EmailAddress,
        with_patterns: bool,
    ) -> Result<Option<AddressEntry>> {
        let Ok(address) = normal_address(&address.to_string()) else { return Ok(None) };
        let exact = address.lookup_form();
        // `*` in a real address must not meet a stored pattern
        if exact.contains('*') {
            return Ok(None);
        }
        let Some((local, domain)) = exact.rsplit_once('@') else { return Ok(None) };
        let first = self.first_of(std::slice::from_ref(&exact)).await?;
        if first.is_some() {
            return Ok(first);
        }
        let alias = domain_aliases::find_by_name(&self.storage, domain).await?;
        let mut forms = Vec::new();
        forms.extend(alias.as_ref().map(|alias| format!("{local}@{}", alias.domain)));
        if with_patterns {
            add_patterns(&mut forms, local, domain);
            if let Some(alias) = &alias {
                add_patterns(&mut forms, local, &alias.domain);
            }
            forms.push(format!("{local}@*"));
        }
        self.first_of(&forms).await
    }

    /// The first of these lookup forms that exists.
    async fn first_of(&self, forms: &[String]) -> Result<Option<AddressEntry>> {
        if forms.is_empty() {
            return Ok(None);
        }
        let found = addresses::find_by_lookup(&self.storage, forms).await?;
        let rank = |entry: &AddressEntry| forms.iter().position(|form| *form == entry.lookup);
        Ok(found.into_iter().min_by_key(|entry| rank(entry).unwrap_or(usize::MAX)))
    }
}

/// All stored patterns of a domain that match a local part, the best first; at most 2 × 32 + 1.
fn add_patterns(forms: &mut Vec<String>, local: &str, domain: &str) {
    let letters: Vec<char> = local.chars().collect();
    for length in (1..=letters.len().min(PATTERN_CHARS_MAX)).rev() {
        let prefix: String = letters.iter().take(length).collect();
        forms.push(format!("{prefix}*@{domain}"));
        let suffix: String = letters.iter().skip(letters.len() - length).collect();
        forms.push(format!("*{suffix}@{domain}"));
    }
    forms.push(format!("*@{domain}"));
}

#[cfg(test)]
mod tests {
    use super::add_patterns;

    #[test]
    fn the_longest_pattern_comes_first() {
        let mut forms = Vec::new();
        add_patterns(&mut forms, "abc", "d");
        let expected = ["abc*@d", "*abc@d", "ab*@d", "*bc@d", "a*@d", "*c@d", "*@d"];
        assert_eq!(forms, expected);
        forms.clear();
        add_patterns(&mut forms, &"x".repeat(64), "d");
        assert_eq!(forms.len(), 65);
    }
}
