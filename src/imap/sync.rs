//! Telling the client what has changed in its mailbox.

use super::reply::{Failure, Outcome, Reply};
use super::resync::RANGES_A_LINE;
use super::rights::permitted_flags;
use super::selected::{Expunges, Updates};
use super::session::{Opened, Session};
use crate::codec::imap::fetch_response::{FetchWriter, Style};
use crate::codec::imap::response_code::ResponseCode;
use crate::mailstore::Mailstore;
use crate::mailstore::view::{View, ViewState};
use crate::model::error::{Error, Result};
use crate::model::flag::{Flag, FlagMask, FlagSet};
use crate::model::limits::KEYWORDS_MAX;
use crate::model::message::Row;
use crate::model::rights::Rights;
use crate::model::uid::{SeqNum, Uid, UidSet};
use futures_util::FutureExt;
use std::sync::Arc;

/// Where changes are looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Look {
    /// In the shared view as it is, unless the doorbell has rung.
    View,
    /// In the database: one round trip.
    Database,
}

impl Opened {
    /// The view, from the store if nobody has kept it.
    pub async fn view(&mut self, mailstore: &Mailstore) -> Result<Arc<View>> {
        if let Some(view) = self.view.upgrade() {
            return Ok(view);
        }
        let view = mailstore.view(self.owner, self.id).await?;
        self.view = Arc::downgrade(&view);
        Ok(view)
    }

    /// Takes the messages above `last` as recent that nobody else was told of. EXAMINE leaves them
    /// to others (RFC 3501 §6.3.2).
    pub fn claim_recent(&mut self, last: Uid, uid_next: Uid) {
        let Some(recent) = &self.recent else { return };
        let from = if self.read_only { recent.mark() } else { recent.claim(uid_next) };
        let fresh = UidSet::from_range(from.max(last.saturating_add(1)), Uid::MAX);
        self.selected.add_recent(&fresh);
    }
}

impl Session {
    /// The selected mailbox and its view.
    pub async fn opened_view(&mut self) -> Outcome<(&mut Opened, Arc<View>)> {
        let opened = self.opened.as_mut().ok_or_else(|| Reply::bad("Select a mailbox first"))?;
        let view = opened.view(&self.context.mailstore).await?;
        Ok((opened, view))
    }

    /// Brings the client up to date. The output is bounded: it is flushed as it grows.
    pub async fn sync(&mut self, look: Look, expunges: Expunges) -> Outcome<()> {
        // Without `r` nothing more is told
        if !self.opened.as_ref().is_some_and(|opened| opened.rights.has(Rights::READ)) {
            return Ok(());
        }
        let (opened, view) = match self.opened_view().await {
            Err(Failure::Meaning(Error::NotFound { .. })) => return Err(gone()),
            other => other?,
        };
        let is_woken = opened.subscription.woken().now_or_never().is_some();
        let state = if is_woken || look == Look::Database {
            match view.refresh().await {
                Err(Error::NotFound { .. }) => return Err(gone()),
                other => other?,
            }
        } else {
            view.state()
        };
        let last = opened.selected.uids().last().unwrap_or(0);
        let changed = |uids: &_, since| view.changed_since(uids, since);
        let has_contexts = !opened.contexts.all.is_empty();
        let before = if has_contexts { opened.selected.uids().clone() } else { UidSet::new() };
        let mut updates = opened.selected.sync(&state, changed, expunges);
        if updates.exists.is_some() {
            opened.claim_recent(last, state.uid_next);
        }
        updates.recent = opened.selected.recent_to_tell();
        let are_new = updates.exists.is_some();
        if has_contexts {
            self.tell_removed(&before, &updates.vanished).await?;
            self.tell(&state, updates).await?;
            self.tell_results(&view).await?;
        } else {
            drop(view);
            self.tell(&state, updates).await?;
        }
        if are_new && self.watch.is_some() {
            Box::pin(self.fetch_new(last)).await?;
        }
        Ok(())
    }

    async fn tell(&mut self, state: &ViewState, updates: Updates) -> Outcome<()> {
        let is_more = updates.exists.is_some() || !updates.vanished.is_empty();
        self.tell_expunged(&updates).await?;
        if let Some(exists) = updates.exists {
            self.writer().exists(u64::from(exists));
        }
        if let Some(recent) = updates.recent {
            self.writer().recent(recent);
        }
        if updates.keywords {
            self.tell_flags(&state.keywords);
        }
        let (style, with_mod_seq) = (self.enabled.style(), self.enabled.condstore);
        // RFC 5465 §5.3: changes of flags are told to who wants them
        let with_flags = self.selected_rules().is_none_or(|rules| rules.with_flags);
        for (number, row) in updates.changed.into_iter().filter(|_| with_flags) {
            let is_recent = self.is_recent(row.uid);
            write_flags(self.stream.output(), style, (number, &row, is_recent), with_mod_seq);
            self.stream.flush_if_full().await?;
        }
        if is_more && self.enabled.qresync && with_flags {
            self.tell_highest_mod_seq(state);
        }
        Ok(())
    }

    /// EXPUNGE, or VANISHED once that is agreed (RFC 7162 §3.2.10.2, RFC 9586 §3.2).
    async fn tell_expunged(&mut self, updates: &Updates) -> Outcome<()> {
        if self.enabled.qresync || self.enabled.uid_only {
            for ranges in updates.vanished.ranges().chunks(RANGES_A_LINE) {
                self.writer().vanished(false, &UidSet::from_ranges(ranges.to_vec()));
                self.stream.flush_if_full().await?;
            }
            return Ok(());
        }
        for number in &updates.expunged {
            self.writer().expunge(*number);
            self.stream.flush_if_full().await?;
        }
        Ok(())
    }

    /// EXISTS and VANISHED carry no ModSeq: this tells up to which one the client has heard all, so
    /// that it can begin there the next time.
    fn tell_highest_mod_seq(&mut self, state: &ViewState) {
        if self.opened.as_ref().is_some_and(|opened| opened.selected.has_told_all(state)) {
            self.untagged_ok(Some(&ResponseCode::HighestModSeq(state.mod_seq)), "Highest");
        }
    }

    fn is_recent(&self, uid: Uid) -> bool {
        self.opened.as_ref().is_some_and(|opened| opened.selected.recent().contains(uid))
    }

    /// FLAGS and PERMANENTFLAGS (RFC 9051 §7.3.5, §7.1).
    pub fn tell_flags(&mut self, keywords: &[String]) {
        let system = Flag::ALL.iter().map(|flag| flag.name());
        let names: Vec<&str> = system.chain(keywords.iter().map(String::as_str)).collect();
        let permitted = match &self.opened {
            Some(opened) if !opened.read_only => permitted_flags(opened.rights),
            _ => FlagMask::NONE,
        };
        self.writer().flags(names.iter().copied());
        let permanent = permitted.of(&FlagSet::from_names(names));
        let mut permanent: Vec<String> = permanent.names().map(str::to_owned).collect();
        // RFC 9051 §7.1: only while there is room for another
        if permitted.keywords && keywords.len() < KEYWORDS_MAX {
            permanent.push("\\*".into());
        }
        self.untagged_ok(Some(&ResponseCode::PermanentFlags(permanent)), "Flags permitted");
    }
}

/// A FETCH response nobody asked for.
pub fn write_flags(
    out: &mut Vec<u8>,
    style: Style,
    (number, row, is_recent): (SeqNum, &Row, bool),
    with_mod_seq: bool,
) {
    let mut fetch = FetchWriter::begin(out, style, number);
    fetch.uid(row.uid);
    fetch.flags(&row.flags, is_recent);
    if with_mod_seq {
        fetch.mod_seq(row.mod_seq);
    }
    fetch.end();
}

/// RFC 2180 §3.3: the mailbox was deleted under the session.
fn gone() -> Failure {
    Failure::Bye("The selected mailbox was deleted")
}
