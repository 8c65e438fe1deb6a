//! Forwarding a message that arrived (`reference/behaviours.md` §6).
//!
//! The sender stays the sender; in front of the message come a Received line of ours and a mark that
//! tells us, and nobody else, for whom it was forwarded: when it comes back it is not again.

use super::Delivery;
use super::accept::{Arrival, Recipient};
use super::send::{Addressed, Letter};
use super::trace;
use crate::codec::mime::header;
use crate::mailstore::append::Prepared;
use crate::model::address::EmailAddress;
use crate::model::dsn::MessageOptions;
use crate::model::error::{Error, Result};
use crate::model::id::{ObjectId, UserId};
use crate::model::message::TimeMs;
use crate::model::queue::{Entry, QueueId, Reason};
use crate::model::target::{ForwardTarget, TargetKind};
use crate::model::transaction::ForwardPath;
use crate::model::window::Window;
use crate::storage::field::new_id;
use crate::storage::{rate_limits, users};
use bytes::Bytes;

/// Received lines of a message that is not forwarded any more.
const HOPS_MAX: usize = 30;
/// The window of the limit.
const DAY_MS: TimeMs = 24 * 60 * 60 * 1000;

/// For whom a message is forwarded: a user, or an address without one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Forwarder<'a> {
    /// His id, or that of the address.
    pub id: [u8; 12],
    /// The user, if it is one.
    pub user: Option<UserId>,
    /// What is forwarded is encrypted with the user's key.
    pub is_encrypted: bool,
    /// Forwards in 24 hours; 0 is the store's default.
    pub forwards_max: u64,
    /// The address the message came to.
    pub path: &'a ForwardPath,
}

impl Delivery {
    /// Forwards a message for one of its recipients. Over the user's limit, and when the message
    /// is in a loop, it is not, and the log says so: the message is in his mailbox.
    ///
    /// # Errors
    /// `Unavailable`; nothing is forwarded then.
    pub(super) async fn forward(
        &self,
        arrival: &Arrival<'_>,
        recipient: &Recipient,
        targets: &[ForwardTarget],
        queue_id: QueueId,
    ) -> Result<()> {
        let user = &recipient.user;
        let forwarder = Forwarder {
            id: user.id.octets(),
            user: Some(user.id),
            is_encrypted: user.rules.encrypts_forwarded,
            forwards_max: user.rules.forwards_max,
            path: &recipient.path,
        };
        let why = match self.try_forward(arrival, &forwarder, targets, queue_id).await {
            Err(Error::Throttled { .. }) => Some("limit"),
            tried => tried?,
        };
        if let Some(why) = why {
            metrics::counter!("eider_forwards_refused_total", "reason" => why).increment(1);
            tracing::warn!(user.id = %user.id, why, "a message is not forwarded");
            self.tell_rule(arrival, recipient, &format!("not forwarded: {why}"));
        }
        Ok(())
    }

    /// Forwards a message unless it is in a loop; then, the reason.
    ///
    /// # Errors
    /// `Throttled` over the limit, `Unavailable`; nothing is forwarded then.
    pub(super) async fn try_forward(
        &self,
        arrival: &Arrival<'_>,
        forwarder: &Forwarder<'_>,
        targets: &[ForwardTarget],
        queue_id: QueueId,
    ) -> Result<Option<&'static str>> {
        let mark = self.mark(forwarder.id).await?;
        let traits = &arrival.traits;
        if traits.hops >= HOPS_MAX || traits.seen_marks.len() >= HOPS_MAX {
            return Ok(Some("hops"));
        }
        if traits.seen_marks.contains(&mark) {
            return Ok(Some("loop"));
        }
        self.count_forwards(forwarder.id, forwarder.forwards_max, targets.len()).await?;
        let via = |target: &ForwardTarget| match target.kind {
            TargetKind::Mail => Some(Addressed::new(EmailAddress::new(&target.value).ok()?, None)),
            TargetKind::Relay | TargetKind::Http => {
                Some(Addressed::new(forwarder.path.address.clone(), Some(target.clone())))
            }
        };
        let prepared = match forwarder.user.filter(|_| forwarder.is_encrypted) {
            Some(user) => self.encrypted_for(user, &arrival.prepared).await?,
            None => arrival.prepared.clone(),
        };
        let received =
            trace::received(arrival.transaction, Some(forwarder.path), &self.hostname, arrival.now);
        let mut lines = format!("X-Eider-Seen: {mark}\r\n{received}").into_bytes();
        lines.extend_from_slice(&arrival.lines);
        let letter = Letter {
            queue_id,
            trace: arrival.transaction.trace,
            user: forwarder.user,
            forwarder: Some(forwarder.path.address.to_string()),
            reason: Reason::Forward,
            sender: arrival.transaction.reverse_path.clone(),
            prepared,
            lines,
            options: arrival.transaction.options.clone(),
            due_ms: arrival.now,
            recipients: targets.iter().filter_map(via).collect(),
        };
        self.send(letter).await.map(|_| None)
    }

    /// Sends a stored message on; its sender stays the one it came from. Counted like any other.
    ///
    /// # Errors
    /// `NotFound` user, `Throttled`, `Unavailable`; nothing is sent then.
    pub async fn forward_stored(
        &self,
        user: UserId,
        prefix: &[u8],
        content: Bytes,
        targets: &[ForwardTarget],
    ) -> Result<Vec<Entry>> {
        let user = users::load(&self.storage, user).await?.profile.user;
        self.count_forwards(user.id.octets(), user.rules.forwards_max, targets.len()).await?;
        let own = EmailAddress::new(&user.address).ok();
        let sender = match header::first(prefix, "return-path").map(header::unfold) {
            // RFC 5321 §4.4: `<>` is the null path
            Some(path) => {
                let path = String::from_utf8_lossy(&path);
                EmailAddress::new(path.trim_matches(['<', '>'])).ok()
            }
            None => own.clone(),
        };
        let via = |target: &ForwardTarget| match target.kind {
            TargetKind::Mail => Some(Addressed::new(EmailAddress::new(&target.value).ok()?, None)),
            TargetKind::Relay | TargetKind::Http => {
                Some(Addressed::new(own.clone()?, Some(target.clone())))
            }
        };
        let mut lines =
            format!("X-Eider-Seen: {}\r\n", self.mark(user.id.octets()).await?).into_bytes();
        let kept = header::without(prefix, &["return-path", "delivered-to"]);
        lines.extend_from_slice(kept.as_deref().unwrap_or(prefix));
        let mut prepared = self.mailstore.prepare(content).await?;
        if user.rules.encrypts_forwarded {
            prepared = self.encrypted_for(user.id, &prepared).await?;
        }
        let letter = Letter {
            queue_id: new_id(),
            trace: new_id(),
            user: Some(user.id),
            forwarder: Some(user.address.clone()),
            reason: Reason::Forward,
            sender,
            prepared,
            lines,
            options: MessageOptions::default(),
            due_ms: self.clock.now_ms(),
            recipients: targets.iter().filter_map(via).collect(),
        };
        self.send(letter).await
    }

    async fn encrypted_for(&self, user: UserId, prepared: &Prepared) -> Result<Prepared> {
        Ok(match self.mailstore.keys_for(user, true).await? {
            Some(keys) => self.mailstore.encrypt(prepared, keys).await,
            None => prepared.clone(),
        })
    }

    /// Counts against a user's or address's own limit of 24 hours (0: the store's), shared by all
    /// nodes.
    async fn count_forwards(&self, id: [u8; 12], own_max: u64, count: usize) -> Result<()> {
        let max = match own_max {
            0 => self.forwards_max().await?,
            max => max,
        };
        let (key, by) =
            (Window::Forwards.key(ObjectId::from_octets(id)), u64::try_from(count).unwrap_or(1));
        let now = self.clock.now_ms();
        rate_limits::count_below(&self.storage, &key, by, max, now, DAY_MS).await
    }
}
