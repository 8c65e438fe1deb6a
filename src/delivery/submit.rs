//! A message a user sends: fixed up, counted, sent, and copied to his own mailbox (RFC 6409).

use super::Delivery;
use super::audit::Audited;
use super::send::{Addressed, Letter};
use super::sender::USER_DISABLED;
use super::trace;
use crate::codec::mime::header;
use crate::mailstore::append::{Appended, NewMessage, Prepared};
use crate::model::dsn::MessageOptions;
use crate::model::error::{Error, Result};
use crate::model::flag::FlagSet;
use crate::model::id::{MailboxId, UserId};
use crate::model::message::TimeMs;
use crate::model::queue::{QueueId, Reason};
use crate::model::transaction::{ForwardPath, ReversePath};
use crate::model::user::User;
use crate::storage::field::new_id;
use crate::storage::{rate_limits, users};
use bytes::Bytes;
use serde_json::{Map, Value, json};

/// The window of the limit on recipients.
const DAY_MS: TimeMs = 24 * 60 * 60 * 1000;

/// A message a user sends.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Who sends it.
    pub user: UserId,
    /// Reverse-path; null for what nobody is to be told about (RFC 8098 §2.1).
    pub sender: ReversePath,
    /// The protocol it came by, for Received.
    pub with: &'static str,
    /// Forward-paths, each once.
    pub recipients: Vec<ForwardPath>,
    /// What the sender asked for.
    pub options: MessageOptions,
    /// The message as he wrote it; Bcc is removed before it is sent.
    pub content: Bytes,
    /// Not before; `None`: at once.
    pub due_ms: Option<TimeMs>,
    /// Where a copy is kept.
    pub copy: Option<Copy>,
}

/// The copy of a sent message.
#[derive(Clone, Debug)]
pub struct Copy {
    /// Where.
    pub mailbox: MailboxId,
    /// Its flags.
    pub flags: FlagSet,
    /// JSON text of the API caller.
    pub meta: Option<String>,
    /// Further keys of `delivery::info`.
    pub info: Map<String, Value>,
}

/// A message that was sent.
#[derive(Debug)]
pub struct Submitted {
    /// Its name in the queue.
    pub queue_id: QueueId,
    /// The copy, if one was wanted: where it is, or why it is not. The message is sent in any case.
    pub copy: Option<Result<Appended>>,
}

impl Delivery {
    /// Sends a message, then stores its copy. What it costs is in `send` and the mail store's
    /// `append`.
    ///
    /// # Errors
    /// `NotFound` user, `Forbidden` for disabled ones, `LimitReached` recipients of a message,
    /// `Throttled` recipients of a day, `TooLarge`, `Unavailable`; nothing is sent then.
    pub async fn submit(&self, submission: Submission) -> Result<Submitted> {
        let user = users::load(&self.storage, submission.user).await?.profile.user;
        if user.disabled || user.suspended {
            return Err(Error::Forbidden { reason: USER_DISABLED });
        }
        let recipients_max = self.message_recipients_max().await?;
        if submission.recipients.len() > recipients_max {
            return Err(Error::LimitReached { limit: format!("{recipients_max} recipients") });
        }
        let prepared = self.mailstore.prepare(submission.content.clone()).await?;
        let sent = match without_bcc(&submission.content) {
            Some(content) => self.mailstore.prepare(content).await?,
            None => prepared.clone(),
        };
        let queue_id = new_id();
        let key = format!("recipients:{}", user.id);
        let count = u64::try_from(submission.recipients.len()).unwrap_or(u64::MAX);
        self.count_recipients(&user, &key, count).await?;
        let letter = self.letter(&user, &submission, sent, queue_id);
        self.tell_submitted(&letter);
        if let Err(error) = self.send(letter).await {
            rate_limits::take_back(&self.storage, &key, count).await?;
            return Err(error);
        }
        self.note_recipients(user.id, submission.recipients.iter().map(|to| &to.address));
        tracing::info!(user.id = %user.id, queue.id = %queue_id, count, "message submitted");
        let copy = match &submission.copy {
            Some(copy) => Some(self.store_copy(&submission, copy, &prepared, queue_id).await),
            None => None,
        };
        if user.rules.audited_until_ms >= self.clock.now_ms() {
            let stored = match (&copy, &submission.copy) {
                (Some(Ok(appended)), Some(wanted)) => Some((appended.id, wanted.mailbox)),
                _ => None,
            };
            let audited = Audited {
                user: user.id,
                stored,
                prepared: &prepared,
                prefix: &[],
                is_draft: false,
            };
            // it is sent: to say otherwise would send it twice
            if let Err(error) = self.audit(&audited).await {
                tracing::error!(user.id = %user.id, %error, "a sent message is in no audit");
            }
        }
        Ok(Submitted { queue_id, copy })
    }

    fn letter(
        &self,
        user: &User,
        submission: &Submission,
        prepared: Prepared,
        queue_id: QueueId,
    ) -> Letter {
        let now = self.clock.now_ms();
        let relay = user.rules.relay.as_ref();
        let recipients = submission.recipients.iter().map(|to| Addressed {
            address: to.address.clone(),
            via: relay.cloned(),
            dsn: to.dsn.clone(),
        });
        Letter {
            queue_id,
            trace: queue_id,
            user: Some(user.id),
            forwarder: None,
            reason: Reason::Submit,
            sender: submission.sender.clone(),
            prepared,
            // RFC 6409 §4.3, RFC 5321 §4.4: who takes a message says so
            lines: trace::submitted(&self.hostname, submission.with, &queue_id.to_string(), now)
                .into_bytes(),
            options: submission.options.clone(),
            due_ms: submission.due_ms.unwrap_or(now),
            recipients: recipients.collect(),
        }
    }

    /// Counts against the user's limit of 24 hours, shared by all nodes.
    async fn count_recipients(&self, user: &User, key: &str, count: u64) -> Result<()> {
        let max = match user.rules.recipients_max {
            0 => self.recipients_max().await?,
            max => max,
        };
        let now = self.clock.now_ms();
        // all of a message's recipients are within the limit, or none is counted
        let below = max.saturating_add(1).saturating_sub(count);
        rate_limits::count_below(&self.storage, key, count, below, now, DAY_MS).await
    }

    async fn store_copy(
        &self,
        submission: &Submission,
        copy: &Copy,
        prepared: &Prepared,
        queue_id: QueueId,
    ) -> Result<Appended> {
        let to: Vec<String> =
            submission.recipients.iter().map(|to| to.address.to_string()).collect();
        let from = submission.sender.as_ref().map(ToString::to_string).unwrap_or_default();
        let source = if submission.with == "HTTP" { "API" } else { "SMTP" };
        let own = json!({
            "source": source,
            "from": from,
            "to": to,
            "queueId": queue_id.to_string(),
            "outbound": [queue_id.to_string()],
        });
        let mut info = copy.info.clone();
        info.extend(own.as_object().cloned().unwrap_or_default());
        let message = NewMessage {
            prepared: prepared.clone(),
            prefix: Bytes::new(),
            flags: copy.flags.clone(),
            internal_date: self.clock.now_ms(),
            meta: copy.meta.clone(),
            info: Some(Value::Object(info).to_string()),
        };
        let place = (submission.user, copy.mailbox);
        let message = self.mailstore.encrypted_in(place, message).await?;
        let appended = self.mailstore.append(submission.user, copy.mailbox, vec![message]).await?;
        let missing = Error::Internal { reason: "an append without result", source: None };
        appended.into_iter().next().ok_or(missing)
    }
}

/// The message without Bcc, for those who are not to see it (RFC 5322 §3.6.3); `None`: it has none.
fn without_bcc(content: &Bytes) -> Option<Bytes> {
    header::without(content, &["bcc", "resent-bcc"]).map(Bytes::from)
}

/// The message as RFC 6409 §8 wants it: what it lacks of From, Date and Message-ID is put in front.
pub fn completed(content: Bytes, from: Option<&str>, now: TimeMs, message_id: &str) -> Bytes {
    let mut whole = Vec::new();
    if let Some(from) = from {
        whole.extend_from_slice(format!("From: <{from}>\r\n").as_bytes());
    }
    let lacks = |name: &str| header::first(&content, name).is_none();
    if lacks("date") {
        whole.extend_from_slice(format!("Date: {}\r\n", trace::date(now)).as_bytes());
    }
    if lacks("message-id") {
        whole.extend_from_slice(format!("Message-ID: <{message_id}>\r\n").as_bytes());
    }
    if whole.is_empty() {
        return content;
    }
    // A text that does not begin with a field would lose its first line to the header.
    if header::fields(&content).next().is_some_and(|field| field.name.is_empty()) {
        whole.extend_from_slice(b"\r\n");
    }
    whole.extend_from_slice(&content);
    whole.into()
}

/// The message with this Date instead of its own, for a draft that is sent now.
///
/// A draft without Message-ID gets one.
pub fn redated(content: &Bytes, now: TimeMs, message_id: &str) -> Bytes {
    let rest = header::without(content, &["date"]);
    let rest = rest.as_deref().unwrap_or(content);
    let mut whole = format!("Date: {}\r\n", trace::date(now)).into_bytes();
    if header::first(rest, "message-id").is_none() {
        whole.extend_from_slice(format!("Message-ID: <{message_id}>\r\n").as_bytes());
    }
    whole.extend_from_slice(rest);
    whole.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drafts_get_a_date_and_lose_nothing_else() {
        let draft =
            Bytes::from_static(b"A: 1\r\nDATE: old\r\n folded\r\nB: 2\r\n\r\nDate: body\r\n");
        let dated = redated(&draft, 1_614_056_767_891, "x@y");
        let expected = "Date: Tue, 23 Feb 2021 05:06:07 +0000\r\nMessage-ID: <x@y>\r\n\
            A: 1\r\nB: 2\r\n\r\nDate: body\r\n";
        assert_eq!(dated, expected);
        let again = redated(&dated, 0, "z@y");
        assert!(!String::from_utf8_lossy(&again).contains("z@y"));
    }

    #[test]
    fn what_is_missing_is_added() {
        let whole = |text: &'static str, from| {
            let whole =
                completed(Bytes::from_static(text.as_bytes()), from, 1_614_056_767_891, "x@y");
            String::from_utf8(whole.to_vec()).unwrap()
        };
        let date = "Date: Tue, 23 Feb 2021 05:06:07 +0000\r\n";
        let complete = "date: a\r\nMESSAGE-ID: b\r\n\r\nc\r\n";
        assert_eq!(whole(complete, None), complete);
        let expected =
            format!("From: <a@b>\r\n{date}Message-ID: <x@y>\r\nTo: c\r\n\r\nDate: d\r\n");
        assert_eq!(whole("To: c\r\n\r\nDate: d\r\n", Some("a@b")), expected);
        assert_eq!(whole("hello\r\n", None), format!("{date}Message-ID: <x@y>\r\n\r\nhello\r\n"));
        assert_eq!(whole("", None), format!("{date}Message-ID: <x@y>\r\n"));
    }

    #[test]
    fn bcc_is_removed_from_the_header_only() {
        let with = Bytes::from_static(b"To: a\r\nBcc: b,\r\n c\r\nX: y\r\n\r\nBcc: stays\r\n");
        assert_eq!(without_bcc(&with).unwrap(), "To: a\r\nX: y\r\n\r\nBcc: stays\r\n");
        assert_eq!(without_bcc(&Bytes::from_static(b"To: a\r\n\r\nBcc: stays\r\n")), None);
    }
}
