//! LOGIN, AUTHENTICATE, STARTTLS (RFC 9051 §6.2, RFC 4616, RFC 4959).

use super::capability::capabilities;
use super::reply::{Failure, Outcome, Reply};
use super::session::{Login, Session};
use crate::auth::authenticate::Protocol;
use crate::codec::imap::framing::Line;
use crate::codec::imap::response_code::ResponseCode;
use crate::model::error::Error;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Octets of a decoded SASL response.
const RESPONSE_OCTETS_MAX: usize = 12 * 1024;

impl Session {
    /// STARTTLS: the handshake follows the reply.
    pub fn starttls(&mut self) -> Outcome {
        if self.stream.is_tls() {
            return Err(Reply::bad("TLS is in force already").into());
        }
        if self.context.tls.is_none() {
            return Err(Reply::bad("TLS is not available").into());
        }
        self.is_starttls_due = true;
        Ok(Reply::ok("Begin TLS now"))
    }

    /// LOGIN.
    pub async fn login(&mut self, user: &str, password: &str) -> Outcome {
        self.require_privacy()?;
        self.log_in(user, password).await
    }

    /// AUTHENTICATE.
    pub async fn authenticate(&mut self, mechanism: &str, initial: Option<Vec<u8>>) -> Outcome {
        match mechanism {
            "PLAIN" => {
                self.require_privacy()?;
                let response = match initial {
                    Some(initial) => initial,
                    None => self.challenge("").await?,
                };
                let (user, password) = read_plain(&response)?;
                self.log_in(&user, &password).await
            }
            "LOGIN" => {
                self.require_privacy()?;
                let user = match initial {
                    Some(initial) => initial,
                    None => self.challenge("Username:").await?,
                };
                let password = self.challenge("Password:").await?;
                self.log_in(&text(user)?, &text(password)?).await
            }
            _ => Err(Reply::no(ResponseCode::Cannot, "Unsupported mechanism").into()),
        }
    }

    fn require_privacy(&self) -> Outcome<()> {
        if self.may_send_password() {
            return Ok(());
        }
        // RFC 5530 §3
        Err(Reply::no(ResponseCode::PrivacyRequired, "Use TLS first").into())
    }

    /// Sends a challenge and reads the response.
    async fn challenge(&mut self, challenge: &str) -> Outcome<Vec<u8>> {
        let challenge = STANDARD.encode(challenge);
        self.writer().continuation(&challenge);
        self.stream.flush().await?;
        let line = loop {
            match self.framer.next_line() {
                Line::Line(line) => break line,
                Line::TooLong => return Err(Reply::bad("The response is too long").into()),
                Line::Incomplete => {
                    if !self.read().await? {
                        return Err(Failure::Bye("Closed during AUTHENTICATE"));
                    }
                    if self.stop.is_cancelled() {
                        return Err(Failure::Bye("The server is shutting down"));
                    }
                }
            }
        };
        // RFC 9051 §6.2.2: `*` cancels the exchange
        if line.as_ref() == b"*" {
            return Err(Reply::bad("Authentication cancelled").into());
        }
        match STANDARD.decode(&line) {
            Ok(response) if response.len() <= RESPONSE_OCTETS_MAX => Ok(response),
            Ok(_) => Err(Reply::bad("The response is too long").into()),
            Err(_) => Err(Reply::bad("The response is not base64").into()),
        }
    }

    async fn log_in(&mut self, user: &str, password: &str) -> Outcome {
        let peer = self.stream.peer().ip();
        let authenticator = &self.context.authenticator;
        let user = authenticator.authenticate(user, password, Protocol::Imap, peer).await?;
        let permit = self.context.users.enter(user.id)?;
        let span = tracing::Span::current();
        span.record("user.id", tracing::field::display(user.id));
        let ends = self.context.notifier.subscribe_sessions(user.id);
        self.login = Some(Login::new(user, ends, permit));
        let names = capabilities(self);
        Ok(Reply::ok("Logged in").with(ResponseCode::Capability(names)))
    }
}

/// `[authzid] NUL authcid NUL passwd` (RFC 4616 §2).
fn read_plain(response: &[u8]) -> Outcome<(String, String)> {
    let mut parts = response.split(|octet| *octet == 0);
    let (Some(authzid), Some(user), Some(password), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Reply::bad("Not a PLAIN response").into());
    };
    // nobody may act for somebody else by this way
    if !authzid.is_empty() && authzid != user {
        return Err(Error::Unauthenticated.into());
    }
    Ok((text(user.to_vec())?, text(password.to_vec())?))
}

fn text(octets: Vec<u8>) -> Outcome<String> {
    String::from_utf8(octets).map_err(|_| Reply::bad("The response is not UTF-8").into())
}
