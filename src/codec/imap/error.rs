//! Why a command could not be read: the kind and where.

use std::fmt;

/// What is wrong with a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorKind {
    /// Nothing but a line end.
    Empty,
    /// No tag, or a tag with forbidden characters.
    Tag,
    /// The command's name is not known.
    UnknownCommand,
    /// Something else was expected here.
    Syntax(&'static str),
    /// Octets are left behind the last argument.
    TrailingOctets,
    /// A number is out of its range.
    Number,
    /// Lists or search keys are nested too deeply.
    TooDeep,
    /// A date or time does not exist.
    Date,
    /// A flag begins with a backslash and is not known.
    Flag,
    /// The mailbox name is neither modified UTF-7 nor UTF-8: answered with NO, not BAD.
    MailboxName,
    /// SEARCH CHARSET is not known: answered with `NO [BADCHARSET]`.
    Charset,
    /// A label of Gmail's extension that cannot be one here: answered with `NO [CANNOT]`.
    Label,
    /// A search string is not text in its charset.
    Text,
}

/// A command that could not be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseError {
    /// The tag, if it could be read, so that BAD can be tagged.
    pub tag: Option<String>,
    /// What is wrong.
    pub kind: ErrorKind,
    /// At which octet of the command.
    pub position: usize,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "Empty command",
            Self::Tag => "Missing or invalid tag",
            Self::UnknownCommand => "Unknown command",
            Self::Syntax(expected) => return write!(f, "Expected {expected}"),
            Self::TrailingOctets => "Unexpected arguments at the end",
            Self::Number => "Number out of range",
            Self::TooDeep => "Nested too deeply",
            Self::Date => "Invalid date",
            Self::Flag => "Unknown system flag",
            Self::MailboxName => "Invalid mailbox name",
            Self::Charset => "Unknown charset",
            Self::Label => "No such label is possible",
            Self::Text => "Text is invalid in its charset",
        })
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at octet {}", self.kind, self.position)
    }
}

impl std::error::Error for ParseError {}
