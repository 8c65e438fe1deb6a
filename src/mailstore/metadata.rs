//! Annotations of mailboxes and of the server (RFC 5464).
//!
//! `/private` entries are each user's own, also on a mailbox that is shared with him; `/shared` ones
//! are the mailbox's. On the server a user has private entries only.

use super::Mailstore;
use crate::model::error::{Error, Result};
use crate::model::id::{MailboxId, UserId};
use crate::model::limits::METADATA_ENTRIES_MAX;
use crate::model::mailbox::Mailbox;
use crate::model::uid::UidSet;
use crate::storage::changes::{self, Doorbell, Kind};
use crate::storage::mailboxes::{self, Bump};
use crate::storage::{metadata, transaction};
use std::collections::BTreeMap;

pub use crate::storage::metadata::{Below, Digest};

/// Where the annotations of a command are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Annotated {
    /// Who asks or writes: his are the private ones.
    pub user: UserId,
    /// The mailbox and its owner; `None`: the server.
    pub mailbox: Option<(UserId, MailboxId)>,
}

impl Annotated {
    /// Where an entry of this name is kept.
    fn place(&self, entry: &str) -> metadata::Place {
        match self.mailbox {
            None => (self.user, None),
            Some((owner, mailbox)) => {
                (if is_private(entry) { self.user } else { owner }, Some(mailbox))
            }
        }
    }
}

/// Whether an entry is each user's own.
pub fn is_private(entry: &str) -> bool {
    entry == "/private" || entry.starts_with("/private/")
}

impl Mailstore {
    /// The entries of these names, and those below, that have a value, sorted. One query.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn find_metadata(
        &self,
        of: Annotated,
        entries: &[String],
        below: Below,
    ) -> Result<BTreeMap<String, Vec<u8>>> {
        let wanted: Vec<_> = entries.iter().map(|entry| (of.place(entry), entry.clone())).collect();
        let found = metadata::find(self.storage(), &wanted, below).await?;
        Ok(found.into_iter().map(|(_, entry, value)| (entry, value)).collect())
    }

    /// The values of some entries of many mailboxes, by mailbox and entry. One query for the private
    /// ones, one for the shared ones of each owner.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn find_metadata_of_many(
        &self,
        user: UserId,
        mailboxes: &[&Mailbox],
        entries: &[String],
    ) -> Result<BTreeMap<(MailboxId, String), Vec<u8>>> {
        let (private, shared): (Vec<String>, Vec<String>) =
            entries.iter().cloned().partition(|entry| is_private(entry));
        let ids: Vec<MailboxId> = mailboxes.iter().map(|mailbox| mailbox.id).collect();
        let mut found = metadata::find_in_many(self.storage(), user, &ids, &private).await?;
        let mut owners: BTreeMap<UserId, Vec<MailboxId>> = BTreeMap::new();
        for mailbox in mailboxes {
            owners.entry(mailbox.user).or_default().push(mailbox.id);
        }
        for (owner, ids) in owners {
            found.extend(metadata::find_in_many(self.storage(), owner, &ids, &shared).await?);
        }
        let by_mailbox = found
            .into_iter()
            .filter_map(|(mailbox, entry, value)| Some(((mailbox?, entry), value)));
        Ok(by_mailbox.collect())
    }

    /// Sets entries, or removes those without a value: all or none. One transaction: the mailbox, if
    /// something of it that others see or its owner has changes, each entry, a count, one change,
    /// commit.
    ///
    /// # Errors
    /// `NotFound` mailbox, `LimitReached` entries, `Conflict`, `Unavailable`.
    pub async fn set_metadata(
        &self,
        of: Annotated,
        values: &[(String, Option<Vec<u8>>)],
    ) -> Result<()> {
        let storage = self.storage();
        let changes_mailbox = |(entry, _): &(String, _)| {
            of.mailbox.is_some_and(|(owner, _)| owner == of.user || !is_private(entry))
        };
        let bumped = of.mailbox.filter(|_| values.iter().any(changes_mailbox));
        transaction::run!(storage, async |session| {
            let mut change = None;
            if let Some((owner, mailbox)) = bumped {
                let none = Bump::default();
                let after = mailboxes::bump(storage, session, owner, mailbox, &none).await?;
                let after = after.ok_or(Error::NotFound { what: "mailbox" })?;
                change = Some(self.change(&after, Kind::Update, UidSet::new()));
            }
            let mut places = Vec::new();
            for (entry, value) in values {
                let place = of.place(entry);
                metadata::set(storage, session, place, entry, value.as_deref()).await?;
                if value.is_some() && !places.contains(&place) {
                    places.push(place);
                }
            }
            for place in places {
                if metadata::count(storage, session, place).await? > METADATA_ENTRIES_MAX {
                    let limit = format!("{METADATA_ENTRIES_MAX} annotations of a mailbox");
                    return Err(Error::LimitReached { limit });
                }
            }
            changes::insert(storage, session, change.as_slice()).await
        })
        .await?;
        if bumped.is_none() {
            // no mailbox of the user has changed, so nothing has rung
            let now = self.clock().now_ms();
            let rung = changes::ring(storage, of.user, Doorbell::Metadata, now).await;
            if let Err(error) = rung {
                tracing::debug!(%error, "who watches annotations looks later");
            }
        }
        Ok(())
    }

    /// What a user watches of annotations: his own, and of mailboxes of these others what all see.
    /// One query for each.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn digest_metadata(&self, user: UserId, others: &[UserId]) -> Result<Digest> {
        let mut all = metadata::digest(self.storage(), user).await?;
        for owner in others {
            let theirs = metadata::digest(self.storage(), *owner).await?;
            all.extend(
                theirs
                    .into_iter()
                    .filter(|((mailbox, entry), _)| mailbox.is_some() && !is_private(entry)),
            );
        }
        Ok(all)
    }
}
