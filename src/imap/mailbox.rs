//! CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, NAMESPACE (RFC 9051 §6.3.4 to §6.3.10, RFC 6154
//! §3).

use super::reply::{Failure, Outcome, Reply};
use super::rights::{Whose, no_permission, whose};
use super::select::mailbox_name;
use super::session::Session;
use crate::codec::imap::response_code::ResponseCode;
use crate::mailstore::mailbox::NewMailbox;
use crate::model::error::Error;
use crate::model::id::UserId;
use crate::model::mailbox::{DELIMITER, Mailbox, MailboxName, SpecialUse};
use crate::model::rights::Rights;

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
        // RFC 9051 §6.3.4: a final delimiter says that names below will follow, and is not part of
        // the name
        let name = mailbox_name(name.strip_suffix(DELIMITER).unwrap_or(name))?;
        if name.is_inbox() {
            return Err(Error::AlreadyExists { what: "mailbox" }.into());
        }
        let special_use = match special_use {
            [] => None,
            [one] => match SpecialUse::from_name(one) {
                // RFC 6154 §2: these two stand for searches over all mailboxes, not for one of them
                None | Some(SpecialUse::All | SpecialUse::Flagged) => return Err(unusable()),
                Some(known) => Some(known),
            },
            _ => return Err(unusable()),
        };
        let (owner, name) = self.new_name(&name).await?;
        self.create_parents(owner, &name).await?;
        let new = new_mailbox(name, special_use);
        let created = match self.context.mailstore.create_mailbox(owner, new).await {
            // RFC 9208 §4.3: MAILBOX is a resource with a limit
            Err(Error::LimitReached { limit }) => {
                let text = format!("At most {limit}");
                return Err(Reply::no(ResponseCode::OverQuota, text).into());
            }
            created => created?,
        };
        // RFC 8474 §4.1
        Ok(Reply::ok("Created").with(ResponseCode::MailboxId(created.id.to_string())))
    }

    /// Whose mailbox a new name will be, and its name there. RFC 4314 §4: below another user's
    /// mailbox with the right `k`; the nearest one that exists decides.
    async fn new_name(&self, name: &MailboxName) -> Outcome<(UserId, MailboxName)> {
        if whose(name) == Whose::Own {
            return Ok((self.user()?, name.clone()));
        }
        let mut above = name.parent();
        while let Some(parent) = above {
            match self.find_mailbox(&parent).await {
                Ok(reached) => {
                    reached.require(Rights::CREATE)?;
                    return self.owner_of(name).await;
                }
                Err(Failure::Meaning(Error::NotFound { .. })) => above = parent.parent(),
                Err(failure) => return Err(failure),
            }
        }
        Err(no_permission())
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
        let name = mailbox_name(name)?;
        if name.is_inbox() {
            return Err(Reply::no(ResponseCode::Cannot, "INBOX cannot be deleted").into());
        }
        let reached = self.find_mailbox(&name).await?;
        reached.require(Rights::DELETE_MAILBOX)?;
        let mailbox = reached.mailbox;
        if mailbox.special_use.is_some() {
            let text = "A mailbox with a special use cannot be deleted";
            return Err(Reply::no(ResponseCode::Cannot, text).into());
        }
        if is_inbox_of_other(&name) {
            return Err(Reply::no(ResponseCode::Cannot, "INBOX cannot be deleted").into());
        }
        self.context.mailstore.delete_mailbox(mailbox.user, mailbox.id).await?;
        if self.opened.as_ref().is_some_and(|opened| opened.id == mailbox.id) {
            self.opened = None;
            self.untagged_ok(Some(&ResponseCode::Closed), "The mailbox is gone");
        }
        Ok(Reply::ok("Deleted"))
    }

    /// RENAME. What is below follows; INBOX gives its messages away and stays (RFC 9051 §6.3.6).
    pub async fn rename(&mut self, from: &str, to: &str) -> Outcome {
        let from = mailbox_name(from)?;
        let to = mailbox_name(to.strip_suffix(DELIMITER).unwrap_or(to))?;
        if to.is_inbox() {
            return Err(Error::AlreadyExists { what: "mailbox" }.into());
        }
        if to.is_below(&from) && !from.is_inbox() {
            let text = "A mailbox cannot be moved below itself";
            return Err(Reply::no(ResponseCode::Cannot, text).into());
        }
        if is_inbox_of_other(&from) {
            return Err(Reply::no(ResponseCode::Cannot, "INBOX cannot be renamed").into());
        }
        let (owner, owners_from) = self.owner_of(&from).await?;
        let user = self.user()?;
        let moved = self.tree_below(owner, &owners_from).await?;
        // RFC 4314 §4: `x` for what is renamed, all of it, and `k` above the new name
        if moved.iter().any(|mailbox| !mailbox.rights_of(user).has(Rights::LOOKUP)) {
            return Err(Error::NotFound { what: "mailbox" }.into());
        }
        if moved.iter().any(|mailbox| !mailbox.rights_of(user).has(Rights::DELETE_MAILBOX)) {
            return Err(no_permission());
        }
        let (new_owner, owners_to) = self.new_name(&to).await?;
        if new_owner != owner {
            let text = "A mailbox cannot be given to another user";
            return Err(Reply::no(ResponseCode::Cannot, text).into());
        }
        let mailstore = &self.context.mailstore;
        if mailstore.find_mailbox_by_name(owner, &owners_to).await?.is_some() {
            return Err(Error::AlreadyExists { what: "mailbox" }.into());
        }
        self.create_parents(owner, &owners_to).await?;
        if from.is_inbox() {
            return self.rename_inbox(owner, owners_to).await;
        }
        self.context.mailstore.rename_tree(owner, &owners_from, &owners_to).await?;
        if let Some(opened) = &mut self.opened
            && (opened.name == from || opened.name.is_below(&from))
        {
            let rest = opened.name.as_str().get(from.as_str().len()..).unwrap_or_default();
            opened.name = MailboxName::new(&format!("{to}{rest}"))?;
        }
        Ok(Reply::ok("Renamed"))
    }

    /// The mailbox of a name and those below it; `NotFound` when there is none.
    async fn tree_below(&self, owner: UserId, name: &MailboxName) -> Outcome<Vec<Mailbox>> {
        let mut all = self.context.mailstore.list_mailboxes(owner).await?;
        all.retain(|mailbox| {
            !mailbox.hidden && (mailbox.name == *name || mailbox.name.is_below(name))
        });
        if all.is_empty() {
            return Err(Error::NotFound { what: "mailbox" }.into());
        }
        Ok(all)
    }

    async fn rename_inbox(&mut self, user: UserId, to: MailboxName) -> Outcome {
        let inbox = self.find_mailbox(&MailboxName::inbox()).await?.mailbox;
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

/// Whether the name means the INBOX of another user.
fn is_inbox_of_other(name: &MailboxName) -> bool {
    matches!(whose(name), Whose::Other(_, name) if name.is_inbox())
}

fn unusable() -> Failure {
    Reply::no(ResponseCode::UseAttr, "The special use is not supported").into()
}
