//! UIDs, sequence numbers, ModSeqs, and sets of UIDs as closed ranges.

use std::fmt;

/// Unique identifier of a message in its mailbox, never zero (RFC 9051 §2.3.1.1).
pub type Uid = u32;
/// Message sequence number, from 1 (RFC 9051 §2.3.1.2).
pub type SeqNum = u32;
/// UIDVALIDITY of a mailbox (RFC 9051 §2.3.1.1).
pub type UidValidity = u32;
/// Modification sequence, from 1 (RFC 7162 §3.1), below 2^63.
pub type ModSeq = u64;

/// A set of UIDs as sorted, disjoint, non-adjacent closed ranges.
///
/// A mailbox whose UIDs are dense costs one range, whatever its size.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct UidSet {
    ranges: Vec<(Uid, Uid)>,
}

impl UidSet {
    /// The empty set.
    pub const fn new() -> Self {
        Self { ranges: Vec::new() }
    }

    /// The set `first..=last`; empty if reversed.
    pub fn from_range(first: Uid, last: Uid) -> Self {
        if first > last { Self::new() } else { Self { ranges: vec![(first, last)] } }
    }

    /// The set of any ranges, in any order, overlapping or not; reversed ones are turned.
    pub fn from_ranges(mut ranges: Vec<(Uid, Uid)>) -> Self {
        for range in &mut ranges {
            if range.0 > range.1 {
                *range = (range.1, range.0);
            }
        }
        ranges.sort_unstable();
        let mut set = Self { ranges: Vec::with_capacity(ranges.len()) };
        for (first, last) in ranges {
            set.push_range(first, last);
        }
        set
    }

    /// Adds a range whose start is not below that of any range in the set.
    fn push_range(&mut self, first: Uid, last: Uid) {
        match self.ranges.last_mut() {
            Some(end) if first <= end.1.saturating_add(1) => end.1 = end.1.max(last),
            _ => self.ranges.push((first, last)),
        }
    }

    /// Adds a UID; cheapest when it is above all others.
    pub fn insert(&mut self, uid: Uid) {
        match self.ranges.last() {
            Some(end) if uid < end.0 => {
                let at = self.ranges.partition_point(|range| range.1 < uid);
                self.ranges.insert(at, (uid, uid));
                let ranges = std::mem::take(&mut self.ranges);
                *self = Self::from_ranges(ranges);
            }
            _ => self.push_range(uid, uid),
        }
    }

    /// Whether the set holds no UID.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The number of UIDs.
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|range| u64::from(range.1 - range.0) + 1).sum()
    }

    /// The ranges, sorted and disjoint.
    pub fn ranges(&self) -> &[(Uid, Uid)] {
        &self.ranges
    }

    /// Whether the UID is in the set.
    pub fn contains(&self, uid: Uid) -> bool {
        let at = self.ranges.partition_point(|range| range.1 < uid);
        self.ranges.get(at).is_some_and(|range| range.0 <= uid)
    }

    /// The lowest UID.
    pub fn first(&self) -> Option<Uid> {
        self.ranges.first().map(|range| range.0)
    }

    /// The highest UID.
    pub fn last(&self) -> Option<Uid> {
        self.ranges.last().map(|range| range.1)
    }

    /// All UIDs in ascending order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Uid> + '_ {
        self.ranges.iter().flat_map(|range| range.0..=range.1)
    }

    /// UIDs in either set.
    pub fn union(&self, other: &Self) -> Self {
        let mut ranges = self.ranges.clone();
        ranges.extend_from_slice(&other.ranges);
        Self::from_ranges(ranges)
    }

    /// The UIDs of the set above one of them.
    pub fn above(&self, uid: Uid) -> Self {
        self.difference(&Self::from_range(1, uid))
    }

    /// The UIDs of the set below one of them.
    pub fn below(&self, uid: Uid) -> Self {
        self.difference(&Self::from_range(uid, Uid::MAX))
    }

    /// UIDs in both sets.
    pub fn intersection(&self, other: &Self) -> Self {
        let mut result = Self::new();
        let (mut left, mut right) = (self.ranges.iter().peekable(), other.ranges.iter().peekable());
        while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
            let (first, last) = (a.0.max(b.0), a.1.min(b.1));
            if first <= last {
                result.push_range(first, last);
            }
            if a.1 < b.1 {
                left.next();
            } else {
                right.next();
            }
        }
        result
    }

    /// UIDs of this set that are not in the other.
    pub fn difference(&self, other: &Self) -> Self {
        let mut result = Self::new();
        let mut holes = other.ranges.iter().peekable();
        for &(first, last) in &self.ranges {
            let mut start = u64::from(first);
            let end = u64::from(last);
            while let Some(hole) = holes.peek() {
                if u64::from(hole.0) > end {
                    break;
                }
                if u64::from(hole.0) > start
                    && let Ok(from) = Uid::try_from(start)
                {
                    result.push_range(from, hole.0 - 1);
                }
                start = start.max(u64::from(hole.1) + 1);
                if u64::from(hole.1) > end {
                    break;
                }
                holes.next();
            }
            if start <= end
                && let Ok(from) = Uid::try_from(start)
            {
                result.push_range(from, last);
            }
        }
        result
    }

    /// The 1-based position of a UID in the set: its sequence number when the set is a mailbox.
    /// O(ranges).
    pub fn position(&self, uid: Uid) -> Option<SeqNum> {
        let mut before = 0;
        for &(first, last) in &self.ranges {
            if uid < first {
                return None;
            }
            if uid <= last {
                return Some(before + (uid - first) + 1);
            }
            before += last - first + 1;
        }
        None
    }

    /// The UID at a 1-based position. O(ranges).
    pub fn at(&self, position: SeqNum) -> Option<Uid> {
        let mut rest = position.checked_sub(1)?;
        for &(first, last) in &self.ranges {
            let count = last - first + 1;
            if rest < count {
                return Some(first + rest);
            }
            rest -= count;
        }
        None
    }
}

impl FromIterator<Uid> for UidSet {
    fn from_iter<I: IntoIterator<Item = Uid>>(uids: I) -> Self {
        let uids: Vec<Uid> = uids.into_iter().collect();
        if uids.is_sorted() {
            let mut set = Self::new();
            for uid in uids {
                set.push_range(uid, uid);
            }
            return set;
        }
        Self::from_ranges(uids.into_iter().map(|uid| (uid, uid)).collect())
    }
}

/// The IMAP form (`uid-set`, RFC 9051 §9): `1:3,5`; the empty set has none and prints nothing.
impl fmt::Display for UidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, &(first, last)) in self.ranges.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            if first == last {
                write!(f, "{first}")?;
            } else {
                write!(f, "{first}:{last}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn random_sets(seed: u64) -> (UidSet, BTreeSet<Uid>) {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut set = UidSet::new();
        let mut naive = BTreeSet::new();
        for _ in 0..(seed % 40) {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let uid = u32::try_from(state >> 58).unwrap() + 1;
            set.insert(uid);
            naive.insert(uid);
        }
        (set, naive)
    }

    #[test]
    fn sets_equal_a_naive_model() {
        for seed in 0..2000 {
            let (a, naive_a) = random_sets(seed);
            let (b, naive_b) = random_sets(seed.wrapping_mul(31) + 7);
            assert_eq!(a.iter().collect::<Vec<_>>(), naive_a.iter().copied().collect::<Vec<_>>());
            let check = |set: UidSet, naive: BTreeSet<Uid>| {
                assert_eq!(set, naive.into_iter().collect::<UidSet>(), "seed {seed}");
            };
            check(a.union(&b), &naive_a | &naive_b);
            check(a.intersection(&b), &naive_a & &naive_b);
            check(a.difference(&b), &naive_a - &naive_b);
            for (index, uid) in naive_a.iter().enumerate() {
                let seq = u32::try_from(index).unwrap() + 1;
                assert_eq!(a.position(*uid), Some(seq));
                assert_eq!(a.at(seq), Some(*uid));
                assert!(a.contains(*uid));
            }
            assert_eq!(a.at(u32::try_from(naive_a.len()).unwrap() + 1), None);
        }
    }

    #[test]
    fn the_largest_uid_is_no_special_case() {
        let all = UidSet::from_range(1, u32::MAX);
        assert!(all.difference(&all).is_empty());
        assert_eq!(all.difference(&UidSet::from_range(2, u32::MAX)).to_string(), "1");
        assert_eq!(UidSet::from_ranges(vec![(9, 7), (1, 1), (2, 3)]).to_string(), "1:3,7:9");
    }
}
