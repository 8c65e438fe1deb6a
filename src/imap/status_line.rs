//! The meaning of an error in IMAP's words; the only such place of this door (RFC 9051 §7.1, RFC
//! 5530).

use super::reply::Reply;
use crate::codec::imap::response_code::ResponseCode;
use crate::model::error::Error;

/// The tagged response of a failed operation. It is logged here when somebody must know.
pub fn reply_of(error: &Error) -> Reply {
    match error {
        Error::NotFound { what } => Reply::no(ResponseCode::Nonexistent, format!("No such {what}")),
        Error::AlreadyExists { what } => {
            Reply::no(ResponseCode::AlreadyExists, format!("There is such a {what} already"))
        }
        Error::Invalid { reason, .. } => Reply::no(ResponseCode::Cannot, printable(reason)),
        Error::Unauthenticated => {
            Reply::no(ResponseCode::AuthenticationFailed, "Authentication failed")
        }
        Error::Forbidden { reason } => Reply::no(ResponseCode::NoPerm, *reason),
        Error::OverQuota => Reply::no(ResponseCode::OverQuota, "The quota is exhausted"),
        Error::TooLarge { octets_max } => Reply::no(
            ResponseCode::TooBig,
            format!("Messages of at most {octets_max} octets are accepted"),
        ),
        Error::LimitReached { limit } => {
            Reply::no(ResponseCode::Limit, printable(&format!("Limit reached: {limit}")))
        }
        Error::Throttled { retry_after_s } => Reply::no(
            ResponseCode::Limit,
            format!("Too many attempts, try again in {retry_after_s} seconds"),
        ),
        Error::Conflict { reason } => Reply::no(ResponseCode::InUse, *reason),
        Error::Unavailable { reason, .. } => {
            tracing::warn!(error = %Chain(error), "unavailable");
            Reply::no(ResponseCode::Unavailable, format!("Try again later: {reason}"))
        }
        Error::Internal { .. } => {
            tracing::error!(error = %Chain(error), "internal error");
            Reply::no(ResponseCode::ServerBug, "Internal error, it has been logged")
        }
    }
}

/// As [`reply_of`], for the target of APPEND, COPY and MOVE.
pub fn reply_of_target(error: &Error) -> Reply {
    match error {
        // RFC 9051 §6.3.12, §6.4.7: without TRYCREATE the client cannot know that CREATE would help
        Error::NotFound { what: "mailbox" } => {
            Reply::no(ResponseCode::TryCreate, "No such mailbox, create it first")
        }
        other => reply_of(other),
    }
}

/// The text of a reply is one line of ASCII: it may repeat what a client sent.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}

/// An error with what caused it.
struct Chain<'a>(&'a Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = std::error::Error::source(self.0);
        while let Some(cause) = next {
            write!(f, ": {cause}")?;
            next = cause.source();
        }
        Ok(())
    }
}
