//! What comes of a check.

use std::time::Duration;

/// What the door does next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Goes on.
    Pass,
    /// Answers with a refusal.
    Refuse(Refusal),
    /// Answers what it would have answered, so much later.
    Delay(Duration),
}

/// A reply that refuses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// 421, 450, 451, 550, 554 …
    pub code: u16,
    /// The enhanced status code (RFC 3463).
    pub enhanced: (u8, u16, u16),
    /// Words for the sender's postmaster.
    pub text: String,
    /// The connection is closed after the reply.
    pub hang_up: bool,
}

impl Refusal {
    /// A refusal that leaves the connection open.
    pub fn new(code: u16, enhanced: (u8, u16, u16), text: impl Into<String>) -> Self {
        Self { code, enhanced, text: text.into(), hang_up: false }
    }

    /// 421: the connection is closed, and the client may come back later (RFC 5321 §3.8).
    pub fn go_away(enhanced: (u8, u16, u16), text: impl Into<String>) -> Self {
        Self { code: 421, enhanced, text: text.into(), hang_up: true }
    }
}

impl From<Refusal> for Verdict {
    fn from(refusal: Refusal) -> Self {
        Self::Refuse(refusal)
    }
}

/// How much a finding counts as spam on the scale of the users' levels
/// (`reference/behaviours.md` §6): as a spam filter's "rewrite subject".
pub const MARKED: u64 = 50;
