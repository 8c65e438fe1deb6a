//! Messages that are encrypted for their owner when they are stored: by delivery, append, upload,
//! copy and move, when he or the mailbox wishes it and he has a key. Drafts are not, and what is
//! encrypted already stays as it is (`reference/behaviours.md` §6).

use super::Mailstore;
use super::append::{NewMessage, Prepared};
use super::copy::{Copied, Place};
use super::fetch::Fields;
use crate::encryption;
use crate::model::error::{Error, Result};
use crate::model::flag::{Flag, FlagMask};
use crate::model::id::{MailboxId, UserId};
use crate::model::message::Message;
use crate::model::profile::Encryption;
use crate::model::structure::ByteRange;
use crate::model::uid::{Uid, UidSet};
use crate::storage::{mailboxes, user_keys};
use bytes::Bytes;

impl Mailstore {
    /// The keys for what comes into a mailbox that wishes encryption or not; `None`: nothing is
    /// encrypted there. One round trip.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn keys_for(&self, user: UserId, is_wished: bool) -> Result<Option<Encryption>> {
        let keys = user_keys::find(self.storage(), user).await?;
        let has_key = !keys.pub_key.is_empty() || !keys.smime_certs.is_empty();
        Ok(Some(keys).filter(|keys| has_key && (is_wished || keys.messages)))
    }

    /// A message as it is stored in a mailbox of a user. One round trip.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn encrypted(
        &self,
        user: UserId,
        is_wished: bool,
        message: NewMessage,
    ) -> Result<NewMessage> {
        if message.flags.has(Flag::Draft) {
            return Ok(message);
        }
        let Some(keys) = self.keys_for(user, is_wished).await? else { return Ok(message) };
        Ok(NewMessage { prepared: self.encrypt(&message.prepared, keys).await, ..message })
    }

    /// As [`Self::encrypted`], when the mailbox was not read yet: one more round trip, at the same
    /// time.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn encrypted_in(&self, place: Place, message: NewMessage) -> Result<NewMessage> {
        if message.flags.has(Flag::Draft) {
            return Ok(message);
        }
        let Some(keys) = self.keys_of_mailbox(place).await? else { return Ok(message) };
        Ok(NewMessage { prepared: self.encrypt(&message.prepared, keys).await, ..message })
    }

    /// A content encrypted. A key that fails leaves it readable: it is not lost, and the log says
    /// so.
    pub async fn encrypt(&self, prepared: &Prepared, keys: Encryption) -> Prepared {
        if prepared.structure.summary.encrypted {
            return prepared.clone();
        }
        let (content, now_ms) = (prepared.content.clone(), self.clock().now_ms());
        let encrypting = move || encryption::encrypt(&content, &keys, now_ms);
        let encrypted = match tokio::task::spawn_blocking(encrypting).await {
            Ok(Ok(Some(encrypted))) => self.prepare(Bytes::from(encrypted)).await,
            Ok(Ok(None)) => return prepared.clone(),
            Ok(Err(reason)) => Err(Error::invalid("pubKey", reason)),
            Err(error) => Err(Error::internal("encrypting failed", error)),
        };
        let result = if encrypted.is_ok() { "encrypted" } else { "failed" };
        metrics::counter!("eider_encrypted_messages_total", "result" => result).increment(1);
        encrypted.unwrap_or_else(|error| {
            tracing::error!(%error, "a message is stored without encryption");
            prepared.clone()
        })
    }

    /// The keys for what comes into a mailbox. Two round trips at the same time.
    pub(super) async fn keys_of_mailbox(
        &self,
        (user, mailbox): Place,
    ) -> Result<Option<Encryption>> {
        let (keys, found) = tokio::try_join!(
            self.keys_for(user, true),
            mailboxes::find(self.storage(), user, mailbox)
        )?;
        let is_wished = found.is_some_and(|mailbox| mailbox.encrypt_messages);
        Ok(keys.filter(|keys| is_wished || keys.messages))
    }

    /// COPY into a mailbox where messages are encrypted: one append each, in order; those that stay
    /// as they are are copied. What was copied goes again when one fails.
    pub(super) async fn copy_encrypting(
        &self,
        source: Place,
        uids: &UidSet,
        target: Place,
        flags: FlagMask,
        keys: &Encryption,
    ) -> Result<Copied> {
        let fields = Fields { summary: true, meta: true, tree: true, ..Fields::default() };
        let mut messages = self.fetch(source.0, source.1, uids, fields).await?;
        let mut copied = Copied::default();
        while let Some(message) = messages.next().await? {
            let stays = message.summary.encrypted || message.row.flags.has(Flag::Draft);
            let one = match stays {
                true => {
                    let uid = UidSet::from_range(message.row.uid, message.row.uid);
                    self.copy_plain(source, &uid, target, flags).await
                }
                false => self.append_encrypted(source.0, message, target, flags, keys).await,
            };
            match one {
                Ok(one) => {
                    copied.uid_validity = one.uid_validity;
                    copied.uids.extend(one.uids);
                }
                Err(error) => {
                    self.undo_copy(target, &copied).await;
                    return Err(error);
                }
            }
        }
        Ok(copied)
    }

    async fn append_encrypted(
        &self,
        owner: UserId,
        message: Message,
        target: Place,
        flags: FlagMask,
        keys: &Encryption,
    ) -> Result<Copied> {
        let octets = message.row.octets.saturating_sub(message.prefix.len() as u64);
        let content =
            self.load_octets(owner, &message, ByteRange { start: 0, end: octets }).await?;
        let new = NewMessage {
            prepared: self.encrypt(&self.prepare(content).await?, keys.clone()).await,
            prefix: Bytes::from(message.prefix),
            flags: flags.of(&message.row.flags),
            internal_date: message.row.internal_date,
            meta: message.meta,
            info: message.info,
        };
        let appended = self.append(target.0, target.1, vec![new]).await?;
        let uids = appended.iter().map(|one| (message.row.uid, one.uid)).collect();
        let uid_validity = appended.first().map(|one| one.uid_validity).unwrap_or_default();
        Ok(Copied { uid_validity, uids })
    }

    /// MOVE into a mailbox where messages are encrypted: a copy, then the originals go for good, as
    /// the archive would keep them readable. A crash in between leaves messages in both (RFC 6851
    /// §3.3).
    pub(super) async fn move_encrypting(
        &self,
        user: UserId,
        (source, target): (MailboxId, MailboxId),
        uids: &UidSet,
        keys: &Encryption,
    ) -> Result<Copied> {
        let (from, to) = ((user, source), (user, target));
        let copied = self.copy_encrypting(from, uids, to, FlagMask::ALL, keys).await?;
        let moved: UidSet = copied.uids.iter().map(|pair: &(Uid, Uid)| pair.0).collect();
        if !moved.is_empty() {
            self.remove_for_good(user, source, &moved).await?;
        }
        Ok(copied)
    }
}
