//! NOTIFY (RFC 5465): news of the selected mailbox without IDLE, and of the other ones.
//!
//! The user's doorbell only wakes; what has changed is found by comparing the list of his mailboxes
//! with the one that was told last: one query a wake, whatever has happened. Other users' mailboxes
//! are not watched. Of the events of annotations none is offered.

use super::reply::{Outcome, Reply};
use super::select::mailbox_name;
use super::session::Session;
use crate::cluster::notifier::Subscription;
use crate::codec::imap::fetch::{BodySection, Fetch, FetchItem};
use crate::codec::imap::notify::{Event, EventGroup, Filter, Notify, OFFERED};
use crate::codec::imap::response::ListLine;
use crate::codec::imap::response_code::ResponseCode;
use crate::codec::imap::sequence_set::{SeqBound, SequenceSet};
use crate::codec::imap::status::StatusItem;
use crate::codec::mime::section::{Section, SectionText};
use crate::model::id::MailboxId;
use crate::model::mailbox::{DELIMITER, Mailbox, SpecialUse};
use crate::model::uid::{ModSeq, Uid, UidSet};
use futures_util::FutureExt as _;
use std::collections::{BTreeSet, HashMap};

/// Event groups and names in them, together.
const NAMES_MAX: usize = 1000;

/// What a client watches.
#[derive(Debug)]
pub struct Watch {
    groups: Vec<EventGroup>,
    /// Rings for all mailboxes of the user.
    pub(super) subscription: Subscription,
    known: HashMap<MailboxId, Known>,
    /// Subscribed names without a mailbox.
    dangling: BTreeSet<String>,
}

/// A mailbox as it was told last.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Known {
    name: String,
    subscribed: bool,
    mod_seq: ModSeq,
    uid_next: Uid,
    messages: u64,
}

impl Known {
    fn of(mailbox: &Mailbox) -> Self {
        Self {
            name: mailbox.name.as_str().to_owned(),
            subscribed: mailbox.subscribed,
            mod_seq: mailbox.mod_seq,
            uid_next: mailbox.uid_next,
            messages: mailbox.counts.messages,
        }
    }
}

/// What is to be told of a mailbox.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct News {
    /// LIST for its name.
    name: bool,
    /// LIST for its subscription.
    subscription: bool,
    /// STATUS.
    messages: bool,
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
    fn items_of_new(&self) -> Vec<FetchItem> {
        let events = self.group_of_selected().map(|group| group.events.iter());
        let items = events.into_iter().flatten().find_map(|event| match event {
            Event::MessageNew(items) => Some(items.clone()),
            _ => None,
        });
        items.unwrap_or_default()
    }

    /// The events of the first group that fits (RFC 5465 §6).
    fn events_of(&self, mailbox: &Known, is_inbox: bool) -> &[Event] {
        let fits = |group: &&EventGroup| match &group.filter {
            Filter::Selected | Filter::SelectedDelayed => false,
            Filter::Inboxes => is_inbox,
            Filter::Personal => true,
            Filter::Subscribed => mailbox.subscribed,
            Filter::Subtree(roots) => roots.iter().any(|root| is_within(&mailbox.name, root)),
            Filter::Mailboxes(names) => names.contains(&mailbox.name),
        };
        self.groups.iter().find(fits).map_or(&[], |group| &group.events)
    }

    /// What is to be told of a mailbox that was `before` and is now.
    fn news_of(&self, before: Option<&Known>, now: &Known, is_inbox: bool) -> News {
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
            messages: is_counted && events.contains(&Event::MessageExpunge)
                || is_changed && events.contains(&Event::FlagChange),
        }
    }

    /// A mailbox that is no longer subscribed does not fit `subscribed` any more, but did.
    fn wants_subscription(&self, before: Option<&Known>, now: &Known, is_inbox: bool) -> bool {
        let wants =
            |known: &Known| self.events_of(known, is_inbox).contains(&Event::SubscriptionChange);
        wants(now) || before.is_some_and(wants)
    }

    /// Whether anything but the selected mailbox is watched.
    fn has_others(&self) -> bool {
        self.groups.iter().any(|group| !group.is_selected())
    }
}

fn is_within(name: &str, root: &str) -> bool {
    let below = name.strip_prefix(root);
    below.is_some_and(|rest| rest.is_empty() || rest.starts_with(DELIMITER))
}

/// RFC 5465 §6.3: where mail is delivered: INBOX, and what filters take for junk.
fn is_inbox(mailbox: &Mailbox) -> bool {
    mailbox.name.as_str() == "INBOX" || mailbox.special_use == Some(SpecialUse::Junk)
}

impl Session {
    /// NOTIFY.
    pub async fn notify(&mut self, notify: &Notify) -> Outcome {
        let Notify::Set { status, groups } = notify else {
            self.watch = None;
            return Ok(Reply::ok("Nothing is watched"));
        };
        let mut groups = groups.clone();
        let events = groups.iter().flat_map(|group| &group.events);
        if events.clone().any(|event| matches!(event, Event::Other(_))) {
            // RFC 5465 §3.1: what was set before stays
            return Err(Reply::no(ResponseCode::BadEvent(&OFFERED), "Not offered").into());
        }
        let mut names = groups.len();
        for group in &mut groups {
            if let Filter::Subtree(own) | Filter::Mailboxes(own) = &mut group.filter {
                names += own.len();
                // in the form they are stored; what can be no name fits nothing
                for name in own.iter_mut() {
                    if let Ok(normal) = mailbox_name(name) {
                        *name = normal.as_str().to_owned();
                    }
                }
            }
            peek_only(&mut group.events);
        }
        if names > NAMES_MAX {
            return Err(Reply::no(ResponseCode::NotificationOverflow, "Too many names").into());
        }
        let user = self.user()?;
        // Subscribed before the mailboxes are read: what happens in between rings
        let subscription = self.context.notifier.subscribe_user(user);
        let mut watch =
            Watch { groups, subscription, known: HashMap::new(), dangling: BTreeSet::new() };
        if watch.has_others() {
            let mailboxes = self.context.mailstore.list_mailboxes(user).await?;
            for mailbox in mailboxes.iter().filter(|mailbox| !mailbox.hidden) {
                let known = Known::of(mailbox);
                let events = watch.events_of(&known, is_inbox(mailbox));
                if *status && events.contains(&Event::MessageExpunge) && !self.is_open(mailbox.id) {
                    let with_flags = events.contains(&Event::FlagChange);
                    self.tell_watched(mailbox, with_flags).await?;
                    self.stream.flush_if_full().await?;
                }
                watch.known.insert(mailbox.id, known);
            }
            let dangling = self.context.mailstore.list_subscriptions(user).await?;
            watch.dangling = dangling.iter().map(|name| name.as_str().to_owned()).collect();
        }
        self.watch = Some(Box::new(watch));
        Ok(Reply::ok("Watching"))
    }

    fn is_open(&self, mailbox: MailboxId) -> bool {
        self.opened.as_ref().is_some_and(|opened| opened.id == mailbox)
    }

    /// The rules of the selected mailbox under NOTIFY.
    pub fn selected_rules(&self) -> Option<SelectedRules> {
        self.watch.as_ref()?.selected_rules()
    }

    /// STATUS of a watched mailbox: enough to know what happened (RFC 5465 §5.1 to §5.3), so with
    /// the ModSeq where changes of flags are watched.
    async fn tell_watched(&mut self, mailbox: &Mailbox, with_flags: bool) -> Outcome<()> {
        use StatusItem::{HighestModSeq, Messages, UidNext, UidValidity, Unseen};
        let mut items = vec![Messages, UidNext, UidValidity, Unseen];
        if with_flags || self.enabled.condstore {
            items.push(HighestModSeq);
        }
        self.tell_status(mailbox, &items).await
    }

    /// [`Self::tell_others`] if the bell has rung: for the end of a command.
    pub async fn tell_others_if_rung(&mut self) -> Outcome<()> {
        let Some(watch) = &mut self.watch else { return Ok(()) };
        if watch.subscription.woken().now_or_never().is_some() {
            Box::pin(self.tell_others()).await?;
        }
        Ok(())
    }

    /// Tells what has changed in the watched mailboxes that are not selected. Two queries.
    pub async fn tell_others(&mut self) -> Outcome<()> {
        let user = self.user()?;
        if !self.watch.as_ref().is_some_and(|watch| watch.has_others()) {
            return Ok(());
        }
        let mailboxes = self.context.mailstore.list_mailboxes(user).await?;
        let dangling = self.context.mailstore.list_subscriptions(user).await?;
        let dangling: BTreeSet<String> =
            dangling.iter().map(|name| name.as_str().to_owned()).collect();
        let Some(mut watch) = self.watch.take() else { return Ok(()) };
        let told = self.tell_differences(&mut watch, &mailboxes, dangling).await;
        self.watch = Some(watch);
        told
    }

    async fn tell_differences(
        &mut self,
        watch: &mut Watch,
        mailboxes: &[Mailbox],
        dangling: BTreeSet<String>,
    ) -> Outcome<()> {
        let visible = || mailboxes.iter().filter(|mailbox| !mailbox.hidden);
        let ids: BTreeSet<MailboxId> = visible().map(|mailbox| mailbox.id).collect();
        let gone: Vec<MailboxId> =
            watch.known.keys().filter(|id| !ids.contains(id)).copied().collect();
        for id in gone {
            let Some(known) = watch.known.remove(&id) else { continue };
            let is_inbox = known.name == "INBOX";
            if watch.events_of(&known, is_inbox).contains(&Event::MailboxName) {
                self.tell_name(&["\\NonExistent"], &known.name, None);
            }
        }
        for mailbox in visible() {
            let now = Known::of(mailbox);
            let before = watch.known.get(&mailbox.id);
            if before == Some(&now) {
                continue;
            }
            let news = watch.news_of(before, &now, is_inbox(mailbox));
            if news.name || news.subscription {
                let attributes: &[&str] = if now.subscribed { &["\\Subscribed"] } else { &[] };
                let old = before.map(|before| before.name.as_str());
                self.tell_name(attributes, &now.name, old.filter(|old| *old != now.name));
            }
            if news.messages && !self.is_open(mailbox.id) {
                let events = watch.events_of(&now, is_inbox(mailbox));
                let with_flags = events.contains(&Event::FlagChange);
                self.tell_watched(mailbox, with_flags).await?;
            }
            self.stream.flush_if_full().await?;
            watch.known.insert(mailbox.id, now);
        }
        self.tell_dangling(watch, dangling);
        Ok(())
    }

    /// Subscriptions of names without a mailbox.
    fn tell_dangling(&mut self, watch: &mut Watch, dangling: BTreeSet<String>) {
        let changed: Vec<String> =
            dangling.symmetric_difference(&watch.dangling).cloned().collect();
        for name in changed {
            let is_there = watch.known.values().any(|known| known.name == name);
            let is_new = dangling.contains(&name);
            let known = Known { name, subscribed: true, mod_seq: 0, uid_next: 1, messages: 0 };
            let wanted = watch.events_of(&known, false).contains(&Event::SubscriptionChange);
            if wanted && !is_there {
                let subscribed = ["\\NonExistent", "\\Subscribed"];
                let attributes = if is_new { &subscribed[..] } else { &subscribed[..1] };
                self.tell_name(attributes, &known.name, None);
            }
        }
        watch.dangling = dangling;
    }

    fn tell_name(&mut self, attributes: &[&str], name: &str, old_name: Option<&str>) {
        let line = ListLine { attributes, name, old_name, ..ListLine::default() };
        self.writer().list(&line);
    }

    /// What NOTIFY asks of new messages of the selected mailbox, those above a UID (RFC 5465 §5.2).
    pub async fn fetch_new(&mut self, above: Uid) -> Outcome<()> {
        let items = self.watch.as_ref().map(|watch| watch.items_of_new()).unwrap_or_default();
        let Some(opened) = &self.opened else { return Ok(()) };
        let all = opened.selected.uids();
        let new = all.intersection(&UidSet::from_range(above.saturating_add(1), Uid::MAX));
        if items.is_empty() || new.is_empty() {
            return Ok(());
        }
        let bound = SeqBound::Number;
        let ranges = new.ranges().iter().map(|(first, last)| (bound(*first), bound(*last)));
        let set = SequenceSet::Ranges(ranges.collect());
        let fetch = Fetch::of_uids(set, items);
        self.fetch(&fetch).await.map(drop)
    }
}

/// RFC 5465 §5.2: \Seen is never set by a notification.
fn peek_only(events: &mut [Event]) {
    for event in events {
        let Event::MessageNew(items) = event else { continue };
        for item in items {
            let text = match item {
                FetchItem::Section(section) | FetchItem::Binary(section) => {
                    section.peek = true;
                    continue;
                }
                // these have no form that peeks: told as BODY[] and BODY[TEXT]
                FetchItem::Rfc822 => SectionText::All,
                FetchItem::Rfc822Text => SectionText::Text,
                _ => continue,
            };
            let section = Section { path: Vec::new(), text };
            *item = FetchItem::Section(BodySection { section, partial: None, peek: true });
        }
    }
}
