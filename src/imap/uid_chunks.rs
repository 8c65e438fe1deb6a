//! A large set of UIDs in pieces, so that no lock is held and no buffer grows for all of it.

use crate::model::uid::{Uid, UidSet};

/// Pieces of at most `count` UIDs, in order.
pub fn chunks(uids: &UidSet, count: u32) -> impl Iterator<Item = UidSet> + '_ {
    let count = count.max(1);
    let mut ranges = uids.ranges().iter().copied();
    let mut open: Option<(Uid, Uid)> = None;
    std::iter::from_fn(move || {
        let mut piece = Vec::new();
        let mut room = count;
        while room > 0 {
            let Some((first, last)) = open.take().or_else(|| ranges.next()) else { break };
            let end = last.min(first.saturating_add(room - 1));
            piece.push((first, end));
            room -= (end - first).saturating_add(1).min(room);
            if end < last {
                open = Some((end + 1, last));
            }
        }
        (!piece.is_empty()).then(|| UidSet::from_ranges(piece))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_the_whole() {
        let uids = UidSet::from_ranges(vec![(1, 10), (12, 12), (20, 27), (u32::MAX, u32::MAX)]);
        for count in 1..30 {
            let pieces: Vec<UidSet> = chunks(&uids, count).collect();
            assert!(pieces.iter().rev().skip(1).all(|piece| piece.len() == u64::from(count)));
            let whole = pieces.iter().fold(UidSet::new(), |whole, piece| whole.union(piece));
            assert_eq!(whole, uids);
        }
        assert_eq!(chunks(&UidSet::new(), 5).count(), 0);
    }
}
