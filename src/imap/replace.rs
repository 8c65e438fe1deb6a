//! REPLACE and UID REPLACE (RFC 8508): APPEND and expunge of one message in one step.

use super::append::append_uid;
use super::reply::{Failure, Outcome, Reply};
use super::session::Session;
use crate::codec::imap::append::Replace;
use crate::codec::imap::response_code::ResponseCode;
use crate::codec::imap::sequence_set::{SeqBound, SequenceSet};
use crate::model::rights::Rights;

/// The rights on the mailbox of the old message.
const REPLACING: Rights = Rights::READ.with(Rights::DELETE_MESSAGES).with(Rights::EXPUNGE);

impl Session {
    /// REPLACE: APPENDUID comes untagged, before EXPUNGE (RFC 8508 §3.3).
    pub async fn replace(&mut self, replace: Replace) -> Outcome {
        let target = self.find_target(&replace.mailbox).await?;
        self.refuse_read_only()?;
        let opened = self.opened_with(REPLACING)?;
        let source = (opened.owner, opened.id);
        let bound = replace.number.map_or(SeqBound::Largest, SeqBound::Number);
        let uids = self.resolve(&SequenceSet::Ranges(vec![(bound, bound)]), replace.uid)?;
        self.refuse_expunged(replace.uid, &uids).await?;
        // RFC 8508 §3.4: nothing is appended when there is nothing to replace
        let uid = uids.first().ok_or_else(|| {
            Reply::no(ResponseCode::Nonexistent, "There is no such message to be replaced")
        })?;
        let message = replace.message;
        let (contents, _share) = self.assemble(vec![message.data]).await?;
        let content = contents.into_iter().next().unwrap_or_default();
        let new = self.new_message(&target, content, &message.flags, message.date).await?;
        let target = (target.mailbox.user, target.mailbox.id);
        let replaced = self.context.mailstore.replace(source, uid, target, new).await;
        let code = append_uid(&[replaced.map_err(Failure::Target)?])?;
        self.untagged_ok(Some(&code), "Replacement stored");
        Ok(Reply::ok("Replaced"))
    }
}
