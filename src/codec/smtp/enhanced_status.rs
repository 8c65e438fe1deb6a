//! Enhanced status codes (RFC 3463 §2, RFC 2034).

use std::fmt;

/// `class.subject.detail`, as `5.1.1`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EnhancedStatus {
    /// 2 success, 4 persistent transient failure, 5 permanent failure.
    pub class: u8,
    /// What it is about: address, mailbox, system, network, protocol, content, policy.
    pub subject: u16,
    /// What happened.
    pub detail: u16,
}

impl EnhancedStatus {
    /// The status with these numbers.
    pub const fn new(class: u8, subject: u16, detail: u16) -> Self {
        Self { class, subject, detail }
    }
}

impl fmt::Display for EnhancedStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}
