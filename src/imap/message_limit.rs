//! MESSAGELIMIT (RFC 9738): at most so many messages in one command, where the site says so.
//!
//! FETCH, STORE, MOVE, SEARCH, SORT, THREAD and UID EXPUNGE do the messages with the highest UIDs and
//! tell the lowest they did; COPY and APPEND are all or none and do nothing.

use super::reply::{Outcome, Reply};
use super::session::Session;
use crate::codec::imap::response_code::ResponseCode;
use crate::model::uid::UidSet;

impl Session {
    /// Of the messages a command means those it does, and the code for its OK when these are not
    /// all.
    pub(super) fn within_limit(&self, uids: UidSet) -> (UidSet, Option<ResponseCode>) {
        let limit = self.context.settings.message_limit;
        highest(&uids, limit).map_or((uids, None), |(lowest, done)| {
            (done, Some(ResponseCode::MessageLimit(limit, Some(lowest))))
        })
    }

    /// NO for a command that would do more messages than are allowed, or none (RFC 9738 §3.1).
    pub(super) fn refuse_beyond_limit(&self, count: u64) -> Outcome<()> {
        let limit = self.context.settings.message_limit;
        if limit == 0 || count <= u64::from(limit) {
            return Ok(());
        }
        let code = ResponseCode::MessageLimit(limit, None);
        Err(Reply::no(code, format!("At most {limit} messages in one command")).into())
    }
}

/// The `limit` highest UIDs and the lowest of them; `None`: there are no more than that.
fn highest(uids: &UidSet, limit: u32) -> Option<(u32, UidSet)> {
    let before = uids.len().checked_sub(u64::from(limit)).filter(|more| *more > 0 && limit > 0)?;
    let lowest = uids.at(u32::try_from(before.saturating_add(1)).ok()?)?;
    Some((lowest, uids.above(lowest.saturating_sub(1))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_are_done() {
        let uids = UidSet::from_ranges(vec![(2, 4), (8, 9)]);
        let done = |limit| highest(&uids, limit).map(|(lowest, set)| (lowest, set.to_string()));
        assert_eq!(done(1), Some((9, "9".into())));
        assert_eq!(done(3), Some((4, "4,8:9".into())));
        assert_eq!((done(5), done(6), done(0)), (None, None, None));
    }
}
