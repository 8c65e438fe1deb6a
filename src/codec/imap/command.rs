//! Commands (RFC 9051 §6) and the reading of them.

use super::append::Append;
use super::error::ParseError;
use super::fetch::Fetch;
use super::list::List;
use super::search::Search;
use super::sequence_set::SequenceSet;
use super::status::StatusItem;
use super::store::Store;
use bytes::Bytes;

/// A command with its tag.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tagged {
    /// The tag, to be given back.
    pub tag: String,
    /// The command.
    pub command: Command,
}

/// A command. Mailbox names and patterns are decoded to Unicode, not checked otherwise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// CAPABILITY
    Capability,
    /// NOOP
    Noop,
    /// LOGOUT
    Logout,
    /// ID (RFC 2971): what the client tells of itself; empty for NIL.
    Id(Vec<(String, Option<String>)>),
    /// STARTTLS
    Starttls,
    /// AUTHENTICATE
    Authenticate {
        /// The mechanism, uppercase.
        mechanism: String,
        /// The initial response, decoded (RFC 4959); `=` is an empty one.
        initial: Option<Vec<u8>>,
    },
    /// LOGIN
    Login {
        /// The user's name.
        user: String,
        /// The password.
        password: String,
    },
    /// ENABLE: names, uppercase.
    Enable(Vec<String>),
    /// UNAUTHENTICATE (RFC 8437)
    Unauthenticate,
    /// SELECT
    Select {
        /// The mailbox.
        mailbox: String,
        /// `(CONDSTORE)`
        condstore: bool,
    },
    /// EXAMINE
    Examine {
        /// The mailbox.
        mailbox: String,
        /// `(CONDSTORE)`
        condstore: bool,
    },
    /// CREATE
    Create {
        /// The name; a final delimiter is kept.
        mailbox: String,
        /// `(USE (...))`, as written (RFC 6154 §3).
        special_use: Vec<String>,
    },
    /// DELETE
    Delete(String),
    /// RENAME
    Rename {
        /// The name before.
        from: String,
        /// The name after.
        to: String,
    },
    /// SUBSCRIBE
    Subscribe(String),
    /// UNSUBSCRIBE
    Unsubscribe(String),
    /// LIST
    List(List),
    /// LSUB (RFC 3501 §6.3.9)
    Lsub {
        /// The reference name.
        reference: String,
        /// The pattern.
        pattern: String,
    },
    /// NAMESPACE
    Namespace,
    /// STATUS
    Status {
        /// The mailbox.
        mailbox: String,
        /// At least one.
        items: Vec<StatusItem>,
    },
    /// APPEND
    Append(Append),
    /// IDLE: the door reads `DONE` with [`super::framing::Framer::next_line`].
    Idle,
    /// CLOSE
    Close,
    /// UNSELECT
    Unselect,
    /// CHECK (RFC 3501 §6.4.1)
    Check,
    /// EXPUNGE
    Expunge,
    /// UID EXPUNGE
    UidExpunge(SequenceSet),
    /// SEARCH, UID SEARCH
    Search(Search),
    /// FETCH, UID FETCH
    Fetch(Fetch),
    /// STORE, UID STORE
    Store(Store),
    /// COPY, UID COPY
    Copy {
        /// UID COPY.
        uid: bool,
        /// Which messages.
        set: SequenceSet,
        /// Where to.
        mailbox: String,
    },
    /// MOVE, UID MOVE
    Move {
        /// UID MOVE.
        uid: bool,
        /// Which messages.
        set: SequenceSet,
        /// Where to.
        mailbox: String,
    },
}

/// Reads a command as [`super::framing::Framer`] gave it. Names with 8-bit octets are UTF-8; `utf8`: all names are
/// (UTF8=ACCEPT or IMAP4rev2 is enabled), otherwise ASCII ones are modified UTF-7 (RFC 6855 §3).
///
/// # Errors
/// Anything the grammar does not allow, with the tag if there is one.
pub fn parse(_octets: &Bytes, _utf8: bool) -> Result<Tagged, ParseError> {
    todo!()
}
