//! SEARCH, SORT and their UID forms (RFC 9051 §6.4.4, RFC 4731, RFC 5182, RFC 5256, RFC 5267,
//! RFC 7162 §3.1.5, RFC 9394).

use super::key::{Asked, Key};
use super::scan::{Matches, Scan};
use super::sort;
use crate::codec::imap::response_code::ResponseCode;
use crate::codec::imap::search::{Search, SearchKey};
use crate::codec::imap::search_response::{Esearch, Found};
use crate::codec::imap::search_return::SearchReturn;
use crate::imap::message_set::resolve_key;
use crate::imap::reply::{Failure, Outcome, Reply, Status};
use crate::imap::session::Session;
use crate::mailstore::view::View;
use crate::model::rights::Rights;
use crate::model::uid::{ModSeq, Uid, UidSet};
use std::sync::Arc;

/// What SEARCH or SORT found in the selected mailbox.
#[derive(Debug)]
pub struct Result {
    /// UIDs and scores.
    pub matches: Matches,
    /// By which order, of SORT.
    pub ranked: Option<Vec<sort::Ranked>>,
    /// The code for OK when not all messages were looked at.
    pub limit: Option<ResponseCode>,
}

impl Session {
    /// SEARCH and SORT.
    pub async fn search(&mut self, tag: &str, search: &Search) -> Outcome {
        let returns = search.returns.unwrap_or_default();
        if returns.update && self.opened()?.contexts.has(tag) {
            // RFC 5267 §4.3: the tag names the context in what follows
            return Err(Reply::bad("That tag names a result that is updated").into());
        }
        let outcome = self.find(tag, search).await;
        if returns.save && outcome.as_ref().is_err_and(is_no) {
            self.save(UidSet::new());
        }
        let result = outcome?;
        let uses_mod_seq = search.key.uses_mod_seq();
        self.enabled.condstore |= uses_mod_seq;
        let in_order = result.ranked.as_deref().map(sort::uids);
        let in_order = in_order.as_deref();
        let mod_seq = if uses_mod_seq {
            self.highest_mod_seq(&told(search.returns, &result.matches.uids, in_order)).await?
        } else {
            None
        };
        if returns.save {
            self.save(saved(returns, &result.matches.uids, in_order));
        }
        self.tell_found(tag, search, &result.matches, in_order, mod_seq)?;
        let code = result.limit.clone();
        if returns.update {
            self.begin_updates(tag, search, result).await?;
        }
        let text = if search.order.is_empty() { "Searched" } else { "Sorted" };
        Ok(Reply { code, ..Reply::ok(text) })
    }

    fn save(&mut self, uids: UidSet) {
        if let Some(opened) = &mut self.opened {
            opened.selected.save(uids);
        }
    }

    fn tell_found(
        &mut self,
        tag: &str,
        search: &Search,
        matches: &Matches,
        in_order: Option<&[Uid]>,
        mod_seq: Option<ModSeq>,
    ) -> Outcome<()> {
        let returns = match search.returns {
            // RFC 5182 §2.1: SAVE alone has no answer
            Some(returns) if returns.save && !returns.tells() => return Ok(()),
            // RFC 9051 §6.4.4: IMAP4rev2 knows ESEARCH only; SORT is not of it
            None if self.enabled.rev2 && in_order.is_none() => Some(SearchReturn::ALL),
            returns => returns,
        };
        let selected = &self.opened()?.selected;
        let (set, list) = match in_order {
            None if search.uid => (matches.uids.clone(), None),
            None => (selected.numbers_of(&matches.uids), None),
            Some(uids) if search.uid => (UidSet::new(), Some(uids.to_vec())),
            Some(uids) => (UidSet::new(), Some(sort::numbers_of(uids, &matches.uids, selected))),
        };
        let found = list.as_deref().map_or(Found::Set(&set), Found::List);
        let Some(returns) = returns else {
            self.writer().search(found, mod_seq);
            return Ok(());
        };
        let relevancy: Vec<u8> = if !returns.relevancy {
            Vec::new()
        } else if let Some(uids) = in_order {
            uids.iter().map(|uid| matches.score(*uid)).collect()
        } else {
            matches.uids.iter().map(|uid| matches.score(uid)).collect()
        };
        let (mailbox, uid, relevancy) = (None, search.uid, relevancy.as_slice());
        self.writer().esearch(&Esearch { tag, mailbox, uid, returns, found, relevancy, mod_seq });
        Ok(())
    }

    /// RFC 7162 §3.1.5, RFC 4731 §3.2: the highest ModSeq among what is told.
    async fn highest_mod_seq(&mut self, told: &UidSet) -> Outcome<Option<u64>> {
        let (_, view) = self.opened_view().await?;
        let mut highest = None;
        view.for_each(told, &mut |row| highest = highest.max(Some(row.mod_seq)));
        Ok(highest)
    }

    /// A search of the selected mailbox, ready to run.
    pub(super) async fn scan_of_selected(&mut self, key: &SearchKey) -> Outcome<(Scan, Arc<View>)> {
        self.opened_with(Rights::READ)?;
        let collation = self.collation;
        let mailstore = self.context.mailstore.clone();
        let now = self.context.clock.now_ms();
        let special_use = if key.has(&|key| matches!(key, SearchKey::GmailLabel(_))) {
            let opened = self.opened()?;
            let mailbox = mailstore.find_mailbox(opened.owner, opened.id).await?;
            mailbox.and_then(|mailbox| mailbox.special_use)
        } else {
            None
        };
        let (opened, view) = self.opened_view().await?;
        let selected = &opened.selected;
        let sets = |set: &_, uid| resolve_key(selected, set, uid);
        let mailbox = &opened.name;
        let recent = selected.recent();
        let (sets, fuzzy) = (&sets, false);
        let asked = Asked { now, collation, mailbox, special_use, sets, fuzzy, recent };
        let (owner, mailbox) = (opened.owner, opened.id);
        let key = Arc::new(Key::new(key, &asked));
        let progress = Arc::default();
        Ok((Scan { mailstore, owner, mailbox, key, collation, progress }, view))
    }

    async fn find(&mut self, tag: &str, search: &Search) -> Outcome<Result> {
        let (scan, view) = self.scan_of_selected(&search.key).await?;
        let (known, limit) = self.within_limit(self.opened()?.selected.uids().clone());
        let order = search.order.clone();
        let progress = Arc::clone(&scan.progress);
        self.attend(tag, &progress, async move {
            let matches = scan.run(&view, &known).await?;
            let ranked = if order.is_empty() {
                None
            } else {
                Some(sort::sorted(&scan, &view, &matches, &order).await?)
            };
            Ok(Result { matches, ranked, limit })
        })
        .await
    }
}

/// Whether a command that failed so is answered with NO.
const fn is_no(failure: &Failure) -> bool {
    match failure {
        Failure::Meaning(_) | Failure::Target(_) => true,
        // RFC 5182 §2.1: after BAD the saved result stays
        Failure::Refused(reply) => matches!(reply.status, Status::No),
        Failure::Bye(_) | Failure::Ended(_) | Failure::Connection(_) => false,
    }
}

/// What the answer tells: with MIN, MAX or PARTIAL and nothing more only those.
fn told(returns: Option<SearchReturn>, found: &UidSet, in_order: Option<&[Uid]>) -> UidSet {
    returns.map_or_else(|| found.clone(), |returns| saved(returns, found, in_order))
}

/// What SAVE saves (RFC 5182 §2.1, RFC 9394 §3.2): with COUNT or ALL everything, else what MIN, MAX
/// and PARTIAL tell.
pub fn saved(returns: SearchReturn, found: &UidSet, in_order: Option<&[Uid]>) -> UidSet {
    let picks = returns.min || returns.max || returns.partial.is_some();
    if returns.all || returns.count || !picks {
        return found.clone();
    }
    let found = in_order.map_or(Found::Set(found), Found::List);
    let mut ranges =
        returns.partial.map(|window| found.runs(window.of(found.count()))).unwrap_or_default();
    let ends = [found.first().filter(|_| returns.min), found.last().filter(|_| returns.max)];
    ranges.extend(ends.into_iter().flatten().map(|end| (end, end)));
    UidSet::from_ranges(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::imap::search_return::Partial;

    #[test]
    fn what_is_saved() {
        let found = UidSet::from_ranges(vec![(2, 4), (8, 9)]);
        let none = SearchReturn { save: true, ..SearchReturn::default() };
        let partial = Some(Partial { from: 1, to: 2, from_end: true });
        let text = |returns, order: Option<&[u32]>| saved(returns, &found, order).to_string();
        assert_eq!(text(none, None), "2:4,8:9");
        assert_eq!(text(SearchReturn { min: true, ..none }, None), "2");
        assert_eq!(text(SearchReturn { min: true, count: true, ..none }, None), "2:4,8:9");
        assert_eq!(text(SearchReturn { partial, ..none }, None), "8:9");
        assert_eq!(text(SearchReturn { partial, min: true, ..none }, None), "2,8:9");
        let order = [9, 2, 8, 4, 3];
        assert_eq!(text(SearchReturn { partial, max: true, ..none }, Some(&order)), "3:4");
        assert_eq!(text(SearchReturn { min: true, ..none }, Some(&order)), "9");
    }
}
