//! LIST with its options, and LSUB (RFC 9051 §6.3.9, RFC 3501 §6.3.9, RFC 5258, RFC 5819, RFC
//! 6154).

use super::reply::{Outcome, Reply};
use super::session::Session;
use crate::codec::imap::list::List;
use crate::codec::imap::mailbox_name::Pattern;
use crate::codec::imap::response::ListLine;
use crate::model::mailbox::{DELIMITER, Mailbox, MailboxName};
use std::collections::BTreeMap;

/// What is known under a name.
#[derive(Clone, Copy, Default)]
struct Entry<'a> {
    /// `None`: only names below exist, or only a subscription.
    mailbox: Option<&'a Mailbox>,
    subscribed: bool,
    has_children: bool,
    /// A subscribed name lies below.
    subscribed_below: bool,
}

/// All names of a user in the order of the hierarchy.
struct Names<'a> {
    entries: BTreeMap<&'a str, Entry<'a>>,
}

impl<'a> Names<'a> {
    fn new(mailboxes: &'a [Mailbox], dangling: &'a [MailboxName]) -> Self {
        let mut entries: BTreeMap<&'a str, Entry<'a>> = BTreeMap::new();
        for mailbox in mailboxes.iter().filter(|mailbox| !mailbox.hidden) {
            let entry = entries.entry(mailbox.name.as_str()).or_default();
            entry.mailbox = Some(mailbox);
            entry.subscribed |= mailbox.subscribed;
        }
        for name in dangling {
            entries.entry(name.as_str()).or_default().subscribed = true;
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
            let mut above = name.rsplit_once(DELIMITER);
            while let Some((parent, _)) = above {
                let entry = self.entries.entry(parent).or_default();
                entry.has_children |= exists;
                entry.subscribed_below |= subscribed;
                above = parent.rsplit_once(DELIMITER);
            }
        }
    }

    /// INBOX first, then by name.
    fn in_order(&self) -> impl Iterator<Item = (&'a str, Entry<'a>)> + '_ {
        let is_inbox = |name: &str| name == "INBOX";
        let all = || self.entries.iter().map(|(name, entry)| (*name, *entry));
        all()
            .filter(move |(name, _)| is_inbox(name))
            .chain(all().filter(move |(n, _)| !is_inbox(n)))
    }
}

impl Session {
    /// LIST.
    pub async fn list(&mut self, list: &List) -> Outcome {
        // RFC 9051 §6.3.9: an empty pattern asks for the delimiter
        if !list.extended && list.patterns.iter().all(String::is_empty) {
            self.writer().list_root();
            return Ok(Reply::ok("Listed"));
        }
        let user = self.user()?;
        let mailboxes = self.context.mailstore.list_mailboxes(user).await?;
        let dangling = if list.selection.subscribed || list.returns.subscribed {
            self.context.mailstore.list_dangling_subscriptions(user).await?
        } else {
            Vec::new()
        };
        let names = Names::new(&mailboxes, &dangling);
        let patterns: Vec<Pattern> =
            list.patterns.iter().map(|text| Pattern::new(&list.reference, text)).collect();
        for (name, entry) in names.in_order() {
            if patterns.iter().any(|pattern| pattern.matches(name)) {
                self.list_entry(list, name, entry);
                self.stream.flush_if_full().await?;
            }
        }
        Ok(Reply::ok("Listed"))
    }

    fn list_entry(&mut self, list: &List, name: &str, entry: Entry<'_>) {
        let selection = list.selection;
        let special_use = entry.mailbox.and_then(|mailbox| mailbox.special_use);
        let selected = (!selection.subscribed || entry.subscribed)
            && (!selection.special_use || special_use.is_some());
        // RFC 5258 §3.5: a name that is not itself selected, but has such below
        let by_children =
            selection.recursive_match && selection.subscribed && entry.subscribed_below;
        if !selected && !by_children {
            return;
        }
        // a subscription alone is no mailbox: without SUBSCRIBED it is not listed
        if entry.mailbox.is_none() && !entry.has_children && !selection.subscribed {
            return;
        }
        let mut attributes = Vec::with_capacity(5);
        if entry.mailbox.is_none() {
            // RFC 9051 §7.3.1: \NonExistent implies \Noselect, which old clients know
            attributes.push(if list.extended { "\\NonExistent" } else { "\\Noselect" });
        }
        // RFC 5258 §4: these two are told always, it costs nothing
        attributes.push(if entry.has_children { "\\HasChildren" } else { "\\HasNoChildren" });
        if entry.subscribed && (selection.subscribed || list.returns.subscribed) {
            attributes.push("\\Subscribed");
        }
        // RFC 6154 §2: may be told in an ordinary LIST too
        attributes.extend(special_use.map(|special_use| special_use.name()));
        let child_info_subscribed = by_children;
        let line =
            ListLine { attributes: &attributes, name, child_info_subscribed, ..Default::default() };
        self.writer().list(&line);
        if let Some(mailbox) = entry.mailbox
            && selected
            && !list.returns.status.is_empty()
        {
            self.tell_status(mailbox, &list.returns.status);
        }
    }

    /// LSUB.
    pub async fn lsub(&mut self, reference: &str, pattern: &str) -> Outcome {
        let user = self.user()?;
        let mailboxes = self.context.mailstore.list_mailboxes(user).await?;
        let dangling = self.context.mailstore.list_dangling_subscriptions(user).await?;
        let names = Names::new(&mailboxes, &dangling);
        let matcher = Pattern::new(reference, pattern);
        for (name, entry) in names.in_order() {
            // RFC 3501 §6.3.9: with `%`, a name above a subscribed one is listed as \Noselect
            let by_children = matcher.ends_in_level() && entry.subscribed_below;
            if !(entry.subscribed || by_children) || !matcher.matches(name) {
                continue;
            }
            let selectable = entry.subscribed && entry.mailbox.is_some();
            let attributes: &[&str] = if selectable { &[] } else { &["\\Noselect"] };
            let line = ListLine { lsub: true, attributes, name, ..Default::default() };
            self.writer().list(&line);
            self.stream.flush_if_full().await?;
        }
        Ok(Reply::ok("Listed"))
    }
}
