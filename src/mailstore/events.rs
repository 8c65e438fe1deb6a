//! What changes in a user's mailboxes, for those who want to be told of everything.
//!
//! A [`Feed`] reads the changes of all mailboxes in the order they were made. Changes that two nodes
//! make in the same seconds may become visible in either order: the feed looks back a few seconds
//! for those, and remembers what it has told. One that continues another tells those again of which
//! it cannot know: changes of other nodes in the seconds before.

use super::Mailstore;
use crate::model::error::Result;
use crate::model::id::{MailboxId, ObjectId, UserId};
use crate::model::mailbox::Mailbox;
use crate::storage::change_feed;
use crate::storage::field::new_id;
use crate::storage::mailboxes;
use std::collections::{BTreeSet, HashMap};

pub use crate::storage::change_feed::FedChange as Event;
pub use crate::storage::changes::Kind;

/// How far a feed looks back for changes of other nodes.
const LOOK_BACK_S: u32 = 5;
/// Changes read at a time.
const BATCH: i64 = 500;

/// A reader of one user's changes.
#[derive(Debug)]
pub struct Feed {
    mailstore: Mailstore,
    user: UserId,
    /// The newest change that was told.
    newest: ObjectId,
    /// Told changes that the next look back will meet again.
    told: BTreeSet<ObjectId>,
}

/// The seconds in an identifier.
fn seconds(id: ObjectId) -> u32 {
    id.octets().first_chunk().map_or(0, |seconds| u32::from_be_bytes(*seconds))
}

/// The lowest identifier of some seconds before another.
fn look_back(id: ObjectId) -> ObjectId {
    let mut octets = [0; 12];
    if let Some(first) = octets.first_chunk_mut() {
        *first = seconds(id).saturating_sub(LOOK_BACK_S).to_be_bytes();
    }
    ObjectId::from_octets(octets)
}

/// Which process made an identifier.
fn process(id: ObjectId) -> [u8; 5] {
    let octets = id.octets();
    octets.get(4..9).and_then(|process| process.try_into().ok()).unwrap_or_default()
}

impl Mailstore {
    /// A feed that begins after a change, or now. One round trip.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn feed(&self, user: UserId, after: Option<ObjectId>) -> Result<Feed> {
        let newest = after.unwrap_or_else(new_id);
        let mut told = BTreeSet::from([newest]);
        let read = change_feed::read_after(self.storage(), user, look_back(newest), BATCH).await?;
        let before = read.into_iter().map(|event| event.id).filter(|id| *id <= newest);
        // Those of one process come in order
        told.extend(before.filter(|id| after.is_none() || process(*id) == process(newest)));
        Ok(Feed { mailstore: self.clone(), user, newest, told })
    }

    /// Those of some mailboxes that exist. One round trip for each.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn find_event_mailboxes(
        &self,
        user: UserId,
        wanted: &BTreeSet<MailboxId>,
    ) -> Result<HashMap<MailboxId, Mailbox>> {
        let mut found = HashMap::new();
        for mailbox in wanted {
            let one = mailboxes::find(self.storage(), user, *mailbox).await?;
            found.extend(one.map(|one| (*mailbox, one)));
        }
        Ok(found)
    }
}

impl Feed {
    /// The newest change that was told.
    pub const fn newest(&self) -> ObjectId {
        self.newest
    }

    /// Changes that were not told yet, oldest first; empty when there is none. One round trip.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn next_batch(&mut self) -> Result<Vec<Event>> {
        let storage = self.mailstore.storage();
        let mut from = look_back(self.newest);
        let mut fresh = Vec::new();
        loop {
            let read = change_feed::read_after(storage, self.user, from, BATCH).await?;
            let (count, last) = (read.len(), read.last().map(|event| event.id));
            fresh.extend(read.into_iter().filter(|event| !self.told.contains(&event.id)));
            match last {
                // A page of nothing but what was told: further
                Some(last) if fresh.is_empty() && i64::try_from(count).ok() == Some(BATCH) => {
                    from = last;
                }
                _ => break,
            }
        }
        for event in &fresh {
            self.told.insert(event.id);
            self.newest = self.newest.max(event.id);
        }
        self.told = self.told.split_off(&look_back(self.newest));
        Ok(fresh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_taken_apart() {
        let id: ObjectId = "0000012c0102030405aabbcc".parse().unwrap();
        assert_eq!((seconds(id), process(id)), (300, [1, 2, 3, 4, 5]));
        assert_eq!(look_back(id).to_string(), "000001270000000000000000");
    }
}
