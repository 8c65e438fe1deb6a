//! Settings of a receiving role; the defaults are LMTP's.

use crate::model::limits::MESSAGE_OCTETS_MAX;
use serde::{Deserialize, Serialize};

/// One section of the configuration, `[lmtp]`.
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
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: vec!["127.0.0.1:2424".to_owned()],
            listen_tls: Vec::new(),
            connections_max: 1000,
            message_octets_max: MESSAGE_OCTETS_MAX,
            idle_timeout_s: 300,
        }
    }
}

impl Settings {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_unknown_keys_are_refused() {
        assert_eq!(Settings::default().validate(), Ok(()));
        assert_eq!(serde_json::from_str::<Settings>("{}").unwrap(), Settings::default());
        assert!(serde_json::from_str::<Settings>(r#"{"listne": []}"#).is_err());
        let silent = Settings { idle_timeout_s: 1, ..Settings::default() };
        assert!(silent.validate().is_err());
    }
}
