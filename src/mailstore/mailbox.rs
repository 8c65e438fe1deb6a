//! Create, rename, delete, list, subscribe.
//!
//! Each of them writes a change, so that sessions on all nodes wake.
use super::Mailstore;
use super::default_names::default_names;
use crate::model::error::{Error, Result};
use crate::model::event::Event;
use crate::model::id::{MailboxId, UserId};
use crate::model::mailbox::{Mailbox, MailboxCounts, MailboxName, SpecialUse};
use crate::model::rights::Acl;
use crate::model::setting::Setting;
use crate::model::uid::{UidSet, UidValidity};
use crate::storage::archive::{self, Purge};
use crate::storage::changes::{self, Change, Kind};
use crate::storage::deferred::{Deferred, Work};
use crate::storage::field::new_id;
use crate::storage::mailboxes::{self, Settings};
use crate::storage::transaction;
use crate::storage::{
    contents, deferred, files, filters, mailbox_counters, metadata, settings, shares,
    subscriptions, threads, url_keys, usage,
};

/// Messages removed by one transaction when their mailbox is gone already.
const REMOVAL_BATCH: i64 = 1000;

/// A mailbox to create.
#[derive(Clone, Debug)]
pub struct NewMailbox {
    /// Name.
    pub name: MailboxName,
    /// Special use.
    pub special_use: Option<SpecialUse>,
    /// Subscribed from the start.
    pub subscribed: bool,
    /// Hidden from IMAP.
    pub hidden: bool,
    /// Encrypt what is stored.
    pub encrypt_messages: bool,
    /// Retention in milliseconds.
    pub retention_ms: Option<u64>,
}

impl NewMailbox {
    /// A subscribed mailbox without extras.
    pub const fn new(name: MailboxName) -> Self {
        Self {
            name,
            special_use: None,
            subscribed: true,
            hidden: false,
            encrypt_messages: false,
            retention_ms: None,
        }
    }

    fn into_mailbox(self, user: UserId, uid_validity: UidValidity, acl: Acl) -> Mailbox {
        Mailbox {
            id: new_id(),
            user,
            name: self.name,
            special_use: self.special_use,
            uid_validity,
            uid_next: 1,
            mod_seq: 1,
            counts: MailboxCounts::default(),
            subscribed: self.subscribed,
            hidden: self.hidden,
            encrypt_messages: self.encrypt_messages,
            retention_ms: self.retention_ms,
            keywords: Vec::new(),
            acl,
            recent_from: 1,
        }
    }
}

/// Changes of a mailbox; `None` leaves as it is.
#[derive(Clone, Default, Debug)]
pub struct MailboxUpdate {
    /// Subscribed.
    pub subscribed: Option<bool>,
    /// Hidden.
    pub hidden: Option<bool>,
    /// Encrypt.
    pub encrypt_messages: Option<bool>,
    /// Retention in milliseconds; 0 for ever.
    pub retention_ms: Option<u64>,
}

impl Mailstore {
    /// All mailboxes of a user, INBOX first, then by name. One query.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn list_mailboxes(&self, user: UserId) -> Result<Vec<Mailbox>> {
        let mut mailboxes = mailboxes::list(self.storage(), user).await?;
        // Stable: the rest stays in the order of names
        mailboxes.sort_by_key(|mailbox| !mailbox.name.is_inbox());
        Ok(mailboxes)
    }

    /// One mailbox. One round trip.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn find_mailbox(&self, user: UserId, mailbox: MailboxId) -> Result<Option<Mailbox>> {
        mailboxes::find(self.storage(), user, mailbox).await
    }

    /// One mailbox by name. One round trip.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn find_mailbox_by_name(
        &self,
        user: UserId,
        name: &MailboxName,
    ) -> Result<Option<Mailbox>> {
        mailboxes::find_by_name(self.storage(), user, name).await
    }

    /// Creates a mailbox; parents are not created (the door does, where its protocol says so). Two
    /// look-ups, a count, a
    /// UIDVALIDITY and a transaction of two round trips: seven round trips, two commits; one more
    /// for those who listen.
    ///
    /// # Errors
    /// `AlreadyExists`, `LimitReached`, `Unavailable`.
    pub async fn create_mailbox(&self, user: UserId, new: NewMailbox) -> Result<Mailbox> {
        new.name.require_own()?;
        if mailboxes::find_by_name(self.storage(), user, &new.name).await?.is_some() {
            return Err(Error::AlreadyExists { what: "mailbox" });
        }
        let name = new.name.clone();
        let subscribed_before = subscriptions::exists(self.storage(), user, &name).await?;
        let new = NewMailbox { subscribed: new.subscribed || subscribed_before, ..new };
        // RFC 4314 leaves it to us: what is below a shared mailbox is shared alike
        let parent = match name.parent() {
            Some(parent) => mailboxes::find_by_name(self.storage(), user, &parent).await?,
            None => None,
        };
        let acl = parent.map(|parent| parent.acl).unwrap_or_default();
        let created = self.create_mailboxes(user, vec![new], &acl).await?;
        if subscribed_before {
            subscriptions::delete(self.storage(), user, &name).await?;
        }
        let missing = Error::Internal { reason: "a mailbox was not created", source: None };
        let created = created.into_iter().next().ok_or(missing)?;
        let event = Event::of_user("mailbox.created", user).with("mailbox", created.id);
        self.emit(event.with("path", &created.name)).await;
        Ok(created)
    }

    /// INBOX, Sent, Trash, Drafts, Junk, named in a language (`en` by default), in one transaction.
    ///
    /// # Errors
    /// `AlreadyExists`, `Unavailable`.
    pub async fn create_default_mailboxes(&self, user: UserId, language: &str) -> Result<()> {
        let mut new = vec![NewMailbox::new(MailboxName::inbox())];
        for (special_use, name) in default_names(language) {
            let mailbox = NewMailbox::new(MailboxName::new(name)?);
            new.push(NewMailbox { special_use: Some(special_use), ..mailbox });
        }
        self.create_mailboxes(user, new, &Acl::default()).await.map(drop)
    }

    pub(super) async fn create_mailboxes(
        &self,
        user: UserId,
        new: Vec<NewMailbox>,
        acl: &Acl,
    ) -> Result<Vec<Mailbox>> {
        let count = mailboxes::count(self.storage(), user).await?;
        let max = settings::find_number(self.storage(), Setting::MaxMailboxes).await?;
        if count + new.len() as u64 > max {
            return Err(Error::LimitReached { limit: format!("{max} mailboxes") });
        }
        let now_ms = self.clock().now_ms();
        let wanted = u32::try_from(new.len()).unwrap_or(u32::MAX);
        let first = mailbox_counters::take(self.storage(), user, wanted, now_ms).await?;
        let mailboxes: Vec<Mailbox> = (first..)
            .zip(new)
            .map(|(uid_validity, new)| new.into_mailbox(user, uid_validity, acl.clone()))
            .collect();
        transaction::run!(self.storage(), async |session| {
            for mailbox in &mailboxes {
                mailboxes::insert(self.storage(), session, mailbox, now_ms).await?;
                shares::insert_all(self.storage(), session, mailbox).await?;
            }
            let created: Vec<Change> =
                mailboxes.iter().map(|mailbox| self.setting(mailbox, Kind::Create)).collect();
            changes::insert(self.storage(), session, &created).await
        })
        .await?;
        Ok(mailboxes)
    }

    /// Changes settings. One transaction of two round trips. A new retention stamps the messages
    /// that are there: five more.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn update_mailbox(
        &self,
        user: UserId,
        mailbox: MailboxId,
        update: MailboxUpdate,
    ) -> Result<()> {
        let settings = Settings {
            name: None,
            subscribed: update.subscribed,
            hidden: update.hidden,
            encrypt_messages: update.encrypt_messages,
            retention_ms: update.retention_ms,
        };
        let restamp = transaction::run!(self.storage(), async |session| {
            let after = mailboxes::set(self.storage(), session, user, mailbox, &settings).await?;
            let after = after.ok_or(Error::NotFound { what: "mailbox" })?;
            changes::insert(self.storage(), session, &[self.setting(&after, Kind::Update)]).await?;
            let work = Work::Restamp { mailbox: Some(mailbox) };
            match settings.retention_ms {
                Some(_) => self.note(session, user, work).await.map(Some),
                None => Ok(None),
            }
        })
        .await?;
        if let Some(restamp) = restamp {
            self.finish(restamp).await;
        }
        Ok(())
    }

    /// Deletes a mailbox; its messages go to the archive. The caller has checked INBOX/special-use.
    ///
    /// One transaction of four round trips removes the mailbox, and with it every way to its
    /// messages, and notes that they are to be removed, too. Then one transaction for every 1,000 of
    /// them; after a crash in between a job goes on.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn delete_mailbox(&self, user: UserId, mailbox: MailboxId) -> Result<()> {
        let work = Work::Drain { mailbox };
        let (gone, drain) = self.delete_mailbox_alone(user, mailbox, Some(work)).await?;
        // RFC 9051 §6.3.7: a name stays subscribed when its mailbox is gone
        if gone.subscribed {
            self.remember(user, &gone.name).await?;
        }
        if let Some(drain) = drain {
            self.finish(drain).await;
        }
        // what it would file goes to INBOX until its owner says where to
        filters::disable_of_mailbox(self.storage(), user, mailbox).await?;
        let event = Event::of_user("mailbox.deleted", user).with("mailbox", mailbox);
        self.emit(event.with("path", &gone.name)).await;
        Ok(())
    }

    /// The transaction of [`Self::delete_mailbox`]; notes what is to be done after it.
    async fn delete_mailbox_alone(
        &self,
        user: UserId,
        mailbox: MailboxId,
        work: Option<Work>,
    ) -> Result<(Mailbox, Option<Deferred>)> {
        let storage = self.storage();
        transaction::run!(storage, async |session| {
            let gone = mailboxes::delete(storage, session, user, mailbox).await?;
            let gone = gone.ok_or(Error::NotFound { what: "mailbox" })?;
            shares::replace(storage, session, &gone, &Acl::default()).await?;
            metadata::delete_of_mailbox(storage, session, user, mailbox).await?;
            let octets = i64::try_from(gone.counts.octets).unwrap_or(i64::MAX);
            usage::add(storage, session, user, -octets).await?;
            let gone = Mailbox { mod_seq: gone.mod_seq + 1, ..gone };
            changes::insert(storage, session, &[self.setting(&gone, Kind::Delete)]).await?;
            let noted = match &work {
                Some(work) => Some(self.note(session, user, work.clone()).await?),
                None => None,
            };
            Ok((gone, noted))
        })
        .await
    }

    /// Deletes everything a user owns here (mailboxes, messages, subscriptions). May be called
    /// again after a failure.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn delete_user_data(&self, user: UserId) -> Result<()> {
        for mailbox in mailboxes::list(self.storage(), user).await? {
            match self.delete_mailbox_alone(user, mailbox.id, None).await {
                // Somebody else deletes it at the same time
                Ok(_) | Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        // What a deleted user had is not archived
        self.drain(user, None, false).await?;
        while self.purge_archive(Purge::OfUser(user)).await? > 0 {}
        threads::delete_all(self.storage(), user).await?;
        files::delete_all(self.storage(), user).await?;
        deferred::delete_all(self.storage(), user).await?;
        subscriptions::delete_all(self.storage(), user).await?;
        url_keys::delete_all(self.storage(), user).await?;
        shares::delete_all(self.storage(), user).await?;
        metadata::delete_all(self.storage(), user).await?;
        mailbox_counters::delete(self.storage(), user).await
    }

    /// Removes messages whose mailbox is gone (`None`: all of a user's), into the archive or for
    /// good, and then what only they referred to.
    pub(super) async fn drain(
        &self,
        user: UserId,
        mailbox: Option<MailboxId>,
        archives: bool,
    ) -> Result<()> {
        let (storage, place) = (self.storage(), (user, mailbox));
        loop {
            let now_ms = archives.then(|| self.clock().now_ms());
            let removed = transaction::run!(storage, async |session| {
                archive::remove_unreachable(storage, session, place, REMOVAL_BATCH, now_ms).await
            })
            .await?;
            if removed.messages == 0 {
                return Ok(());
            }
            contents::lower_many(storage, &removed.references).await?;
        }
    }

    pub(super) fn setting(&self, mailbox: &Mailbox, kind: Kind) -> Change {
        Change {
            user: mailbox.user,
            mailbox: mailbox.id,
            mod_seq: mailbox.mod_seq,
            kind,
            uids: UidSet::new(),
            created_ms: self.clock().now_ms(),
        }
    }
}
