//! SASL exchanges as state machines (RFC 4422): which challenge comes next, and what the responses
//! amount to. Doors carry them: RFC 9051 §6.2.2, RFC 5034, RFC 4954.

use crate::codec::sasl::Plain;
use crate::model::error::{Error, Result};

/// A way to say who one is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mechanism {
    /// RFC 4616.
    Plain,
    /// Name and password in two responses, as old clients do; never standardised.
    Login,
}

impl Mechanism {
    /// All of them, the best first.
    pub const EVERY: [Self; 2] = [Self::Plain, Self::Login];

    /// Its registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
        }
    }

    /// The mechanism of a name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
    }
}

/// What a client has said of itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// A username or an own address.
    pub username: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// One exchange.
#[derive(Clone)]
pub struct Exchange {
    mechanism: Mechanism,
    username: Option<String>,
}

impl Exchange {
    /// An exchange that has not begun.
    pub const fn new(mechanism: Mechanism) -> Self {
        Self { mechanism, username: None }
    }

    /// The challenge the client waits for now, before base64.
    pub const fn challenge(&self) -> &'static str {
        match (self.mechanism, &self.username) {
            (Mechanism::Plain, _) => "",
            (Mechanism::Login, None) => "Username:",
            (Mechanism::Login, Some(_)) => "Password:",
        }
    }

    /// Takes a response (the initial one too), after base64. `None`: there is another
    /// [`Self::challenge`].
    ///
    /// # Errors
    /// `Invalid` when it is not one of this mechanism; `Unauthenticated` when the client wants to
    /// act as somebody else.
    pub fn respond(&mut self, response: Vec<u8>) -> Result<Option<Credentials>> {
        let malformed = || Error::invalid("response", "not a response of this mechanism");
        match (self.mechanism, self.username.take()) {
            (Mechanism::Plain, _) => {
                let plain = Plain::parse(&response).ok_or_else(malformed)?;
                let (authzid, authcid) = (plain.authorization_id, plain.authentication_id);
                // nobody may act for somebody else by this way
                if !authzid.is_empty() && authzid != authcid {
                    return Err(Error::Unauthenticated);
                }
                Ok(Some(Credentials { username: authcid, password: plain.password }))
            }
            (Mechanism::Login, None) => {
                self.username = Some(String::from_utf8(response).map_err(|_| malformed())?);
                Ok(None)
            }
            (Mechanism::Login, Some(username)) => {
                let password = String::from_utf8(response).map_err(|_| malformed())?;
                Ok(Some(Credentials { username, password }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exchanges_end_with_credentials() {
        let credentials = |username: &str, password: &str| {
            Some(Credentials { username: username.into(), password: password.into() })
        };
        let mut plain = Exchange::new(Mechanism::Plain);
        assert_eq!(plain.challenge(), "");
        assert_eq!(plain.respond(b"\0a\0b".to_vec()).unwrap(), credentials("a", "b"));
        let mut login = Exchange::new(Mechanism::Login);
        assert_eq!(login.challenge(), "Username:");
        assert_eq!(login.respond(b"a".to_vec()).unwrap(), None);
        assert_eq!(login.challenge(), "Password:");
        assert_eq!(login.respond(b"b c".to_vec()).unwrap(), credentials("a", "b c"));
    }

    #[test]
    fn bad_responses_are_refused() {
        let plain = |response: &[u8]| Exchange::new(Mechanism::Plain).respond(response.to_vec());
        assert!(matches!(plain(b"x"), Err(Error::Invalid { .. })));
        assert!(matches!(plain(b"other\0a\0b"), Err(Error::Unauthenticated)));
        assert!(plain(b"a\0a\0b").is_ok());
        let mut login = Exchange::new(Mechanism::Login);
        assert!(matches!(login.respond(vec![0xff]), Err(Error::Invalid { .. })));
        assert_eq!(Mechanism::from_name("plain"), Some(Mechanism::Plain));
        assert_eq!(Mechanism::from_name("CRAM-MD5"), None);
    }
}
