//! Delivery status notifications (RFC 3464; for addresses in UTF-8, RFC 6533): written and read.

use crate::codec::smtp::enhanced_status::EnhancedStatus;
use std::fmt::Write as _;

/// What became of the message for a recipient (RFC 3464 §2.3.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// It will not arrive.
    Failed,
    /// It has not arrived yet, and is tried again.
    Delayed,
    /// It is in the mailbox.
    Delivered,
    /// It is with a server that will report nothing.
    Relayed,
    /// It went on to several others.
    Expanded,
}

impl Action {
    /// All of them.
    pub const EVERY: [Self; 5] =
        [Self::Failed, Self::Delayed, Self::Delivered, Self::Relayed, Self::Expanded];

    /// Its word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Delivered => "delivered",
            Self::Relayed => "relayed",
            Self::Expanded => "expanded",
        }
    }

    const fn subject(self) -> &'static str {
        match self {
            Self::Failed => "Undelivered Mail Returned to Sender",
            Self::Delayed => "Delayed Mail (still being retried)",
            Self::Delivered | Self::Relayed | Self::Expanded => "Successful Mail Delivery Report",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Failed => "Your message could not be delivered to these recipients:",
            Self::Delayed => {
                "Your message could not be delivered yet to these recipients; it is tried\r\n\
                 again, there is no need to send it once more:"
            }
            Self::Delivered => "Your message was delivered to these recipients:",
            Self::Relayed => {
                "Your message was passed on for these recipients, to servers that do not\r\n\
                 report deliveries:"
            }
            Self::Expanded => "Your message was passed on to several others for these recipients:",
        }
    }
}

/// One recipient of a report.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReportedRecipient {
    /// The forward-path.
    pub address: String,
    /// The recipient the sender named: type and address.
    pub original: Option<(String, String)>,
    /// Why.
    pub status: EnhancedStatus,
    /// The server that spoke, if any.
    pub remote_host: Option<String>,
    /// What it said, or what went wrong.
    pub diagnostic: String,
    /// The words are an SMTP reply.
    pub is_reply: bool,
}

/// A report to be written.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// Who reports: our name.
    pub host: &'a str,
    /// To whom.
    pub to: &'a str,
    /// Of what.
    pub action: Action,
    /// Its own Message-ID, in brackets.
    pub message_id: &'a str,
    /// Cannot be guessed by who wrote the message, which it separates from the rest.
    pub boundary: &'a str,
    /// Dates as header fields have them: now, when the message came, until when it is tried.
    pub date: &'a str,
    /// When the message came.
    pub arrived: &'a str,
    /// Until when it is tried.
    pub retried_until: Option<&'a str>,
    /// The sender's name for the message.
    pub envelope_id: Option<&'a str>,
    /// All with the same action.
    pub recipients: &'a [ReportedRecipient],
    /// The message, or its header.
    pub original: &'a [u8],
    /// `original` is only the header.
    pub is_header_only: bool,
}

/// Writes a report as a message: `multipart/report` (RFC 6522 §3).
pub fn build(report: &Report<'_>) -> Vec<u8> {
    let is_utf8 = !report.to.is_ascii()
        || report.recipients.iter().any(|recipient| !recipient.address.is_ascii())
        || !header_of(report.original).is_ascii();
    let Report { host, to, message_id, boundary, date, .. } = report;
    let subject = report.action.subject();
    let auto = "auto-replied";
    let mut text = format!(
        "From: Mail Delivery System <mailer-daemon@{host}>\r\nTo: <{to}>\r\n\
         Subject: {subject}\r\nDate: {date}\r\nMessage-ID: {message_id}\r\n\
         Auto-Submitted: {auto}\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status;\r\n\
         \tboundary=\"{boundary}\"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    );
    // RFC 6533 §3 and §4: other types where something is in UTF-8
    let (status_type, header_type, message_type) = if is_utf8 {
        ("message/global-delivery-status", "message/global-headers", "message/global")
    } else {
        ("message/delivery-status", "text/rfc822-headers", "message/rfc822")
    };
    let part = |kind: &str| {
        format!("--{boundary}\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n")
    };
    text.push_str(&part("text/plain; charset=utf-8"));
    write_words(report, &mut text);
    text.push_str(&part(status_type));
    write_status(report, is_utf8, &mut text);
    text.push_str(&part(if report.is_header_only { header_type } else { message_type }));
    let mut message = text.into_bytes();
    message.extend_from_slice(report.original);
    if !report.original.ends_with(b"\r\n") {
        message.extend_from_slice(b"\r\n");
    }
    message.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    message
}

/// The first part, for people.
fn write_words(report: &Report<'_>, text: &mut String) {
    let _ = write!(
        text,
        "This is the mail system at {}.\r\n\r\n{}\r\n\r\n",
        report.host,
        report.action.words()
    );
    for recipient in report.recipients {
        let _ = write!(text, "<{}>: {}", recipient.address, line(&recipient.diagnostic));
        if let Some(host) = &recipient.remote_host {
            let _ = write!(text, " (said {host})");
        }
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
}

/// The second part, for programs (RFC 3464 §2.2, §2.3).
fn write_status(report: &Report<'_>, is_utf8: bool, text: &mut String) {
    let _ = write!(text, "Reporting-MTA: dns; {}\r\n", report.host);
    if let Some(id) = report.envelope_id {
        let _ = write!(text, "Original-Envelope-Id: {}\r\n", line(id));
    }
    let _ = write!(text, "Arrival-Date: {}\r\n", report.arrived);
    for recipient in report.recipients {
        text.push_str("\r\n");
        if let Some((kind, address)) = &recipient.original {
            let _ = write!(text, "Original-Recipient: {}; {}\r\n", line(kind), line(address));
        }
        // RFC 6533 §3: the type of addresses that are not ASCII
        let kind = if is_utf8 && !recipient.address.is_ascii() { "utf-8" } else { "rfc822" };
        let _ = write!(
            text,
            "Final-Recipient: {kind}; {}\r\nAction: {}\r\nStatus: {}\r\n",
            line(&recipient.address),
            report.action.name(),
            recipient.status
        );
        if let Some(host) = &recipient.remote_host {
            let _ = write!(text, "Remote-MTA: dns; {}\r\n", line(host));
        }
        let kind = if recipient.is_reply { "smtp" } else { "x-eider" };
        let _ = write!(text, "Diagnostic-Code: {kind}; {}\r\n", line(&recipient.diagnostic));
        let _ = write!(text, "Last-Attempt-Date: {}\r\n", report.date);
        if let Some(until) = report.retried_until {
            let _ = write!(text, "Will-Retry-Until: {until}\r\n");
        }
    }
    text.push_str("\r\n");
}

/// Text of strangers that must not end its line.
fn line(text: &str) -> String {
    text.chars().take(800).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The header of a message, with the end of its last field.
pub fn header_of(message: &[u8]) -> &[u8] {
    match memchr::memmem::find(message, b"\r\n\r\n") {
        Some(end) => message.get(..end + 2).unwrap_or(message),
        None => message,
    }
}

/// What a report says of one recipient, as it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reported {
    /// The address in Final-Recipient.
    pub address: String,
    /// The address in Original-Recipient.
    pub original: Option<String>,
    /// What became of the message.
    pub action: Action,
    /// Why.
    pub status: Option<EnhancedStatus>,
    /// What the other server said.
    pub diagnostic: String,
}

/// Reads the decoded second part of a report: its envelope id, and what it says of recipients, at
/// most `max`. Groups of fields that cannot be read are passed over.
pub fn parse_status(part: &str, max: usize) -> (Option<String>, Vec<Reported>) {
    let unfolded = part.replace("\r\n", "\n").replace("\n ", " ").replace("\n\t", " ");
    let mut groups = unfolded.split("\n\n").filter(|group| !group.trim().is_empty());
    let about = groups.next().unwrap_or_default();
    let id = field(about, "original-envelope-id").map(str::to_owned);
    (id, groups.filter_map(recipient_of).take(max).collect())
}

fn recipient_of(group: &str) -> Option<Reported> {
    let typed = |name| field(group, name)?.split_once(';').map(|(_, value)| value.trim());
    let action = field(group, "action")?.to_ascii_lowercase();
    Some(Reported {
        address: typed("final-recipient")?.to_owned(),
        original: typed("original-recipient").map(str::to_owned),
        action: Action::EVERY.into_iter().find(|known| known.name() == action)?,
        status: field(group, "status").and_then(parse_code),
        diagnostic: typed("diagnostic-code").unwrap_or_default().to_owned(),
    })
}

fn field<'a>(group: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = group.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(found, _)| found.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// `status-code` (RFC 3463 §2); a comment may follow.
fn parse_code(text: &str) -> Option<EnhancedStatus> {
    let word = text.split([' ', '(']).next()?;
    let mut numbers = word.split('.');
    let class = numbers.next()?.parse().ok().filter(|class| matches!(class, 2 | 4 | 5))?;
    let status =
        EnhancedStatus::new(class, numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
    numbers.next().is_none().then_some(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipient(address: &str) -> ReportedRecipient {
        ReportedRecipient {
            address: address.to_owned(),
            original: Some(("rfc822".to_owned(), "first@b.example".to_owned())),
            status: EnhancedStatus::new(5, 1, 1),
            remote_host: Some("mx.b.example".to_owned()),
            diagnostic: "550 5.1.1 no such\r\nSubject: user".to_owned(),
            is_reply: true,
        }
    }

    fn report<'a>(recipients: &'a [ReportedRecipient], original: &'a [u8]) -> Report<'a> {
        Report {
            host: "store.example",
            to: "me@a.example",
            action: Action::Failed,
            message_id: "<1@store.example>",
            boundary: "=_1",
            date: "Tue, 23 Feb 2021 05:06:07 +0000",
            arrived: "Mon, 22 Feb 2021 05:06:07 +0000",
            retried_until: None,
            envelope_id: Some("id 1"),
            recipients,
            original,
            is_header_only: true,
        }
    }

    #[test]
    fn a_report_has_three_parts_and_is_read_again() {
        let recipients = [recipient("a@b.example")];
        let text = String::from_utf8(build(&report(&recipients, b"Subject: x\r\n"))).unwrap();
        assert!(text.contains("Content-Type: multipart/report; report-type=delivery-status;"));
        assert!(text.contains("\r\n\r\nSubject: x\r\n\r\n--=_1--\r\n"), "{text}");
        let start = text.find("Reporting-MTA").unwrap();
        let part = text[start..].split("--=_1").next().unwrap();
        assert!(!part.contains("\r\nSubject"), "words of others end no line");
        let (id, read) = parse_status(part, 10);
        assert_eq!(id.as_deref(), Some("id 1"));
        let expected = Reported {
            address: "a@b.example".to_owned(),
            original: Some("first@b.example".to_owned()),
            action: Action::Failed,
            status: Some(EnhancedStatus::new(5, 1, 1)),
            diagnostic: "550 5.1.1 no such  Subject: user".to_owned(),
        };
        assert_eq!(read, [expected]);
    }

    #[test]
    fn addresses_in_utf8_have_their_own_types() {
        let recipients = [recipient("é@b.example")];
        let text = String::from_utf8(build(&report(&recipients, b"Subject: x\r\n"))).unwrap();
        assert!(text.contains("message/global-delivery-status"));
        assert!(text.contains("Final-Recipient: utf-8; é@b.example\r\n"));
        assert!(text.contains("Content-Type: message/global-headers\r\n"));
    }

    #[test]
    fn the_example_of_the_rfc_is_read() {
        // RFC 3464 Appendix E.1
        let part = "Reporting-MTA: dns; cs.utk.edu\n\n\
            Original-Recipient: rfc822;louisl@larry.slip.umd.edu\n\
            Final-Recipient: rfc822;louisl@larry.slip.umd.edu\nAction: failed\nStatus: 4.0.0\n\
            Diagnostic-Code: smtp; 426 connection timed\n out\n\
            Last-Attempt-Date: Thu, 7 Jul 1994 17:15:49 -0400\n\nAction: odd\n\nx\n";
        let (id, read) = parse_status(part, 10);
        assert_eq!((id, read.len()), (None, 1));
        assert_eq!(read[0].status, Some(EnhancedStatus::new(4, 0, 0)));
        assert_eq!(read[0].diagnostic, "426 connection timed out");
        assert!(parse_status(part, 0).1.is_empty() && parse_status("", 9).1.is_empty());
    }
}
