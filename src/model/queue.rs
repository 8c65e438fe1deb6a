//! What must leave: one entry a recipient of an outgoing message.

use super::dsn::{MessageOptions, RecipientDsn};
use super::id::{ContentHash, ObjectId, UserId};
use super::message::TimeMs;
use super::target::ForwardTarget;
use std::collections::BTreeMap;

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
    /// It came in for several recipients, and this one could not have it at once.
    Arrival,
}

impl Reason {
    /// All of them.
    pub const EVERY: [Self; 5] =
        [Self::Submit, Self::Forward, Self::Autoreply, Self::Bounce, Self::Arrival];

    /// Its name in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Forward => "forward",
            Self::Autoreply => "autoreply",
            Self::Bounce => "bounce",
            Self::Arrival => "arrival",
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
    /// The address of ours that forwards it.
    pub forwarder: Option<String>,
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
    /// Somebody paused it; when it would be tried else.
    pub paused_due_ms: Option<TimeMs>,
    /// When it was enqueued.
    pub created_ms: TimeMs,
    /// A worker has it until then.
    pub locked_until_ms: TimeMs,
    /// How often it was tried and put off.
    pub tries: u32,
    /// Grows with every claim; who holds an older one has lost the entry.
    pub fence: u64,
    /// The last tries, oldest first.
    pub attempts: Vec<Attempt>,
}

/// What an entry waits for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum State {
    /// A worker has it.
    Active,
    /// It may be tried at any moment.
    Ready,
    /// Its first try is to come later.
    Scheduled,
    /// It was tried, and is to be again.
    Deferred,
    /// Somebody has to resume it.
    Paused,
}

impl State {
    /// All of them.
    pub const EVERY: [Self; 5] =
        [Self::Active, Self::Ready, Self::Scheduled, Self::Deferred, Self::Paused];

    /// Its name in answers and parameters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Ready => "ready",
            Self::Scheduled => "scheduled",
            Self::Deferred => "deferred",
            Self::Paused => "paused",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|state| state.name() == name)
    }
}

impl Entry {
    /// What it waits for.
    pub const fn state(&self, now: TimeMs) -> State {
        if self.locked_until_ms > now {
            State::Active
        } else if self.paused_due_ms.is_some() {
            State::Paused
        } else if !self.attempts.is_empty() {
            State::Deferred
        } else if self.due_ms > now {
            State::Scheduled
        } else {
            State::Ready
        }
    }
}

/// Which entries are meant; all conditions together.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Query {
    /// Next hop.
    pub domain: Option<String>,
    /// Reverse-path; empty: the null path.
    pub sender: Option<String>,
    /// Forward-path.
    pub recipient: Option<String>,
    /// On whose behalf.
    pub user: Option<UserId>,
    /// The message.
    pub queue_id: Option<QueueId>,
    /// Why.
    pub reason: Option<Reason>,
    /// What it waits for.
    pub state: Option<State>,
    /// Enqueued at this time or after it.
    pub since_ms: Option<TimeMs>,
    /// Enqueued before.
    pub until_ms: Option<TimeMs>,
    /// A reply of its last tries contains this text, in any case.
    pub reply: Option<String>,
}

/// What is done to entries by hand.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Steer {
    /// Not tried until they are resumed.
    Pause,
    /// Tried when they would have been.
    Resume,
    /// Tried at once.
    Retry,
    /// Sent to another server; `None`: to the recipient's own.
    Reroute(Option<ForwardTarget>),
    /// Given up without a word.
    Delete,
    /// Given up, and the sender told.
    Bounce,
}

impl Steer {
    /// Its name in answers, parameters and stories.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Retry => "retry",
            Self::Reroute(_) => "reroute",
            Self::Delete => "delete",
            Self::Bounce => "bounce",
        }
    }
}

/// How many entries there are of a kind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Share {
    /// What they wait for.
    pub state: State,
    /// Their age: below so many hours; `None`: above all bounds.
    pub hours_below: Option<u32>,
    /// The code of their last reply, `4xx` or `5xx` digits; `other` for other failures, empty
    /// before the first try.
    pub code: String,
    /// How many.
    pub entries: u64,
}

/// Hours that ages of entries are told apart by.
pub const AGE_HOURS: [u32; 4] = [1, 6, 24, 72];

/// The size of the queue.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Summary {
    /// By state, age and error.
    pub shares: Vec<Share>,
    /// The next hops with most entries, most first.
    pub next_hops: Vec<(String, u64)>,
}

impl Summary {
    /// All entries.
    pub fn total(&self) -> u64 {
        self.shares.iter().map(|share| share.entries).sum()
    }

    /// Entries by a name of theirs, in order of the names.
    pub fn by<K: Ord>(&self, name: impl Fn(&Share) -> K) -> BTreeMap<K, u64> {
        let mut sizes = BTreeMap::new();
        for share in &self.shares {
            *sizes.entry(name(share)).or_default() += share.entries;
        }
        sizes
    }
}
