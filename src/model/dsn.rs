//! What a sender wants to be told of deliveries (RFC 3461), free of SMTP syntax.

/// How much of the message a failure report returns (RFC 3461 §4.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Return {
    /// `FULL`
    Full,
    /// `HDRS`
    Headers,
}

/// When the sender is told about a recipient (RFC 3461 §4.1); all false: never.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Notify {
    /// `SUCCESS`
    pub success: bool,
    /// `FAILURE`
    pub failure: bool,
    /// `DELAY`
    pub delay: bool,
}

impl Notify {
    /// Of senders who did not say (RFC 3461 §5.2.1).
    pub const UNSAID: Self = Self { success: false, failure: true, delay: true };
}

/// The wishes about one recipient.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct RecipientDsn {
    /// When to report; `None`: nothing was said.
    pub notify: Option<Notify>,
    /// The recipient the sender first named: address type and decoded address (RFC 3461 §4.2).
    pub original: Option<(String, String)>,
}

/// The wishes about a whole message; they travel with it.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct MessageOptions {
    /// What a report returns; `None`: nothing was said.
    pub ret: Option<Return>,
    /// The sender's name for this sending (RFC 3461 §4.4).
    pub envelope_id: Option<String>,
    /// Only over authenticated TLS (RFC 8689 §4.2.1).
    pub requires_tls: bool,
    /// Policies about TLS are not asked for: `TLS-Required: No` (RFC 8689 §5).
    pub waives_tls: bool,
    /// The pool of addresses it asks to leave from (`X-Sending-Zone`).
    pub zone: Option<String>,
    /// Addresses or header fields may be UTF-8: only to servers with SMTPUTF8 (RFC 6531 §3.4).
    pub is_utf8: bool,
    /// It may have lines that SMTP does not know, and must not be changed (RFC 3030 §3).
    pub is_binary: bool,
}
