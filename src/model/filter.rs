//! A user's rules for arriving messages (`reference/http-api.md` §0.10, Filters).

use super::id::{MailboxId, ObjectId, UserId};
use super::message::TimeMs;
use super::target::ForwardTarget;

/// What a message has to be like; all given conditions count.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct FilterQuery {
    /// Part of From or Sender.
    pub from: Option<String>,
    /// Part of To, Cc or Delivered-To.
    pub to: Option<String>,
    /// Part of the Subject.
    pub subject: Option<String>,
    /// Part of the id of the mailing list.
    pub list_id: Option<String>,
    /// Words of the text.
    pub text: Option<String>,
    /// Has attachments; only `true` asks for anything.
    pub has_attachments: Option<bool>,
    /// Positive: larger than so many octets; negative: smaller.
    pub size: Option<i64>,
}

/// What happens to a message that matches.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct FilterAction {
    /// It is `\Seen`.
    pub seen: Option<bool>,
    /// It is `\Flagged`.
    pub flag: Option<bool>,
    /// It is not stored.
    pub delete: Option<bool>,
    /// It is spam, or is not.
    pub spam: Option<bool>,
    /// It goes to this mailbox.
    pub mailbox: Option<MailboxId>,
    /// It is forwarded.
    pub targets: Vec<ForwardTarget>,
}

/// One rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Filter {
    /// Identifier; rules are evaluated in order of their identifiers.
    pub id: ObjectId,
    /// Whose.
    pub user: UserId,
    /// Name for people, may be empty.
    pub name: String,
    /// When.
    pub query: FilterQuery,
    /// What.
    pub action: FilterAction,
    /// It is not evaluated.
    pub is_disabled: bool,
    /// JSON text of the owner.
    pub meta_data: Option<String>,
    /// When it was created.
    pub created_ms: TimeMs,
}

/// What is answered to those who write while somebody is away.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Autoreply {
    /// It is on.
    pub is_enabled: bool,
    /// The sender's display name; empty: the user's.
    pub name: String,
    /// Subject; empty: made from that of the message.
    pub subject: String,
    /// Text.
    pub text: String,
    /// HTML.
    pub html: String,
    /// Not before.
    pub start_ms: Option<TimeMs>,
    /// Not after.
    pub end_ms: Option<TimeMs>,
    /// When it was last set; 0: never.
    pub created_ms: TimeMs,
}

impl Autoreply {
    /// Whether it answers now.
    pub fn is_active(&self, now: TimeMs) -> bool {
        self.is_enabled
            && self.start_ms.is_none_or(|start| start <= now)
            && self.end_ms.is_none_or(|end| end >= now)
    }
}
