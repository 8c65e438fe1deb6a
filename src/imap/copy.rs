//! COPY and MOVE (RFC 9051 §6.4.7, §6.4.8, RFC 4315 §3, RFC 6851).

use super::reply::{Outcome, Reply};
use super::session::Session;
use crate::codec::imap::response_code::ResponseCode;
use crate::codec::imap::sequence_set::SequenceSet;
use crate::mailstore::copy::Copied;
use crate::model::uid::UidSet;

impl Session {
    /// COPY: all or none.
    pub async fn copy(&mut self, uid: bool, set: &SequenceSet, target: &str) -> Outcome {
        let user = self.user()?;
        let target = self.find_target(target).await?;
        let (source, uids) = (self.opened()?.id, self.resolve(set, uid)?);
        self.refuse_expunged(uid, &uids).await?;
        if uids.is_empty() {
            return Ok(Reply::ok("Nothing to copy"));
        }
        let copied = self.context.mailstore.copy(user, source, &uids, target.id).await?;
        Ok(match copy_uid(&copied) {
            Some(code) => Reply::ok("Copied").with(code),
            None => Reply::ok("Nothing copied"),
        })
    }

    /// MOVE: COPYUID comes untagged, before the EXPUNGE responses (RFC 6851 §4.3).
    pub async fn move_messages(&mut self, uid: bool, set: &SequenceSet, target: &str) -> Outcome {
        let user = self.user()?;
        let target = self.find_target(target).await?;
        self.refuse_read_only()?;
        let (source, uids) = (self.opened()?.id, self.resolve(set, uid)?);
        self.refuse_expunged(uid, &uids).await?;
        if uids.is_empty() {
            return Ok(Reply::ok("Nothing to move"));
        }
        let moved = self.context.mailstore.move_messages(user, source, &uids, target.id).await?;
        if let Some(code) = copy_uid(&moved) {
            self.untagged_ok(Some(&code), "Moved");
        }
        Ok(Reply::ok("Done"))
    }
}

fn copy_uid(copied: &Copied) -> Option<ResponseCode> {
    if copied.uids.is_empty() {
        return None;
    }
    let sources: UidSet = copied.uids.iter().map(|pair| pair.0).collect();
    let targets: UidSet = copied.uids.iter().map(|pair| pair.1).collect();
    Some(ResponseCode::CopyUid(copied.uid_validity, sources, targets))
}
