//! BURL: a user submits what is in a mailbox already, without fetching it first (RFC 4468).
//!
//! The mailboxes are those of this store: URLs are resolved here, under the authorisation their owner
//! has given (RFC 4467), whatever host they name. `submit+` is for the user who has logged in.

use super::reply_line::{bad_sequence, reply_to_error};
use super::role::Role;
use super::session::{Ending, Session};
use super::transaction::Receiving;
use crate::codec::imap::url::{Access, Url};
use crate::codec::mime::section::{Section, SectionText, locate};
use crate::codec::mime::tree;
use crate::codec::smtp::reply::Reply;
use crate::mailstore::fetch::Fields;
use crate::model::error::{Error, Result};
use crate::model::id::UserId;
use crate::model::mailbox::MailboxName;
use crate::model::message::Message;
use crate::model::rights::Rights;
use crate::model::structure::ByteRange;
use unicode_normalization::UnicodeNormalization;

/// Octets read at once.
const PIECE_OCTETS: u64 = 1024 * 1024;

impl Session {
    /// BURL: a chunk that is fetched. When that fails the transaction is over, as after a BDAT that
    /// fails (RFC 4468 §3.3).
    pub(super) async fn burl(&mut self, url: &str, is_last: bool) -> Result<(), Ending> {
        if let Some(refusal) = self.refuse_burl() {
            self.reply(&refusal);
            return Ok(());
        }
        let mut receiving = self.take_receiving();
        let refusal = match self.fetch_url(url, &mut receiving).await {
            Ok(true) => {
                // RFC 4468 §4
                self.end_chunk(receiving, is_last, "go on with BURL or BDAT".to_owned()).await;
                return Ok(());
            }
            Ok(false) => Reply::new(554, (5, 6, 6), "the URL leads to nothing you may send"),
            Err(error) => {
                self.log_error(&error);
                match error {
                    Error::Unavailable { .. } | Error::Internal { .. } => {
                        Reply::new(451, (4, 4, 1), "the mailboxes are not available")
                    }
                    error => reply_to_error(&error),
                }
            }
        };
        self.transaction = None;
        self.reply(&refusal);
        Ok(())
    }

    fn refuse_burl(&self) -> Option<Reply> {
        if self.context.role != Role::Submission {
            return Some(Reply::new(502, (5, 5, 1), "BURL is not offered"));
        }
        if self.user.is_none() {
            return Some(Reply::new(530, (5, 7, 0), "authentication required"));
        }
        let has_recipients = self.transaction.as_ref().is_some_and(|it| it.count() > 0);
        (!has_recipients).then(|| bad_sequence("no valid recipients"))
    }

    /// Adds what a URL names. `false`: there is nothing, or not for this user.
    async fn fetch_url(&self, text: &str, receiving: &mut Receiving) -> Result<bool> {
        let Some(url) = Url::parse(text) else { return Ok(false) };
        let Some((owner, message)) = self.find_authorised(&url, text).await? else {
            return Ok(false);
        };
        let section = &url.section;
        let is_whole = section.path.is_empty() && section.text == SectionText::All;
        if url.partial.is_some() {
            return Ok(false);
        }
        let range = if is_whole {
            receiving.push(&message.prefix).await;
            let prefix = u64::try_from(message.prefix.len()).unwrap_or(u64::MAX);
            ByteRange { start: 0, end: message.row.octets.saturating_sub(prefix) }
        } else {
            match part_of(&message, section) {
                Some(range) => range,
                None => return Ok(false),
            }
        };
        let mut at = 0;
        while at < range.octets() && !receiving.spool.is_too_large() {
            let piece = range.partial(at, PIECE_OCTETS);
            let octets = self.context.mailstore.load_octets(owner, &message, piece).await?;
            receiving.push(&octets).await;
            at = at.saturating_add(PIECE_OCTETS);
        }
        Ok(true)
    }

    /// The message of a URL that its owner has authorised for this user, and the owner.
    async fn find_authorised(&self, url: &Url, text: &str) -> Result<Option<(UserId, Message)>> {
        let (Some(name), Some(access), Some(token)) = (&url.user, &url.access, &url.token) else {
            return Ok(None);
        };
        let is_expired = url.expires.is_some_and(|at| at <= self.context.clock.now_ms());
        if token.mechanism != "INTERNAL" || is_expired || !self.is_granted(access).await? {
            return Ok(None);
        }
        let Some(owner) = self.context.authenticator.find_user(name).await? else {
            return Ok(None);
        };
        let (owner, mailstore) = (owner.id, &self.context.mailstore);
        let Some(name) = &url.mailbox else { return Ok(None) };
        let Ok(name) = MailboxName::new(&name.nfc().collect::<String>()) else { return Ok(None) };
        let found = mailstore.find_mailbox_by_name(owner, &name).await?;
        let Some(mailbox) = found.filter(|mailbox| {
            let is_it = url.uid_validity.is_none_or(|given| given == mailbox.uid_validity);
            is_it && !mailbox.hidden && mailbox.rights_of(owner).has(Rights::READ)
        }) else {
            return Ok(None);
        };
        let rump = text.get(..token.rump_octets).unwrap_or_default();
        if !mailstore.is_url_signed(owner, mailbox.id, rump, &token.value).await? {
            return Ok(None);
        }
        let fields = Fields { tree: true, ..Fields::default() };
        let message = mailstore.find_message(owner, mailbox.id, url.uid, fields).await?;
        Ok(message.map(|message| (owner, message)))
    }

    /// RFC 4467 §3, RFC 4468 §3.2: whether a URL is for who has logged in.
    async fn is_granted(&self, access: &Access) -> Result<bool> {
        let Some(own) = &self.user else { return Ok(false) };
        match access {
            Access::Anonymous | Access::AuthUser => Ok(true),
            Access::User(name) | Access::Submit(name) => {
                let found = self.context.authenticator.find_user(name).await?;
                Ok(found.is_some_and(|found| found.id == own.id))
            }
        }
    }
}

/// Where a section is in the content; not of header fields, which are no piece of it.
fn part_of(message: &Message, section: &Section) -> Option<ByteRange> {
    match section.text {
        SectionText::HeaderFields(_) | SectionText::HeaderFieldsNot(_) => None,
        SectionText::All | SectionText::Header | SectionText::Text | SectionText::Mime => {
            Some(locate(&tree::decode(&message.tree)?, section)?.range)
        }
    }
}
