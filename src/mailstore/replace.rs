//! REPLACE (RFC 8508): a new message comes and an old one goes, both or neither.

use super::Mailstore;
use super::append::{Appended, NewMessage, one};
use super::group_commit::{Held, Job};
use super::threading::Assigned;
use crate::model::error::{Error, Result};
use crate::model::id::{MailboxId, UserId};
use crate::model::uid::{Uid, UidSet};
use crate::storage::archive::Kept;
use crate::storage::field::new_id;
use crate::storage::messages::Selection;
use crate::storage::transaction;
use std::collections::BTreeMap;

impl Mailstore {
    /// Appends a message to the target and removes one from the source, in one transaction; the
    /// octets of the old one count no more when those of the new one are counted. The old one goes to
    /// the archive as any other that a user removes.
    ///
    /// The content is stored first (as for an append that is not inlined). Then the transaction:
    /// that of an expunge and that of an append, twelve round trips and one commit.
    ///
    /// # Errors
    /// `NotFound` message or mailbox, `OverQuota`, `LimitReached` keywords, `Unavailable`.
    pub async fn replace(
        &self,
        (owner, source): (UserId, MailboxId),
        uid: Uid,
        (user, mailbox): (UserId, MailboxId),
        message: NewMessage,
    ) -> Result<Appended> {
        let held = self.hold(&message.prepared, 1, false).await?;
        let held: BTreeMap<_, Held> = [(message.prepared.hash, held)].into();
        let octets = message.octets();
        let job = Job { user, mailbox, ids: vec![new_id()], messages: vec![message], held, octets };
        let uids = UidSet::from_range(uid, uid);
        let selection = Selection::of(owner, source, &uids);
        let jobs = std::slice::from_ref(&job);
        let Assigned { threads, extended } = self.assign_threads(user, jobs).await?;
        let turn = self.writers().turn(user).await;
        let outcome = transaction::run!(self.storage(), async |session| {
            let removed = self.remove_once(session, &selection, Kept::Usual).await?;
            if removed.uids.is_empty() {
                return Err(Error::NotFound { what: "message" });
            }
            let appended = self.write(session, jobs, &threads).await?;
            Ok((appended, removed))
        })
        .await;
        drop(turn);
        match outcome {
            Ok((appended, removed)) => {
                self.inner.threads.add(user, extended);
                self.lower(&removed.references).await;
                one(appended.into_iter().flatten().collect())
            }
            Err(error) => {
                self.release(job, &error).await;
                Err(error)
            }
        }
    }
}
