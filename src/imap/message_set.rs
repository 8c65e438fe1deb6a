//! Which messages a command means (RFC 9051 §9 `sequence-set`, §6.4.4.1 `$`).

use super::reply::{Outcome, Reply, Status};
use super::session::{Opened, Session};
use crate::codec::imap::response_code::ResponseCode;
use crate::codec::imap::sequence_set::SequenceSet;
use crate::model::uid::UidSet;

impl Session {
    /// The selected mailbox.
    pub fn opened(&self) -> Outcome<&Opened> {
        self.opened.as_ref().ok_or_else(|| Reply::bad("Select a mailbox first").into())
    }

    /// The UIDs a client means, among those it knows of.
    pub fn resolve(&self, set: &SequenceSet, uid: bool) -> Outcome<UidSet> {
        resolve(&self.opened()?.selected, set, uid)
            .ok_or_else(|| Reply::bad("No message has that sequence number").into())
    }

    /// NO for a command that would change an EXAMINEd mailbox.
    pub fn refuse_read_only(&self) -> Outcome<()> {
        if self.opened()?.read_only {
            let text = "The mailbox is selected read-only";
            return Err(Reply { status: Status::No, code: None, text: text.into() }.into());
        }
        Ok(())
    }

    /// Whether some of the messages are expunged although the client has not been told yet.
    pub async fn has_expunged(&mut self, uids: &UidSet) -> Outcome<bool> {
        let (_, view) = self.opened_view().await?;
        Ok(!uids.difference(&view.state().uids).is_empty())
    }

    /// NO if a sequence number means an expunged message (RFC 2180 §4.4.1); UIDs of such are passed
    /// over.
    pub async fn refuse_expunged(&mut self, uid: bool, uids: &UidSet) -> Outcome<()> {
        if !uid && self.has_expunged(uids).await? {
            return Err(expunge_issued().into());
        }
        Ok(())
    }
}

/// RFC 5530 §3: some of the messages are gone.
///
/// 2026: imaptest knows from the word "deleted" that this is no mistake.
pub fn expunge_issued() -> Reply {
    Reply::no(ResponseCode::ExpungeIssued, "Some of the messages have been deleted")
}

/// The UIDs that a search key means. A sequence number beyond the mailbox is that of no message, so
/// it matches none (RFC 9051 §6.4.4); as an argument of FETCH it would be BAD.
pub fn resolve_key(selected: &super::selected::Selected, set: &SequenceSet, uid: bool) -> UidSet {
    let known = |numbers: &UidSet| UidSet::from_range(1, selected.exists()).intersection(numbers);
    match set {
        SequenceSet::Ranges(_) if !uid && selected.exists() == 0 => UidSet::new(),
        SequenceSet::Ranges(_) if !uid => {
            selected.uids_at(&known(&set.resolve(selected.exists()))).unwrap_or_default()
        }
        set => resolve(selected, set, true).unwrap_or_default(),
    }
}

/// The UIDs meant by a set; `None` when a sequence number is beyond the mailbox.
pub fn resolve(
    selected: &super::selected::Selected,
    set: &SequenceSet,
    uid: bool,
) -> Option<UidSet> {
    if *set == SequenceSet::SavedResult {
        return Some(selected.saved().intersection(selected.uids()));
    }
    if uid {
        let largest = selected.uids().last().unwrap_or(0);
        return Some(set.resolve(largest).intersection(selected.uids()));
    }
    // RFC 9051 §9 would have BAD for `*` in an empty mailbox. Many clients send `1:*` without
    // looking.
    if selected.exists() == 0 && set.names_largest() {
        return Some(UidSet::new());
    }
    selected.uids_at(&set.resolve(selected.exists()))
}
