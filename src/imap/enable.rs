//! ENABLE (RFC 9051 §6.3.1, RFC 5161).

use super::reply::{Outcome, Reply};
use super::session::Session;

impl Session {
    /// ENABLE. Names we do not know are passed over.
    pub fn enable(&mut self, names: &[String]) -> Outcome {
        let mut enabled = Vec::new();
        for name in names {
            match name.as_str() {
                "CONDSTORE" => {
                    self.enabled.condstore = true;
                    enabled.push("CONDSTORE");
                }
                "UTF8=ACCEPT" => {
                    self.enabled.utf8 = true;
                    enabled.push("UTF8=ACCEPT");
                }
                "IMAP4REV2" => {
                    self.enabled.rev2 = true;
                    enabled.push("IMAP4rev2");
                }
                _ => {}
            }
        }
        self.writer().enabled(&enabled);
        Ok(Reply::ok("Enabled"))
    }
}
