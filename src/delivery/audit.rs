//! Audits: copies of a user's mail, of what is there and of what comes, kept until they expire
//! (`reference/behaviours.md` §20).
//!
//! A copy holds the content itself, so it stays whatever the user does with the message.

use super::Delivery;
use crate::codec::mime::mbox;
use crate::mailstore::append::Prepared;
use crate::mailstore::archive::ArchiveQuery;
use crate::mailstore::fetch::Fields;
use crate::model::audit::{Audit, AuditedMessage, ImportStatus};
use crate::model::error::{Error, Result};
use crate::model::flag::Flag;
use crate::model::id::{MailboxId, MessageId, ObjectId, UserId};
use crate::model::message::{Message, TimeMs};
use crate::model::structure::{ByteRange, Summary};
use crate::model::uid::{Uid, UidSet};
use crate::storage::field::new_id;
use crate::storage::{audits, content_range};

/// Copies deleted by one step.
const DELETED_MAX: i64 = 200;
/// Archived messages read at once.
const ARCHIVED_MAX: usize = 200;
/// Copies read at once for an export.
const EXPORTED_MAX: i64 = 50;

/// What an audit is ordered with.
#[derive(Clone, Debug)]
pub struct NewAudit {
    /// Whose mail.
    pub user: UserId,
    /// Messages from then on.
    pub start_ms: Option<TimeMs>,
    /// Messages until then.
    pub end_ms: Option<TimeMs>,
    /// When the copies are deleted.
    pub expires_ms: TimeMs,
    /// For people.
    pub notes: Option<String>,
    /// JSON text of the API caller.
    pub meta: Option<String>,
}

/// A message that comes, for the audits of its user.
#[derive(Debug)]
pub(super) struct Audited<'a> {
    pub user: UserId,
    /// The message, unless it is not stored.
    pub stored: Option<(MessageId, MailboxId)>,
    pub prepared: &'a Prepared,
    pub prefix: &'a [u8],
    pub is_draft: bool,
}

impl Delivery {
    /// Orders an audit: messages that come are copied from now on, those that are there soon.
    ///
    /// # Errors
    /// `NotFound` user, `Unavailable`.
    pub async fn create_audit(&self, new: NewAudit) -> Result<ObjectId> {
        let audit = Audit {
            id: new_id(),
            user: new.user,
            start_ms: new.start_ms,
            end_ms: new.end_ms,
            expires_ms: new.expires_ms,
            notes: new.notes,
            meta: new.meta,
            deleted_ms: None,
            import_status: ImportStatus::Queued,
            copied: 0,
            failed: 0,
            audited: 0,
            last_ms: None,
        };
        audits::insert(&self.storage, &audit).await?;
        Ok(audit.id)
    }

    /// One audit.
    ///
    /// # Errors
    /// `NotFound` audit, `Unavailable`.
    pub async fn load_audit(&self, audit: ObjectId) -> Result<Audit> {
        audits::find(&self.storage, audit).await?.ok_or(Error::NotFound { what: "audit" })
    }

    /// Copies a message that comes into the user's audits. For users who have any: a query, and for
    /// each audit a raise of the content's count and an insert.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(super) async fn audit(&self, message: &Audited<'_>) -> Result<()> {
        let now = self.clock.now_ms();
        let active = audits::list_active(&self.storage, message.user, now).await?;
        if active.is_empty() {
            return Ok(());
        }
        let mailbox = match message.stored {
            Some((_, mailbox)) => self.mailstore.find_mailbox(message.user, mailbox).await?,
            None => None,
        };
        let prepared = message.prepared;
        let source = message.stored.map(|(id, _)| ObjectId::from_octets(id.octets()));
        let source = source.unwrap_or_else(new_id);
        for audit in active {
            let copy = AuditedMessage {
                id: new_id(),
                source,
                content: prepared.hash,
                content_octets: u64::try_from(prepared.content.len()).unwrap_or(u64::MAX),
                prefix: message.prefix.to_vec(),
                date_ms: now,
                mailbox: mailbox.as_ref().map(|m| m.name.to_string()).unwrap_or_default(),
                is_draft: message.is_draft,
                subject: prepared.structure.summary.subject.clone(),
                addresses: addresses(&prepared.structure.summary),
            };
            self.mailstore.hold_content(prepared, 1).await?;
            if !audits::add(&self.storage, audit.id, &copy, now, false).await? {
                self.mailstore.release_content(prepared.hash, 1).await?;
            }
        }
        Ok(())
    }

    /// Copies the mail that is there for the oldest audit that waits for it. `false`: none does.
    /// What was copied before a crash is not copied again.
    ///
    /// # Errors
    /// `Unavailable`; it begins anew then.
    pub async fn import_audit(&self) -> Result<bool> {
        let Some(audit) = audits::next_import(&self.storage).await? else { return Ok(false) };
        let mut failed = 0;
        let everything = UidSet::from_range(1, Uid::MAX);
        let fields = Fields { summary: true, ..Fields::default() };
        for mailbox in self.mailstore.list_mailboxes(audit.user).await? {
            let messages = self.mailstore.fetch(audit.user, mailbox.id, &everything, fields).await;
            let mut messages = messages?;
            while let Some(message) = messages.next().await? {
                failed += self.import(&audit, &message, mailbox.name.as_str()).await?;
            }
        }
        let mut query =
            ArchiveQuery { ascending: true, limit: ARCHIVED_MAX, ..ArchiveQuery::default() };
        loop {
            let (rows, more, _) = self.mailstore.list_archived(audit.user, &query).await?;
            for message in &rows {
                failed += self.import(&audit, message, "").await?;
            }
            query.after = rows.last().map(|message| message.id);
            if !more {
                break;
            }
        }
        audits::end_import(&self.storage, audit.id, failed).await?;
        Ok(true)
    }

    /// Copies one message; 1 when its content is gone.
    async fn import(&self, audit: &Audit, message: &Message, mailbox: &str) -> Result<u64> {
        let date_ms = message.row.internal_date;
        if !audit.covers(date_ms) {
            return Ok(0);
        }
        if !self.mailstore.retain_content(message.content).await? {
            return Ok(1);
        }
        let prefix_octets = u64::try_from(message.prefix.len()).unwrap_or(0);
        let copy = AuditedMessage {
            id: new_id(),
            source: ObjectId::from_octets(message.id.octets()),
            content: message.content,
            content_octets: message.row.octets.saturating_sub(prefix_octets),
            prefix: message.prefix.clone(),
            date_ms,
            mailbox: mailbox.to_owned(),
            is_draft: message.row.flags.has(Flag::Draft),
            subject: message.summary.subject.clone(),
            addresses: addresses(&message.summary),
        };
        let now = self.clock.now_ms();
        if !audits::add(&self.storage, audit.id, &copy, now, true).await? {
            self.mailstore.release_content(message.content, 1).await?;
        }
        Ok(0)
    }

    /// Deletes some copies of an audit that has expired; how many things were done.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn expire_audits(&self) -> Result<u64> {
        let now = self.clock.now_ms();
        let Some(audit) = audits::next_expired(&self.storage, now).await? else { return Ok(0) };
        let contents = audits::delete_some(&self.storage, audit.id, DELETED_MAX).await?;
        for content in &contents {
            self.mailstore.release_content(*content, 1).await?;
        }
        if contents.is_empty() {
            audits::set_deleted(&self.storage, audit.id, now).await?;
            return Ok(1);
        }
        Ok(u64::try_from(contents.len()).unwrap_or(0))
    }

    /// Copies of an audit in their order, beyond one of them: at most 50; empty: there are no more.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn list_audited(
        &self,
        audit: ObjectId,
        after: Option<ObjectId>,
    ) -> Result<Vec<AuditedMessage>> {
        audits::page(&self.storage, audit, after, EXPORTED_MAX).await
    }

    /// A copy as an entry of an mbox file.
    ///
    /// # Errors
    /// `NotFound` content, `Unavailable`.
    pub async fn export(&self, copy: &AuditedMessage) -> Result<Vec<u8>> {
        let range = ByteRange { start: 0, end: copy.content_octets };
        let content = content_range::load_range(&self.storage, &copy.content, range).await?;
        let octets = [copy.prefix.as_slice(), &content].concat();
        let draft = if copy.is_draft { "Yes" } else { "No" };
        let fields = [("X-Export-Draft", draft), ("X-Export-Mailbox", copy.mailbox.as_str())];
        let sender = copy.addresses.first().map(String::as_str).unwrap_or_default();
        Ok(mbox::entry(sender, copy.date_ms, &fields, &octets))
    }
}

/// The addresses of a message, the sender's first.
fn addresses(summary: &Summary) -> Vec<String> {
    let fields = [&summary.from, &summary.to, &summary.cc, &summary.bcc];
    let mut found: Vec<String> = Vec::new();
    for named in fields.into_iter().flatten() {
        if !found.contains(&named.address) {
            found.push(named.address.clone());
        }
    }
    found
}
