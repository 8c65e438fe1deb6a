//! What a server offers in its reply to EHLO (RFC 5321 §4.1.1.1), for the extensions we use.

use super::server_reply::ServerReply;

/// The offers of a server; after HELO there are none.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Extensions {
    /// PIPELINING (RFC 2920)
    pub has_pipelining: bool,
    /// 8BITMIME (RFC 6152)
    pub has_eight_bit: bool,
    /// CHUNKING (RFC 3030)
    pub has_chunking: bool,
    /// BINARYMIME (RFC 3030)
    pub has_binary: bool,
    /// SMTPUTF8 (RFC 6531)
    pub has_utf8: bool,
    /// DSN (RFC 3461)
    pub has_dsn: bool,
    /// STARTTLS (RFC 3207)
    pub has_starttls: bool,
    /// REQUIRETLS (RFC 8689)
    pub has_requiretls: bool,
    /// SIZE (RFC 1870)
    pub has_size: bool,
    /// Octets of the largest message; `None`: not said.
    pub octets_max: Option<u64>,
    /// AUTH (RFC 4954): mechanisms, uppercase.
    pub mechanisms: Vec<String>,
}

impl Extensions {
    /// Reads a reply to EHLO: the first line greets, each other one offers.
    pub fn read(reply: &ServerReply) -> Self {
        let mut extensions = Self::default();
        for line in reply.lines.iter().skip(1) {
            extensions.add(&line.trim().to_ascii_uppercase());
        }
        extensions
    }

    fn add(&mut self, line: &str) {
        let mut words = line.split_ascii_whitespace();
        match words.next().unwrap_or_default() {
            "PIPELINING" => self.has_pipelining = true,
            "8BITMIME" => self.has_eight_bit = true,
            "CHUNKING" => self.has_chunking = true,
            "BINARYMIME" => self.has_binary = true,
            "SMTPUTF8" => self.has_utf8 = true,
            "DSN" => self.has_dsn = true,
            "STARTTLS" => self.has_starttls = true,
            "REQUIRETLS" => self.has_requiretls = true,
            "AUTH" => self.mechanisms.extend(words.map(str::to_owned)),
            "SIZE" => {
                self.has_size = true;
                // RFC 1870 §4: 0 is no limit
                let octets = words.next().and_then(|number| number.parse().ok());
                self.octets_max = octets.filter(|octets| *octets > 0);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::smtp::server_reply::{Read, read_reply};

    #[test]
    fn offers_are_read_and_unknown_ones_passed_over() {
        let text = b"250-DSN.example\r\n250-pipelining\r\n250-SIZE 1000\r\n250-X-NEW y\r\n\
            250-AUTH PLAIN login\r\n250 SMTPUTF8\r\n";
        let Read::Complete(reply, _) = read_reply(text) else { panic!() };
        let extensions = Extensions::read(&reply);
        let expected = Extensions {
            has_pipelining: true,
            has_utf8: true,
            has_size: true,
            octets_max: Some(1000),
            mechanisms: vec!["PLAIN".to_owned(), "LOGIN".to_owned()],
            ..Extensions::default()
        };
        assert_eq!(extensions, expected, "the greeting is no offer");
    }
}
