//! Which mailbox a name means for this user, and what he may do with it (RFC 4314, RFC 2342).
//!
//! Own mailboxes have their names. Those that others share are `Other Users/<username>/<mailbox>`,
//! where the username is written as its owner's is stored. A mailbox without the right `l` does not
//! exist.

use super::reply::{Failure, Outcome, Reply};
use super::session::{Opened, Session};
use crate::codec::imap::response_code::ResponseCode;
use crate::model::error::Error;
use crate::model::flag::{Flag, FlagMask};
use crate::model::id::UserId;
use crate::model::mailbox::{DELIMITER, Mailbox, MailboxName, OTHER_USERS};
use crate::model::rights::Rights;

/// A mailbox of this user's world.
#[derive(Clone, Debug)]
pub struct Reached {
    /// The mailbox: `user` is its owner, `name` the name this user knows it by.
    pub mailbox: Mailbox,
    /// What he may do with it.
    pub rights: Rights,
}

impl Reached {
    /// NO for what the rights do not cover.
    pub fn require(&self, needed: Rights) -> Outcome<()> {
        require(self.rights, needed)
    }
}

/// NO for what the rights do not cover (RFC 4314 §4, RFC 5530 §3).
pub fn require(rights: Rights, needed: Rights) -> Outcome<()> {
    if rights.has(needed) { Ok(()) } else { Err(no_permission()) }
}

/// `NO [NOPERM]`
pub fn no_permission() -> Failure {
    Reply::no(ResponseCode::NoPerm, "You have no right to do that").into()
}

/// The flags a holder of these rights may set and clear (RFC 4314 §4).
pub fn permitted_flags(rights: Rights) -> FlagMask {
    let mut mask = FlagMask::NONE;
    if rights.has(Rights::SEEN) {
        mask.system |= Flag::Seen.bit();
    }
    if rights.has(Rights::DELETE_MESSAGES) {
        mask.system |= Flag::Deleted.bit();
    }
    if rights.has(Rights::WRITE) {
        mask.system |= FlagMask::ALL.system & !(Flag::Seen.bit() | Flag::Deleted.bit());
        mask.keywords = true;
    }
    mask
}

/// What a name says of whose mailbox it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Whose {
    /// An own one, or none.
    Own,
    /// Another user's, with the owner's name of it.
    Other(String, MailboxName),
    /// `Other Users` or a user below it: a level of the hierarchy, never a mailbox.
    Level,
}

/// Reads a name.
pub fn whose(name: &MailboxName) -> Whose {
    let Some(rest) = name.as_str().strip_prefix(OTHER_USERS) else { return Whose::Own };
    let Some(rest) = rest.strip_prefix(DELIMITER) else {
        return if rest.is_empty() { Whose::Level } else { Whose::Own };
    };
    match rest.split_once(DELIMITER) {
        None => Whose::Level,
        // the rest of a valid name is one
        Some((user, rest)) => match MailboxName::new(rest) {
            Ok(name) => Whose::Other(user.to_owned(), name),
            Err(_) => Whose::Level,
        },
    }
}

/// The name of another user's mailbox.
pub fn name_of_other(username: &str, name: &MailboxName) -> Result<MailboxName, Error> {
    MailboxName::new(&format!("{OTHER_USERS}{DELIMITER}{username}{DELIMITER}{name}"))
}

impl Session {
    /// The owner of the mailboxes below a name, and the name there; `NotFound` when there is no
    /// such user.
    pub async fn owner_of(&self, name: &MailboxName) -> Outcome<(UserId, MailboxName)> {
        let not_found = || Failure::from(Error::NotFound { what: "mailbox" });
        let user = self.user()?;
        match whose(name) {
            Whose::Own => Ok((user, name.clone())),
            Whose::Level => Err(not_found()),
            Whose::Other(username, name) => {
                let found = self.context.authenticator.find_user(&username).await?;
                // exactly the stored name, and not his own: one mailbox has one name
                let found = found.filter(|found| found.username == username && found.id != user);
                Ok((found.ok_or_else(not_found)?.id, name))
            }
        }
    }

    /// A mailbox by its name, if this user may know of it. Hidden ones do not exist for IMAP. One
    /// round trip; two for another user's.
    pub async fn find_mailbox(&self, name: &MailboxName) -> Outcome<Reached> {
        let user = self.user()?;
        let (owner, owners_name) = self.owner_of(name).await?;
        let mailstore = &self.context.mailstore;
        let found = mailstore.find_mailbox_by_name(owner, &owners_name).await?;
        let reached = found.filter(|mailbox| !mailbox.hidden).map(|mailbox| {
            let rights = mailbox.rights_of(user);
            Reached { mailbox: Mailbox { name: name.clone(), ..mailbox }, rights }
        });
        let reached = reached.filter(|reached| reached.rights.has(Rights::LOOKUP));
        reached.ok_or_else(|| Error::NotFound { what: "mailbox" }.into())
    }

    /// The selected mailbox, for a command that needs these rights.
    pub fn opened_with(&self, needed: Rights) -> Outcome<&Opened> {
        let opened = self.opened()?;
        require(opened.rights, needed)?;
        Ok(opened)
    }

    /// Looks up what this user may do with a selected mailbox that is another's: one round trip,
    /// none for his own. Without `r` nothing more of it is told, and commands are refused.
    pub async fn refresh_rights(&mut self) -> Outcome<()> {
        let Some((owner, id)) = self.opened.as_ref().map(|opened| (opened.owner, opened.id)) else {
            return Ok(());
        };
        let user = self.user()?;
        if owner == user {
            return Ok(());
        }
        let found = self.context.mailstore.find_mailbox(owner, id).await?;
        let found = found.ok_or(Failure::Bye("The selected mailbox was deleted"))?;
        let rights = if found.hidden { Rights::NONE } else { found.rights_of(user) };
        let Some(opened) = self.opened.as_mut() else { return Ok(()) };
        if opened.rights == rights {
            return Ok(());
        }
        opened.rights = rights;
        opened.read_only = opened.examined || !rights.has_any(Rights::CHANGING);
        if rights.has(Rights::READ) {
            // RFC 9051 §7.1: PERMANENTFLAGS says what may be changed now
            self.tell_flags(&found.keywords);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_whose_they_are() {
        let of = |name: &str| whose(&MailboxName::new(name).unwrap());
        assert_eq!(of("INBOX"), Whose::Own);
        assert_eq!(of("Other Usersx"), Whose::Own);
        assert_eq!(of("Other Users"), Whose::Level);
        assert_eq!(of("Other Users/anna"), Whose::Level);
        let inbox = Whose::Other("anna".into(), MailboxName::inbox());
        assert_eq!(of("Other Users/anna/inbox"), inbox);
        let name = name_of_other("anna", &MailboxName::inbox()).unwrap();
        assert_eq!(whose(&name), inbox);
    }

    #[test]
    fn rights_permit_flags() {
        assert_eq!(permitted_flags(Rights::ALL), FlagMask::ALL);
        assert_eq!(permitted_flags(Rights::READ), FlagMask::NONE);
        let seen = permitted_flags(Rights::SEEN);
        assert_eq!((seen.system, seen.keywords), (Flag::Seen.bit(), false));
        let write = permitted_flags(Rights::WRITE);
        assert_eq!((write.system, write.keywords), (2 | 4 | 16, true));
    }
}
