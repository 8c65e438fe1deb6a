//! The shared in-memory view of a selected mailbox: one per mailbox and node, 37 octets a message.
//!
//! A view is always the exact state of its mailbox at one ModSeq, so a session that was told ModSeq
//! *n* has seen
//! everything up to *n* and nothing above. [`View::refresh`] gets from *n* to a later *m* so:
//!
//! 1. Read the mailbox document: *m*. If it is *n*, done.
//! 2. Read the rows with ModSeq > *n* and the changes in (*n*, *m*]; take rows as new or changed
//!    and remove the
//!    expunged. A UID never comes back, so the order of the two reads is free.
//! 3. Read the mailbox document again. Every commit raises the ModSeq in it. If it is still *m*, no
//!    commit happened
//!    between the two reads, so step 2 saw the state at *m* and nothing else: publish. If it is
//!    *m'* > *m*, go on
//!    from step 2 with (*m*, *m'*]. What was read so far stays right for each message whose last
//!    change is ≤ *m*:
//!    that change was committed before step 2 and was not overwritten, so it was seen; every other
//!    message has a
//!    change > *m* and is read again.
//! 4. A mailbox that changes faster than that is read, after three rounds, in one snapshot
//!    transaction from the
//!    last *m*.
//!
//! Nothing is published before the end, so readers never see an intermediate state. Every ModSeq
//! has its change
//! document; a hole in (*n*, *m*] means that the log has expired, and the view is read anew as a
//! whole. Reads are of
//! majority-committed data, so no ModSeq that was seen is taken back by an election.

use super::Mailstore;
use super::columns::Columns;
use crate::model::error::{Error, Result};
use crate::model::id::{MailboxId, UserId};
use crate::model::mailbox::Mailbox;
use crate::model::message::Row;
use crate::model::uid::{ModSeq, Uid, UidSet, UidValidity};
use crate::storage::transaction::{self, Session};
use crate::storage::{Storage, change_log, mailboxes, messages};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// Rounds of reading before a snapshot.
const ROUNDS_MAX: usize = 3;
/// Changes after which reading the mailbox anew is cheaper than following the log.
const LOG_MAX: i64 = 20_000;

/// A mailbox's columns.
#[derive(Debug)]
pub struct View {
    storage: Storage,
    user: UserId,
    mailbox: MailboxId,
    /// Refreshes that have begun.
    begun: AtomicU64,
    /// The number of the last refresh that ended well; held by the one that runs.
    turn: tokio::sync::Mutex<u64>,
    data: RwLock<Data>,
}

#[derive(Debug)]
struct Data {
    loaded: bool,
    columns: Columns,
    state: ViewState,
}

/// What a view says of the mailbox as of its ModSeq.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ViewState {
    /// UIDVALIDITY.
    pub uid_validity: UidValidity,
    /// UIDNEXT.
    pub uid_next: Uid,
    /// HIGHESTMODSEQ; everything up to it is in the view.
    pub mod_seq: ModSeq,
    /// All UIDs.
    pub uids: UidSet,
    /// Keywords known in the mailbox.
    pub keywords: Vec<String>,
}

impl Mailstore {
    /// The shared view of a mailbox, up to date. Costs as [`View::refresh`]; the first time all
    /// rows are read.
    ///
    /// # Errors
    /// `NotFound` mailbox, `Unavailable`.
    pub async fn view(&self, user: UserId, mailbox: MailboxId) -> Result<Arc<View>> {
        let view = self.views().get_or_insert(user, mailbox, || {
            Arc::new(View::new(self.storage().clone(), user, mailbox))
        });
        match view.refresh().await {
            Ok(_) => Ok(view),
            Err(error) => {
                if matches!(error, Error::NotFound { .. }) {
                    self.views().remove(user, mailbox);
                }
                Err(error)
            }
        }
    }
}

impl Mailstore {
    /// Views in memory and their octets, for the metrics.
    pub fn view_census(&self) -> (usize, usize) {
        self.views().census()
    }
}

/// What was read since the published state.
#[derive(Default)]
struct Delta {
    /// The whole mailbox, read anew.
    fresh: Option<Columns>,
    rows: Vec<Row>,
    expunged: UidSet,
}

impl Delta {
    fn add(&mut self, row: Row) {
        match &mut self.fresh {
            Some(columns) => columns.upsert(&row),
            None => self.rows.push(row),
        }
    }
}

impl View {
    fn new(storage: Storage, user: UserId, mailbox: MailboxId) -> Self {
        let state = ViewState {
            uid_validity: 0,
            uid_next: 1,
            mod_seq: 0,
            uids: UidSet::new(),
            keywords: Vec::new(),
        };
        let data = Data { loaded: false, columns: Columns::default(), state };
        Self {
            storage,
            user,
            mailbox,
            begun: AtomicU64::new(0),
            turn: tokio::sync::Mutex::new(0),
            data: RwLock::new(data),
        }
    }

    /// Reads what has changed in the database. One round trip when nothing has, else four and one
    /// per 1,000 rows.
    /// Callers that come while one reads share the next reading.
    ///
    /// # Errors
    /// `NotFound` when the mailbox is gone, `Unavailable`.
    pub async fn refresh(&self) -> Result<ViewState> {
        self.refresh_in(ROUNDS_MAX).await
    }

    /// [`Self::refresh`] with so many rounds before a snapshot.
    pub(super) async fn refresh_in(&self, rounds: usize) -> Result<ViewState> {
        let wanted = self.begun.load(Ordering::SeqCst) + 1;
        let mut turn = self.turn.lock().await;
        if *turn >= wanted {
            // That one began after this call: it has seen all that this one would
            return Ok(self.state());
        }
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let found = mailboxes::find(&self.storage, self.user, self.mailbox).await?;
        let target = found.ok_or(Error::NotFound { what: "mailbox" })?;
        let (loaded, known, validity) =
            self.read(|data| (data.loaded, data.state.mod_seq, data.state.uid_validity));
        let same = loaded && validity == target.uid_validity && known <= target.mod_seq;
        if !same || known != target.mod_seq {
            self.follow(if same { known } else { 0 }, target, rounds).await?;
        }
        *turn = number;
        Ok(self.state())
    }

    /// Steps 2 to 4 from a state; 0: from nothing.
    async fn follow(&self, known: ModSeq, mut target: Mailbox, rounds: usize) -> Result<()> {
        let mut delta = Delta::default();
        if known == 0 {
            delta.fresh = Some(Columns::default());
        }
        let mut from = known;
        for _ in 0..rounds {
            if !self.collect(None, from, target.mod_seq, &mut delta).await? {
                delta = Delta { fresh: Some(Columns::default()), ..Delta::default() };
                from = 0;
                self.collect(None, from, target.mod_seq, &mut delta).await?;
            }
            let found = mailboxes::find(&self.storage, self.user, self.mailbox).await?;
            let again = found.ok_or(Error::NotFound { what: "mailbox" })?;
            if again.mod_seq == target.mod_seq {
                self.publish(delta, &again);
                return Ok(());
            }
            from = target.mod_seq;
            target = again;
        }
        let (last, rest) = self.snapshot(from).await?;
        for row in rest.rows {
            delta.add(row);
        }
        delta.expunged = delta.expunged.union(&rest.expunged);
        if rest.fresh.is_some() {
            delta = Delta { fresh: rest.fresh, ..Delta::default() };
        }
        self.publish(delta, &last);
        Ok(())
    }

    /// The mailbox and what has changed since, in one snapshot.
    async fn snapshot(&self, from: ModSeq) -> Result<(Mailbox, Delta)> {
        transaction::run!(&self.storage, async |session| {
            let found =
                change_log::find_mailbox(&self.storage, session, self.user, self.mailbox).await?;
            let target = found.ok_or(Error::NotFound { what: "mailbox" })?;
            let mut delta = Delta::default();
            if !self.collect(Some(session), from, target.mod_seq, &mut delta).await? {
                delta = Delta { fresh: Some(Columns::default()), ..Delta::default() };
                self.collect(Some(session), 0, target.mod_seq, &mut delta).await?;
            }
            Ok((target, delta))
        })
        .await
    }

    /// Step 2. `false`: the log does not reach back to `from`.
    async fn collect(
        &self,
        mut session: Option<&mut Session>,
        from: ModSeq,
        to: ModSeq,
        delta: &mut Delta,
    ) -> Result<bool> {
        let place = (self.user, self.mailbox);
        if from > 0 {
            let log =
                change_log::read(&self.storage, session.as_deref_mut(), place, (from, to), LOG_MAX)
                    .await?;
            if log.complete_to < to {
                return Ok(false);
            }
            delta.expunged = delta.expunged.union(&log.expunged);
        }
        messages::visit_changed(&self.storage, session, place, from, &mut |row| delta.add(row))
            .await?;
        Ok(true)
    }

    fn publish(&self, delta: Delta, mailbox: &Mailbox) {
        let mut data = self.data.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(fresh) = delta.fresh {
            data.columns = fresh;
        }
        for row in &delta.rows {
            data.columns.upsert(row);
        }
        data.columns.remove(&delta.expunged);
        data.columns.compact();
        data.loaded = true;
        data.state = ViewState {
            uid_validity: mailbox.uid_validity,
            uid_next: mailbox.uid_next,
            mod_seq: mailbox.mod_seq,
            uids: data.columns.uid_set(),
            keywords: mailbox.keywords.clone(),
        };
    }

    fn read<T>(&self, with: impl FnOnce(&Data) -> T) -> T {
        with(&self.data.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Octets of memory.
    pub(super) fn cost(&self) -> usize {
        self.read(|data| data.columns.cost() + data.state.uids.ranges().len() * 8 + 512)
    }

    /// The state without looking.
    pub fn state(&self) -> ViewState {
        self.read(|data| data.state.clone())
    }

    /// One row.
    pub fn row(&self, uid: Uid) -> Option<Row> {
        self.read(|data| data.columns.row(uid))
    }

    /// Rows of the set with ModSeq above the given one, ascending by UID. Copies only those.
    pub fn changed_since(&self, uids: &UidSet, mod_seq: ModSeq) -> Vec<Row> {
        let mut rows = Vec::new();
        self.read(|data| data.columns.for_each(uids, mod_seq, &mut |row| rows.push(row.clone())));
        rows
    }

    /// Calls `visit` for each row of the set in ascending order of UID, under the view's read lock:
    /// `visit` must
    /// not block.
    pub fn for_each(&self, uids: &UidSet, visit: &mut dyn FnMut(&Row)) {
        self.read(|data| data.columns.for_each(uids, 0, visit));
    }

    /// UIDs expunged after a ModSeq and up to the view's, for VANISHED (EARLIER); `None` when the
    /// change log no
    /// longer reaches back. One round trip per 1,000 changes.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn vanished_since(&self, mod_seq: ModSeq) -> Result<Option<UidSet>> {
        let to = self.read(|data| data.state.mod_seq);
        if mod_seq >= to {
            return Ok(Some(UidSet::new()));
        }
        let place = (self.user, self.mailbox);
        let log = change_log::read(&self.storage, None, place, (mod_seq, to), 0).await?;
        Ok((log.complete_to == to).then_some(log.expunged))
    }
}
