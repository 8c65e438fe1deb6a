//! APPEND (RFC 9051 §6.3.12, RFC 4315 §2, RFC 7889).
//!
//! Framing has refused what is too large before it was sent.

use super::reply::{Failure, Outcome, Reply};
use super::rights::{Reached, permitted_flags};
use super::select::mailbox_name;
use super::session::Session;
use crate::codec::imap::append::Append;
use crate::codec::imap::response_code::ResponseCode;
use crate::mailstore::append::NewMessage;
use crate::model::error::Error;
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

    /// APPEND: OK is a promise that the message is stored.
    pub async fn append(&mut self, append: Append) -> Outcome {
        let Reached { mailbox, rights } = self.find_target(&append.mailbox).await?;
        let octets_max = self.context.settings.message_octets_max;
        if u64::try_from(append.message.len()).is_ok_and(|octets| octets > octets_max) {
            return Err(Error::TooLarge { octets_max }.into());
        }
        if append.message.is_empty() {
            return Err(Reply::no(ResponseCode::Cannot, "The message is empty").into());
        }
        let internal_date = append.date.unwrap_or_else(|| self.context.clock.now_ms());
        let mailstore = &self.context.mailstore;
        let prepared = mailstore.prepare(append.message).await?;
        let message = NewMessage {
            prepared,
            prefix: Bytes::new(),
            // RFC 4314 §4: flags without the right are left out
            flags: permitted_flags(rights).of(&append.flags),
            internal_date,
            meta: None,
            info: None,
        };
        let appended = mailstore.append(mailbox.user, mailbox.id, vec![message]).await;
        let appended = appended.map_err(Failure::Target)?;
        let Some(first) = appended.first() else {
            return Err(Error::Internal { reason: "nothing was appended", source: None }.into());
        };
        let uids: UidSet = appended.iter().map(|one| one.uid).collect();
        Ok(Reply::ok("Stored").with(ResponseCode::AppendUid(first.uid_validity, uids)))
    }
}
