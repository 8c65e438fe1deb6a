//! ID (RFC 2971).

use super::reply::{Outcome, Reply};
use super::session::Session;

impl Session {
    /// ID: what the client says of itself is for the debug log only.
    pub fn id(&mut self, client: &[(String, Option<String>)]) -> Outcome {
        tracing::debug!(?client, "ID");
        // RFC 2971 §4: the version is not told, it would only help attackers
        self.writer().id(&[("name", "Eider")]);
        Ok(Reply::ok("Pleased to meet you"))
    }
}
