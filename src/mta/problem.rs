//! Why a message did not leave.

use crate::codec::smtp::enhanced_status::EnhancedStatus;
use crate::codec::smtp::server_reply::ServerReply;
use crate::net::tls_client::Fault;
use std::net::IpAddr;

/// What was wrong with TLS, as reports tell it (RFC 8460 §4.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TlsFailure {
    /// The server does not offer it.
    NotOffered,
    /// The certificate is for others, or the host is not one of the policy's.
    Name,
    /// The certificate's time is over.
    Time,
    /// Nobody who is trusted vouches for it.
    Trust,
    /// Anything else.
    Other,
}

impl From<Fault> for TlsFailure {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Name => Self::Name,
            Fault::Time => Self::Time,
            Fault::Trust => Self::Trust,
            Fault::Other => Self::Other,
        }
    }
}

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
    /// It is TLS that failed.
    pub tls: Option<TlsFailure>,
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
            tls: None,
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

    /// TLS failed.
    pub fn of_tls(failure: TlsFailure, words: impl Into<String>) -> Self {
        // RFC 3463 §3.8: TLS that is not there, or is not good enough
        let detail = if failure == TlsFailure::NotOffered { 4 } else { 5 };
        Self { tls: Some(failure), ..Self::temporary((4, 7, detail), words) }
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
            tls: None,
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
