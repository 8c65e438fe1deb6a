//! SASL mechanisms (RFC 4422) and how far an exchange has come. Doors carry the exchanges:
//! RFC 9051 §6.2.2, RFC 5034, RFC 4954.

use super::authenticate::{Login, Protocol};
use super::scram::Handshake;
use std::net::IpAddr;

/// A way to say who one is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mechanism {
    /// RFC 7677 with the channel bound to it (RFC 5929, RFC 9266).
    ScramSha256Plus,
    /// RFC 7677.
    ScramSha256,
    /// RFC 4616.
    Plain,
    /// Name and password in two responses, as old clients do; never standardised.
    Login,
    /// A token of `POST /authenticate` (RFC 7628).
    OAuthBearer,
    /// The same as Google had it first.
    XOAuth2,
}

impl Mechanism {
    /// All of them, the best first.
    pub const EVERY: [Self; 6] = [
        Self::ScramSha256Plus,
        Self::ScramSha256,
        Self::Plain,
        Self::Login,
        Self::OAuthBearer,
        Self::XOAuth2,
    ];

    /// Its registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::OAuthBearer => "OAUTHBEARER",
            Self::XOAuth2 => "XOAUTH2",
        }
    }

    /// The mechanism of a name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
    }

    /// Those of a connection, the best first; without TLS there is nothing to bind to.
    pub fn offered(is_tls: bool) -> impl Iterator<Item = Self> {
        Self::EVERY
            .into_iter()
            .filter(move |mechanism| *mechanism != Self::ScramSha256Plus || is_tls)
    }
}

/// Where an exchange takes place.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The door.
    pub protocol: Protocol,
    /// The client's address.
    pub peer: IpAddr,
    /// What the channel can be bound to, by type; empty without TLS.
    pub bindings: Vec<(&'static str, Vec<u8>)>,
}

/// One exchange.
#[derive(Debug)]
pub struct Exchange {
    pub(super) mechanism: Mechanism,
    pub(super) connection: Connection,
    pub(super) state: State,
}

/// How far it has come.
#[derive(Debug)]
pub(super) enum State {
    /// Nothing was said.
    Begun,
    /// LOGIN has said a name.
    Named(String),
    /// SCRAM waits for the proof.
    Challenged(Box<Handshake>),
    /// SCRAM has proved itself, too; the client has to take note.
    Proved(Box<Login>),
    /// A token was refused; the client has to take note.
    Refused(crate::model::error::Error),
    /// Over.
    Ended,
}

/// What comes next.
#[derive(Debug)]
pub enum Step {
    /// Another challenge, before base64.
    Challenge(Vec<u8>),
    /// This is who it is.
    Done(Box<Login>),
}

impl Exchange {
    /// An exchange that has not begun.
    pub const fn new(mechanism: Mechanism, connection: Connection) -> Self {
        Self { mechanism, connection, state: State::Begun }
    }

    /// The challenge for clients that send no initial response, before base64.
    pub const fn first_challenge(&self) -> &'static [u8] {
        match self.mechanism {
            Mechanism::Login => b"Username:",
            _ => b"",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_any_case() {
        for mechanism in Mechanism::EVERY {
            let name = mechanism.name().to_lowercase();
            assert_eq!(Mechanism::from_name(&name), Some(mechanism));
        }
        assert_eq!(Mechanism::from_name("CRAM-MD5"), None);
        assert!(Mechanism::offered(false).all(|one| one != Mechanism::ScramSha256Plus));
        assert_eq!(Mechanism::offered(true).count(), 6);
    }
}
