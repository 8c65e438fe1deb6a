//! QRESYNC: what happened while the client was away (RFC 7162 §3.2).
//!
//! Flags come from the view, vanished UIDs from the log of changes. When the log does not reach back
//! that far, every UID the client may know and that is not there is told.

use super::reply::{Outcome, Reply};
use super::session::Session;
use super::sync::write_flags;
use super::uid_chunks::chunks;
use crate::codec::imap::select::Qresync;
use crate::codec::imap::sequence_set::SequenceSet;
use crate::mailstore::view::{View, ViewState};
use crate::model::uid::{ModSeq, Uid, UidSet};

impl Session {
    /// SELECT (QRESYNC …), after the mailbox is described (RFC 7162 §3.2.5.1).
    pub async fn resync(
        &mut self,
        qresync: &Qresync,
        view: &View,
        state: &ViewState,
    ) -> Outcome<()> {
        if qresync.uid_validity != state.uid_validity || qresync.mod_seq >= state.mod_seq {
            // Another mailbox, or nothing has happened
            return Ok(());
        }
        let log = view.vanished_since(qresync.mod_seq).await?;
        let (known, vanished) = since_then(qresync, state, log);
        self.tell_vanished_earlier(&vanished).await?;
        self.tell_changed(&known, qresync.mod_seq, view).await
    }

    /// FETCH responses with the flags of the messages of a set that changed since.
    async fn tell_changed(&mut self, uids: &UidSet, since: ModSeq, view: &View) -> Outcome<()> {
        let Some(opened) = &self.opened else { return Ok(()) };
        let style = self.enabled.style();
        let uids = uids.intersection(opened.selected.uids());
        let mut numbers = opened.selected.numbers();
        for chunk in chunks(&uids, 4096) {
            for row in view.changed_since(&chunk, since) {
                let Some(number) = numbers.of(row.uid) else { continue };
                write_flags(
                    self.stream.output(),
                    style,
                    (number, &row, numbers.is_recent(row.uid)),
                    true,
                );
                self.stream.flush_if_full().await?;
            }
        }
        Ok(())
    }

    /// `UID FETCH … (CHANGEDSINCE n VANISHED)`: what vanished of the set (RFC 7162 §3.2.6). What the
    /// client has not been told yet comes as VANISHED without EARLIER afterwards.
    pub async fn fetch_vanished(&mut self, set: &SequenceSet, since: ModSeq) -> Outcome<()> {
        if !self.enabled.qresync {
            return Err(Reply::bad("VANISHED needs ENABLE QRESYNC").into());
        }
        let (opened, view) = self.opened_view().await?;
        let state = view.state();
        let named = match set {
            SequenceSet::SavedResult => opened.selected.saved().clone(),
            set => set.resolve(opened.selected.uids().last().unwrap_or(0)),
        };
        let gone = match view.vanished_since(since).await? {
            Some(vanished) => vanished,
            None => UidSet::from_range(1, state.uid_next.saturating_sub(1)).difference(&state.uids),
        };
        let vanished = gone.intersection(&named).difference(opened.selected.uids());
        self.tell_vanished_earlier(&vanished).await
    }

    async fn tell_vanished_earlier(&mut self, vanished: &UidSet) -> Outcome<()> {
        // as many ranges as keep a line within what clients can read
        for ranges in vanished.ranges().chunks(RANGES_A_LINE) {
            self.writer().vanished(true, &UidSet::from_ranges(ranges.to_vec()));
            self.stream.flush_if_full().await?;
        }
        Ok(())
    }
}

/// The UIDs the client is told about, and which of them have vanished; `log`: what was expunged
/// since its ModSeq, if that is known.
fn since_then(qresync: &Qresync, state: &ViewState, log: Option<UidSet>) -> (UidSet, UidSet) {
    let given = UidSet::from_range(1, state.uid_next.saturating_sub(1));
    let known = match &qresync.known {
        Some(set) => set.resolve(0).intersection(&given),
        None => given,
    };
    let gone = match (log, &qresync.matched) {
        (Some(expunged), _) => expunged.intersection(&known),
        (None, None) => known.clone(),
        (None, Some((numbers, uids))) => {
            // RFC 7162 §3.2.5.2: below a message that kept its number nothing has vanished
            let kept = longest_match(&state.uids, &numbers.resolve(0), &uids.resolve(0));
            known.difference(&UidSet::from_range(1, kept))
        }
    };
    // The log may be newer than the state that the client was told
    let vanished = gone.difference(&state.uids);
    (known, vanished)
}

/// Ranges in one VANISHED response.
pub const RANGES_A_LINE: usize = 1024;

/// The highest UID that still has the sequence number the client knows, 0 if none. Numbers and UIDs
/// correspond in ascending order; those behind the shorter of the two count for nothing. Linear in
/// the ranges.
fn longest_match(mailbox: &UidSet, numbers: &UidSet, uids: &UidSet) -> Uid {
    let mut best = 0;
    let (mut numbers, mut uids) = (numbers.ranges().iter().copied(), uids.ranges().iter().copied());
    let (mut number_run, mut uid_run) = (numbers.next(), uids.next());
    let mut runs = mailbox.ranges().iter().copied();
    let (mut run, mut before) = (runs.next(), 0u32);
    while let (Some((number, number_last)), Some((uid, uid_last))) = (number_run, uid_run) {
        // a stretch in which both rise together: number + k belongs to uid + k
        let steps = (number_last - number).min(uid_last - uid);
        while let Some((first, last)) = run {
            let (low, high) = (first.max(uid), last.min(uid + steps));
            // the UID has its number when both lie equally far behind their starts
            let known = number.checked_add(low.saturating_sub(uid));
            let real = before.checked_add(low.saturating_sub(first)).and_then(|n| n.checked_add(1));
            if low <= high && known == real {
                best = best.max(high);
            }
            if last > uid + steps {
                break;
            }
            before = before.saturating_add(last - first).saturating_add(1);
            run = runs.next();
        }
        let after = |at: u32, last: u32| at.checked_add(steps + 1).filter(|next| *next <= last);
        number_run =
            after(number, number_last).map(|n| (n, number_last)).or_else(|| numbers.next());
        uid_run = after(uid, uid_last).map(|n| (n, uid_last)).or_else(|| uids.next());
    }
    best
}

#[cfg(test)]
mod tests;
