//! Email addresses and the normal form they are looked up by.

use super::error::{Error, Result};

/// An address as `local@domain`: NFC is the caller's part; the domain is lowercase Unicode.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EmailAddress {
    local: String,
    domain: String,
}

impl EmailAddress {
    /// Checks an address (RFC 5321 §4.1.2, RFC 6531 §3.3): local part 1..=64 octets and a domain
    /// that IDNA accepts
    /// is the caller's part (`codec` and `directory` do); here shape and lengths only.
    ///
    /// # Errors
    /// `Invalid` when there is no `@`, an empty or too long part, white space or a control
    /// character.
    pub fn new(address: &str) -> Result<Self> {
        let bad = |reason: &str| Err(Error::invalid("address", reason));
        let Some((local, domain)) = address.rsplit_once('@') else {
            return bad("an address has the form local@domain");
        };
        if local.is_empty() || local.len() > 64 {
            return bad("the local part has 1 to 64 octets");
        }
        if domain.is_empty() || domain.len() > 255 {
            return bad("the domain has 1 to 255 octets");
        }
        if address.chars().any(|c| c.is_control() || (c.is_whitespace() && !local.starts_with('"')))
            || domain.contains(['<', '>', ',', '"', '(', ')'])
        {
            return bad("an address has no spaces, control characters or brackets");
        }
        Ok(Self { local: local.to_owned(), domain: domain.to_lowercase() })
    }

    /// The local part as given.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The domain, lowercase.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The lookup form: lowercase, `+label` cut, dots of the local part removed.
    pub fn lookup_form(&self) -> String {
        let local = self.local.to_lowercase();
        let base = match local.split_once('+') {
            Some((base, _)) if !base.is_empty() => base,
            _ => &local,
        };
        format!("{}@{}", base.replace('.', ""), self.domain)
    }
}

impl std::fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookup_ignores_dots_labels_and_case() {
        let address = EmailAddress::new("An.Na+news@Example.COM").unwrap();
        assert_eq!(address.lookup_form(), "anna@example.com");
        assert_eq!(address.to_string(), "An.Na+news@example.com");
        assert!(EmailAddress::new("a b@example.com").is_err());
        assert!(EmailAddress::new("@example.com").is_err() && EmailAddress::new("a@").is_err());
    }
}
