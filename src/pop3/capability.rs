//! CAPA: only what is true now (RFC 2449 §5, §6), and LANG (RFC 6856 §3).

use super::reply::{Outcome, Reply};
use super::session::Session;
use crate::auth::mechanism::Mechanism;
use crate::codec::pop3::reply::write_ok;

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;

impl Session {
    /// CAPA. The same commands are there before and after login, but what only helps to log in.
    pub fn capa(&mut self) -> Outcome {
        let mut names: Vec<String> =
            ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "UTF8 USER", "LANG"]
                .map(str::to_owned)
                .into();
        match &self.transaction {
            None => {
                // RFC 2595 §2.2, RFC 2449 §6.2: no client shall send a password that is refused
                if self.may_send_password() {
                    names.push("USER".to_owned());
                    names.push(format!("SASL {}", self.mechanisms().join(" ")));
                }
                if self.context.tls.is_some() && !self.stream.is_tls() {
                    names.push("STLS".to_owned());
                }
            }
            // RFC 2449 §6.7: what it is for this user is known now
            Some(transaction) => names.push(match transaction.kept_ms {
                None => "EXPIRE NEVER".to_owned(),
                Some(ms) => format!("EXPIRE {}", ms / DAY_MS),
            }),
        }
        let delay_s = self.context.settings.login_delay_s;
        if delay_s > 0 {
            names.push(format!("LOGIN-DELAY {delay_s}"));
        }
        names.push("IMPLEMENTATION Eider".to_owned());
        self.write_list("Capability list follows", &names);
        Ok(Reply::Written)
    }

    /// AUTH without arguments: the mechanisms, as clients before CAPA asked for them.
    pub fn list_mechanisms(&mut self) -> Outcome {
        let names = if self.may_send_password() { self.mechanisms() } else { Vec::new() };
        self.write_list("Mechanisms follow", &names);
        Ok(Reply::Written)
    }

    fn mechanisms(&self) -> Vec<String> {
        let offered = Mechanism::offered(self.stream.is_tls());
        offered.map(|mechanism| mechanism.name().to_owned()).collect()
    }

    /// LANG: our texts are English only (RFC 6856 §3.1: `i-default` and `*` are that too).
    pub fn lang(&mut self, tag: Option<&str>) -> Outcome {
        let Some(tag) = tag else {
            self.write_list("Language listing follows:", &["en English".to_owned()]);
            return Ok(Reply::Written);
        };
        let tag = tag.to_ascii_lowercase();
        if tag == "*" || tag == "i-default" || tag == "en" || tag.starts_with("en-") {
            return Ok(Reply::ok("en Texts are in English"));
        }
        Ok(Reply::refused("no such language"))
    }

    /// A reply of several short lines of our own; none begins with a dot.
    fn write_list(&mut self, text: &str, lines: &[String]) {
        let output = self.stream.output();
        write_ok(text, output);
        for line in lines {
            output.extend_from_slice(line.as_bytes());
            output.extend_from_slice(b"\r\n");
        }
        output.extend_from_slice(b".\r\n");
    }
}
