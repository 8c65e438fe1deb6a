//! STATUS (RFC 9051 §6.3.11, RFC 8438, RFC 7162 §3.1.7, RFC 7889 §5).

use super::reply::{Outcome, Reply};
use super::select::mailbox_name;
use super::session::Session;
use crate::codec::imap::response::StatusValue;
use crate::codec::imap::status::StatusItem;
use crate::model::mailbox::Mailbox;
use crate::model::rights::Rights;

impl Session {
    /// STATUS: one document.
    pub async fn status(&mut self, name: &str, items: &[StatusItem]) -> Outcome {
        let reached = self.find_mailbox(&mailbox_name(name)?).await?;
        reached.require(Rights::READ)?;
        self.tell_status(&reached.mailbox, items);
        Ok(Reply::ok("Status told"))
    }

    /// `* STATUS`
    pub fn tell_status(&mut self, mailbox: &Mailbox, items: &[StatusItem]) {
        // RFC 7162 §3.1: asking for HIGHESTMODSEQ enables CONDSTORE
        self.enabled.condstore |= items.contains(&StatusItem::HighestModSeq);
        let limit = self.context.settings.message_octets_max;
        let number = StatusValue::Number;
        let values: Vec<_> = items
            .iter()
            .map(|item| {
                let value = match item {
                    StatusItem::Messages => number(mailbox.counts.messages),
                    StatusItem::Recent => number(0),
                    StatusItem::UidNext => number(u64::from(mailbox.uid_next)),
                    StatusItem::UidValidity => number(u64::from(mailbox.uid_validity)),
                    StatusItem::Unseen => number(mailbox.counts.unseen),
                    StatusItem::Deleted => number(mailbox.counts.deleted),
                    StatusItem::Size => number(mailbox.counts.octets),
                    StatusItem::HighestModSeq => number(mailbox.mod_seq.max(1)),
                    StatusItem::AppendLimit => number(limit),
                    StatusItem::MailboxId => StatusValue::ObjectId(mailbox.id.to_string()),
                };
                (*item, value)
            })
            .collect();
        self.writer().mailbox_status(mailbox.name.as_str(), &values);
    }
}
