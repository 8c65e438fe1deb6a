//! The user's allowances of octets a day: what moves much is refused when they are used up.

use super::reply::{Outcome, Reply};
use super::session::Session;
use crate::codec::imap::command::Command;
use crate::codec::imap::response_code::ResponseCode;
use crate::model::window::Window;

/// Octets after which a session hands over what it has counted.
const STEP_OCTETS: u64 = 1024 * 1024;

impl Session {
    /// Octets in and out since they were counted last.
    fn uncounted(&self) -> (u64, u64) {
        let counted = self.login.as_ref().map_or((0, 0), |login| login.counted);
        let (came, went) = (self.stream.octets_in(), self.stream.octets_out());
        (came.saturating_sub(counted.0), went.saturating_sub(counted.1))
    }

    /// After a login: what came before belongs to nobody.
    pub(super) fn begin_traffic(&mut self) {
        let moved = (self.stream.octets_in(), self.stream.octets_out());
        if let Some(login) = &mut self.login {
            login.counted = moved;
            self.context.authenticator.count_traffic(&login.user, 0, 0, &login.traffic);
        }
    }

    /// Hands over what came and went since the last time; nobody waits for it.
    pub(super) fn count_traffic(&mut self) {
        let (came, went) = self.uncounted();
        if let Some(login) = &mut self.login {
            login.counted.0 += came;
            login.counted.1 += went;
            if came + went > 0 {
                self.context.authenticator.count_traffic(&login.user, came, went, &login.traffic);
            }
        }
    }

    /// RFC 5530 §3 has LIMIT for this: APPEND and FETCH of a user who has used up his day.
    pub(super) fn refuse_beyond_traffic(&mut self, command: &Command) -> Outcome<()> {
        let window = match command {
            Command::Append(_) | Command::Replace(_) => Window::ImapUpload,
            Command::Fetch(_) | Command::UrlFetch(_) => Window::ImapDownload,
            _ => return Ok(()),
        };
        let (came, went) = self.uncounted();
        if came.max(went) >= STEP_OCTETS {
            self.count_traffic();
        }
        match &self.login {
            Some(login) if login.traffic.is_full(window) => {
                let text = "The octets of this day are used up";
                Err(Reply::no(ResponseCode::Limit, text).into())
            }
            _ => Ok(()),
        }
    }
}
