//! What became of tries to deliver entries of the queue: the one place that is told of every result,
//! of the mail agent and of local delivery.
//!
//! It tells the story, reports to senders who want to know (`bounce`), and finishes the entries or
//! gives them back. The report is queued before its entry goes: a crash between may report twice,
//! never not at all.

use super::Delivery;
use crate::codec::dsn::Action;
use crate::codec::smtp::enhanced_status::EnhancedStatus;
use crate::model::dsn::Notify;
use crate::model::error::{Error, Result};
use crate::model::message::TimeMs;
use crate::model::queue::{Attempt, Entry};
use crate::model::trace::{Detail, Event, Happening};
use crate::queue::claim::LEASE_MS;
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::Instant;

/// The pause before the database is asked again.
const PAUSE: Duration = Duration::from_millis(500);
/// How long the door that a message came by is kept waiting.
const LOCAL_PATIENCE: Duration = Duration::from_secs(15);
/// A sender is told once that his message is late, after this time.
const LATE_MS: TimeMs = 4 * 60 * 60 * 1000;

/// How a try ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It is in the recipient's mailbox.
    Delivered,
    /// A server has it that reports what becomes of it (RFC 3461 §5.2.1).
    PassedOn,
    /// A server has it that will not (RFC 3461 §5.2.2).
    Relayed,
    /// Not now.
    Deferred,
    /// Never.
    Failed,
}

/// One try of one entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tried {
    /// The entry, claimed by the caller.
    pub entry: Entry,
    /// How it ended.
    pub fate: Fate,
    /// Who answered; empty: nobody was reached.
    pub host: String,
    /// His address.
    pub peer: Option<IpAddr>,
    /// How the connection was protected.
    pub tls: Option<String>,
    /// His reply, or what went wrong.
    pub reply: String,
    /// `reply` is his, not our words.
    pub is_reply: bool,
    /// The same for programs.
    pub status: EnhancedStatus,
}

/// A try, and what follows from it.
pub(super) struct Settled {
    pub tried: Tried,
    /// Of entries that are tried again.
    pub due: Option<TimeMs>,
    /// What the sender is to be told, until he is.
    pub action: Option<Action>,
    /// The story has it.
    is_told: bool,
}

/// How long a database that is away is waited for.
struct Patience {
    since: Instant,
    longest: Duration,
}

impl Patience {
    /// As long as the leases last; but somebody may wait for an answer about what he sent to us.
    fn new(tries: &[Tried]) -> Self {
        let is_local = tries.iter().any(|tried| tried.entry.is_local);
        let lease = Duration::from_millis(LEASE_MS.unsigned_abs());
        Self { since: Instant::now(), longest: if is_local { LOCAL_PATIENCE } else { lease } }
    }

    /// Waits a little; `false`: waiting does not help, or no longer.
    async fn wait(&self, error: &Error) -> bool {
        let is_away = matches!(error, Error::Unavailable { .. });
        let may_help = is_away && self.since.elapsed() < self.longest;
        if may_help {
            tracing::warn!(%error, "what became of messages waits for the database");
            tokio::time::sleep(PAUSE).await;
        }
        may_help
    }
}

impl Delivery {
    /// Settles tries. While the database is away they wait for it, as long as their leases last:
    /// what a server has taken must not be sent again for that.
    ///
    /// Round trips: three for all entries of a message that are done, one for each that is tried
    /// again, and those of [`Delivery::send`] for each report.
    pub async fn settle(&self, tries: Vec<Tried>) {
        let patience = Patience::new(&tries);
        let mut settled = Vec::with_capacity(tries.len());
        for tried in tries {
            let id = tried.entry.queue_id;
            loop {
                match self.decide(tried.clone()).await {
                    Ok(decided) => settled.push(decided),
                    Err(error) if patience.wait(&error).await => continue,
                    Err(error) => {
                        tracing::warn!(queue.id = %id, %error, "an entry is left to its lease");
                    }
                }
                break;
            }
        }
        while let Some(first) = settled.first() {
            let (queue_id, content) = (first.tried.entry.queue_id, first.tried.entry.content);
            let of_message = |it: &Settled| {
                it.tried.entry.queue_id == queue_id && it.tried.entry.content == content
            };
            let (mut message, others): (Vec<Settled>, _) =
                settled.into_iter().partition(of_message);
            settled = others;
            while let Err(error) = self.settle_message(&mut message).await {
                if !patience.wait(&error).await {
                    tracing::warn!(queue.id = %queue_id, %error, "entries are left to their leases");
                    break;
                }
            }
        }
    }

    async fn decide(&self, mut tried: Tried) -> Result<Settled> {
        let mut due = None;
        if tried.fate == Fate::Deferred {
            due = self.queue.next_due(&tried.entry).await?;
            if due.is_none() {
                tried.fate = Fate::Failed;
            }
        }
        let action = wanted(&tried, self.clock.now_ms());
        tried.entry.is_delay_told |= action == Some(Action::Delayed);
        Ok(Settled { tried, due, action, is_told: false })
    }

    /// All tries are of entries of one message. What is done is noted in them, so that it is not
    /// done again when this failed half-way.
    async fn settle_message(&self, settled: &mut [Settled]) -> Result<()> {
        let actions = [Action::Failed, Action::Delayed, Action::Delivered, Action::Relayed];
        for action in actions {
            let about: Vec<&Settled> =
                settled.iter().filter(|it| it.action == Some(action)).collect();
            if !about.is_empty() {
                Box::pin(self.report(action, &about)).await?;
            }
            for it in settled.iter_mut().filter(|it| it.action == Some(action)) {
                it.action = None;
            }
        }
        for it in settled.iter_mut() {
            if !it.is_told {
                it.is_told = true;
                self.tell_settled(it);
                self.note_failure(&it.tried).await;
            }
            let Some(due) = it.due else { continue };
            let attempt = Attempt {
                at_ms: self.clock.now_ms(),
                host: it.tried.host.clone(),
                reply: it.tried.reply.clone(),
            };
            self.queue.reschedule(&it.tried.entry, &attempt, due).await?;
        }
        let done = settled.iter().filter(|it| it.due.is_none());
        let done: Vec<&Entry> = done.map(|it| &it.tried.entry).collect();
        self.queue.finish_all(&done).await?;
        Ok(())
    }

    fn tell_settled(&self, settled: &Settled) {
        let Settled { tried, due, .. } = settled;
        let (what, result) = match tried.fate {
            Fate::Delivered => (Happening::Delivered, "delivered"),
            Fate::PassedOn | Fate::Relayed => (Happening::Delivered, "relayed"),
            Fate::Deferred => (Happening::Deferred, "deferred"),
            Fate::Failed => (Happening::Bounced, "failed"),
        };
        metrics::counter!("eider_queue_tries_total", "result" => result).increment(1);
        let mut event = Event::of_entry(&tried.entry, what)
            .with(Detail::Host, &tried.host)
            .with(Detail::Reply, &tried.reply);
        if let Some(peer) = tried.peer {
            event = event.peer(peer);
        }
        if let Some(tls) = &tried.tls {
            event = event.with(Detail::Tls, tls);
        }
        if let Some(due) = due {
            event = event.with(Detail::Due, due);
        }
        self.trace().record(event);
    }
}

/// What the sender is told, if he is.
fn wanted(tried: &Tried, now: TimeMs) -> Option<Action> {
    let Tried { entry, fate, .. } = tried;
    let notify = entry.dsn.notify.unwrap_or(Notify::UNSAID);
    let (action, is_wanted) = match fate {
        Fate::Delivered => (Action::Delivered, notify.success),
        Fate::Relayed => (Action::Relayed, notify.success),
        Fate::PassedOn => return None,
        Fate::Failed => (Action::Failed, notify.failure),
        Fate::Deferred => {
            let since = entry.attempts.first().map_or(now, |first| first.at_ms);
            let is_late = now.saturating_sub(since) >= LATE_MS;
            (Action::Delayed, notify.delay && is_late && !entry.is_delay_told)
        }
    };
    is_wanted.then_some(action)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::dsn::{MessageOptions, RecipientDsn};
    use crate::model::id::{ContentHash, ObjectId};
    use crate::model::queue::Reason;
    use crate::model::target::{ForwardTarget, TargetKind};

    fn tried(fate: Fate, notify: Option<Notify>, first_ms: Option<TimeMs>) -> Tried {
        let attempt = |at_ms| Attempt { at_ms, host: String::new(), reply: String::new() };
        let target = ForwardTarget { kind: TargetKind::Mail, value: "u@b.example".to_owned() };
        let id = ObjectId::from_octets([1; 12]);
        let entry = Entry {
            id,
            queue_id: id,
            trace: id,
            seq: 1,
            user: None,
            forwarder: None,
            reason: Reason::Submit,
            sender: "me@a.example".to_owned(),
            recipient: "u@b.example".to_owned(),
            target,
            domain: "b.example".to_owned(),
            is_local: false,
            content: ContentHash([2; 32]),
            content_octets: 0,
            prefix: Vec::new(),
            options: MessageOptions::default(),
            dsn: RecipientDsn { notify, original: None },
            is_delay_told: false,
            due_ms: 0,
            paused_due_ms: None,
            created_ms: 0,
            locked_until_ms: 0,
            tries: 0,
            fence: 0,
            attempts: first_ms.map(attempt).into_iter().collect(),
        };
        Tried {
            entry,
            fate,
            host: String::new(),
            peer: None,
            tls: None,
            reply: String::new(),
            is_reply: false,
            status: EnhancedStatus::new(4, 0, 0),
        }
    }

    #[test]
    fn senders_are_told_what_they_wish() {
        let all = Some(Notify { success: true, failure: true, delay: true });
        let (never, now) = (Some(Notify::default()), 10 * LATE_MS);
        let told = |fate, notify| wanted(&tried(fate, notify, None), now);
        assert_eq!(told(Fate::Failed, None), Some(Action::Failed));
        assert_eq!(told(Fate::Failed, never), None);
        assert_eq!(told(Fate::Delivered, None), None);
        assert_eq!(told(Fate::Delivered, all), Some(Action::Delivered));
        assert_eq!(told(Fate::Relayed, all), Some(Action::Relayed));
        assert_eq!(told(Fate::PassedOn, all), None, "the next one tells");
    }

    #[test]
    fn senders_are_told_once_that_it_is_late() {
        let now = 10 * LATE_MS;
        let late = tried(Fate::Deferred, None, Some(now - LATE_MS));
        assert_eq!(wanted(&late, now), Some(Action::Delayed));
        assert_eq!(wanted(&late, now - 1), None);
        assert_eq!(wanted(&tried(Fate::Deferred, None, None), now), None, "the first try");
        let mut again = late;
        again.entry.is_delay_told = true;
        assert_eq!(wanted(&again, now), None);
    }
}
