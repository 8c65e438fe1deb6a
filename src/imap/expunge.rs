//! EXPUNGE and UID EXPUNGE (RFC 9051 §6.4.3, §6.4.9). The responses come from the look afterwards.

use super::progress::Progress;
use super::reply::{Outcome, Reply};
use super::session::Session;
use super::uid_chunks::chunks;
use crate::codec::imap::sequence_set::SequenceSet;
use crate::model::flag::Flag;
use crate::model::rights::Rights;
use crate::model::uid::UidSet;

/// Messages between two counts of a long EXPUNGE (RFC 9585).
const STEP: u32 = 5000;

impl Session {
    /// EXPUNGE, or UID EXPUNGE of a set.
    pub async fn expunge(&mut self, tag: &str, set: Option<&SequenceSet>) -> Outcome {
        self.refuse_read_only()?;
        let opened = self.opened_with(Rights::READ.with(Rights::EXPUNGE))?;
        let (user, mailbox) = (opened.owner, opened.id);
        let uids = set.map(|set| self.resolve(set, true)).transpose()?;
        let (uids, limit) = match uids.map(|uids| self.within_limit(uids)) {
            Some((uids, limit)) => (Some(uids), limit),
            None => (None, None),
        };
        if uids.as_ref().is_none_or(|uids| !uids.is_empty()) {
            let marked = self.marked_deleted(uids.as_ref()).await?;
            let mailstore = self.context.mailstore.clone();
            let progress = Progress::default();
            let work = async {
                if marked.len() > u64::from(STEP) {
                    progress.expect(marked.len());
                    for step in chunks(&marked, STEP) {
                        mailstore.expunge_deleted(user, mailbox, Some(&step)).await?;
                        progress.advance(step.len());
                    }
                }
                // and what others have marked in this moment
                mailstore.expunge_deleted(user, mailbox, uids.as_ref()).await
            };
            self.work(tag, &progress, work).await??;
        }
        Ok(Reply { code: limit, ..Reply::ok("Expunged") })
    }

    /// The messages with `\Deleted`, as far as this node knows.
    async fn marked_deleted(&mut self, among: Option<&UidSet>) -> Outcome<UidSet> {
        let (_, view) = self.opened_view().await?;
        let mut marked = Vec::new();
        let all = view.state().uids;
        for chunk in chunks(among.unwrap_or(&all), 4096) {
            view.for_each(&chunk, &mut |row| {
                if row.flags.has(Flag::Deleted) {
                    marked.push((row.uid, row.uid));
                }
            });
        }
        Ok(UidSet::from_ranges(marked))
    }
}
