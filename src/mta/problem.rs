//! Why a message did not leave.

use crate::codec::smtp::enhanced_status::EnhancedStatus;
use crate::codec::smtp::server_reply::ServerReply;
use std::net::IpAddr;

/// Why, and who said so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Asking again does not help.
    pub is_permanent: bool,
    /// For programs.
    pub status: EnhancedStatus,
    /// The server's reply, or our words.
    pub words: String,
    /// They are the server's.
    pub is_reply: bool,
    /// The server; empty: none was reached.
    pub host: String,
    /// Its address.
    pub peer: Option<IpAddr>,
    /// The connection is of no more use.
    pub is_fatal: bool,
}

impl Problem {
    fn new(is_permanent: bool, status: (u8, u16, u16), words: impl Into<String>) -> Self {
        let (class, subject, detail) = status;
        Self {
            is_permanent,
            status: EnhancedStatus::new(class, subject, detail),
            words: words.into(),
            is_reply: false,
            host: String::new(),
            peer: None,
            is_fatal: false,
        }
    }

    /// One that stays.
    pub fn permanent(status: (u8, u16, u16), words: impl Into<String>) -> Self {
        Self::new(true, status, words)
    }

    /// One that may pass.
    pub fn temporary(status: (u8, u16, u16), words: impl Into<String>) -> Self {
        Self::new(false, status, words)
    }

    /// The connection broke, or the server is silent.
    pub fn broken(error: &std::io::Error) -> Self {
        let words = match error.kind() {
            std::io::ErrorKind::TimedOut => "no answer in time".to_owned(),
            _ => format!("the connection broke: {error}"),
        };
        Self { is_fatal: true, ..Self::temporary((4, 4, 2), words) }
    }

    /// What a server said.
    pub fn reply(reply: &ServerReply) -> Self {
        Self {
            is_permanent: reply.is_permanent(),
            status: reply.status_or_class(),
            words: reply.to_string(),
            is_reply: true,
            host: String::new(),
            peer: None,
            // RFC 5321 §3.8: it closes
            is_fatal: reply.code == 421,
        }
    }

    /// The same, to be tried again whatever was said.
    #[must_use]
    pub fn passing(mut self) -> Self {
        self.is_permanent = false;
        self.status.class = 4;
        self
    }

    /// The same, said by this server.
    #[must_use]
    pub fn at(mut self, host: &str, peer: Option<IpAddr>) -> Self {
        if self.host.is_empty() {
            host.clone_into(&mut self.host);
            self.peer = peer;
        }
        self
    }
}
