//! STORE (RFC 9051 §6.4.6, RFC 7162 §3.1.3).

use super::message_set::expunge_issued;
use super::progress::Progress;
use super::reply::{Outcome, Reply};
use super::rights::{no_permission, permitted_flags};
use super::selected::Expunges;
use super::session::Session;
use super::sync::Look;
use super::uid_chunks::chunks;
use crate::codec::imap::fetch_response::FetchWriter;
use crate::codec::imap::gmail;
use crate::codec::imap::response_code::ResponseCode;
use crate::codec::imap::store::Store;
use crate::mailstore::flags::Stored;
use crate::model::error::Error;
use crate::model::flag::FlagChange;
use crate::model::id::{MailboxId, UserId};
use crate::model::rights::Rights;
use crate::model::uid::{ModSeq, UidSet};

/// Messages between two counts of a long STORE (RFC 9585).
const STEP: u32 = 10_000;

impl Session {
    /// STORE: one change for all messages, then the flags as they are now.
    pub async fn store(&mut self, tag: &str, store: &Store) -> Outcome {
        self.refuse_read_only()?;
        let opened = self.opened_with(Rights::READ)?;
        let (user, mailbox) = (opened.owner, opened.id);
        // RFC 4314 §4: flags without the right are left as they are; NO when that is all of them
        let permitted = permitted_flags(opened.rights);
        let permit = |change: &FlagChange| change.within(permitted).ok_or_else(no_permission);
        let change = permit(&store.change)?;
        let (uids, limit) = self.within_limit(self.resolve(&store.set, store.uid)?);
        // RFC 7162 §3.1: UNCHANGEDSINCE enables CONDSTORE
        self.enabled.condstore |= store.unchanged_since.is_some();
        let expunges = if store.uid { Expunges::Allowed } else { Expunges::Held };
        // What others have changed is told before, so that .SILENT hides only the client's own
        // change.
        self.sync(Look::View, Expunges::Held).await?;
        let mailstore = &self.context.mailstore;
        let stored = if uids.is_empty() {
            Stored::default()
        } else {
            let since = store.unchanged_since;
            match &store.change {
                FlagChange::Replace(labels) if store.is_labels => {
                    let view = mailstore.view(user, mailbox).await?;
                    let others = gmail::others(&view.state().keywords, labels);
                    let others = permit(&FlagChange::Remove(others))?;
                    let labels = permit(&FlagChange::Add(labels.clone()))?;
                    mailstore.store_both(user, mailbox, &uids, (&others, &labels), since).await?
                }
                _ => self.store_in_steps(tag, (user, mailbox), &uids, &change, since).await?,
            }
        };
        let done = uids.difference(&stored.modified);
        // RFC 7162 §3.1.3: with CONDSTORE the new MODSEQ is told, .SILENT or not
        let is_told = !store.silent || self.enabled.condstore;
        if let Some(opened) = self.opened.as_mut() {
            // told below for each message anyway, or not to be told
            opened.selected.silence(done.clone(), &stored.mod_seqs);
        }
        self.sync(Look::Database, Expunges::Held).await?;
        // others may have expunged some until now
        let some_gone = !store.uid && self.has_expunged(&uids).await?;
        if is_told {
            self.tell_stored(&done, store).await?;
        }
        if expunges == Expunges::Allowed {
            self.sync(Look::View, expunges).await?;
        }
        if !stored.modified.is_empty() {
            let modified = if store.uid {
                stored.modified
            } else {
                self.opened()?.selected.numbers_of(&stored.modified)
            };
            if let Some(limit) = limit {
                self.untagged_ok(Some(&limit), "Not all");
            }
            return Ok(Reply::ok("Conditional").with(ResponseCode::Modified(modified)));
        }
        if some_gone && store.silent {
            // RFC 2180 §4.2.1: what was left is stored, and there is nothing to tell of it
            return Ok(Reply::ok("Stored").with(ResponseCode::ExpungeIssued));
        }
        if some_gone {
            return Err(expunge_issued().into());
        }
        Ok(Reply { code: limit, ..Reply::ok("Stored") })
    }

    /// In each step is at least one transaction, as there would be without steps.
    async fn store_in_steps(
        &mut self,
        tag: &str,
        (user, mailbox): (UserId, MailboxId),
        uids: &UidSet,
        change: &FlagChange,
        since: Option<ModSeq>,
    ) -> Outcome<Stored> {
        let mailstore = self.context.mailstore.clone();
        let progress = Progress::default();
        progress.expect(uids.len());
        let work = async {
            let mut stored = Stored::default();
            for step in chunks(uids, STEP) {
                let more = mailstore.store_flags(user, mailbox, &step, change, since).await?;
                stored.mod_seqs.extend(more.mod_seqs);
                stored.modified = stored.modified.union(&more.modified);
                progress.advance(step.len());
            }
            Ok::<_, Error>(stored)
        };
        Ok(self.work(tag, &progress, work).await??)
    }

    /// FETCH responses for the messages of a STORE, also for those it left as they were.
    async fn tell_stored(&mut self, uids: &UidSet, store: &Store) -> Outcome<()> {
        let style = self.enabled.style();
        let (with_flags, with_mod_seq) = (!store.silent, self.enabled.condstore);
        for chunk in chunks(uids, 1024) {
            let (opened, view) = self.opened_view().await?;
            let mut numbers = opened.selected.numbers();
            let mut lines = Vec::new();
            view.for_each(&chunk, &mut |row| {
                let Some(number) = numbers.of(row.uid) else { return };
                let mut fetch = FetchWriter::begin(&mut lines, style, number);
                fetch.uid(row.uid);
                if with_mod_seq {
                    fetch.mod_seq(row.mod_seq);
                }
                if with_flags {
                    if store.is_labels {
                        fetch.gmail_labels(&row.flags);
                    } else {
                        fetch.flags(&row.flags, numbers.is_recent(row.uid));
                    }
                }
                fetch.end();
            });
            self.stream.write(&lines).await?;
        }
        Ok(())
    }
}
