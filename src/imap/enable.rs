//! ENABLE (RFC 9051 §6.3.1, RFC 5161).

use super::reply::{Outcome, Reply};
use super::session::Session;

impl Session {
    /// ENABLE. Names we do not know are passed over.
    pub fn enable(&mut self, names: &[String]) -> Outcome {
        let mut enabled = Vec::new();
        for name in names {
            let name = match name.as_str() {
                "CONDSTORE" => {
                    self.enabled.condstore = true;
                    "CONDSTORE"
                }
                "QRESYNC" => {
                    // RFC 7162 §3.2.3: it is CONDSTORE and more
                    (self.enabled.condstore, self.enabled.qresync) = (true, true);
                    "QRESYNC"
                }
                "UIDONLY" => {
                    self.enabled.uid_only = true;
                    if let Some(opened) = &mut self.opened {
                        opened.selected.use_uids_only();
                    }
                    "UIDONLY"
                }
                "UTF8=ACCEPT" => {
                    self.enabled.utf8 = true;
                    "UTF8=ACCEPT"
                }
                "IMAP4REV2" => {
                    self.enabled.rev2 = true;
                    "IMAP4rev2"
                }
                _ => continue,
            };
            if !enabled.contains(&name) {
                enabled.push(name);
            }
        }
        self.writer().enabled(&enabled);
        Ok(Reply::ok("Enabled"))
    }
}
