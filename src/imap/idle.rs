//! IDLE (RFC 9051 §6.3.13, RFC 2177).
//!
//! The doorbell only wakes; what has changed is read from the database. Because a doorbell may be
//! lost, an
//! idle session also looks by itself once a minute.

use super::reply::{Failure, Outcome, Reply};
use super::selected::Expunges;
use super::session::Session;
use super::sync::Look;
use crate::codec::imap::framing::Line;
use std::time::Duration;
use tokio::time::Instant;

/// Time between two looks without a doorbell.
const LOOK_EVERY: Duration = Duration::from_secs(60);

enum Event {
    Stop,
    Read(usize),
    Woken,
}

impl Session {
    /// IDLE, until DONE.
    pub async fn idle(&mut self) -> Outcome {
        self.writer().continuation("idling");
        let until = Instant::now() + self.patience();
        Box::pin(self.sync(Look::Database, Expunges::Allowed)).await?;
        loop {
            match self.framer.next_line() {
                Line::Line(line) if line.trim_ascii().eq_ignore_ascii_case(b"DONE") => {
                    return Ok(Reply::ok("IDLE completed"));
                }
                Line::Line(_) | Line::TooLong => {
                    return Err(Reply::bad("Expected DONE").into());
                }
                Line::Incomplete => {}
            }
            self.stream.flush().await?;
            match self.wait(until).await? {
                Event::Stop => return Err(Failure::Bye("The server is shutting down")),
                Event::Read(0) => return Err(Failure::Bye("Closed during IDLE")),
                Event::Read(_) => {
                    self.framer.feed(self.stream.buffer());
                    self.stream.consume(usize::MAX);
                }
                Event::Woken => {
                    Box::pin(self.sync(Look::Database, Expunges::Allowed)).await?;
                }
            }
        }
    }

    async fn wait(&mut self, until: Instant) -> Outcome<Event> {
        let opened = self.opened.as_mut();
        let doorbell = async {
            match opened {
                Some(opened) => opened.subscription.woken().await,
                None => std::future::pending().await,
            }
        };
        let patience = until.saturating_duration_since(Instant::now());
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Ok(Event::Stop),
            octets = self.stream.fill(patience) => Ok(Event::Read(octets?)),
            () = doorbell => Ok(Event::Woken),
            () = tokio::time::sleep(LOOK_EVERY) => Ok(Event::Woken),
        }
    }
}
