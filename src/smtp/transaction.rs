//! A mail transaction as it grows: MAIL, then RCPT, then chunks (RFC 5321 §3.3, RFC 3030 §2).

use crate::codec::smtp::parameters::MailParameters;
use crate::delivery::accept::Addressee;
use crate::model::transaction::ReversePath;
use crate::spool::Spool;

/// From MAIL to the end of the data.
#[derive(Debug)]
pub struct Transaction {
    /// Who sends.
    pub reverse_path: ReversePath,
    /// What MAIL announced.
    pub parameters: MailParameters,
    /// Accepted recipients in the order of their RCPT.
    pub recipients: Vec<Addressee>,
    /// What BDAT has brought so far.
    pub chunks: Option<Receiving>,
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
