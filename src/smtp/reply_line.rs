//! Errors as replies: the only place in this door that decides codes for them.

use crate::codec::smtp::command::SyntaxErrorKind;
use crate::codec::smtp::reply::Reply;
use crate::model::error::Error;

/// The reply to an operation that failed. When in doubt it is 4xx: the sender keeps the message.
pub fn reply_to_error(error: &Error) -> Reply {
    match error {
        Error::NotFound { what } => Reply::new(550, (5, 1, 1), format!("{what} not found")),
        // Nothing a mail transaction does can meet these two; the sender shall ask again.
        Error::AlreadyExists { .. } => Reply::new(451, (4, 3, 0), "try again later"),
        Error::Conflict { .. } => Reply::new(451, (4, 3, 0), "try again later"),
        Error::Invalid { field, reason } => {
            Reply::new(501, (5, 1, 3), format!("{field}: {reason}"))
        }
        Error::Unauthenticated => Reply::new(535, (5, 7, 8), "authentication failed"),
        Error::Forbidden { reason } => Reply::new(550, (5, 7, 1), *reason),
        Error::OverQuota => over_quota(),
        Error::TooLarge { octets_max } => too_large(*octets_max),
        Error::LimitReached { limit } => {
            Reply::new(452, (4, 5, 3), format!("limit reached: {limit}"))
        }
        Error::Throttled { .. } => Reply::new(451, (4, 7, 1), "too many attempts; try again later"),
        Error::Unavailable { .. } => {
            Reply::new(451, (4, 3, 0), "temporarily unavailable; try again later")
        }
        Error::Internal { .. } => Reply::new(451, (4, 3, 0), "internal error; try again later"),
    }
}

/// The reply to a line that is not a command.
pub fn reply_to_syntax_error(kind: SyntaxErrorKind) -> Reply {
    match kind {
        // RFC 3463 §3.6: X.5.1 "either out of sequence or unsupported"
        SyntaxErrorKind::UnknownCommand => Reply::new(500, (5, 5, 1), "command not recognised"),
        SyntaxErrorKind::Arguments => Reply::new(501, (5, 5, 4), "wrong arguments"),
        SyntaxErrorKind::ReversePath => Reply::new(501, (5, 1, 7), "not a reverse-path"),
        SyntaxErrorKind::ForwardPath => Reply::new(501, (5, 1, 3), "not a forward-path"),
        // RFC 5321 §4.1.1.11
        SyntaxErrorKind::UnknownParameter => Reply::new(555, (5, 5, 4), "parameter not recognised"),
        SyntaxErrorKind::ParameterValue => Reply::new(501, (5, 5, 4), "wrong parameter value"),
    }
}

/// The mailbox is full (RFC 3463 §3.3).
pub fn over_quota() -> Reply {
    Reply::new(552, (5, 2, 2), "mailbox full")
}

/// The message is larger than we take (RFC 1870 §6.2, RFC 3463 §3.4).
pub fn too_large(octets_max: u64) -> Reply {
    Reply::new(552, (5, 3, 4), format!("message larger than {octets_max} octets"))
}

/// A command at the wrong time.
pub fn bad_sequence(text: &'static str) -> Reply {
    Reply::new(503, (5, 5, 1), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_classes_agree() {
        let errors = [
            (Error::NotFound { what: "user" }, 550),
            (Error::OverQuota, 552),
            (Error::TooLarge { octets_max: 1 }, 552),
            (Error::Unavailable { reason: "database", source: None }, 451),
            (Error::Internal { reason: "bug", source: None }, 451),
            (Error::invalid("address", "no"), 501),
        ];
        for (error, code) in errors {
            let reply = reply_to_error(&error);
            assert_eq!(reply.code, code);
            assert_eq!(reply.status.map(|status| u16::from(status.class)), Some(code / 100));
        }
    }
}
