//! APPEND (RFC 9051 §6.3.12, RFC 4315 §2, RFC 7889), with several messages (RFC 3502).
//!
//! Framing has refused what is too large before it was sent.

use super::reply::{Failure, Outcome, Reply};
use super::rights::{Reached, permitted_flags};
use super::select::mailbox_name;
use super::session::Session;
use crate::codec::imap::append::Append;
use crate::codec::imap::response_code::ResponseCode;
use crate::mailstore::append::{Appended, NewMessage};
use crate::model::error::Error;
use crate::model::flag::FlagSet;
use crate::model::message::TimeMs;
use crate::model::rights::Rights;
use crate::model::uid::UidSet;
use bytes::Bytes;

impl Session {
    /// The mailbox of APPEND, COPY and MOVE, with the right to insert: if it is missing, CREATE
    /// would help.
    pub async fn find_target(&self, name: &str) -> Outcome<Reached> {
        match self.find_mailbox(&mailbox_name(name)?).await {
            Err(Failure::Meaning(error)) => Err(Failure::Target(error)),
            found => {
                let reached = found?;
                reached.require(Rights::INSERT)?;
                Ok(reached)
            }
        }
    }

    /// APPEND: OK is a promise that the messages are stored, all of them; NO that none is.
    pub async fn append(&mut self, append: Append) -> Outcome {
        let reached = self.find_target(&append.mailbox).await?;
        self.refuse_beyond_limit(append.messages.len() as u64)?;
        let (plans, contents): (Vec<_>, Vec<_>) =
            append.messages.into_iter().map(|one| ((one.flags, one.date), one.data)).unzip();
        let (contents, _share) = self.assemble(contents).await?;
        let mut messages = Vec::with_capacity(plans.len());
        for ((flags, date), content) in plans.into_iter().zip(contents) {
            messages.push(self.new_message(&reached, content, &flags, date).await?);
        }
        let mailbox = reached.mailbox;
        let appended = self.context.mailstore.append(mailbox.user, mailbox.id, messages).await;
        let code = append_uid(&appended.map_err(Failure::Target)?)?;
        Ok(Reply::ok("Stored").with(code))
    }

    /// A message for a mailbox of this user's world.
    pub async fn new_message(
        &self,
        reached: &Reached,
        content: Bytes,
        flags: &FlagSet,
        date: Option<TimeMs>,
    ) -> Outcome<NewMessage> {
        let octets_max = self.context.settings.message_octets_max;
        if u64::try_from(content.len()).is_ok_and(|octets| octets > octets_max) {
            return Err(Error::TooLarge { octets_max }.into());
        }
        if content.is_empty() {
            return Err(Reply::no(ResponseCode::Cannot, "The message is empty").into());
        }
        let new = NewMessage {
            prepared: self.context.mailstore.prepare(content).await?,
            prefix: Bytes::new(),
            // RFC 4314 §4: flags without the right are left out
            flags: permitted_flags(reached.rights).of(flags),
            internal_date: date.unwrap_or_else(|| self.context.clock.now_ms()),
            meta: None,
            info: None,
        };
        let mailbox = &reached.mailbox;
        let (owner, is_wished) = (mailbox.user, mailbox.encrypt_messages);
        Ok(self.context.mailstore.encrypted(owner, is_wished, new).await?)
    }
}

/// APPENDUID (RFC 4315 §3): the UIDs ascend as the messages were given.
pub fn append_uid(appended: &[Appended]) -> Result<ResponseCode, Error> {
    let first = appended.first();
    let first = first.ok_or(Error::Internal { reason: "nothing was appended", source: None })?;
    let uids: UidSet = appended.iter().map(|one| one.uid).collect();
    Ok(ResponseCode::AppendUid(first.uid_validity, uids))
}
