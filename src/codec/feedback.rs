//! Complaints about messages: the second part of a feedback report (RFC 5965 §3).

use super::mime::header::{fields, unfold};

/// What a complaint says.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Feedback {
    /// Feedback-Type, lowercase: `abuse`, `fraud`, `virus`, `not-spam`, `other`.
    pub kind: String,
    /// Original-Rcpt-To, without brackets: who complains; many do not say.
    pub recipients: Vec<String>,
}

/// Reads the part, recipients at most `max`. `None`: it has no type, which it must (RFC 5965 §3.1).
pub fn parse(part: &[u8], max: usize) -> Option<Feedback> {
    let mut feedback = Feedback::default();
    for field in fields(part) {
        let value = String::from_utf8_lossy(&unfold(field.value)).trim().to_owned();
        if field.name.eq_ignore_ascii_case(b"feedback-type") {
            feedback.kind = value.to_ascii_lowercase();
        } else if field.name.eq_ignore_ascii_case(b"original-rcpt-to")
            && feedback.recipients.len() < max
        {
            // some write `rfc822;` in front, as delivery reports do
            let address = value.rsplit(';').next().unwrap_or_default();
            feedback.recipients.push(address.trim().trim_matches(['<', '>']).to_owned());
        }
    }
    (!feedback.kind.is_empty()).then_some(feedback)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfc_are_read() {
        // RFC 5965 Appendix B.1 and B.2
        let short = b"Feedback-Type: abuse\r\nUser-Agent: SomeGenerator/1.0\r\nVersion: 1\r\n";
        let expected = Feedback { kind: "abuse".into(), recipients: Vec::new() };
        assert_eq!(parse(short, 5), Some(expected));
        let full = b"Feedback-Type: Abuse\r\nVersion: 1\r\nOriginal-Mail-From: <a@b.example>\r\n\
            Original-Rcpt-To: <user@example.com>\r\nOriginal-Rcpt-To: rfc822;\r\n two@example.com\r\n\
            Source-IP: 192.0.2.1\r\n";
        let read = parse(full, 5).unwrap();
        assert_eq!((read.kind.as_str(), read.recipients.len()), ("abuse", 2));
        assert_eq!(read.recipients, ["user@example.com", "two@example.com"]);
        assert_eq!(parse(full, 1).unwrap().recipients.len(), 1);
        assert_eq!(parse(b"Version: 1\r\n", 5), None);
        assert_eq!(parse(b"\xff\r\n:\r\nFeedback-Type", 5), None);
    }
}
