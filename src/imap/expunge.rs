//! EXPUNGE and UID EXPUNGE (RFC 9051 §6.4.3, §6.4.9). The responses come from the look afterwards.

use super::reply::{Outcome, Reply};
use super::session::Session;
use crate::codec::imap::sequence_set::SequenceSet;
use crate::model::rights::Rights;

impl Session {
    /// EXPUNGE, or UID EXPUNGE of a set.
    pub async fn expunge(&mut self, set: Option<&SequenceSet>) -> Outcome {
        self.refuse_read_only()?;
        let opened = self.opened_with(Rights::READ.with(Rights::EXPUNGE))?;
        let (user, mailbox) = (opened.owner, opened.id);
        let uids = set.map(|set| self.resolve(set, true)).transpose()?;
        let (uids, limit) = match uids.map(|uids| self.within_limit(uids)) {
            Some((uids, limit)) => (Some(uids), limit),
            None => (None, None),
        };
        if uids.as_ref().is_none_or(|uids| !uids.is_empty()) {
            self.context.mailstore.expunge_deleted(user, mailbox, uids.as_ref()).await?;
        }
        Ok(Reply { code: limit, ..Reply::ok("Expunged") })
    }
}
