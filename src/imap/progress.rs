//! Commands that run long: the client hears that they go on (RFC 9585), and one that has left is
//! noticed.

use super::reply::{Failure, Outcome};
use super::session::Session;
use crate::codec::imap::response_code::ResponseCode;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// Time between two reports.
const REPORT_EVERY: Duration = Duration::from_secs(10);
/// Octets of further commands that are read meanwhile; while there are more the end of the
/// connection cannot be seen.
const AHEAD_OCTETS_MAX: usize = 64 * 1024;
/// A client that closes its side may still be reading: so long it may get its answer.
const HALF_CLOSED: Duration = Duration::from_secs(1);
/// Longer than any work.
const FOR_EVER: Duration = Duration::from_secs(7 * 24 * 3600);

/// How far a work is; its owner counts, the session reports.
#[derive(Default, Debug)]
pub struct Progress {
    done: AtomicU64,
    total: AtomicU64,
}

impl Progress {
    /// So many more things are to be done.
    pub fn expect(&self, count: u64) {
        self.total.fetch_add(count, Ordering::Relaxed);
    }

    /// So many more are done.
    pub fn advance(&self, count: u64) {
        self.done.fetch_add(count, Ordering::Relaxed);
    }
}

impl Session {
    /// Runs the work of a command, which must not use the connection, and tells now and then how
    /// far it is. When the client has left or the node stops, the work is dropped at its next wait.
    pub async fn attend<T>(
        &mut self,
        tag: &str,
        progress: &Progress,
        work: impl Future<Output = Outcome<T>>,
    ) -> Outcome<T> {
        let mut work = std::pin::pin!(work);
        let stop = self.stop.clone();
        let mut report_at = Instant::now() + REPORT_EVERY;
        let mut closed: Option<Instant> = None;
        loop {
            let may_read = closed.is_none() && self.framer.buffered() < AHEAD_OCTETS_MAX;
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = stop.cancelled() => return Err(super::wait::shutting_down()),
                read = self.stream.fill(FOR_EVER), if may_read => match read? {
                    0 => closed = Some(Instant::now() + HALF_CLOSED),
                    _ => self.feed(),
                },
                () = tokio::time::sleep_until(closed.unwrap_or(report_at)) => {
                    if closed.is_some() {
                        return Err(Failure::Connection(io::ErrorKind::ConnectionAborted.into()));
                    }
                    self.report(tag, progress).await?;
                    report_at = Instant::now() + REPORT_EVERY;
                }
            }
        }
    }

    /// Waits for an operation that changes something, and tells now and then that it goes on, and how
    /// far it is if it says so. What has begun is ended, also when the client has left meanwhile.
    pub async fn work<T>(
        &mut self,
        tag: &str,
        progress: &Progress,
        work: impl Future<Output = T>,
    ) -> Outcome<T> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                () = tokio::time::sleep(REPORT_EVERY) => {}
            }
            if self.report(tag, progress).await.is_err() {
                return Ok(work.await);
            }
        }
    }

    /// RFC 9585 §4: without numbers if there are none yet.
    async fn report(&mut self, tag: &str, progress: &Progress) -> Outcome<()> {
        let total = Some(progress.total.load(Ordering::Relaxed)).filter(|total| *total > 0);
        let done = progress.done.load(Ordering::Relaxed);
        // a progress is below its goal
        let done = total.map(|total| done.min(total));
        let code = ResponseCode::InProgress(tag.to_owned(), done, total);
        self.untagged_ok(Some(&code), "Still working");
        Ok(self.stream.flush().await?)
    }
}
