//! What sites set about the HTTP API.

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Section `api`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Addresses with plain HTTP. Default `["127.0.0.1:8080"]`.
    pub listen: Vec<SocketAddr>,
    /// Every request needs a token, but `/health` and the description of the API. Default true;
    /// false only while the API listens on loopback.
    pub access_control: bool,
    /// The token that may do everything. Default: the server makes one and keeps it in a file.
    pub root_token: Option<String>,
    /// Origins whose pages may call the API from a browser. Default `["*"]`: all, as a token is
    /// needed anyway.
    pub cors_origins: Vec<String>,
    /// The domain passkeys belong to. Default: the host of the page that asks.
    pub webauthn_rp_id: Option<String>,
    /// The name passkeys are shown with. Default `Eider`.
    pub webauthn_rp_name: String,
    /// The name that profiles for Apple's mail programs connect to. Default: `hostname`.
    pub profile_host: Option<String>,
    /// Where passwords are looked up among stolen ones, by Have I Been Pwned's range queries:
    /// `https://api.pwnedpasswords.com/range`. Default: none, nobody's password is looked up.
    pub breach_url: Option<String>,
    /// Seconds a user's token lives without being used. Default 1209600 (14 days).
    pub token_ttl_s: u64,
    /// Seconds a user's token lives at most. Default 15552000 (180 days).
    pub token_lifetime_s: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 8080))],
            access_control: true,
            root_token: None,
            cors_origins: vec!["*".to_owned()],
            webauthn_rp_id: None,
            webauthn_rp_name: "Eider".to_owned(),
            profile_host: None,
            breach_url: None,
            token_ttl_s: 14 * 24 * 3600,
            token_lifetime_s: 180 * 24 * 3600,
        }
    }
}

impl Settings {
    /// Checks the ranges.
    ///
    /// # Errors
    /// The key and what it may be.
    pub fn validate(&self) -> Result<(), &'static str> {
        let is_host = |name: &str| {
            let is_label = |label: &str| {
                let is_good = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
                !label.is_empty() && label.len() <= 63 && label.bytes().all(is_good)
            };
            name.len() <= 253 && name.split('.').all(is_label)
        };
        let is_url = |url: &str| {
            let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
            rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(char::is_whitespace))
        };
        let checks = [
            (self.profile_host.as_deref().is_none_or(is_host), "profile_host: a host name"),
            (self.breach_url.as_deref().is_none_or(is_url), "breach_url: an http or https URL"),
            (self.token_ttl_s > 0, "token_ttl_s: 1 and up"),
            (self.token_lifetime_s > 0, "token_lifetime_s: 1 and up"),
        ];
        checks.iter().find(|(good, _)| !good).map_or(Ok(()), |(_, wrong)| Err(*wrong))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_urls_are_what_they_say() {
        assert_eq!(Settings::default().validate(), Ok(()));
        let host = |name: &str| Settings { profile_host: Some(name.into()), ..Settings::default() };
        for (name, is_good) in
            [("mail.example.com", true), ("a b", false), ("", false), ("a..b", false)]
        {
            assert_eq!(host(name).validate().is_ok(), is_good, "{name}");
        }
        let url = |url: &str| Settings { breach_url: Some(url.into()), ..Settings::default() };
        for (text, is_good) in
            [("https://a.b/range", true), ("ftp://a", false), ("https://", false)]
        {
            assert_eq!(url(text).validate().is_ok(), is_good, "{text}");
        }
    }
}
