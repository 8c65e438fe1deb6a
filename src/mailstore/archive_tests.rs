//! What users remove and how it comes back; what expires; counts that never err downwards.

use super::append_tests::{Stand, plain};
use super::archive::ArchiveQuery;
use super::deferred::Work;
use super::fetch::Fields;
use super::mailbox::{MailboxUpdate, NewMailbox};
use super::retention::Notes;
use crate::model::flag::{FlagChange, FlagSet};
use crate::model::id::MailboxId;
use crate::model::mailbox::{MailboxName, SpecialUse};
use crate::model::message::Message;
use crate::model::uid::{Uid, UidSet};
use crate::storage::deferred::{self, Deferred};
use crate::storage::field::new_id;

const DAY_MS: i64 = 86_400_000;

fn all() -> UidSet {
    UidSet::from_range(1, Uid::MAX)
}

impl Stand {
    async fn archived(&self) -> Vec<Message> {
        let query = ArchiveQuery { ascending: true, limit: 100, ..ArchiveQuery::default() };
        let (rows, _, total) = self.store.list_archived(self.user, &query).await.unwrap();
        assert_eq!(rows.len() as u64, total);
        rows
    }

    async fn messages(&self, mailbox: MailboxId) -> Vec<Message> {
        let fields = Fields { meta: true, ..Fields::default() };
        let mut stream = self.store.fetch(self.user, mailbox, &all(), fields).await.unwrap();
        let mut found = Vec::new();
        while let Some(message) = stream.next().await.unwrap() {
            found.push(message);
        }
        found
    }

    async fn special(&self, name: &str, special_use: SpecialUse) -> MailboxId {
        let new = NewMailbox::new(MailboxName::new(name).unwrap());
        let new = NewMailbox { special_use: Some(special_use), ..new };
        self.store.create_mailbox(self.user, new).await.unwrap().id
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_removed_comes_back() {
    let stand = Stand::start("archive").await;
    let (store, user) = (&stand.store, stand.user);
    let inbox = stand.mailbox("INBOX").await;
    for number in 1..=3 {
        stand.append(inbox, plain(number)).await;
    }
    let deleted = FlagChange::Add(FlagSet::from_names(["\\Deleted", "work"]));
    store.store_flags(user, inbox, &UidSet::from_range(1, 2), &deleted, None).await.unwrap();
    let used = stand.used().await;
    assert_eq!(store.expunge_deleted(user, inbox, None).await.unwrap().len(), 2);
    assert!(stand.used().await < used, "the quota is free at once");
    assert_eq!(stand.counts("contents").await, (3, 3), "the archive holds its contents");
    let archived = stand.archived().await;
    assert_eq!(archived.len(), 2);
    let thread = archived[0].thread;
    assert!(store.restore(new_id(), archived[0].id, None).await.is_err(), "not another's");
    let back = store.restore(user, archived[0].id, None).await.unwrap();
    assert_eq!((back.mailbox, back.uid), (inbox, 4));
    assert!(store.restore(user, archived[0].id, None).await.is_err(), "once");
    let message = stand.messages(inbox).await.pop().unwrap();
    assert_eq!(message.row.flags.names().collect::<Vec<_>>(), ["\\Seen", "work"]);
    assert_eq!(message.thread, thread);
    let counts = stand.find(inbox).await.counts;
    assert_eq!((counts.messages, counts.unseen, counts.deleted), (2, 0, 0));
    assert_eq!(stand.used().await, counts.octets);
    // the mailbox it was in is gone: INBOX
    let other = stand.mailbox("other").await;
    stand.append(other, plain(9)).await;
    store.delete_mailbox(user, other).await.unwrap();
    let from_other = stand.archived().await.into_iter().find(|m| m.mailbox == other).unwrap();
    assert_eq!(store.restore(user, from_other.id, None).await.unwrap().mailbox, inbox);
    // all of a time, into a mailbox of its own
    store.restore_between(user, 0, i64::MAX / 2).await.unwrap();
    assert!(stand.archived().await.is_empty());
    let names = store.list_mailboxes(user).await.unwrap();
    let restored = names.iter().find(|m| m.name.as_str().starts_with("Restored (")).unwrap();
    assert_eq!(restored.counts.messages, 1);
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drafts_and_copied_messages_are_not_archived() {
    let stand = Stand::start("unarchived").await;
    let (store, user) = (&stand.store, stand.user);
    let (inbox, other) = (stand.mailbox("INBOX").await, stand.mailbox("other").await);
    stand.append(inbox, plain(1)).await;
    stand.append(inbox, plain(2)).await;
    let draft = FlagChange::Add(FlagSet::from_names(["\\Draft"]));
    store.store_flags(user, inbox, &UidSet::from_range(2, 2), &draft, None).await.unwrap();
    store.copy(user, inbox, &UidSet::from_range(1, 1), other).await.unwrap();
    assert_eq!(stand.counts("contents").await, (2, 3));
    store.remove(user, inbox, &all()).await.unwrap();
    assert!(stand.archived().await.is_empty());
    assert_eq!(stand.counts("contents").await, (1, 1));
    store.remove_for_good(user, other, &all()).await.unwrap();
    assert!(stand.archived().await.is_empty());
    assert_eq!(stand.counts("contents").await, (0, 0));
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_expire_and_the_archive_is_purged() {
    let stand = Stand::start("expire").await;
    let (store, user) = (&stand.store, stand.user);
    let (inbox, trash) =
        (stand.mailbox("INBOX").await, stand.special("T", SpecialUse::Trash).await);
    for number in 1..=4 {
        stand.append(inbox, plain(number)).await;
    }
    store.move_messages(user, inbox, &UidSet::from_range(1, 1), trash).await.unwrap();
    assert!(stand.messages(trash).await[0].expires_ms.is_some());
    assert!(stand.messages(inbox).await.iter().all(|message| message.expires_ms.is_none()));
    let own = Notes { meta: None, expires_ms: Some(Some(store.clock().now_ms() + DAY_MS)) };
    let second = UidSet::from_range(2, 2);
    assert_eq!(store.annotate(user, inbox, &second, &own).await.unwrap(), 1);
    assert_eq!(store.expire_some().await.unwrap(), 0);
    store.clock().advance_ms(DAY_MS + 1000);
    assert_eq!(store.expire_some().await.unwrap(), 1);
    // a mailbox that keeps for a week stamps what is there; the caller's own wish stays
    let never = Notes { meta: None, expires_ms: Some(None) };
    store.annotate(user, inbox, &UidSet::from_range(4, 4), &never).await.unwrap();
    let week = u64::try_from(7 * DAY_MS).unwrap();
    let update = MailboxUpdate { retention_ms: Some(week), ..MailboxUpdate::default() };
    store.update_mailbox(user, inbox, update).await.unwrap();
    store.clock().advance_ms(7 * DAY_MS);
    assert_eq!(store.expire_some().await.unwrap(), 1);
    let left: Vec<Uid> = stand.messages(inbox).await.iter().map(|m| m.row.uid).collect();
    assert_eq!(left, [4]);
    store.clock().advance_ms(24 * DAY_MS);
    assert_eq!(store.expire_some().await.unwrap(), 1, "Trash keeps for 30 days");
    assert_eq!(stand.archived().await.len(), 3);
    let kept = crate::model::limits::ARCHIVE_MS;
    assert_eq!(store.purge_some(kept).await.unwrap(), 1, "the first one is old enough");
    store.clock().advance_ms(25 * DAY_MS);
    assert_eq!(store.purge_some(kept).await.unwrap(), 2);
    assert_eq!(store.purge_some(kept).await.unwrap(), 0);
    assert_eq!(stand.counts("contents").await, (1, 1));
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_of_a_node_that_died_is_done_later_and_twice_does_no_harm() {
    let stand = Stand::start("deferred").await;
    let (store, user) = (&stand.store, stand.user);
    let inbox = stand.mailbox("INBOX").await;
    let gone = stand.mailbox("gone").await;
    stand.append(gone, plain(1)).await;
    stand.append(inbox, plain(2)).await;
    // as after a crash: the mailbox is gone, its messages are not
    store.storage().mailboxes().delete_one(bson::doc! { "name": "gone" }).await.unwrap();
    let note = |work| Deferred { id: new_id(), user, work };
    let works = [
        Work::Drain { mailbox: gone },
        Work::Drain { mailbox: gone },
        Work::Clear { mailbox: inbox, archives: true },
        Work::Clear { mailbox: inbox, archives: true },
        Work::Restamp { mailbox: Some(gone) },
    ];
    let now_ms = store.clock().now_ms();
    for work in works {
        deferred::insert(store.storage(), None, &note(work), now_ms + DAY_MS).await.unwrap();
    }
    assert_eq!(store.run_deferred(10).await.unwrap(), 0, "not due yet");
    store.clock().advance_ms(2 * DAY_MS);
    assert_eq!(store.run_deferred(10).await.unwrap(), 5);
    assert_eq!(store.run_deferred(10).await.unwrap(), 0);
    assert_eq!(stand.archived().await.len(), 2);
    assert_eq!(stand.counts("contents").await, (2, 2), "never too low");
    store.delete_user_data(user).await.unwrap();
    assert_eq!(stand.counts("contents").await, (0, 0));
    assert_eq!(stand.counts("archived").await.0, 0);
    stand.end().await;
}
