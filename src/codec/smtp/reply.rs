//! Replies (RFC 5321 §4.2), with enhanced status codes (RFC 2034 §4).

use super::enhanced_status::EnhancedStatus;
use std::borrow::Cow;

/// Octets of text in one reply line; with code, status and CRLF it stays below 512 (RFC 5321
/// §4.5.3.1.5).
const TEXT_OCTETS_MAX: usize = 480;

/// What a server answers to one command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    /// Three digits.
    pub code: u16,
    /// Enhanced status; none in greetings, 3xx and the reply to EHLO or LHLO (RFC 2034 §3).
    pub status: Option<EnhancedStatus>,
    /// One text per line; at least one.
    pub lines: Vec<Cow<'static, str>>,
}

impl Reply {
    /// A reply of one line; `status` is the enhanced code's three numbers.
    pub fn new(code: u16, status: (u8, u16, u16), text: impl Into<Cow<'static, str>>) -> Self {
        let (class, subject, detail) = status;
        let status = Some(EnhancedStatus::new(class, subject, detail));
        Self { code, status, lines: vec![text.into()] }
    }

    /// A reply of one line without enhanced status.
    pub fn plain(code: u16, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, status: None, lines: vec![text.into()] }
    }

    /// A reply of several lines without enhanced status.
    pub fn multiline(code: u16, lines: Vec<Cow<'static, str>>) -> Self {
        Self { code, status: None, lines }
    }

    /// The reply in one line, for logs.
    pub fn text(&self) -> String {
        let status = self.status.map(|status| format!("{status} ")).unwrap_or_default();
        format!("{:03} {status}{}", self.code, self.lines.join(" "))
    }

    /// Appends the reply's lines.
    pub fn write(&self, output: &mut Vec<u8>) {
        // RFC 5321 §4.2.1: "-" after the code on every line but the last
        let last = self.lines.len().saturating_sub(1);
        for (index, text) in self.lines.iter().enumerate() {
            let separator = if index < last { '-' } else { ' ' };
            output.extend_from_slice(format!("{:03}{separator}", self.code).as_bytes());
            if let Some(status) = self.status {
                output.extend_from_slice(format!("{status} ").as_bytes());
            }
            write_text(text, output);
            output.extend_from_slice(b"\r\n");
        }
    }
}

/// Text may quote what the client sent: nothing in it may end the line.
fn write_text(text: &str, output: &mut Vec<u8>) {
    let mut room = TEXT_OCTETS_MAX;
    for character in text.chars() {
        let character = if character.is_control() { '?' } else { character };
        let Some(rest) = room.checked_sub(character.len_utf8()) else { return };
        room = rest;
        output.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(reply: &Reply) -> String {
        let mut output = Vec::new();
        reply.write(&mut output);
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn lines_carry_the_code_and_status() {
        assert_eq!(
            written(&Reply::new(550, (5, 1, 1), "no such user")),
            "550 5.1.1 no such user\r\n"
        );
        let lines = vec!["host".into(), "PIPELINING".into(), "SIZE 1".into()];
        assert_eq!(
            written(&Reply::multiline(250, lines)),
            "250-host\r\n250-PIPELINING\r\n250 SIZE 1\r\n"
        );
    }

    #[test]
    fn text_never_ends_the_line() {
        let reply = Reply::new(501, (5, 1, 3), "a\r\n250 b");
        assert_eq!(written(&reply), "501 5.1.3 a??250 b\r\n");
        assert!(written(&Reply::plain(220, "é".repeat(600))).len() <= 512);
    }
}
