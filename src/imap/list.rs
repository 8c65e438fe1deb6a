//! LIST with its options, LSUB and XLIST (RFC 9051 §6.3.9, RFC 3501 §6.3.9, RFC 5258, RFC 5819, RFC
//! 6154, RFC 8440, RFC 9590).
//!
//! A listing is one query of the user's mailboxes and one of what is shared with him, however many
//! there are. Mailboxes shared with anyone are not found by wildcards at the level of users, only
//! below a user who is named or who is in a subscription: nobody can fill the listing of everybody
//! (RFC 9051 §6.3.9 allows to hide names from wildcards).

use super::names::{Entry, Names};
use super::reply::{Outcome, Reply};
use super::rights::{Reached, name_of_other};
use super::session::Session;
use crate::auth::name::username_lookup_form;
use crate::codec::imap::list::{List, ListReturn, ListSelection};
use crate::codec::imap::mailbox_name::Pattern;
use crate::codec::imap::response::{ListKind, ListLine};
use crate::model::id::UserId;
use crate::model::mailbox::{DELIMITER, Mailbox, MailboxName, OTHER_USERS, SpecialUse};
use crate::model::rights::Rights;
use std::collections::BTreeSet;

/// Names whose annotations are read at once.
const METADATA_BATCH: usize = 100;

/// Everything a listing chooses from.
struct World {
    mailboxes: Vec<Reached>,
    subscriptions: Vec<MailboxName>,
}

/// A name to be listed.
struct Line<'a> {
    name: &'a str,
    entry: Entry<'a>,
    /// It meets the selection options itself, not only by names below.
    is_selected: bool,
    has_child_info: bool,
}

impl Session {
    /// LIST.
    pub async fn list(&mut self, list: &List) -> Outcome {
        // RFC 9051 §6.3.9: an empty pattern asks for the delimiter
        if !list.extended && list.patterns.iter().all(String::is_empty) {
            return Ok(self.list_root(ListKind::List, &list.reference));
        }
        let patterns: Vec<Pattern> =
            list.patterns.iter().map(|text| Pattern::new(&list.reference, text)).collect();
        let with_subscriptions = list.selection.subscribed || list.returns.subscribed;
        let world = self.load_world(&patterns, with_subscriptions).await?;
        let names = Names::new(self.user()?, &world.mailboxes, &world.subscriptions);
        let selection = list.selection;
        let above = if selection.recursive_match {
            names.above_selected(&patterns, |entry| is_selected(selection, entry))
        } else {
            BTreeSet::new()
        };
        let lines = names
            .in_order()
            .filter(|(name, _)| patterns.iter().any(|pattern| pattern.matches(name)));
        let lines: Vec<Line<'_>> = lines
            .map(|(name, entry)| Line {
                name,
                entry,
                is_selected: is_selected(selection, &entry),
                has_child_info: above.contains(name),
            })
            .filter(|line| line.is_selected || line.has_child_info)
            .collect();
        for batch in lines.chunks(METADATA_BATCH) {
            self.tell_batch(list, batch).await?;
        }
        Ok(Reply::ok("Listed"))
    }

    /// Writes some lines, each with what belongs to it.
    async fn tell_batch(&mut self, list: &List, batch: &[Line<'_>]) -> Outcome<()> {
        let mailboxes: Vec<&Reached> = batch
            .iter()
            .filter(|line| line.is_selected)
            .filter_map(|line| line.entry.mailbox)
            .collect();
        let metadata = self.load_metadata_of(&mailboxes, &list.returns.metadata).await?;
        for line in batch {
            self.tell_line(list, line);
            if let Some(reached) = line.entry.mailbox.filter(|_| line.is_selected) {
                self.tell_returns(&list.returns, reached).await?;
                if let Some(values) = metadata.get(&reached.mailbox.id) {
                    let values = values.iter().map(|(entry, value)| (*entry, value.as_deref()));
                    self.writer().metadata(line.name, values);
                }
            }
            self.stream.flush_if_full().await?;
        }
        Ok(())
    }

    fn tell_line(&mut self, list: &List, line: &Line<'_>) {
        let Line { name, entry, .. } = line;
        let mut attributes = Vec::with_capacity(5);
        if entry.mailbox.is_none() {
            // RFC 9051 §7.3.1: \NonExistent implies \Noselect, which old clients know
            attributes.push(if list.extended { "\\NonExistent" } else { "\\Noselect" });
        }
        // RFC 5258 §4: these two are told always, it costs nothing
        attributes.push(if entry.has_children { "\\HasChildren" } else { "\\HasNoChildren" });
        if entry.subscribed && (list.selection.subscribed || list.returns.subscribed) {
            attributes.push("\\Subscribed");
        }
        // RFC 6154 §2: may be told in an ordinary LIST too
        attributes.extend(special_use(entry).map(SpecialUse::name));
        let child_info: &[&str] = match (line.has_child_info, list.selection.subscribed) {
            (false, _) => &[],
            (true, true) => &["SUBSCRIBED"],
            (true, false) => &["SPECIAL-USE"],
        };
        let line = ListLine { attributes: &attributes, name, child_info, ..Default::default() };
        self.writer().list(&line);
    }

    async fn tell_returns(&mut self, returns: &ListReturn, reached: &Reached) -> Outcome<()> {
        if returns.my_rights {
            self.writer().my_rights(reached.mailbox.name.as_str(), reached.rights);
        }
        // RFC 5819 §2: no STATUS for what cannot be selected
        if !returns.status.is_empty() && reached.rights.has(Rights::READ) {
            self.enable_condstore_by(&returns.status);
            self.tell_status(&reached.mailbox, &returns.status).await?;
        }
        Ok(())
    }

    /// LSUB.
    pub async fn lsub(&mut self, reference: &str, pattern: &str) -> Outcome {
        let pattern = [Pattern::new(reference, pattern)];
        let world = self.load_world(&pattern, true).await?;
        let names = Names::new(self.user()?, &world.mailboxes, &world.subscriptions);
        let [matcher] = &pattern;
        for (name, entry) in names.in_order() {
            // RFC 3501 §6.3.9: with `%`, a name above a subscribed one is listed as \Noselect
            let by_children = matcher.ends_in_level() && entry.subscribed_below;
            if !(entry.subscribed || by_children) || !matcher.matches(name) {
                continue;
            }
            let selectable = entry.subscribed && entry.mailbox.is_some();
            let attributes: &[&str] = if selectable { &[] } else { &["\\Noselect"] };
            let line = ListLine { kind: ListKind::Lsub, attributes, name, ..Default::default() };
            self.writer().list(&line);
            self.stream.flush_if_full().await?;
        }
        Ok(Reply::ok("Listed"))
    }

    /// XLIST: LIST as Gmail had it before RFC 6154, with its names of the special uses.
    pub async fn xlist(&mut self, reference: &str, pattern: &str) -> Outcome {
        if pattern.is_empty() {
            return Ok(self.list_root(ListKind::Xlist, reference));
        }
        let pattern = [Pattern::new(reference, pattern)];
        let world = self.load_world(&pattern, false).await?;
        let names = Names::new(self.user()?, &world.mailboxes, &world.subscriptions);
        let [matcher] = &pattern;
        for (name, entry) in names.in_order().filter(|(name, _)| matcher.matches(name)) {
            let mut attributes = Vec::with_capacity(4);
            if entry.mailbox.is_none() {
                attributes.push("\\Noselect");
            }
            attributes.push(if entry.has_children { "\\HasChildren" } else { "\\HasNoChildren" });
            if name == "INBOX" {
                attributes.push("\\Inbox");
            }
            attributes.extend(special_use(&entry).map(name_of_gmail));
            let attributes = &attributes;
            let line = ListLine { kind: ListKind::Xlist, attributes, name, ..Default::default() };
            self.writer().list(&line);
            self.stream.flush_if_full().await?;
        }
        Ok(Reply::ok("Listed"))
    }

    fn list_root(&mut self, kind: ListKind, reference: &str) -> Reply {
        let others = format!("{OTHER_USERS}{DELIMITER}");
        let root = if reference.starts_with(&others) { others.as_str() } else { "" };
        self.writer().list_root(kind, root);
        Reply::ok("Listed")
    }

    /// The mailboxes the patterns can reach, and the subscribed names if asked for.
    async fn load_world(&self, patterns: &[Pattern], with_subscriptions: bool) -> Outcome<World> {
        let user = self.user()?;
        let mailstore = &self.context.mailstore;
        let own = mailstore.list_mailboxes(user).await?;
        let own = own.into_iter().filter(|mailbox| !mailbox.hidden);
        let mut mailboxes: Vec<Reached> =
            own.map(|mailbox| Reached { mailbox, rights: Rights::ALL }).collect();
        let subscriptions =
            if with_subscriptions { mailstore.list_subscriptions(user).await? } else { Vec::new() };
        if patterns.iter().any(|pattern| pattern.reaches(OTHER_USERS)) {
            let literal = patterns.iter().map(Pattern::literal_start);
            let subscribed = subscriptions.iter().map(|name| name.as_str().to_owned());
            let owners: BTreeSet<String> =
                literal.chain(subscribed).filter_map(|name| owner_in(&name)).collect();
            let owners: Vec<String> = owners.into_iter().collect();
            mailboxes.extend(self.list_shared(user, &owners).await?);
        }
        Ok(World { mailboxes, subscriptions })
    }

    /// The mailboxes that others share with the user, with those of these owners that are open to
    /// all, under the names he knows them by.
    pub async fn list_shared(&self, user: UserId, owners: &[String]) -> Outcome<Vec<Reached>> {
        let shared = self.context.mailstore.list_shared(user, owners).await?;
        let known = shared.into_iter().filter_map(|(owner, mailbox)| {
            let rights = mailbox.rights_of(user);
            // a name that is too long with the owner's in front is out of reach
            let name = name_of_other(&owner, &mailbox.name).ok()?;
            let is_known = !mailbox.hidden && rights.has(Rights::LOOKUP);
            is_known.then_some(Reached { mailbox: Mailbox { name, ..mailbox }, rights })
        });
        Ok(known.collect())
    }
}

/// The lookup form of the user a name below `Other Users` begins with.
pub fn owner_in(name: &str) -> Option<String> {
    let rest = name.strip_prefix(OTHER_USERS)?.strip_prefix(DELIMITER)?;
    let (owner, _) = rest.split_once(DELIMITER)?;
    Some(username_lookup_form(owner))
}

/// Whether a name meets the selection options itself. Without any of them what exists is listed,
/// and what has something below.
fn is_selected(selection: ListSelection, entry: &Entry<'_>) -> bool {
    if selection.subscribed && !entry.subscribed {
        return false;
    }
    if selection.special_use && special_use(entry).is_none() {
        return false;
    }
    // a subscription alone is no mailbox: without SUBSCRIBED it is not listed
    selection.subscribed || entry.mailbox.is_some() || entry.has_children
}

/// The special use of an own mailbox; what others use theirs for says nothing (RFC 6154 §2: the
/// attributes are of the user's mailboxes).
fn special_use(entry: &Entry<'_>) -> Option<SpecialUse> {
    let reached = entry.mailbox.filter(|reached| reached.rights == Rights::ALL)?;
    let is_other = reached.mailbox.name.as_str().starts_with(OTHER_USERS);
    if is_other { None } else { reached.mailbox.special_use }
}

/// The attribute of XLIST.
const fn name_of_gmail(special_use: SpecialUse) -> &'static str {
    match special_use {
        SpecialUse::All => "\\AllMail",
        SpecialUse::Junk => "\\Spam",
        SpecialUse::Flagged => "\\Starred",
        other => other.name(),
    }
}
