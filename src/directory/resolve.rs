//! An address to its recipient (`reference/behaviours.md` §3).
//!
//! In this order: the exact address without dots and `+label`; patterns of its domain, the one with
//! most letters first (`prefix*@d` before `*suffix@d`, `*@d` last); `user@*`. All are looked up at
//! once.

use super::Directory;
use crate::auth::name::normal_address;
use crate::model::address::EmailAddress;
use crate::model::error::Result;
use crate::model::profile::AddressEntry;
use crate::model::user::User;
use crate::storage::{addresses, users};

/// Characters of a local part that patterns are compared with.
const PATTERN_CHARS_MAX: usize = 32;

impl Directory {
    /// The user an address delivers to (exact, then `+label`, wildcards); `None`: no such address.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn resolve_recipient(&self, address: &EmailAddress) -> Result<Option<User>> {
        let Some(entry) = self.resolve_address(address, true).await? else { return Ok(None) };
        Ok(users::find(&self.storage, entry.user).await?.map(|record| record.profile.user))
    }

    /// The entry an address belongs to, with patterns if wished: one round trip.
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
        let forms = if with_patterns { lookup_forms(&exact) } else { vec![exact] };
        let mut found = addresses::find_by_lookup(&self.storage, &forms).await?;
        let rank = |entry: &AddressEntry| forms.iter().position(|form| *form == entry.lookup);
        found.sort_by_key(|entry| rank(entry).unwrap_or(usize::MAX));
        Ok(found.into_iter().next())
    }
}

/// All stored forms that match an exact lookup form, the best first; at most 2 × 32 + 3.
fn lookup_forms(exact: &str) -> Vec<String> {
    let mut forms = vec![exact.to_owned()];
    let Some((local, domain)) = exact.rsplit_once('@') else { return forms };
    let letters: Vec<char> = local.chars().take(PATTERN_CHARS_MAX).collect();
    let all: Vec<char> = local.chars().collect();
    for length in (1..=letters.len()).rev() {
        let prefix: String = letters.iter().take(length).collect();
        forms.push(format!("{prefix}*@{domain}"));
        let suffix: String = all.iter().skip(all.len() - length).collect();
        forms.push(format!("*{suffix}@{domain}"));
    }
    forms.push(format!("*@{domain}"));
    forms.push(format!("{local}@*"));
    forms
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_longest_pattern_comes_first() {
        let forms = super::lookup_forms("abc@d");
        let expected =
            ["abc@d", "abc*@d", "*abc@d", "ab*@d", "*bc@d", "a*@d", "*c@d", "*@d", "abc@*"];
        assert_eq!(forms, expected);
        assert_eq!(super::lookup_forms(&format!("{}@d", "x".repeat(64))).len(), 67);
    }
}
