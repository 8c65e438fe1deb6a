//! What must leave: one entry a recipient of an outgoing message.

use super::dsn::{MessageOptions, RecipientDsn};
use super::id::{ContentHash, ObjectId, UserId};
use super::message::TimeMs;
use super::target::ForwardTarget;

/// Identifies an outgoing message, all recipients together.
pub type QueueId = ObjectId;

/// Identifies all that happens to a message from its arrival on: what it is forwarded as, and the
/// reports about it, have the same.
pub type TraceId = ObjectId;

/// Why a message leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// A user submitted it.
    Submit,
    /// A rule or address forwards it.
    Forward,
    /// It answers a message by itself.
    Autoreply,
    /// It reports a delivery (RFC 3464).
    Bounce,
}

impl Reason {
    /// All of them.
    pub const EVERY: [Self; 4] = [Self::Submit, Self::Forward, Self::Autoreply, Self::Bounce];

    /// Its name in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Forward => "forward",
            Self::Autoreply => "autoreply",
            Self::Bounce => "bounce",
        }
    }
}

/// One try, and what the next hop said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attempt {
    /// When.
    pub at_ms: TimeMs,
    /// The next hop, as a name for people.
    pub host: String,
    /// Its reply, or what went wrong.
    pub reply: String,
}

/// One recipient of an outgoing message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// This entry.
    pub id: ObjectId,
    /// The message.
    pub queue_id: QueueId,
    /// Its story.
    pub trace: TraceId,
    /// Number among the message's entries, from 1.
    pub seq: u32,
    /// On whose behalf it is sent; none for forwarding addresses.
    pub user: Option<UserId>,
    /// Why.
    pub reason: Reason,
    /// Reverse-path, empty for the null path.
    pub sender: String,
    /// Forward-path.
    pub recipient: String,
    /// Where to; a `Mail` target is the recipient itself.
    pub target: ForwardTarget,
    /// What entries are batched by: the domain or host.
    pub domain: String,
    /// The recipient was one of ours when it was enqueued.
    pub is_local: bool,
    /// The content.
    pub content: ContentHash,
    /// Octets of the content.
    pub content_octets: u64,
    /// Header fields in front of it.
    pub prefix: Vec<u8>,
    /// What the sender asked for the whole message.
    pub options: MessageOptions,
    /// What he asked for this recipient.
    pub dsn: RecipientDsn,
    /// He was told that it is late.
    pub is_delay_told: bool,
    /// When it is to be tried.
    pub due_ms: TimeMs,
    /// When it was enqueued.
    pub created_ms: TimeMs,
    /// A worker has it until then.
    pub locked_until_ms: TimeMs,
    /// Grows with every claim; who holds an older one has lost the entry.
    pub fence: u64,
    /// The last tries, oldest first.
    pub attempts: Vec<Attempt>,
}
