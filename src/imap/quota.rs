//! GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 9208 §4; RFC 2087 clients are served alike).
//!
//! Each user has one quota root, the empty name; that of another user, whose mailbox is shared, is
//! `Other Users/<username>`. Limits are set by the operator, over HTTP.

use super::reply::{Outcome, Reply};
use super::rights::{Whose, no_permission, whose};
use super::select::mailbox_name;
use super::session::Session;
use crate::codec::imap::quota::{Quota, Resource};
use crate::codec::imap::response_code::ResponseCode;
use crate::model::id::UserId;
use crate::model::mailbox::{DELIMITER, MailboxName, OTHER_USERS};
use crate::model::rights::Rights;

/// The unit of STORAGE (RFC 9208 §5.1).
const OCTETS: u64 = 1024;

impl Session {
    /// The commands of QUOTA.
    pub async fn quota(&mut self, command: Quota) -> Outcome {
        match command {
            Quota::Get(root) => {
                require_own(&root)?;
                self.tell_quota(self.user()?, &root).await?;
                Ok(Reply::ok("Quota told"))
            }
            Quota::GetRoot(mailbox) => self.get_quota_root(&mailbox_name(&mailbox)?).await,
            Quota::Set(root, _) => {
                require_own(&root)?;
                // RFC 9208 §4.1.3: only the operator may
                Err(no_permission())
            }
        }
    }

    /// RFC 4314 §4: it needs `r`. A name that does not exist yet is answered with the quota it would
    /// come under, if it would be an own one.
    async fn get_quota_root(&mut self, name: &MailboxName) -> Outcome {
        let (owner, root) = match whose(name) {
            Whose::Own => (self.user()?, String::new()),
            Whose::Level => return Err(no_permission()),
            Whose::Other(username, _) => {
                let reached = self.find_mailbox(name).await?;
                reached.require(Rights::READ)?;
                (reached.mailbox.user, format!("{OTHER_USERS}{DELIMITER}{username}"))
            }
        };
        self.writer().quota_root(name.as_str(), &root);
        self.tell_quota(owner, &root).await?;
        Ok(Reply::ok("Quota told"))
    }

    async fn tell_quota(&mut self, user: UserId, root: &str) -> Outcome<()> {
        let count = self.context.mailstore.count_quota(user).await?;
        let mut resources = Vec::with_capacity(3);
        if let Some(octets) = count.usage.quota_octets {
            let used = count.usage.used_octets.div_ceil(OCTETS);
            // a limit below one unit still is one
            resources.push(Resource { name: "STORAGE", used, limit: octets.div_ceil(OCTETS) });
        }
        if let Some(limit) = count.usage.quota_messages {
            resources.push(Resource { name: "MESSAGE", used: count.messages, limit });
        }
        let limit = count.mailboxes_max;
        resources.push(Resource { name: "MAILBOX", used: count.mailboxes, limit });
        self.writer().quota(root, &resources);
        Ok(())
    }
}

/// NO for a root that is not the user's.
fn require_own(root: &str) -> Outcome<()> {
    if root.is_empty() {
        return Ok(());
    }
    Err(Reply::no(ResponseCode::Nonexistent, "There is no such quota root").into())
}
