//! ESEARCH: a search of several mailboxes (RFC 7377).
//!
//! One mailbox after the other, each answered before the next is read, so that memory is that of
//! one.

use super::command::saved;
use super::key::{Asked, Key};
use super::scan::Scan;
use crate::codec::imap::multisearch::Source;
use crate::codec::imap::response::Condition;
use crate::codec::imap::response_code::ResponseCode;
use crate::codec::imap::search::{Search, SearchKey};
use crate::codec::imap::search_response::{Esearch, Found};
use crate::codec::imap::search_return::SearchReturn;
use crate::codec::imap::sequence_set::SequenceSet;
use crate::imap::message_set::resolve_key;
use crate::imap::progress::Progress;
use crate::imap::reply::{Failure, Outcome, Reply};
use crate::imap::rights::Reached;
use crate::imap::select::mailbox_name;
use crate::imap::session::Session;
use crate::model::error::Error;
use crate::model::mailbox::{Mailbox, MailboxName};
use crate::model::rights::Rights;
use crate::model::uid::UidSet;
use std::sync::Arc;

impl Session {
    /// ESEARCH.
    pub async fn esearch(&mut self, tag: &str, search: &Search) -> Outcome {
        let sources = search.sources.as_deref().unwrap_or_default();
        let is_selected = sources.iter().all(|source| *source == Source::Selected);
        let returns = search.returns.unwrap_or(SearchReturn::ALL);
        if is_selected && self.opened.is_none() {
            return Err(Reply::bad("Select a mailbox first, or say where to search").into());
        }
        // RFC 7377 §2.1: numbers, `$` and SAVE mean one mailbox, the selected one
        let is_of_selected =
            search.key.uses_sequence_numbers() || search.key.has(&is_saved_result) || returns.save;
        if is_of_selected && !is_selected {
            return Err(Reply::bad("That means the selected mailbox alone").into());
        }
        if returns.update {
            let code = ResponseCode::NoUpdate(tag.to_owned());
            let text = "Results of ESEARCH are not updated";
            self.writer().status(None, Condition::No, Some(&code), text);
        }
        let progress = Arc::default();
        for mailbox in self.mailboxes_of(sources).await? {
            self.search_mailbox((tag, &progress), search, returns, &mailbox).await?;
            self.stream.flush_if_full().await?;
        }
        Ok(Reply::ok("Searched"))
    }

    async fn search_mailbox(
        &mut self,
        (tag, progress): (&str, &Arc<Progress>),
        search: &Search,
        returns: SearchReturn,
        mailbox: &Mailbox,
    ) -> Outcome<()> {
        let (now, collation) = (self.context.clock.now_ms(), self.collation);
        let mailstore = self.context.mailstore.clone();
        let view = match mailstore.view(mailbox.user, mailbox.id).await {
            // deleted in this moment
            Err(Error::NotFound { .. }) => return Ok(()),
            view => view?,
        };
        let state = view.state();
        let opened = self.opened.as_ref().filter(|opened| opened.id == mailbox.id);
        let sets = |set: &SequenceSet, uid| match opened {
            Some(opened) => resolve_key(&opened.selected, set, uid),
            None => {
                let largest = state.uids.last().unwrap_or(0);
                set.resolve(largest).intersection(&state.uids)
            }
        };
        let none = UidSet::new();
        let recent = opened.map_or(&none, |opened| opened.selected.recent());
        let asked = Asked {
            now,
            collation,
            mailbox: &mailbox.name,
            special_use: mailbox.special_use,
            sets: &sets,
            fuzzy: false,
            recent,
        };
        let (owner, id) = (mailbox.user, mailbox.id);
        let key = Arc::new(Key::new(&search.key, &asked));
        let progress = Arc::clone(progress);
        let scan = Scan { mailstore, owner, mailbox: id, key, collation, progress };
        // in the selected mailbox only what the client knows of
        let uids =
            opened.map_or_else(|| state.uids.clone(), |opened| opened.selected.uids().clone());
        let is_opened = opened.is_some();
        let work = async {
            let matches = scan.run(&view, &uids).await?;
            let told = saved(returns, &matches.uids, None);
            let mut highest = None;
            if search.key.uses_mod_seq() {
                view.for_each(&told, &mut |row| highest = highest.max(Some(row.mod_seq)));
            }
            Ok((matches, highest))
        };
        let (matches, mod_seq) = self.attend(tag, &scan.progress, work).await?;
        if let Some(opened) = self.opened.as_mut().filter(|_| is_opened && returns.save) {
            opened.selected.save(saved(returns, &matches.uids, None));
        }
        // RFC 7377 §2.1: nothing is said of a mailbox in which nothing was found
        if matches.uids.is_empty() || returns.save && !returns.tells() {
            return Ok(());
        }
        let relevancy: Vec<u8> = if returns.relevancy {
            matches.uids.iter().map(|uid| matches.score(uid)).collect()
        } else {
            Vec::new()
        };
        self.writer().esearch(&Esearch {
            tag,
            mailbox: Some((mailbox.name.as_str(), state.uid_validity)),
            uid: true,
            returns,
            found: Found::Set(&matches.uids),
            relevancy: &relevancy,
            mod_seq,
        });
        Ok(())
    }

    /// The mailboxes of the sources that the user may read, each once.
    async fn mailboxes_of(&mut self, sources: &[Source]) -> Outcome<Vec<Mailbox>> {
        let user = self.user()?;
        let mut own = self.context.mailstore.list_mailboxes(user).await?;
        own.retain(|mailbox| !mailbox.hidden);
        let mut found: Vec<Mailbox> = Vec::new();
        for source in sources {
            let named: Vec<Mailbox> = match source {
                Source::Selected => self.selected_mailbox().await?.into_iter().collect(),
                // messages are delivered to the inbox; filters may name any other
                Source::Inboxes => pick(&own, |mailbox| mailbox.name.is_inbox()),
                Source::Personal => own.clone(),
                Source::Subscribed => pick(&own, |mailbox| mailbox.subscribed),
                Source::Mailboxes(names) => self.named(&own, names, |_, _| false).await?,
                Source::Subtree(names) => {
                    self.named(&own, names, |mailbox, top| mailbox.name.is_below(top)).await?
                }
                Source::SubtreeOne(names) => {
                    let is_child = |mailbox: &Mailbox, top: &MailboxName| {
                        mailbox.name.parent().is_some_and(|parent| parent == *top)
                    };
                    self.named(&own, names, is_child).await?
                }
            };
            found.extend(named);
        }
        let mut seen = std::collections::HashSet::new();
        found.retain(|mailbox| seen.insert(mailbox.id));
        Ok(found)
    }

    async fn selected_mailbox(&self) -> Outcome<Option<Mailbox>> {
        let Some(opened) = &self.opened else { return Ok(None) };
        let reached = readable(self.find_mailbox(&opened.name).await)?;
        Ok(reached.filter(|mailbox| mailbox.id == opened.id))
    }

    /// The mailboxes of these names, and own ones that lie as asked for below them. RFC 7377 §2.2:
    /// names of mailboxes that do not exist are passed over.
    async fn named(
        &self,
        own: &[Mailbox],
        names: &[String],
        lies_below: impl Fn(&Mailbox, &MailboxName) -> bool,
    ) -> Outcome<Vec<Mailbox>> {
        let mut found = Vec::new();
        for name in names {
            let Ok(name) = mailbox_name(name) else { continue };
            match own.iter().find(|mailbox| mailbox.name == name) {
                Some(mailbox) => found.push(mailbox.clone()),
                None => found.extend(readable(self.find_mailbox(&name).await)?),
            }
            found.extend(own.iter().filter(|mailbox| lies_below(mailbox, &name)).cloned());
        }
        Ok(found)
    }
}

fn pick(own: &[Mailbox], is_wanted: impl Fn(&Mailbox) -> bool) -> Vec<Mailbox> {
    own.iter().filter(|mailbox| is_wanted(mailbox)).cloned().collect()
}

/// A mailbox that was found and may be read.
fn readable(found: Outcome<Reached>) -> Outcome<Option<Mailbox>> {
    match found {
        Ok(reached) => Ok(reached.rights.has(Rights::READ).then_some(reached.mailbox)),
        Err(Failure::Meaning(Error::NotFound { .. })) => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn is_saved_result(key: &SearchKey) -> bool {
    matches!(
        key,
        SearchKey::Sequence(SequenceSet::SavedResult) | SearchKey::Uid(SequenceSet::SavedResult)
    )
}
