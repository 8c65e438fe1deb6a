//! What is done with a message for one recipient, decided before anything is written.

use super::Delivery;
use super::accept::{Arrival, Recipient};
use super::filter::{Decision, Judge, Place, decide};
use super::{info, trace};
use crate::mailstore::append::{NewMessage, Target};
use crate::model::error::{Error, Result};
use crate::model::filter::Filter;
use crate::model::flag::{Flag, FlagSet};
use crate::model::id::{MailboxId, UserId};
use crate::model::mailbox::{Mailbox, MailboxName, SpecialUse};
use crate::model::profile::DomainAction;
use crate::model::queue::QueueId;
use crate::model::user::User;
use crate::storage::field::new_id;
use crate::storage::{domain_access, filters};
use bytes::Bytes;

/// Filters of one user that are evaluated.
const FILTERS_MAX: i64 = 1000;

/// The plan for one recipient.
#[derive(Debug)]
pub(super) struct Plan {
    /// What the rules said.
    pub decision: Decision,
    /// Where the message goes; `None`: it is not stored.
    pub target: Option<Target>,
    /// Its mailbox, if it is stored.
    pub mailbox: Option<MailboxId>,
    /// The trace header in front of it.
    pub prefix: Bytes,
    /// The name in the queue of what is forwarded.
    pub queue_id: Option<QueueId>,
}

impl Delivery {
    /// Decides. Round trips, at the same time: filters (of users who ever had any), INBOX (once),
    /// and for users with tags the lists of domains; then, if it is needed, another mailbox.
    pub(super) async fn plan(&self, arrival: &Arrival<'_>, recipient: &Recipient) -> Result<Plan> {
        let user = &recipient.user;
        let (filters, inbox, is_listed) = tokio::try_join!(
            self.filters_of(user),
            self.inbox_of(user),
            self.is_listed(&user.rules.tags, &arrival.traits.from_domain),
        )?;
        // A user without INBOX is being made or removed just now: the sender tries again.
        let inbox = inbox
            .ok_or(Error::Unavailable { reason: "the user has no INBOX yet", source: None })?;
        let decision = decide(&user.rules, &filters, &arrival.traits, is_listed);
        let queue_id = (!decision.targets.is_empty()).then(new_id);
        let (transaction, now) = (arrival.transaction, arrival.now);
        let mut prefix = trace::prefix(transaction, &recipient.path, &self.hostname, now);
        prefix.push_str(&String::from_utf8_lossy(&arrival.lines));
        prefix.push_str(&classification(&decision, &arrival.traits.from_domain));
        let prefix = Bytes::from(prefix);
        if decision.is_dropped {
            return Ok(Plan { decision, target: None, mailbox: None, prefix, queue_id });
        }
        let found = match decision.place {
            Place::Inbox => None,
            Place::Junk => self.special(user.id, SpecialUse::Junk).await?,
            Place::Mailbox(id) => self.mailstore.find_mailbox(user.id, id).await?,
        };
        let found = found.map(|mailbox| (mailbox.id, mailbox.encrypt_messages));
        let (mailbox, encrypt_messages) = found.unwrap_or(inbox);
        let flags = [(decision.is_seen, Flag::Seen), (decision.is_flagged, Flag::Flagged)];
        let bits = flags.iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag.bit());
        let message = NewMessage {
            prepared: arrival.prepared.clone(),
            prefix: prefix.clone(),
            flags: FlagSet::new(bits.fold(0, |all, bit| all | bit), Vec::new()),
            internal_date: now,
            meta: None,
            info: queue_id.map(|queue_id| info::of_forwarded(&decision.targets, queue_id)),
        };
        let message = match user.rules.encrypts_messages || encrypt_messages {
            true => self.mailstore.encrypted(user.id, encrypt_messages, message).await?,
            false => message,
        };
        let target = Some(Target { user: user.id, mailbox, message });
        Ok(Plan { decision, target, mailbox: Some(mailbox), prefix, queue_id })
    }

    /// INBOX, and whether what goes into it is encrypted: without a key nothing is.
    async fn inbox_of(&self, user: &User) -> Result<Option<(MailboxId, bool)>> {
        if !user.rules.has_key {
            return Ok(self.mailstore.find_inbox(user.id).await?.map(|inbox| (inbox, false)));
        }
        let found = self.mailstore.find_mailbox_by_name(user.id, &MailboxName::inbox()).await?;
        Ok(found.map(|inbox| (inbox.id, inbox.encrypt_messages)))
    }

    async fn filters_of(&self, user: &User) -> Result<Vec<Filter>> {
        if user.rules.is_filterless {
            return Ok(Vec::new());
        }
        filters::list_of_user(&self.storage, user.id, FILTERS_MAX).await
    }

    /// Whether the sender's domain is allowed (`true`) or blocked by the lists of a user's tags; a
    /// block wins.
    async fn is_listed(&self, tags: &[String], domain: &str) -> Result<Option<bool>> {
        if tags.is_empty() || domain.is_empty() {
            return Ok(None);
        }
        let found = domain_access::find(&self.storage, tags, domain).await?;
        Ok(found.into_iter().max().map(|action| action == DomainAction::Allow))
    }

    /// The mailbox of a special use, if the user has one.
    pub(super) async fn special(
        &self,
        user: UserId,
        special_use: SpecialUse,
    ) -> Result<Option<Mailbox>> {
        let mailboxes = self.mailstore.list_mailboxes(user).await?;
        Ok(mailboxes.into_iter().find(|mailbox| mailbox.special_use == Some(special_use)))
    }
}

/// Header fields that tell who decided whether it is spam.
fn classification(decision: &Decision, domain: &str) -> String {
    let Some((is_spam, judge)) = &decision.spam else { return String::new() };
    let (source, info) = match judge {
        Judge::DomainList => ("user-domainaccess", domain.to_owned()),
        Judge::Filter(filter) => ("user-filter", filter.to_string()),
        Judge::SpamLevel => ("user-spamlevel", "score".to_owned()),
    };
    let class = if *is_spam { "junk" } else { "not-junk" };
    // a domain is the sender's own words
    let info: String = info.chars().filter(|c| c.is_alphanumeric() || ".-_".contains(*c)).collect();
    format!(
        "WD-Mail-Classification: {class}\r\nWD-Mail-Classification-Source: {source}\r\n\
         WD-Mail-Classification-Info: {info}\r\n"
    )
}
