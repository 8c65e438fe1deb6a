//! Reports of other servers about messages of ours: that they did not arrive after all (RFC 3464), or
//! that somebody complained (RFC 5965).
//!
//! A report goes to its mailbox like any message. Beside that, in the background, it is attributed to
//! the message it is about by the header it returns: our queue id in Received, or the Message-ID. What
//! it says is told in that message's story, and the recipient goes on the sender's suppression list.
//! A report that names no message which was queued for that recipient says nothing to us: anybody
//! can write one.

use super::Delivery;
use super::suppression::NewSuppression;
use crate::codec::dsn::{self, Action};
use crate::codec::feedback;
use crate::codec::mime::header::{fields, unfold};
use crate::codec::mime::text::decode_body;
use crate::codec::smtp::enhanced_status::EnhancedStatus;
use crate::mailstore::append::Prepared;
use crate::model::address::EmailAddress;
use crate::model::error::Result;
use crate::model::queue::QueueId;
use crate::model::structure::{ByteRange, Part};
use crate::model::suppression::Cause;
use crate::model::trace::{Detail, Event, Happening, Search, SearchKey};
use crate::model::transaction::MailTransaction;

/// Octets of a report's part that are read.
const PART_OCTETS_MAX: usize = 64 * 1024;
/// Recipients of one report that are looked at.
const RECIPIENTS_MAX: usize = 50;
/// Entries of one message that are looked through for a recipient.
const QUEUED_MAX: usize = 1000;

/// What a report says of one recipient.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Said {
    /// The recipient, as the message was sent to him; `None`: it does not say.
    recipients: Vec<String>,
    what: Happening,
    result: String,
    reply: String,
    /// Nothing shall be sent to him any more.
    suppress: Option<Cause>,
}

/// A report, and the names it gives for the message it is about.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Incoming {
    names: Vec<SearchKey>,
    said: Vec<Said>,
}

impl Delivery {
    /// Looks whether a message that arrived is a report, and acts upon it in the background.
    pub(super) fn note_report(&self, transaction: &MailTransaction, prepared: &Prepared) {
        let is_null_path = transaction.reverse_path.is_none();
        let Some(report) = read(prepared, &self.hostname, is_null_path) else { return };
        let delivery = self.clone();
        self.mailstore.tasks().spawn("report", async move {
            if let Err(error) = delivery.act_upon(report).await {
                tracing::warn!(%error, "a report about a message of ours is not attributed");
            }
        });
    }

    async fn act_upon(&self, report: Incoming) -> Result<()> {
        let mut queued = Vec::new();
        for name in report.names {
            let (keys, what) = (vec![name], vec![Happening::Queued]);
            let search = Search { keys, what, ..Search::default() };
            queued = self.trace().search(&search, QUEUED_MAX).await?;
            if !queued.is_empty() {
                break;
            }
        }
        for said in report.said {
            let is_meant = |event: &Event| {
                let recipient = event.recipient.as_deref().unwrap_or_default();
                said.recipients.iter().any(|one| one.eq_ignore_ascii_case(recipient))
                    || (said.recipients.is_empty() && queued.len() == 1)
            };
            let meant = queued.iter().map(|recorded| &recorded.event).find(|event| is_meant(event));
            let attributed = if meant.is_some() { "yes" } else { "no" };
            metrics::counter!("eider_reports_received_total",
                "what" => said.what.name(), "attributed" => attributed)
            .increment(1);
            if let Some(event) = meant {
                self.note_said(event, &said).await?;
            }
        }
        Ok(())
    }

    async fn note_said(&self, queued: &Event, said: &Said) -> Result<()> {
        let event = Event { what: said.what, details: Vec::new(), ..queued.clone() };
        self.trace()
            .record(event.with(Detail::Result, &said.result).with(Detail::Reply, &said.reply));
        let (Some(cause), Some(user), Some(recipient)) =
            (said.suppress, queued.user, &queued.recipient)
        else {
            return Ok(());
        };
        let days = self.suppression_days();
        let Ok(address) = EmailAddress::new(recipient) else { return Ok(()) };
        if days > 0 {
            let (user, trace, reason) = (Some(user), Some(queued.trace), said.reply.clone());
            let new = NewSuppression { user, address, cause, reason, trace, days };
            self.suppress(new).await?;
        }
        Ok(())
    }
}

/// Whether a failure says that there is no such address (RFC 3463 §3.2), and not that the sender's is
/// bad.
pub(super) const fn is_no_address(status: EnhancedStatus) -> bool {
    status.class == 5 && status.subject == 1 && matches!(status.detail, 1 | 2 | 3 | 6 | 10)
}

fn octets<'a>(content: &'a [u8], range: &ByteRange) -> &'a [u8] {
    let end = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
    content.get(end(range.start)..end(range.end)).unwrap_or_default()
}

/// A part's body, decoded, cut to the bound.
fn body(content: &[u8], part: &Part) -> Vec<u8> {
    let encoded = octets(content, &part.body);
    decode_body(&part.encoding, encoded.get(..PART_OCTETS_MAX).unwrap_or(encoded))
}

fn read(prepared: &Prepared, hostname: &str, is_null_path: bool) -> Option<Incoming> {
    let root = &prepared.structure.root;
    // RFC 6522 §3
    if root.media_type != "multipart" || root.media_subtype != "report" {
        return None;
    }
    let content = &prepared.content;
    let part = |names: &[&str]| {
        root.children.iter().find(|part| names.contains(&part.media_subtype.as_str()))
    };
    let mut said = Vec::new();
    // RFC 3464 §2: from the null path; a person who forwards one reports nothing
    if let Some(status) =
        part(&["delivery-status", "global-delivery-status"]).filter(|_| is_null_path)
    {
        let text = String::from_utf8_lossy(&body(content, status)).into_owned();
        said = of_status(&text);
    } else if let Some(report) = part(&["feedback-report"]) {
        said.extend(feedback::parse(&body(content, report), RECIPIENTS_MAX).map(of_feedback));
    }
    if said.is_empty() {
        return None;
    }
    let returned = part(&["rfc822", "global", "rfc822-headers", "global-headers"])?;
    let header = match returned.children.first() {
        Some(message) => octets(content, &message.header).to_vec(),
        None => body(content, returned),
    };
    let header = header.get(..PART_OCTETS_MAX).unwrap_or(&header);
    Some(Incoming { names: names(header, hostname), said })
}

fn of_status(text: &str) -> Vec<Said> {
    let (_, reported) = dsn::parse_status(text, RECIPIENTS_MAX);
    let failures = reported.into_iter().filter(|it| it.action == Action::Failed);
    let said = failures.map(|it| Said {
        recipients: it.original.into_iter().chain([it.address]).collect(),
        what: Happening::BounceReceived,
        result: it.status.map(|status| status.to_string()).unwrap_or_default(),
        reply: it.diagnostic,
        suppress: it.status.filter(|status| is_no_address(*status)).map(|_| Cause::Bounce),
    });
    said.collect()
}

fn of_feedback(feedback: feedback::Feedback) -> Said {
    // RFC 6650 §6: `not-spam` is the opposite of a complaint
    let is_complaint = feedback.kind != "not-spam";
    Said {
        recipients: feedback.recipients,
        what: Happening::Complaint,
        result: feedback.kind,
        reply: String::new(),
        suppress: is_complaint.then_some(Cause::Complaint),
    }
}

/// The names of the message whose header came back: queue ids in Received fields of ours, the
/// Message-ID.
fn names(header: &[u8], hostname: &str) -> Vec<SearchKey> {
    let mut names = Vec::new();
    for field in fields(header) {
        let value = String::from_utf8_lossy(&unfold(field.value)).into_owned();
        if field.name.eq_ignore_ascii_case(b"received") {
            names.splice(0..0, queue_id(&value, hostname).map(SearchKey::queue_id));
        } else if field.name.eq_ignore_ascii_case(b"message-id") {
            names.push(SearchKey::message_id(value.trim()));
        }
    }
    names.truncate(8);
    names
}

/// RFC 5321 §4.4: `by host … id name`.
fn queue_id(received: &str, hostname: &str) -> Option<QueueId> {
    let mut words = received.split([' ', '\t', ';']).filter(|word| !word.is_empty());
    words.find(|word| word.eq_ignore_ascii_case("by"))?;
    words.next().filter(|host| host.eq_ignore_ascii_case(hostname))?;
    words.find(|word| word.eq_ignore_ascii_case("id"))?;
    let id = words.next()?;
    id.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_queue_ids_are_found_and_nobody_elses() {
        let id = "0123456789abcdef01234567";
        let ours = format!("by mx.a.example (Eider) with HTTP id {id}.001; Tue, 1 Jan 2030");
        assert_eq!(queue_id(&ours, "MX.a.example"), id.parse().ok());
        assert_eq!(queue_id(&ours, "mx.b.example"), None);
        assert_eq!(queue_id("by mx.a.example id short", "mx.a.example"), None);
        let header = format!("Message-ID: <1@x>\r\nReceived: {ours}\r\n");
        let expected = [SearchKey::queue_id(id.parse().unwrap()), SearchKey::message_id("<1@x>")];
        assert_eq!(names(header.as_bytes(), "mx.a.example"), expected);
    }

    #[test]
    fn only_recipients_that_do_not_exist_are_suppressed() {
        let status = |detail| EnhancedStatus::new(5, 1, detail);
        assert!(is_no_address(status(1)) && is_no_address(status(10)));
        assert!(!is_no_address(status(8)), "the sender's address");
        assert!(!is_no_address(EnhancedStatus::new(4, 1, 1)));
        assert!(!is_no_address(EnhancedStatus::new(5, 2, 2)));
    }

    #[test]
    fn failures_are_read_and_delays_are_not() {
        let text = "Reporting-MTA: dns; mx\n\nFinal-Recipient: rfc822; a@b.example\n\
            Action: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 unknown\n\n\
            Final-Recipient: rfc822; c@b.example\nAction: delayed\nStatus: 4.4.7\n\n\
            Final-Recipient: rfc822; d@b.example\nOriginal-Recipient: rfc822;e@b.example\n\
            Action: failed\nStatus: 5.2.2\n";
        let said = of_status(text);
        assert_eq!(said.len(), 2, "{said:?}");
        assert_eq!((said[0].suppress, said[1].suppress), (Some(Cause::Bounce), None));
        assert_eq!(said[1].recipients, ["e@b.example", "d@b.example"]);
        assert_eq!(said[0].reply, "550 5.1.1 unknown");
    }
}
