//! Entries of the queue whose recipients are ours.

use super::Delivery;
use super::accept::{Arrival, Outcome, Recipient};
use super::pass_on::{Relay, is_open};
use super::traits::Traits;
use crate::directory::resolve::Destination;
use crate::mailstore::append::Prepared;
use crate::model::address::EmailAddress;
use crate::model::error::{Error, Result};
use crate::model::message::TimeMs;
use crate::model::queue::{Attempt, Entry};
use crate::model::transaction::{ForwardPath, MailTransaction};
use crate::queue::claim::Claim;
use crate::queue::reschedule::next_due;
use std::net::{IpAddr, Ipv4Addr};

/// An entry that has been tried long enough is tried once in so long from then on: nothing that was
/// accepted is dropped without a word.
const SELDOM_MS: TimeMs = 24 * 60 * 60 * 1000;

/// Entries delivered by one step of the job.
const DUE_MAX: usize = 16;

impl Delivery {
    /// Delivers some entries for our own users that are due: delayed ones, and those whose node
    /// died or whose mailbox was full. Returns how many were tried; 0: there are no more.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn deliver_due(&self) -> Result<usize> {
        let mut tried = 0;
        while tried < DUE_MAX
            && let Some(entry) = self.queue.claim(Claim::Local).await?
        {
            Box::pin(self.deliver_entry(&entry, None)).await;
            tried += 1;
        }
        Ok(tried)
    }

    /// Delivers a claimed entry, and finishes or reschedules it.
    pub(super) async fn deliver_entry(&self, entry: &Entry, prepared: Option<&Prepared>) {
        let delivered = self.try_entry(entry, prepared).await;
        let now = self.clock.now_ms();
        let done = match delivered {
            Ok(()) => {
                self.tell_delivered(entry);
                self.queue.finish(entry).await.map(|_| ())
            }
            Err(error) => {
                let tried = Attempt {
                    at_ms: now,
                    host: self.hostname.to_string(),
                    reply: error.to_string(),
                };
                let due = next_due(entry, now).unwrap_or(now.saturating_add(SELDOM_MS));
                self.tell_deferred(entry, &tried, due);
                self.queue.reschedule(entry, &tried, due).await.map(|_| ())
            }
        };
        if let Err(error) = done {
            // the lease ends, and it is tried again
            tracing::warn!(queue.id = %entry.queue_id, %error, "a queue entry is left to its lease");
        }
    }

    async fn try_entry(&self, entry: &Entry, prepared: Option<&Prepared>) -> Result<()> {
        let address = EmailAddress::new(&entry.recipient)?;
        let destination = self.directory.resolve_destination(&address).await?;
        let destination = destination.ok_or(Error::NotFound { what: "address" })?;
        let prepared = match prepared {
            Some(prepared) => prepared.clone(),
            None => self.mailstore.prepare(self.queue.load_content(entry).await?).await?,
        };
        let transaction = MailTransaction {
            reverse_path: EmailAddress::new(&entry.sender).ok(),
            helo: self.hostname.to_string(),
            peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
            with: "HTTP",
            session: format!("{}.{:03x}", entry.queue_id, entry.seq),
            trace: entry.trace,
            options: entry.options.clone(),
            lines: Vec::new(),
        };
        let arrival = Arrival {
            transaction: &transaction,
            traits: Traits::read_with(&prepared, &entry.prefix),
            prepared,
            lines: entry.prefix.clone(),
            now: self.clock.now_ms(),
        };
        let path = ForwardPath { address, dsn: entry.dsn.clone() };
        match self.deliver_to(&arrival, path, destination).await? {
            Outcome::Delivered(_) | Outcome::Dropped | Outcome::PassedOn => Ok(()),
            Outcome::Looping => Err(Error::Conflict { reason: "the message is looping" }),
            Outcome::Failed(error) => Err(Error::Conflict { reason: reason_of(error.as_ref()) }),
        }
    }

    async fn deliver_to(
        &self,
        arrival: &Arrival<'_>,
        path: ForwardPath,
        destination: Destination,
    ) -> Result<Outcome> {
        match destination {
            Destination::Forwarded(entry) if is_open(entry.forwarding.as_ref()) => {
                Ok(self.pass_on(arrival, &Relay { path, entry: *entry }).await)
            }
            Destination::User(user) if !user.disabled => {
                let recipient = Recipient { path, user: *user };
                let missing =
                    Error::Internal { reason: "a delivery without outcome", source: None };
                self.deliver(arrival, &[&recipient]).await.pop().ok_or(missing)
            }
            _ => Err(Error::NotFound { what: "address" }),
        }
    }
}

/// Words for the log of an entry.
fn reason_of(error: &Error) -> &'static str {
    match error {
        Error::OverQuota => "mailbox full",
        Error::Unavailable { .. } => "temporarily unavailable",
        _ => "not delivered",
    }
}
