//! Random histories on a real database, by two nodes, against a naive model.

use super::Mailstore;
use super::append::{NewMessage, Prepared};
use super::copy::Copied;
use super::fetch::{Fields, PageQuery};
use super::mailbox::NewMailbox;
use super::view::View;
use crate::clock::Clock;
use crate::cluster::notifier::Notifier;
use crate::model::flag::{Flag, FlagChange, FlagSet};
use crate::model::id::{ContentHash, MailboxId, UserId};
use crate::model::mailbox::MailboxName;
use crate::model::message::Row;
use crate::model::structure::Structure;
use crate::model::uid::{ModSeq, Uid, UidSet};
use crate::storage::field::new_id;
use crate::storage::{Storage, messages};
use crate::tasks::Tasks;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A database of its own, dropped by [`Stand::end`]; `None` without a server.
struct Stand {
    storage: Storage,
    nodes: Vec<Mailstore>,
    tasks: Tasks,
    user: UserId,
}

impl Stand {
    async fn start(name: &str) -> Option<Self> {
        #[expect(clippy::disallowed_methods, reason = "tests take the server from the environment")]
        let uri = std::env::var("EIDER_TEST_MONGODB_URI").ok()?;
        let database = format!("eider_unit_{name}_{}", new_id::<()>());
        let storage = Storage::connect(&uri, &database).await.unwrap();
        let tasks = Tasks::new();
        let mut nodes = Vec::new();
        for _ in 0..2 {
            let storage = Storage::connect(&uri, &database).await.unwrap();
            nodes.push(Mailstore::new(storage, Clock::default(), tasks.clone()));
        }
        Some(Self { storage, nodes, tasks, user: new_id() })
    }

    async fn mailbox(&self, name: &str) -> MailboxId {
        let new = NewMailbox::new(MailboxName::new(name).unwrap());
        self.nodes[0].create_mailbox(self.user, new).await.unwrap().id
    }

    async fn end(self) {
        self.tasks.shutdown(std::time::Duration::from_secs(5)).await;
        self.storage.drop_database().await.unwrap();
    }
}

fn message(number: u64, flags: FlagSet) -> NewMessage {
    let content = Bytes::from(format!("Subject: {number}\r\n\r\nbody {number}\r\n"));
    let hash = ContentHash(*blake3::hash(&content).as_bytes());
    let prepared = Prepared { content, hash, structure: Arc::new(Structure::default()) };
    let internal_date = i64::try_from(number).unwrap() * 1000;
    NewMessage { prepared, prefix: Bytes::new(), flags, internal_date, meta: None, info: None }
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn change(&mut self) -> FlagChange {
        let flags = self.flags();
        match self.below(3) {
            0 => FlagChange::Add(flags),
            1 => FlagChange::Remove(flags),
            _ => FlagChange::Replace(flags),
        }
    }

    fn flags(&mut self) -> FlagSet {
        let names = ["\\Seen", "\\Deleted", "\\Flagged", "$Junk", "work", "Later"];
        let chosen = self.below(64);
        FlagSet::from_names((0..6).filter(|bit| chosen >> bit & 1 == 1).map(|bit| names[bit]))
    }

    fn uids(&mut self, next: Uid) -> UidSet {
        let mut set = UidSet::new();
        for _ in 0..=self.below(4) {
            let first = u32::try_from(self.below(u64::from(next))).unwrap() + 1;
            let last = first + u32::try_from(self.below(9)).unwrap();
            set = set.union(&UidSet::from_range(first, last));
        }
        set
    }
}

/// The model of one mailbox: flags by UID, and when each changed.
#[derive(Clone, Default, Debug)]
struct Model {
    rows: BTreeMap<Uid, (FlagSet, ModSeq)>,
    next: Uid,
    gone: Vec<(Uid, ModSeq)>,
}

impl Model {
    fn among(&self, uids: &UidSet) -> Vec<Uid> {
        self.rows.keys().copied().filter(|uid| uids.contains(*uid)).collect()
    }

    fn take(&mut self, uids: &[Uid], mod_seq: ModSeq) -> Vec<FlagSet> {
        self.gone.extend(uids.iter().map(|uid| (*uid, mod_seq)));
        uids.iter().map(|uid| self.rows.remove(uid).unwrap().0).collect()
    }

    fn put(&mut self, flags: impl IntoIterator<Item = FlagSet>, mod_seq: ModSeq) {
        for flags in flags {
            self.rows.insert(self.next, (flags, mod_seq));
            self.next += 1;
        }
    }
}

fn rows_of(view: &View) -> Vec<Row> {
    let mut rows = Vec::new();
    view.for_each(&UidSet::from_range(1, Uid::MAX), &mut |row| rows.push(row.clone()));
    rows
}

fn same_flags(left: &FlagSet, right: &FlagSet) -> bool {
    left.system == right.system
        && left.keywords().len() == right.keywords().len()
        && left.keywords().iter().all(|keyword| right.has_keyword(keyword))
}

async fn mod_seq_of(node: &Mailstore, user: UserId, mailbox: MailboxId) -> ModSeq {
    node.find_mailbox(user, mailbox).await.unwrap().unwrap().mod_seq
}

/// One random step on one of two mailboxes, on the node and on the model.
async fn step(
    random: &mut Random,
    node: &Mailstore,
    user: UserId,
    ids: [MailboxId; 2],
    models: &mut [Model; 2],
    number: u64,
) {
    let at = usize::try_from(random.below(2)).unwrap();
    let other = if random.below(5) == 0 { at } else { 1 - at };
    let uids = random.uids(models[at].next);
    let existing = models[at].among(&uids);
    let check = |copied: &Copied, first: Uid| {
        let expected: Vec<(Uid, Uid)> = existing.iter().copied().zip(first..).collect();
        assert_eq!(copied.uids, expected, "step {number}");
    };
    match random.below(7) {
        0 | 1 => {
            let new: Vec<NewMessage> = (0..=random.below(4))
                .map(|index| message(number * 10 + index, random.flags()))
                .collect();
            let flags: Vec<FlagSet> = new.iter().map(|message| message.flags.clone()).collect();
            let appended = node.append(user, ids[at], new).await.unwrap();
            assert_eq!(appended[0].uid, models[at].next);
            models[at].put(flags, appended[0].mod_seq);
        }
        2 | 3 => {
            let change = random.change();
            let top = mod_seq_of(node, user, ids[at]).await;
            let since = (random.below(2) == 0).then(|| top - random.below(top.min(6)));
            let stored = node.store_flags(user, ids[at], &uids, &change, since).await.unwrap();
            let fresh = |uid: &Uid| since.is_some_and(|since| models[at].rows[uid].1 > since);
            let modified: UidSet = existing.iter().copied().filter(fresh).collect();
            assert_eq!(stored.modified, modified, "step {number}");
            let mut changed = false;
            for uid in existing.iter().filter(|uid| !modified.contains(**uid)) {
                let row = models[at].rows.get_mut(uid).unwrap();
                let after = change.apply(&row.0);
                if !same_flags(&after, &row.0) {
                    changed = true;
                    *row = (after, stored.mod_seqs.first().copied().unwrap_or(0));
                }
            }
            assert_eq!(stored.mod_seqs.len(), usize::from(changed), "step {number}");
        }
        4 => {
            let copied = node.copy(user, ids[at], &uids, ids[other]).await.unwrap();
            check(&copied, models[other].next);
            let flags: Vec<FlagSet> =
                existing.iter().map(|uid| models[at].rows[uid].0.clone()).collect();
            models[other].put(flags, mod_seq_of(node, user, ids[other]).await);
        }
        5 => {
            let copied = node.move_messages(user, ids[at], &uids, ids[other]).await.unwrap();
            check(&copied, models[other].next);
            let flags = models[at].take(&existing, mod_seq_of(node, user, ids[at]).await);
            models[other].put(flags, mod_seq_of(node, user, ids[other]).await);
        }
        _ => {
            let gone = if random.below(2) == 0 {
                node.expunge_deleted(user, ids[at], Some(&uids)).await.unwrap()
            } else {
                node.remove(user, ids[at], &UidSet::from_range(1, 2)).await.unwrap();
                let two = models[at].among(&UidSet::from_range(1, 2));
                models[at].take(&two, mod_seq_of(node, user, ids[at]).await);
                node.expunge_deleted(user, ids[at], None).await.unwrap()
            };
            let rows = &models[at].rows;
            assert!(gone.iter().all(|uid| rows[&uid].0.has(Flag::Deleted)), "step {number}");
            let gone: Vec<Uid> = gone.iter().collect();
            models[at].take(&gone, mod_seq_of(node, user, ids[at]).await);
        }
    }
}

fn compare(view: &View, model: &Model, number: u64) {
    let rows = rows_of(view);
    let shown: Vec<(Uid, ModSeq)> = rows.iter().map(|row| (row.uid, row.mod_seq)).collect();
    let expected: Vec<(Uid, ModSeq)> = model.rows.iter().map(|(uid, row)| (*uid, row.1)).collect();
    assert_eq!(shown, expected, "step {number}");
    assert!(
        rows.iter().all(|row| same_flags(&row.flags, &model.rows[&row.uid].0)),
        "step {number}"
    );
    assert_eq!(view.state().uid_next, model.next);
}

async fn compare_counts(node: &Mailstore, user: UserId, mailbox: MailboxId, model: &Model) {
    let counts = node.find_mailbox(user, mailbox).await.unwrap().unwrap().counts;
    let having = |test: &dyn Fn(&FlagSet) -> bool| {
        model.rows.values().filter(|row| test(&row.0)).count() as u64
    };
    assert_eq!(counts.messages, model.rows.len() as u64);
    assert_eq!(counts.unseen, having(&|flags| !flags.has(Flag::Seen)));
    assert_eq!(counts.deleted, having(&|flags| flags.has(Flag::Deleted)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn histories_equal_a_naive_model() {
    let Some(stand) = Stand::start("history").await else { return };
    let user = stand.user;
    let ids = [stand.mailbox("INBOX").await, stand.mailbox("Other").await];
    let mut models = [Model { next: 1, ..Model::default() }, Model { next: 1, ..Model::default() }];
    let mut views = Vec::new();
    for node in &stand.nodes {
        for id in ids {
            views.push(node.view(user, id).await.unwrap());
        }
    }
    let mut random = Random(4711);
    for number in 0..400 {
        let node = &stand.nodes[usize::try_from(random.below(2)).unwrap()];
        step(&mut random, node, user, ids, &mut models, number).await;
        for (index, view) in views.iter().enumerate() {
            if random.below(3) == 0 {
                let rounds = usize::try_from(random.below(3)).unwrap();
                view.refresh_in(rounds).await.unwrap();
                compare(view, &models[index % 2], number);
            }
        }
        if number % 10 == 0 {
            for at in 0..2 {
                compare_counts(node, user, ids[at], &models[at]).await;
            }
        }
    }
    for (index, model) in models.iter().enumerate() {
        let view = &views[index];
        view.refresh().await.unwrap();
        let top = view.state().mod_seq;
        for since in [0, top / 2, top - 1, top] {
            let gone = view.vanished_since(since).await.unwrap().unwrap();
            let expected = model.gone.iter().filter(|gone| gone.1 > since).map(|gone| gone.0);
            assert_eq!(gone, expected.collect::<UidSet>(), "since {since}");
        }
        read_back(&stand.nodes[0], user, ids[index], model).await;
    }
    for id in ids {
        stand.nodes[0].remove(user, id, &UidSet::from_range(1, Uid::MAX)).await.unwrap();
    }
    while stand.nodes[0].purge_some(0).await.unwrap() > 0 {}
    // Every reference was counted: nothing is left once nothing refers to it
    assert_eq!(messages::counted_contents(&stand.storage).await.unwrap(), 0);
    stand.end().await;
}

/// Streams and pages show what the model has.
async fn read_back(node: &Mailstore, user: UserId, mailbox: MailboxId, model: &Model) {
    let held = node.find_mailbox(user, mailbox).await.unwrap().unwrap();
    let all = UidSet::from_range(1, Uid::MAX);
    let mut stream = node.fetch(user, mailbox, &all, Fields::default()).await.unwrap();
    let mut rows = Vec::new();
    while let Some(message) = stream.next().await.unwrap() {
        assert_eq!(message.mailbox, mailbox);
        rows.push(message.row);
    }
    assert_eq!(rows.iter().map(|row| row.uid).collect::<Vec<_>>(), model.among(&all));
    for ascending in [false, true] {
        for unseen in [None, Some(true), Some(false)] {
            let mut expected: Vec<(i64, Uid)> = rows
                .iter()
                .filter(|row| unseen.is_none_or(|unseen| row.flags.has(Flag::Seen) != unseen))
                .map(|row| (row.internal_date, row.uid))
                .collect();
            expected.sort_unstable();
            if !ascending {
                expected.reverse();
            }
            let (mut after, mut shown) = (None, Vec::new());
            loop {
                let query = PageQuery { ascending, after, before: None, unseen, limit: 7 };
                let (page, more) = node.page(&held, &query, Fields::default()).await.unwrap();
                shown.extend(page.iter().map(|each| (each.row.internal_date, each.row.uid)));
                after = shown.last().copied();
                if !more {
                    break;
                }
            }
            assert_eq!(shown, expected, "ascending {ascending}, unseen {unseen:?}");
            if let Some(at) = expected.get(9).copied() {
                let query =
                    PageQuery { ascending, after: None, before: Some(at), unseen, limit: 4 };
                let (page, more) = node.page(&held, &query, Fields::default()).await.unwrap();
                let page: Vec<_> =
                    page.iter().map(|each| (each.row.internal_date, each.row.uid)).collect();
                assert_eq!((page.as_slice(), more), (&expected[5..9], true));
            }
        }
    }
}

/// Writers on both nodes while views are refreshed: no state is ever ahead of or behind its ModSeq.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_are_consistent_prefixes_under_writing() {
    let Some(stand) = Stand::start("prefix").await else { return };
    let user = stand.user;
    let ids = [stand.mailbox("INBOX").await, stand.mailbox("Other").await];
    let mut writers = Vec::new();
    for writer in 0..4u64 {
        let node = stand.nodes[usize::try_from(writer % 2).unwrap()].clone();
        writers.push(stand.tasks.spawn("writer", async move {
            let mut random = Random(writer * 77 + 1);
            for number in 0..40 {
                let new = vec![message(writer * 1000 + number, random.flags())];
                let uid = node.append(user, ids[0], new).await.unwrap()[0].uid;
                let uids = UidSet::from_range(uid.saturating_sub(3).max(1), uid);
                let change = FlagChange::Replace(random.flags());
                node.store_flags(user, ids[0], &uids, &change, None).await.unwrap();
                match random.below(4) {
                    0 => drop(node.move_messages(user, ids[0], &uids, ids[1]).await.unwrap()),
                    1 => drop(node.expunge_deleted(user, ids[0], None).await.unwrap()),
                    2 => drop(node.move_messages(user, ids[1], &uids, ids[0]).await.unwrap()),
                    _ => drop(node.copy(user, ids[1], &uids, ids[0]).await.unwrap()),
                }
            }
        }));
    }
    let views = [
        stand.nodes[0].view(user, ids[0]).await.unwrap(),
        stand.nodes[1].view(user, ids[0]).await.unwrap(),
    ];
    let mut random = Random(5);
    let mut seen: BTreeMap<ModSeq, (UidSet, Uid)> = BTreeMap::new();
    while writers.iter().any(|writer| !writer.is_finished()) {
        for view in &views {
            let rounds = usize::try_from(random.below(3)).unwrap();
            let state = view.refresh_in(rounds).await.unwrap();
            let rows = rows_of(view);
            assert!(rows.iter().all(|row| row.mod_seq <= view.state().mod_seq));
            assert!(state.uids.last().is_none_or(|last| last < state.uid_next));
            // Two nodes at one ModSeq show the same mailbox
            let shown = (state.uids.clone(), state.uid_next);
            assert_eq!(*seen.entry(state.mod_seq).or_insert(shown.clone()), shown);
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(stand.tasks.panics(), 0);
    let state = views[0].refresh().await.unwrap();
    views[1].refresh().await.unwrap();
    assert_eq!(rows_of(&views[0]), rows_of(&views[1]));
    let rows = rows_of(&views[0]);
    let counts = stand.nodes[0].find_mailbox(user, ids[0]).await.unwrap().unwrap().counts;
    assert_eq!(counts.messages, rows.len() as u64);
    assert_eq!(counts.octets, rows.iter().map(|row| row.octets).sum::<u64>());
    assert_eq!(counts.unseen, rows.iter().filter(|row| !row.flags.has(Flag::Seen)).count() as u64);
    let mut stream =
        stand.nodes[0].fetch(user, ids[0], &state.uids, Fields::default()).await.unwrap();
    let mut stored = Vec::new();
    while let Some(message) = stream.next().await.unwrap() {
        stored.push(message.row);
    }
    assert_eq!(stored, rows);
    stand.end().await;
}

/// A wake on every change of the mailbox, from whichever node; none for other mailboxes.
#[tokio::test]
async fn a_change_wakes_subscribers() {
    let Some(stand) = Stand::start("notifier").await else { return };
    let user = stand.user;
    let ids = [stand.mailbox("INBOX").await, stand.mailbox("Other").await];
    let notifier = Notifier::start(stand.storage.clone(), &stand.tasks);
    let mut mailbox = notifier.subscribe(user, ids[0]);
    let mut anything = notifier.subscribe_user(user);
    let limit = std::time::Duration::from_secs(10);
    // The opening of the stream wakes everybody
    tokio::time::timeout(limit, mailbox.woken()).await.unwrap();
    tokio::time::timeout(limit, anything.woken()).await.unwrap();
    for node in &stand.nodes {
        node.append(user, ids[0], vec![message(1, FlagSet::default())]).await.unwrap();
        tokio::time::timeout(limit, mailbox.woken()).await.unwrap();
        tokio::time::timeout(limit, anything.woken()).await.unwrap();
    }
    stand.nodes[0].append(user, ids[1], vec![message(2, FlagSet::default())]).await.unwrap();
    tokio::time::timeout(limit, anything.woken()).await.unwrap();
    let short = std::time::Duration::from_millis(200);
    assert!(tokio::time::timeout(short, mailbox.woken()).await.is_err());
    assert_eq!(notifier.census().1, 2);
    drop((mailbox, anything));
    assert_eq!(notifier.census().1, 0);
    stand.end().await;
}

/// Another user's ids find nothing and change nothing.
#[tokio::test]
async fn another_user_sees_nothing() {
    let Some(stand) = Stand::start("isolation").await else { return };
    let (user, stranger, node) = (stand.user, new_id(), &stand.nodes[0]);
    let inbox = stand.mailbox("INBOX").await;
    node.append(user, inbox, vec![message(1, FlagSet::default())]).await.unwrap();
    let all = UidSet::from_range(1, 9);
    assert!(node.view(stranger, inbox).await.is_err());
    assert!(node.find_message(stranger, inbox, 1, Fields::default()).await.unwrap().is_none());
    let change = FlagChange::Add(FlagSet::from_names(["\\Deleted"]));
    assert!(node.store_flags(stranger, inbox, &all, &change, None).await.is_err());
    assert!(node.copy(stranger, inbox, &all, inbox).await.is_err());
    assert!(node.move_messages(stranger, inbox, &all, inbox).await.is_err());
    assert!(node.remove(stranger, inbox, &all).await.is_err());
    assert_eq!(node.view(user, inbox).await.unwrap().state().uids.len(), 1);
    stand.end().await;
}
