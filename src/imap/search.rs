//! SEARCH and UID SEARCH (RFC 9051 §6.4.4, RFC 4731, RFC 5032, RFC 5182, RFC 7162 §3.1.5).
//!
//! Flags, dates, sizes and UIDs are answered by the view. Only messages that these leave undecided
//! are read:
//! first their header, then their text.

use super::message_set::resolve;
use super::progress::Progress;
use super::reply::{Outcome, Reply};
use super::search_key::{Key, Subject};
use super::search_text::{BodyText, HeaderText, pieces};
use super::session::Session;
use super::uid_chunks::chunks;
use crate::codec::imap::response::Esearch;
use crate::codec::imap::search::{Search, SearchReturn};
use crate::codec::mime::tree;
use crate::mailstore::Mailstore;
use crate::mailstore::fetch::Fields;
use crate::model::error::Result;
use crate::model::id::UserId;
use crate::model::message::Message;
use crate::model::rights::Rights;
use crate::model::structure::{ByteRange, Part};
use crate::model::uid::UidSet;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesOrdered;
use futures_util::{FutureExt, StreamExt};

/// Messages that are read at the same time.
const LOOK_AHEAD: usize = 8;
/// Octets of a content that is read whole; of a larger one only the text parts are.
const WHOLE_OCTETS_MAX: u64 = 256 * 1024;

impl Session {
    /// SEARCH.
    pub async fn search(&mut self, tag: &str, search: &Search) -> Outcome {
        let outcome = self.find(tag, search).await;
        if outcome.is_err()
            && search.returns.is_some_and(|returns| returns.save)
            && let Some(opened) = &mut self.opened
        {
            // RFC 9051 §6.4.4.1: after NO the saved result is empty
            opened.selected.save(UidSet::new());
        }
        let found = outcome?;
        let uses_mod_seq = search.key.uses_mod_seq();
        self.enabled.condstore |= uses_mod_seq;
        let mod_seq = if uses_mod_seq { self.highest_mod_seq(&found, search).await? } else { None };
        let Some(opened) = &mut self.opened else { return Ok(Reply::ok("Searched")) };
        let numbers = if search.uid { found.clone() } else { opened.selected.numbers_of(&found) };
        if let Some(returns) = search.returns
            && returns.save
        {
            opened.selected.save(saved(returns, &found));
        }
        let returns = match search.returns {
            Some(returns) if returns.save && !tells(returns) => {
                return Ok(Reply::ok("Saved"));
            }
            Some(returns) => returns,
            // RFC 9051 §6.4.4: IMAP4rev2 knows ESEARCH only
            None if self.enabled.rev2 => SearchReturn { all: true, ..SearchReturn::default() },
            None => {
                self.writer().search(&numbers, mod_seq);
                return Ok(Reply::ok("Searched"));
            }
        };
        let answer = Esearch { tag, uid: search.uid, returns, found: &numbers, mod_seq };
        self.writer().esearch(&answer);
        Ok(Reply::ok("Searched"))
    }

    /// RFC 7162 §3.1.5, RFC 4731 §3.2: the highest ModSeq among what is told.
    async fn highest_mod_seq(&mut self, found: &UidSet, search: &Search) -> Outcome<Option<u64>> {
        let told = match search.returns {
            Some(returns) if (returns.min || returns.max) && !returns.all && !returns.count => {
                saved(returns, found)
            }
            _ => found.clone(),
        };
        let (_, view) = self.opened_view().await?;
        let mut highest = None;
        view.for_each(&told, &mut |row| highest = highest.max(Some(row.mod_seq)));
        Ok(highest)
    }

    async fn find(&mut self, tag: &str, search: &Search) -> Outcome<UidSet> {
        self.opened_with(Rights::READ)?;
        let now = self.context.clock.now_ms();
        let (opened, view) = self.opened_view().await?;
        let sets = |set: &_, uid| resolve(&opened.selected, set, uid);
        let key = Key::new(&search.key, now, &sets)
            .ok_or_else(|| Reply::bad("No message has that sequence number"))?;
        let (user, mailbox) = (opened.owner, opened.id);
        let known = opened.selected.uids().clone();
        let (mut found, mut undecided) = (Vec::new(), Vec::new());
        let mut progress = Progress::new(tag);
        for chunk in chunks(&known, 4096) {
            view.for_each(&chunk, &mut |row| match key.decide(&Subject {
                row,
                header: None,
                body: None,
            }) {
                Some(true) => found.push(row.uid),
                Some(false) => {}
                None => undecided.push(row.uid),
            });
            tokio::task::yield_now().await;
            self.go_on(&mut progress, 0, None).await?;
        }
        drop(view);
        if undecided.is_empty() {
            return Ok(found.into_iter().collect());
        }
        let (mut done, total) = (0u64, u64::try_from(undecided.len()).ok());
        let undecided: UidSet = undecided.into_iter().collect();
        let mailstore = self.context.mailstore.clone();
        let fields = Fields { tree: true, ..Fields::default() };
        let mut messages = mailstore.fetch_with_contents(user, mailbox, &undecided, fields).await?;
        let mut ahead: FuturesOrdered<BoxFuture<'_, _>> = FuturesOrdered::new();
        let mut is_at_end = false;
        loop {
            while !is_at_end && ahead.len() < LOOK_AHEAD {
                match messages.next().await? {
                    Some(message) => {
                        ahead.push_back(decide(&mailstore, user, message, &key).boxed());
                    }
                    None => is_at_end = true,
                }
            }
            match ahead.next().await {
                Some(decided) => found.extend(decided?),
                None => break,
            }
            done += 1;
            self.go_on(&mut progress, done, total).await?;
        }
        Ok(found.into_iter().collect())
    }
}

/// The message's UID if it matches: by its header if that is enough, else by its text.
async fn decide(
    mailstore: &Mailstore,
    user: UserId,
    message: Message,
    key: &Key,
) -> Result<Option<u32>> {
    let root = tree::decode(&message.tree).unwrap_or_default();
    let mut octets = message.prefix.clone();
    octets.extend(mailstore.load_octets(user, &message, root.header).await?);
    let header = HeaderText::new(&octets);
    let mut subject = Subject { row: &message.row, header: Some(&header), body: None };
    let matches = match key.decide(&subject) {
        Some(matches) => matches,
        None => {
            let body = load_body(mailstore, user, &message, &root).await?;
            subject.body = Some(&body);
            key.decide(&subject).unwrap_or(false)
        }
    };
    tokio::task::yield_now().await;
    Ok(matches.then_some(message.row.uid))
}

async fn load_body(
    mailstore: &Mailstore,
    user: UserId,
    message: &Message,
    root: &Part,
) -> Result<BodyText> {
    let mut body = BodyText::default();
    let whole = ByteRange { start: 0, end: message.row.octets };
    let content = if whole.end <= WHOLE_OCTETS_MAX {
        Some(mailstore.load_octets(user, message, whole).await?)
    } else {
        None
    };
    for piece in pieces(root) {
        let octets = match &content {
            Some(content) => slice(content, piece.range),
            None => mailstore.load_octets(user, message, piece.range).await?,
        };
        body.add(&piece, &octets);
    }
    Ok(body)
}

fn slice(content: &Bytes, range: ByteRange) -> Bytes {
    let end = usize::try_from(range.end).unwrap_or(usize::MAX).min(content.len());
    let start = usize::try_from(range.start).unwrap_or(usize::MAX).min(end);
    content.slice(start..end)
}

const fn tells(returns: SearchReturn) -> bool {
    returns.min || returns.max || returns.all || returns.count
}

/// What SAVE saves: with MIN or MAX alone only those (RFC 5182 §2.1).
fn saved(returns: SearchReturn, found: &UidSet) -> UidSet {
    if returns.all || returns.count || !(returns.min || returns.max) {
        return found.clone();
    }
    let ends = [found.first().filter(|_| returns.min), found.last().filter(|_| returns.max)];
    ends.into_iter().flatten().collect()
}
