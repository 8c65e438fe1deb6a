//! QRESYNC against naive models: pairs of numbers and UIDs, and clients that go and come back.

use super::super::selected::{Expunges, Selected};
use super::*;
use std::collections::{BTreeMap, BTreeSet};

fn set(ranges: &[(u32, u32)]) -> UidSet {
    UidSet::from_ranges(ranges.to_vec())
}

struct Random(u64);

impl Random {
    fn below(&mut self, below: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        u32::try_from(self.0 >> 33).unwrap() % below
    }
}

#[test]
fn matches_equal_a_naive_search() {
    let mut random = Random(1);
    for _ in 0..20_000 {
        let mut some = |max: u32| -> UidSet { (1..=max).filter(|_| random.below(3) > 0).collect() };
        let (mailbox, numbers, uids) = (some(12), some(10), some(14));
        let pairs = numbers.iter().zip(uids.iter());
        let naive = pairs.filter(|(n, uid)| mailbox.position(*uid) == Some(*n)).last();
        let naive = naive.map_or(0, |pair| pair.1);
        assert_eq!(longest_match(&mailbox, &numbers, &uids), naive, "{mailbox} {numbers} {uids}");
    }
}

#[test]
fn huge_sets_are_quick() {
    let all = set(&[(1, u32::MAX)]);
    assert_eq!(longest_match(&all, &all, &all), u32::MAX);
    assert_eq!(longest_match(&set(&[(5, 9)]), &all, &all), 0);
    assert_eq!(longest_match(&UidSet::new(), &all, &all), 0);
}

/// The truth, with the log of what was expunged at which ModSeq.
#[derive(Default)]
struct Mailbox {
    flags: BTreeMap<Uid, (u8, ModSeq)>,
    expunged: Vec<(ModSeq, Uid)>,
    /// The log knows what happened after this ModSeq.
    log_from: ModSeq,
    uid_next: Uid,
    mod_seq: ModSeq,
}

impl Mailbox {
    fn state(&self) -> ViewState {
        ViewState {
            uid_validity: 1,
            uid_next: self.uid_next + 1,
            mod_seq: self.mod_seq,
            uids: self.flags.keys().copied().collect(),
            keywords: Vec::new(),
        }
    }

    fn log(&self, since: ModSeq) -> Option<UidSet> {
        (since >= self.log_from).then(|| {
            let expunged = self.expunged.iter().filter(|(mod_seq, _)| *mod_seq > since);
            expunged.map(|(_, uid)| *uid).collect()
        })
    }

    fn rows(&self, uids: &UidSet, since: ModSeq) -> Vec<crate::model::message::Row> {
        let rows = self.flags.iter().filter(|(uid, (_, at))| uids.contains(**uid) && *at > since);
        let row = |(uid, (bits, mod_seq)): (&Uid, &(u8, ModSeq))| crate::model::message::Row {
            uid: *uid,
            mod_seq: *mod_seq,
            flags: crate::model::flag::FlagSet::new(*bits, Vec::new()),
            internal_date: 0,
            saved_date: 0,
            octets: 1,
        };
        rows.map(row).collect()
    }

    fn change(&mut self, random: &mut Random) {
        self.mod_seq += 1;
        let uid = random.below(self.uid_next.max(1)) + 1;
        match random.below(5) {
            0 | 1 => {
                self.uid_next += 1;
                self.flags.insert(self.uid_next, (0, self.mod_seq));
            }
            2 => {
                if self.flags.remove(&uid).is_some() {
                    self.expunged.push((self.mod_seq, uid));
                }
            }
            _ => {
                let (bit, mod_seq) = (1 << random.below(5), self.mod_seq);
                if let Some(flags) = self.flags.get_mut(&uid) {
                    *flags = (flags.0 ^ bit, mod_seq);
                }
            }
        }
    }
}

/// A client that keeps what it was told, and knows up to which ModSeq that is all.
#[derive(Default)]
struct Client {
    cache: BTreeMap<Uid, u8>,
    highest: ModSeq,
    selected: Option<Selected>,
}

impl Client {
    /// SELECT (QRESYNC …) with as much as a client may tell of itself.
    fn come_back(&mut self, mailbox: &Mailbox, random: &mut Random) {
        let uids: UidSet = self.cache.keys().copied().collect();
        let named = |uids: &UidSet| {
            let bound = crate::codec::imap::sequence_set::SeqBound::Number;
            let ranges = uids.ranges().iter().map(|(a, b)| (bound(*a), bound(*b)));
            SequenceSet::Ranges(ranges.collect())
        };
        let with_known = random.below(2) == 0 && !uids.is_empty();
        let pairs: Vec<(u32, Uid)> = (1u32..).zip(uids.iter()).step_by(2).collect();
        let with_pairs = random.below(2) == 0 && !pairs.is_empty();
        let qresync = Qresync {
            uid_validity: 1,
            mod_seq: self.highest,
            known: with_known.then(|| named(&uids)),
            matched: with_pairs.then(|| {
                let numbers: UidSet = pairs.iter().map(|pair| pair.0).collect();
                let uids: UidSet = pairs.iter().map(|pair| pair.1).collect();
                (named(&numbers), named(&uids))
            }),
        };
        let state = mailbox.state();
        if self.highest < state.mod_seq {
            let (known, vanished) = since_then(&qresync, &state, mailbox.log(self.highest));
            assert!(vanished.intersection(&state.uids).is_empty());
            self.cache.retain(|uid, _| !vanished.contains(*uid));
            for row in mailbox.rows(&known, self.highest) {
                self.cache.insert(row.uid, row.flags.system);
            }
        }
        self.highest = state.mod_seq;
        self.selected = Some(Selected::new(&state));
        self.fetch_new(mailbox);
    }

    /// `UID FETCH <above all known>:* FLAGS` after EXISTS.
    fn fetch_new(&mut self, mailbox: &Mailbox) {
        let known = self.selected.as_ref().unwrap().uids().clone();
        let last = self.cache.keys().next_back().copied().unwrap_or(0);
        let new = known.intersection(&UidSet::from_range(last + 1, Uid::MAX));
        for row in mailbox.rows(&new, 0) {
            self.cache.insert(row.uid, row.flags.system);
        }
    }

    fn sync(&mut self, mailbox: &Mailbox, expunges: Expunges) {
        let selected = self.selected.as_mut().unwrap();
        let state = mailbox.state();
        let told = selected.sync(&state, |uids, since| mailbox.rows(uids, since), expunges);
        // as `Session::tell` does
        let is_more = told.exists.is_some() || !told.vanished.is_empty();
        self.cache.retain(|uid, _| !told.vanished.contains(*uid));
        for (_, row) in &told.changed {
            self.cache.insert(row.uid, row.flags.system);
        }
        if is_more && selected.has_told_all(&state) {
            self.highest = state.mod_seq;
        }
        self.fetch_new(mailbox);
    }
}

/// Whatever a client was told before its connection broke, after SELECT (QRESYNC …) it has the truth.
#[test]
fn a_client_that_comes_back_has_the_truth() {
    for seed in 1..10_000u64 {
        let mut random = Random(seed);
        let mut mailbox = Mailbox { mod_seq: 1, log_from: 0, ..Mailbox::default() };
        let mut client = Client::default();
        client.come_back(&mailbox, &mut random);
        for _ in 0..60 {
            match random.below(8) {
                0..=3 => mailbox.change(&mut random),
                // the connection breaks; what was said last is lost
                4 => client.selected = None,
                5 if client.selected.is_some() => client.sync(&mailbox, Expunges::Held),
                6 => mailbox.log_from = mailbox.log_from.max(mailbox.mod_seq.saturating_sub(3)),
                _ if client.selected.is_some() => client.sync(&mailbox, Expunges::Allowed),
                _ => client.come_back(&mailbox, &mut random),
            }
        }
        client.selected = None;
        client.come_back(&mailbox, &mut random);
        let truth: BTreeMap<Uid, u8> =
            mailbox.flags.iter().map(|(uid, flags)| (*uid, flags.0)).collect();
        assert_eq!(client.cache, truth, "seed {seed}");
        let uids: BTreeSet<Uid> = client.selected.unwrap().uids().iter().collect();
        assert_eq!(uids, truth.keys().copied().collect(), "seed {seed}");
    }
}
