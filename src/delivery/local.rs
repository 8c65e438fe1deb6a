//! Entries of the queue whose recipients are ours.

use super::Delivery;
use super::accept::{Arrival, Outcome, Recipient};
use super::pass_on::{Relay, is_open};
use super::settle::{Fate, Tried};
use super::traits::Traits;
use crate::codec::smtp::enhanced_status::EnhancedStatus;
use crate::directory::resolve::Destination;
use crate::mailstore::append::Prepared;
use crate::model::address::EmailAddress;
use crate::model::error::{Error, Result};
use crate::model::queue::Entry;
use crate::model::transaction::{ForwardPath, MailTransaction};
use std::net::{IpAddr, Ipv4Addr};

/// The words for a message that has passed too many hosts.
const LOOPING: &str = "the message is looping";

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
            && let Some(entry) = self.queue.claim_local().await?
        {
            Box::pin(self.deliver_entry(&entry, None)).await;
            tried += 1;
        }
        Ok(tried)
    }

    /// Delivers a claimed entry, and settles it.
    pub(super) async fn deliver_entry(&self, entry: &Entry, prepared: Option<&Prepared>) {
        let (fate, status, reply) = match self.try_entry(entry, prepared).await {
            Ok(()) => (Fate::Delivered, EnhancedStatus::new(2, 1, 5), "delivered".to_owned()),
            Err(error) => of_error(&error),
        };
        let host = self.hostname.to_string();
        let entry = entry.clone();
        let (peer, tls, is_reply) = (None, None, false);
        let tried = Tried { entry, fate, host, peer, tls, reply, is_reply, status };
        self.settle(vec![tried]).await;
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
            Outcome::Looping => Err(Error::Forbidden { reason: LOOPING }),
            Outcome::Failed(error) => Err(match error.as_ref() {
                Error::OverQuota => Error::OverQuota,
                _ => Error::Conflict { reason: "not delivered" },
            }),
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

/// Only a loop is hopeless: a user may come back, a mailbox may be emptied.
fn of_error(error: &Error) -> (Fate, EnhancedStatus, String) {
    let (fate, status, words) = match error {
        Error::Forbidden { reason } if *reason == LOOPING => (Fate::Failed, (5, 4, 6), LOOPING),
        Error::NotFound { .. } => (Fate::Deferred, (5, 1, 1), "there is no such user here"),
        Error::OverQuota => (Fate::Deferred, (5, 2, 2), "the mailbox is full"),
        _ => (Fate::Deferred, (4, 3, 0), "temporarily not possible"),
    };
    let (class, subject, detail) = status;
    (fate, EnhancedStatus::new(class, subject, detail), words.to_owned())
}
