//! The task that writes events.

use crate::model::error::Error;
use crate::model::message::TimeMs;
use crate::model::trace::Recorded;
use crate::storage::{Storage, deliveries};
use std::time::Duration;
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;

/// How long more events are waited for before a batch is written.
const LINGER: Duration = Duration::from_millis(200);
/// Events of one batch.
const BATCH_MAX: usize = 1000;
/// The pause before a batch is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Writes until `stopping`, then what is left, each batch tried once.
pub(super) async fn run(
    storage: Storage,
    mut events: Receiver<Recorded>,
    kept_ms: TimeMs,
    stopping: CancellationToken,
) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while let Some(first) = next(&mut events, &stopping).await {
        batch.push(first);
        if !stopping.is_cancelled() && events.len() < BATCH_MAX {
            let _is_stopping = stopping.run_until_cancelled(tokio::time::sleep(LINGER)).await;
        }
        while batch.len() < BATCH_MAX
            && let Ok(event) = events.try_recv()
        {
            batch.push(event);
        }
        write(&storage, &batch, kept_ms, &stopping).await;
        batch.clear();
    }
}

/// The next event; `None` when the node stops and all are written.
async fn next(events: &mut Receiver<Recorded>, stopping: &CancellationToken) -> Option<Recorded> {
    tokio::select! {
        biased;
        event = events.recv() => event,
        () = stopping.cancelled() => {
            events.close();
            events.recv().await
        }
    }
}

/// Writes a batch, again and again while the database is away: the channel keeps what comes
/// meanwhile, and loses what is too much.
async fn write(
    storage: &Storage,
    batch: &[Recorded],
    kept_ms: TimeMs,
    stopping: &CancellationToken,
) {
    while let Err(error) = deliveries::insert(storage, batch, kept_ms).await {
        if stopping.is_cancelled() || !matches!(error, Error::Unavailable { .. }) {
            tracing::error!(%error, events = batch.len(), "events of messages are lost");
            return count_lost(batch.len());
        }
        tracing::warn!(%error, "events of messages wait for the database");
        let _is_stopping = stopping.run_until_cancelled(tokio::time::sleep(RETRY)).await;
    }
    metrics::counter!("eider_trace_events_total").increment(count(batch.len()));
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// Counts events that nobody will read.
pub(super) fn count_lost(number: usize) {
    metrics::counter!("eider_trace_events_lost_total").increment(count(number));
}
