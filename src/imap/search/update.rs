//! Telling the client how its results have changed (RFC 5267 §4.3), and CANCELUPDATE (§4.3.5).

use super::command::Result;
use super::context::{Context, Members};
use super::key::{Asked, Key};
use super::scan::Scan;
use super::sort::{self, Ranked};
use crate::codec::imap::response::Condition;
use crate::codec::imap::response_code::ResponseCode;
use crate::codec::imap::search::{Search, SearchKey};
use crate::codec::imap::sequence_set::{SeqBound, SequenceSet};
use crate::imap::reply::{Outcome, Reply};
use crate::imap::session::Session;
use crate::mailstore::view::View;
use crate::model::uid::{Uid, UidSet};
use std::sync::Arc;

impl Session {
    /// Keeps the result of a command with UPDATE up to date from now on, or says NOUPDATE.
    pub(super) async fn begin_updates(
        &mut self,
        tag: &str,
        search: &Search,
        result: Result,
    ) -> Outcome<()> {
        let refusal = match self.context_of(tag, search, result).await? {
            None => "A result that depends on time or on sequence numbers is not updated",
            Some(context) => {
                let Some(opened) = &mut self.opened else { return Ok(()) };
                if opened.contexts.all.is_empty() {
                    opened.contexts.mod_seq = opened.selected.mod_seq();
                }
                if opened.contexts.add(context) {
                    return Ok(());
                }
                "Too many results are updated already"
            }
        };
        let code = ResponseCode::NoUpdate(tag.to_owned());
        self.writer().status(None, Condition::No, Some(&code), refusal);
        Ok(())
    }

    async fn context_of(
        &mut self,
        tag: &str,
        search: &Search,
        result: Result,
    ) -> Outcome<Option<Context>> {
        if search.key.has(&is_momentary) {
            return Ok(None);
        }
        // the scan's key again, but with sets that messages to come may be in
        let now = self.context.clock.now_ms();
        let collation = self.collation;
        let opened = self.opened()?;
        let mailbox = self.context.mailstore.find_mailbox(opened.owner, opened.id).await?;
        let special_use = mailbox.and_then(|mailbox| mailbox.special_use);
        let (mailbox, selected) = (&opened.name, &opened.selected);
        let sets = |set: &SequenceSet, _| match set {
            SequenceSet::SavedResult => selected.saved().clone(),
            SequenceSet::Ranges(_) => set.resolve(Uid::MAX),
        };
        let recent = selected.recent();
        let (sets, fuzzy) = (&sets, false);
        let asked = Asked { now, collation, mailbox, special_use, sets, fuzzy, recent };
        let key = Arc::new(Key::new(&search.key, &asked));
        let members = match result.ranked {
            None => Members::Set(result.matches.uids),
            Some(ranked) => Members::Ranked(ranked),
        };
        let (uid, order) = (search.uid, search.order.clone());
        let tag = tag.to_owned();
        Ok(Some(Context { tag, uid, key, collation, order, members }))
    }

    /// CANCELUPDATE.
    pub fn cancel_update(&mut self, tags: &[String]) -> Outcome {
        let contexts = self.opened.as_mut().map(|opened| &mut opened.contexts);
        if contexts.is_some_and(|contexts| contexts.cancel(tags)) {
            return Ok(Reply::ok("No more updates"));
        }
        Err(Reply::bad("No result of that tag is updated").into())
    }

    /// REMOVEFROM for messages that have left the mailbox; `before` is what the client knows until
    /// it is told (RFC 5267 §4.3.4: sent before EXPUNGE).
    pub async fn tell_removed(&mut self, before: &UidSet, gone: &UidSet) -> Outcome<()> {
        let Some(opened) = &mut self.opened else { return Ok(()) };
        let mut told = Vec::new();
        for context in &mut opened.contexts.all {
            let uid = context.uid;
            let steps = context.remove(gone, &|each| number(uid, before, each));
            told.push((context.tag.clone(), uid, steps));
        }
        for (tag, uid, steps) in told.iter().filter(|(_, _, steps)| !steps.is_empty()) {
            self.writer().context(tag, *uid, steps);
            self.stream.flush_if_full().await?;
        }
        Ok(())
    }

    /// ADDTO and REMOVEFROM for messages that are new or have changed, up to the view's state
    /// (RFC 5267 §4.3.3: sent after EXISTS).
    pub async fn tell_results(&mut self, view: &View) -> Outcome<()> {
        let Some(opened) = &mut self.opened else { return Ok(()) };
        let to = view.state().mod_seq;
        if opened.contexts.all.is_empty() || opened.contexts.mod_seq >= to {
            return Ok(());
        }
        let since = std::mem::replace(&mut opened.contexts.mod_seq, to);
        let known = opened.selected.uids().clone();
        let rows = view.changed_since(&known, since);
        let changed: UidSet = rows.iter().map(|row| row.uid).collect();
        let scans: Vec<Scan> = opened
            .contexts
            .all
            .iter()
            .map(|context| Scan {
                mailstore: self.context.mailstore.clone(),
                owner: opened.owner,
                mailbox: opened.id,
                key: Arc::clone(&context.key),
                collation: context.collation,
                progress: Arc::default(),
            })
            .collect();
        for (at, scan) in scans.iter().enumerate() {
            let matches = scan.run(view, &changed).await?;
            let context = self.opened.as_ref().and_then(|opened| opened.contexts.all.get(at));
            let Some(order) = context.map(|context| context.order.clone()) else { return Ok(()) };
            let now: Vec<Ranked> = if order.is_empty() {
                matches.uids.iter().map(|uid| (Box::default(), uid)).collect()
            } else {
                sort::rank(scan, view, &matches, &order).await?
            };
            self.tell_result(at, &changed, now, &known).await?;
        }
        Ok(())
    }

    async fn tell_result(
        &mut self,
        at: usize,
        changed: &UidSet,
        now: Vec<Ranked>,
        known: &UidSet,
    ) -> Outcome<()> {
        let context = self.opened.as_mut().and_then(|opened| opened.contexts.all.get_mut(at));
        let Some(context) = context else { return Ok(()) };
        let uid = context.uid;
        let steps = context.update(changed, now, &|each| number(uid, known, each));
        let tag = context.tag.clone();
        if !steps.is_empty() {
            self.writer().context(&tag, uid, &steps);
            self.stream.flush_if_full().await?;
        }
        Ok(())
    }
}

/// What the client is told of a message: its UID or its sequence number.
fn number(uid: bool, known: &UidSet, each: Uid) -> Option<u32> {
    if uid { Some(each) } else { known.position(each) }
}

/// Whether what a key says changes although the messages do not.
fn is_momentary(key: &SearchKey) -> bool {
    match key {
        SearchKey::Younger(_) | SearchKey::Older(_) => true,
        SearchKey::Sequence(set) => *set != SequenceSet::SavedResult,
        // `*` alone is another message with each that comes
        SearchKey::Uid(SequenceSet::Ranges(ranges)) => {
            ranges.contains(&(SeqBound::Largest, SeqBound::Largest))
        }
        _ => false,
    }
}
