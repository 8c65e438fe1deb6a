//! Settings of the receiving roles.

use crate::model::limits::MESSAGE_OCTETS_MAX;
use crate::net::network::Network;
use serde::{Deserialize, Serialize};

/// The sections `[smtp]` and `[lmtp]` of the configuration.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Addresses to listen on, plaintext with STARTTLS, as `127.0.0.1:2424`. Empty: none.
    pub listen: Vec<String>,
    /// Addresses to listen on with TLS from the start. Empty: none.
    pub listen_tls: Vec<String>,
    /// Connections at the same time; 1 to 100000, default 1000.
    pub connections_max: usize,
    /// Octets of one message, announced as SIZE; 1024 to 67108864 (64 MiB), default 67108864.
    pub message_octets_max: u64,
    /// Seconds a client may be silent; 10 to 3600, default 300 (RFC 5321 §4.5.3.2.7).
    pub idle_timeout_s: u64,
    /// Networks of load balancers, whose connections begin with a PROXY header. Default none.
    pub proxy_from: Vec<Network>,
    /// Networks of servers that may say whose mail they bring, with XCLIENT. Default none.
    pub xclient_from: Vec<Network>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: vec!["127.0.0.1:2424".to_owned()],
            listen_tls: Vec::new(),
            connections_max: 1000,
            message_octets_max: MESSAGE_OCTETS_MAX,
            idle_timeout_s: 300,
            proxy_from: Vec::new(),
            xclient_from: Vec::new(),
        }
    }
}

impl Settings {
    /// The defaults of the relay-in role.
    pub fn relay() -> Self {
        Self { listen: vec!["127.0.0.1:2525".to_owned()], ..Self::default() }
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// The key and what it may be.
    pub fn validate(&self) -> Result<(), String> {
        let checks = [
            ((1..=100_000).contains(&self.connections_max), "connections_max: 1 to 100000"),
            (
                (1024..=MESSAGE_OCTETS_MAX).contains(&self.message_octets_max),
                "message_octets_max: 1024 to 67108864",
            ),
            ((10..=3600).contains(&self.idle_timeout_s), "idle_timeout_s: 10 to 3600"),
        ];
        checks.iter().find(|(good, _)| !good).map_or(Ok(()), |(_, wrong)| Err((*wrong).to_owned()))
    }
}

/// The section `[submission]` of the configuration.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SubmissionSettings {
    /// Addresses to listen on, plaintext with STARTTLS. Default `["127.0.0.1:2587"]`.
    pub listen: Vec<String>,
    /// Addresses to listen on with TLS from the start (RFC 8314). Default `["127.0.0.1:2465"]`.
    pub listen_tls: Vec<String>,
    /// Connections at the same time; 1 to 100000, default 1000.
    pub connections_max: usize,
    /// Octets of one message, announced as SIZE; 1024 to 67108864 (64 MiB), default 67108864.
    pub message_octets_max: u64,
    /// Seconds a client may be silent; 10 to 3600, default 300.
    pub idle_timeout_s: u64,
    /// Networks of load balancers, whose connections begin with a PROXY header. Default none.
    pub proxy_from: Vec<Network>,
    /// Networks whose clients may send a password without TLS. Default loopback.
    pub plaintext_auth_from: Vec<Network>,
}

impl Default for SubmissionSettings {
    fn default() -> Self {
        let Settings { connections_max, message_octets_max, idle_timeout_s, .. } =
            Settings::default();
        Self {
            listen: vec!["127.0.0.1:2587".to_owned()],
            listen_tls: vec!["127.0.0.1:2465".to_owned()],
            connections_max,
            message_octets_max,
            idle_timeout_s,
            proxy_from: Vec::new(),
            plaintext_auth_from: Network::loopback(),
        }
    }
}

impl SubmissionSettings {
    /// What it has in common with the other roles.
    pub fn common(&self) -> Settings {
        let own = self.clone();
        Settings {
            listen: own.listen,
            listen_tls: own.listen_tls,
            connections_max: own.connections_max,
            message_octets_max: own.message_octets_max,
            idle_timeout_s: own.idle_timeout_s,
            proxy_from: own.proxy_from,
            xclient_from: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_unknown_keys_are_refused() {
        assert_eq!(Settings::default().validate(), Ok(()));
        assert_eq!(SubmissionSettings::default().common().validate(), Ok(()));
        assert_eq!(serde_json::from_str::<Settings>("{}").unwrap(), Settings::default());
        assert!(serde_json::from_str::<Settings>(r#"{"listne": []}"#).is_err());
        let silent = Settings { idle_timeout_s: 1, ..Settings::default() };
        assert!(silent.validate().is_err());
    }
}
