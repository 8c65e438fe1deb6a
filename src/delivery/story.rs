//! What delivery tells of a message's story: that it came, and what became of it for each recipient.

use super::Delivery;
use super::accept::{Addressee, Arrival, Outcome, Recipient, chain};
use super::pass_on::Relay;
use super::send::Letter;
use crate::mailstore::append::Prepared;
use crate::model::address::EmailAddress;
use crate::model::id::MailboxId;
use crate::model::trace::{Detail, Event, Happening};
use crate::model::transaction::MailTransaction;

impl Delivery {
    /// A message came by a transaction.
    pub(super) fn tell_received(&self, transaction: &MailTransaction, prepared: &Prepared) {
        let event = Event::of_transaction(transaction, Happening::Received)
            .message_id(&prepared.structure.summary.message_id)
            .with(Detail::With, transaction.with)
            .with(Detail::Helo, &transaction.helo)
            .with(Detail::Octets, prepared.content.len());
        self.trace().record(event);
    }

    /// A user submitted a message, which is about to be queued.
    pub(super) fn tell_submitted(&self, letter: &Letter) {
        let sender = letter.sender.as_ref().map(ToString::to_string);
        let mut event = Event {
            user: letter.user,
            sender: Some(sender.unwrap_or_default()),
            ..Event::new(letter.trace, Happening::Received)
        };
        event = event
            .queue_id(letter.queue_id)
            .message_id(&letter.prepared.structure.summary.message_id)
            .with(Detail::With, letter.reason.name())
            .with(Detail::Octets, letter.prepared.content.len());
        self.trace().record(event);
    }

    /// A recipient is refused before there is a message, with this reply.
    pub fn tell_rejected(
        &self,
        transaction: &MailTransaction,
        recipient: &EmailAddress,
        reply: &str,
    ) {
        let event = Event::of_transaction(transaction, Happening::Refused);
        self.trace().record(event.recipient(recipient).with(Detail::Reply, reply));
    }

    /// A message is refused for all its recipients, before anything was done for one.
    pub(super) fn tell_refused(
        &self,
        transaction: &MailTransaction,
        addressees: &[Addressee],
        outcome: &Outcome,
    ) {
        for addressee in addressees {
            let mut event = Event::of_transaction(transaction, Happening::Refused)
                .recipient(&addressee.path().address)
                .with(Detail::Reason, reason(outcome));
            if let Addressee::User(recipient) = addressee {
                event = event.user(recipient.user.id);
            }
            self.trace().record(event);
        }
    }

    /// What became of a message for a user.
    pub(super) fn tell_outcome(
        &self,
        arrival: &Arrival<'_>,
        recipient: &Recipient,
        mailbox: Option<MailboxId>,
        outcome: &Outcome,
    ) {
        let what = match outcome {
            Outcome::Delivered(_) => Happening::Stored,
            Outcome::Dropped => Happening::Dropped,
            Outcome::PassedOn => return,
            Outcome::Looping | Outcome::Failed(_) => Happening::Refused,
        };
        let mut event =
            of_arrival(arrival, what).user(recipient.user.id).recipient(&recipient.path.address);
        event = match (outcome, mailbox) {
            (Outcome::Delivered(appended), Some(mailbox)) => {
                event.with(Detail::Mailbox, mailbox).with(Detail::Uid, appended.uid)
            }
            _ => event.with(Detail::Reason, reason(outcome)),
        };
        self.trace().record(event);
    }

    /// A rule of a user did something to a message: a filter, or a limit on forwards.
    pub(super) fn tell_rule(&self, arrival: &Arrival<'_>, recipient: &Recipient, rule: &str) {
        let event = of_arrival(arrival, Happening::Rule)
            .user(recipient.user.id)
            .recipient(&recipient.path.address)
            .with(Detail::Rule, rule);
        self.trace().record(event);
    }

    /// What became of a message for an address without a user; what it sends tells itself.
    pub(super) fn tell_passed_on(&self, arrival: &Arrival<'_>, relay: &Relay, outcome: &Outcome) {
        if matches!(outcome, Outcome::PassedOn) {
            return;
        }
        let event = of_arrival(arrival, Happening::Refused)
            .recipient(&relay.path.address)
            .with(Detail::Reason, reason(outcome));
        self.trace().record(event);
    }
}

fn of_arrival(arrival: &Arrival<'_>, what: Happening) -> Event {
    Event::of_transaction(arrival.transaction, what)
        .message_id(&arrival.prepared.structure.summary.message_id)
}

/// Why a message is not in a mailbox.
fn reason(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Dropped => "the user's rules".to_owned(),
        Outcome::Looping => "the message loops".to_owned(),
        Outcome::Failed(error) => chain(error.as_ref()),
        Outcome::Delivered(_) | Outcome::PassedOn => String::new(),
    }
}
