//! Addresses without a user: nothing is stored, all that comes is passed on and answered.

use super::Delivery;
use super::accept::{Arrival, Outcome, chain};
use super::autoreply::Answerer;
use super::forward::Forwarder;
use crate::model::error::Result;
use crate::model::forward::Forwarding;
use crate::model::profile::AddressEntry;
use crate::model::transaction::{ForwardPath, MailTransaction};
use crate::storage::field::new_id;
use std::sync::Arc;

/// A recipient that has no mailboxes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Relay {
    /// As the sender named it.
    pub path: ForwardPath,
    /// Which address it is.
    pub entry: AddressEntry,
}

impl Delivery {
    /// Passes a message on. Unlike with a user it is in no mailbox: over the limit the sender keeps
    /// it and tries again, and what is in a loop is refused.
    pub(super) async fn pass_on(&self, arrival: &Arrival<'_>, relay: &Relay) -> Outcome {
        let outcome = match self.try_pass_on(arrival, relay).await {
            Ok(outcome) => outcome,
            Err(error) => Outcome::Failed(Arc::new(error)),
        };
        record(arrival.transaction, relay, &outcome);
        self.tell_passed_on(arrival, relay, &outcome);
        outcome
    }

    async fn try_pass_on(&self, arrival: &Arrival<'_>, relay: &Relay) -> Result<Outcome> {
        let Relay { path, entry } = relay;
        let Some(forwarding) = &entry.forwarding else { return Ok(Outcome::PassedOn) };
        if !forwarding.targets.is_empty() {
            let forwarder = Forwarder {
                id: entry.id.octets(),
                user: None,
                is_encrypted: false,
                forwards_max: forwarding.forwards_max,
                path,
            };
            let targets = &forwarding.targets;
            let refused = self.try_forward(arrival, &forwarder, targets, new_id()).await?;
            if refused.is_some() {
                return Ok(Outcome::Looping);
            }
        }
        if let Some(mut autoreply) = forwarding.autoreply.clone() {
            if autoreply.name.is_empty() {
                autoreply.name.clone_from(&entry.name);
            }
            // a pattern is no address to answer from
            let is_pattern = entry.address.contains('*');
            let address = if is_pattern { String::new() } else { entry.address.clone() };
            let answerer = Answerer { id: entry.id.octets(), user: None, address, path };
            self.answer(arrival, &answerer, autoreply).await?;
        }
        Ok(Outcome::PassedOn)
    }
}

/// Whether mail to an address without a user goes anywhere.
pub fn is_open(forwarding: Option<&Forwarding>) -> bool {
    forwarding.is_some_and(|forwarding| {
        let answers = forwarding.autoreply.as_ref().is_some_and(|autoreply| autoreply.is_enabled);
        !forwarding.is_disabled && (answers || !forwarding.targets.is_empty())
    })
}

/// The log line and the counter of one message.
pub(super) fn record(transaction: &MailTransaction, relay: &Relay, outcome: &Outcome) {
    let session = transaction.session.as_str();
    let address = &relay.entry.id;
    let result = match outcome {
        Outcome::PassedOn => "passed_on",
        Outcome::Looping => "looping",
        _ => "failed",
    };
    metrics::counter!("eider_deliveries_total", "result" => result).increment(1);
    match outcome {
        Outcome::PassedOn => {
            tracing::info!(session.id = session, address.id = %address, "message passed on");
        }
        Outcome::Failed(error) => {
            let error = chain(error.as_ref());
            tracing::warn!(
                session.id = session,
                address.id = %address,
                error,
                "message not passed on"
            );
        }
        _ => tracing::warn!(session.id = session, address.id = %address, result, "message loops"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::filter::Autoreply;
    use crate::model::target::ForwardTarget;

    #[test]
    fn an_address_is_open_when_it_does_something() {
        let targets = vec![ForwardTarget::new("a@b.example").unwrap()];
        let forwards = Forwarding { targets, ..Forwarding::default() };
        let away = Autoreply { is_enabled: true, ..Autoreply::default() };
        let answers = Forwarding { autoreply: Some(away), ..Forwarding::default() };
        assert!(is_open(Some(&forwards)) && is_open(Some(&answers)));
        let disabled = Forwarding { is_disabled: true, ..forwards };
        let asleep = Forwarding { autoreply: Some(Autoreply::default()), ..Forwarding::default() };
        for closed in [Some(&disabled), Some(&asleep), None] {
            assert!(!is_open(closed), "{closed:?}");
        }
    }
}
