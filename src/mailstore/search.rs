//! Searching a user's messages for the HTTP API.
//!
//! What the database answers from its documents alone is a count and a page of an index. The rest
//! (text, header fields, threads as one row) looks at every candidate the database lets through:
//! headers from the summary, texts from the contents, as far as a deadline. Dropped with its
//! request.

use super::Mailstore;
use crate::codec::mime::display::{Layout, TextKind};
use crate::codec::mime::text::{decode_text, html_to_text};
use crate::codec::mime::tree;
use crate::model::error::{Error, Result};
use crate::model::id::{MailboxId, MessageId, ThreadId, UserId};
use crate::model::message::{Message, TimeMs};
use crate::model::search::{Query, SearchField};
use crate::model::structure::NamedAddress;
use crate::model::uid::{Uid, UidSet};
use crate::storage::search::{self, Filter};
use crate::storage::{content_range, contents};
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;
use tokio::time::Instant;

pub use crate::storage::messages::Fields;
pub use crate::storage::search::{Drafts, ThreadState};

/// A search may take so long.
const PATIENCE: Duration = Duration::from_secs(30);
/// Octets of a message's text parts that are searched.
const TEXT_OCTETS_MAX: u64 = 256 * 1024;
/// Candidates whose contents are read together.
const BATCH: usize = 64;
/// Messages found; 48 octets each.
const FOUND_MAX: usize = 1_000_000;

/// A found message, as far as order and actions need it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found {
    /// Which.
    pub id: MessageId,
    /// Its mailbox.
    pub mailbox: MailboxId,
    /// Its UID there.
    pub uid: Uid,
    /// Its thread.
    pub thread: ThreadId,
    /// INTERNALDATE.
    pub internal_date: TimeMs,
}

/// In which order messages are listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// As they were stored.
    Stored {
        /// Oldest first.
        ascending: bool,
    },
    /// By internal date.
    Dated {
        /// Oldest first.
        ascending: bool,
    },
}

impl Order {
    const fn is_ascending(self) -> bool {
        match self {
            Self::Stored { ascending } | Self::Dated { ascending } => ascending,
        }
    }

    /// A row's place in this order.
    pub fn place(self, message: &Message) -> Place {
        self.place_at(message.row.internal_date, message.id)
    }

    fn place_at(self, internal_date: TimeMs, id: MessageId) -> Place {
        match self {
            Self::Stored { .. } => (0, id),
            Self::Dated { .. } => (internal_date, id),
        }
    }
}

/// A row's place in an order.
pub type Place = (TimeMs, MessageId);

/// Which page of what is read.
#[derive(Clone, Debug)]
pub struct SearchPage {
    /// Order of the rows.
    pub order: Order,
    /// Of each thread only the message that is first in this order.
    pub collapse_threads: bool,
    /// Rows strictly after this, in the order asked for.
    pub after: Option<Place>,
    /// Rows strictly before it; the page nearest to it.
    pub before: Option<Place>,
    /// Rows at most.
    pub limit: usize,
}

/// A page of found messages.
#[derive(Clone, Debug)]
pub struct SearchResults {
    /// The rows, in order.
    pub rows: Vec<Message>,
    /// Rows of all pages.
    pub total: u64,
    /// Whether more rows follow in the direction of reading.
    pub has_more: bool,
}

impl Mailstore {
    /// A page of the messages that meet a query. Two round trips when the database answers it all;
    /// else one per 1,000 candidates (and per 64 where texts are read), and one for the page.
    ///
    /// # Errors
    /// `Unavailable` also when it takes more than 30 seconds; `LimitReached` a million messages.
    pub async fn search(
        &self,
        user: UserId,
        query: &Query,
        page: &SearchPage,
        fields: Fields,
    ) -> Result<SearchResults> {
        let filter = search::filter(user, query);
        let is_stored = matches!(page.order, Order::Stored { .. });
        if filter.is_exact && is_stored && !page.collapse_threads {
            return self.search_exactly(&filter, page, fields).await;
        }
        let mut found = self.find_all(user, query).await?;
        let place = |found: &Found| page.order.place_at(found.internal_date, found.id);
        found.sort_unstable_by_key(place);
        if !page.order.is_ascending() {
            found.reverse();
        }
        if page.collapse_threads {
            // the first of each thread stays
            let mut seen = HashSet::new();
            found.retain(|found| seen.insert(found.thread));
        }
        let total = found.len() as u64;
        let precedes = |a: Place, b: Place| if page.order.is_ascending() { a < b } else { a > b };
        let (from, to) = match (page.after, page.before) {
            (Some(after), _) => {
                let from = found.partition_point(|row| !precedes(after, place(row)));
                (from, from.saturating_add(page.limit).min(found.len()))
            }
            (None, Some(before)) => {
                let to = found.partition_point(|row| precedes(place(row), before));
                (to.saturating_sub(page.limit), to)
            }
            (None, None) => (0, page.limit.min(found.len())),
        };
        let backwards = page.before.is_some() && page.after.is_none();
        let has_more = if backwards { from > 0 } else { to < found.len() };
        let ids: Vec<MessageId> =
            found.get(from..to).unwrap_or_default().iter().map(|row| row.id).collect();
        let rows = search::find_by_ids(self.storage(), user, &ids, fields).await?;
        let mut by_id: BTreeMap<MessageId, Message> =
            rows.into_iter().map(|message| (message.id, message)).collect();
        let rows = ids.iter().filter_map(|id| by_id.remove(id)).collect();
        Ok(SearchResults { rows, total, has_more })
    }

    async fn search_exactly(
        &self,
        filter: &Filter,
        page: &SearchPage,
        fields: Fields,
    ) -> Result<SearchResults> {
        let backwards = page.before.is_some() && page.after.is_none();
        let ascending = page.order.is_ascending() != backwards;
        let beyond = page.after.or(page.before).map(|place| place.1);
        let limit = i64::try_from(page.limit.min(10_000)).unwrap_or(10_000) + 1;
        let mut rows =
            search::page(self.storage(), filter, beyond, limit, (fields, ascending)).await?;
        let has_more = rows.len() > page.limit;
        rows.truncate(page.limit);
        if backwards {
            rows.reverse();
        }
        let total = search::count(self.storage(), filter).await?;
        Ok(SearchResults { rows, total, has_more })
    }

    /// All messages that meet a query, in no order. As [`Mailstore::search`].
    ///
    /// # Errors
    /// As [`Mailstore::search`].
    pub async fn find_all(&self, user: UserId, query: &Query) -> Result<Vec<Found>> {
        let filter = search::filter(user, query);
        let (is_exact, reads_text) = (filter.is_exact, query.reads_text());
        let fields = Fields { summary: !is_exact, tree: reads_text, ..Fields::default() };
        let mut candidates = search::candidates(self.storage(), filter, fields).await?;
        let deadline = Instant::now() + PATIENCE;
        let (mut found, mut unsure) = (Vec::new(), Vec::new());
        loop {
            let next = candidates.next().await?;
            let is_end = next.is_none();
            if let Some(message) = next {
                match is_exact.then_some(true).or_else(|| meets(query, &message, None)) {
                    Some(true) => found.push(row(&message)),
                    Some(false) => {}
                    None => unsure.push(message),
                }
            }
            if unsure.len() >= BATCH || is_end {
                let sure = self.read_texts(user, query, std::mem::take(&mut unsure)).await?;
                found.extend(sure);
            }
            if Instant::now() > deadline {
                let reason = "the search takes too long";
                return Err(Error::Unavailable { reason, source: None });
            }
            if found.len() > FOUND_MAX {
                return Err(Error::LimitReached { limit: "1000000 messages of a search".into() });
            }
            if is_end {
                return Ok(found);
            }
        }
    }

    /// Those of a batch that meet the query once their texts are known.
    async fn read_texts(
        &self,
        user: UserId,
        query: &Query,
        batch: Vec<Message>,
    ) -> Result<Vec<Found>> {
        let hashes: Vec<_> = batch.iter().map(|message| message.content).collect();
        contents::warm(self.storage(), &hashes).await?;
        let mut found = Vec::new();
        for message in batch {
            let text = match self.searched_text(user, &message).await {
                // Its last message was removed meanwhile
                Err(Error::NotFound { .. }) => continue,
                text => text?,
            };
            if meets(query, &message, Some(&text)) == Some(true) {
                found.push(row(&message));
            }
        }
        Ok(found)
    }

    /// The decoded text of a message, in lowercase.
    async fn searched_text(&self, _user: UserId, message: &Message) -> Result<String> {
        let Some(root) = tree::decode(&message.tree) else { return Ok(String::new()) };
        let (mut left, mut text) = (TEXT_OCTETS_MAX, String::new());
        for shown in Layout::of(&root).texts {
            let range = shown.part.body.partial(0, left);
            if range.octets() == 0 {
                continue;
            }
            left -= range.octets();
            let octets = content_range::load_range(self.storage(), &message.content, range).await?;
            let decoded = decode_text(shown.part, &octets);
            let plain = match shown.kind {
                TextKind::Plain => decoded,
                TextKind::Html => html_to_text(&decoded),
            };
            text.push_str(&plain.to_lowercase());
            text.push('\n');
        }
        Ok(text)
    }

    /// The states of threads, over all mailboxes. One round trip.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn thread_states(
        &self,
        user: UserId,
        threads: &[ThreadId],
    ) -> Result<BTreeMap<ThreadId, ThreadState>> {
        search::thread_states(self.storage(), user, threads).await
    }

    /// The drafts of threads. One round trip.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn find_drafts(&self, user: UserId, threads: &[ThreadId]) -> Result<Drafts> {
        search::find_drafts(self.storage(), user, threads).await
    }
}

/// Found messages as a set of UIDs for each mailbox.
pub fn sets_of(found: &[Found]) -> Vec<(MailboxId, UidSet)> {
    let mut sets: BTreeMap<MailboxId, Vec<(Uid, Uid)>> = BTreeMap::new();
    for each in found {
        sets.entry(each.mailbox).or_default().push((each.uid, each.uid));
    }
    sets.into_iter().map(|(mailbox, uids)| (mailbox, UidSet::from_ranges(uids))).collect()
}

const fn row(message: &Message) -> Found {
    Found {
        id: message.id,
        mailbox: message.mailbox,
        uid: message.row.uid,
        thread: message.thread,
        internal_date: message.row.internal_date,
    }
}

/// Whether a message meets a query; `None`: that depends on its text, which is not given.
fn meets(query: &Query, message: &Message, text: Option<&str>) -> Option<bool> {
    let (row, summary) = (&message.row, &message.summary);
    match query {
        Query::All(parts) => {
            let mut all = Some(true);
            for part in parts {
                match meets(part, message, text) {
                    Some(false) => return Some(false),
                    Some(true) => {}
                    None => all = None,
                }
            }
            all
        }
        Query::Any(parts) => {
            let mut any = Some(false);
            for part in parts {
                match meets(part, message, text) {
                    Some(true) => return Some(true),
                    Some(false) => {}
                    None => any = None,
                }
            }
            any
        }
        Query::Not(inner) => meets(inner, message, text).map(|met| !met),
        Query::Mailbox(mailbox) => Some(message.mailbox == *mailbox),
        Query::Thread(thread) => Some(message.thread == *thread),
        Query::Uids(uids) => Some(uids.contains(row.uid)),
        Query::After(ms) => Some(row.internal_date >= *ms),
        Query::Before(ms) => Some(row.internal_date <= *ms),
        Query::Larger(octets) => Some(row.octets >= *octets),
        Query::Smaller(octets) => Some(row.octets <= *octets),
        Query::HasAttachment => Some(summary.has_attachments),
        Query::Flags(bits) => Some(row.flags.system & bits == *bits),
        Query::Field(field, wanted) => {
            let wanted = wanted.to_lowercase();
            Some(field_texts(*field, message).iter().any(|text| text.contains(&wanted)))
        }
        Query::Word(word) => {
            let word = word.to_lowercase();
            let everywhere = [SearchField::From, SearchField::Recipients, SearchField::Subject];
            let mut headers = everywhere.into_iter().flat_map(|field| field_texts(field, message));
            headers
                .any(|text| has_word(&text, &word))
                .then_some(true)
                .or_else(|| text.map(|text| has_word(text, &word)))
        }
        Query::Phrase(phrase) => {
            let phrase = phrase.to_lowercase();
            let in_subject = summary.subject.to_lowercase().contains(&phrase);
            in_subject.then_some(true).or_else(|| text.map(|text| text.contains(&phrase)))
        }
    }
}

/// A field's texts in lowercase.
fn field_texts(field: SearchField, message: &Message) -> Vec<String> {
    let summary = &message.summary;
    let lists: &[&[NamedAddress]] = match field {
        SearchField::Subject => return vec![summary.subject.to_lowercase()],
        SearchField::From => &[&summary.from],
        SearchField::Recipients => &[&summary.to, &summary.cc, &summary.bcc],
        SearchField::ToOrCc => &[&summary.to, &summary.cc],
        SearchField::Cc => &[&summary.cc],
        SearchField::Bcc => &[&summary.bcc],
    };
    let addresses = lists.iter().copied().flatten();
    addresses.map(|each| format!("{} <{}>", each.name, each.address).to_lowercase()).collect()
}

/// Whether a word of the text begins so.
fn has_word(text: &str, word: &str) -> bool {
    let begins = |at: usize| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        before.is_none_or(|before| !before.is_alphanumeric())
    };
    !word.is_empty() && text.match_indices(word).any(|(at, _)| begins(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_begin_at_words() {
        assert!(has_word("the quick-brown fox", "brown"));
        assert!(has_word("quickly", "quick"));
        assert!(!has_word("unquick", "quick"));
        assert!(!has_word("anything", ""));
        assert!(has_word("grüße", "grü"));
    }
}
