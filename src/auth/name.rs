//! Names people log in with, and the forms they are looked up by (`reference/behaviours.md` §3).

use crate::model::address::EmailAddress;
use crate::model::error::{Error, Result};
use unicode_normalization::UnicodeNormalization as _;

/// Characters of a username.
pub const USERNAME_CHARS_MAX: usize = 128;

/// A username's lookup form: lowercase, without dots (before the `@`), an address without `+label`.
pub fn username_lookup_form(username: &str) -> String {
    let name = username.trim().to_lowercase();
    match name.rsplit_once('@') {
        None => name.replace('.', ""),
        Some((local, domain)) => {
            let base = match local.split_once('+') {
                Some((base, _)) if !base.is_empty() => base,
                _ => local,
            };
            format!("{}@{domain}", base.replace('.', ""))
        }
    }
}

/// Checks a new username: groups of letters, digits and `-`, joined by single `.` `_` `=` `:`;
/// optionally `@` and the same again. Returns it in lowercase.
///
/// # Errors
/// `Invalid`.
pub fn new_username(username: &str) -> Result<String> {
    let name = username.trim().to_lowercase();
    let is_group = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_half = |half: &str| {
        half.split(['.', '_', '=', ':'])
            .all(|group| !group.is_empty() && group.chars().all(is_group))
    };
    let mut halves = name.split('@');
    let is_good = halves.next().is_some_and(is_half)
        && halves.next().is_none_or(is_half)
        && halves.next().is_none();
    if !is_good || name.len() > USERNAME_CHARS_MAX {
        let reason = "a username has 1 to 128 letters, digits and -, joined by single . _ = :";
        return Err(Error::invalid("username", reason));
    }
    Ok(name)
}

/// An address in normal form: NFC, domain in lowercase Unicode (RFC 5890 §2.3.2.1 U-labels).
///
/// # Errors
/// `Invalid` when it is no address.
pub fn normal_address(address: &str) -> Result<EmailAddress> {
    let address: String = address.trim().nfc().collect();
    let checked = EmailAddress::new(&address)?;
    if checked.domain().starts_with('[') {
        return Ok(checked);
    }
    let (domain, outcome) = idna::domain_to_unicode(checked.domain());
    if outcome.is_err() || domain.is_empty() {
        return Err(Error::invalid("address", "the domain is not one"));
    }
    EmailAddress::new(&format!("{}@{domain}", checked.local()))
}

/// A domain in normal form: lowercase Unicode.
///
/// # Errors
/// `Invalid` when it is none.
pub fn normal_domain(domain: &str) -> Result<String> {
    let domain = domain.trim().trim_end_matches('.');
    match normal_address(&format!("x@{domain}")) {
        Ok(address) if !domain.contains('@') => Ok(address.domain().to_owned()),
        Ok(_) | Err(_) => Err(Error::invalid("domain", "this is not a domain")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_lookup_form() {
        assert_eq!(username_lookup_form("An.Na"), "anna");
        assert_eq!(username_lookup_form("An.Na+x@Example.com"), "anna@example.com");
        assert_eq!(new_username("Anna.b-1@example.com").unwrap(), "anna.b-1@example.com");
        for bad in ["", ".a", "a..b", "a@b@c", "ü", "a b", "a@"] {
            assert!(new_username(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn domains_are_unicode() {
        let address = normal_address("Anna@XN--BCHER-KVA.example").unwrap();
        assert_eq!(address.to_string(), "Anna@bücher.example");
    }
}
