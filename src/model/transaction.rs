//! SMTP's envelope (RFC 5321 §3.3), free of SMTP syntax.

use super::address::EmailAddress;
use super::dsn::{MessageOptions, RecipientDsn};
use super::queue::TraceId;

/// The reverse-path of a transaction; `None` is the null path `<>`.
pub type ReversePath = Option<EmailAddress>;

/// One accepted recipient.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ForwardPath {
    /// The address the sender named.
    pub address: EmailAddress,
    /// What the sender wants to be told about him.
    pub dsn: RecipientDsn,
}

impl ForwardPath {
    /// A recipient whose sender said nothing about reports.
    pub fn new(address: EmailAddress) -> Self {
        Self { address, dsn: RecipientDsn::default() }
    }
}

/// What is known of a message before its octets (RFC 5321 §3.3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MailTransaction {
    /// MAIL FROM.
    pub reverse_path: ReversePath,
    /// The client's name from LHLO/EHLO.
    pub helo: String,
    /// The client's address.
    pub peer: std::net::IpAddr,
    /// The protocol for Received (RFC 3848): `LMTP`, `LMTPS`, `UTF8LMTP`.
    pub with: &'static str,
    /// The session, for logs and the Received id.
    pub session: String,
    /// The message's story.
    pub trace: TraceId,
    /// What the sender asked for.
    pub options: MessageOptions,
    /// Header fields of ours for every recipient, CRLF-ended lines: Authentication-Results.
    pub lines: Vec<u8>,
}
