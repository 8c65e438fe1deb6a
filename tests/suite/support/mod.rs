//! What all black-box tests share: a store on ports of its own, and thin clients.

pub mod api;
pub mod chaos;
pub mod checks;
pub mod corpus;
pub mod database;
pub mod dns;
pub mod filters;
pub mod imap;
pub mod judge;
pub mod lmtp;
pub mod pop3;
pub mod postfix;
pub mod process;
pub mod smtp_sink;
pub mod store;
pub mod transcript;
pub mod web;

use std::time::Duration;

/// How long a condition may take before a test fails; generous, since machines are shared.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Runs a future with the deadline.
pub async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(output) => output,
        Err(_) => panic!("{what}: nothing within {DEADLINE:?}"),
    }
}

/// Waits until a condition holds; it is asked again and again.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    within(what, async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
