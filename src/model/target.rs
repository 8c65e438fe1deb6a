//! Where forwarded mail goes (`reference/http-api.md` §0.9).

use super::address::EmailAddress;
use super::error::{Error, Result};

/// Characters of a target.
const TARGET_CHARS_MAX: usize = 1024;

/// How a target is reached.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TargetKind {
    /// An address.
    Mail,
    /// Another mail server that gets the message for the same recipient: `smtp://`, `smtps://`.
    Relay,
    /// A program that the message is posted to: `http://`, `https://`.
    Http,
}

impl TargetKind {
    /// Its name in documents and in the HTTP API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Relay => "relay",
            Self::Http => "http",
        }
    }

    /// The kind of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Mail, Self::Relay, Self::Http].into_iter().find(|kind| kind.name() == name)
    }
}

/// One target.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ForwardTarget {
    /// How.
    pub kind: TargetKind,
    /// The address or URL.
    pub value: String,
}

impl ForwardTarget {
    /// Reads an address or URL.
    ///
    /// # Errors
    /// `Invalid` when it is neither.
    pub fn new(text: &str) -> Result<Self> {
        let text = text.trim();
        let bad = || Error::invalid("targets", "a target is an address, smtp[s]:// or http[s]://");
        if text.chars().count() > TARGET_CHARS_MAX || text.chars().any(char::is_control) {
            return Err(bad());
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            let address = EmailAddress::new(text).map_err(|_| bad())?;
            if address.local().contains('*') || address.domain().contains('*') {
                return Err(bad());
            }
            return Ok(Self { kind: TargetKind::Mail, value: address.to_string() });
        };
        let kind = match scheme.to_ascii_lowercase().as_str() {
            "smtp" | "smtps" => TargetKind::Relay,
            "http" | "https" => TargetKind::Http,
            _ => return Err(bad()),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        if host.is_empty() || host.starts_with(':') || text.contains(char::is_whitespace) {
            return Err(bad());
        }
        Ok(Self { kind, value: text.to_owned() })
    }

    /// The host or domain it is at, lowercase: what deliveries are grouped by.
    pub fn domain(&self) -> String {
        let host = match self.kind {
            TargetKind::Mail => self.value.rsplit_once('@').map_or("", |(_, domain)| domain),
            TargetKind::Relay | TargetKind::Http => {
                let rest = self.value.split_once("://").map_or("", |(_, rest)| rest);
                let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
                authority.rsplit('@').next().unwrap_or_default()
            }
        };
        host.to_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_addresses_or_urls() {
        let read = |text: &str| ForwardTarget::new(text).ok().map(|t| (t.kind, t.domain()));
        let expected = [
            ("a@B.example", TargetKind::Mail, "b.example"),
            ("smtp://mx.example:26", TargetKind::Relay, "mx.example:26"),
            ("smtps://u:p@mx.example", TargetKind::Relay, "mx.example"),
            ("HTTPS://x.example/hook?a@b", TargetKind::Http, "x.example"),
        ];
        for (text, kind, domain) in expected {
            assert_eq!(read(text), Some((kind, domain.to_owned())), "{text}");
        }
        for bad in ["", "a", "*@b.example", "ftp://x", "http://", "http:// x", "smtp://:25"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
