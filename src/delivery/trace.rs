//! Trace fields in front of a delivered message (RFC 5321 §4.4), and loop detection (§6.3).

use crate::model::limits::RECEIVED_MAX;
use crate::model::message::TimeMs;
use crate::model::transaction::{ForwardPath, MailTransaction};
use jiff::Timestamp;
use memchr::memmem;
use std::net::IpAddr;

/// The lines put in front of the message for one recipient, each ended by CRLF.
pub fn prefix(
    transaction: &MailTransaction,
    recipient: &ForwardPath,
    hostname: &str,
    now: TimeMs,
) -> String {
    // RFC 5321 §4.4: final delivery inserts Return-Path at the beginning, and a Received line
    let reverse_path =
        transaction.reverse_path.as_ref().map(ToString::to_string).unwrap_or_default();
    let received = received(transaction, Some(recipient), hostname, now);
    let address = &recipient.address;
    format!("Return-Path: <{reverse_path}>\r\nDelivered-To: {address}\r\n{received}")
}

/// The Received line of a message that came to this recipient, or to several, who need not know of
/// each other (RFC 5321 §7.6), ended by CRLF.
pub fn received(
    transaction: &MailTransaction,
    recipient: Option<&ForwardPath>,
    hostname: &str,
    now: TimeMs,
) -> String {
    let whom = recipient.map(|recipient| format!("\r\n\tfor <{}>", recipient.address));
    let MailTransaction { helo, peer, with, session, .. } = transaction;
    format!(
        "Received: from {helo} ({peer})\r\n\
         \tby {hostname} with {with} id {session}{whom};\r\n\
         \t{date}\r\n",
        whom = whom.unwrap_or_default(),
        helo = safe_name(helo),
        peer = address_literal(*peer),
        date = date(now),
    )
}

/// The Received line of a message that a user submitted, ended by CRLF. It does not tell his address.
pub fn submitted(hostname: &str, with: &str, id: &str, now: TimeMs) -> String {
    format!("Received: by {hostname} with {with} id {id};\r\n\t{}\r\n", date(now))
}

/// Whether the message has passed so many hosts that it must be going in circles.
pub fn is_looping(content: &[u8]) -> bool {
    count_received(content) >= RECEIVED_MAX
}

/// Received fields in the header of a message.
fn count_received(content: &[u8]) -> usize {
    let mut count = 0;
    let mut rest = content;
    loop {
        let (line, after) = match memmem::find(rest, b"\n") {
            Some(end) => rest.split_at(end + 1),
            None => (rest, &[][..]),
        };
        if matches!(line, b"" | b"\n" | b"\r\n") {
            return count;
        }
        let name = line.get(..9).unwrap_or_default();
        count += usize::from(name.eq_ignore_ascii_case(b"Received:"));
        rest = after;
    }
}

/// `address-literal` (RFC 5321 §4.1.3)
fn address_literal(peer: IpAddr) -> String {
    match peer {
        IpAddr::V4(address) => format!("[{address}]"),
        IpAddr::V6(address) => format!("[IPv6:{address}]"),
    }
}

/// The client's name is its own claim: nothing in it may break the structure of the line.
fn safe_name(name: &str) -> String {
    let safe = |c: char| if c.is_alphanumeric() || "-._:[]".contains(c) { c } else { '?' };
    if name.is_empty() { "unknown".to_owned() } else { name.chars().map(safe).collect() }
}

/// `date-time` (RFC 5322 §3.3) in UTC.
pub fn date(now: TimeMs) -> String {
    let timestamp = Timestamp::from_millisecond(now).unwrap_or(Timestamp::UNIX_EPOCH);
    timestamp.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::address::EmailAddress;
    use crate::model::dsn::MessageOptions;
    use crate::model::id::ObjectId;

    #[test]
    fn prefix_of_a_delivery() {
        let transaction = MailTransaction {
            reverse_path: Some(EmailAddress::new("from@a.example").unwrap()),
            helo: "mx (evil)\r\n".to_owned(),
            peer: "2001:db8::1".parse().unwrap(),
            with: "LMTPS",
            session: "0a1b".to_owned(),
            trace: ObjectId::from_octets([7; 12]),
            options: MessageOptions::default(),
            lines: Vec::new(),
        };
        let recipient = ForwardPath::new(EmailAddress::new("to@b.example").unwrap());
        let expected = "Return-Path: <from@a.example>\r\nDelivered-To: to@b.example\r\n\
            Received: from mx??evil??? ([IPv6:2001:db8::1])\r\n\
            \tby store.example with LMTPS id 0a1b\r\n\tfor <to@b.example>;\r\n\
            \tTue, 23 Feb 2021 05:06:07 +0000\r\n";
        let made = prefix(&transaction, &recipient, "store.example", 1_614_056_767_891);
        assert_eq!(made, expected);
        let bounce = MailTransaction { reverse_path: None, ..transaction };
        assert!(prefix(&bounce, &recipient, "h", 0).starts_with("Return-Path: <>\r\n"));
    }

    #[test]
    fn received_fields_are_counted_in_the_header_only() {
        let message = b"Received: a\r\n\tb\r\nreceived: c\r\nX-Received: d\r\n\r\nReceived: e\r\n";
        assert_eq!(count_received(message), 2);
        assert_eq!(count_received(b""), 0);
        assert_eq!(count_received(b"Received:"), 1);
        assert!(is_looping(&b"Received: x\r\n".repeat(RECEIVED_MAX)));
    }
}
