//! The only place that starts a transaction, and its retries.

use crate::model::error::{Error, Result};
use crate::storage::Storage;
use crate::storage::client::durable;
use crate::storage::error::{AWAY, has_label};
use mongodb::ClientSession;
use mongodb::error::{TRANSIENT_TRANSACTION_ERROR, UNKNOWN_TRANSACTION_COMMIT_RESULT};
use mongodb::options::ReadConcern;
use std::time::Duration;

/// Attempts of the whole transaction before it is `Unavailable`; writers of one mailbox on several nodes conflict.
const ATTEMPTS_MAX: u32 = 24;
/// Attempts to learn whether a commit happened.
const COMMIT_ATTEMPTS_MAX: u32 = 5;
/// The longest pause between two attempts.
const PAUSE_MS_MAX: u64 = 250;

/// Runs `work` in a transaction with snapshot reads and commits it durably.
///
/// `work` may run several times and must not have effects outside its session. An error of `work` aborts the
/// transaction and is returned, unless the database calls it transient: then all of it is tried again, after a short
/// random pause that doubles. One session; commit is one round trip beyond those of `work`.
///
/// # Errors
/// Those of `work`; `Unavailable` when conflicts or elections outlast the attempts.
pub async fn run<T, F>(storage: &Storage, mut work: F) -> Result<T>
where
    F: AsyncFnMut(&mut ClientSession) -> Result<T>,
{
    let mut session = storage.client().start_session().await?;
    let mut last = None;
    for attempt in 0..ATTEMPTS_MAX {
        if attempt > 0 {
            pause(attempt).await;
        }
        session
            .start_transaction()
            .read_concern(ReadConcern::snapshot())
            .write_concern(durable())
            .await?;
        let failure = match work(&mut session).await {
            Ok(value) => match commit(&mut session).await {
                Ok(()) => return Ok(value),
                Err(error) => error,
            },
            Err(error) => {
                // The server may have ended it already: nothing to add to the first error
                let _ = session.abort_transaction().await;
                error
            }
        };
        if !has_label(&failure, TRANSIENT_TRANSACTION_ERROR) {
            return Err(failure);
        }
        last = Some(failure);
    }
    Err(last.unwrap_or(Error::Unavailable { reason: AWAY, source: None }))
}

/// Commits; asks again while the outcome is unknown.
async fn commit(session: &mut ClientSession) -> Result<()> {
    let mut attempt = 0;
    loop {
        let Err(error) = session.commit_transaction().await else { return Ok(()) };
        attempt += 1;
        if !error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT)
            || attempt >= COMMIT_ATTEMPTS_MAX
        {
            return Err(error.into());
        }
        pause(attempt).await;
    }
}

async fn pause(attempt: u32) {
    let bound = (2u64 << attempt.min(8)).min(PAUSE_MS_MAX);
    let ms = rand::random_range(1..=bound);
    tokio::time::sleep(Duration::from_millis(ms)).await;
}
