//! Forwarding a message that arrived (`reference/behaviours.md` §6).
//!
//! The sender stays the sender; in front of the message come a Received line of ours and a mark that
//! tells us, and nobody else, for whom it was forwarded: when it comes back it is not again.

use super::Delivery;
use super::accept::{Arrival, Recipient};
use super::send::Letter;
use super::trace;
use crate::codec::mime::header;
use crate::model::address::EmailAddress;
use crate::model::error::{Error, Result};
use crate::model::id::UserId;
use crate::model::message::TimeMs;
use crate::model::queue::{Entry, QueueId, Reason};
use crate::model::target::{ForwardTarget, TargetKind};
use crate::model::user::User;
use crate::storage::field::new_id;
use crate::storage::{rate_limits, users};
use bytes::Bytes;

/// Received lines of a message that is not forwarded any more.
const HOPS_MAX: usize = 30;
/// The window of the limit.
const DAY_MS: TimeMs = 24 * 60 * 60 * 1000;

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
        let mark = self.mark(user.id).await?;
        let traits = &arrival.traits;
        if traits.hops >= HOPS_MAX || traits.seen_marks.len() >= HOPS_MAX {
            return refuse(user, "hops");
        }
        if traits.seen_marks.contains(&mark) {
            return refuse(user, "loop");
        }
        match self.count_forwards(user, targets.len()).await {
            Err(Error::Throttled { .. }) => return refuse(user, "limit"),
            counted => counted?,
        }
        let via = |target: &ForwardTarget| match target.kind {
            TargetKind::Mail => Some((EmailAddress::new(&target.value).ok()?, None)),
            TargetKind::Relay | TargetKind::Http => {
                Some((recipient.path.address.clone(), Some(target.clone())))
            }
        };
        let received =
            trace::received(arrival.transaction, &recipient.path, &self.hostname, arrival.now);
        let mut lines = format!("X-Eider-Seen: {mark}\r\n{received}").into_bytes();
        lines.extend_from_slice(&arrival.lines);
        let letter = Letter {
            queue_id,
            user: Some(user.id),
            reason: Reason::Forward,
            sender: arrival.transaction.reverse_path.clone(),
            prepared: arrival.prepared.clone(),
            lines,
            due_ms: arrival.now,
            recipients: targets.iter().filter_map(via).collect(),
        };
        self.send(letter).await.map(|_| ())
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
        self.count_forwards(&user, targets.len()).await?;
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
            TargetKind::Mail => Some((EmailAddress::new(&target.value).ok()?, None)),
            TargetKind::Relay | TargetKind::Http => Some((own.clone()?, Some(target.clone()))),
        };
        let mut lines = format!("X-Eider-Seen: {}\r\n", self.mark(user.id).await?).into_bytes();
        let kept = header::without(prefix, &["return-path", "delivered-to"]);
        lines.extend_from_slice(kept.as_deref().unwrap_or(prefix));
        let letter = Letter {
            queue_id: new_id(),
            user: Some(user.id),
            reason: Reason::Forward,
            sender,
            prepared: self.mailstore.prepare(content).await?,
            lines,
            due_ms: self.clock.now_ms(),
            recipients: targets.iter().filter_map(via).collect(),
        };
        self.send(letter).await
    }

    /// Counts against the user's limit of 24 hours, shared by all nodes.
    async fn count_forwards(&self, user: &User, count: usize) -> Result<()> {
        let max = match user.rules.forwards_max {
            0 => self.forwards_max().await?,
            max => max,
        };
        let (key, by) = (format!("forward:{}", user.id), u64::try_from(count).unwrap_or(1));
        let now = self.clock.now_ms();
        rate_limits::count_below(&self.storage, &key, by, max, now, DAY_MS).await
    }
}

#[expect(clippy::unnecessary_wraps, reason = "what its callers return")]
fn refuse(user: &User, why: &'static str) -> Result<()> {
    metrics::counter!("eider_forwards_refused_total", "reason" => why).increment(1);
    tracing::warn!(user.id = %user.id, why, "a message is not forwarded");
    Ok(())
}
