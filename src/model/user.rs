//! Users as the operations need them.

use super::id::UserId;
use super::message::TimeMs;
use super::target::ForwardTarget;

/// What delivery and login need to know of a user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    /// Identifier.
    pub id: UserId,
    /// Login name.
    pub username: String,
    /// Main address, may be empty.
    pub address: String,
    /// Octets allowed; `None`: no limit.
    pub quota_octets: Option<u64>,
    /// Octets used, as last counted.
    pub used_octets: u64,
    /// May neither log in nor receive.
    pub disabled: bool,
    /// May not log in.
    pub suspended: bool,
    /// Generation of his sessions: it grows with every change that ends them.
    pub session_epoch: i64,
    /// What happens to his mail.
    pub rules: UserRules,
}

/// What delivery and submission need to know of a user's wishes and limits.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct UserRules {
    /// 0 (all is spam) to 100 (nothing is).
    pub spam_level: u64,
    /// Tags, lowercase: they choose lists of domains.
    pub tags: Vec<String>,
    /// Where all his mail is forwarded to.
    pub targets: Vec<ForwardTarget>,
    /// The server his outgoing mail goes through, instead of the recipients' own.
    pub relay: Option<ForwardTarget>,
    /// He has an autoreply that is switched on.
    pub has_autoreply: bool,
    /// What is stored for him is encrypted with his key.
    pub encrypts_messages: bool,
    /// What is forwarded for him is encrypted with his key.
    pub encrypts_forwarded: bool,
    /// He has a key that mailboxes may want their messages encrypted with.
    pub has_key: bool,
    /// He has never had a filter; `false` says nothing.
    pub is_filterless: bool,
    /// Messages forwarded in 24 hours; 0 is the store's default.
    pub forwards_max: u64,
    /// Recipients in 24 hours; 0 is the store's default.
    pub recipients_max: u64,
    /// Messages received in a minute; 0 is the store's default.
    pub received_max: u64,
    /// IMAP sessions at the same time; 0 is the door's default.
    pub imap_connections_max: u64,
    /// Octets he may send over IMAP in 24 hours; 0 is the store's default.
    pub imap_upload_max: u64,
    /// Octets he may fetch over IMAP in 24 hours; 0 is the store's default.
    pub imap_download_max: u64,
    /// Audits of his mail run until then; 0: none.
    pub audited_until_ms: TimeMs,
}
