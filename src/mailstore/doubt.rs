//! Appends whose commit has an unknown outcome: they may have been done.

use super::Mailstore;
use super::append::Appended;
use super::group_commit::Job;
use crate::model::error::{Error, Result};
use crate::storage::{mailboxes, messages, transaction};

impl Mailstore {
    /// Whether what failed with this error is there after all; where it went. A sender who is told
    /// to come again would bring it twice. Two round trips, only after such an error.
    pub(super) async fn find_done(
        &self,
        jobs: &[Job],
        error: &Error,
    ) -> Option<Vec<Vec<Appended>>> {
        if !transaction::is_doubtful(error) {
            return None;
        }
        transaction::look_again!(self.look_for(jobs)).flatten()
    }

    /// All jobs are of one transaction: all are there, or none.
    async fn look_for(&self, jobs: &[Job]) -> Result<Option<Vec<Vec<Appended>>>> {
        let Some(first) = jobs.first() else { return Ok(None) };
        let ids: Vec<_> = jobs.iter().flat_map(|job| job.ids.iter().copied()).collect();
        let found = messages::find_places(self.storage(), first.user, &ids).await?;
        if found.is_empty() {
            return Ok(None);
        }
        let mailbox = mailboxes::find(self.storage(), first.user, first.mailbox).await?;
        let Some(mailbox) = mailbox else { return Ok(None) };
        let place = |id| {
            // what somebody has removed meanwhile was there
            let (uid, mod_seq) = found.get(id).copied().unwrap_or((0, mailbox.mod_seq));
            Appended { id: *id, uid, uid_validity: mailbox.uid_validity, mod_seq }
        };
        Ok(Some(jobs.iter().map(|job| job.ids.iter().map(place).collect()).collect()))
    }
}
