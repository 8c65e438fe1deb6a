//! Commands that run long: the client hears that they go on (RFC 9585), and one that has left is
//! noticed.

use super::reply::{Failure, Outcome};
use super::session::Session;
use crate::codec::imap::response_code::ResponseCode;
use futures_util::FutureExt as _;
use std::io;
use std::time::Duration;
use tokio::time::Instant;

/// Time between two reports.
const REPORT_EVERY: Duration = Duration::from_secs(10);
/// Time between two looks whether the client is there.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Octets of further commands that are read ahead while looking.
const AHEAD_OCTETS_MAX: usize = 64 * 1024;

/// When a long command has reported and looked the last time. Make one where the command begins and
/// give it to [`Session::go_on`] between batches.
#[derive(Debug)]
pub struct Progress {
    tag: String,
    reported: Instant,
    looked: Instant,
}

impl Progress {
    /// Of the command with this tag.
    pub fn new(tag: &str) -> Self {
        let now = Instant::now();
        Self { tag: tag.to_owned(), reported: now, looked: now }
    }
}

impl Session {
    /// Between two batches of a long command: now and then tells how far it is, and ends it when the
    /// client has left or the node stops. `total`: as far as it is known. Cheap: most calls only
    /// read the time.
    pub async fn go_on(
        &mut self,
        progress: &mut Progress,
        done: u64,
        total: Option<u64>,
    ) -> Outcome<()> {
        let now = Instant::now();
        if now.duration_since(progress.looked) < LOOK_EVERY {
            return Ok(());
        }
        progress.looked = now;
        self.require_client()?;
        if now.duration_since(progress.reported) >= REPORT_EVERY {
            progress.reported = now;
            self.report(&progress.tag, Some(done), total).await?;
        }
        Ok(())
    }

    /// Waits for an operation that cannot be asked how far it is, and tells now and then that it
    /// goes on. What has begun is ended, also when the client has left meanwhile.
    pub async fn work<T>(&mut self, tag: &str, work: impl Future<Output = T>) -> Outcome<T> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                () = tokio::time::sleep(REPORT_EVERY) => {}
            }
            if self.report(tag, None, None).await.is_err() {
                return Ok(work.await);
            }
        }
    }

    /// RFC 9585 §4
    async fn report(&mut self, tag: &str, done: Option<u64>, total: Option<u64>) -> Outcome<()> {
        let total = total.filter(|total| *total > 0);
        // a progress is below its goal
        let done = done.map(|done| total.map_or(done, |total| done.min(total)));
        let code = ResponseCode::InProgress(tag.to_owned(), done, total);
        self.untagged_ok(Some(&code), "Still working");
        Ok(self.stream.flush().await?)
    }

    /// An error when the client has closed the connection or the node stops. Reads a little ahead.
    fn require_client(&mut self) -> Outcome<()> {
        if self.stop.is_cancelled() {
            return Err(super::wait::shutting_down());
        }
        if self.framer.buffered() >= AHEAD_OCTETS_MAX {
            return Ok(());
        }
        match self.stream.fill(LOOK_EVERY).now_or_never() {
            Some(Ok(0)) => Err(Failure::Connection(io::ErrorKind::ConnectionAborted.into())),
            Some(Err(error)) => Err(error.into()),
            Some(Ok(_)) => {
                self.feed();
                Ok(())
            }
            None => Ok(()),
        }
    }
}
