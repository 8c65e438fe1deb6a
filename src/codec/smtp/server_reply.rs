//! What a server answers, as a client reads it (RFC 5321 §4.2.1, RFC 2034 §4).
//!
//! Servers are strangers: lines, and octets of a line, have a limit, and a bare LF ends a line too,
//! since nothing but a reply can come here.

use super::enhanced_status::EnhancedStatus;
use memchr::memchr;
use std::fmt;

/// Octets of one line; four times what RFC 5321 §4.5.3.1.5 allows.
const LINE_OCTETS_MAX: usize = 2048;
/// Lines of one reply.
const LINES_MAX: usize = 100;
/// Characters of a reply shown to people and kept.
const SHOWN_CHARS_MAX: usize = 500;

/// One reply.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerReply {
    /// Three digits, 200 to 599.
    pub code: u16,
    /// Enhanced status, where the server gives one of the same class.
    pub status: Option<EnhancedStatus>,
    /// The text of each line, without code and status; at least one.
    pub lines: Vec<String>,
}

/// What the buffer starts with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Read {
    /// A reply, and the octets it took.
    Complete(ServerReply, usize),
    /// More input is needed.
    Incomplete,
    /// This is no SMTP server, or one that talks for ever.
    Broken(&'static str),
}

impl ServerReply {
    /// 2xx.
    pub fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    /// 5xx.
    pub fn is_permanent(&self) -> bool {
        self.code / 100 == 5
    }

    /// The enhanced status, or what the code says alone (RFC 3463 §3.1: `x.0.0` is undefined).
    pub fn status_or_class(&self) -> EnhancedStatus {
        let class = u8::try_from(self.code / 100).unwrap_or(4);
        self.status.unwrap_or(EnhancedStatus::new(class, 0, 0))
    }
}

impl fmt::Display for ServerReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = format!("{:03}", self.code);
        if let Some(status) = self.status {
            text.push_str(&format!(" {status}"));
        }
        for line in &self.lines {
            text.push(' ');
            text.push_str(line);
        }
        let shown = text.trim_end().chars().take(SHOWN_CHARS_MAX);
        let visible = shown.map(|c| if c.is_control() { '?' } else { c });
        f.write_str(&visible.collect::<String>())
    }
}

/// Reads the first reply of the buffer.
///
/// `Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF`
pub fn read_reply(buffer: &[u8]) -> Read {
    let (mut rest, mut used) = (buffer, 0);
    let mut reply: Option<ServerReply> = None;
    for _ in 0..LINES_MAX {
        let Some(end) = memchr(b'\n', rest) else {
            return match rest.len() {
                0..=LINE_OCTETS_MAX => Read::Incomplete,
                _ => Read::Broken("a reply line is too long"),
            };
        };
        if end > LINE_OCTETS_MAX {
            return Read::Broken("a reply line is too long");
        }
        let (line, after) = rest.split_at(end + 1);
        used += line.len();
        rest = after;
        let Some((code, is_last, text)) = read_line(line) else {
            return Read::Broken("that is no SMTP reply");
        };
        let whole = reply.get_or_insert(ServerReply { code, status: None, lines: Vec::new() });
        if whole.code != code {
            return Read::Broken("a reply with two codes");
        }
        let (status, text) = split_status(code, &text);
        whole.status = whole.status.or(status);
        whole.lines.push(text.to_owned());
        if is_last && let Some(reply) = reply {
            return Read::Complete(reply, used);
        }
    }
    Read::Broken("a reply with too many lines")
}

/// Code, whether it is the last line, text.
fn read_line(line: &[u8]) -> Option<(u16, bool, String)> {
    let line = line.strip_suffix(b"\n")?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (code, rest) = line.split_at_checked(3)?;
    let code: u16 = std::str::from_utf8(code).ok()?.parse().ok()?;
    let (is_last, text) = match rest {
        [] => (true, &[][..]),
        [b' ', text @ ..] => (true, text),
        [b'-', text @ ..] => (false, text),
        _ => return None,
    };
    let text = String::from_utf8_lossy(text).into_owned();
    (200..600).contains(&code).then_some((code, is_last, text))
}

/// RFC 2034 §4: `status-code ::= class "." subject "." detail`, its class that of the reply.
fn split_status(code: u16, text: &str) -> (Option<EnhancedStatus>, &str) {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let read = || {
        let mut numbers = word.split('.');
        let (class, subject, detail) = (numbers.next()?, numbers.next()?, numbers.next()?);
        let digits = |text: &str| text.bytes().all(|octet| octet.is_ascii_digit());
        let good = numbers.next().is_none() && [class, subject, detail].into_iter().all(digits);
        let class: u8 = class.parse().ok().filter(|class| u16::from(*class) == code / 100)?;
        good.then_some(EnhancedStatus::new(class, subject.parse().ok()?, detail.parse().ok()?))
    };
    read().map_or((None, text), |status| (Some(status), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(text: &str) -> ServerReply {
        match read_reply(text.as_bytes()) {
            Read::Complete(reply, used) if used == text.len() => reply,
            other => panic!("{text:?}: {other:?}"),
        }
    }

    #[test]
    fn replies_are_read_whole() {
        let reply = complete("250-first\r\n250-SIZE 1\r\n250 last\r\n");
        assert_eq!((reply.code, reply.lines.len(), reply.status), (250, 3, None));
        let reply = complete("550-5.1.1 no such\r\n550 5.1.1 user\r\n");
        assert_eq!(reply.status, Some(EnhancedStatus::new(5, 1, 1)));
        assert_eq!(reply.to_string(), "550 5.1.1 no such user");
        assert_eq!(complete("354\r\n").to_string(), "354");
        assert_eq!(complete("220 a\n").lines, ["a"]);
        // a status of another class is text
        let odd = complete("451 5.0.0 x\r\n");
        assert_eq!((odd.status, odd.lines), (None, vec!["5.0.0 x".to_owned()]));
        assert_eq!(odd.code, 451);
    }

    #[test]
    fn any_split_is_incomplete_until_the_end() {
        let text = b"250-a\r\n250 b\r\n";
        for end in 0..text.len() {
            assert_eq!(read_reply(&text[..end]), Read::Incomplete, "{end}");
        }
        assert!(matches!(read_reply(b"220 a\r\n221 b\r\n"), Read::Complete(_, 7)));
    }

    #[test]
    fn what_is_no_reply_is_broken() {
        let endless = b"250-x\r\n".repeat(LINES_MAX + 1);
        let long = [b"250 ".as_slice(), &[b'x'; 3000]].concat();
        let cases: [&[u8]; 7] = [
            b"HTTP/1.1 400\r\n",
            b"25 x\r\n",
            b"199 x\r\n",
            b"600 x\r\n",
            b"250-a\r\n251 b\r\n",
            &endless,
            &long,
        ];
        for case in cases {
            assert!(matches!(read_reply(case), Read::Broken(_)), "{:?}", &case[..10]);
        }
        let ugly = complete("550 a\u{7}b\r\n");
        assert_eq!(ugly.to_string(), "550 a?b");
    }
}
