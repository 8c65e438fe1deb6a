//! The maildrop: the messages as they were when the session began, by number (RFC 1939 §4, §5).
//!
//! Pure. Numbers, sizes and unique-ids never change in a session; DELE only marks, and what is
//! marked has no number until RSET.

use crate::model::uid::{Uid, UidSet, UidValidity};

/// One message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Its UID in the mailbox.
    pub uid: Uid,
    /// Its octets.
    pub octets: u32,
}

/// A locked view of the inbox; eight octets a message.
#[derive(Clone, Debug)]
pub struct Maildrop {
    uid_validity: UidValidity,
    /// Ascending by UID; the number of a message is its place, from 1.
    entries: Vec<Entry>,
    deleted: UidSet,
    retrieved: UidSet,
    /// Of the messages that are not deleted.
    count: usize,
    octets: u64,
}

impl Maildrop {
    /// The messages, ascending by UID.
    pub fn new(uid_validity: UidValidity, entries: Vec<Entry>) -> Self {
        let (deleted, retrieved) = (UidSet::new(), UidSet::new());
        let mut maildrop = Self { uid_validity, entries, deleted, retrieved, count: 0, octets: 0 };
        maildrop.reset();
        maildrop
    }

    /// Messages that are not deleted.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Their octets.
    pub const fn octets(&self) -> u64 {
        self.octets
    }

    /// The message of a number; `None` also for a deleted one (RFC 1939 §5, DELE).
    pub fn find(&self, number: u32) -> Option<Entry> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        let entry = self.entries.get(index)?;
        (!self.deleted.contains(entry.uid)).then_some(*entry)
    }

    /// Numbers and messages that are not deleted, from the one with this number on. A listing is
    /// written in pieces.
    pub fn from(&self, number: u32) -> impl Iterator<Item = (u32, Entry)> + '_ {
        let skipped = usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
        let numbered = (1_u32..).zip(self.entries.iter().copied());
        numbered.skip(skipped).filter(|(_, entry)| !self.deleted.contains(entry.uid))
    }

    /// The unique-id of a message (RFC 1939 §7, UIDL): UIDVALIDITY and UID are those of one message
    /// for ever.
    pub fn unique_id(&self, entry: Entry) -> String {
        format!("{:08x}{:08x}", self.uid_validity, entry.uid)
    }

    /// Marks a message as deleted; `false` when there is none of that number.
    pub fn delete(&mut self, number: u32) -> bool {
        let Some(entry) = self.find(number) else { return false };
        self.deleted.insert(entry.uid);
        self.count -= 1;
        self.octets -= u64::from(entry.octets);
        true
    }

    /// Remembers that a message was sent whole.
    pub fn retrieve(&mut self, entry: Entry) {
        self.retrieved.insert(entry.uid);
    }

    /// Takes back every mark of [`Self::delete`].
    pub fn reset(&mut self) {
        self.deleted = UidSet::new();
        self.count = self.entries.len();
        self.octets = self.entries.iter().map(|entry| u64::from(entry.octets)).sum();
    }

    /// What QUIT removes.
    pub const fn deleted(&self) -> &UidSet {
        &self.deleted
    }

    /// What was sent whole and is not to be removed.
    pub fn seen(&self) -> UidSet {
        self.retrieved.difference(&self.deleted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{RngExt as _, SeedableRng as _};

    /// What a maildrop is, said naively.
    struct Model {
        messages: Vec<(Entry, bool)>,
        retrieved: Vec<Uid>,
    }

    impl Model {
        fn live(&self) -> Vec<(u32, Entry)> {
            let numbered = (1..).zip(&self.messages);
            numbered.filter(|(_, message)| !message.1).map(|(n, message)| (n, message.0)).collect()
        }
    }

    fn check(maildrop: &Maildrop, model: &Model) {
        let live = model.live();
        assert_eq!(maildrop.count(), live.len());
        assert_eq!(maildrop.octets(), live.iter().map(|(_, e)| u64::from(e.octets)).sum::<u64>());
        assert_eq!(maildrop.from(1).collect::<Vec<_>>(), live);
        let half = u32::try_from(model.messages.len() / 2).unwrap();
        let later: Vec<_> = live.iter().copied().filter(|(number, _)| *number >= half).collect();
        assert_eq!(maildrop.from(half).collect::<Vec<_>>(), later);
        let gone = model.messages.iter().filter(|message| message.1).map(|message| message.0.uid);
        assert_eq!(maildrop.deleted().iter().collect::<Vec<_>>(), gone.collect::<Vec<_>>());
        let is_live = |uid: &Uid| live.iter().any(|(_, entry)| entry.uid == *uid);
        let mut seen: Vec<Uid> = model.retrieved.iter().copied().filter(is_live).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(maildrop.seen().iter().collect::<Vec<_>>(), seen);
    }

    #[test]
    fn random_histories_equal_a_naive_model() {
        let seed: u64 = rand::random();
        eprintln!("seed {seed}");
        let mut random = StdRng::seed_from_u64(seed);
        for _ in 0..2000 {
            let mut uid = 0;
            let entries: Vec<Entry> = (0..random.random_range(0..12))
                .map(|_| {
                    uid += random.random_range(1..4);
                    Entry { uid, octets: random.random_range(0..5000) }
                })
                .collect();
            let mut maildrop = Maildrop::new(7, entries.clone());
            let messages = entries.into_iter().map(|entry| (entry, false)).collect();
            let mut model = Model { messages, retrieved: Vec::new() };
            for _ in 0..random.random_range(0..30) {
                let number: u32 = random.random_range(0..14);
                let live = model.live();
                let found = live.iter().find(|(n, _)| *n == number).map(|(_, entry)| *entry);
                assert_eq!(maildrop.find(number), found);
                match random.random_range(0..8) {
                    0 => {
                        maildrop.reset();
                        model.messages.iter_mut().for_each(|message| message.1 = false);
                    }
                    1..=3 => {
                        assert_eq!(maildrop.delete(number), found.is_some());
                        if found.is_some() {
                            model.messages[number as usize - 1].1 = true;
                        }
                    }
                    _ => {
                        if let Some(entry) = found {
                            maildrop.retrieve(entry);
                            model.retrieved.push(entry.uid);
                        }
                    }
                }
                check(&maildrop, &model);
            }
        }
    }

    #[test]
    fn unique_ids_are_printable_and_short() {
        let entry = Entry { uid: u32::MAX, octets: 0 };
        let id = Maildrop::new(1, vec![entry]).unique_id(entry);
        assert_eq!(id, "00000001ffffffff");
        assert!(id.len() <= 70 && id.bytes().all(|octet| (0x21..=0x7e).contains(&octet)));
    }
}
