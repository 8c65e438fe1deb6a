//! Stories on a real database: written in batches, found by each name, whole at the end.

use super::Trace;
use super::settings::Settings;
use crate::clock::Clock;
use crate::model::error::Error;
use crate::model::queue::TraceId;
use crate::model::trace::{Detail, Event, Happening, Search, SearchKey};
use crate::storage::field::new_id;
use crate::storage::testing::storage;
use crate::tasks::Tasks;
use std::time::Duration;

const SHUTDOWN: Duration = Duration::from_secs(10);

fn received(trace: TraceId) -> Event {
    let mut event = Event::new(trace, Happening::Received)
        .recipient("Anna@a.example")
        .message_id("<1@b.example>")
        .peer("192.0.2.7".parse().unwrap())
        .with(Detail::Helo, "mx.b.example");
    event.sender = Some("bob@b.example".into());
    event
}

#[tokio::test]
async fn what_was_told_is_written_when_the_node_stops_and_found_by_each_name() {
    let (storage, clock, tasks) = (storage("trace").await, Clock::default(), Tasks::new());
    let trace = Trace::start(storage.clone(), clock.clone(), &Settings::default(), &tasks);
    let (story, other, user, queue_id) = (new_id(), new_id(), new_id(), new_id());
    trace.record(received(story));
    trace.record(received(story).user(user).queue_id(queue_id));
    for _ in 0..2500 {
        trace.record(Event::new(other, Happening::Dropped));
    }
    tasks.shutdown(SHUTDOWN).await;
    let events = trace.load(story, None).await.unwrap();
    let expected = [received(story), received(story).user(user).queue_id(queue_id)];
    assert_eq!(events.iter().map(|it| it.event.clone()).collect::<Vec<_>>(), expected);
    assert_eq!(trace.load(other, None).await.unwrap().len(), 2500, "batches of a thousand");
    assert!(matches!(trace.load(new_id(), None).await, Err(Error::NotFound { .. })));
    let keys = [
        (SearchKey::sender("BOB@b.example"), 2),
        (SearchKey::recipient("anna@A.example"), 2),
        (SearchKey::message_id("1@b.example"), 2),
        (SearchKey::peer("192.0.2.7".parse().unwrap()), 2),
        (SearchKey::user(user), 1),
        (SearchKey::queue_id(queue_id), 1),
        (SearchKey::sender("anna@a.example"), 0),
    ];
    for (key, found) in &keys {
        let search = Search { keys: vec![key.clone()], ..Search::default() };
        assert_eq!(trace.search(&search, 10).await.unwrap().len(), *found, "{key:?}");
    }
    let all = keys.iter().take(6).map(|(key, _)| key.clone()).collect();
    let both = Search { keys: all, what: vec![Happening::Received], ..Search::default() };
    let found = trace.search(&both, 10).await.unwrap();
    assert_eq!(found.len(), 1);
    let none = Search { what: vec![Happening::Bounced], ..both.clone() };
    assert!(trace.search(&none, 10).await.unwrap().is_empty());
    // newest first, page by page, and by time
    let mut search = Search { trace: Some(story), ..Search::default() };
    let page = trace.search(&search, 1).await.unwrap();
    assert_eq!(page[0].id, events[1].id);
    search.before = Some(page[0].id);
    assert_eq!(trace.search(&search, 5).await.unwrap()[0].id, events[0].id);
    let now = clock.now_ms();
    let past = Search { until_ms: Some(now - 3_600_000), ..Search::default() };
    assert!(trace.search(&past, 5).await.unwrap().is_empty());
    let recent = Search { since_ms: Some(now - 3_600_000), ..both };
    assert_eq!(trace.search(&recent, 5).await.unwrap().len(), 1);
    storage.drop_database().await.unwrap();
}

#[tokio::test]
async fn events_are_lost_rather_than_waited_for() {
    let (storage, tasks) = (storage("trace_full").await, Tasks::new());
    let (clock, settings) = (Clock::default(), Settings::default());
    let trace = Trace::start(storage.clone(), clock.clone(), &settings, &tasks);
    let story = new_id();
    // nothing else runs meanwhile: this test has one thread
    for _ in 0..super::WAITING_MAX + 5 {
        trace.record(Event::new(story, Happening::Dropped));
    }
    tasks.shutdown(SHUTDOWN).await;
    assert_eq!(trace.load(story, None).await.unwrap().len(), super::WAITING_MAX);
    let silent = Trace::start(storage.clone(), clock, &Settings { kept_days: 0 }, &tasks);
    let unheard = new_id();
    silent.record(Event::new(unheard, Happening::Dropped));
    assert!(silent.load(unheard, None).await.is_err());
    storage.drop_database().await.unwrap();
}
