//! The only place that starts a transaction, and its retries.
//!
//! ```ignore
//! let value = transaction::run!(storage, async |session| {
//!     mailboxes::bump(storage, session, user, mailbox, &bump).await?;
//!     Ok(value)
//! })
//! .await?;
//! ```
//! A macro and not a function over an async closure: the compiler cannot yet prove the future of
//! such a function
//! `Send`.

use crate::model::error::{Error, Result};
use crate::storage::Storage;
use crate::storage::client::durable;
use crate::storage::error::{AWAY, has_label, is_given_up, is_write_conflict};
use mongodb::ClientSession;
use mongodb::error::{TRANSIENT_TRANSACTION_ERROR, UNKNOWN_TRANSACTION_COMMIT_RESULT};
use mongodb::options::ReadConcern;
use std::time::{Duration, Instant};

/// A session inside a transaction, as the functions of the collections take it.
pub type Session = ClientSession;

/// Attempts of the whole transaction before it is `Unavailable`. Writers of one mailbox conflict in
/// their first
/// statement, so an attempt in vain is cheap; one that waits long between its attempts never wins
/// against busy ones.
const ATTEMPTS_MAX: u32 = 1000;
/// After so long no further attempt is made: a client waits, and the database may be away.
const PATIENCE: Duration = Duration::from_secs(15);
/// Attempts to learn whether a commit happened.
const COMMIT_ATTEMPTS_MAX: u32 = 5;
/// Reason of an [`Error::Unavailable`] that may have been done.
const DOUBTFUL: &str = "the outcome of a commit is unknown";
/// How often is looked again whether a doubtful commit happened, while the database is away.
pub const LOOKS_MAX: u32 = 10;
/// The pause before that.
pub const LOOK_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause between two attempts.
const PAUSE_MS_MAX: u64 = 32;

/// Runs a body in a transaction with snapshot reads and commits it durably; gives a future of the
/// body's result.
///
/// The body may run several times and must not have effects outside its session that a second run
/// would double. An
/// error of the body aborts the transaction and is returned, unless the database calls it
/// transient: then all of it is
/// tried again, after a short random pause that doubles. Commit is one round trip beyond those of
/// the body.
/// Errors: those of the body; `Unavailable` when conflicts or elections outlast the attempts.
macro_rules! run_transaction {
    ($storage:expr, async |$session:ident| $body:expr) => {
        async {
            let mut attempts = $crate::storage::transaction::Attempts::new($storage).await?;
            loop {
                let $session = attempts.start().await?;
                let outcome = async { $body }.await;
                if let Some(result) = attempts.end(outcome).await {
                    break result;
                }
            }
        }
    };
}
pub(crate) use run_transaction as run;

/// The attempts at one transaction.
#[derive(Debug)]
pub struct Attempts {
    session: Session,
    made: u32,
    since: Instant,
    /// A commit failed, and may have happened.
    is_doubtful: bool,
}

impl Attempts {
    /// Takes a session of the pool; no round trip.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn new(storage: &Storage) -> Result<Self> {
        let session = storage.client().start_session().await?;
        Ok(Self { session, made: 0, since: Instant::now(), is_doubtful: false })
    }

    /// Starts the next attempt; no round trip.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn start(&mut self) -> Result<&mut Session> {
        if self.made > 0 {
            pause(self.made).await;
        }
        self.made += 1;
        self.session
            .start_transaction()
            .read_concern(ReadConcern::snapshot())
            .write_concern(durable())
            .await?;
        Ok(&mut self.session)
    }

    /// Commits, or aborts after an error. `None`: to be tried again.
    pub async fn end<T>(&mut self, outcome: Result<T>) -> Option<Result<T>> {
        // of a commit it would be doubtful
        let mut was_given_up = false;
        let failure = match outcome {
            Ok(value) => match commit(&mut self.session, &mut self.is_doubtful).await {
                Ok(()) => return Some(Ok(value)),
                Err(error) => error,
            },
            Err(error) => {
                // The server may have ended it already: nothing to add to the first error
                let _ = self.session.abort_transaction().await;
                was_given_up = is_given_up(&error);
                error
            }
        };
        let may_help = was_given_up || has_label(&failure, TRANSIENT_TRANSACTION_ERROR);
        if may_help && self.made < ATTEMPTS_MAX && self.since.elapsed() < PATIENCE {
            return None;
        }
        // A later attempt may have met what an earlier one has done: nobody must take that for
        // undone
        Some(Err(match (self.is_doubtful, may_help) {
            (true, _) => Error::unavailable(DOUBTFUL, failure),
            (false, true) => Error::unavailable(AWAY, failure),
            (false, false) => failure,
        }))
    }
}

/// Whether what failed with this error may have been done all the same.
pub fn is_doubtful(error: &Error) -> bool {
    matches!(error, Error::Unavailable { reason: DOUBTFUL, .. })
}

/// Looks, until the database answers, whether what failed doubtfully was done. `look` is an
/// expression of a future; gives an `Option` of what it found.
macro_rules! look_again {
    ($look:expr) => {{
        let mut looks = 0;
        loop {
            match $look.await {
                Ok(found) => break Some(found),
                Err(error) if looks >= $crate::storage::transaction::LOOKS_MAX => {
                    tracing::warn!(%error, "the outcome of a commit stays unknown");
                    break None;
                }
                Err(_) => looks += 1,
            }
            tokio::time::sleep($crate::storage::transaction::LOOK_PAUSE).await;
        }
    }};
}
pub(crate) use look_again;

/// Commits; asks again while the outcome is unknown.
async fn commit(session: &mut Session, is_doubtful: &mut bool) -> Result<()> {
    let mut attempt = 0;
    loop {
        let Err(error) = session.commit_transaction().await else { return Ok(()) };
        attempt += 1;
        // The driver has asked again itself: the answer may be that of a database that was killed,
        // and has the transaction, but does not know it any more
        *is_doubtful |= !is_write_conflict(&error);
        if !error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT)
            || attempt >= COMMIT_ATTEMPTS_MAX
        {
            return Err(error.into());
        }
        pause(attempt).await;
    }
}

async fn pause(attempt: u32) {
    let bound = (1000u64 << attempt.min(8)).min(PAUSE_MS_MAX * 1000);
    let pause = Duration::from_micros(rand::random_range(100..=bound));
    tokio::time::sleep(pause).await;
}
