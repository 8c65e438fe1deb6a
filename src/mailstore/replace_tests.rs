//! REPLACE on a real database: both or neither, counters, quota, and many at once.

use super::append_tests::Stand;
use super::fetch::Fields;
use crate::model::error::Error;
use crate::model::flag::{Flag, FlagSet};
use crate::model::uid::UidSet;
use crate::storage::testing;

fn text(subject: &str, octets: usize) -> Vec<u8> {
    let mut text = format!("Subject: {subject}\r\n\r\n").into_bytes();
    text.resize(octets, b'x');
    text
}

#[tokio::test]
async fn the_new_message_comes_as_the_old_one_goes() {
    let stand = Stand::start("replace").await;
    let (inbox, drafts) = (stand.mailbox("INBOX").await, stand.mailbox("Drafts").await);
    let (store, user) = (&stand.store, stand.user);
    stand.append(inbox, text("old", 100)).await;
    let mut new = stand.message(text("new", 300)).await;
    new.flags = FlagSet::new(Flag::Draft.bit(), vec!["work".into()]);
    let here = (user, inbox);
    let replaced = store.replace(here, 1, here, new.clone()).await.unwrap();
    assert_eq!(replaced.uid, 2);
    let mailbox = stand.find(inbox).await;
    let counts = mailbox.counts;
    assert_eq!((counts.messages, counts.unseen, counts.octets), (1, 1, 300));
    assert_eq!((mailbox.keywords, mailbox.uid_next), (vec!["work".to_owned()], 3));
    assert_eq!(stand.used().await, 300);
    let view = store.view(user, inbox).await.unwrap();
    assert_eq!(view.state().uids, UidSet::from_range(2, 2));
    // into another mailbox
    let there = (user, drafts);
    assert_eq!(store.replace(here, 2, there, new.clone()).await.unwrap().uid, 1);
    assert_eq!(view.refresh().await.unwrap().uids, UidSet::new());
    let message = store.find_message(user, drafts, 1, Fields::default()).await.unwrap().unwrap();
    assert!(message.row.flags.has(Flag::Draft) && message.row.octets == 300);
    assert_eq!(stand.find(inbox).await.counts.messages, 0);
    // nothing to replace: nothing comes, and its content goes again
    let contents = stand.counts("contents").await;
    let missing = store.replace(here, 9, there, stand.message(text("none", 50)).await).await;
    assert!(matches!(missing, Err(Error::NotFound { what: "message" })), "{missing:?}");
    assert_eq!(stand.find(drafts).await.counts.messages, 1);
    assert_eq!(stand.counts("contents").await, contents);
    stand.end().await;
}

#[tokio::test]
async fn the_old_octets_make_room_for_the_new_ones() {
    let stand = Stand::start("replace_quota").await;
    let inbox = stand.mailbox("INBOX").await;
    testing::set_user(stand.store.storage(), stand.user, 1000).await;
    stand.append(inbox, text("old", 800)).await;
    let here = (stand.user, inbox);
    let large = stand.message(text("too large", 1001)).await;
    let refused = stand.store.replace(here, 1, here, large).await;
    assert!(matches!(refused, Err(Error::OverQuota)), "{refused:?}");
    assert_eq!((stand.find(inbox).await.counts.octets, stand.used().await), (800, 800));
    let new = stand.message(text("fits", 1000)).await;
    assert_eq!(stand.store.replace(here, 1, here, new).await.unwrap().uid, 2);
    assert_eq!((stand.find(inbox).await.counts.octets, stand.used().await), (1000, 1000));
    stand.end().await;
}

#[tokio::test]
async fn one_of_many_replaces_a_message() {
    let stand = Stand::start("replace_race").await;
    let inbox = stand.mailbox("INBOX").await;
    stand.append(inbox, text("old", 100)).await;
    let here = (stand.user, inbox);
    let mut racing = Vec::new();
    for number in 0..6 {
        let new = stand.message(text(&format!("new {number}"), 100)).await;
        racing.push(stand.store.replace(here, 1, here, new));
    }
    let outcomes = futures_util::future::join_all(racing).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    let counts = stand.find(inbox).await.counts;
    assert_eq!((counts.messages, counts.octets, stand.used().await), (1, 100, 100));
    stand.end().await;
}
