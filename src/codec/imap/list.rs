//! LIST with its extensions (RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154).

use super::status::StatusItem;

/// LIST as asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct List {
    /// The reference name, decoded.
    pub reference: String,
    /// The patterns, decoded; at least one unless written as `()`.
    pub patterns: Vec<String>,
    /// Any part of the extended syntax was used (RFC 5258 §3).
    pub extended: bool,
    /// Selection options.
    pub selection: ListSelection,
    /// Return options.
    pub returns: ListReturn,
}

/// Which names are listed.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct ListSelection {
    /// `SUBSCRIBED`
    pub subscribed: bool,
    /// `REMOTE`
    pub remote: bool,
    /// `RECURSIVEMATCH`
    pub recursive_match: bool,
    /// `SPECIAL-USE`
    pub special_use: bool,
}

/// What is told about them.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct ListReturn {
    /// `SUBSCRIBED`
    pub subscribed: bool,
    /// `CHILDREN`
    pub children: bool,
    /// `SPECIAL-USE`
    pub special_use: bool,
    /// `STATUS (...)`; empty: not asked for.
    pub status: Vec<StatusItem>,
}
