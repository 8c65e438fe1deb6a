//! Appends from many tasks, contents shared and read by range, quota, mailboxes, on a real
//! database.

use super::Mailstore;
use super::append::{NewMessage, Target};
use super::fetch::Fields;
use super::mailbox::{MailboxUpdate, NewMailbox};
use crate::clock::Clock;
use crate::model::error::Error;
use crate::model::flag::FlagSet;
use crate::model::id::{MailboxId, UserId};
use crate::model::mailbox::{Mailbox, MailboxName, SpecialUse};
use crate::model::structure::ByteRange;
use crate::model::uid::UidSet;
use crate::storage::contents;
use crate::storage::field::new_id;
use crate::storage::testing::{self, storage};
use crate::tasks::Tasks;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::time::Duration;

pub(super) struct Stand {
    pub(super) store: Mailstore,
    tasks: Tasks,
    pub(super) user: UserId,
}

impl Stand {
    pub(super) async fn start(name: &str) -> Self {
        let tasks = Tasks::new();
        let store = Mailstore::new(storage(name).await, Clock::default(), tasks.clone());
        let stand = Self { store, tasks, user: new_id() };
        testing::set_user(stand.store.storage(), stand.user, 0).await;
        stand
    }

    pub(super) async fn mailbox(&self, name: &str) -> MailboxId {
        let new = NewMailbox::new(MailboxName::new(name).unwrap());
        self.store.create_mailbox(self.user, new).await.unwrap().id
    }

    pub(super) async fn find(&self, mailbox: MailboxId) -> Mailbox {
        self.store.find_mailbox(self.user, mailbox).await.unwrap().unwrap()
    }

    pub(super) async fn message(&self, content: impl Into<Bytes>) -> NewMessage {
        let prepared = self.store.prepare(content.into()).await.unwrap();
        let flags = FlagSet::from_names(["\\Seen"]);
        NewMessage {
            prepared,
            prefix: Bytes::new(),
            flags,
            internal_date: 0,
            meta: None,
            info: None,
        }
    }

    pub(super) async fn append(&self, mailbox: MailboxId, content: impl Into<Bytes>) -> NewMessage {
        let message = self.message(content).await;
        self.store.append(self.user, mailbox, vec![message.clone()]).await.unwrap();
        message
    }

    /// Documents of a collection, and the sum of their counts.
    pub(super) async fn counts(&self, collection: &str) -> (u64, i64) {
        testing::counts(self.store.storage(), collection).await
    }

    pub(super) async fn used(&self) -> u64 {
        self.store.find_usage(self.user).await.unwrap().used_octets
    }

    pub(super) async fn end(self) {
        self.tasks.shutdown(Duration::from_secs(5)).await;
        self.store.storage().drop_database().await.unwrap();
    }
}

pub(super) fn plain(number: u64) -> String {
    format!("Message-ID: <{number}@x>\r\nSubject: {number}\r\n\r\nbody {number}\r\n")
}

/// A message with a base64 attachment of so many octets, in lines of 76 characters.
fn with_attachment(subject: &str, octets: usize) -> Vec<u8> {
    let octet = |index: usize| u8::try_from(index * index % 251).unwrap();
    let decoded: Vec<u8> = (0..octets).map(octet).collect();
    let encoded = STANDARD.encode(decoded).into_bytes();
    let mut message = format!(
        "Subject: {subject}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b\r\nContent-Type: application/pdf\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n"
    )
    .into_bytes();
    for line in encoded.chunks(76) {
        message.extend_from_slice(line);
        message.extend_from_slice(b"\r\n");
    }
    message.extend_from_slice(b"--b--\r\n");
    message
}

#[tokio::test(flavor = "multi_thread")]
async fn appends_of_many_tasks_are_in_order_and_counted() {
    let stand = Stand::start("order").await;
    let mailbox = stand.mailbox("INBOX").await;
    let appends = (0..64).map(|task| {
        let stand = &stand;
        async move {
            let mut appended = Vec::new();
            for round in 0..4 {
                // Every fourth content is the same for all
                let number = if round == 3 { 0 } else { task * 10 + round + 1 };
                let message = stand.message(plain(number)).await;
                let result = stand.store.append(stand.user, mailbox, vec![message]).await;
                appended.extend(result.unwrap());
            }
            assert!(appended.is_sorted_by(|a, b| a.uid < b.uid && a.mod_seq < b.mod_seq));
            appended
        }
    });
    let all: Vec<_> = futures_util::future::join_all(appends).await.into_iter().flatten().collect();
    let uids: BTreeSet<u32> = all.iter().map(|appended| appended.uid).collect();
    assert_eq!(uids, (1..=256).collect());
    let mut by_uid = all.clone();
    by_uid.sort_by_key(|appended| appended.uid);
    assert!(by_uid.is_sorted_by_key(|appended| appended.mod_seq), "ModSeqs in order of UIDs");
    let after = stand.find(mailbox).await;
    assert_eq!((after.uid_next, after.counts.messages, after.counts.unseen), (257, 256, 0));
    assert!(after.mod_seq < 200, "commits are shared: {}", after.mod_seq);
    assert_eq!(after.counts.octets, stand.used().await);
    assert_eq!(stand.counts("contents").await, (193, 256));
    let changes = testing::changes(stand.store.storage(), mailbox).await;
    assert_eq!(changes, after.mod_seq, "one change for each ModSeq");
    stand.store.delete_mailbox(stand.user, mailbox).await.unwrap();
    assert_eq!(stand.counts("messages").await.0, 0);
    assert_eq!(stand.used().await, 0);
    assert_eq!(stand.counts("contents").await, (193, 256), "the archive has them");
    while stand.store.purge_some(0).await.unwrap() > 0 {}
    assert_eq!(stand.counts("contents").await, (0, 0));
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn contents_and_attachments_are_stored_once() {
    let stand = Stand::start("once").await;
    let mut targets = Vec::new();
    let content = with_attachment("one", 3_000_000);
    for name in ["INBOX", "a", "b"] {
        let mailbox = stand.mailbox(name).await;
        let message = stand.message(content.clone()).await;
        targets.push(Target { user: stand.user, mailbox, message });
    }
    let mailboxes: Vec<MailboxId> = targets.iter().map(|target| target.mailbox).collect();
    let missing = Target { mailbox: new_id(), ..targets[0].clone() };
    targets.push(missing);
    let results = stand.store.append_to_many(targets).await;
    assert!(results[..3].iter().all(Result::is_ok));
    assert!(matches!(results[3], Err(Error::NotFound { .. })));
    assert_eq!(stand.counts("contents").await, (1, 3), "the failed one was given back");
    assert_eq!(stand.counts("attachments").await, (1, 1));
    stand.append(mailboxes[0], with_attachment("two", 3_000_000)).await;
    assert_eq!(stand.counts("contents").await, (2, 4));
    assert_eq!(stand.counts("attachments").await, (1, 2));
    for mailbox in mailboxes {
        stand.store.delete_mailbox(stand.user, mailbox).await.unwrap();
    }
    while stand.store.purge_some(0).await.unwrap() > 0 {}
    assert_eq!(stand.counts("contents").await, (0, 0));
    assert_eq!(stand.counts("attachments").await, (0, 0));
    assert_eq!(stand.counts("attachment_chunks").await.0, 0);
    stand.end().await;
}

async fn check_ranges(stand: &Stand, content: &[u8], name: &str) {
    let message = stand.message(content.to_vec()).await;
    let (hash, storage) = (message.prepared.hash, stand.store.storage());
    let octets = content.len() as u64;
    let mut ranges = vec![(0, octets), (0, 1), (octets / 3, octets / 2), (octets / 2, octets + 9)];
    let mut state = octets | 1;
    for _ in 0..12 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let start = (state >> 33) % (octets + 1);
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ranges.push((start, start + (state >> 33) % 70_000));
    }
    for (start, end) in ranges {
        let loaded = contents::load_range(storage, &hash, ByteRange { start, end }).await.unwrap();
        let bound = |value: u64| usize::try_from(value.min(octets)).unwrap();
        assert!(loaded == content[bound(start)..bound(end)], "{name} {start}..{end}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_equal_slices_of_the_content() {
    let stand = Stand::start("ranges").await;
    let mailbox = stand.mailbox("INBOX").await;
    let mut contents = vec![("empty".to_owned(), Vec::new()), ("plain".into(), plain(1).into())];
    for octets in [1, 50_000, 1_048_576, 2_500_001] {
        contents.push((format!("attachment {octets}"), with_attachment("x", octets)));
    }
    let long: String = (0..120_000).map(|line| format!("line {line} of a long text\r\n")).collect();
    contents.push(("long text".into(), format!("Subject: long\r\n\r\n{long}").into()));
    let mut folders = vec![std::path::PathBuf::from("../shared/corpus")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if contents.len() < 400 {
                let content = std::fs::read(entry.path()).unwrap();
                contents.push((entry.path().display().to_string(), content));
            }
        }
    }
    for batch in contents.chunks(20) {
        let mut messages = Vec::new();
        for (_, content) in batch {
            messages.push(stand.message(content.clone()).await);
        }
        stand.store.append(stand.user, mailbox, messages).await.unwrap();
        for (name, content) in batch {
            check_ranges(&stand, content, name).await;
        }
    }
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn quota_and_missing_mailboxes_refuse_and_leave_nothing() {
    let stand = Stand::start("quota").await;
    let mailbox = stand.mailbox("INBOX").await;
    testing::set_user(stand.store.storage(), stand.user, 1000).await;
    // Half of them do not fit; those that do are not refused because of the others
    let appends = (0..4).map(|number: usize| {
        let body = "x".repeat(if number.is_multiple_of(2) { 300 } else { 5000 });
        let stand = &stand;
        async move {
            let message = stand.message(format!("Subject: {number}\r\n\r\n{body}\r\n")).await;
            stand.store.append(stand.user, mailbox, vec![message]).await
        }
    });
    let results = futures_util::future::join_all(appends).await;
    for (number, result) in results.iter().enumerate() {
        if number.is_multiple_of(2) {
            assert!(result.is_ok(), "{result:?}");
        } else {
            assert!(matches!(result, Err(Error::OverQuota)), "{result:?}");
        }
    }
    assert_eq!(stand.counts("contents").await, (2, 2));
    assert!(stand.store.check_room(stand.user, 300).await.is_ok());
    assert!(matches!(stand.store.check_room(stand.user, 600).await, Err(Error::OverQuota)));
    let message = stand.message("\r\n").await;
    let gone = stand.store.append(stand.user, new_id(), vec![message.clone()]).await;
    assert!(matches!(gone, Err(Error::NotFound { what: "mailbox" })));
    let foreign = stand.store.append(new_id(), mailbox, vec![message]).await;
    assert!(matches!(foreign, Err(Error::NotFound { what: "mailbox" })));
    assert_eq!(stand.counts("contents").await, (2, 2));
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mailboxes_are_created_renamed_and_subscribed() {
    let stand = Stand::start("mailboxes").await;
    let (store, user) = (&stand.store, stand.user);
    let name = |text: &str| MailboxName::new(text).unwrap();
    store.create_default_mailboxes(user, "de-AT").await.unwrap();
    let listed = store.list_mailboxes(user).await.unwrap();
    assert_eq!(listed.len(), 5);
    assert!(listed[0].name.is_inbox());
    let validities: BTreeSet<u32> = listed.iter().map(|mailbox| mailbox.uid_validity).collect();
    assert_eq!(validities.len(), 5);
    assert!(listed.iter().any(|mailbox| mailbox.special_use == Some(SpecialUse::Trash)
        && mailbox.name.as_str() == "Papierkorb"));
    let a = stand.mailbox("a").await;
    for child in ["a/b", "a/b/c", "ab"] {
        stand.mailbox(child).await;
    }
    let again = store.create_mailbox(user, NewMailbox::new(name("a"))).await;
    assert!(matches!(again, Err(Error::AlreadyExists { what: "mailbox" })));
    let races = (0..8).map(|_| store.create_mailbox(user, NewMailbox::new(name("race"))));
    let races = futures_util::future::join_all(races).await;
    assert_eq!(races.iter().filter(|race| race.is_ok()).count(), 1, "{races:?}");
    assert!(matches!(
        store.rename_mailbox(user, a, &name("ab"), true).await,
        Err(Error::AlreadyExists { .. })
    ));
    assert!(store.rename_mailbox(user, a, &name("a/b/d"), true).await.is_err());
    store.rename_mailbox(user, a, &name("z"), true).await.unwrap();
    let names: Vec<String> =
        store.list_mailboxes(user).await.unwrap().iter().map(|m| m.name.to_string()).collect();
    for expected in ["z", "z/b", "z/b/c", "ab"] {
        assert!(names.iter().any(|name| name == expected), "{names:?}");
    }
    let b = store.find_mailbox_by_name(user, &name("z/b")).await.unwrap().unwrap();
    store.rename_mailbox(user, b.id, &name("z/c"), false).await.unwrap();
    let update = MailboxUpdate { retention_ms: Some(5), ..MailboxUpdate::default() };
    store.update_mailbox(user, b.id, update).await.unwrap();
    let after = stand.find(b.id).await;
    assert_eq!((after.retention_ms, after.name.as_str()), (Some(5), "z/c"));
    // RFC 9051 §6.3.7: the subscription outlives the mailbox
    store.delete_mailbox(user, b.id).await.unwrap();
    assert_eq!(store.list_subscriptions(user).await.unwrap(), [name("z/c")]);
    let old = after.uid_validity;
    let new = NewMailbox { subscribed: false, ..NewMailbox::new(name("z/c")) };
    let new = store.create_mailbox(user, new).await.unwrap();
    assert!(new.subscribed && new.uid_validity > old);
    assert!(store.list_subscriptions(user).await.unwrap().is_empty());
    store.subscribe(user, &name("z/c"), false).await.unwrap();
    store.subscribe(user, &name("nowhere"), true).await.unwrap();
    store.subscribe(user, &name("nowhere"), true).await.unwrap();
    assert_eq!(store.list_subscriptions(user).await.unwrap(), [name("nowhere")]);
    assert!(store.find_mailbox(new_id(), a).await.unwrap().is_none(), "another user's");
    stand.append(a, plain(1)).await;
    store.delete_user_data(user).await.unwrap();
    assert!(store.list_mailboxes(user).await.unwrap().is_empty());
    assert_eq!(stand.counts("contents").await, (0, 0));
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_appended_is_fetched() {
    let stand = Stand::start("fetched").await;
    let mailbox = stand.mailbox("INBOX").await;
    let content = Bytes::from(plain(7));
    let mut message = stand.message(content.clone()).await;
    message.prefix = Bytes::from_static(b"Received: by x\r\n");
    message.meta = Some("{\"a\":1}".into());
    message.flags = FlagSet::from_names(["\\Flagged", "Work"]);
    stand.store.append(stand.user, mailbox, vec![message.clone()]).await.unwrap();
    let fields = Fields { summary: true, meta: true, ..Fields::default() };
    let all = UidSet::from_range(1, 10);
    let mut stream = stand.store.fetch(stand.user, mailbox, &all, fields).await.unwrap();
    let found = stream.next().await.unwrap().unwrap();
    assert!(stream.next().await.unwrap().is_none());
    assert_eq!(found.row.octets, 16 + content.len() as u64);
    assert_eq!((found.row.flags.clone(), found.meta.clone()), (message.flags, message.meta));
    assert_eq!(found.summary.subject, "7");
    let range = ByteRange { start: 0, end: u64::MAX };
    assert_eq!(stand.store.load_octets(stand.user, &found, range).await.unwrap(), content);
    stand.end().await;
}
