//! Mailboxes and their names.

use super::error::{Error, Result};
use super::id::{MailboxId, UserId};
use super::limits::{MAILBOX_LEVEL_CHARS_MAX, MAILBOX_LEVELS_MAX, RETENTION_JUNK_MS};
use super::rights::{Acl, Rights};
use super::uid::{ModSeq, Uid, UidValidity};

/// The hierarchy delimiter of every mailbox name.
pub const DELIMITER: char = '/';

/// The first level of the names of other users' mailboxes (RFC 2342); nobody's own mailbox has it.
pub const OTHER_USERS: &str = "Other Users";

/// A mailbox name in Unicode, levels separated by `/`; `INBOX` is always written so as first level.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MailboxName(String);

impl MailboxName {
    /// Checks and normalises a name: NFC is the caller's part, `inbox` as first level becomes
    /// `INBOX`.
    ///
    /// # Errors
    /// `Invalid` for empty names or levels, control characters, and names beyond the limits.
    pub fn new(name: &str) -> Result<Self> {
        let bad = |reason: &str| Err(Error::invalid("mailbox", reason));
        let name = name.strip_prefix(DELIMITER).unwrap_or(name);
        if name.is_empty() || name.split(DELIMITER).any(str::is_empty) {
            return bad("a mailbox name has no empty level");
        }
        // RFC 9051 §5.1: control characters, and line separators that would break Net-Unicode
        if name.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
            return bad("a mailbox name has no control characters");
        }
        if name.split(DELIMITER).count() > MAILBOX_LEVELS_MAX {
            return bad("at most 128 levels");
        }
        if name.split(DELIMITER).any(|level| level.chars().count() > MAILBOX_LEVEL_CHARS_MAX) {
            return bad("at most 512 characters a level");
        }
        let (first, rest) = name.split_once(DELIMITER).map_or((name, None), |(f, r)| (f, Some(r)));
        if first.eq_ignore_ascii_case("INBOX") {
            return Ok(Self(rest.map_or_else(|| "INBOX".into(), |rest| format!("INBOX/{rest}"))));
        }
        Ok(Self(name.to_owned()))
    }

    /// The inbox.
    pub fn inbox() -> Self {
        Self("INBOX".into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the inbox itself.
    pub fn is_inbox(&self) -> bool {
        self.0 == "INBOX"
    }

    /// The last level.
    pub fn leaf(&self) -> &str {
        self.0.rsplit(DELIMITER).next().unwrap_or(&self.0)
    }

    /// The name above, if any.
    pub fn parent(&self) -> Option<Self> {
        self.0.rsplit_once(DELIMITER).map(|(parent, _)| Self(parent.to_owned()))
    }

    /// Refuses a name that would be taken for another user's mailbox.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn require_own(&self) -> Result<()> {
        if self.0.split(DELIMITER).next() == Some(OTHER_USERS) {
            return Err(Error::invalid("path", "names below Other Users are those of other users"));
        }
        Ok(())
    }

    /// Whether this name lies below the other.
    pub fn is_below(&self, other: &Self) -> bool {
        self.0.strip_prefix(&other.0).is_some_and(|rest| rest.starts_with(DELIMITER))
    }
}

impl std::fmt::Display for MailboxName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Special-use attributes (RFC 6154 §2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SpecialUse {
    /// `\All`
    All,
    /// `\Archive`
    Archive,
    /// `\Drafts`
    Drafts,
    /// `\Flagged`
    Flagged,
    /// `\Important` (RFC 8457)
    Important,
    /// `\Junk`
    Junk,
    /// `\Sent`
    Sent,
    /// `\Trash`
    Trash,
}

impl SpecialUse {
    /// All attributes.
    pub const EVERY: [Self; 8] = [
        Self::All,
        Self::Archive,
        Self::Drafts,
        Self::Flagged,
        Self::Important,
        Self::Junk,
        Self::Sent,
        Self::Trash,
    ];

    /// The attribute with its backslash.
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "\\All",
            Self::Archive => "\\Archive",
            Self::Drafts => "\\Drafts",
            Self::Flagged => "\\Flagged",
            Self::Important => "\\Important",
            Self::Junk => "\\Junk",
            Self::Sent => "\\Sent",
            Self::Trash => "\\Trash",
        }
    }

    /// The attribute of a name with its backslash, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|special_use| special_use.name().eq_ignore_ascii_case(name))
    }
}

/// Counters kept in the mailbox document, exact after every commit.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct MailboxCounts {
    /// Messages.
    pub messages: u64,
    /// Messages without `\Seen`.
    pub unseen: u64,
    /// Messages with `\Deleted`.
    pub deleted: u64,
    /// Octets of all messages.
    pub octets: u64,
}

/// One mailbox.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mailbox {
    /// Its identifier.
    pub id: MailboxId,
    /// Its owner.
    pub user: UserId,
    /// Its name.
    pub name: MailboxName,
    /// Its special use.
    pub special_use: Option<SpecialUse>,
    /// UIDVALIDITY.
    pub uid_validity: UidValidity,
    /// UIDNEXT.
    pub uid_next: Uid,
    /// HIGHESTMODSEQ.
    pub mod_seq: ModSeq,
    /// Counters.
    pub counts: MailboxCounts,
    /// Subscribed.
    pub subscribed: bool,
    /// Not shown over IMAP.
    pub hidden: bool,
    /// Messages are encrypted when stored.
    pub encrypt_messages: bool,
    /// Milliseconds a message is kept; `None` or 0: for ever.
    pub retention_ms: Option<u64>,
    /// Keywords in use or used before, in the case of their first use.
    pub keywords: Vec<String>,
    /// What others may do with it.
    pub acl: Acl,
    /// The first UID that nobody has been told of (RFC 3501 §2.3.2).
    pub recent_from: Uid,
}

impl Mailbox {
    /// What a user may do with it: its owner everything.
    pub fn rights_of(&self, user: UserId) -> Rights {
        if user == self.user { Rights::ALL } else { self.acl.rights_of(user) }
    }
}

impl Mailbox {
    /// Milliseconds a message stays in this mailbox after it was saved there; `None`: for ever.
    /// The mailbox's own retention, else the user's, and at most [`RETENTION_JUNK_MS`] in Junk and
    /// Trash.
    pub fn kept_ms(&self, user_retention_ms: u64) -> Option<u64> {
        let own = self.retention_ms.filter(|retention_ms| *retention_ms > 0);
        let of_user = Some(user_retention_ms).filter(|retention_ms| *retention_ms > 0);
        own.or(match self.special_use {
            Some(SpecialUse::Junk | SpecialUse::Trash) => {
                Some(of_user.map_or(RETENTION_JUNK_MS, |of_user| of_user.min(RETENTION_JUNK_MS)))
            }
            _ => of_user,
        })
    }

    /// When a message that is saved there at this time is removed.
    pub fn expiry(&self, user_retention_ms: u64, saved_ms: i64) -> Option<i64> {
        let kept_ms = i64::try_from(self.kept_ms(user_retention_ms)?).unwrap_or(i64::MAX);
        Some(saved_ms.saturating_add(kept_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_normalised_and_checked() {
        let name = |text: &str| MailboxName::new(text).map(|name| name.to_string());
        assert_eq!(name("inBox/a").unwrap(), "INBOX/a");
        assert_eq!(name("/Work").unwrap(), "Work");
        assert!(name("a//b").is_err() && name("a/").is_err() && name("").is_err());
        assert!(name("a\nb").is_err());
        let (a, b) = (MailboxName::new("a").unwrap(), MailboxName::new("a/b").unwrap());
        assert!(b.is_below(&a) && !a.is_below(&b) && b.parent() == Some(a) && b.leaf() == "b");
    }
}
