//! A mail transaction as it grows: MAIL, then RCPT, then chunks (RFC 5321 §3.3, RFC 3030 §2).

use crate::codec::smtp::parameters::MailParameters;
use crate::delivery::accept::Addressee;
use crate::model::transaction::{ForwardPath, MailTransaction};
use crate::spool::Spool;

/// From MAIL to the end of the data.
#[derive(Debug)]
pub struct Transaction {
    /// What operations want to know of it.
    pub mail: MailTransaction,
    /// What MAIL announced.
    pub parameters: MailParameters,
    /// Accepted recipients of ours, in the order of their RCPT.
    pub recipients: Vec<Addressee>,
    /// With submission: accepted recipients, whoever they are.
    pub paths: Vec<ForwardPath>,
    /// What BDAT has brought so far.
    pub chunks: Option<Receiving>,
}

impl Transaction {
    /// Accepted recipients.
    pub fn count(&self) -> usize {
        self.recipients.len() + self.paths.len()
    }
}

/// Content on its way in.
#[derive(Debug)]
pub struct Receiving {
    /// The octets.
    pub spool: Spool,
    /// The temporary file failed; the rest is read and dropped.
    pub has_failed: bool,
}

impl Receiving {
    /// Adds octets, or drops them once something failed: the client must be heard out in any case.
    pub async fn push(&mut self, octets: &[u8]) {
        if self.has_failed {
            return;
        }
        if let Err(error) = self.spool.push(octets).await {
            tracing::error!(%error, "cannot spool a message");
            self.has_failed = true;
        }
    }
}
