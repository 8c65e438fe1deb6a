//! Where users' mail goes first. An INBOX is made with its user, can be neither renamed nor removed,
//! and goes with him: once found it need not be looked up again.

use super::Mailstore;
use crate::model::error::Result;
use crate::model::id::{MailboxId, UserId};
use crate::model::mailbox::MailboxName;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Users remembered, some 40 octets each; then it begins anew.
const INBOXES_MAX: usize = 100_000;

/// INBOXes that were found.
#[derive(Debug, Default)]
pub(super) struct Inboxes {
    known: Mutex<HashMap<UserId, MailboxId>>,
}

impl Mailstore {
    /// A user's INBOX. No round trip if this node has asked before, else one.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn find_inbox(&self, user: UserId) -> Result<Option<MailboxId>> {
        let known = || self.inner.inboxes.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = known().get(&user).copied() {
            return Ok(Some(id));
        }
        let Some(found) = self.find_mailbox_by_name(user, &MailboxName::inbox()).await? else {
            return Ok(None);
        };
        let mut known = known();
        if known.len() >= INBOXES_MAX {
            known.clear();
        }
        known.insert(user, found.id);
        Ok(Some(found.id))
    }
}
