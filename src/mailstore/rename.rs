//! Renaming a mailbox, alone or with all below it, in one transaction: a crash leaves no
//! half-renamed tree (RFC 9051 §6.3.6).
//!
//! The cost is a query of the user's mailboxes, one round trip per 250 that are renamed, one for
//! their changes, and the commit.

use super::Mailstore;
use crate::model::error::{Error, Result};
use crate::model::event::Event;
use crate::model::id::{MailboxId, UserId};
use crate::model::mailbox::{Mailbox, MailboxName};
use crate::storage::changes::{self, Change, Kind};
use crate::storage::transaction::{self, Session};
use crate::storage::{mailbox_rename, mailboxes};

impl Mailstore {
    /// Renames a mailbox, with all below it if `with_children`. INBOX: `Invalid` (its special
    /// rename is the IMAP door's).
    ///
    /// # Errors
    /// `NotFound`, `AlreadyExists`, `Invalid`, `Unavailable`.
    pub async fn rename_mailbox(
        &self,
        user: UserId,
        mailbox: MailboxId,
        to: &MailboxName,
        with_children: bool,
    ) -> Result<()> {
        let from = transaction::run!(self.storage(), async |session| {
            let all = mailboxes::list_in(self.storage(), session, user).await?;
            let found = all.iter().find(|candidate| candidate.id == mailbox);
            let from = found.ok_or(Error::NotFound { what: "mailbox" })?.name.clone();
            // with its children it may keep its name: nothing is renamed then
            if from == *to && with_children {
                return Ok(None);
            }
            let renamed = renamed(&all, &from, to, with_children)?;
            self.rename_all(session, user, renamed).await?;
            Ok(Some(from))
        })
        .await?;
        if let Some(from) = from {
            self.emit_renamed(user, mailbox, &from, to).await;
        }
        Ok(())
    }

    /// Those below a renamed mailbox follow without an event of their own.
    async fn emit_renamed(
        &self,
        user: UserId,
        mailbox: MailboxId,
        from: &MailboxName,
        to: &MailboxName,
    ) {
        let event = Event::of_user("mailbox.renamed", user).with("mailbox", mailbox);
        self.emit(event.with("previous", from).with("current", to)).await;
    }

    /// Renames the mailbox of a name, if there is one, and all below it. INBOX itself: `Invalid`.
    ///
    /// # Errors
    /// `NotFound` when there is neither, `AlreadyExists`, `Invalid`, `Unavailable`.
    pub async fn rename_tree(
        &self,
        user: UserId,
        from: &MailboxName,
        to: &MailboxName,
    ) -> Result<()> {
        let main = transaction::run!(self.storage(), async |session| {
            let all = mailboxes::list_in(self.storage(), session, user).await?;
            let renamed = renamed(&all, from, to, true)?;
            self.rename_all(session, user, renamed).await?;
            Ok(all.iter().find(|mailbox| mailbox.name == *from).map(|mailbox| mailbox.id))
        })
        .await?;
        if let Some(mailbox) = main {
            self.emit_renamed(user, mailbox, from, to).await;
        }
        Ok(())
    }

    async fn rename_all(
        &self,
        session: &mut Session,
        user: UserId,
        renamed: Vec<Mailbox>,
    ) -> Result<()> {
        mailbox_rename::rename(self.storage(), session, user, &renamed).await?;
        let changes: Vec<Change> =
            renamed.iter().map(|mailbox| self.setting(mailbox, Kind::Update)).collect();
        changes::insert(self.storage(), session, &changes).await
    }
}

/// The mailboxes concerned as they are after it, in ascending order of the old names: so a name that
/// one of them leaves is free when another takes it.
fn renamed(
    all: &[Mailbox],
    from: &MailboxName,
    to: &MailboxName,
    with_children: bool,
) -> Result<Vec<Mailbox>> {
    if from.is_inbox() {
        return Err(Error::invalid("mailbox", "INBOX cannot be renamed"));
    }
    to.require_own()?;
    if to.is_below(from) {
        return Err(Error::invalid("mailbox", "a mailbox cannot be moved below itself"));
    }
    if all.iter().any(|other| other.name == *to) {
        return Err(Error::AlreadyExists { what: "mailbox" });
    }
    let is_meant = |name: &MailboxName| name == from || with_children && name.is_below(from);
    let mut renamed = Vec::new();
    for mailbox in all.iter().filter(|other| is_meant(&other.name)) {
        let rest = mailbox.name.as_str().get(from.as_str().len()..).unwrap_or_default();
        let name = MailboxName::new(&format!("{to}{rest}"))?;
        renamed.push(Mailbox { name, mod_seq: mailbox.mod_seq + 1, ..mailbox.clone() });
    }
    if renamed.is_empty() { Err(Error::NotFound { what: "mailbox" }) } else { Ok(renamed) }
}
