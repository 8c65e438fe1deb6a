//! The POP3 door: RFC 1939 with CAPA, SASL, STLS, UTF8 and LANG.
//!
//! Grammar is in `codec::pop3`. A session is one task; after login it holds the lease of its user's
//! maildrop, so that on all nodes one session at a time sees it. Nothing changes before QUIT.

mod authorization;
mod capability;
mod maildrop;
mod reply;
mod retrieve;
mod session;
pub mod settings;
mod status_line;
mod transaction;

#[cfg(test)]
pub(crate) use reply::Reply;
#[cfg(test)]
pub(crate) use status_line::reply_of;

use crate::auth::Authenticator;
use crate::auth::allowance::Allowances;
use crate::cluster::lease::Leases;
use crate::cluster::notifier::Notifier;
use crate::directory::Directory;
use crate::mailstore::Mailstore;
use crate::net::stream::Stream;
use crate::net::tls::TlsAcceptor;
use settings::Settings;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What a session uses; cheap to clone.
#[derive(Clone, Debug)]
pub struct Context {
    /// Messages.
    pub mailstore: Mailstore,
    /// Logins.
    pub authenticator: Authenticator,
    /// The limits of each user.
    pub directory: Directory,
    /// What is counted of each user.
    pub allowances: Allowances,
    /// Rings when a user's sessions have to end.
    pub notifier: Notifier,
    /// One session a maildrop.
    pub leases: Leases,
    /// Settings of this door.
    pub settings: Arc<Settings>,
    /// STLS is offered when there is one.
    pub tls: Option<TlsAcceptor>,
}

/// Serves one connection until it ends. `stop`: the node is stopping, the session ends at its next
/// wait.
pub async fn serve_connection(context: Context, stream: Stream, stop: CancellationToken) {
    session::run(context, stream, stop).await;
}
