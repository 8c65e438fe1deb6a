//! What a user's moves say of messages: into Junk it is spam, out of it (but not to Trash) it is
//! none. Only told to those who listen; nobody waits for it.

use super::Mailstore;
use super::fetch::Fields;
use crate::model::error::Result;
use crate::model::event::Event;
use crate::model::id::{MailboxId, UserId};
use crate::model::limits::TRANSACTION_MESSAGES_MAX;
use crate::model::mailbox::SpecialUse;
use crate::model::message::Message;
use crate::model::structure::NamedAddress;
use crate::model::uid::UidSet;
use crate::storage::webhooks;

/// What is said of messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mark {
    /// They are spam.
    Spam,
    /// They are none.
    Ham,
}

impl Mark {
    /// The event's name.
    const fn event(self) -> &'static str {
        match self {
            Self::Spam => "marked.spam",
            Self::Ham => "marked.ham",
        }
    }

    /// What a move from one mailbox to another says.
    pub(super) fn of_move(from: Option<SpecialUse>, to: Option<SpecialUse>) -> Option<Self> {
        match (from, to) {
            (Some(SpecialUse::Junk), Some(SpecialUse::Junk | SpecialUse::Trash)) => None,
            (Some(SpecialUse::Junk), _) => Some(Self::Ham),
            (_, Some(SpecialUse::Junk)) => Some(Self::Spam),
            _ => None,
        }
    }
}

impl Mailstore {
    /// Tells what a user said of messages, soon.
    pub fn mark(&self, user: UserId, mailbox: MailboxId, uids: UidSet, mark: Mark) {
        let mailstore = self.clone();
        self.tasks().spawn("marks", async move {
            if let Err(error) = mailstore.tell_marks(user, mailbox, &uids, mark).await {
                tracing::warn!(user.id = %user, %error, "what a user said of messages is lost");
            }
        });
    }

    /// One round trip when nobody listens; else one more for each 1,000 messages, and three for each
    /// message.
    async fn tell_marks(
        &self,
        user: UserId,
        mailbox: MailboxId,
        uids: &UidSet,
        mark: Mark,
    ) -> Result<()> {
        if !webhooks::is_heard(self.storage(), &Event::of_user(mark.event(), user)).await? {
            return Ok(());
        }
        let fields = Fields { summary: true, ..Fields::default() };
        let mut messages = self.fetch(user, mailbox, uids, fields).await?;
        let mut told = 0;
        while told < TRANSACTION_MESSAGES_MAX
            && let Some(message) = messages.next().await?
        {
            self.emit(event(user, mailbox, &message, mark)).await;
            told += 1;
        }
        Ok(())
    }
}

fn event(user: UserId, mailbox: MailboxId, message: &Message, mark: Mark) -> Event {
    let summary = &message.summary;
    let event = Event::of_user(mark.event(), user)
        .with("mailbox", mailbox)
        .with_number("message", message.row.uid.into())
        .with("messageId", &summary.message_id)
        .with("subject", &summary.subject);
    let lists =
        [("from", &summary.from), ("to", &summary.to), ("cc", &summary.cc), ("bcc", &summary.bcc)];
    let present = lists.into_iter().filter(|(_, list)| !list.is_empty());
    present.fold(event, |event, (name, list)| event.with(name, texts(list)))
}

fn texts(list: &[NamedAddress]) -> String {
    let text = |one: &NamedAddress| match one.name.is_empty() {
        true => one.address.clone(),
        false => format!("{} <{}>", one.name, one.address),
    };
    list.iter().map(text).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_say_something_when_junk_is_involved() {
        let (junk, trash) = (Some(SpecialUse::Junk), Some(SpecialUse::Trash));
        assert_eq!(Mark::of_move(None, junk), Some(Mark::Spam));
        assert_eq!(Mark::of_move(junk, None), Some(Mark::Ham));
        assert_eq!(Mark::of_move(trash, junk), Some(Mark::Spam));
        for (from, to) in [(junk, junk), (junk, trash), (None, trash), (None, None)] {
            assert_eq!(Mark::of_move(from, to), None);
        }
    }
}
