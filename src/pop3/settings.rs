//! Settings of the POP3 door.

use crate::net::network::Network;
use serde::{Deserialize, Serialize};

/// The section `pop3` of the configuration.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Addresses that speak plaintext with STLS. Default `["127.0.0.1:1110"]`.
    pub listen: Vec<String>,
    /// Addresses that start with TLS. Default `["127.0.0.1:1995"]`.
    pub listen_tls: Vec<String>,
    /// Connections of all users at once, 1 and up. Default 10,000.
    pub connections_max: usize,
    /// Networks whose clients may send a password without TLS. Default loopback.
    pub plaintext_auth_from: Vec<Network>,
    /// Networks of load balancers, whose connections begin with a PROXY header. Default none.
    pub proxy_from: Vec<Network>,
    /// Seconds a client has to log in, 1 and up. Default 60.
    pub login_timeout_s: u64,
    /// Seconds a logged-in client may be silent; RFC 1939 §3 asks for 600 at least. Default 600.
    pub idle_timeout_s: u64,
    /// Messages listed, the newest; a user's own `pop3MaxMessages` comes first. 0, the default: all.
    pub messages_max: u64,
    /// Octets a user may read in 24 hours; a user's own `pop3MaxDownload` comes first. 0: no limit.
    /// Default 10,737,418,240 (10 GiB).
    pub download_octets_max: u64,
    /// Seconds between two logins of a user (RFC 2449 §6.5). 0, the default: no limit.
    pub login_delay_s: u64,
    /// QUIT sets `\Seen` on what was retrieved. Default true.
    pub marks_seen: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: vec!["127.0.0.1:1110".into()],
            listen_tls: vec!["127.0.0.1:1995".into()],
            connections_max: 10_000,
            plaintext_auth_from: Network::loopback(),
            proxy_from: Vec::new(),
            login_timeout_s: 60,
            idle_timeout_s: 600,
            messages_max: 0,
            download_octets_max: 10 * 1024 * 1024 * 1024,
            login_delay_s: 0,
            marks_seen: true,
        }
    }
}

impl Settings {
    /// Checks the ranges.
    ///
    /// # Errors
    /// The key and what it may be.
    pub fn validate(&self) -> Result<(), &'static str> {
        let checks = [
            (self.connections_max > 0, "connections_max: 1 and up"),
            (self.login_timeout_s > 0, "login_timeout_s: 1 and up"),
            // RFC 1939 §3 asks for ten minutes; less is the operator's choice
            (self.idle_timeout_s > 0, "idle_timeout_s: 1 and up"),
        ];
        checks.iter().find(|(good, _)| !good).map_or(Ok(()), |(_, wrong)| Err(*wrong))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_no_time_is_zero() {
        assert_eq!(Settings::default().validate(), Ok(()));
        let silent = Settings { idle_timeout_s: 0, ..Settings::default() };
        assert!(silent.validate().unwrap_err().starts_with("idle_timeout_s"));
    }
}
