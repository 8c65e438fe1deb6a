//! Deliveries to several users at once, on a real database.

use super::Delivery;
use super::accept::{Addressee, Outcome, Recipient};
use crate::auth::password::Passwords;
use crate::clock::Clock;
use crate::directory::Directory;
use crate::mailstore::Mailstore;
use crate::mailstore::mailbox::NewMailbox;
use crate::model::address::EmailAddress;
use crate::model::dsn::MessageOptions;
use crate::model::error::Error;
use crate::model::mailbox::MailboxName;
use crate::model::transaction::{ForwardPath, MailTransaction};
use crate::model::user::{User, UserRules};
use crate::queue::Queue;
use crate::storage::Storage;
use crate::storage::field::new_id;
use crate::storage::testing::{counts, set_user, storage};
use crate::tasks::Tasks;
use bytes::Bytes;

pub(super) fn recipient(name: &str) -> Recipient {
    let address = EmailAddress::new(&format!("{name}@a.example")).unwrap();
    let user = User {
        id: new_id(),
        username: name.to_owned(),
        address: String::new(),
        quota_octets: None,
        used_octets: 0,
        disabled: false,
        suspended: false,
        session_epoch: 0,
        rules: UserRules::default(),
    };
    Recipient { path: ForwardPath::new(address), user }
}

pub(super) fn delivery_of(storage: &Storage, mailstore: &Mailstore, clock: &Clock) -> Delivery {
    let passwords = Passwords::new(clock.clone());
    let (storage, mailstore, clock) = (storage.clone(), mailstore.clone(), clock.clone());
    let directory = Directory::new(storage.clone(), mailstore.clone(), passwords, clock.clone());
    let queue = Queue::new(storage.clone(), mailstore.clone(), clock.clone());
    Delivery::new(storage, mailstore, directory, queue, clock, "mx.a.example")
}

#[tokio::test(flavor = "multi_thread")]
async fn recipients_fail_alone_and_share_the_content() {
    let (storage, tasks) = (storage("accept").await, Tasks::new());
    let mailstore = Mailstore::new(storage.clone(), Clock::default(), tasks.clone());
    let delivery = delivery_of(&storage, &mailstore, &Clock::default());
    let names = ["one", "none", "full", "two"];
    let mut recipients: Vec<Recipient> = names.iter().map(|name| recipient(name)).collect();
    for recipient in &recipients {
        let (user, is_full) = (recipient.user.id, recipient.user.username == "full");
        set_user(&storage, user, if is_full { 10 } else { 0 }).await;
        if recipient.user.username != "none" {
            let inbox = NewMailbox::new(MailboxName::inbox());
            mailstore.create_mailbox(user, inbox).await.unwrap();
        }
    }
    // the first once more, by another name
    recipients.push(Recipient { user: recipients[0].user.clone(), ..recipient("alias") });
    let transaction = MailTransaction {
        reverse_path: None,
        helo: "client".to_owned(),
        peer: "127.0.0.1".parse().unwrap(),
        with: "LMTP",
        session: "1".to_owned(),
        trace: new_id(),
        options: MessageOptions::default(),
        lines: Vec::new(),
    };
    let recipients: Vec<Addressee> = recipients.into_iter().map(Addressee::User).collect();
    let content = Bytes::from_static(b"Subject: to all\r\n\r\nbody\r\n");
    let outcomes = delivery.accept(&transaction, &recipients, content.clone()).await;
    let [
        Outcome::Delivered(one),
        Outcome::Failed(none),
        Outcome::Failed(full),
        Outcome::Delivered(two),
        Outcome::Delivered(alias),
    ] = outcomes.as_slice()
    else {
        panic!("{outcomes:?}")
    };
    assert!(matches!(**none, Error::Unavailable { .. }), "{none}");
    assert!(matches!(**full, Error::OverQuota), "{full}");
    assert!(one == alias && one.id != two.id);
    assert_eq!(counts(&storage, "contents").await, (1, 2), "what failed was given back");
    assert_eq!(counts(&storage, "messages").await.0, 2);

    // alone, and when nobody is left
    let outcomes = delivery.accept(&transaction, &recipients[..1], content.clone()).await;
    assert!(matches!(outcomes.as_slice(), [Outcome::Delivered(again)] if again.uid == one.uid + 1));
    let outcomes = delivery.accept(&transaction, &recipients[1..2], content).await;
    assert!(matches!(outcomes.as_slice(), [Outcome::Failed(_)]));
    assert_eq!(counts(&storage, "contents").await, (1, 3));
    tasks.shutdown(std::time::Duration::from_secs(5)).await;
    storage.drop_database().await.unwrap();
}
