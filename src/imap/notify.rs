//! NOTIFY (RFC 5465): news of the selected mailbox without IDLE, and of the other ones.
//!
//! The user's doorbell only wakes; what has changed is found by comparing the list of his mailboxes
//! with the one that was told last: one query a wake, whatever has happened. Other users' mailboxes
//! are watched where a filter names them or they are subscribed to, and annotations where asked for:
//! a few queries more a wake. Of the events of RFC 5465 only those of ANNOTATE are not offered.

use super::reply::{Outcome, Reply};
use super::rights::Reached;
use super::select::mailbox_name;
use super::session::Session;
use super::watch::{Known, SelectedRules, Watch, is_inbox, names_of_others};
use crate::codec::imap::fetch::{BodySection, Fetch, FetchItem};
use crate::codec::imap::notify::{Event, Filter, Notify, OFFERED};
use crate::codec::imap::response::ListLine;
use crate::codec::imap::response_code::ResponseCode;
use crate::codec::imap::sequence_set::{SeqBound, SequenceSet};
use crate::codec::imap::status::StatusItem;
use crate::codec::mime::section::{Section, SectionText};
use crate::mailstore::metadata::Digest;
use crate::model::id::{MailboxId, UserId};
use crate::model::mailbox::{Mailbox, OTHER_USERS};
use crate::model::rights::Rights;
use crate::model::uid::{Uid, UidSet};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Event groups and names in them, together.
const NAMES_MAX: usize = 1000;
/// Other users whose mailboxes are heard of at once; of more, when the session looks by itself.
const OTHERS_MAX: usize = 32;

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
        let subscriptions = vec![self.context.notifier.subscribe_user(user)];
        let mut watch = Watch {
            groups,
            subscriptions,
            others: Vec::new(),
            names_of_others: None,
            known: HashMap::new(),
            annotations: Digest::new(),
            dangling: BTreeSet::new(),
        };
        if watch.has_others() {
            watch.dangling = self.subscribed_names(user).await?;
            watch.names_of_others = names_of_others(&watch.groups, &watch.dangling);
            if watch.names_of_others.is_some() {
                self.watch_others(&mut watch, user).await?;
            }
            for reached in self.list_watched(&watch, user).await? {
                let mailbox = &reached.mailbox;
                let known = Known::of(&reached, user, &watch.dangling);
                let events = watch.events_of(&known, is_inbox(mailbox));
                if *status
                    && known.is_readable
                    && events.contains(&Event::MessageExpunge)
                    && !self.is_open(mailbox.id)
                {
                    let with_flags = events.contains(&Event::FlagChange);
                    self.tell_watched(mailbox, with_flags).await?;
                    self.stream.flush_if_full().await?;
                }
                watch.known.insert(mailbox.id, known);
            }
            if watch.has_annotations() {
                let mailstore = &self.context.mailstore;
                watch.annotations = mailstore.digest_metadata(user, &watch.others).await?;
            }
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
        if watch.is_rung() {
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
        let Some(mut watch) = self.watch.take() else { return Ok(()) };
        let told = self.tell_differences(&mut watch, user).await;
        self.watch = Some(watch);
        told
    }

    /// Subscribes to what others do with mailboxes they share with the user. Those who begin to share
    /// later are found when the session looks by itself.
    async fn watch_others(&self, watch: &mut Watch, user: UserId) -> Outcome<()> {
        let mailboxes = self.list_watched(watch, user).await?;
        let others = mailboxes.iter().map(|reached| reached.mailbox.user);
        let others: BTreeSet<UserId> = others.filter(|owner| *owner != user).collect();
        watch.others = others.into_iter().take(OTHERS_MAX).collect();
        let notifier = &self.context.notifier;
        let bells = watch.others.iter().map(|owner| notifier.subscribe_user(*owner));
        watch.subscriptions.extend(bells);
        Ok(())
    }

    async fn subscribed_names(&self, user: UserId) -> Outcome<BTreeSet<String>> {
        let names = self.context.mailstore.list_subscriptions(user).await?;
        Ok(names.iter().map(|name| name.as_str().to_owned()).collect())
    }

    /// The mailboxes that may be watched, under the names this user knows them by.
    async fn list_watched(&self, watch: &Watch, user: UserId) -> Outcome<Vec<Reached>> {
        let mailstore = &self.context.mailstore;
        let own = mailstore.list_mailboxes(user).await?;
        let own = own.into_iter().filter(|mailbox| !mailbox.hidden);
        let mut all: Vec<Reached> =
            own.map(|mailbox| Reached { mailbox, rights: Rights::ALL }).collect();
        if let Some(names) = &watch.names_of_others {
            all.extend(self.list_shared(user, names).await?);
        }
        Ok(all)
    }

    async fn tell_differences(&mut self, watch: &mut Watch, user: UserId) -> Outcome<()> {
        let mailboxes = self.list_watched(watch, user).await?;
        let dangling = self.subscribed_names(user).await?;
        let ids: BTreeSet<MailboxId> = mailboxes.iter().map(|reached| reached.mailbox.id).collect();
        let gone: Vec<MailboxId> =
            watch.known.keys().filter(|id| !ids.contains(id)).copied().collect();
        for id in gone {
            let Some(known) = watch.known.remove(&id) else { continue };
            let is_inbox = known.name == "INBOX";
            if watch.events_of(&known, is_inbox).contains(&Event::MailboxName) {
                self.tell_name(&["\\NonExistent"], &known.name, None);
            }
        }
        for reached in &mailboxes {
            let mailbox = &reached.mailbox;
            let now = Known::of(reached, user, &dangling);
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
        if watch.has_annotations() {
            self.tell_annotations(watch, user).await?;
        }
        Ok(())
    }

    /// METADATA with the names of entries that have changed (RFC 5465 §5.6, §5.7).
    async fn tell_annotations(&mut self, watch: &mut Watch, user: UserId) -> Outcome<()> {
        let now = self.context.mailstore.digest_metadata(user, &watch.others).await?;
        let mut changed: BTreeMap<Option<MailboxId>, BTreeSet<&str>> = BTreeMap::new();
        for (key, value) in now.iter().chain(&watch.annotations) {
            if now.get(key) != Some(value) || watch.annotations.get(key) != Some(value) {
                changed.entry(key.0).or_default().insert(&key.1);
            }
        }
        for (mailbox, entries) in changed {
            let known = mailbox.and_then(|id| watch.known.get(&id));
            let (name, is_wanted) = match (mailbox, known) {
                (None, _) => ("", watch.has(&Event::ServerMetadataChange)),
                (Some(_), Some(known)) => {
                    let events = watch.events_of(known, known.name == "INBOX");
                    (known.name.as_str(), events.contains(&Event::MailboxMetadataChange))
                }
                (Some(_), None) => continue,
            };
            if is_wanted {
                self.writer().metadata_changed(name, entries);
                self.stream.flush_if_full().await?;
            }
        }
        watch.annotations = now;
        Ok(())
    }

    /// Subscriptions of names without a mailbox.
    fn tell_dangling(&mut self, watch: &mut Watch, dangling: BTreeSet<String>) {
        let changed: Vec<String> =
            dangling.symmetric_difference(&watch.dangling).cloned().collect();
        for name in changed {
            let is_there = watch.known.values().any(|known| known.name == name);
            let is_new = dangling.contains(&name);
            let is_own = !name.starts_with(OTHER_USERS);
            let known = Known {
                name,
                subscribed: true,
                mod_seq: 0,
                uid_next: 1,
                messages: 0,
                is_own,
                is_readable: false,
            };
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
