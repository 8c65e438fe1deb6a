//! The columns of a mailbox view: seven numbers a message, sorted by UID; keyword sets are shared.

use crate::model::flag::FlagSet;
use crate::model::message::Row;
use crate::model::uid::{ModSeq, Uid, UidSet};
use std::collections::HashMap;

/// Octets of one message in all columns.
const ROW_OCTETS: usize = 4 + 8 + 1 + 4 + 4 + 8 + 8;

/// A mailbox in memory: 37 octets a message, and at most an eighth more reserved.
#[derive(Debug, Default)]
pub(super) struct Columns {
    uids: Vec<Uid>,
    mod_seqs: Vec<ModSeq>,
    flags: Vec<u8>,
    /// Index into `sets`, plus one; 0: no keywords.
    keywords: Vec<u32>,
    /// Messages are far below 4 GiB (`limits::MESSAGE_OCTETS_MAX`).
    octets: Vec<u32>,
    internal_dates: Vec<i64>,
    saved_dates: Vec<i64>,
    sets: Vec<FlagSet>,
    numbers: HashMap<Vec<String>, u32>,
}

impl Columns {
    /// Octets of memory.
    pub(super) fn cost(&self) -> usize {
        self.uids.capacity() * ROW_OCTETS + self.sets.len() * 256
    }

    /// All UIDs.
    pub(super) fn uid_set(&self) -> UidSet {
        self.uids.iter().copied().collect()
    }

    /// Adds a row or replaces the one with its UID. Cheapest above all others.
    pub(super) fn upsert(&mut self, row: &Row) {
        let keywords = self.number_of(&row.flags);
        let octets = u32::try_from(row.octets).unwrap_or(u32::MAX);
        let at = match self.uids.last() {
            Some(last) if row.uid <= *last => self.uids.binary_search(&row.uid),
            _ => Err(self.uids.len()),
        };
        match at {
            Ok(at) => {
                put(&mut self.mod_seqs, at, row.mod_seq);
                put(&mut self.flags, at, row.flags.system);
                put(&mut self.keywords, at, keywords);
                put(&mut self.octets, at, octets);
                put(&mut self.internal_dates, at, row.internal_date);
                put(&mut self.saved_dates, at, row.saved_date);
            }
            Err(at) => {
                self.reserve();
                self.uids.insert(at, row.uid);
                self.mod_seqs.insert(at, row.mod_seq);
                self.flags.insert(at, row.flags.system);
                self.keywords.insert(at, keywords);
                self.octets.insert(at, octets);
                self.internal_dates.insert(at, row.internal_date);
                self.saved_dates.insert(at, row.saved_date);
            }
        }
    }

    /// Grows by an eighth: doubling would waste as much as the mailbox takes.
    fn reserve(&mut self) {
        if self.uids.len() < self.uids.capacity() {
            return;
        }
        let more = self.uids.len() / 8 + 16;
        self.uids.reserve_exact(more);
        self.mod_seqs.reserve_exact(more);
        self.flags.reserve_exact(more);
        self.keywords.reserve_exact(more);
        self.octets.reserve_exact(more);
        self.internal_dates.reserve_exact(more);
        self.saved_dates.reserve_exact(more);
    }

    fn number_of(&mut self, flags: &FlagSet) -> u32 {
        if flags.keywords().is_empty() {
            return 0;
        }
        if let Some(number) = self.numbers.get(flags.keywords()) {
            return *number;
        }
        let mut set = flags.clone();
        set.system = 0;
        self.sets.push(set);
        let number = u32::try_from(self.sets.len()).unwrap_or(u32::MAX);
        self.numbers.insert(flags.keywords().to_vec(), number);
        number
    }

    /// Removes the rows of a set.
    pub(super) fn remove(&mut self, gone: &UidSet) {
        if gone.is_empty() {
            return;
        }
        let keep: Vec<bool> = self.uids.iter().map(|uid| !gone.contains(*uid)).collect();
        if keep.iter().all(|keep| *keep) {
            return;
        }
        retain(&mut self.uids, &keep);
        retain(&mut self.mod_seqs, &keep);
        retain(&mut self.flags, &keep);
        retain(&mut self.keywords, &keep);
        retain(&mut self.octets, &keep);
        retain(&mut self.internal_dates, &keep);
        retain(&mut self.saved_dates, &keep);
    }

    /// Forgets keyword sets that no row has, once they are the most.
    pub(super) fn compact(&mut self) {
        if self.sets.len() <= 2 * self.uids.len() + 1024 {
            return;
        }
        let old = std::mem::take(&mut self.sets);
        self.numbers.clear();
        let mut keywords = std::mem::take(&mut self.keywords);
        for number in keywords.iter_mut().filter(|number| **number > 0) {
            let set = old.get(*number as usize - 1).cloned().unwrap_or_default();
            *number = self.number_of(&set);
        }
        self.keywords = keywords;
    }

    /// The row at a position.
    fn row_at(&self, at: usize) -> Option<Row> {
        let number = *self.keywords.get(at)?;
        let set = (number as usize).checked_sub(1).and_then(|index| self.sets.get(index));
        let mut flags = set.cloned().unwrap_or_default();
        flags.system = *self.flags.get(at)?;
        Some(Row {
            uid: *self.uids.get(at)?,
            mod_seq: *self.mod_seqs.get(at)?,
            flags,
            internal_date: *self.internal_dates.get(at)?,
            saved_date: *self.saved_dates.get(at)?,
            octets: u64::from(*self.octets.get(at)?),
        })
    }

    /// The row of a UID.
    pub(super) fn row(&self, uid: Uid) -> Option<Row> {
        self.row_at(self.uids.binary_search(&uid).ok()?)
    }

    /// Calls `visit` for the rows of a set whose ModSeq is above the given one, ascending by UID.
    pub(super) fn for_each(&self, uids: &UidSet, above: ModSeq, visit: &mut dyn FnMut(&Row)) {
        for &(first, last) in uids.ranges() {
            let from = self.uids.partition_point(|uid| *uid < first);
            let rest = self.uids.get(from..).unwrap_or_default();
            let to = from + rest.partition_point(|uid| *uid <= last);
            for at in from..to {
                if self.mod_seqs.get(at).is_some_and(|mod_seq| *mod_seq > above)
                    && let Some(row) = self.row_at(at)
                {
                    visit(&row);
                }
            }
            if to == self.uids.len() {
                return;
            }
        }
    }
}

fn put<T>(column: &mut [T], at: usize, value: T) {
    if let Some(cell) = column.get_mut(at) {
        *cell = value;
    }
}

fn retain<T>(column: &mut Vec<T>, keep: &[bool]) {
    let mut keep = keep.iter();
    column.retain(|_| keep.next().copied().unwrap_or(true));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn row(uid: Uid, mod_seq: ModSeq, names: &[&str]) -> Row {
        let flags = FlagSet::from_names(names.iter().copied());
        Row { uid, mod_seq, flags, internal_date: 5, saved_date: 6, octets: 7 }
    }

    #[test]
    fn columns_equal_a_map() {
        let (mut columns, mut map) = (Columns::default(), BTreeMap::new());
        let names = ["\\Seen", "$Junk", "a", "b", "\\Deleted"];
        let mut state = 7u64;
        for step in 0..5000u64 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let uid = u32::try_from(state >> 56).unwrap() + 1;
            let count = usize::try_from((state >> 40) % 6).unwrap();
            if state >> 33 & 3 == 0 {
                columns.remove(&UidSet::from_range(uid, uid + 3));
                map.retain(|known, _| *known < uid || *known > uid + 3);
            } else {
                let row = row(uid, step, &names[..count]);
                columns.upsert(&row);
                map.insert(uid, row);
            }
        }
        columns.compact();
        let mut rows = Vec::new();
        let all = UidSet::from_range(1, Uid::MAX);
        columns.for_each(&all, 0, &mut |row| rows.push(row.clone()));
        assert_eq!(rows, map.values().cloned().collect::<Vec<_>>());
        assert_eq!(columns.uid_set(), map.keys().copied().collect::<UidSet>());
        let mut recent = 0;
        columns.for_each(&all, 4000, &mut |_| recent += 1);
        assert_eq!(recent, map.values().filter(|row| row.mod_seq > 4000).count());
        assert_eq!(columns.row(3), map.get(&3).cloned());
    }

    #[test]
    fn a_large_mailbox_costs_under_48_octets_a_message() {
        let mut columns = Columns::default();
        for uid in 1..=200_000 {
            columns.upsert(&row(uid, u64::from(uid), &["\\Seen", "$Forwarded"]));
        }
        assert!(columns.cost() / 200_000 < 48, "{}", columns.cost() / 200_000);
    }
}
