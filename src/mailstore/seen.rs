//! Contents that went through this node a short while ago: those that come again.
//!
//! Most messages come once; a message to many may come once for each of them. Only a guess: whoever
//! acts on it must be right when it is wrong.

use crate::model::id::ContentHash;
use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Hashes remembered, 64 octets each.
const SEEN_MAX: usize = 10_000;

/// The last contents.
#[derive(Debug, Default)]
pub(super) struct Seen {
    hashes: Mutex<(HashSet<ContentHash>, VecDeque<ContentHash>)>,
}

impl Seen {
    /// Remembers a content; whether it was remembered already.
    pub(super) fn note(&self, hash: ContentHash) -> bool {
        let mut hashes = self.hashes.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, order) = &mut *hashes;
        if !known.insert(hash) {
            return true;
        }
        order.push_back(hash);
        if order.len() > SEEN_MAX
            && let Some(oldest) = order.pop_front()
        {
            known.remove(&oldest);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten() {
        let (seen, hash) = (Seen::default(), |n: usize| {
            let mut octets = [0; 32];
            octets[..8].copy_from_slice(&n.to_le_bytes());
            ContentHash(octets)
        });
        assert!((0..SEEN_MAX).all(|n| !seen.note(hash(n))));
        assert!(seen.note(hash(0)) && !seen.note(hash(SEEN_MAX)));
        assert!(!seen.note(hash(0)) && seen.note(hash(2)));
    }
}
