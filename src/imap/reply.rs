//! What a command ends with: its tagged response, or the end of the connection.

use crate::codec::imap::response_code::ResponseCode;
use crate::model::error::Error;
use std::borrow::Cow;
use std::io;

/// The condition of a tagged response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// OK
    Ok,
    /// NO
    No,
    /// BAD
    Bad,
}

/// A tagged response without its tag.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    /// OK, NO or BAD.
    pub status: Status,
    /// Response code.
    pub code: Option<ResponseCode>,
    /// Text for people.
    pub text: Cow<'static, str>,
}

impl Reply {
    /// OK.
    pub fn ok(text: impl Into<Cow<'static, str>>) -> Self {
        Self { status: Status::Ok, code: None, text: text.into() }
    }

    /// NO with a code.
    pub fn no(code: ResponseCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self { status: Status::No, code: Some(code), text: text.into() }
    }

    /// BAD.
    pub fn bad(text: impl Into<Cow<'static, str>>) -> Self {
        Self { status: Status::Bad, code: None, text: text.into() }
    }

    /// This reply with a code.
    pub fn with(mut self, code: ResponseCode) -> Self {
        self.code = Some(code);
        self
    }
}

/// Why a command did not end with the reply it hoped for.
#[derive(Debug)]
pub enum Failure {
    /// The operation failed: `status_line` has the words.
    Meaning(Error),
    /// The mailbox of APPEND, COPY or MOVE: as above, but `NotFound` is TRYCREATE.
    Target(Error),
    /// The door refuses by itself.
    Refused(Reply),
    /// The session ends.
    Bye(&'static str),
    /// The session ends for a reason that is not known beforehand.
    Ended(String),
    /// The connection is broken, or nothing more may be written on it.
    Connection(io::Error),
}

impl Failure {
    /// Forgets a failed operation, but not the end of the session.
    pub fn unless_fatal(self) -> Result<(), Self> {
        match self {
            Self::Meaning(_) | Self::Target(_) | Self::Refused(_) => Ok(()),
            Self::Bye(_) | Self::Ended(_) | Self::Connection(_) => Err(self),
        }
    }
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

impl From<Reply> for Failure {
    fn from(reply: Reply) -> Self {
        Self::Refused(reply)
    }
}

/// The outcome of a command.
pub type Outcome<T = Reply> = Result<T, Failure>;
