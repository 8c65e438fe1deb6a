//! Checks on mail that comes in from strangers: may they, who are they, what do they bring.
//!
//! The relay-in door opens a [`visit::Visit`] for each connection and tells it what the client says;
//! each step returns a [`verdict::Verdict`]. What only speaks against the client is kept until RCPT,
//! so that recipients who want everything get everything (postmaster does: RFC 5321 §4.5.1), and so
//! that the trace knows who would have got it. Nothing here knows a socket of the client, and
//! nothing here loses mail: what cannot be found out in time counts as unknown.
//!
//! - [`settings`]: what is checked. [`verdict`]: what comes of it.
//! - `crowd`: connections of one address and network on this node.
//! - `rates`: what an address may do in an hour, shared by all nodes.
//! - `origin`: PTR, HELO and the sender's domain. `lists`: DNS lists. `greylist`: greylisting.
//! - `filters`: Rspamd (`rspamd`), ClamAV (`clamav`) and milters (`milter`, `milters`).
//! - `findings`: what speaks against a client. `exceptions`: whose rules are others. `takers`: who is
//!   to get the message.
//! - [`report`]: DMARC's aggregate reports, and `failure` reports.
//! - `authenticate`: SPF, DKIM, DMARC, ARC → Authentication-Results. `header`: what strangers
//!   must not say in our name.

mod authenticate;
mod clamav;
mod crowd;
mod exceptions;
mod failure;
mod filters;
mod findings;
mod greylist;
mod header;
mod lists;
mod milter;
mod milters;
mod origin;
mod rates;
pub mod report;
mod rspamd;
pub mod settings;
mod takers;
pub mod verdict;
pub mod visit;

use crate::clock::Clock;
use crate::net::dns::Resolver;
use crate::storage::Storage;
use crate::trace::Trace;
use crowd::Crowd;
use mail_auth::MessageAuthenticator;
use settings::Settings;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use visit::Visit;

/// The checks of a node; cheap to clone.
#[derive(Clone, Debug)]
pub struct Screening {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    storage: Storage,
    resolver: Resolver,
    authenticator: MessageAuthenticator,
    clock: Clock,
    trace: Trace,
    /// Our name, also the authserv-id (RFC 8601 §2.5).
    hostname: String,
    crowd: Arc<Crowd>,
    /// For Rspamd.
    http: Option<reqwest::Client>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Screening")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Screening {
    /// The checks by these settings.
    pub fn new(
        settings: Settings,
        storage: Storage,
        resolver: Resolver,
        clock: Clock,
        trace: Trace,
        hostname: String,
    ) -> Self {
        let authenticator = resolver.authenticator();
        let crowd = Arc::default();
        let http = (!settings.rspamd.url.is_empty()).then(rspamd::client);
        let inner = Inner {
            settings,
            storage,
            resolver,
            authenticator,
            clock,
            trace,
            hostname,
            crowd,
            http: http.flatten(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// A client has connected, from `peer` (as PROXY or XCLIENT tell it) to `local`.
    pub fn visit(&self, peer: IpAddr, local: Option<SocketAddr>) -> Visit {
        Visit::new(Arc::clone(&self.inner), peer, local)
    }
}

fn count(check: &'static str, result: &'static str) {
    metrics::counter!("eider_checks_total", "check" => check, "result" => result).increment(1);
}
