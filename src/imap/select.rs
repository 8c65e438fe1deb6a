//! SELECT, EXAMINE, CLOSE, UNSELECT (RFC 9051 §6.3.2, §6.3.3, §6.4.1, §6.4.2).

use super::reply::{Outcome, Reply};
use super::rights::Reached;
use super::search::context::Contexts;
use super::selected::{Expunges, Selected};
use super::session::{Opened, Session, uid_required};
use super::sync::Look;
use super::uid_chunks::chunks;
use crate::codec::imap::response::ListLine;
use crate::codec::imap::response_code::ResponseCode;
use crate::codec::imap::select::SelectParams;
use crate::mailstore::view::{View, ViewState};
use crate::model::error::Error;
use crate::model::flag::Flag;
use crate::model::mailbox::{Mailbox, MailboxName};
use crate::model::rights::Rights;
use crate::model::uid::{ModSeq, SeqNum, Uid};
use std::sync::Arc;
use unicode_normalization::UnicodeNormalization;

/// A name as clients write it, in Net-Unicode (RFC 9051 §5.1).
pub fn mailbox_name(text: &str) -> Result<MailboxName, Error> {
    MailboxName::new(&text.nfc().collect::<String>())
}

impl Session {
    /// SELECT and EXAMINE. After a failure no mailbox is selected.
    pub async fn select(&mut self, name: &str, read_only: bool, params: &SelectParams) -> Outcome {
        if params.qresync.is_some() && !self.enabled.qresync {
            // RFC 7162 §3.2.5: the mailbox that is selected stays so
            return Err(Reply::bad("QRESYNC has to be enabled before").into());
        }
        let has_numbers = params.qresync.as_ref().is_some_and(|it| it.matched.is_some());
        if has_numbers && self.enabled.uid_only {
            return Err(uid_required().into());
        }
        if self.opened.take().is_some() {
            self.untagged_ok(Some(&ResponseCode::Closed), "Previous mailbox closed");
        }
        self.enabled.condstore |= params.condstore;
        let reached = self.find_mailbox(&mailbox_name(name)?).await?;
        reached.require(Rights::READ)?;
        let Reached { mailbox, rights } = reached;
        let (owner, examined) = (mailbox.user, read_only);
        // RFC 4314 §5.2
        let read_only = examined || !rights.has_any(Rights::CHANGING);
        // Subscribed before the view is read: what happens in between rings.
        let subscription = self.context.notifier.subscribe(owner, mailbox.id);
        let view = self.context.mailstore.view(owner, mailbox.id).await?;
        let state = view.state();
        let mut selected = Selected::new(&state);
        if self.enabled.uid_only {
            selected.use_uids_only();
        }
        let mut opened = Opened {
            id: mailbox.id,
            owner,
            rights,
            name: mailbox.name.clone(),
            examined,
            read_only,
            selected,
            view: Arc::downgrade(&view),
            subscription,
            contexts: Contexts::default(),
            // RFC 9051 appendix E: no \Recent
            recent: (!self.enabled.rev2).then(|| self.context.mailstore.follow_recent(&mailbox)),
        };
        opened.claim_recent(0, state.uid_next);
        let recent = opened.selected.recent_to_tell().unwrap_or(0);
        self.opened = Some(opened);
        self.describe(&mailbox, &view, &state, recent);
        if let Some(qresync) = &params.qresync {
            self.resync(qresync, &view, &state).await?;
        }
        let code = if read_only { ResponseCode::ReadOnly } else { ResponseCode::ReadWrite };
        Ok(Reply::ok(if examined { "Examining" } else { "Selected" }).with(code))
    }

    fn describe(&mut self, mailbox: &Mailbox, view: &View, state: &ViewState, recent: u64) {
        self.tell_flags(&state.keywords);
        let is_rev2 = self.enabled.rev2;
        let mut writer = self.writer();
        writer.exists(state.uids.len());
        if !is_rev2 {
            writer.recent(recent);
            let first = if self.enabled.uid_only { None } else { first_unseen(view, state) };
            if let Some(number) = first {
                self.untagged_ok(Some(&ResponseCode::Unseen(number)), "First unseen");
            }
        }
        let codes = [
            (ResponseCode::UidValidity(state.uid_validity), "UIDs valid"),
            (ResponseCode::UidNext(state.uid_next), "Predicted next UID"),
            (ResponseCode::HighestModSeq(state.mod_seq.max(1)), "Highest"),
            // RFC 8474 §4.2
            (ResponseCode::MailboxId(mailbox.id.to_string()), "Mailbox id"),
        ];
        for (code, text) in codes {
            self.untagged_ok(Some(&code), text);
        }
        if is_rev2 {
            // RFC 9051 §6.3.2: the name as the server writes it
            let line = ListLine { name: mailbox.name.as_str(), ..ListLine::default() };
            self.writer().list(&line);
        }
    }

    /// CLOSE (which expunges) and UNSELECT.
    pub async fn close(&mut self, expunges: bool) -> Outcome {
        let mut code = None;
        if let Some(opened) = &self.opened
            && expunges
            && !opened.read_only
            // RFC 4314 §4: without the right CLOSE only closes
            && opened.rights.has(Rights::EXPUNGE)
        {
            // RFC 9051 §6.4.1: without EXPUNGE responses. The mailbox stays selected if it fails.
            let (owner, id, view) = (opened.owner, opened.id, opened.view.upgrade());
            if view.is_none_or(|view| has_deleted(&view)) {
                // RFC 7162 §3.2.8: the tagged OK tells the ModSeq up to which the client knows all,
                // so what others did is told before
                if self.enabled.qresync {
                    self.sync(Look::Database, Expunges::Allowed).await?;
                }
                let gone = self.context.mailstore.expunge_deleted(owner, id, None).await?;
                if self.enabled.qresync && !gone.is_empty() {
                    code = self.mod_seq_after_own_change().await.ok();
                }
            }
        }
        self.opened = None;
        let reply = Reply::ok("Closed");
        Ok(match code {
            Some(mod_seq) => reply.with(ResponseCode::HighestModSeq(mod_seq)),
            None => reply,
        })
    }
}

impl Session {
    /// The ModSeq up to which the client knows all after a change of its own that it is not told of:
    /// that of the change, if it is the only one since.
    async fn mod_seq_after_own_change(&mut self) -> Outcome<ModSeq> {
        let (opened, view) = self.opened_view().await?;
        let known = opened.selected.mod_seq();
        let now = view.refresh().await?.mod_seq;
        Ok(if now == known + 1 { now } else { known })
    }
}

/// Whether CLOSE has something to do as far as this node knows. What others have flagged in this
/// moment
/// stays, as if it had been flagged after the CLOSE.
fn has_deleted(view: &View) -> bool {
    let mut found = false;
    view.for_each(&view.state().uids, &mut |row| found |= row.flags.has(Flag::Deleted));
    found
}

fn first_unseen(view: &View, state: &ViewState) -> Option<SeqNum> {
    let mut first: Option<Uid> = None;
    for chunk in chunks(&state.uids, 1024) {
        view.for_each(&chunk, &mut |row| {
            if first.is_none() && !row.flags.has(Flag::Seen) {
                first = Some(row.uid);
            }
        });
        if first.is_some() {
            break;
        }
    }
    state.uids.position(first?)
}
