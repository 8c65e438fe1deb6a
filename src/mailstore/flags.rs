//! STORE (RFC 9051 §6.4.6, RFC 7162 §3.1.3).
use super::Mailstore;
use crate::model::error::{Error, Result};
use crate::model::flag::{Flag, FlagChange, FlagSet};
use crate::model::id::{MailboxId, UserId};
use crate::model::limits::{KEYWORD_OCTETS_MAX, KEYWORDS_MAX, TRANSACTION_MESSAGES_MAX};
use crate::model::mailbox::Mailbox;
use crate::model::message::Row;
use crate::model::uid::{ModSeq, Uid, UidSet};
use crate::storage::changes::{self, Change, Kind};
use crate::storage::mailboxes::{self, Bump};
use crate::storage::message_flags::operators;
use crate::storage::messages::{self, Selection};
use crate::storage::transaction::{self, Session};
use std::collections::HashMap;

/// What a STORE did.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Stored {
    /// The ModSeqs of the changes, ascending; empty when nothing changed.
    pub mod_seqs: Vec<ModSeq>,
    /// UIDs not changed because their ModSeq is above `unchanged_since` (RFC 7162 §3.1.3 MODIFIED).
    pub modified: UidSet,
}

/// What one transaction of a STORE did.
#[derive(Default)]
struct Batch {
    mod_seq: Option<ModSeq>,
    modified: UidSet,
    /// The last UID read, when there may be more.
    full_to: Option<Uid>,
}

/// One STORE command, or what is left of it.
struct Store<'a> {
    user: UserId,
    mailbox: MailboxId,
    uids: &'a UidSet,
    change: &'a FlagChange,
    unchanged_since: Option<ModSeq>,
}

impl Mailstore {
    /// Changes flags of the messages of a set that exist. Only messages whose flags really change
    /// get the new ModSeq;
    /// if none does, nothing is written.
    ///
    /// Per 1,000 messages one transaction: mailbox update, read of the rows (some 100 octets each; a
    /// round trip per run of UIDs), update of the rows (one round trip per 250 runs), mailbox
    /// counters, one change, commit: six round trips for a range. When nothing changes: two, and the
    /// transaction is dropped.
    ///
    /// # Errors
    /// `NotFound` mailbox, `LimitReached` keywords, `Invalid` keyword, `Unavailable`; what earlier
    /// transactions changed stays changed (RFC 7162 §3.1.3: atomic for each message).
    pub async fn store_flags(
        &self,
        user: UserId,
        mailbox: MailboxId,
        uids: &UidSet,
        change: &FlagChange,
        unchanged_since: Option<ModSeq>,
    ) -> Result<Stored> {
        let mut stored = Stored::default();
        let mut left = uids.clone();
        while !left.is_empty() {
            let store = Store { user, mailbox, uids: &left, change, unchanged_since };
            let mut batch = Batch::default();
            let turn = self.writers().turn(user).await;
            let outcome = transaction::run!(self.storage(), async |session| {
                batch = self.store_once(session, &store).await?;
                // An error drops the transaction, and with it the ModSeq that nothing used
                if batch.mod_seq.is_none() { Err(unchanged()) } else { Ok(()) }
            })
            .await;
            drop(turn);
            if let Err(error) = outcome
                && !is_unchanged(&error)
            {
                return Err(error);
            }
            stored.mod_seqs.extend(batch.mod_seq);
            stored.modified = stored.modified.union(&batch.modified);
            let Some(last) = batch.full_to else { break };
            left = left.above(last);
        }
        Ok(stored)
    }

    /// Two changes one after the other, the second for the messages the first did not leave alone:
    /// for a replacement that keeps flags which differ from message to message. Costs as two.
    ///
    /// # Errors
    /// As [`Mailstore::store_flags`]; the first change may have been made.
    pub async fn store_both(
        &self,
        user: UserId,
        mailbox: MailboxId,
        uids: &UidSet,
        (first, second): (&FlagChange, &FlagChange),
        unchanged_since: Option<ModSeq>,
    ) -> Result<Stored> {
        let done = self.store_flags(user, mailbox, uids, first, unchanged_since).await?;
        let left = uids.difference(&done.modified);
        let more = self.store_flags(user, mailbox, &left, second, None).await?;
        let mod_seqs = done.mod_seqs.into_iter().chain(more.mod_seqs).collect();
        Ok(Stored { mod_seqs, modified: done.modified })
    }

    async fn store_once(&self, session: &mut Session, store: &Store<'_>) -> Result<Batch> {
        let (user, mailbox) = (store.user, store.mailbox);
        let bumped =
            mailboxes::bump(self.storage(), session, user, mailbox, &Bump::default()).await?;
        let after = bumped.ok_or(Error::NotFound { what: "mailbox" })?;
        let (change, keywords) = learn(&after, store.change)?;
        let mut plan = Plan::new(store, change);
        let limit = TRANSACTION_MESSAGES_MAX;
        let selection = Selection { limit, ..Selection::of(user, mailbox, store.uids) };
        let (mut read, mut last) = (0, None);
        messages::visit(self.storage(), session, &selection, &mut |message| {
            plan.add(&message.row);
            read += 1;
            last = Some(message.row.uid);
        })
        .await?;
        let full_to = last.filter(|_| read == limit);
        if plan.changed.is_empty() {
            return Ok(Batch { mod_seq: None, modified: plan.modified, full_to });
        }
        let mut updated = 0;
        for (uids, change) in plan.statements() {
            let selection = Selection::of(user, mailbox, &uids);
            let operators = operators(&change, &plan.spellings, after.mod_seq);
            updated += messages::update(self.storage(), session, &selection, &operators).await?;
        }
        if updated != plan.changed.len() {
            return Err(messages::miscounted());
        }
        let counters =
            Bump { unseen: plan.unseen, deleted: plan.deleted, keywords, ..Bump::default() };
        mailboxes::adjust(self.storage(), session, user, mailbox, &counters).await?;
        let change = Change {
            user,
            mailbox,
            mod_seq: after.mod_seq,
            kind: Kind::Flags,
            uids: plan.changed,
            created_ms: self.clock().now_ms(),
        };
        changes::insert(self.storage(), session, &[change]).await?;
        Ok(Batch { mod_seq: Some(after.mod_seq), modified: plan.modified, full_to })
    }
}

const UNCHANGED: &str = "nothing to change";

/// Ends a transaction that has nothing to write.
pub(super) const fn unchanged() -> Error {
    Error::Conflict { reason: UNCHANGED }
}

/// Whether a transaction ended by [`unchanged`].
pub(super) fn is_unchanged(error: &Error) -> bool {
    matches!(error, Error::Conflict { reason } if *reason == UNCHANGED)
}

/// What is to be written, found out by reading the rows.
struct Plan<'a> {
    store: &'a Store<'a>,
    change: FlagChange,
    changed: UidSet,
    modified: UidSet,
    cover: Cover,
    unseen: i64,
    deleted: i64,
    /// Messages by the flags they get, when those depend on the ones they have.
    groups: HashMap<FlagSet, Vec<Uid>>,
    /// Further spellings of keywords to remove: one moved in from another mailbox may differ in
    /// case.
    spellings: Vec<String>,
}

impl<'a> Plan<'a> {
    fn new(store: &'a Store<'a>, change: FlagChange) -> Self {
        Self {
            store,
            change,
            changed: UidSet::new(),
            modified: UidSet::new(),
            cover: Cover::default(),
            unseen: 0,
            deleted: 0,
            groups: HashMap::new(),
            spellings: Vec::new(),
        }
    }

    fn add(&mut self, row: &Row) {
        // RFC 7162 §3.1.3: a message changed since the given ModSeq is left alone and reported
        if self.store.unchanged_since.is_some_and(|since| row.mod_seq > since) {
            self.modified.insert(row.uid);
            self.cover.pass();
            return;
        }
        let after = self.change.apply(&row.flags);
        if after == row.flags {
            self.cover.pass();
            return;
        }
        let count = |flags: &FlagSet, flag| i64::from(flags.has(flag));
        self.unseen += count(&row.flags, Flag::Seen) - count(&after, Flag::Seen);
        self.deleted += count(&after, Flag::Deleted) - count(&row.flags, Flag::Deleted);
        self.changed.insert(row.uid);
        self.cover.take(row.uid, self.store.uids);
        if let FlagChange::Remove(removed) = &self.change {
            for keyword in row.flags.keywords() {
                if removed.has_keyword(keyword) && !self.spellings.contains(keyword) {
                    self.spellings.push(keyword.clone());
                }
            }
        }
        if matches!(self.change, FlagChange::ReplaceWithin(..)) {
            self.groups.entry(after).or_default().push(row.uid);
        }
    }

    /// What to write where: one statement for all, or one for each set of flags.
    fn statements(&mut self) -> Vec<(UidSet, FlagChange)> {
        if self.groups.is_empty() {
            return vec![(self.cover.finish(), self.change.clone())];
        }
        let groups = std::mem::take(&mut self.groups).into_iter();
        groups
            .map(|(flags, uids)| (uids.into_iter().collect(), FlagChange::Replace(flags)))
            .collect()
    }
}

/// The keywords of a change in the spelling of the mailbox, and those the mailbox does not know
/// yet.
fn learn(mailbox: &Mailbox, change: &FlagChange) -> Result<(FlagChange, Vec<String>)> {
    let (flags, new) = spell(&mailbox.keywords, change.flags());
    Ok(match change {
        FlagChange::Remove(_) => (FlagChange::Remove(flags), Vec::new()),
        FlagChange::Add(_) => (FlagChange::Add(flags), checked(mailbox, new)?),
        FlagChange::Replace(_) => (FlagChange::Replace(flags), checked(mailbox, new)?),
        FlagChange::ReplaceWithin(_, mask) => {
            (FlagChange::ReplaceWithin(flags, *mask), checked(mailbox, new)?)
        }
    })
}

/// Flags in the spelling of a mailbox's keyword list, and the keywords that are not in it.
pub(super) fn spell(known: &[String], flags: &FlagSet) -> (FlagSet, Vec<String>) {
    let mut new = Vec::new();
    let mut spelled = Vec::new();
    for keyword in flags.keywords() {
        match known.iter().find(|known| known.eq_ignore_ascii_case(keyword)) {
            Some(known) => spelled.push(known.clone()),
            None => {
                spelled.push(keyword.clone());
                new.push(keyword.clone());
            }
        }
    }
    (FlagSet::new(flags.system, spelled), new)
}

/// New keywords of a mailbox, if it may have them.
pub(super) fn checked(mailbox: &Mailbox, new: Vec<String>) -> Result<Vec<String>> {
    if new.iter().any(|keyword| keyword.len() > KEYWORD_OCTETS_MAX) {
        return Err(Error::invalid("flags", "a keyword has at most 255 octets"));
    }
    if !new.is_empty() && mailbox.keywords.len() + new.len() > KEYWORDS_MAX {
        return Err(Error::LimitReached { limit: format!("{KEYWORDS_MAX} keywords") });
    }
    Ok(new)
}

/// Ranges that hold all taken messages and no other, as few as the rows allow: gaps of the mailbox
/// are bridged.
#[derive(Debug, Default)]
struct Cover {
    ranges: Vec<(Uid, Uid)>,
    /// The index in the asked set of the range that may still grow.
    open: Option<usize>,
}

impl Cover {
    /// The next row is taken.
    fn take(&mut self, uid: Uid, asked: &UidSet) {
        let index = asked.ranges().partition_point(|range| range.1 < uid);
        match self.ranges.last_mut() {
            // All rows of one asked range were read: none that exists lies between
            Some(last) if self.open == Some(index) => last.1 = uid,
            _ => self.ranges.push((uid, uid)),
        }
        self.open = Some(index);
    }

    /// The next row is left alone.
    const fn pass(&mut self) {
        self.open = None;
    }

    fn finish(&mut self) -> UidSet {
        UidSet::from_ranges(std::mem::take(&mut self.ranges))
    }
}
