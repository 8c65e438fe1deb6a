//! SMTP's receiving side: one session, three roles (RFC 5321): relay-in, submission (RFC 6409) and
//! LMTP (RFC 2033).
//!
//! `session.rs` reads commands and answers them; `role.rs` is what each role offers; `mail.rs`,
//! `rcpt.rs`, `data.rs` are the steps of a transaction, which ends in `relay.rs`, `submission.rs` or
//! `lmtp.rs`; `screen.rs` asks the checks on strangers; `auth.rs` and `xclient.rs` say who the client is;
//! `burl.rs` fetches content from mailboxes.

mod auth;
mod burl;
mod data;
mod lmtp;
mod mail;
mod rcpt;
mod relay;
pub mod reply_line;
pub mod role;
mod screen;
mod session;
pub mod settings;
mod submission;
mod transaction;
mod xclient;

use crate::auth::Authenticator;
use crate::clock::Clock;
use crate::delivery::Delivery;
use crate::directory::Directory;
use crate::mailstore::Mailstore;
use crate::net::listener::{Listener, Permits, serve as serve_listeners};
use crate::net::network::Network;
use crate::net::stream::Stream;
use crate::net::tls::TlsAcceptor;
use crate::screening::Screening;
use crate::tasks::Tasks;
use role::Role;
use session::Session;
use settings::Settings;
use std::path::PathBuf;
use std::sync::Arc;

/// What one connection too many is told.
pub const REFUSAL: &[u8] = b"421 4.3.2 too many connections\r\n";

/// What a session of this door uses.
#[derive(Clone, Debug)]
pub struct Context {
    /// Who is at the other end.
    pub role: Role,
    /// Who exists.
    pub directory: Directory,
    /// Logins.
    pub authenticator: Authenticator,
    /// Where messages go.
    pub delivery: Delivery,
    /// Where copies of sent messages go.
    pub mailstore: Mailstore,
    /// What is checked of mail from strangers.
    pub screening: Screening,
    /// Time.
    pub clock: Clock,
    /// The node's tasks: sessions end when they stop.
    pub tasks: Tasks,
    /// For STARTTLS; `None`: not offered.
    pub tls: Option<TlsAcceptor>,
    /// Our name in the greeting.
    pub hostname: Arc<str>,
    /// Where large messages are while they are received; made when first needed.
    pub spool_dir: PathBuf,
    /// The door's settings.
    pub settings: Settings,
    /// Networks whose clients may send a password without TLS.
    pub plaintext_auth_from: Vec<Network>,
}

/// Serves a role on these listeners until the tasks stop.
pub fn serve(context: Context, listeners: Vec<Listener>) {
    let permits = Permits::new(context.settings.connections_max, REFUSAL);
    let (tasks, name) = (context.tasks.clone(), context.role.name());
    let context = Arc::new(context);
    serve_listeners(name, listeners, permits, &tasks, move |stream| {
        serve_connection(Arc::clone(&context), stream)
    });
}

/// Serves one connection to its end.
pub async fn serve_connection(context: Arc<Context>, stream: Stream) {
    Session::new(context, stream).run().await;
}
