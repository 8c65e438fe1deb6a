//! AUTH: who submits (RFC 4954).

use super::reply_line::bad_sequence;
use super::role::Role;
use super::session::{Ending, Session};
use crate::auth::authenticate::Protocol;
use crate::auth::mechanism::{Connection, Exchange, Mechanism, Step};
use crate::codec::sasl::{LINE_OCTETS_MAX, LineError, decode_line, encode_challenge};
use crate::codec::smtp::reply::Reply;
use crate::model::error::Error;
use crate::net::network::any_contains;

impl Session {
    /// The mechanisms that work here; `None`: there is no AUTH.
    pub(super) fn mechanisms(&self) -> Option<Vec<&'static str>> {
        let is_offered = self.context.role == Role::Submission && self.may_send_password();
        let names = Mechanism::offered(self.stream.is_tls()).map(Mechanism::name);
        is_offered.then(|| names.collect())
    }

    fn may_send_password(&self) -> bool {
        let peer = self.stream.peer().ip();
        self.stream.is_tls() || any_contains(&self.context.plaintext_auth_from, peer)
    }

    /// Runs an exchange.
    pub(super) async fn auth(
        &mut self,
        mechanism: &str,
        initial: Option<String>,
    ) -> Result<Reply, Ending> {
        let mechanism = match self.refuse_auth(mechanism) {
            Ok(mechanism) => mechanism,
            Err(refusal) => return Ok(refusal),
        };
        let connection = Connection {
            protocol: Protocol::Smtp,
            peer: self.stream.peer().ip(),
            bindings: self.stream.channel_bindings(),
        };
        let mut exchange = Exchange::new(mechanism, connection);
        let mut challenge = exchange.first_challenge().to_vec();
        let mut next = initial.map(|text| match text.as_str() {
            // RFC 4954 §4: an empty initial response
            "=" => Ok(Vec::new()),
            text => decode_line(text.as_bytes()),
        });
        loop {
            let response = match next.take() {
                Some(response) => response,
                None => self.challenge(&challenge).await?,
            };
            let response = match response {
                Ok(response) => response,
                Err(error) => return Ok(reply_to_line_error(error)),
            };
            match self.context.authenticator.respond(&mut exchange, response).await {
                Ok(Step::Challenge(next)) => challenge = next,
                Ok(Step::Done(login)) => {
                    self.user = Some(login.user);
                    return Ok(Reply::new(235, (2, 7, 0), "welcome"));
                }
                Err(error) => {
                    self.log_error(&error);
                    return Ok(reply_to_auth_error(&error));
                }
            }
        }
    }

    fn refuse_auth(&self, mechanism: &str) -> Result<Mechanism, Reply> {
        if self.context.role != Role::Submission {
            return Err(Reply::new(502, (5, 5, 1), "nobody logs in here"));
        }
        if self.helo.is_none() {
            return Err(bad_sequence("greet first"));
        }
        // RFC 4954 §4: once a session, and not in a transaction
        if self.user.is_some() {
            return Err(bad_sequence("you are logged in"));
        }
        if self.transaction.is_some() {
            return Err(bad_sequence("a transaction has begun already"));
        }
        let found = Mechanism::from_name(mechanism);
        let unknown = || Reply::new(504, (5, 5, 4), "unsupported mechanism");
        let mechanism = found.ok_or_else(unknown)?;
        // RFC 4954 §6
        let use_tls = || Reply::new(538, (5, 7, 11), "use TLS first");
        if self.may_send_password() { Ok(mechanism) } else { Err(use_tls()) }
    }

    async fn challenge(&mut self, challenge: &[u8]) -> Result<Result<Vec<u8>, LineError>, Ending> {
        self.reply(&Reply::plain(334, encode_challenge(challenge)));
        let line = self.read_line(LINE_OCTETS_MAX).await?;
        Ok(decode_line(line.trim_ascii_end()))
    }
}

/// RFC 4954 §4: a response that is none.
fn reply_to_line_error(error: LineError) -> Reply {
    match error {
        LineError::Cancelled => Reply::new(501, (5, 7, 0), "authentication cancelled"),
        LineError::NotBase64 => Reply::new(501, (5, 5, 2), "the response is not base64"),
        LineError::TooLong => Reply::new(500, (5, 5, 6), "the response is too long"),
    }
}

/// RFC 4954 §6: what failed is told apart from what may work later.
fn reply_to_auth_error(error: &Error) -> Reply {
    match error {
        Error::Invalid { reason, .. } => Reply::new(501, (5, 5, 2), reason.to_string()),
        Error::Forbidden { reason } => Reply::new(535, (5, 7, 8), *reason),
        Error::Throttled { .. } => Reply::new(454, (4, 7, 0), "too many attempts; try again later"),
        Error::Unavailable { .. } | Error::Conflict { .. } | Error::Internal { .. } => {
            Reply::new(454, (4, 7, 0), "temporary authentication failure")
        }
        _ => Reply::new(535, (5, 7, 8), "authentication failed"),
    }
}
