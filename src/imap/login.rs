//! LOGIN, AUTHENTICATE, STARTTLS (RFC 9051 §6.2, RFC 4616, RFC 4959).

use super::capability::capabilities;
use super::reply::{Failure, Outcome, Reply};
use super::session::{Login, Session};
use crate::auth::authenticate::Protocol;
use crate::auth::mechanism::{Connection, Exchange, Mechanism, Step};
use crate::codec::imap::framing::Line;
use crate::codec::imap::response_code::ResponseCode;
use crate::codec::sasl::{self, LineError, decode_line};
use crate::model::error::Error;
use crate::model::user::User;

impl Session {
    /// STARTTLS: the handshake follows the reply.
    pub fn starttls(&mut self) -> Outcome {
        if self.stream.is_tls() {
            return Err(Reply::bad("TLS is in force already").into());
        }
        if self.stream.is_compressed() {
            // after UNAUTHENTICATE (RFC 8437 §4)
            return Err(Reply::bad("The connection is compressed").into());
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
        let Some(mechanism) = Mechanism::from_name(mechanism) else {
            return Err(Reply::no(ResponseCode::Cannot, "Unsupported mechanism").into());
        };
        self.require_privacy()?;
        let connection = Connection {
            protocol: Protocol::Imap,
            peer: self.stream.peer().ip(),
            bindings: self.stream.channel_bindings(),
        };
        let mut exchange = Exchange::new(mechanism, connection);
        let mut challenge = exchange.first_challenge().to_vec();
        let mut next = initial;
        loop {
            let response = match next.take() {
                Some(response) => response,
                None => self.challenge(&challenge).await?,
            };
            match self.context.authenticator.respond(&mut exchange, response).await {
                Ok(Step::Challenge(next)) => challenge = next,
                Ok(Step::Done(login)) => return self.enter(login.user),
                Err(Error::Invalid { reason, .. }) => return Err(Reply::bad(reason).into()),
                Err(error) => return Err(error.into()),
            }
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
    async fn challenge(&mut self, challenge: &[u8]) -> Outcome<Vec<u8>> {
        let challenge = sasl::encode_challenge(challenge);
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
        decode_line(&line).map_err(|error| {
            // RFC 9051 §6.2.2: `*` cancels the exchange
            let text = match error {
                LineError::Cancelled => "Authentication cancelled",
                LineError::NotBase64 => "The response is not base64",
                LineError::TooLong => "The response is too long",
            };
            Reply::bad(text).into()
        })
    }

    async fn log_in(&mut self, user: &str, password: &str) -> Outcome {
        let peer = self.stream.peer().ip();
        let authenticator = &self.context.authenticator;
        let user = authenticator.authenticate(user, password, Protocol::Imap, peer).await?;
        self.enter(user)
    }

    /// What follows from a login.
    fn enter(&mut self, user: User) -> Outcome {
        let of_door = u64::try_from(self.context.settings.connections_per_user_max);
        let max = match user.rules.imap_connections_max {
            0 => of_door.unwrap_or(u64::MAX),
            own => own,
        };
        let permit = self.context.authenticator.sessions().enter(user.id, max)?;
        let span = tracing::Span::current();
        span.record("user.id", tracing::field::display(user.id));
        let ends = self.context.notifier.subscribe_sessions(user.id);
        self.login = Some(Login::new(user, ends, permit));
        self.begin_traffic();
        let names = capabilities(self);
        Ok(Reply::ok("Logged in").with(ResponseCode::Capability(names)))
    }
}
