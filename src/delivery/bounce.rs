//! Reports to senders (RFC 3464): what became of their messages.
//!
//! They come from the null path, so that nothing reports about a report; and a message from the null
//! path has nobody to tell: that is logged and counted (RFC 5321 §4.5.5).

use super::Delivery;
use super::send::{Addressed, Letter};
use super::settle::Settled;
use super::trace;
use crate::codec::dsn::{self, Action, Report, ReportedRecipient};
use crate::model::address::EmailAddress;
use crate::model::dsn::{MessageOptions, Return};
use crate::model::error::{Error, Result};
use crate::model::queue::{Entry, Reason};
use crate::model::structure::ByteRange;
use crate::storage::field::new_id;

/// Octets of the largest message that is returned whole; of others, the header (RFC 3461 §4.3).
const RETURNED_OCTETS_MAX: u64 = 1024 * 1024;
/// Octets of the largest header that is returned.
const HEADER_OCTETS_MAX: u64 = 64 * 1024;

impl Delivery {
    /// Queues a report about entries of one message.
    ///
    /// # Errors
    /// `Unavailable`; nothing is queued then.
    pub(super) async fn report(&self, action: Action, about: &[&Settled]) -> Result<()> {
        let Some(first) = about.first() else { return Ok(()) };
        let entry = &first.tried.entry;
        let Ok(sender) = EmailAddress::new(&entry.sender) else {
            metrics::counter!("eider_reports_to_nobody_total", "action" => action.name())
                .increment(1);
            tracing::info!(queue.id = %entry.queue_id, action = action.name(), "nobody to tell");
            return Ok(());
        };
        // RFC 3461 §4.3: only reports of failures may have it whole
        let is_whole = action == Action::Failed
            && entry.options.ret == Some(Return::Full)
            && !entry.options.requires_tls
            && entry.content_octets <= RETURNED_OCTETS_MAX;
        let original = self.original(entry, is_whole).await?;
        let recipients: Vec<ReportedRecipient> = about.iter().map(|it| reported(it)).collect();
        let queue_id = new_id();
        let now = self.clock.now_ms();
        let until = match action {
            Action::Delayed => Some(self.queue.schedule().await?.gives_up(entry.tries, now)),
            _ => None,
        };
        let message = dsn::build(&Report {
            host: &self.hostname,
            to: &sender.to_string(),
            action,
            message_id: &format!("<{queue_id}.report@{}>", self.hostname),
            boundary: &format!("=_{queue_id}"),
            date: &trace::date(now),
            arrived: &trace::date(entry.created_ms),
            retried_until: until.map(trace::date).as_deref(),
            envelope_id: entry.options.envelope_id.as_deref(),
            recipients: &recipients,
            original: &original,
            is_header_only: !is_whole,
        });
        let letter = Letter {
            queue_id,
            trace: entry.trace,
            user: None,
            forwarder: None,
            reason: Reason::Bounce,
            sender: None,
            prepared: self.mailstore.prepare(message.into()).await?,
            lines: Vec::new(),
            options: MessageOptions {
                is_utf8: !sender.local().is_ascii(),
                // RFC 8689 §5: what must not be read on the way is not on the way back, either
                requires_tls: entry.options.requires_tls,
                ..Default::default()
            },
            due_ms: now,
            recipients: vec![Addressed::new(sender, None)],
        };
        metrics::counter!("eider_reports_total", "action" => action.name()).increment(1);
        // reporting to one of ours delivers, and delivering may report
        Box::pin(self.send(letter)).await.map(|_| ())
    }

    async fn original(&self, entry: &Entry, is_whole: bool) -> Result<Vec<u8>> {
        let octets = if is_whole { entry.content_octets } else { HEADER_OCTETS_MAX };
        let range = ByteRange { start: 0, end: octets.min(entry.content_octets) };
        let content = match self.queue.load_octets(entry, range).await {
            Ok(content) => content,
            // a report without it is better than none
            Err(Error::NotFound { .. }) => return Ok(entry.prefix.clone()),
            Err(error) => return Err(error),
        };
        let kept = if is_whole { &content } else { dsn::header_of(&content) };
        Ok([entry.prefix.as_slice(), kept].concat())
    }
}

fn reported(settled: &Settled) -> ReportedRecipient {
    let tried = &settled.tried;
    ReportedRecipient {
        address: tried.entry.recipient.clone(),
        original: tried.entry.dsn.original.clone(),
        status: tried.status,
        remote_host: Some(tried.host.clone()).filter(|host| !host.is_empty()),
        diagnostic: tried.reply.clone(),
        is_reply: tried.is_reply,
    }
}
