//! STATUS (RFC 9051 §6.3.11, RFC 8438, RFC 7162 §3.1.7, RFC 7889 §5).

use super::reply::{Outcome, Reply};
use super::select::mailbox_name;
use super::session::Session;
use super::uid_chunks::chunks;
use crate::codec::imap::response::StatusValue;
use crate::codec::imap::status::StatusItem;
use crate::model::flag::Flag;
use crate::model::mailbox::Mailbox;
use crate::model::rights::Rights;

impl Session {
    /// STATUS: one document.
    pub async fn status(&mut self, name: &str, items: &[StatusItem]) -> Outcome {
        let reached = self.find_mailbox(&mailbox_name(name)?).await?;
        reached.require(Rights::READ)?;
        self.enable_condstore_by(items);
        self.tell_status(&reached.mailbox, items).await?;
        Ok(Reply::ok("Status told"))
    }

    /// RFC 7162 §3.1: asking for HIGHESTMODSEQ enables CONDSTORE.
    pub fn enable_condstore_by(&mut self, items: &[StatusItem]) {
        self.enabled.condstore |= items.contains(&StatusItem::HighestModSeq);
    }

    /// `* STATUS`
    pub async fn tell_status(&mut self, mailbox: &Mailbox, items: &[StatusItem]) -> Outcome<()> {
        let limit = self.context.settings.message_octets_max;
        let number = StatusValue::Number;
        let deleted_octets = if items.contains(&StatusItem::DeletedStorage) {
            self.deleted_octets(mailbox).await?
        } else {
            0
        };
        let recent = if items.contains(&StatusItem::Recent) {
            self.context.mailstore.count_recent(mailbox).await?
        } else {
            0
        };
        let values: Vec<_> = items
            .iter()
            .map(|item| {
                let value = match item {
                    StatusItem::Messages => number(mailbox.counts.messages),
                    StatusItem::Recent => number(recent),
                    StatusItem::UidNext => number(u64::from(mailbox.uid_next)),
                    StatusItem::UidValidity => number(u64::from(mailbox.uid_validity)),
                    StatusItem::Unseen => number(mailbox.counts.unseen),
                    StatusItem::Deleted => number(mailbox.counts.deleted),
                    StatusItem::Size => number(mailbox.counts.octets),
                    StatusItem::HighestModSeq => number(mailbox.mod_seq.max(1)),
                    StatusItem::AppendLimit => number(limit),
                    StatusItem::MailboxId => StatusValue::ObjectId(mailbox.id.to_string()),
                    StatusItem::DeletedStorage => number(deleted_octets),
                };
                (*item, value)
            })
            .collect();
        self.writer().mailbox_status(mailbox.name.as_str(), &values);
        Ok(())
    }

    /// What EXPUNGE would free (RFC 9208 §4.1.4): nothing to look up in the common case, else the
    /// mailbox's view.
    async fn deleted_octets(&self, mailbox: &Mailbox) -> Outcome<u64> {
        if mailbox.counts.deleted == 0 {
            return Ok(0);
        }
        let view = self.context.mailstore.view(mailbox.user, mailbox.id).await?;
        let mut octets = 0u64;
        for chunk in chunks(&view.state().uids, 4096) {
            view.for_each(&chunk, &mut |row| {
                if row.flags.has(Flag::Deleted) {
                    octets = octets.saturating_add(row.octets);
                }
            });
        }
        Ok(octets)
    }
}
