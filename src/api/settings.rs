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
            token_ttl_s: 14 * 24 * 3600,
            token_lifetime_s: 180 * 24 * 3600,
        }
    }
}
