//! Settings of the IMAP door.

use crate::model::limits::MESSAGE_OCTETS_MAX;
use crate::net::network::{Network, any_contains};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// The section `imap` of the configuration.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Addresses that speak plaintext with STARTTLS. Default `["127.0.0.1:1143"]`.
    pub listen: Vec<String>,
    /// Addresses that start with TLS. Default `["127.0.0.1:1993"]`.
    pub listen_tls: Vec<String>,
    /// Connections of all users at once, 1 and up. Default 100,000.
    pub connections_max: usize,
    /// Connections of one user at once on this node, 1 and up. Default 50.
    pub connections_per_user_max: usize,
    /// Octets of a message that APPEND accepts, 1024 to 67,108,864 (64 MiB), the default.
    pub message_octets_max: u64,
    /// Networks whose clients may send a password without TLS. Default loopback.
    pub plaintext_auth_from: Vec<Network>,
    /// Networks of load balancers, whose connections begin with a PROXY header. Default none.
    pub proxy_from: Vec<Network>,
    /// Names of users by which submission servers log in to read what `submit+` URLs name (RFC
    /// 4467 §3). Default none.
    pub submission_users: Vec<String>,
    /// Whether `X-GM-EXT-1` is told to clients: some behave as with Gmail then, which has one
    /// mailbox of all messages. The commands work without it. Default false.
    pub gmail_extension: bool,
    /// Messages that one command does at most, told as MESSAGELIMIT (RFC 9738); 0: all. Default 0.
    pub message_limit: u32,
    /// Seconds a client has to log in, 1 and up. Default 60.
    pub login_timeout_s: u64,
    /// Seconds a logged-in client may be silent; RFC 9051 §5.4 asks for 1800 at least. Default
    /// 1800.
    pub idle_timeout_s: u64,
    /// Seconds between two `* OK Still here` to a client in IDLE, so that address translators do not
    /// forget the connection; 0: none. Default 120.
    pub idle_heartbeat_s: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: vec!["127.0.0.1:1143".into()],
            listen_tls: vec!["127.0.0.1:1993".into()],
            connections_max: 100_000,
            connections_per_user_max: 50,
            message_octets_max: MESSAGE_OCTETS_MAX,
            plaintext_auth_from: Network::loopback(),
            proxy_from: Vec::new(),
            submission_users: Vec::new(),
            gmail_extension: false,
            message_limit: 0,
            login_timeout_s: 60,
            idle_timeout_s: 1800,
            idle_heartbeat_s: 120,
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
            (self.connections_per_user_max > 0, "connections_per_user_max: 1 and up"),
            (
                (1024..=MESSAGE_OCTETS_MAX).contains(&self.message_octets_max),
                "message_octets_max: 1024 to 67108864",
            ),
            (self.login_timeout_s > 0, "login_timeout_s: 1 and up"),
            // RFC 9051 §5.4 asks for half an hour; less is the operator's choice
            (self.idle_timeout_s > 0, "idle_timeout_s: 1 and up"),
        ];
        checks.iter().find(|(good, _)| !good).map_or(Ok(()), |(_, wrong)| Err(*wrong))
    }

    /// Whether a client at this address may send a password without TLS.
    pub fn allows_plaintext(&self, peer: IpAddr) -> bool {
        any_contains(&self.plaintext_auth_from, peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_nothing_may_be_zero() {
        assert_eq!(Settings::default().validate(), Ok(()));
        let closed = Settings { connections_max: 0, ..Settings::default() };
        assert!(closed.validate().unwrap_err().starts_with("connections_max"));
        let large = Settings { message_octets_max: u64::MAX, ..Settings::default() };
        assert!(large.validate().is_err());
    }

    #[test]
    fn loopback_may_send_passwords() {
        assert!(Settings::default().allows_plaintext("127.0.0.9".parse().unwrap()));
        assert!(!Settings::default().allows_plaintext("192.0.2.1".parse().unwrap()));
    }
}
