//! IDLE (RFC 9051 §6.3.13, RFC 2177).
//!
//! The doorbell only wakes; what has changed is read from the database. Because a doorbell may be
//! lost, an idle session also looks by itself once a minute, and it says now and then that it is
//! there: address translators forget silent connections, and phones then miss their mail.

use super::reply::{Failure, Outcome, Reply};
use super::selected::Expunges;
use super::session::Session;
use super::sync::Look;
use super::wait::{Event, LOOK_EVERY, shutting_down};
use crate::codec::imap::framing::Line;
use std::time::Duration;
use tokio::time::Instant;

impl Session {
    /// IDLE, until DONE.
    pub async fn idle(&mut self) -> Outcome {
        self.writer().continuation("idling");
        let until = Instant::now() + self.patience();
        let beat = Duration::from_secs(self.context.settings.idle_heartbeat_s);
        let (mut look_at, mut beat_at) = (Instant::now() + LOOK_EVERY, Instant::now() + beat);
        Box::pin(self.refresh_rights()).await?;
        Box::pin(self.sync(Look::Database, Expunges::Allowed)).await?;
        loop {
            match self.framer.next_line() {
                // clients send `done`, and spaces around it
                Line::Line(line) if line.trim_ascii().eq_ignore_ascii_case(b"DONE") => {
                    return Ok(Reply::ok("IDLE completed"));
                }
                Line::Line(_) | Line::TooLong => {
                    return Err(Reply::bad("Expected DONE").into());
                }
                Line::Incomplete => {}
            }
            self.stream.flush().await?;
            let tick = if beat.is_zero() { look_at } else { look_at.min(beat_at) };
            let event = self.wait(until, Some(tick), true).await?;
            let now = Instant::now();
            match event {
                Event::Stop => return Err(shutting_down()),
                Event::Read(0) => return Err(Failure::Bye("Closed during IDLE")),
                Event::Read(_) => self.feed(),
                Event::Ends => Box::pin(self.check_standing()).await?,
                Event::Tick if now < look_at => {
                    beat_at = now + beat;
                    self.untagged_ok(None, "Still here");
                }
                Event::Woken | Event::Tick => {
                    look_at = now + LOOK_EVERY;
                    self.check_standing_if_due().await?;
                    Box::pin(self.refresh_rights()).await?;
                    Box::pin(self.sync(Look::Database, Expunges::Allowed)).await?;
                    Box::pin(self.tell_others()).await?;
                }
            }
        }
    }
}
