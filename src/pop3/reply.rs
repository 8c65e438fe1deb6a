//! What a command amounts to.

use crate::codec::pop3::reply::ResponseCode;
use crate::model::error::Error;
use std::borrow::Cow;
use std::io;

/// The first line of a reply, or the whole of it written already.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// `+OK`
    Ok(Cow<'static, str>),
    /// `-ERR`
    Refused(Option<ResponseCode>, Cow<'static, str>),
    /// The line is no command, or not now: counted against the client.
    Bad(&'static str),
    /// A reply of several lines was written.
    Written,
}

impl Reply {
    /// `+OK text`
    pub fn ok(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Ok(text.into())
    }

    /// `-ERR text`
    pub fn refused(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Refused(None, text.into())
    }

    /// `-ERR [code] text`
    pub fn with_code(code: ResponseCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self::Refused(Some(code), text.into())
    }
}

/// Why a command gives no reply of its own.
#[derive(Debug)]
pub enum Failure {
    /// An operation failed; `status_line` says it.
    Meaning(Error),
    /// The connection failed, or nothing true can follow on it.
    Connection(io::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Meaning(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Connection(error)
    }
}

/// The outcome of a command.
pub type Outcome<T = Reply> = Result<T, Failure>;
