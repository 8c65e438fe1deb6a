//! The octets of the messages of APPEND and REPLACE: literals, and what CATENATE puts together
//! (RFC 4469).

use super::fetch_section::copy_section;
use super::literals::Share;
use super::reply::{Failure, Outcome, Reply};
use super::select::mailbox_name;
use super::session::Session;
use crate::codec::imap::append::{AppendData, CatPart, Literal};
use crate::codec::imap::response_code::ResponseCode;
use crate::codec::imap::url::Url;
use crate::mailstore::fetch::Fields;
use crate::model::error::Error;
use crate::model::id::UserId;
use crate::model::limits::IMAP_COMMAND_MESSAGES_OCTETS_MAX;
use crate::model::message::Message;
use crate::model::rights::Rights;
use crate::spool::Spool;
use bytes::Bytes;

impl Session {
    /// The octets of each message, and the share of memory they take beyond that of the command.
    ///
    /// What CATENATE makes is spooled first, so that its size is known before it is in memory.
    pub async fn assemble(&self, data: Vec<AppendData>) -> Outcome<(Vec<Bytes>, Option<Share>)> {
        let mut contents = Vec::with_capacity(data.len());
        let (mut spools, mut octets) = (Vec::new(), 0u64);
        for (index, one) in data.into_iter().enumerate() {
            match one {
                AppendData::Literal(literal) => contents.push(self.checked(literal)?),
                AppendData::Catenate(parts) => {
                    let spool = self.catenate(parts).await?;
                    octets = octets.saturating_add(spool.octets());
                    if octets > IMAP_COMMAND_MESSAGES_OCTETS_MAX {
                        return Err(too_big().into());
                    }
                    spools.push((index, spool));
                    contents.push(Bytes::new());
                }
            }
        }
        if spools.is_empty() {
            return Ok((contents, None));
        }
        let share = self.context.large_commands.take(octets)?;
        for (index, spool) in spools {
            let content = spool.finish().await.map_err(spool_failed)?;
            if let Some(place) = contents.get_mut(index) {
                *place = content;
            }
        }
        Ok((contents, Some(share)))
    }

    /// RFC 6855 §4: the UTF8 form is for those who have enabled it.
    fn checked(&self, literal: Literal) -> Outcome<Bytes> {
        if literal.utf8 && !self.enabled.utf8_names() {
            return Err(Reply::bad("UTF8 needs ENABLE UTF8=ACCEPT").into());
        }
        Ok(literal.octets)
    }

    async fn catenate(&self, parts: Vec<CatPart>) -> Outcome<Spool> {
        let octets_max = self.context.settings.message_octets_max;
        let mut spool = Spool::new(&self.context.spool_dir, octets_max);
        for part in parts {
            match part {
                CatPart::Text(literal) => {
                    let octets = self.checked(literal)?;
                    spool.push(&octets).await.map_err(spool_failed)?;
                }
                CatPart::Url(text) => self.copy_url(&text, &mut spool).await?,
            }
            if spool.is_too_large() {
                // RFC 4469 §4.2
                return Err(too_big().into());
            }
        }
        Ok(spool)
    }

    /// Adds what a URL names; NO [BADURL] if it names nothing this user may read.
    async fn copy_url(&self, text: &str, spool: &mut Spool) -> Outcome<()> {
        let bad_url = || Reply::no(ResponseCode::BadUrl(text.to_owned()), "The URL names nothing");
        let url = Url::parse(text).ok_or_else(bad_url)?;
        let found = match self.find_by_url(&url, text).await {
            Err(Failure::Meaning(Error::NotFound { .. } | Error::Invalid { .. })) => None,
            // without the right to read, it is as if there were nothing
            Err(Failure::Refused(_)) => None,
            found => found?,
        };
        let (owner, message) = found.ok_or_else(bad_url)?;
        let mailstore = &self.context.mailstore;
        let is_there =
            copy_section(mailstore, owner, &message, (&url.section, url.partial), spool).await?;
        if is_there { Ok(()) } else { Err(bad_url().into()) }
    }

    /// The message of a URL that needs no authorisation because this user may read it, or that has
    /// one (RFC 4467 §1.3).
    async fn find_by_url(&self, url: &Url, text: &str) -> Outcome<Option<(UserId, Message)>> {
        if url.token.is_some() {
            return self.find_authorised(url, text).await;
        }
        if let Some(user) = &url.user
            && !self.is_own_name(user).await?
        {
            return Ok(None);
        }
        let mailbox = match &url.mailbox {
            None => {
                let opened = self.opened_with(Rights::READ)?;
                self.context.mailstore.find_mailbox(opened.owner, opened.id).await?
            }
            Some(name) => {
                let reached = self.find_mailbox(&mailbox_name(name)?).await?;
                reached.require(Rights::READ)?;
                Some(reached.mailbox)
            }
        };
        let Some(mailbox) = mailbox else { return Ok(None) };
        if url.uid_validity.is_some_and(|given| given != mailbox.uid_validity) {
            return Ok(None);
        }
        let fields = Fields { tree: true, ..Fields::default() };
        let owner = mailbox.user;
        let mailstore = &self.context.mailstore;
        let message = mailstore.find_message(owner, mailbox.id, url.uid, fields).await?;
        Ok(message.map(|message| (owner, message)))
    }
}

fn too_big() -> Reply {
    Reply::no(ResponseCode::TooBig, "The message would be larger than is accepted")
}

/// The disk is no concern of the client.
pub fn spool_failed(error: std::io::Error) -> Error {
    Error::unavailable("no room for large messages", error)
}
