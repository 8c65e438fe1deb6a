//! CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, NAMESPACE (RFC 9051 §6.3.4 to §6.3.10, RFC 6154
//! §3).

use super::reply::{Outcome, Reply};
use super::select::mailbox_name;
use super::session::Session;
use crate::codec::imap::response_code::ResponseCode;
use crate::mailstore::mailbox::NewMailbox;
use crate::model::error::Error;
use crate::model::id::UserId;
use crate::model::mailbox::{DELIMITER, Mailbox, MailboxName, SpecialUse};

fn new_mailbox(name: MailboxName, special_use: Option<SpecialUse>) -> NewMailbox {
    NewMailbox {
        name,
        special_use,
        // RFC 9051 §6.3.7: subscribing is the client's part
        subscribed: false,
        hidden: false,
        encrypt_messages: false,
        retention_ms: None,
    }
}

impl Session {
    /// CREATE.
    pub async fn create(&mut self, name: &str, special_use: &[String]) -> Outcome {
        let user = self.user()?;
        // RFC 9051 §6.3.4: a final delimiter says that names below will follow, and is not part of
        // the name
        let name = mailbox_name(name.strip_suffix(DELIMITER).unwrap_or(name))?;
        if name.is_inbox() {
            return Err(Error::AlreadyExists { what: "mailbox" }.into());
        }
        let special_use = match special_use {
            [] => None,
            [one] => match SpecialUse::from_name(one) {
                Some(known) => Some(known),
                None => return Err(unusable()),
            },
            _ => return Err(unusable()),
        };
        self.create_parents(user, &name).await?;
        self.context.mailstore.create_mailbox(user, new_mailbox(name, special_use)).await?;
        Ok(Reply::ok("Created"))
    }

    /// RFC 9051 §6.3.4: names above that do not exist are created too.
    async fn create_parents(&self, user: UserId, name: &MailboxName) -> Outcome<()> {
        let mut missing = Vec::new();
        let mut above = name.parent();
        while let Some(parent) = above {
            if self.context.mailstore.find_mailbox_by_name(user, &parent).await?.is_some() {
                break;
            }
            above = parent.parent();
            missing.push(parent);
        }
        for parent in missing.into_iter().rev() {
            match self.context.mailstore.create_mailbox(user, new_mailbox(parent, None)).await {
                // somebody else was faster
                Ok(_) | Err(Error::AlreadyExists { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// DELETE. Names below stay (RFC 9051 §6.3.5).
    pub async fn delete(&mut self, name: &str) -> Outcome {
        let user = self.user()?;
        let name = mailbox_name(name)?;
        if name.is_inbox() {
            return Err(Reply::no(ResponseCode::Cannot, "INBOX cannot be deleted").into());
        }
        let mailbox = self.find_mailbox(&name).await?;
        if mailbox.special_use.is_some() {
            let text = "A mailbox with a special use cannot be deleted";
            return Err(Reply::no(ResponseCode::Cannot, text).into());
        }
        self.context.mailstore.delete_mailbox(user, mailbox.id).await?;
        if self.opened.as_ref().is_some_and(|opened| opened.id == mailbox.id) {
            self.opened = None;
            self.untagged_ok(Some(&ResponseCode::Closed), "The mailbox is gone");
        }
        Ok(Reply::ok("Deleted"))
    }

    /// RENAME. What is below follows; INBOX gives its messages away and stays (RFC 9051 §6.3.6).
    pub async fn rename(&mut self, from: &str, to: &str) -> Outcome {
        let user = self.user()?;
        let from = mailbox_name(from)?;
        let to = mailbox_name(to.strip_suffix(DELIMITER).unwrap_or(to))?;
        let mailstore = self.context.mailstore.clone();
        if to.is_inbox() || mailstore.find_mailbox_by_name(user, &to).await?.is_some() {
            return Err(Error::AlreadyExists { what: "mailbox" }.into());
        }
        if to.is_below(&from) && !from.is_inbox() {
            let text = "A mailbox cannot be moved below itself";
            return Err(Reply::no(ResponseCode::Cannot, text).into());
        }
        if from.is_inbox() {
            return self.rename_inbox(user, to).await;
        }
        match self.find_mailbox(&from).await {
            Ok(mailbox) => {
                self.create_parents(user, &to).await?;
                mailstore.rename_mailbox(user, mailbox.id, &to, true).await?;
                if let Some(opened) = &mut self.opened
                    && opened.id == mailbox.id
                {
                    opened.name = to;
                }
            }
            Err(missing) => {
                let below = self.below(user, &from).await?;
                if below.is_empty() {
                    return Err(missing);
                }
                self.create_parents(user, &to).await?;
                for mailbox in below {
                    let rest = mailbox.name.as_str().get(from.as_str().len()..).unwrap_or_default();
                    let name = MailboxName::new(&format!("{to}{rest}"))?;
                    mailstore.rename_mailbox(user, mailbox.id, &name, false).await?;
                }
            }
        }
        Ok(Reply::ok("Renamed"))
    }

    async fn below(&self, user: UserId, name: &MailboxName) -> Outcome<Vec<Mailbox>> {
        let mut all = self.context.mailstore.list_mailboxes(user).await?;
        all.retain(|mailbox| !mailbox.hidden && mailbox.name.is_below(name));
        Ok(all)
    }

    async fn rename_inbox(&mut self, user: UserId, to: MailboxName) -> Outcome {
        let inbox = self.find_mailbox(&MailboxName::inbox()).await?;
        self.create_parents(user, &to).await?;
        let mailstore = &self.context.mailstore;
        let target = mailstore.create_mailbox(user, new_mailbox(to, None)).await?;
        let uids = mailstore.view(user, inbox.id).await?.state().uids;
        if !uids.is_empty() {
            mailstore.move_messages(user, inbox.id, &uids, target.id).await?;
        }
        Ok(Reply::ok("Messages moved"))
    }

    /// SUBSCRIBE and UNSUBSCRIBE.
    pub async fn subscribe(&mut self, name: &str, subscribed: bool) -> Outcome {
        let user = self.user()?;
        let name = mailbox_name(name.strip_suffix(DELIMITER).unwrap_or(name))?;
        self.context.mailstore.subscribe(user, &name, subscribed).await?;
        Ok(Reply::ok(if subscribed { "Subscribed" } else { "Unsubscribed" }))
    }

    /// NAMESPACE.
    pub fn namespace(&mut self) -> Outcome {
        self.writer().namespace();
        Ok(Reply::ok("Namespaces listed"))
    }
}

fn unusable() -> super::reply::Failure {
    Reply::no(ResponseCode::UseAttr, "The special use is not supported").into()
}
