//! Waiting: for the client, for a doorbell, for the end of the session.
//!
//! A doorbell only wakes; what has changed is read from the database. Because a doorbell may be
//! lost, a waiting session also looks by itself now and then.

use super::reply::{Failure, Outcome};
use super::session::Session;
use crate::auth::authenticate::Protocol;
use crate::model::error::Error;
use std::time::Duration;
use tokio::time::Instant;

/// Time between two looks whether the session may go on, without a doorbell.
const CHECK_EVERY: Duration = Duration::from_secs(300);

/// What ended a wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// The node stops.
    Stop,
    /// Octets came; 0: the client has closed.
    Read(usize),
    /// Something may be new.
    Woken,
    /// The time of the tick has come.
    Tick,
    /// The session may have to end.
    Ends,
}

impl Session {
    /// Waits until a client's deadline. With a `tick`: until then, and also for news of what the
    /// client watches.
    pub async fn wait(&mut self, until: Instant, tick: Option<Instant>) -> Outcome<Event> {
        let mailbox =
            self.opened.as_mut().filter(|_| tick.is_some()).map(|it| &mut it.subscription);
        let news = async {
            match mailbox {
                Some(subscription) => subscription.woken().await,
                None => std::future::pending().await,
            }
        };
        let login = self.login.as_mut();
        let ends = async {
            match login {
                Some(login) => login.ends.woken().await,
                None => std::future::pending().await,
            }
        };
        let ticking = async {
            match tick {
                Some(tick) => tokio::time::sleep_until(tick).await,
                None => std::future::pending().await,
            }
        };
        let patience = until.saturating_duration_since(Instant::now());
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Ok(Event::Stop),
            () = ends => Ok(Event::Ends),
            octets = self.stream.fill(patience) => Ok(Event::Read(octets?)),
            () = news => Ok(Event::Woken),
            () = ticking => Ok(Event::Tick),
        }
    }

    /// Waits for more of a command; false when the client has closed.
    pub async fn wait_for_command(&mut self) -> Outcome<bool> {
        let until = Instant::now() + self.patience();
        loop {
            if self.stop.is_cancelled() {
                return Err(shutting_down());
            }
            match self.wait(until, None).await? {
                Event::Stop => return Err(shutting_down()),
                Event::Read(octets) => {
                    self.feed();
                    return Ok(octets > 0);
                }
                Event::Ends => Box::pin(self.check_standing()).await?,
                Event::Woken | Event::Tick => {}
            }
        }
    }

    /// Gives what was read to the framer.
    pub fn feed(&mut self) {
        self.framer.feed(self.stream.buffer());
        self.stream.consume(usize::MAX);
    }

    /// Looks whether the user may still be here, when a bell rang or the last look is long ago. One
    /// round trip.
    pub async fn check_standing(&mut self) -> Outcome<()> {
        let Some(login) = &mut self.login else { return Ok(()) };
        login.checked = Instant::now();
        let authenticator = &self.context.authenticator;
        match authenticator.reason_to_end(&login.user, Protocol::Imap).await {
            Ok(Some(reason)) => Err(Failure::Ended(reason)),
            // The database is away: asked again the next time
            Ok(None) | Err(Error::Unavailable { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// [`Self::check_standing`] if it is due, for the beginning of a command and for IDLE.
    pub async fn check_standing_if_due(&mut self) -> Outcome<()> {
        use futures_util::FutureExt as _;
        let Some(login) = &mut self.login else { return Ok(()) };
        let is_rung = login.ends.woken().now_or_never().is_some();
        if is_rung || login.checked.elapsed() >= CHECK_EVERY {
            Box::pin(self.check_standing()).await?;
        }
        Ok(())
    }
}

/// The end of a session because the node stops.
pub const fn shutting_down() -> Failure {
    Failure::Bye("The server is shutting down")
}
