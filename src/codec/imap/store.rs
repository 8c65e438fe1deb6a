//! STORE (RFC 9051 §6.4.6, RFC 7162 §3.1.3) and flag lists.

use super::sequence_set::SequenceSet;
use crate::model::flag::FlagChange;

/// STORE or UID STORE.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Store {
    /// UID STORE: the set holds UIDs.
    pub uid: bool,
    /// Which messages.
    pub set: SequenceSet,
    /// `UNCHANGEDSINCE` (RFC 7162 §3.1.3).
    pub unchanged_since: Option<u64>,
    /// What to do with which flags.
    pub change: FlagChange,
    /// `.SILENT`
    pub silent: bool,
}
