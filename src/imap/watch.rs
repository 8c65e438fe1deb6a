//! PURE: what NOTIFY watches, and what is news of a mailbox (RFC 5465 §5, §6).

use super::list::owner_in;
use super::rights::Reached;
use crate::cluster::notifier::Subscription;
use crate::codec::imap::fetch::FetchItem;
use crate::codec::imap::notify::{Event, EventGroup, Filter};
use crate::mailstore::metadata::Digest;
use crate::model::id::{MailboxId, UserId};
use crate::model::mailbox::{DELIMITER, Mailbox, OTHER_USERS, SpecialUse};
use crate::model::rights::Rights;
use crate::model::uid::{ModSeq, Uid};
use futures_util::FutureExt as _;
use std::collections::{BTreeSet, HashMap};

/// What a client watches.
#[derive(Debug)]
pub struct Watch {
    pub(super) groups: Vec<EventGroup>,
    /// Ring for all mailboxes of the user, and of others that have some for him.
    pub(super) subscriptions: Vec<Subscription>,
    /// Those others.
    pub(super) others: Vec<UserId>,
    /// By what names others are watched, in lookup form; `None`: nobody is.
    pub(super) names_of_others: Option<Vec<String>>,
    pub(super) known: HashMap<MailboxId, Known>,
    /// Annotations as they were told last, if they are watched.
    pub(super) annotations: Digest,
    /// Subscribed names without a mailbox.
    pub(super) dangling: BTreeSet<String>,
}

/// A mailbox as it was told last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Known {
    pub(super) name: String,
    pub(super) subscribed: bool,
    pub(super) mod_seq: ModSeq,
    pub(super) uid_next: Uid,
    pub(super) messages: u64,
    pub(super) is_own: bool,
    /// News of its messages may be told.
    pub(super) is_readable: bool,
}

impl Known {
    pub(super) fn of(reached: &Reached, user: UserId, subscriptions: &BTreeSet<String>) -> Self {
        let mailbox = &reached.mailbox;
        let is_own = mailbox.user == user;
        let name = mailbox.name.as_str().to_owned();
        Self {
            subscribed: if is_own { mailbox.subscribed } else { subscriptions.contains(&name) },
            is_own,
            is_readable: reached.rights.has(Rights::READ),
            name,
            mod_seq: mailbox.mod_seq,
            uid_next: mailbox.uid_next,
            messages: mailbox.counts.messages,
        }
    }
}

/// What is to be told of a mailbox.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct News {
    /// LIST for its name.
    pub(super) name: bool,
    /// LIST for its subscription.
    pub(super) subscription: bool,
    /// STATUS.
    pub(super) messages: bool,
}

/// What the selected mailbox's news look like while NOTIFY is set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SelectedRules {
    /// News are told between commands.
    pub is_watched: bool,
    /// EXPUNGE waits for a command that allows it.
    pub is_delayed: bool,
    /// Changes of flags are wanted.
    pub with_flags: bool,
}

impl Watch {
    fn group_of_selected(&self) -> Option<&EventGroup> {
        self.groups.iter().find(|group| group.is_selected())
    }

    /// The rules of the selected mailbox; `None`: those of a session without NOTIFY.
    pub fn selected_rules(&self) -> Option<SelectedRules> {
        let group = self.group_of_selected()?;
        Some(SelectedRules {
            is_watched: !group.events.is_empty(),
            is_delayed: group.filter == Filter::SelectedDelayed,
            with_flags: group.events.is_empty() || group.events.contains(&Event::FlagChange),
        })
    }

    /// What is fetched of new messages of the selected mailbox.
    pub(super) fn items_of_new(&self) -> Vec<FetchItem> {
        let events = self.group_of_selected().map(|group| group.events.iter());
        let items = events.into_iter().flatten().find_map(|event| match event {
            Event::MessageNew(items) => Some(items.clone()),
            _ => None,
        });
        items.unwrap_or_default()
    }

    /// The events of the first group that fits (RFC 5465 §6).
    pub(super) fn events_of(&self, mailbox: &Known, is_inbox: bool) -> &[Event] {
        let fits = |group: &&EventGroup| match &group.filter {
            Filter::Selected | Filter::SelectedDelayed => false,
            Filter::Inboxes => is_inbox,
            Filter::Personal => mailbox.is_own,
            Filter::Subscribed => mailbox.subscribed,
            Filter::Subtree(roots) => roots.iter().any(|root| is_within(&mailbox.name, root)),
            Filter::Mailboxes(names) => names.contains(&mailbox.name),
        };
        self.groups.iter().find(fits).map_or(&[], |group| &group.events)
    }

    /// What is to be told of a mailbox that was `before` and is now.
    pub(super) fn news_of(&self, before: Option<&Known>, now: &Known, is_inbox: bool) -> News {
        let events = self.events_of(now, is_inbox);
        let is_renamed = before.is_none_or(|before| before.name != now.name);
        let is_counted = before.is_some_and(|before| {
            (before.uid_next, before.messages) != (now.uid_next, now.messages)
        }) || before.is_none() && now.messages > 0;
        let is_changed = before.is_some_and(|before| before.mod_seq != now.mod_seq)
            && !is_renamed
            && before.is_some_and(|before| before.subscribed == now.subscribed);
        News {
            name: is_renamed && events.contains(&Event::MailboxName),
            subscription: before.is_some_and(|before| before.subscribed != now.subscribed)
                && self.wants_subscription(before, now, is_inbox),
            messages: now.is_readable
                && (is_counted && events.contains(&Event::MessageExpunge)
                    || is_changed && events.contains(&Event::FlagChange)),
        }
    }

    /// A mailbox that is no longer subscribed does not fit `subscribed` any more, but did.
    fn wants_subscription(&self, before: Option<&Known>, now: &Known, is_inbox: bool) -> bool {
        let wants =
            |known: &Known| self.events_of(known, is_inbox).contains(&Event::SubscriptionChange);
        wants(now) || before.is_some_and(wants)
    }

    /// Whether an event is asked for, of whatever mailbox.
    pub(super) fn has(&self, event: &Event) -> bool {
        self.groups.iter().any(|group| group.events.contains(event))
    }

    pub(super) fn has_annotations(&self) -> bool {
        self.has(&Event::MailboxMetadataChange) || self.has(&Event::ServerMetadataChange)
    }

    /// Waits for a bell.
    pub async fn woken(&mut self) {
        let bells = self.subscriptions.iter_mut().map(|each| Box::pin(each.woken()));
        // the user's own is always among them
        futures_util::future::select_all(bells).await;
    }

    /// Whether a bell has rung; all that have are taken as heard.
    pub(super) fn is_rung(&mut self) -> bool {
        let rung = self.subscriptions.iter_mut().filter_map(|each| each.woken().now_or_never());
        rung.count() > 0
    }

    /// Whether anything but the selected mailbox is watched.
    pub(super) fn has_others(&self) -> bool {
        self.groups.iter().any(|group| !group.is_selected())
    }
}

fn is_within(name: &str, root: &str) -> bool {
    let below = name.strip_prefix(root);
    below.is_some_and(|rest| rest.is_empty() || rest.starts_with(DELIMITER))
}

/// RFC 5465 §6.3: where mail is delivered: INBOX, and what filters take for junk.
pub(super) fn is_inbox(mailbox: &Mailbox) -> bool {
    let is_other = mailbox.name.as_str().starts_with(OTHER_USERS);
    mailbox.name.as_str() == "INBOX" || mailbox.special_use == Some(SpecialUse::Junk) && !is_other
}

/// By what names other users' mailboxes are watched; `None`: none is.
pub(super) fn names_of_others(
    groups: &[EventGroup],
    subscriptions: &BTreeSet<String>,
) -> Option<Vec<String>> {
    let is_other = |name: &&String| name.starts_with(OTHER_USERS);
    let mut names: Vec<&String> = Vec::new();
    for group in groups {
        match &group.filter {
            Filter::Subtree(own) | Filter::Mailboxes(own) => {
                names.extend(own.iter().filter(is_other));
            }
            Filter::Subscribed => names.extend(subscriptions.iter().filter(is_other)),
            Filter::Selected | Filter::SelectedDelayed | Filter::Inboxes | Filter::Personal => {}
        }
    }
    let owners: BTreeSet<String> = names.iter().filter_map(|name| owner_in(name)).collect();
    (!names.is_empty()).then(|| owners.into_iter().collect())
}
