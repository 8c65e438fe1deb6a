//! Audits on a real database: what is there, what comes, what is dropped; their end.

use super::accept::{Addressee, Recipient};
use super::accept_tests::{delivery_of, recipient};
use super::audit::NewAudit;
use crate::clock::Clock;
use crate::mailstore::Mailstore;
use crate::mailstore::mailbox::NewMailbox;
use crate::model::dsn::MessageOptions;
use crate::model::filter::{Filter, FilterAction, FilterQuery};
use crate::model::id::ObjectId;
use crate::model::mailbox::MailboxName;
use crate::model::transaction::MailTransaction;
use crate::model::uid::UidSet;
use crate::storage::field::new_id;
use crate::storage::testing::{counts, set_user, storage};
use crate::storage::{filters, users};
use crate::tasks::Tasks;
use bytes::Bytes;

fn transaction() -> MailTransaction {
    MailTransaction {
        reverse_path: None,
        helo: "client".to_owned(),
        peer: "127.0.0.1".parse().unwrap(),
        with: "LMTP",
        session: "1".to_owned(),
        trace: new_id(),
        options: MessageOptions::default(),
        lines: Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audits_copy_what_is_there_and_what_comes_and_outlive_it() {
    let (storage, tasks, clock) = (storage("audit").await, Tasks::new(), Clock::default());
    let mailstore = Mailstore::new(storage.clone(), clock.clone(), tasks.clone());
    let delivery = delivery_of(&storage, &mailstore, &clock);
    let mut anna = recipient("anna");
    let user = anna.user.id;
    set_user(&storage, user, 0).await;
    let inbox = NewMailbox::new(MailboxName::inbox());
    let inbox = mailstore.create_mailbox(user, inbox).await.unwrap().id;
    let content = |subject: &str| {
        Bytes::from(format!("From: b@x.example\r\nSubject: {subject}\r\n\r\nFrom here\r\n"))
    };
    let transaction = transaction();
    let audited = async |anna: &Recipient, subject: &str| {
        delivery.accept(&transaction, &[Addressee::User(anna.clone())], content(subject)).await
    };
    audited(&anna, "before").await;
    let now = clock.now_ms();
    let new = |user, expires_ms| NewAudit {
        user,
        start_ms: Some(now - 3_600_000),
        end_ms: None,
        expires_ms,
        notes: None,
        meta: None,
    };
    assert!(delivery.create_audit(new(new_id(), now)).await.is_err(), "no such user");
    let audit = delivery.create_audit(new(user, now + 3_600_000)).await.unwrap();
    anna.user.rules = users::load(&storage, user).await.unwrap().profile.user.rules;
    audited(&anna, "live").await;
    let filter = Filter {
        id: new_id(),
        user,
        name: String::new(),
        query: FilterQuery { subject: Some("dropped".into()), ..FilterQuery::default() },
        action: FilterAction { delete: Some(true), ..FilterAction::default() },
        is_disabled: false,
        meta_data: None,
        created_ms: 0,
    };
    filters::insert(&storage, &filter).await.unwrap();
    audited(&anna, "dropped").await;
    // the import does not copy again what was copied live
    assert!(delivery.import_audit().await.unwrap() && !delivery.import_audit().await.unwrap());
    let shown = delivery.load_audit(audit).await.unwrap();
    assert_eq!((shown.copied, shown.failed, shown.audited), (1, 0, 3), "{shown:?}");
    // they stay when the messages are gone
    mailstore.remove(user, inbox, &UidSet::from_range(1, 9)).await.unwrap();
    let copies = delivery.list_audited(audit, None).await.unwrap();
    let subjects: Vec<&str> = copies.iter().map(|copy| copy.subject.as_str()).collect();
    assert_eq!(subjects, ["live", "dropped", "before"]);
    let entry = String::from_utf8(delivery.export(&copies[0]).await.unwrap()).unwrap();
    assert!(entry.starts_with("From b@x.example "), "{entry}");
    assert!(entry.contains("\nX-Export-Mailbox: INBOX\n") && entry.contains("\n>From here\n"));
    let after = delivery.list_audited(audit, copies.last().map(|copy| copy.id)).await.unwrap();
    assert!(after.is_empty());
    // expired, the copies go and nothing comes any more
    clock.advance_ms(3_700_000);
    while delivery.expire_audits().await.unwrap() > 0 {}
    assert!(delivery.load_audit(audit).await.unwrap().deleted_ms.is_some());
    audited(&anna, "later").await;
    assert!(delivery.list_audited(audit, None).await.unwrap().is_empty());
    let missing = ObjectId::from_octets([9; 12]);
    assert!(delivery.load_audit(missing).await.is_err());
    assert_eq!(counts(&storage, "audit_messages").await.0, 0);
    tasks.shutdown(std::time::Duration::from_secs(5)).await;
    storage.drop_database().await.unwrap();
}
