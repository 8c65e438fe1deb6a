//! APPEND (RFC 9051 §6.3.12, RFC 4315 §2, RFC 7889).
//!
//! Framing has refused what is too large before it was sent.

use super::reply::{Failure, Outcome, Reply};
use super::select::mailbox_name;
use super::session::Session;
use crate::codec::imap::append::Append;
use crate::codec::imap::response_code::ResponseCode;
use crate::mailstore::append::NewMessage;
use crate::model::error::Error;
use crate::model::mailbox::Mailbox;
use crate::model::uid::UidSet;
use bytes::Bytes;

impl Session {
    /// The mailbox of APPEND, COPY and MOVE: if it is missing, CREATE would help.
    pub async fn find_target(&self, name: &str) -> Outcome<Mailbox> {
        match self.find_mailbox(&mailbox_name(name)?).await {
            Err(Failure::Meaning(error)) => Err(Failure::Target(error)),
            found => found,
        }
    }

    /// APPEND: OK is a promise that the message is stored.
    pub async fn append(&mut self, append: Append) -> Outcome {
        let user = self.user()?;
        let mailbox = self.find_target(&append.mailbox).await?;
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
            flags: append.flags,
            internal_date,
            meta: None,
            info: None,
        };
        let appended = mailstore.append(user, mailbox.id, vec![message]).await;
        let appended = appended.map_err(Failure::Target)?;
        let Some(first) = appended.first() else {
            return Err(Error::Internal { reason: "nothing was appended", source: None }.into());
        };
        let uids: UidSet = appended.iter().map(|one| one.uid).collect();
        Ok(Reply::ok("Stored").with(ResponseCode::AppendUid(first.uid_validity, uids)))
    }
}
