//! Random histories of two sessions against a naive model of a client.

use super::*;
use crate::model::flag::FlagSet;
use std::collections::BTreeMap;

/// The truth: what the mailbox is.
#[derive(Default)]
struct Mailbox {
    rows: BTreeMap<Uid, Row>,
    uid_next: Uid,
    mod_seq: ModSeq,
}

impl Mailbox {
    fn state(&self) -> ViewState {
        ViewState {
            uid_validity: 1,
            uid_next: self.uid_next + 1,
            mod_seq: self.mod_seq,
            uids: self.rows.keys().copied().collect(),
            keywords: Vec::new(),
        }
    }

    fn changed(&self, uids: &UidSet, since: ModSeq) -> Vec<Row> {
        let rows = self.rows.values();
        rows.filter(|row| row.mod_seq > since && uids.contains(row.uid)).cloned().collect()
    }

    fn append(&mut self) {
        self.uid_next += 1;
        self.mod_seq += 1;
        let (uid, mod_seq) = (self.uid_next, self.mod_seq);
        let flags = FlagSet::default();
        let row = Row { uid, mod_seq, flags, internal_date: 0, saved_date: 0, octets: 1 };
        self.rows.insert(uid, row);
    }

    fn store(&mut self, uids: &UidSet, bit: u8) -> Option<ModSeq> {
        let next = self.mod_seq + 1;
        let mut any = false;
        for row in self.rows.values_mut().filter(|row| uids.contains(row.uid)) {
            (row.flags.system, row.mod_seq, any) = (row.flags.system ^ bit, next, true);
        }
        any.then(|| {
            self.mod_seq = next;
            next
        })
    }

    fn expunge(&mut self, uid: Uid) {
        if self.rows.remove(&uid).is_some() {
            self.mod_seq += 1;
        }
    }
}

/// A client that believes exactly what it is told.
struct Client {
    selected: Selected,
    messages: Vec<(Option<Uid>, u8)>,
}

impl Client {
    fn select(mailbox: &Mailbox) -> Self {
        let messages = mailbox.rows.values().map(|row| (Some(row.uid), row.flags.system));
        Self { selected: Selected::new(&mailbox.state()), messages: messages.collect() }
    }

    fn sync(&mut self, mailbox: &Mailbox, expunges: Expunges) {
        let told = self.selected.sync(
            &mailbox.state(),
            |uids, since| mailbox.changed(uids, since),
            expunges,
        );
        assert!(expunges == Expunges::Allowed || told.expunged.is_empty());
        for number in &told.expunged {
            self.messages.remove(*number as usize - 1);
        }
        if let Some(exists) = told.exists {
            assert!(exists as usize > self.messages.len(), "EXISTS never shrinks a mailbox");
            self.messages.resize(exists as usize, (None, 0));
        }
        for (number, row) in &told.changed {
            let message = &mut self.messages[*number as usize - 1];
            assert!(message.0.is_none_or(|uid| uid == row.uid), "FETCH of another message");
            *message = (Some(row.uid), row.flags.system);
        }
        assert_eq!(self.messages.len(), self.selected.exists() as usize);
        // the client asks for what it has not seen yet
        for (index, message) in self.messages.iter_mut().enumerate() {
            let number = u32::try_from(index).unwrap() + 1;
            let uid = self.selected.uids().at(number).unwrap();
            let row = mailbox.rows.get(&uid);
            assert!(message.0.is_none_or(|known| known == uid), "a number moved untold");
            if let (None, Some(row)) = (message.0, row) {
                *message = (Some(uid), row.flags.system);
            }
            message.0 = Some(uid);
            if let Some(row) = row {
                assert_eq!(message.1, row.flags.system, "flags untold");
            }
        }
        if expunges == Expunges::Allowed {
            let truth: Vec<Uid> = mailbox.rows.keys().copied().collect();
            assert_eq!(self.selected.uids().iter().collect::<Vec<_>>(), truth);
        }
    }

    fn store_silently(&mut self, mailbox: &mut Mailbox, uids: &UidSet, bit: u8) {
        if let Some(mod_seq) = mailbox.store(uids, bit) {
            self.selected.silence(uids.clone(), &[mod_seq]);
            // the client applies its own change
            for (uid, flags) in &mut self.messages {
                if uid.is_some_and(|uid| uids.contains(uid) && mailbox.rows.contains_key(&uid)) {
                    *flags ^= bit;
                }
            }
        }
    }
}

#[test]
fn two_sessions_believe_the_truth() {
    // long histories and many short ones
    for seed in 1..100_000u64 {
        let steps = if seed < 200 { 120 } else { 8 + seed % 16 };
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut random = move |below: u32| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            u32::try_from(state >> 33).unwrap() % below
        };
        let mut mailbox = Mailbox::default();
        (0..random(6)).for_each(|_| mailbox.append());
        let mut clients = [Client::select(&mailbox), Client::select(&mailbox)];
        for _ in 0..steps {
            let client = &mut clients[random(2) as usize];
            let uid = random(mailbox.uid_next + 1) + 1;
            let uids = UidSet::from_range(uid, uid + random(3));
            match random(8) {
                0 | 1 => mailbox.append(),
                2 => mailbox.expunge(uid),
                3 => drop(mailbox.store(&uids, 1 << random(5))),
                4 => client.store_silently(&mut mailbox, &uids, 1 << random(5)),
                5 => client.sync(&mailbox, Expunges::Held),
                _ => client.sync(&mailbox, Expunges::Allowed),
            }
        }
        clients.iter_mut().for_each(|client| client.sync(&mailbox, Expunges::Allowed));
    }
}

#[test]
fn numbers_and_uids_agree_with_positions() {
    let uids = UidSet::from_ranges(vec![(3, 5), (9, 9), (20, 30)]);
    let state = ViewState { uid_validity: 1, uid_next: 31, mod_seq: 1, uids, keywords: vec![] };
    let selected = Selected::new(&state);
    for low in 1..=15 {
        for high in low..=15 {
            let got = selected.uids_at(&UidSet::from_range(low, high)).unwrap();
            let naive: UidSet = (low..=high).map(|at| state.uids.at(at).unwrap()).collect();
            assert_eq!(got, naive);
            assert_eq!(selected.numbers_of(&got), UidSet::from_range(low, high));
        }
    }
    assert_eq!(selected.uids_at(&UidSet::from_range(15, 16)), None);
    assert_eq!(selected.uids_at(&UidSet::new()), Some(UidSet::new()));
    let mut numbers = selected.numbers();
    assert_eq!(
        [4, 6, 9, 30, 31].map(|uid| numbers.of(uid)),
        [Some(2), None, Some(4), Some(15), None]
    );
}
