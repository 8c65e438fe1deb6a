//! Driver errors to the error of all operations.
//!
//! | driver | here |
//! |---|---|
//! | duplicate key (11000) | `Conflict` with the driver's error lost; [`exists`] names the object instead |
//! | transient or commit-unknown label | `Unavailable` keeping the label, for `transaction::run` |
//! | network, server selection, not primary, shutdown | `Unavailable` |
//! | anything else | `Internal` |

use crate::model::error::{Error, Result};
use mongodb::error::{ErrorKind, WriteFailure};

/// Reason of a [`Error::Conflict`] made from a duplicate key.
pub(super) const DUPLICATE: &str = "such an object exists";
/// Reason of an [`Error::Unavailable`] made here.
pub(super) const AWAY: &str = "the database is not available";

/// Codes of a server that is stepping down, shutting down, busy or not primary.
const AWAY_CODES: [i32; 16] =
    [6, 7, 50, 64, 89, 91, 112, 189, 251, 262, 9001, 10107, 11600, 11602, 13435, 13436];

impl From<mongodb::error::Error> for Error {
    fn from(error: mongodb::error::Error) -> Self {
        if is_duplicate(&error) {
            return Self::Conflict { reason: DUPLICATE };
        }
        if is_away(&error) {
            return Self::unavailable(AWAY, error);
        }
        Self::internal("a database operation failed", error)
    }
}

/// Whether the error is a duplicate key.
pub fn is_duplicate(error: &mongodb::error::Error) -> bool {
    match error.kind.as_ref() {
        ErrorKind::Write(WriteFailure::WriteError(write)) => write.code == 11000,
        ErrorKind::Command(command) => command.code == 11000,
        ErrorKind::InsertMany(many) => many
            .write_errors
            .as_ref()
            .is_some_and(|errors| errors.iter().any(|error| error.code == 11000)),
        _ => false,
    }
}

fn is_away(error: &mongodb::error::Error) -> bool {
    if error.contains_label(mongodb::error::TRANSIENT_TRANSACTION_ERROR)
        || error.contains_label(mongodb::error::UNKNOWN_TRANSACTION_COMMIT_RESULT)
        || error.contains_label(mongodb::error::RETRYABLE_WRITE_ERROR)
    {
        return true;
    }
    match error.kind.as_ref() {
        ErrorKind::Io(_)
        | ErrorKind::ServerSelection { .. }
        | ErrorKind::ConnectionPoolCleared { .. }
        | ErrorKind::DnsResolve { .. }
        | ErrorKind::Write(WriteFailure::WriteConcernError(_))
        | ErrorKind::Shutdown => true,
        ErrorKind::Command(command) => AWAY_CODES.contains(&command.code),
        _ => false,
    }
}

/// Whether another transaction was faster.
pub(super) fn is_write_conflict(error: &mongodb::error::Error) -> bool {
    matches!(error.kind.as_ref(), ErrorKind::Command(command) if command.code == 112)
}

/// Whether a statement failed because the database has given up its transaction.
///
/// SecantusDB (0.5.3-beta.196), the local database, answers so when it rolls a transaction back to
/// make room in its cache, without the label every MongoDB gives (NoSuchTransaction and kin are
/// transient there).
pub(super) fn is_given_up(error: &Error) -> bool {
    let Error::Internal { source: Some(source), .. } = error else { return false };
    source.downcast_ref::<mongodb::error::Error>().is_some_and(|error| match error.kind.as_ref() {
        ErrorKind::Command(command) => {
            command.code == 1 && command.message.contains("transaction already closed")
        }
        _ => false,
    })
}

/// The driver's error inside an error, if it has one of these labels.
pub(super) fn has_label(error: &Error, label: &str) -> bool {
    let Error::Unavailable { source: Some(source), .. } = error else { return false };
    source.downcast_ref::<mongodb::error::Error>().is_some_and(|error| error.contains_label(label))
}

/// Turns a duplicate key into `AlreadyExists` of the named thing.
pub fn exists<T>(result: Result<T>, what: &'static str) -> Result<T> {
    match result {
        Err(Error::Conflict { reason: DUPLICATE }) => Err(Error::AlreadyExists { what }),
        other => other,
    }
}

/// The error of a stored document that cannot be read.
pub fn unreadable(what: &'static str) -> Error {
    Error::Internal { reason: what, source: None }
}
