//! SMTP's receiving side: one session, several roles (RFC 5321). The LMTP role (RFC 2033) exists.
//!
//! `session.rs` reads commands and answers them; `mail.rs`, `rcpt.rs`, `data.rs` are the steps of a
//! transaction; `lmtp.rs` is what that role does differently.

mod data;
pub mod lmtp;
mod mail;
mod rcpt;
pub mod reply_line;
mod session;
pub mod settings;
mod transaction;

use crate::delivery::Delivery;
use crate::directory::Directory;
use crate::net::tls::TlsAcceptor;
use crate::tasks::Tasks;
use settings::Settings;
use std::path::PathBuf;
use std::sync::Arc;

/// What a session of this door uses.
#[derive(Clone, Debug)]
pub struct Context {
    /// Who exists.
    pub directory: Directory,
    /// Where messages go.
    pub delivery: Delivery,
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
}
