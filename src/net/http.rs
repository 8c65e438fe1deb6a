//! Requests to programs of strangers: webhooks, forwarding targets, policies.

use super::tls_client::TlsClient;
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use std::net::SocketAddr;
use std::time::Duration;

/// A client that follows no redirects (they would lead it where the operator did not point it),
/// and waits so long for a whole answer.
///
/// # Errors
/// TLS cannot be set up.
pub fn client(answer: Duration) -> reqwest::Result<Client> {
    Client::builder()
        .user_agent(concat!("eider/", env!("CARGO_PKG_VERSION")))
        .timeout(answer)
        .redirect(Policy::none())
        .build()
}

/// A client for one host at these addresses, which has to be who it says by the authorities of
/// `tls`.
///
/// # Errors
/// TLS cannot be set up.
pub fn client_to(
    tls: &TlsClient,
    host: &str,
    addresses: &[SocketAddr],
    answer: Duration,
) -> reqwest::Result<Client> {
    Client::builder()
        .user_agent(concat!("eider/", env!("CARGO_PKG_VERSION")))
        .timeout(answer)
        .redirect(Policy::none())
        .no_proxy()
        .https_only(true)
        .tls_backend_preconfigured(tls.verifying_config())
        .resolve_to_addrs(host, addresses)
        .build()
}

/// Gets a text of at most so many octets.
///
/// # Errors
/// Why there is none, in words.
pub async fn read_text(client: &Client, url: &str, octets_max: usize) -> Result<String, String> {
    let words = |error: reqwest::Error| error.to_string();
    let mut answer = client.get(url).send().await.map_err(words)?;
    if answer.status() != StatusCode::OK {
        return Err(format!("the server answered {}", answer.status()));
    }
    let mut octets = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(words)? {
        if octets.len() + piece.len() > octets_max {
            return Err("it is too large".to_owned());
        }
        octets.extend_from_slice(&piece);
    }
    String::from_utf8(octets).map_err(|_| "it is no text".to_owned())
}
