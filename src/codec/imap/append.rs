//! APPEND (RFC 9051 §6.3.12, RFC 6855 §4).

use crate::model::flag::FlagSet;
use crate::model::message::TimeMs;
use bytes::Bytes;

/// APPEND as asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Append {
    /// The mailbox, decoded.
    pub mailbox: String,
    /// Flags; empty if none.
    pub flags: FlagSet,
    /// INTERNALDATE.
    pub date: Option<TimeMs>,
    /// The message; a slice of the command's octets, not a copy.
    pub message: Bytes,
    /// Given as `UTF8 (~{n} …)` (RFC 6855 §4).
    pub utf8: bool,
}
