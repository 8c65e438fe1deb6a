//! COPY and MOVE (RFC 9051 §6.4.7, §6.4.8, RFC 4315 §3, RFC 6851).

use super::progress::Progress;
use super::reply::{Outcome, Reply};
use super::rights::permitted_flags;
use super::session::Session;
use crate::codec::imap::response_code::ResponseCode;
use crate::codec::imap::sequence_set::SequenceSet;
use crate::mailstore::copy::Copied;
use crate::model::rights::Rights;
use crate::model::uid::UidSet;

/// The rights on the mailbox that messages are moved from.
const MOVING: Rights = Rights::READ.with(Rights::DELETE_MESSAGES).with(Rights::EXPUNGE);

impl Session {
    /// COPY: all or none.
    pub async fn copy(&mut self, tag: &str, uid: bool, set: &SequenceSet, target: &str) -> Outcome {
        let target = self.find_target(target).await?;
        let opened = self.opened_with(Rights::READ)?;
        let (source, uids) = ((opened.owner, opened.id), self.resolve(set, uid)?);
        self.refuse_expunged(uid, &uids).await?;
        self.refuse_beyond_limit(uids.len())?;
        if uids.is_empty() {
            return Ok(Reply::ok("Nothing to copy"));
        }
        let (flags, target) = (permitted_flags(target.rights), target.mailbox);
        let target = (target.user, target.id);
        let mailstore = self.context.mailstore.clone();
        let copying = mailstore.copy_to(source, &uids, target, flags);
        let copied = self.work(tag, &Progress::default(), copying).await??;
        Ok(match copy_uid(&copied) {
            Some(code) => Reply::ok("Copied").with(code),
            None => Reply::ok("Nothing copied"),
        })
    }

    /// MOVE: COPYUID comes untagged, before the EXPUNGE responses (RFC 6851 §4.3).
    pub async fn move_messages(
        &mut self,
        tag: &str,
        uid: bool,
        set: &SequenceSet,
        target: &str,
    ) -> Outcome {
        let target = self.find_target(target).await?;
        self.refuse_read_only()?;
        // RFC 6851 §4.4: it is a COPY, STORE of \Deleted and EXPUNGE
        let opened = self.opened_with(MOVING)?;
        let (source, uids) = ((opened.owner, opened.id), self.resolve(set, uid)?);
        self.refuse_expunged(uid, &uids).await?;
        let (uids, limit) = self.within_limit(uids);
        if uids.is_empty() {
            return Ok(Reply::ok("Nothing to move"));
        }
        let (flags, target) = (permitted_flags(target.rights), target.mailbox);
        let target = (target.user, target.id);
        let mailstore = self.context.mailstore.clone();
        let moving = mailstore.move_to(source, &uids, target, flags);
        let moved = self.work(tag, &Progress::default(), moving).await??;
        if let Some(code) = copy_uid(&moved) {
            self.untagged_ok(Some(&code), "Moved");
        }
        Ok(Reply { code: limit, ..Reply::ok("Done") })
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
