//! Black box over real sockets: stores started by `server::start`, the function `main` uses.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that fails panics, and reads the clock and the environment like a client would"
)]

mod support;

mod acme;
mod api;
mod authentication;
mod backpressure;
mod clients;
mod cluster;
mod corpus;
mod dns;
mod encryption;
mod faults;
mod filters;
mod hooks;
mod imap;
mod imap_clients;
mod isolation;
mod journeys;
mod judges;
mod large;
mod large_literals;
mod limits;
mod lmtp;
mod local;
mod messages_api;
mod mta;
mod operations;
mod pop3;
mod pop3_judges;
mod queue;
mod readme;
mod relay_checks;
mod resync;
mod rules;
mod sasl;
mod scale;
mod screening;
mod search;
mod secrets;
mod sessions;
mod sharing;
mod smtp;
mod smtp_judges;
mod smtp_tricks;
mod suppression;
mod tls;
mod transcripts;
mod transport;
mod updates;
mod upgrade;
