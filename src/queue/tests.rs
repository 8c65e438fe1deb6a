//! The queue on a real database: racing workers, leases, fencing, cancelling.

use super::Queue;
use super::claim::LEASE_MS;
use super::enqueue::{Destination, Outgoing};
use super::finish::Cancelled;
use crate::clock::Clock;
use crate::mailstore::Mailstore;
use crate::model::dsn::{MessageOptions, RecipientDsn};
use crate::model::id::UserId;
use crate::model::queue::{Attempt, Entry, Query, Reason, State, Steer};
use crate::storage::Storage;
use crate::storage::field::new_id;
use crate::storage::testing::{counts, storage};
use crate::tasks::Tasks;
use std::collections::HashSet;

struct Fixture {
    storage: Storage,
    mailstore: Mailstore,
    clock: Clock,
    queue: Queue,
    user: UserId,
}

impl Fixture {
    async fn new(name: &str) -> Self {
        let (storage, clock) = (storage(name).await, Clock::default());
        let mailstore = Mailstore::new(storage.clone(), clock.clone(), Tasks::new());
        let queue = Queue::new(storage.clone(), mailstore.clone(), clock.clone());
        Self { storage, mailstore, clock, queue, user: new_id() }
    }

    async fn message(&self, recipients: &[&str]) -> Outgoing {
        let content = b"Subject: away\r\n\r\nbody\r\n".as_slice();
        let destination = |recipient: &&str| Destination {
            recipient: (*recipient).to_owned(),
            via: None,
            is_local: false,
            is_suppressed: false,
            dsn: RecipientDsn::default(),
        };
        Outgoing {
            queue_id: new_id(),
            trace: new_id(),
            user: Some(self.user),
            forwarder: None,
            reason: Reason::Submit,
            sender: "me@a.example".to_owned(),
            prepared: self.mailstore.prepare(content.into()).await.unwrap(),
            prefix: b"X: 1\r\n".to_vec(),
            options: MessageOptions::default(),
            due_ms: self.clock.now_ms(),
            destinations: recipients.iter().map(destination).collect(),
        }
    }
}

/// The entry that is due longest at the first next hop.
async fn claim(queue: &Queue) -> Option<Entry> {
    queue.claim_batch("", &[], 1).await.unwrap().pop()
}

/// The entry that is due longest at this one.
async fn claim_of(queue: &Queue, domain: &str) -> Entry {
    let before = &domain[..domain.len() - 1];
    let claimed = queue.claim_batch(before, &[], 1).await.unwrap().pop().unwrap();
    assert_eq!(claimed.domain, domain);
    claimed
}

fn tried(clock: &Clock) -> Attempt {
    Attempt { at_ms: clock.now_ms(), host: "mx".into(), reply: "451 later".into() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_workers_get_every_entry_once() {
    let it = Fixture::new("queue_race").await;
    let names: Vec<String> = (0..40).map(|n| format!("u{n}@d{}.example", n % 3)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let message = it.message(&names).await;
    it.queue.enqueue(&message).await.unwrap();
    assert_eq!(counts(&it.storage, "contents").await, (1, 40), "one count an entry");
    let worker = async |queue: Queue| {
        let mut got = Vec::new();
        loop {
            let batch = queue.claim_batch("", &[], 5).await.unwrap();
            let Some(first) = batch.first() else { break got };
            assert!(batch.iter().all(|entry| entry.domain == first.domain));
            for entry in batch {
                got.push(entry.recipient.clone());
                assert!(queue.finish(&entry).await.unwrap());
                assert!(!queue.finish(&entry).await.unwrap(), "only once");
            }
        }
    };
    let workers = (0..4).map(|_| worker(it.queue.clone()));
    let got: Vec<String> = futures_util::future::join_all(workers).await.concat();
    assert_eq!(got.len(), 40);
    assert_eq!(got.iter().collect::<HashSet<_>>().len(), 40);
    assert_eq!(counts(&it.storage, "contents").await, (0, 0), "nothing refers to it any more");
    it.storage.drop_database().await.unwrap();
}

#[tokio::test]
async fn users_take_turns_at_a_next_hop() {
    let it = Fixture::new("queue_turns").await;
    let names: Vec<String> = (0..50).map(|n| format!("u{n}@b.example")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let users = [new_id(), new_id(), new_id()];
    let send = async |user: Option<UserId>, count: usize| {
        let message = Outgoing { user, ..it.message(&names[..count]).await };
        it.queue.enqueue(&message).await.unwrap();
    };
    // The second has much, and was first
    send(Some(users[1]), 50).await;
    send(Some(users[0]), 2).await;
    send(None, 1).await;
    send(Some(users[2]), 2).await;
    let mut turns = Vec::new();
    for _ in 0..4 {
        let batch = it.queue.claim_batch("", &[], 5).await.unwrap();
        assert_eq!(batch.len(), 5);
        let of = |user| batch.iter().filter(|entry| entry.user == user).count();
        let [a, b, c] = users.map(|user| of(Some(user)));
        turns.push((of(None), a, b, c));
    }
    // one batch of the second, and everybody else has had his
    assert_eq!(turns, [(1, 2, 2, 0), (0, 0, 3, 2), (0, 0, 5, 0), (0, 0, 5, 0)]);
    send(Some(users[2]), 1).await;
    let next = it.queue.claim_batch("", &[], 5).await.unwrap();
    assert_eq!(next.iter().filter(|entry| entry.user == Some(users[2])).count(), 1);
    it.storage.drop_database().await.unwrap();
}

#[tokio::test]
async fn a_worker_whose_lease_ended_can_do_nothing() {
    let it = Fixture::new("queue_lease").await;
    let message = it.message(&["u@b.example"]).await;
    it.queue.enqueue(&message).await.unwrap();
    let first = claim(&it.queue).await.unwrap();
    assert_eq!(claim(&it.queue).await, None, "it is leased");
    assert_eq!(it.queue.load_content(&first).await.unwrap(), message.prepared.content);
    assert!(it.queue.prolong(&first).await.unwrap());
    it.clock.advance_ms(LEASE_MS + 1000);
    let second = claim(&it.queue).await.unwrap();
    assert_eq!((second.id, second.fence), (first.id, first.fence + 1));
    let (late, due) = (tried(&it.clock), it.clock.now_ms());
    assert!(!it.queue.reschedule(&first, &late, due).await.unwrap());
    assert!(!it.queue.finish(&first).await.unwrap() && !it.queue.prolong(&first).await.unwrap());
    // rescheduled: due later, and its log has the reply
    assert!(it.queue.reschedule(&second, &late, due + 5000).await.unwrap());
    assert_eq!(claim(&it.queue).await, None);
    it.clock.advance_ms(6000);
    let third = claim(&it.queue).await.unwrap();
    assert_eq!((third.attempts.as_slice(), third.tries), ([late].as_slice(), 1));
    assert!(it.queue.finish(&third).await.unwrap());
    it.storage.drop_database().await.unwrap();
}

#[tokio::test]
async fn a_node_that_starts_again_gives_back_what_it_had_and_nothing_else() {
    let it = Fixture::new("queue_orphans").await;
    let mut message = it.message(&["a@b.example", "here@a.example"]).await;
    message.destinations[1].is_local = true;
    let (one, other) = (it.queue.clone().with_node("one"), it.queue.clone().with_node("other"));
    one.enqueue(&message).await.unwrap();
    let had = claim(&one).await.unwrap();
    other.enqueue(&it.message(&["c@c.example"]).await).await.unwrap();
    let theirs = claim_of(&other, "c.example").await;
    assert_eq!(it.queue.release_orphans().await.unwrap(), 0, "who has no name had nothing");
    assert_eq!(one.release_orphans().await.unwrap(), 2, "one was born with a lease");
    assert!(!one.finish(&had).await.unwrap());
    assert_eq!(claim(&other).await.unwrap().id, had.id);
    assert_eq!(other.claim_local().await.unwrap().unwrap().recipient, "here@a.example");
    assert!(other.finish(&theirs).await.unwrap(), "the other node keeps its own");
    it.storage.drop_database().await.unwrap();
}

#[tokio::test]
async fn claims_skip_what_is_paused_and_workers_keep_what_they_have() {
    let it = Fixture::new("queue_steer").await;
    let message = it.message(&["a@b.example", "b@b.example", "c@c.example"]).await;
    it.queue.enqueue(&message).await.unwrap();
    let of_domain = |domain: &str| Query { domain: Some(domain.into()), ..Query::default() };
    let states = async || {
        let all = it.queue.list(&Query::default(), None, 10).await.unwrap();
        let now = it.clock.now_ms();
        for entry in &all {
            // the filter and the rule say the same
            let query = Query { state: Some(entry.state(now)), ..Query::default() };
            let same = it.queue.list(&query, None, 10).await.unwrap();
            assert!(same.contains(entry), "{entry:?}");
        }
        all.iter().map(|entry| entry.state(now)).collect::<Vec<_>>()
    };
    let busy = claim_of(&it.queue, "c.example").await;
    let all = it.queue.list(&Query::default(), None, 10).await.unwrap();
    assert_eq!(it.queue.steer(&all, &Steer::Pause).await.unwrap(), 2, "one is being sent");
    assert_eq!(states().await, [State::Paused, State::Paused, State::Active]);
    assert_eq!(claim(&it.queue).await, None);
    assert_eq!(it.queue.steer(&all, &Steer::Delete).await.unwrap(), 2);
    let (late, due) = (tried(&it.clock), it.clock.now_ms() + 5000);
    assert!(it.queue.reschedule(&busy, &late, due).await.unwrap());
    assert_eq!(states().await, [State::Deferred]);
    // found by words of its last replies, in any case
    let query = Query { reply: Some("LATER".into()), ..of_domain("c.example") };
    let left = it.queue.list(&query, None, 10).await.unwrap();
    assert_eq!(left.len(), 1);
    it.queue.steer(&left, &Steer::Pause).await.unwrap();
    it.clock.advance_ms(24 * 3_600_000);
    assert_eq!(claim(&it.queue).await, None);
    it.queue.steer(&left, &Steer::Resume).await.unwrap();
    let again = claim(&it.queue).await.unwrap();
    assert_eq!((again.id, again.paused_due_ms), (busy.id, None));
    assert!(it.queue.finish(&again).await.unwrap());
    assert_eq!(counts(&it.storage, "contents").await, (0, 0));
    it.storage.drop_database().await.unwrap();
}

#[tokio::test]
async fn many_recipients_are_paged_through_and_counted() {
    let it = Fixture::new("queue_many").await;
    let names: Vec<String> = (0..1000).map(|n| format!("u{n}@d{}.example", n % 40)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for _ in 0..20 {
        it.queue.enqueue(&it.message(&names).await).await.unwrap();
    }
    let busy = claim_of(&it.queue, "d7.example").await;
    it.queue.reschedule(&busy, &tried(&it.clock), it.clock.now_ms() + 5000).await.unwrap();
    it.clock.advance_ms(2 * 3_600_000);
    let query = Query { domain: Some("d7.example".into()), ..Query::default() };
    let (mut seen, mut after) = (0, None);
    loop {
        let page = it.queue.list(&query, after, 100).await.unwrap();
        let Some(last) = page.last() else { break };
        assert!(after < Some(last.id) && page.len() <= 100);
        (seen, after) = (seen + page.len(), Some(last.id));
    }
    assert_eq!(seen, 500);
    let summary = it.queue.summary().await.unwrap();
    assert_eq!(summary.total(), 20_000);
    assert_eq!(summary.by(|share| share.hours_below), [(Some(6), 20_000)].into());
    let errors = summary.by(|share| (share.state, share.code.clone()));
    let expected = [((State::Ready, String::new()), 19_999), ((State::Deferred, "451".into()), 1)];
    assert_eq!(errors, expected.into());
    assert_eq!(summary.next_hops.len(), 20);
    assert!(summary.next_hops.iter().all(|(_, entries)| *entries == 500));
    it.storage.drop_database().await.unwrap();
}

#[tokio::test]
async fn only_the_owner_cancels_and_only_what_nobody_sends() {
    let it = Fixture::new("queue_cancel").await;
    let message = it.message(&["a@b.example", "b@b.example"]).await;
    it.queue.enqueue(&message).await.unwrap();
    let id = message.queue_id;
    let busy = claim(&it.queue).await.unwrap();
    assert_eq!(it.queue.cancel(new_id(), id).await.unwrap(), Cancelled::NotOwned);
    assert_eq!(it.queue.cancel(it.user, new_id()).await.unwrap(), Cancelled::NotFound);
    assert_eq!(it.queue.cancel(it.user, id).await.unwrap(), Cancelled::Entries(1));
    let left = it.queue.list_entries(it.user, id).await.unwrap();
    assert_eq!(left.iter().map(|entry| entry.id).collect::<Vec<_>>(), [busy.id]);
    assert!(it.queue.list_entries(new_id(), id).await.unwrap().is_empty());
    assert_eq!(counts(&it.storage, "contents").await, (1, 1));
    it.storage.drop_database().await.unwrap();
}

#[tokio::test]
async fn next_hops_take_turns_and_busy_ones_are_passed_over() {
    let it = Fixture::new("queue_turns").await;
    let names = ["1@b.example", "2@b.example", "3@b.example", "1@a.example", "1@c.example"];
    it.queue.enqueue(&it.message(&names).await).await.unwrap();
    let turn = async |after: &str, busy: &[String]| {
        let batch = it.queue.claim_batch(after, busy, 2).await.unwrap();
        batch.iter().map(|entry| entry.recipient.clone()).collect::<Vec<String>>()
    };
    assert_eq!(turn("a.example", &[]).await, ["1@b.example", "2@b.example"]);
    assert_eq!(turn("b.example", &["c.example".to_owned()]).await, ["1@a.example"], "around");
    let busy = ["b.example".to_owned()];
    assert_eq!(turn("", &busy).await, ["1@c.example"]);
    assert!(turn("", &busy).await.is_empty() && turn("x", &busy).await.is_empty());
    // what was claimed and not tried is there again
    let last = it.queue.claim_batch("", &[], 2).await.unwrap();
    it.queue.release(&last.iter().collect::<Vec<_>>()).await.unwrap();
    assert_eq!(turn("", &[]).await, ["3@b.example"]);
    assert!(!it.queue.finish(&last[0]).await.unwrap(), "it was given back");
    it.storage.drop_database().await.unwrap();
}
