//! The one error of all operations: named for what happened, never for a protocol.
//!
//! Each door translates it in one place: `imap/status_line.rs`, `smtp/reply_line.rs`,
//! `api/problem.rs`.

use std::error::Error as StdError;

/// The result of an operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Reason of an [`Error::Internal`]: a stored secret was sealed with a key that is not configured.
pub const SECRET_SEALED: &str = "a stored secret needs the key it was sealed with";

/// What went wrong, in terms a caller can act on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The object does not exist, or the caller may not see it.
    #[error("{what} not found")]
    NotFound {
        /// What was looked for: `user`, `mailbox`, `message`, `address`.
        what: &'static str,
    },
    /// An object with that name exists.
    #[error("{what} already exists")]
    AlreadyExists {
        /// What exists: `user`, `mailbox`, `address`.
        what: &'static str,
    },
    /// A value is not acceptable.
    #[error("{field}: {reason}")]
    Invalid {
        /// The field, parameter or argument.
        field: &'static str,
        /// Why, in words for the user.
        reason: String,
    },
    /// No such user, wrong password or token.
    #[error("authentication failed")]
    Unauthenticated,
    /// The principal may not do that.
    #[error("not permitted: {reason}")]
    Forbidden {
        /// Why, in words for the user.
        reason: &'static str,
    },
    /// The user's storage quota would be exceeded.
    #[error("over quota")]
    OverQuota,
    /// The message is larger than accepted.
    #[error("larger than {octets_max} octets")]
    TooLarge {
        /// The bound.
        octets_max: u64,
    },
    /// A count or size limit is reached.
    #[error("limit reached: {limit}")]
    LimitReached {
        /// The limit with its bound, for the user: `1500 mailboxes`.
        limit: String,
    },
    /// Too many attempts.
    #[error("too many attempts; try again in {retry_after_s} s")]
    Throttled {
        /// Seconds to wait.
        retry_after_s: u64,
    },
    /// Somebody else changed it at the same time.
    #[error("conflict: {reason}")]
    Conflict {
        /// What collided.
        reason: &'static str,
    },
    /// The database is away or the node is stopping: try again.
    #[error("temporarily unavailable: {reason}")]
    Unavailable {
        /// What is away.
        reason: &'static str,
        /// The cause, for the log.
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
    /// Our own mistake, or data we cannot read.
    #[error("internal error: {reason}")]
    Internal {
        /// What failed.
        reason: &'static str,
        /// The cause, for the log.
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
}

impl Error {
    /// An [`Error::Invalid`].
    pub fn invalid(field: &'static str, reason: impl Into<String>) -> Self {
        Self::Invalid { field, reason: reason.into() }
    }

    /// An [`Error::Internal`] with its cause.
    pub fn internal(
        reason: &'static str,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self::Internal { reason, source: Some(source.into()) }
    }

    /// An [`Error::Unavailable`] with its cause.
    pub fn unavailable(
        reason: &'static str,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self::Unavailable { reason, source: Some(source.into()) }
    }
}
