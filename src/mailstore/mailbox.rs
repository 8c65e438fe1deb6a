//! Create, rename, delete, list, subscribe.
use super::Mailstore;
use crate::model::error::Result;
use crate::model::id::{MailboxId, UserId};
use crate::model::mailbox::{Mailbox, MailboxName, SpecialUse};

/// A mailbox to create.
#[derive(Clone, Debug)]
pub struct NewMailbox {
    /// Name.
    pub name: MailboxName,
    /// Special use.
    pub special_use: Option<SpecialUse>,
    /// Subscribed from the start.
    pub subscribed: bool,
    /// Hidden from IMAP.
    pub hidden: bool,
    /// Encrypt what is stored.
    pub encrypt_messages: bool,
    /// Retention in milliseconds.
    pub retention_ms: Option<u64>,
}
/// Changes of a mailbox; `None` leaves as it is.
#[derive(Clone, Default, Debug)]
pub struct MailboxUpdate {
    /// Subscribed.
    pub subscribed: Option<bool>,
    /// Hidden.
    pub hidden: Option<bool>,
    /// Encrypt.
    pub encrypt_messages: Option<bool>,
    /// Retention in milliseconds; 0 for ever.
    pub retention_ms: Option<u64>,
}
impl Mailstore {
    /// All mailboxes of a user, INBOX first, then by name.
    pub async fn list_mailboxes(&self, _user: UserId) -> Result<Vec<Mailbox>> {
        todo!()
    }
    /// One mailbox.
    pub async fn find_mailbox(
        &self,
        _user: UserId,
        _mailbox: MailboxId,
    ) -> Result<Option<Mailbox>> {
        todo!()
    }
    /// One mailbox by name.
    pub async fn find_mailbox_by_name(
        &self,
        _user: UserId,
        _name: &MailboxName,
    ) -> Result<Option<Mailbox>> {
        todo!()
    }
    /// Creates a mailbox; parents are not created (the door does, where its protocol says so).
    pub async fn create_mailbox(&self, _user: UserId, _new: NewMailbox) -> Result<Mailbox> {
        todo!()
    }
    /// INBOX, Sent, Trash, Drafts, Junk, named in a language (`en` by default).
    pub async fn create_default_mailboxes(&self, _user: UserId, _language: &str) -> Result<()> {
        todo!()
    }
    /// Renames a mailbox, with all below it if `with_children`. INBOX: `Invalid` (its special rename is the IMAP door's).
    pub async fn rename_mailbox(
        &self,
        _user: UserId,
        _mailbox: MailboxId,
        _to: &MailboxName,
        _with_children: bool,
    ) -> Result<()> {
        todo!()
    }
    /// Changes settings.
    pub async fn update_mailbox(
        &self,
        _user: UserId,
        _mailbox: MailboxId,
        _update: MailboxUpdate,
    ) -> Result<()> {
        todo!()
    }
    /// Deletes a mailbox and its messages. The caller has checked INBOX/special-use.
    pub async fn delete_mailbox(&self, _user: UserId, _mailbox: MailboxId) -> Result<()> {
        todo!()
    }
    /// Subscribes or unsubscribes a name, whether or not such a mailbox exists (RFC 9051 §6.3.7).
    pub async fn subscribe(
        &self,
        _user: UserId,
        _name: &MailboxName,
        _subscribed: bool,
    ) -> Result<()> {
        todo!()
    }
    /// Subscribed names without a mailbox, sorted.
    pub async fn list_dangling_subscriptions(&self, _user: UserId) -> Result<Vec<MailboxName>> {
        todo!()
    }
    /// Deletes everything a user owns here (mailboxes, messages, subscriptions).
    pub async fn delete_user_data(&self, _user: UserId) -> Result<()> {
        todo!()
    }
}
