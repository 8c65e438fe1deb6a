//! SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS (RFC 4314 §3).
//!
//! Identifiers are usernames (or own addresses of users) and `anyone`; with `-` in front, rights
//! are taken away. The owner always has all rights and is not in the list.

use super::reply::{Failure, Outcome, Reply};
use super::rights::Reached;
use super::select::mailbox_name;
use super::session::Session;
use crate::codec::imap::acl::Acl;
use crate::codec::imap::response_code::ResponseCode;
use crate::model::id::UserId;
use crate::model::rights::{Rights, RightsChange, Who};

/// Everybody who has logged in.
const ANYONE: &str = "anyone";

impl Session {
    /// The commands of ACL. All but MYRIGHTS need the right `a`.
    pub async fn acl(&mut self, command: Acl) -> Outcome {
        let reached = self.find_mailbox(&mailbox_name(command.mailbox())?).await?;
        if let Acl::MyRights(_) = command {
            self.writer().my_rights(reached.mailbox.name.as_str(), reached.rights);
            return Ok(Reply::ok("Rights told"));
        }
        reached.require(Rights::ADMINISTER)?;
        match command {
            Acl::Set { identifier, change, .. } => {
                self.set_acl(&reached, &identifier, change).await
            }
            Acl::Delete { identifier, .. } => {
                let none = RightsChange::Replace(Rights::NONE);
                self.set_acl(&reached, &identifier, none).await
            }
            Acl::Get(_) => self.get_acl(&reached).await,
            Acl::ListRights { identifier, .. } => self.list_rights(&reached, &identifier).await,
            Acl::MyRights(_) => Ok(Reply::ok("Rights told")),
        }
    }

    async fn set_acl(
        &mut self,
        reached: &Reached,
        identifier: &str,
        change: RightsChange,
    ) -> Outcome {
        let (owner, mailbox) = (reached.mailbox.user, reached.mailbox.id);
        let (who, negative) = self.who(identifier).await?;
        if who == Who::User(owner) {
            if !negative && change.apply(Rights::ALL) == Rights::ALL {
                return Ok(Reply::ok("The owner has all rights"));
            }
            let text = "The owner always has all rights";
            return Err(Reply::no(ResponseCode::Cannot, text).into());
        }
        self.context.mailstore.set_acl(owner, mailbox, (who, negative), change).await?;
        Ok(Reply::ok("Rights set"))
    }

    async fn get_acl(&mut self, reached: &Reached) -> Outcome {
        let owner = reached.mailbox.user;
        let grants = &reached.mailbox.acl.0;
        let mut users: Vec<UserId> = grants.iter().filter_map(|grant| user_of(grant.who)).collect();
        users.push(owner);
        let names = self.context.mailstore.usernames(&users).await?;
        let name = |who| match who {
            Who::Anyone => Some(ANYONE.to_owned()),
            Who::User(user) => names.get(&user).cloned(),
        };
        let mut entries: Vec<(String, Rights)> = Vec::with_capacity(grants.len() + 1);
        entries.extend(name(Who::User(owner)).map(|name| (name, Rights::ALL)));
        for grant in grants {
            // who does not exist any more has no name and no rights
            let Some(name) = name(grant.who) else { continue };
            let name = if grant.negative { format!("-{name}") } else { name };
            entries.push((name, grant.rights));
        }
        self.writer().acl(reached.mailbox.name.as_str(), &entries);
        Ok(Reply::ok("List told"))
    }

    async fn list_rights(&mut self, reached: &Reached, identifier: &str) -> Outcome {
        let (who, negative) = self.who(identifier).await?;
        let is_owner = who == Who::User(reached.mailbox.user) && !negative;
        let always = if is_owner { Rights::ALL } else { Rights::NONE };
        self.writer().list_rights(reached.mailbox.name.as_str(), identifier, always);
        Ok(Reply::ok("Rights told"))
    }

    /// Who is meant, and whether negatively. The whole text is tried first: a username may begin
    /// with a minus.
    async fn who(&self, identifier: &str) -> Outcome<(Who, bool)> {
        let unsigned = identifier.strip_prefix('-');
        for (name, negative) in
            [(Some(identifier), false), (unsigned, true)].into_iter().filter_map(named)
        {
            if name == ANYONE {
                return Ok((Who::Anyone, negative));
            }
            if let Some(user) = self.context.authenticator.find_user(name).await? {
                return Ok((Who::User(user.id), negative));
            }
        }
        let unknown: Failure = Reply::no(ResponseCode::Cannot, "There is no such user").into();
        Err(unknown)
    }
}

fn named((name, negative): (Option<&str>, bool)) -> Option<(&str, bool)> {
    name.map(|name| (name, negative))
}

const fn user_of(who: Who) -> Option<UserId> {
    match who {
        Who::Anyone => None,
        Who::User(user) => Some(user),
    }
}
