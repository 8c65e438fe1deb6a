//! One search key over one mailbox.
//!
//! The view decides what it can. Documents, headers and texts are read for the rest, a few at a
//! time, so that memory does not grow with the mailbox; every wait is a place to stop.

use super::key::{Depth, Key, Subject};
use super::text::{BodyText, HeaderText, pieces};
use crate::codec::collation::Collation;
use crate::codec::mime::tree;
use crate::imap::progress::Progress;
use crate::imap::uid_chunks::chunks;
use crate::mailstore::Mailstore;
use crate::mailstore::fetch::Fields;
use crate::mailstore::view::View;
use crate::model::error::{Error, Result};
use crate::model::id::{MailboxId, UserId};
use crate::model::message::Message;
use crate::model::structure::{ByteRange, Part};
use crate::model::uid::{Uid, UidSet};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesOrdered;
use futures_util::{FutureExt, StreamExt};
use std::sync::Arc;

/// Messages that are read at the same time.
const LOOK_AHEAD: usize = 8;
/// Octets of a content that is read whole; of a larger one only the text parts are.
const WHOLE_OCTETS_MAX: u64 = 256 * 1024;
/// Rows looked at before others get their turn.
const ROWS: u32 = 4096;

/// A search to run.
#[derive(Clone, Debug)]
pub struct Scan {
    /// Messages.
    pub mailstore: Mailstore,
    /// The owner of the mailbox.
    pub owner: UserId,
    /// The mailbox.
    pub mailbox: MailboxId,
    /// What is looked for.
    pub key: Arc<Key>,
    /// How strings are compared.
    pub collation: Collation,
    /// How far it is.
    pub progress: Arc<Progress>,
}

/// What was found: UIDs ascending, and how well each matches.
#[derive(Clone, Default, Debug)]
pub struct Matches {
    /// UIDs.
    pub uids: UidSet,
    /// A score for each, if one is not 100.
    scores: Vec<(Uid, u8)>,
}

impl Matches {
    fn new(mut found: Vec<(Uid, u8)>) -> Self {
        found.sort_unstable();
        let uids = found.iter().map(|(uid, _)| *uid).collect();
        if found.iter().all(|(_, score)| *score == super::needle::EXACT) {
            found = Vec::new();
        }
        Self { uids, scores: found }
    }

    /// How well a message that was found matches, 1 to 100.
    pub fn score(&self, uid: Uid) -> u8 {
        let at = self.scores.binary_search_by_key(&uid, |(uid, _)| *uid).ok();
        at.and_then(|at| self.scores.get(at)).map_or(super::needle::EXACT, |(_, score)| *score)
    }
}

impl Scan {
    /// Looks at the messages of a set.
    ///
    /// # Errors
    /// `Unavailable`, `Internal`.
    pub async fn run(&self, view: &View, uids: &UidSet) -> Result<Matches> {
        let (mut found, mut undecided) = (Vec::new(), UidSet::new());
        for chunk in chunks(uids, ROWS) {
            view.for_each(&chunk, &mut |row| {
                let subject = Subject { row, message: None, header: None, body: None };
                match self.key.score(&subject) {
                    Some(0) => {}
                    Some(score) => found.push((row.uid, score)),
                    None => undecided.insert(row.uid),
                }
            });
            tokio::task::yield_now().await;
        }
        if !undecided.is_empty() {
            self.progress.expect(undecided.len());
            match self.key.depth() {
                Depth::View | Depth::Document => {
                    self.read_documents(&undecided, &mut found).await?;
                }
                Depth::Content => self.read_contents(&undecided, &mut found).await?,
            }
        }
        Ok(Matches::new(found))
    }

    async fn read_documents(&self, uids: &UidSet, found: &mut Vec<(Uid, u8)>) -> Result<()> {
        let fields = Fields { summary: true, ..Fields::default() };
        let mut messages = self.mailstore.fetch(self.owner, self.mailbox, uids, fields).await?;
        loop {
            let batch = messages.next_batch().await?;
            if batch.is_empty() {
                return Ok(());
            }
            self.progress.advance(batch.len() as u64);
            for message in &batch {
                let (row, message) = (&message.row, Some(message));
                let subject = Subject { row, message, header: None, body: None };
                if let Some(score) = self.key.score(&subject).filter(|score| *score > 0) {
                    found.push((row.uid, score));
                }
            }
        }
    }

    async fn read_contents(&self, uids: &UidSet, found: &mut Vec<(Uid, u8)>) -> Result<()> {
        let fields = Fields { tree: true, summary: true, ..Fields::default() };
        let (owner, mailbox) = (self.owner, self.mailbox);
        let mut messages = self.mailstore.fetch_with_contents(owner, mailbox, uids, fields).await?;
        let mut ahead: FuturesOrdered<BoxFuture<'_, _>> = FuturesOrdered::new();
        let mut is_at_end = false;
        loop {
            while !is_at_end && ahead.len() < LOOK_AHEAD {
                match messages.next().await? {
                    Some(message) => ahead.push_back(self.read_one(message).boxed()),
                    None => is_at_end = true,
                }
            }
            match ahead.next().await {
                Some(scored) => found.extend(scored?),
                None => return Ok(()),
            }
            self.progress.advance(1);
        }
    }

    /// As `read`; a message that is expunged meanwhile does not match.
    async fn read_one(&self, message: Message) -> Result<Option<(Uid, u8)>> {
        match self.read(message).await {
            Err(Error::NotFound { .. }) => Ok(None),
            read => read,
        }
    }

    /// The message's UID and score if it matches: by its header if that is enough, else by its
    /// text.
    async fn read(&self, message: Message) -> Result<Option<(Uid, u8)>> {
        let root = tree::decode(&message.tree).unwrap_or_default();
        let mut octets = message.prefix.clone();
        octets.extend(self.mailstore.load_octets(self.owner, &message, root.header).await?);
        let header = HeaderText::new(&octets, self.collation);
        let (row, document) = (&message.row, Some(&message));
        let mut subject = Subject { row, message: document, header: Some(&header), body: None };
        let score = match self.key.score(&subject) {
            Some(score) => score,
            None => {
                let body = self.read_body(&message, &root).await?;
                subject.body = Some(&body);
                self.key.score(&subject).unwrap_or(0)
            }
        };
        tokio::task::yield_now().await;
        Ok((score > 0).then_some((row.uid, score)))
    }

    async fn read_body(&self, message: &Message, root: &Part) -> Result<BodyText> {
        let mut body = BodyText::new(self.collation);
        let whole = ByteRange { start: 0, end: message.row.octets };
        let content = if whole.end <= WHOLE_OCTETS_MAX {
            Some(self.mailstore.load_octets(self.owner, message, whole).await?)
        } else {
            None
        };
        for piece in pieces(root) {
            let octets = match &content {
                Some(content) => slice(content, piece.range),
                None => self.mailstore.load_octets(self.owner, message, piece.range).await?,
            };
            body.add(&piece, &octets);
        }
        Ok(body)
    }
}

fn slice(content: &Bytes, range: ByteRange) -> Bytes {
    let end = usize::try_from(range.end).unwrap_or(usize::MAX).min(content.len());
    let start = usize::try_from(range.start).unwrap_or(usize::MAX).min(end);
    content.slice(start..end)
}
