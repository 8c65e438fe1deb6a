//! GENURLAUTH, URLFETCH and RESETKEY (RFC 4467), for own mailboxes, with mechanism INTERNAL.
//!
//! A node does not know the names it is reached by, so any host is taken for this store. What a
//! token signs is the whole URL, so nobody can change the host afterwards.

use super::assemble::spool_failed;
use super::fetch_section::copy_section;
use super::reply::{Outcome, Reply};
use super::rights::{Whose, whose};
use super::select::mailbox_name;
use super::session::Session;
use crate::codec::imap::response_code::ResponseCode;
use crate::codec::imap::url::{Access, Url};
use crate::mailstore::fetch::Fields;
use crate::model::error::Error;
use crate::model::id::UserId;
use crate::model::mailbox::Mailbox;
use crate::model::message::Message;
use crate::model::rights::Rights;
use crate::spool::Spool;

/// Octets written at once.
const PIECE_OCTETS: u64 = 64 * 1024;

impl Session {
    /// GENURLAUTH: BAD for what cannot be authorised, NO when the mailbox does not exist.
    pub async fn gen_url_auth(&mut self, asked: &[(String, String)]) -> Outcome {
        let user = self.user()?;
        let mut urls = Vec::with_capacity(asked.len());
        for (text, mechanism) in asked {
            let bad = |text: &'static str| Err(Reply::bad(text).into());
            let Some(url) = Url::parse(text) else { return bad("Not the URL of a message") };
            let (true, Some(_), None) = (url.is_absolute, &url.access, &url.token) else {
                return bad("Expected an absolute URL that ends with ;URLAUTH=access");
            };
            if mechanism != "INTERNAL" {
                return bad("The only mechanism is INTERNAL");
            }
            // RFC 4467 §6.1: the URL must name the user who authorises
            match &url.user {
                Some(name) if self.is_own_name(name).await? => {}
                _ => return bad("The URL names another user"),
            }
            let mailbox = self.find_own_mailbox(user, &url).await?;
            let mailbox = mailbox.ok_or(Error::NotFound { what: "mailbox" })?;
            let token = self.context.mailstore.sign_url(user, mailbox.id, text).await?;
            urls.push(format!("{text}:internal:{token}"));
        }
        self.writer().gen_url_auth(&urls);
        Ok(Reply::ok("Authorised"))
    }

    /// URLFETCH: NIL for what may not be read, whatever the reason (RFC 4467 §6.2).
    pub async fn url_fetch(&mut self, urls: &[String]) -> Outcome {
        for text in urls {
            let found = match Url::parse(text) {
                Some(url) => self.find_authorised(&url, text).await?.map(|found| (url, found)),
                None => None,
            };
            let mut spool = None;
            if let Some((url, (owner, message))) = found {
                let mut octets = Spool::new(&self.context.spool_dir, u64::MAX);
                let section = (&url.section, url.partial);
                let mailstore = &self.context.mailstore;
                if copy_section(mailstore, owner, &message, section, &mut octets).await? {
                    spool = Some(octets);
                }
            }
            self.tell_url(text, spool).await?;
        }
        Ok(Reply::ok("Fetched"))
    }

    async fn tell_url(&mut self, text: &str, spool: Option<Spool>) -> Outcome<()> {
        let Some(spool) = spool else {
            self.writer().url_fetch(text, None).end_line();
            return Ok(self.stream.flush_if_full().await?);
        };
        let mut left = spool.octets();
        let mut drain = spool.drain().await.map_err(spool_failed)?;
        self.writer().url_fetch(text, Some(left));
        let mut piece = Vec::new();
        while left > 0 {
            piece.clear();
            let octets = left.min(PIECE_OCTETS);
            // in the middle of a literal nothing else can be said: the connection ends
            drain.read_to(&mut piece, octets).await?;
            self.stream.write(&piece).await?;
            left -= octets;
        }
        self.writer().end_line();
        Ok(self.stream.flush_if_full().await?)
    }

    /// RESETKEY: what was authorised before is void.
    pub async fn reset_key(&mut self, mailbox: Option<&str>) -> Outcome {
        let user = self.user()?;
        let mailbox = match mailbox {
            Some(name) => {
                let reached = self.find_mailbox(&mailbox_name(name)?).await?;
                Some(reached.mailbox.id)
            }
            None => None,
        };
        self.context.mailstore.reset_url_keys(user, mailbox).await?;
        Ok(Reply::ok("URLs authorised before are void"))
    }

    /// Whether a name is that of the user who has logged in.
    pub async fn is_own_name(&self, name: &str) -> Outcome<bool> {
        let user = self.user()?;
        Ok(self.context.authenticator.find_user(name).await?.is_some_and(|found| found.id == user))
    }

    /// The message of an authorised URL, with its owner; `None` if the authorisation does not hold
    /// or there is no such message.
    pub async fn find_authorised(
        &self,
        url: &Url,
        text: &str,
    ) -> Outcome<Option<(UserId, Message)>> {
        let (Some(user), Some(access), Some(token)) = (&url.user, &url.access, &url.token) else {
            return Ok(None);
        };
        let is_expired = url.expires.is_some_and(|at| at <= self.context.clock.now_ms());
        if token.mechanism != "INTERNAL" || is_expired || !self.is_granted(access).await? {
            return Ok(None);
        }
        let Some(owner) = self.context.authenticator.find_user(user).await? else {
            return Ok(None);
        };
        let Some(mailbox) = self.find_own_mailbox(owner.id, url).await? else { return Ok(None) };
        let rump = text.get(..token.rump_octets).unwrap_or_default();
        let mailstore = &self.context.mailstore;
        if !mailstore.is_url_signed(owner.id, mailbox.id, rump, &token.value).await? {
            return Ok(None);
        }
        let fields = Fields { tree: true, ..Fields::default() };
        let message = mailstore.find_message(owner.id, mailbox.id, url.uid, fields).await?;
        Ok(message.map(|message| (owner.id, message)))
    }

    /// RFC 4467 §3: whether this session is one of those a URL is for.
    async fn is_granted(&self, access: &Access) -> Outcome<bool> {
        let login = self.login.as_ref().map_or("", |login| login.user.username.as_str());
        match access {
            Access::Anonymous | Access::AuthUser => Ok(true),
            Access::User(name) => self.is_own_name(name).await,
            // a submission server logs in by a name the operator has told us
            Access::Submit(_) => {
                let servers = &self.context.settings.submission_users;
                Ok(servers.iter().any(|server| server.eq_ignore_ascii_case(login)))
            }
        }
    }

    /// The mailbox of a URL among those of a user, if it is the one with that UIDVALIDITY.
    async fn find_own_mailbox(&self, user: UserId, url: &Url) -> Outcome<Option<Mailbox>> {
        let Some(name) = &url.mailbox else { return Ok(None) };
        let name = mailbox_name(name)?;
        if whose(&name) != Whose::Own {
            let text = "URLs of other users' mailboxes are not authorised here";
            return Err(Reply::no(ResponseCode::Cannot, text).into());
        }
        let found = self.context.mailstore.find_mailbox_by_name(user, &name).await?;
        let is_it = |mailbox: &Mailbox| {
            let is_valid = url.uid_validity.is_none_or(|given| given == mailbox.uid_validity);
            is_valid && !mailbox.hidden && mailbox.rights_of(user).has(Rights::READ)
        };
        Ok(found.filter(is_it))
    }
}
