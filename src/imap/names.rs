//! PURE: the names LIST and LSUB choose from (RFC 9051 §6.3.9, RFC 5258).
//!
//! Own mailboxes, those others share, names that are only subscribed, and the levels above all of
//! them. It knows no socket and no database, and takes time proportional to the names.

use super::rights::Reached;
use crate::codec::imap::mailbox_name::Pattern;
use crate::model::id::UserId;
use crate::model::mailbox::{DELIMITER, MailboxName};
use std::collections::{BTreeMap, BTreeSet};

/// What is known under a name.
#[derive(Clone, Copy, Default)]
pub struct Entry<'a> {
    /// `None`: only names below exist, or only a subscription.
    pub mailbox: Option<&'a Reached>,
    /// The user has subscribed the name.
    pub subscribed: bool,
    /// A mailbox lies below.
    pub has_children: bool,
    /// A subscribed name lies below.
    pub subscribed_below: bool,
}

/// All names in the order of the hierarchy.
pub struct Names<'a> {
    entries: BTreeMap<&'a str, Entry<'a>>,
}

impl<'a> Names<'a> {
    /// The names of `user`. `subscriptions`: those that are not kept with an own mailbox.
    pub fn new(user: UserId, mailboxes: &'a [Reached], subscriptions: &'a [MailboxName]) -> Self {
        let mut entries: BTreeMap<&'a str, Entry<'a>> = BTreeMap::new();
        for reached in mailboxes {
            let entry = entries.entry(reached.mailbox.name.as_str()).or_default();
            entry.mailbox = Some(reached);
            // another owner's own subscription says nothing
            entry.subscribed = reached.mailbox.user == user && reached.mailbox.subscribed;
        }
        for name in subscriptions {
            let entry = entries.entry(name.as_str()).or_default();
            // with an own mailbox its document decides
            entry.subscribed |= entry.mailbox.is_none_or(|reached| reached.mailbox.user != user);
        }
        let mut names = Self { entries };
        names.add_parents();
        names
    }

    /// Names above existing ones appear even if they are no mailboxes (RFC 9051 §6.3.5).
    fn add_parents(&mut self) {
        let own: Vec<(&'a str, bool, bool)> = self
            .entries
            .iter()
            .map(|(name, entry)| (*name, entry.mailbox.is_some(), entry.subscribed))
            .collect();
        for (name, exists, subscribed) in own {
            for parent in above(name) {
                let entry = self.entries.entry(parent).or_default();
                let is_told = entry.has_children >= exists && entry.subscribed_below >= subscribed;
                entry.has_children |= exists;
                entry.subscribed_below |= subscribed;
                // then those above it know too
                if is_told && (exists || subscribed) {
                    break;
                }
            }
        }
    }

    /// INBOX first, then by name.
    pub fn in_order(&self) -> impl Iterator<Item = (&'a str, Entry<'a>)> + '_ {
        let is_inbox = |name: &str| name == "INBOX";
        let all = || self.entries.iter().map(|(name, entry)| (*name, *entry));
        all()
            .filter(move |(name, _)| is_inbox(name))
            .chain(all().filter(move |(n, _)| !is_inbox(n)))
    }

    /// Names with one below that is selected but does not itself match the patterns: what
    /// RECURSIVEMATCH adds, and CHILDINFO tells (RFC 5258 §3.5).
    pub fn above_selected(
        &self,
        patterns: &[Pattern],
        is_selected: impl Fn(&Entry<'a>) -> bool,
    ) -> BTreeSet<&'a str> {
        let mut found = BTreeSet::new();
        for (name, entry) in &self.entries {
            if is_selected(entry) && !patterns.iter().any(|pattern| pattern.matches(name)) {
                found.extend(above(name));
            }
        }
        found
    }
}

/// The names above, the nearest first.
fn above(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(parent(name), |name| parent(name))
}

fn parent(name: &str) -> Option<&str> {
    name.rsplit_once(DELIMITER).map(|(parent, _)| parent)
}
