//! Waiting: for the client, for a doorbell, for the end of the session.
//!
//! A doorbell only wakes; what has changed is read from the database. Because a doorbell may be
//! lost, a waiting session also looks by itself now and then.

use super::reply::{Failure, Outcome};
use super::selected::Expunges;
use super::session::Session;
use super::sync::Look;
use super::watch::SelectedRules;
use crate::auth::authenticate::Protocol;
use crate::cluster::notifier::Subscription;
use crate::model::error::Error;
use std::time::Duration;
use tokio::time::Instant;

/// Time between two looks at what is watched without a doorbell.
pub const LOOK_EVERY: Duration = Duration::from_secs(60);
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
    /// Waits until a client's deadline. With a `tick`: until then, and also for news of what NOTIFY
    /// watches; `with_mailbox`: and of the selected mailbox.
    pub async fn wait(
        &mut self,
        until: Instant,
        tick: Option<Instant>,
        with_mailbox: bool,
    ) -> Outcome<Event> {
        let opened = self.opened.as_mut().filter(|_| with_mailbox);
        let news = woken(opened.map(|opened| &mut opened.subscription));
        let watch = self.watch.as_mut().filter(|_| tick.is_some());
        let other_news = async {
            match watch {
                Some(watch) => watch.woken().await,
                None => std::future::pending().await,
            }
        };
        let ends = woken(self.login.as_mut().map(|login| &mut login.ends));
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
            () = other_news => Ok(Event::Woken),
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
            // no news in the middle of a command
            let rules = self.selected_rules();
            let is_between = self.framer.is_at_start();
            let tick = Instant::now() + LOOK_EVERY;
            let tick = Some(tick).filter(|_| is_between && self.watch.is_some());
            let with_mailbox = tick.is_some() && rules.is_some_and(|rules| rules.is_watched);
            match self.wait(until, tick, with_mailbox).await? {
                Event::Stop => return Err(shutting_down()),
                Event::Read(octets) => {
                    self.feed();
                    return Ok(octets > 0);
                }
                Event::Ends => Box::pin(self.check_standing()).await?,
                Event::Woken | Event::Tick => {
                    let told = Box::pin(self.tell_news(rules)).await;
                    told.or_else(Failure::unless_fatal)?;
                }
            }
        }
    }

    /// What NOTIFY wants to hear between commands.
    async fn tell_news(&mut self, rules: Option<SelectedRules>) -> Outcome<()> {
        self.check_standing_if_due().await?;
        if let Some(rules) = rules.filter(|rules| rules.is_watched) {
            let expunges = if rules.is_delayed { Expunges::Held } else { Expunges::Allowed };
            self.sync(Look::Database, expunges).await?;
        }
        self.tell_others().await?;
        Ok(self.stream.flush().await?)
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

async fn woken(subscription: Option<&mut Subscription>) {
    match subscription {
        Some(subscription) => subscription.woken().await,
        None => std::future::pending().await,
    }
}

/// The end of a session because the node stops.
pub const fn shutting_down() -> Failure {
    Failure::Bye("The server is shutting down")
}
