//! The meaning of an error in POP3's words; the only such place of this door (RFC 2449 §8, RFC
//! 3206).

use super::reply::Reply;
use crate::codec::pop3::reply::ResponseCode;
use crate::model::error::Error;

/// The reply to a failed operation. It is logged here when somebody must know.
pub fn reply_of(error: &Error) -> Reply {
    match error {
        Error::NotFound { what } => Reply::refused(format!("no such {what}")),
        Error::AlreadyExists { what } => Reply::refused(format!("there is such a {what} already")),
        Error::Invalid { reason, .. } => Reply::refused(reason.clone()),
        Error::Unauthenticated => Reply::with_code(ResponseCode::Auth, "authentication failed"),
        // RFC 3206 §6: also an account that may not log in, or not here
        Error::Forbidden { reason } => Reply::with_code(ResponseCode::Auth, *reason),
        Error::OverQuota => Reply::refused("the quota is exhausted"),
        Error::TooLarge { octets_max } => Reply::refused(format!("more than {octets_max} octets")),
        Error::LimitReached { limit } => Reply::refused(format!("limit reached: {limit}")),
        Error::Throttled { retry_after_s } => Reply::with_code(
            ResponseCode::LoginDelay,
            format!("too many attempts, try again in {retry_after_s} seconds"),
        ),
        Error::Conflict { reason } => Reply::with_code(ResponseCode::InUse, *reason),
        Error::Unavailable { reason, .. } => {
            tracing::warn!(error = %Chain(error), "unavailable");
            Reply::with_code(ResponseCode::SysTemp, format!("try again later: {reason}"))
        }
        Error::Internal { .. } => {
            tracing::error!(error = %Chain(error), "internal error");
            Reply::with_code(ResponseCode::SysTemp, "internal error, it has been logged")
        }
    }
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
