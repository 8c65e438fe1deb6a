//! PURE: what one session believes of its selected mailbox.
//!
//! Sequence numbers change only here, and every rule of when EXPUNGE may be told is here
//! (RFC 9051 §5.2, §5.5, §7.5.1). It knows no socket, no database and no time: it is given the
//! state of
//! the shared view and answers what the client has to hear, in which order.

use crate::mailstore::view::ViewState;
use crate::model::message::Row;
use crate::model::uid::{ModSeq, SeqNum, Uid, UidSet};

/// Whether the client may be told of expunged messages now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expunges {
    /// No command is in progress, or one that does not use sequence numbers.
    Allowed,
    /// RFC 9051 §7.5.1: FETCH, STORE, SEARCH by sequence number are being answered.
    Held,
}

/// What the client has to be told, in this order.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Updates {
    /// EXPUNGE responses, each number as it is after the ones before it: descending.
    pub expunged: Vec<SeqNum>,
    /// UIDs of those messages, for VANISHED.
    pub vanished: UidSet,
    /// EXISTS.
    pub exists: Option<u32>,
    /// RECENT.
    pub recent: Option<u64>,
    /// Keywords were added: FLAGS and PERMANENTFLAGS come before the FETCH responses that use them.
    pub keywords: bool,
    /// Flags that changed, ascending.
    pub changed: Vec<(SeqNum, Row)>,
}

/// The session's snapshot: which messages have which sequence number.
#[derive(Clone, Default, Debug)]
pub struct Selected {
    uids: UidSet,
    mod_seq: ModSeq,
    keywords: usize,
    silent: Option<(UidSet, ModSeq)>,
    saved: UidSet,
    uid_only: bool,
    recent: UidSet,
    recent_told: u64,
}

impl Selected {
    /// The snapshot of a mailbox that is being selected: the client is told all of it.
    pub fn new(state: &ViewState) -> Self {
        Self {
            uids: state.uids.clone(),
            mod_seq: state.mod_seq,
            keywords: state.keywords.len(),
            silent: None,
            saved: UidSet::new(),
            uid_only: false,
            recent: UidSet::new(),
            recent_told: 0,
        }
    }

    /// Number of messages as the client knows it.
    pub fn exists(&self) -> u32 {
        u32::try_from(self.uids.len()).unwrap_or(u32::MAX)
    }

    /// The messages the client knows of, with those whose EXPUNGE is still held back.
    pub const fn uids(&self) -> &UidSet {
        &self.uids
    }

    /// Up to which ModSeq the client has been told of flags.
    pub const fn mod_seq(&self) -> ModSeq {
        self.mod_seq
    }

    /// The result of the last `SEARCH RETURN (SAVE)`: `$` (RFC 9051 §6.4.4.1).
    pub const fn saved(&self) -> &UidSet {
        &self.saved
    }

    /// Sets `$`.
    pub fn save(&mut self, uids: UidSet) {
        self.saved = uids;
    }

    /// The UIDs at ranges of sequence numbers; `None`: one is beyond the mailbox.
    ///
    /// `ranges` are sorted and disjoint.
    pub fn uids_at(&self, ranges: &UidSet) -> Option<UidSet> {
        if ranges.last().is_some_and(|last| last > self.exists()) {
            return None;
        }
        let mut found = Vec::new();
        let mut before = 0u32;
        let mut wanted = ranges.ranges().iter().peekable();
        for &(first, last) in self.uids.ranges() {
            let count = (last - first).saturating_add(1);
            // sequence numbers of this run: before + 1 ..= before + count
            while let Some(&&(from, to)) = wanted.peek() {
                let (low, high) = (from.max(before + 1), to.min(before.saturating_add(count)));
                if low <= high {
                    found.push((first + (low - before - 1), first + (high - before - 1)));
                }
                if to > before.saturating_add(count) {
                    break;
                }
                wanted.next();
            }
            before = before.saturating_add(count);
        }
        Some(UidSet::from_ranges(found))
    }

    /// From now on messages are named by their UIDs (RFC 9586).
    pub const fn use_uids_only(&mut self) {
        self.uid_only = true;
    }

    /// The messages that this session was the first to be told of: `\Recent` (RFC 3501 §2.3.2).
    pub const fn recent(&self) -> &UidSet {
        &self.recent
    }

    /// Takes messages as recent, among those the client knows of.
    pub fn add_recent(&mut self, uids: &UidSet) {
        self.recent = self.recent.union(&uids.intersection(&self.uids));
    }

    /// The number of recent messages, if the client has last heard another one.
    pub fn recent_to_tell(&mut self) -> Option<u64> {
        let now = self.recent.len();
        (std::mem::replace(&mut self.recent_told, now) != now).then_some(now)
    }

    /// Whether all changes up to [`Self::mod_seq`] are told: no EXPUNGE is held back.
    pub fn has_told_all(&self, state: &ViewState) -> bool {
        self.mod_seq == state.mod_seq && self.uids.difference(&state.uids).is_empty()
    }

    /// A counter of the numbers by which FETCH responses name UIDs asked for in ascending order, in
    /// linear time over all: sequence numbers, or with UIDONLY the UIDs themselves.
    pub fn numbers(&self) -> Numbers<'_> {
        let (ranges, recent) = (self.uids.ranges(), &self.recent);
        Numbers { ranges, before: 0, uid_only: self.uid_only, recent }
    }

    /// The sequence numbers of UIDs, as a set; UIDs that are not in the mailbox are passed over.
    pub fn numbers_of(&self, uids: &UidSet) -> UidSet {
        let mut numbers = Numbers { uid_only: false, ..self.numbers() };
        let mut found = Vec::new();
        for &(first, last) in self.uids.intersection(uids).ranges() {
            if let (Some(low), Some(high)) = (numbers.of(first), numbers.of(last)) {
                found.push((low, high));
            }
        }
        UidSet::from_ranges(found)
    }

    /// Remembers a STORE with .SILENT of our own, so that its effect is not told.
    ///
    /// RFC 9051 §6.4.6: a change by somebody else is told nevertheless. Only when the ModSeqs of our
    /// changes follow directly the one the client has heard of can nobody else's lie between.
    pub fn silence(&mut self, uids: UidSet, mod_seqs: &[ModSeq]) {
        let next = self.mod_seq.saturating_add(1);
        if let Some(&last) = mod_seqs.last()
            && mod_seqs.iter().copied().eq(next..=last)
        {
            self.silent = Some((uids, last));
        }
    }

    /// Brings the snapshot up to `state` and says what the client must hear.
    ///
    /// `changed` gives the rows of a set with a ModSeq above the given one.
    pub fn sync(
        &mut self,
        state: &ViewState,
        changed: impl FnOnce(&UidSet, ModSeq) -> Vec<Row>,
        expunges: Expunges,
    ) -> Updates {
        let mut updates = Updates::default();
        if state.mod_seq == self.mod_seq && state.uids == self.uids {
            return updates;
        }
        let known = self.uids.intersection(&state.uids);
        if expunges == Expunges::Allowed && known != self.uids {
            updates.vanished = self.uids.difference(&known);
            updates.expunged = descending(&self.numbers_of(&updates.vanished));
            self.saved = self.saved.difference(&updates.vanished);
            self.recent = self.recent.difference(&updates.vanished);
            self.uids = known.clone();
        }
        // Only UIDs above all known ones can be new: a UID is given once and in commit order.
        // Anything
        // else would renumber messages behind the client's back.
        let added = match self.uids.last() {
            Some(u32::MAX) => UidSet::new(),
            Some(last) => state.uids.intersection(&UidSet::from_range(last + 1, Uid::MAX)),
            None => state.uids.clone(),
        };
        if !added.is_empty() {
            self.uids = self.uids.union(&added);
            updates.exists = Some(self.exists());
        }
        if state.keywords.len() > self.keywords {
            self.keywords = state.keywords.len();
            updates.keywords = true;
        }
        if state.mod_seq > self.mod_seq {
            let silent = self.silent.take();
            let mut numbers = self.numbers();
            for row in changed(&known, self.mod_seq) {
                let is_own = silent
                    .as_ref()
                    .is_some_and(|(uids, own)| row.mod_seq <= *own && uids.contains(row.uid));
                if !is_own && let Some(number) = numbers.of(row.uid) {
                    updates.changed.push((number, row));
                }
            }
            self.mod_seq = state.mod_seq;
        }
        updates
    }
}

/// Every number of a set, the highest first: so each EXPUNGE leaves the numbers of the next ones as
/// they are.
fn descending(numbers: &UidSet) -> Vec<SeqNum> {
    numbers.iter().rev().collect()
}

/// Sequence numbers of ascending UIDs.
#[derive(Debug)]
pub struct Numbers<'a> {
    ranges: &'a [(Uid, Uid)],
    before: u32,
    uid_only: bool,
    recent: &'a UidSet,
}

impl Numbers<'_> {
    /// Whether a message is recent in this session.
    pub fn is_recent(&self, uid: Uid) -> bool {
        self.recent.contains(uid)
    }

    /// The number of a UID not below the one asked for before; `None`: the client does not know it.
    pub fn of(&mut self, uid: Uid) -> Option<SeqNum> {
        while let Some((&(first, last), rest)) = self.ranges.split_first() {
            if uid < first {
                return None;
            }
            if uid <= last && self.uid_only {
                return Some(uid);
            }
            if uid <= last {
                return Some(self.before.saturating_add(uid - first).saturating_add(1));
            }
            self.before = self.before.saturating_add(last - first).saturating_add(1);
            self.ranges = rest;
        }
        None
    }
}

#[cfg(test)]
mod tests;
