//! Who may do what with a mailbox (RFC 4314), and what is shared with whom.

use super::Mailstore;
use crate::model::error::{Error, Result};
use crate::model::id::{MailboxId, UserId};
use crate::model::limits::ACL_ENTRIES_MAX;
use crate::model::mailbox::Mailbox;
use crate::model::rights::{Grant, RightsChange, Who};
use crate::storage::changes::{self, Kind};
use crate::storage::transaction;
use crate::storage::{mailboxes, shares, usernames};
use std::collections::HashMap;

impl Mailstore {
    /// Changes what one identifier is granted (or, if `negative`, has taken away) on a mailbox.
    ///
    /// One transaction: mailbox, its list, the index by grantee, one change, commit: five round
    /// trips. Sessions on all nodes wake.
    ///
    /// # Errors
    /// `NotFound` mailbox, `LimitReached` entries, `Unavailable`.
    pub async fn set_acl(
        &self,
        owner: UserId,
        mailbox: MailboxId,
        (who, negative): (Who, bool),
        change: RightsChange,
    ) -> Result<()> {
        let storage = self.storage();
        transaction::run!(storage, async |session| {
            let none = mailboxes::Bump::default();
            let after = mailboxes::bump(storage, session, owner, mailbox, &none).await?;
            let after = after.ok_or(Error::NotFound { what: "mailbox" })?;
            let mut acl = after.acl.clone();
            let rights = change.apply(acl.find(who, negative));
            acl.set(Grant { who, negative, rights });
            if acl.0.len() > ACL_ENTRIES_MAX {
                return Err(Error::LimitReached {
                    limit: format!("{ACL_ENTRIES_MAX} entries of an access control list"),
                });
            }
            shares::replace(storage, session, &after, &acl).await?;
            mailboxes::set_acl(storage, session, owner, mailbox, &acl).await?;
            let change = self.change(&after, Kind::Update, crate::model::uid::UidSet::new());
            changes::insert(storage, session, &[change]).await
        })
        .await
    }

    /// The usernames of users who exist. One query.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn usernames(&self, users: &[UserId]) -> Result<HashMap<UserId, String>> {
        usernames::names_of(self.storage(), users).await
    }

    /// Mailboxes of others that were shared with this user by name, and those shared with anyone by
    /// the owners named (by the lookup forms of their usernames): with the owner's username, in no
    /// order. What the user may do with each is for the caller to ask. One query when there are
    /// none; five at most, however many there are.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn list_shared(
        &self,
        user: UserId,
        owners: &[String],
    ) -> Result<Vec<(String, Mailbox)>> {
        let storage = self.storage();
        let named = usernames::users_named(storage, owners).await?;
        let named: Vec<UserId> = named.into_keys().filter(|owner| *owner != user).collect();
        let mut found = shares::list(storage, user).await?;
        for mailbox in shares::list_open(storage, &named).await? {
            if !found.iter().any(|other| other.id == mailbox.id) {
                found.push(mailbox);
            }
        }
        let mut owners: Vec<UserId> = found.iter().map(|mailbox| mailbox.user).collect();
        owners.sort_unstable();
        owners.dedup();
        let names = self.usernames(&owners).await?;
        let with_name = |mailbox: Mailbox| Some((names.get(&mailbox.user).cloned()?, mailbox));
        Ok(found.into_iter().filter_map(with_name).collect())
    }
}
