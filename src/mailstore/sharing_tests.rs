//! Lists of rights and their index, annotations, renames of wide trees, on a real database.

use super::append_tests::Stand;
use super::mailbox::NewMailbox;
use super::metadata::{Annotated, Below};
use crate::model::error::Error;
use crate::model::id::{MailboxId, UserId};
use crate::model::limits::METADATA_ENTRIES_MAX;
use crate::model::mailbox::MailboxName;
use crate::model::rights::{Acl, Rights, RightsChange, Who};
use crate::storage::field::new_id;
use crate::storage::testing;

fn name(text: &str) -> MailboxName {
    MailboxName::new(text).unwrap()
}

async fn shared_with(stand: &Stand, user: UserId) -> Vec<MailboxId> {
    // the stand's users have no names, so that the listing by name is asked for below it
    let found = crate::storage::shares::list(stand.store.storage(), user).await.unwrap();
    found.into_iter().map(|mailbox| mailbox.id).collect()
}

#[tokio::test]
async fn shares_follow_the_list() {
    let stand = Stand::start("shares").await;
    let (store, owner, berta) = (&stand.store, stand.user, new_id());
    let team = stand.mailbox("Team").await;
    let grant = |who, negative, rights| {
        let change = RightsChange::Replace(Rights::from_letters(rights).unwrap());
        store.set_acl(owner, team, (who, negative), change)
    };
    grant(Who::User(berta), true, "w").await.unwrap();
    grant(Who::Anyone, false, "l").await.unwrap();
    assert!(shared_with(&stand, berta).await.is_empty(), "neither says where to look");
    grant(Who::User(berta), false, "lr").await.unwrap();
    grant(Who::User(berta), false, "lrw").await.unwrap();
    assert_eq!(shared_with(&stand, berta).await, [team]);
    let mailbox = stand.find(team).await;
    assert_eq!(mailbox.rights_of(berta).to_string(), "lr");
    assert_eq!(mailbox.rights_of(owner), Rights::ALL);
    let stranger =
        store.set_acl(berta, team, (Who::User(berta), false), RightsChange::Add(Rights::ALL));
    assert!(matches!(stranger.await, Err(Error::NotFound { .. })), "only with the owner's id");
    // what is created below is shared alike, and goes with its share
    let plans = stand.mailbox("Team/Plans").await;
    assert_eq!(stand.find(plans).await.acl, mailbox.acl);
    assert_eq!(shared_with(&stand, berta).await.len(), 2);
    store.delete_mailbox(owner, plans).await.unwrap();
    assert_eq!(shared_with(&stand, berta).await, [team]);
    store.rename_mailbox(owner, team, &name("Crew"), true).await.unwrap();
    assert_eq!(stand.find(team).await.acl, mailbox.acl, "a rename changes no rights");
    grant(Who::User(berta), false, "").await.unwrap();
    assert!(shared_with(&stand, berta).await.is_empty());
    stand.end().await;
}

#[tokio::test]
async fn annotations_are_private_or_shared_and_bounded() {
    let stand = Stand::start("metadata").await;
    let (store, owner, berta) = (&stand.store, stand.user, new_id());
    let team = stand.mailbox("Team").await;
    let of = |user| Annotated { user, mailbox: Some((owner, team)) };
    let value = |entry: &str, value: &str| (entry.to_owned(), Some(value.as_bytes().to_vec()));
    let both = [value("/private/comment", "hers"), value("/shared/comment", "all")];
    store.set_metadata(of(berta), &both).await.unwrap();
    let entries = ["/private/comment".to_owned(), "/shared/comment".to_owned()];
    let found = store.find_metadata(of(owner), &entries, Below::Nothing).await.unwrap();
    assert_eq!(found.into_keys().collect::<Vec<_>>(), ["/shared/comment"]);
    let found = store.find_metadata(of(berta), &entries, Below::Nothing).await.unwrap();
    assert_eq!(found.len(), 2);
    // with the shared one of the mailbox
    let many: Vec<_> =
        (1..METADATA_ENTRIES_MAX).map(|n| value(&format!("/private/{n}"), "x")).collect();
    store.set_metadata(of(owner), &many).await.unwrap();
    let one_more = [value("/private/more", "x")];
    let refused = store.set_metadata(of(owner), &one_more).await;
    assert!(matches!(refused, Err(Error::LimitReached { .. })), "{refused:?}");
    let private = ["/private".to_owned()];
    let found = store.find_metadata(of(owner), &private, Below::Everything).await.unwrap();
    assert_eq!(found.len() as u64, METADATA_ENTRIES_MAX - 1, "the refused one is not there");
    store.delete_mailbox(owner, team).await.unwrap();
    let found = store.find_metadata(of(owner), &private, Below::Everything).await.unwrap();
    assert!(found.is_empty());
    stand.end().await;
}

#[tokio::test]
async fn a_wide_tree_is_renamed_at_once_or_not_at_all() {
    const WIDE: usize = 600;
    let stand = Stand::start("tree").await;
    let (store, owner) = (&stand.store, stand.user);
    let names = (0..WIDE).map(|number| NewMailbox::new(name(&format!("a/b/{number}"))));
    let names = names.chain([NewMailbox::new(name("z/17")), NewMailbox::new(name("ab"))]);
    let made = store.create_mailboxes(owner, names.collect(), &Acl::default()).await.unwrap();
    let taken = store.rename_tree(owner, &name("a/b"), &name("z")).await;
    assert!(matches!(taken, Err(Error::AlreadyExists { .. })), "{taken:?}");
    let all = store.list_mailboxes(owner).await.unwrap();
    assert_eq!(all.iter().filter(|mailbox| mailbox.name.is_below(&name("a/b"))).count(), WIDE);
    store.rename_tree(owner, &name("a/b"), &name("a")).await.unwrap();
    let all = store.list_mailboxes(owner).await.unwrap();
    assert_eq!(all.iter().filter(|mailbox| mailbox.name.is_below(&name("a"))).count(), WIDE);
    assert!(!all.iter().any(|mailbox| mailbox.name.as_str().starts_with("a/b")));
    let first = all.iter().find(|mailbox| mailbox.id == made[0].id).unwrap();
    assert_eq!((first.mod_seq, first.uid_validity), (2, made[0].uid_validity));
    let (changes, _) = testing::counts(store.storage(), "changes").await;
    assert_eq!(changes, 2 * WIDE as u64 + 2, "one for each creation and each rename");
    let reserved = NewMailbox::new(name("Other Users/x"));
    assert!(matches!(store.create_mailbox(owner, reserved).await, Err(Error::Invalid { .. })));
    let reserved = name("Other Users");
    assert!(store.rename_tree(owner, &name("a"), &reserved).await.is_err());
    assert!(store.rename_tree(owner, &name("missing"), &name("m")).await.is_err());
    assert!(store.rename_tree(owner, &name("a"), &name("a/x")).await.is_err());
    stand.end().await;
}
