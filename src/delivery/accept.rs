//! Everything that happens when a message arrives: one outcome per recipient.
//!
//! The content is parsed and stored once; each recipient's mailbox gets it with a trace prefix of
//! its own.
//! A recipient is answered as delivered only when the write is acknowledged (law 1).

use super::audit::Audited;
use super::pass_on::{self, Relay};
use super::plan::Plan;
use super::traits::Traits;
use super::{Delivery, trace};
use crate::mailstore::append::{Appended, Prepared, Target};
use crate::model::error::{Error, Result};
use crate::model::message::TimeMs;
use crate::model::transaction::{ForwardPath, MailTransaction};
use crate::model::user::User;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use std::collections::{HashMap, HashSet};
use std::error::Error as StdError;
use std::sync::Arc;
use tokio::time::Instant;

/// Recipients of one message whose mailboxes are looked up at the same time.
const CONCURRENT_MAX: usize = 16;

/// Whom a message came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Addressee {
    /// A user.
    User(Recipient),
    /// An address without a user.
    Relay(Relay),
}

impl Addressee {
    /// As the sender named it.
    pub const fn path(&self) -> &ForwardPath {
        match self {
            Self::User(recipient) => &recipient.path,
            Self::Relay(relay) => &relay.path,
        }
    }

    /// Several names of one addressee have the same.
    pub(super) const fn id(&self) -> [u8; 12] {
        match self {
            Self::User(recipient) => recipient.user.id.octets(),
            Self::Relay(relay) => relay.entry.id.octets(),
        }
    }
}

/// A recipient that was resolved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recipient {
    /// As the sender named it.
    pub path: ForwardPath,
    /// Whose address it is.
    pub user: User,
}

/// What became of the message for one recipient.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It is in the mailbox, durably.
    Delivered(Appended),
    /// His rules have it dropped; what they forward is queued, durably.
    Dropped,
    /// It came to an address without a user, and what that does with it is queued, durably.
    PassedOn,
    /// It has passed too many hosts (RFC 5321 §6.3).
    Looping,
    /// It is not there; shared when it failed for several recipients at once.
    Failed(Arc<Error>),
}

/// One message on its way to several users.
#[derive(Debug)]
pub(super) struct Arrival<'a> {
    /// How it came.
    pub transaction: &'a MailTransaction,
    /// What rules look at.
    pub traits: Traits,
    /// The content.
    pub prepared: Prepared,
    /// Header fields in front of it that it has from us already: it was forwarded.
    pub lines: Vec<u8>,
    /// When it came.
    pub now: TimeMs,
}

impl Delivery {
    /// Delivers a message. Returns one outcome per addressee, in their order. Who is named more
    /// than once gets it once, under the first address; each of the names has that outcome.
    ///
    /// Round trips: the plan of each distinct user, users in parallel, and those of one
    /// `append_to_many`, which raises the content's count once; then what rules send.
    pub async fn accept(
        &self,
        transaction: &MailTransaction,
        addressees: &[Addressee],
        content: Bytes,
    ) -> Vec<Outcome> {
        let octets = content.len();
        if trace::is_looping(&content) {
            return self.refuse_all(transaction, addressees, octets, &Outcome::Looping);
        }
        let prepared = match self.mailstore.prepare(content).await {
            Ok(prepared) => prepared,
            Err(error) => {
                let outcome = Outcome::Failed(Arc::new(error));
                return self.refuse_all(transaction, addressees, octets, &outcome);
            }
        };
        self.tell_received(transaction, &prepared);
        self.note_report(transaction, &prepared);
        let traits = Traits::read_with(&prepared, &transaction.lines);
        let now = self.clock.now_ms();
        let lines = transaction.lines.clone();
        let arrival = Arrival { transaction, traits, prepared, lines, now };
        let mut outcomes: HashMap<[u8; 12], Outcome> = HashMap::new();
        let mut users: Vec<&Recipient> = Vec::new();
        let mut relays: Vec<&Relay> = Vec::new();
        let mut seen = HashSet::new();
        for addressee in addressees.iter().filter(|addressee| seen.insert(addressee.id())) {
            match addressee {
                Addressee::User(recipient) => users.push(recipient),
                Addressee::Relay(relay) => relays.push(relay),
            }
        }
        let delivered = self.deliver(&arrival, &users).await;
        outcomes.extend(users.iter().map(|user| user.user.id.octets()).zip(delivered));
        for relay in relays {
            outcomes.insert(relay.entry.id.octets(), self.pass_on(&arrival, relay).await);
        }
        addressees.iter().filter_map(|addressee| outcomes.get(&addressee.id()).cloned()).collect()
    }

    /// Delivers to distinct users: one outcome each, in their order.
    pub(super) async fn deliver(
        &self,
        arrival: &Arrival<'_>,
        recipients: &[&Recipient],
    ) -> Vec<Outcome> {
        let started = Instant::now();
        let plans: Vec<_> =
            recipients.iter().map(|recipient| Box::pin(self.plan(arrival, recipient))).collect();
        let mut plans: Vec<Result<Plan>> =
            stream::iter(plans).buffered(CONCURRENT_MAX).collect().await;
        let targets: Vec<Target> =
            plans.iter_mut().flatten().filter_map(|plan| plan.target.take()).collect();
        let mut appended = self.mailstore.append_to_many(targets).await.into_iter();
        let missing = || Err(Error::Internal { reason: "append returned nothing", source: None });
        let octets = arrival.prepared.content.len();
        let mut outcomes = Vec::with_capacity(plans.len());
        for (recipient, plan) in recipients.iter().zip(plans) {
            let mailbox = plan.as_ref().ok().and_then(|plan| plan.mailbox);
            let outcome = match plan {
                Err(error) => Err(error),
                Ok(plan) if plan.decision.is_dropped => {
                    self.follow_up(arrival, recipient, &plan, None).await.map(|()| Outcome::Dropped)
                }
                Ok(plan) => match appended.next().unwrap_or_else(missing) {
                    Ok(appended) => self
                        .follow_up(arrival, recipient, &plan, Some(appended))
                        .await
                        .map(|()| Outcome::Delivered(appended)),
                    Err(error) => Err(error),
                },
            };
            let outcome = outcome.unwrap_or_else(|error| Outcome::Failed(Arc::new(error)));
            record(arrival.transaction, recipient, octets, &outcome, started);
            self.tell_outcome(arrival, recipient, mailbox, &outcome);
            outcomes.push(outcome);
        }
        outcomes
    }

    /// What follows from a message that was stored or dropped: it is forwarded and answered. The
    /// positive reply promises this, too; if it fails the sender tries again and the message is
    /// there twice, rather than never forwarded.
    async fn follow_up(
        &self,
        arrival: &Arrival<'_>,
        recipient: &Recipient,
        plan: &Plan,
        stored: Option<Appended>,
    ) -> Result<()> {
        if recipient.user.rules.audited_until_ms >= arrival.now {
            self.audit(&Audited {
                user: recipient.user.id,
                stored: stored.zip(plan.mailbox).map(|(stored, mailbox)| (stored.id, mailbox)),
                prepared: &arrival.prepared,
                prefix: &plan.prefix,
                is_draft: false,
            })
            .await?;
        }
        for filter in &plan.decision.matched {
            tracing::debug!(user.id = %recipient.user.id, filter.id = %filter, "a filter matched");
            self.tell_rule(arrival, recipient, &format!("filter {filter}"));
        }
        if !plan.decision.matched.is_empty() {
            let matched = u64::try_from(plan.decision.matched.len()).unwrap_or(0);
            metrics::counter!("eider_filters_matched_total").increment(matched);
        }
        if let Some(queue_id) = plan.queue_id {
            self.forward(arrival, recipient, &plan.decision.targets, queue_id).await?;
        }
        if recipient.user.rules.has_autoreply && !plan.decision.is_spam() {
            self.autoreply(arrival, recipient).await?;
        }
        if !plan.decision.is_spam() && !plan.decision.is_dropped {
            self.note_sender(arrival, recipient.user.id);
        }
        Ok(())
    }

    fn refuse_all(
        &self,
        transaction: &MailTransaction,
        addressees: &[Addressee],
        octets: usize,
        outcome: &Outcome,
    ) -> Vec<Outcome> {
        let started = Instant::now();
        for addressee in addressees {
            match addressee {
                Addressee::User(recipient) => {
                    record(transaction, recipient, octets, outcome, started);
                }
                Addressee::Relay(relay) => pass_on::record(transaction, relay, outcome),
            }
        }
        self.tell_refused(transaction, addressees, outcome);
        vec![outcome.clone(); addressees.len()]
    }
}

/// The log line and the counters of one delivery.
fn record(
    transaction: &MailTransaction,
    recipient: &Recipient,
    octets: usize,
    outcome: &Outcome,
    started: Instant,
) {
    let took = started.elapsed();
    let result = result_name(outcome);
    metrics::counter!("eider_deliveries_total", "result" => result).increment(1);
    metrics::histogram!("eider_delivery_duration_seconds").record(took.as_secs_f64());
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let session = transaction.session.as_str();
    let user = &recipient.user.id;
    match outcome {
        Outcome::Delivered(appended) => {
            metrics::counter!("eider_delivered_octets_total").increment(octets as u64);
            tracing::info!(
                session.id = session,
                user.id = %user,
                message.id = %appended.id,
                uid = %appended.uid,
                octets,
                duration_ms,
                result,
                "message delivered"
            );
        }
        // `pass_on` tells that itself
        Outcome::PassedOn => {}
        Outcome::Dropped => {
            tracing::info!(
                session.id = session,
                user.id = %user,
                octets,
                duration_ms,
                result,
                "message dropped by the user's rules"
            );
        }
        Outcome::Looping => {
            tracing::warn!(session.id = session, user.id = %user, octets, result, "message loops");
        }
        Outcome::Failed(error) => {
            let error = chain(error.as_ref());
            tracing::warn!(
                session.id = session,
                user.id = %user,
                octets,
                duration_ms,
                result,
                error,
                "message not delivered"
            );
        }
    }
}

/// The error and its causes in one line.
pub(super) fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn result_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Delivered(_) => "delivered",
        Outcome::Dropped => "dropped",
        Outcome::PassedOn => "passed_on",
        Outcome::Looping => "looping",
        Outcome::Failed(error) => match error.as_ref() {
            Error::OverQuota => "over_quota",
            Error::Unavailable { .. } => "unavailable",
            Error::Internal { .. } => "internal",
            _ => "refused",
        },
    }
}
