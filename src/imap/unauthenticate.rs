//! UNAUTHENTICATE (RFC 8437): the connection is as after its greeting, for another user.

use super::capability::capabilities;
use super::reply::{Outcome, Reply};
use super::session::{Enabled, Session};
use crate::codec::collation::Collation;
use crate::codec::imap::response_code::ResponseCode;
use tokio::time::Instant;

impl Session {
    /// UNAUTHENTICATE. What belongs to the connection stays: TLS, compression (RFC 8437 §4). All
    /// that a user has agreed with the server must be forgotten here.
    pub fn unauthenticate(&mut self) -> Outcome {
        self.count_traffic();
        self.opened = None;
        self.login = None;
        self.enabled = Enabled::default();
        self.collation = Collation::default();
        self.watch = None;
        self.stranger_since = Instant::now();
        let names = capabilities(self);
        Ok(Reply::ok("Logged out, not gone").with(ResponseCode::Capability(names)))
    }
}
