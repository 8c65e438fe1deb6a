//! The IMAP door: RFC 9051 and RFC 3501.
//!
//! Grammar is in `codec::imap`; here is what the commands do. A session is one task that owns its
//! connection; it reads a command, runs it, writes its answer, and reads the next.

mod acl;
mod append;
mod assemble;
mod capability;
mod compress;
mod copy;
mod dispatch;
mod enable;
mod expunge;
mod fetch;
mod fetch_section;
mod i18n;
mod id;
mod idle;
mod list;
mod literals;
mod login;
mod mailbox;
mod message_limit;
mod message_set;
mod metadata;
mod names;
mod notify;
mod progress;
mod quota;
mod replace;
mod reply;
mod resync;
mod rights;
mod search;
mod select;
mod selected;
mod session;
pub mod settings;
mod status;
mod status_line;
mod store;
mod sync;
mod traffic;
mod uid_chunks;
mod unauthenticate;
mod urlauth;
mod wait;
mod watch;

#[cfg(test)]
pub(crate) use reply::Reply;
#[cfg(test)]
pub(crate) use status_line::{reply_of, reply_of_target};

use crate::auth::Authenticator;
use crate::clock::Clock;
use crate::cluster::notifier::Notifier;
use crate::mailstore::Mailstore;
use crate::net::stream::Stream;
use crate::net::tls::TlsAcceptor;
use literals::LargeCommands;
use settings::Settings;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What a session uses; cheap to clone.
#[derive(Clone, Debug)]
pub struct Context {
    /// Mailboxes and messages.
    pub mailstore: Mailstore,
    /// Logins.
    pub authenticator: Authenticator,
    /// Wakes.
    pub notifier: Notifier,
    /// Time.
    pub clock: Clock,
    /// Settings of this door.
    pub settings: Arc<Settings>,
    /// STARTTLS is offered when there is one.
    pub tls: Option<TlsAcceptor>,
    /// Where large messages are while they are received; made when first needed.
    pub spool_dir: Arc<Path>,
    /// What the node has in memory of them.
    pub large_commands: LargeCommands,
}

impl Context {
    /// The context of all sessions of a node.
    pub fn new(
        mailstore: Mailstore,
        authenticator: Authenticator,
        notifier: Notifier,
        clock: Clock,
        settings: Settings,
        (tls, spool_dir): (Option<TlsAcceptor>, PathBuf),
    ) -> Self {
        let settings = Arc::new(settings);
        let (spool_dir, large_commands) = (spool_dir.into(), LargeCommands::new());
        Self { mailstore, authenticator, notifier, clock, settings, tls, spool_dir, large_commands }
    }
}

/// Serves one connection until it ends. `stop`: the node is stopping, the session says BYE at its
/// next wait.
pub async fn serve_connection(context: Context, stream: Stream, stop: CancellationToken) {
    session::run(context, stream, stop).await;
}
