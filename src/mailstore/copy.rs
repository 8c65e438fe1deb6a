//! COPY (RFC 9051 §6.4.7) and MOVE (RFC 6851, RFC 9051 §6.4.8).
use super::Mailstore;
use super::flags::{checked, is_unchanged, spell, unchanged};
use super::marks::Mark;
use crate::model::error::{Error, Result};
use crate::model::flag::{Flag, FlagMask, FlagSet};
use crate::model::id::{ContentHash, MailboxId, UserId};
use crate::model::limits::TRANSACTION_MESSAGES_MAX;
use crate::model::mailbox::Mailbox;
use crate::model::message::{Message, Row};
use crate::model::uid::{Uid, UidSet, UidValidity};
use crate::storage::changes::{self, Change, GONE_MAX, Gone, Kind};
use crate::storage::mailboxes::{self, Bump};
use crate::storage::message_copy::{self, Target, no_uids_left};
use crate::storage::messages::{self, Fields, Selection};
use crate::storage::transaction::{self, Session};
use crate::storage::{contents, usage};
use std::collections::BTreeMap;

/// Attempts of a copy whose messages go meanwhile.
const ATTEMPTS_MAX: usize = 4;
/// A message went between the read of the contents and the transaction.
const VANISHED: &str = "messages went while they were copied";

/// COPYUID (RFC 4315 §3): pairs in ascending order of source.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Copied {
    /// UIDVALIDITY of the target.
    pub uid_validity: UidValidity,
    /// (source, target) UIDs.
    pub uids: Vec<(Uid, Uid)>,
}

/// An owner and one of his mailboxes.
pub type Place = (UserId, MailboxId);

/// References to contents, by number.
pub(super) type References = BTreeMap<ContentHash, u64>;

impl Mailstore {
    /// Copies messages with flags and internal date, all or none (RFC 9051 §6.4.7); content is
    /// shared.
    ///
    /// First whether what comes there is encrypted: a round trip. Then, per 1,000 messages: the
    /// rows are read and the counts of their contents raised (one commit per
    /// distinct number); then one transaction: target mailbox, quota, read and insert of the
    /// documents, a note on the originals, counters, one change, commit. What was copied goes again
    /// when a later part fails. A crash in between leaves counts too high, never too low, and copies
    /// of which nobody was told.
    ///
    /// # Errors
    /// `NotFound` mailbox, `OverQuota`, `LimitReached` keywords or UIDs, `Unavailable`.
    pub async fn copy(
        &self,
        user: UserId,
        source: MailboxId,
        uids: &UidSet,
        target: MailboxId,
    ) -> Result<Copied> {
        self.copy_to((user, source), uids, (user, target), FlagMask::ALL).await
    }

    /// As [`Self::copy`], also to another user's mailbox, with only those flags (RFC 4314 §4). The
    /// octets count for the owner of the target.
    ///
    /// # Errors
    /// As [`Self::copy`].
    pub async fn copy_to(
        &self,
        source: Place,
        uids: &UidSet,
        target: Place,
        flags: FlagMask,
    ) -> Result<Copied> {
        match self.keys_of_mailbox(target).await? {
            Some(keys) => self.copy_encrypting(source, uids, target, flags, &keys).await,
            None => self.copy_plain(source, uids, target, flags).await,
        }
    }

    pub(super) async fn copy_plain(
        &self,
        source: Place,
        uids: &UidSet,
        target: Place,
        flags: FlagMask,
    ) -> Result<Copied> {
        let found = mailboxes::find(self.storage(), target.0, target.1).await?;
        let found = found.ok_or(Error::NotFound { what: "mailbox" })?;
        let mut copied = Copied { uid_validity: found.uid_validity, uids: Vec::new() };
        // The copies themselves are not copied
        let mut left = if source == target { uids.below(found.uid_next) } else { uids.clone() };
        while !left.is_empty() {
            match self.copy_part(source, &left, target, flags).await {
                Ok(part) => {
                    let Some(last) = part.uids.last().map(|pair| pair.0) else { break };
                    let is_full = part.uids.len() as u64 >= TRANSACTION_MESSAGES_MAX;
                    copied.uids.extend(part.uids);
                    left = if is_full { left.above(last) } else { UidSet::new() };
                }
                Err(error) => {
                    self.undo_copy(target, &copied).await;
                    return Err(error);
                }
            }
        }
        Ok(copied)
    }

    pub(super) async fn undo_copy(&self, target: Place, copied: &Copied) {
        let uids: UidSet = copied.uids.iter().map(|pair| pair.1).collect();
        if let Err(error) = self.remove_for_good(target.0, target.1, &uids).await {
            tracing::warn!(%error, messages = uids.len(), "a part of a failed copy stays");
        }
    }

    /// The first messages of a set, as many as fit a transaction.
    async fn copy_part(
        &self,
        source: Place,
        uids: &UidSet,
        target: Place,
        flags: FlagMask,
    ) -> Result<Copied> {
        for _ in 0..ATTEMPTS_MAX {
            match self.try_copy(source, uids, target, flags).await {
                Err(Error::Conflict { reason: VANISHED }) => {}
                other => return other,
            }
        }
        Err(Error::Conflict { reason: VANISHED })
    }

    async fn try_copy(
        &self,
        source: Place,
        uids: &UidSet,
        target: Place,
        flags: FlagMask,
    ) -> Result<Copied> {
        let storage = self.storage();
        let (uids, references, octets) = self.references(source.0, source.1, uids).await?;
        if uids.is_empty() {
            return Ok(Copied::default());
        }
        self.raise(&references).await?;
        let turn = self.writers().turn(target.0).await;
        let outcome = transaction::run!(storage, async |session| {
            self.copy_once(session, source, (&uids, octets), (target, flags)).await
        })
        .await;
        drop(turn);
        // After an unknown outcome the references may exist: counts only err upwards
        if let Err(error) = &outcome
            && !matches!(error, Error::Unavailable { .. } | Error::Internal { .. })
        {
            self.lower(&references).await;
        }
        outcome
    }

    async fn copy_once(
        &self,
        session: &mut Session,
        source: Place,
        (uids, octets): (&UidSet, i64),
        ((user, target), flags): (Place, FlagMask),
    ) -> Result<Copied> {
        let storage = self.storage();
        let bumped = mailboxes::bump(storage, session, user, target, &Bump::default()).await?;
        let after = bumped.ok_or(Error::NotFound { what: "mailbox" })?;
        // Before the long part, so that what collides with it waits instead of undoing it
        let used = usage::add(storage, session, user, octets).await?;
        if let Some(used) = used {
            usage::check(storage, session, user, &used, uids.len()).await?;
        }
        let retention_ms = used.map_or(0, |used| used.retention_ms);
        let place = Target { flags, ..self.target(&after, retention_ms) };
        let mut sum = Sum::default();
        let mut sources = Vec::new();
        message_copy::copy(storage, session, source, uids, &place, &mut |row| {
            sources.push(row.uid);
            sum.add(&row);
        })
        .await?;
        if sources.len() as u64 != uids.len() {
            return Err(Error::Conflict { reason: VANISHED });
        }
        // Somebody else's copy is no reason not to archive the owner's message
        if source.0 == user {
            let originals = Selection::of(user, source.1, uids);
            message_copy::mark_copied(storage, session, &originals).await?;
        }
        let count = u32::try_from(sources.len()).map_err(|_| no_uids_left())?;
        mailboxes::adjust(storage, session, user, target, &sum.into_bump(&after, count)?).await?;
        let last = after.uid_next.checked_add(count).ok_or_else(no_uids_left)?;
        let new = UidSet::from_range(after.uid_next, last - 1);
        let change = self.change(&after, Kind::Append, new);
        changes::insert(storage, session, &[change]).await?;
        let uids = sources.into_iter().zip(after.uid_next..).collect();
        Ok(Copied { uid_validity: after.uid_validity, uids })
    }

    /// Moves messages. Same mailbox: new UIDs.
    ///
    /// First whether what comes there is encrypted: a round trip. Then, per 1,000 messages one transaction
    /// over both mailboxes: both in the order of their ids (so that
    /// two moves in opposite directions do not wait for each other), read of the rows and of the
    /// user's retention, update in place (one round trip per 250 runs of UIDs), both counters, both
    /// changes, commit: nine round trips for a range. Contents and quota are untouched.
    ///
    /// # Errors
    /// `NotFound` mailbox, `LimitReached` keywords or UIDs, `Unavailable`; what earlier transactions
    /// moved stays moved (RFC 6851 §3.3).
    pub async fn move_messages(
        &self,
        user: UserId,
        source: MailboxId,
        uids: &UidSet,
        target: MailboxId,
    ) -> Result<Copied> {
        if source != target
            && let Some(keys) = self.keys_of_mailbox((user, target)).await?
        {
            return self.move_encrypting(user, (source, target), uids, &keys).await;
        }
        let mut mark = None;
        let mut all = Copied::default();
        let mut left = uids.clone();
        while !left.is_empty() {
            let mut moved = Copied::default();
            let turn = self.writers().turn(user).await;
            let outcome = transaction::run!(self.storage(), async |session| {
                (moved, mark) = self.move_once(session, (user, source), &left, target).await?;
                if moved.uids.is_empty() { Err(unchanged()) } else { Ok(()) }
            })
            .await;
            drop(turn);
            all.uid_validity = moved.uid_validity;
            match outcome {
                Err(error) if is_unchanged(&error) => break,
                Err(error) => return Err(error),
                Ok(()) => {}
            }
            let is_full = moved.uids.len() as u64 >= TRANSACTION_MESSAGES_MAX;
            let Some((last, _)) = moved.uids.last().copied().filter(|_| is_full) else {
                all.uids.extend(moved.uids);
                break;
            };
            left = left.above(last);
            if source == target
                && let Some((_, first)) = moved.uids.first()
            {
                // What was moved is not moved again
                left = left.below(*first);
            }
            all.uids.extend(moved.uids);
        }
        if let Some(mark) = mark {
            self.mark(user, target, all.uids.iter().map(|pair| pair.1).collect(), mark);
        }
        Ok(all)
    }

    /// As [`Self::move_messages`], also to another user's mailbox, with only those flags (RFC 4314
    /// §4): a copy, then the removal of what was copied, as RFC 6851 §3.3 allows. A crash in
    /// between leaves messages in both.
    ///
    /// # Errors
    /// As [`Self::copy`].
    pub async fn move_to(
        &self,
        source: Place,
        uids: &UidSet,
        target: Place,
        flags: FlagMask,
    ) -> Result<Copied> {
        if source.0 == target.0 && flags == FlagMask::ALL {
            return self.move_messages(source.0, source.1, uids, target.1).await;
        }
        let copied = self.copy_to(source, uids, target, flags).await?;
        let sources: UidSet = copied.uids.iter().map(|pair| pair.0).collect();
        if !sources.is_empty() {
            self.remove(source.0, source.1, &sources).await?;
        }
        Ok(copied)
    }

    async fn move_once(
        &self,
        session: &mut Session,
        (user, source): (UserId, MailboxId),
        uids: &UidSet,
        target: MailboxId,
    ) -> Result<(Copied, Option<Mark>)> {
        let storage = self.storage();
        let (from, to) = self.bump_both(session, user, source, target).await?;
        let (mut moved, mut sum, mut gone) = (UidSet::new(), Sum::default(), Vec::new());
        let limit = TRANSACTION_MESSAGES_MAX;
        let selection = Selection { limit, ..Selection::of(user, source, uids) };
        messages::visit_identified(storage, session, &selection, &mut |message| {
            moved.insert(message.row.uid);
            sum.add(&message.row);
            note_gone(&mut gone, &message);
        })
        .await?;
        if moved.is_empty() {
            return Ok((Copied { uid_validity: to.uid_validity, uids: Vec::new() }, None));
        }
        let count = u32::try_from(moved.len()).map_err(|_| no_uids_left())?;
        let last = to.uid_next.checked_add(count).ok_or_else(no_uids_left)?;
        let place = self.target(&to, usage::find_retention(storage, session, user).await?);
        let updated =
            message_copy::move_to(storage, session, (user, source), &moved, &place).await?;
        if updated != moved.len() {
            return Err(messages::miscounted());
        }
        let mut changes = vec![self.change(&from, Kind::Expunge, moved.clone())];
        if source == target {
            let bump = Bump { uids: count, ..Bump::default() };
            mailboxes::adjust(storage, session, user, source, &bump).await?;
        } else {
            mailboxes::adjust(storage, session, user, source, &sum.negated(count)).await?;
            let bump = sum.into_bump(&to, count)?;
            mailboxes::adjust(storage, session, user, target, &bump).await?;
            let new = UidSet::from_range(to.uid_next, last - 1);
            changes.push(self.change(&to, Kind::Append, new));
        }
        changes::insert_with_gone(storage, session, &changes, &gone).await?;
        let uids = moved.iter().zip(to.uid_next..).collect();
        let mark = Mark::of_move(from.special_use, to.special_use);
        Ok((Copied { uid_validity: to.uid_validity, uids }, mark))
    }

    /// Source and target after their bumps.
    async fn bump_both(
        &self,
        session: &mut Session,
        user: UserId,
        source: MailboxId,
        target: MailboxId,
    ) -> Result<(Mailbox, Mailbox)> {
        let gone = || Error::NotFound { what: "mailbox" };
        let (low, high) = (source.min(target), source.max(target));
        let none = Bump::default();
        let storage = self.storage();
        let first = mailboxes::bump(storage, session, user, low, &none).await?.ok_or_else(gone)?;
        if low == high {
            return Ok((first.clone(), first));
        }
        let second =
            mailboxes::bump(storage, session, user, high, &none).await?.ok_or_else(gone)?;
        Ok(if low == source { (first, second) } else { (second, first) })
    }

    pub(super) fn target(&self, mailbox: &Mailbox, user_retention_ms: u64) -> Target {
        let saved_ms = self.clock().now_ms();
        Target {
            user: mailbox.user,
            mailbox: mailbox.id,
            uid_first: mailbox.uid_next,
            mod_seq: mailbox.mod_seq,
            saved_ms,
            flags: FlagMask::ALL,
            expires_ms: mailbox.expiry(user_retention_ms, saved_ms),
        }
    }

    /// The change of a transaction that began with this bump.
    pub(super) fn change(&self, mailbox: &Mailbox, kind: Kind, uids: UidSet) -> Change {
        Change {
            user: mailbox.user,
            mailbox: mailbox.id,
            mod_seq: mailbox.mod_seq,
            kind,
            uids,
            created_ms: self.clock().now_ms(),
        }
    }

    /// The first messages of a set that exist, as many as fit a transaction, what they refer to, and
    /// their octets.
    async fn references(
        &self,
        user: UserId,
        source: MailboxId,
        uids: &UidSet,
    ) -> Result<(UidSet, References, i64)> {
        let mut stream = messages::stream(self.storage(), user, source, uids, Fields::default());
        let (mut found, mut references, mut octets) = (UidSet::new(), References::new(), 0i64);
        while found.len() < TRANSACTION_MESSAGES_MAX
            && let Some(message) = stream.next().await?
        {
            found.insert(message.row.uid);
            octets = octets.saturating_add_unsigned(message.row.octets);
            *references.entry(message.content).or_default() += 1;
        }
        Ok((found, references, octets))
    }

    /// Raises the counts of contents. `Conflict` when one has just gone with its last message.
    async fn raise(&self, references: &References) -> Result<()> {
        if contents::raise_many(self.storage(), references).await? {
            return Ok(());
        }
        Err(Error::Conflict { reason: VANISHED })
    }

    /// Lowers the counts of contents. A failure leaves them too high, which the scrub job corrects.
    pub(super) async fn lower(&self, references: &References) {
        if let Err(error) = contents::lower_many(self.storage(), references).await {
            tracing::warn!(%error, "contents keep references that are gone");
        }
    }
}

/// Names a message that goes, unless it is one of too many.
pub(super) fn note_gone(gone: &mut Vec<Gone>, message: &Message) {
    if gone.len() <= GONE_MAX {
        gone.push(Gone { uid: message.row.uid, id: message.id, thread: message.thread });
    }
}

/// What a number of rows adds to the counters of a mailbox.
#[derive(Default)]
pub(super) struct Sum {
    pub(super) unseen: i64,
    pub(super) deleted: i64,
    pub(super) octets: i64,
    keywords: FlagSet,
}

impl Sum {
    pub(super) fn add(&mut self, row: &Row) {
        self.unseen += i64::from(!row.flags.has(Flag::Seen));
        self.deleted += i64::from(row.flags.has(Flag::Deleted));
        self.octets = self.octets.saturating_add_unsigned(row.octets);
        for keyword in row.flags.keywords() {
            self.keywords.insert_keyword(keyword);
        }
    }

    /// For the mailbox they come into.
    pub(super) fn into_bump(self, mailbox: &Mailbox, count: u32) -> Result<Bump> {
        let (_, new) = spell(&mailbox.keywords, &self.keywords);
        Ok(Bump {
            uids: count,
            messages: i64::from(count),
            unseen: self.unseen,
            deleted: self.deleted,
            octets: self.octets,
            keywords: checked(mailbox, new)?,
        })
    }

    /// For the mailbox they leave.
    pub(super) fn negated(&self, count: u32) -> Bump {
        Bump {
            messages: -i64::from(count),
            unseen: -self.unseen,
            deleted: -self.deleted,
            octets: -self.octets,
            ..Bump::default()
        }
    }
}
