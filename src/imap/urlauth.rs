//! GENURLAUTH, URLFETCH and RESETKEY (RFC 4467, RFC 5524), for own mailboxes, with mechanism
//! INTERNAL.
//!
//! A node does not know the names it is reached by, so any host is taken for this store. What a
//! token signs is the whole URL, so nobody can change the host afterwards.

use super::assemble::spool_failed;
use super::fetch_section::{Copied, copy_item, decode_tree};
use super::reply::{Outcome, Reply};
use super::rights::{Whose, whose};
use super::select::mailbox_name;
use super::session::Session;
use crate::codec::imap::fetch::{BodySection, FetchItem};
use crate::codec::imap::response_code::ResponseCode;
use crate::codec::imap::url::{Access, Url};
use crate::codec::imap::urlauth::{UrlAsked, Wanted};
use crate::codec::mime::section::SectionText;
use crate::codec::mime::structure::{self, Decoded};
use crate::codec::mime::tree;
use crate::mailstore::fetch::Fields;
use crate::model::error::Error;
use crate::model::id::UserId;
use crate::model::mailbox::Mailbox;
use crate::model::message::Message;
use crate::model::rights::Rights;
use crate::model::structure::{ByteRange, Part};
use crate::spool::Spool;

/// Octets written at once.
const PIECE_OCTETS: u64 = 64 * 1024;

/// What URLFETCH tells of one URL.
#[derive(Default, Debug)]
struct Told {
    structure: Option<Vec<u8>>,
    /// `None`, though asked for: the transfer encoding is not known.
    spool: Option<Spool>,
    has_nul: bool,
}

fn is_encoded(part: &Part) -> bool {
    part.children.is_empty() && matches!(part.encoding.as_str(), "base64" | "quoted-printable")
}

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
    pub async fn url_fetch(&mut self, urls: &[UrlAsked]) -> Outcome {
        for asked in urls {
            let text = &asked.url;
            let found = match Url::parse(text) {
                Some(url) => self.find_authorised(&url, text).await?.map(|found| (url, found)),
                None => None,
            };
            let told = match found {
                Some((url, (owner, message))) => {
                    self.read_url(&url, asked.wanted, owner, &message).await?
                }
                None => None,
            };
            self.tell_url(asked, told).await?;
        }
        Ok(Reply::ok("Fetched"))
    }

    /// What an URL names; `None`: the message has no such part.
    async fn read_url(
        &self,
        url: &Url,
        wanted: Option<Wanted>,
        owner: UserId,
        message: &Message,
    ) -> Outcome<Option<Told>> {
        let mailstore = &self.context.mailstore;
        let wanted = wanted.unwrap_or(Wanted { body: true, ..Wanted::default() });
        let partial = url.partial.map(|(offset, count)| (offset, count.unwrap_or(u64::MAX)));
        let body = BodySection { section: url.section.clone(), partial, peek: true };
        // headers and the like have no transfer encoding
        let item = match url.section.text {
            SectionText::All if wanted.binary => FetchItem::Binary(body),
            _ => FetchItem::Section(body),
        };
        let mut spool = Spool::new(&self.context.spool_dir, u64::MAX);
        let copied = copy_item(mailstore, owner, message, &item, &mut spool).await?;
        if copied == Copied::Missing {
            return Ok(None);
        }
        let mut told = Told::default();
        if wanted.structure {
            let Some(root) = decode_tree(message)? else { return Ok(None) };
            let Some(part) = tree::find(&root, &url.section.path) else { return Ok(None) };
            let end = root.header.end.max(root.body.end);
            let content =
                mailstore.load_octets(owner, message, ByteRange { start: 0, end }).await?;
            let octets = spool.octets();
            let decoded = match copied {
                _ if !wanted.binary || !is_encoded(part) => None,
                Copied::Whole { has_nul: true, .. } => Some("binary"),
                Copied::Whole { has_8bit: true, .. } => Some("8bit"),
                Copied::Whole { .. } => Some("7bit"),
                Copied::Missing | Copied::UnknownEncoding => None,
            };
            let decoded = decoded.map(|encoding| Decoded { octets, encoding });
            told.structure = Some(structure::of_part(&content, part, decoded));
        }
        if let Copied::Whole { has_nul, .. } = copied
            && (wanted.body || wanted.binary)
        {
            (told.spool, told.has_nul) = (Some(spool), has_nul && wanted.binary);
        }
        Ok(Some(told))
    }

    async fn tell_url(&mut self, asked: &UrlAsked, told: Option<Told>) -> Outcome<()> {
        self.writer().url_fetch(&asked.url);
        let Some(told) = told else {
            self.writer().raw(b" NIL").end_line();
            return Ok(self.stream.flush_if_full().await?);
        };
        if let Some(structure) = &told.structure {
            self.writer().url_structure(structure);
        }
        let name = match asked.wanted {
            Some(wanted) if wanted.binary => Some("BINARY"),
            Some(wanted) if wanted.body => Some("BODY"),
            Some(_) => {
                self.writer().end_line();
                return Ok(self.stream.flush_if_full().await?);
            }
            None => None,
        };
        let octets = told.spool.as_ref().map(Spool::octets);
        self.writer().url_octets(name, octets, told.has_nul);
        if let Some(spool) = told.spool {
            self.send_spool(spool).await?;
        }
        if name.is_some() {
            self.writer().raw(b")");
        }
        self.writer().end_line();
        Ok(self.stream.flush_if_full().await?)
    }

    async fn send_spool(&mut self, spool: Spool) -> Outcome<()> {
        let mut left = spool.octets();
        let mut drain = spool.drain().await.map_err(spool_failed)?;
        let mut piece = Vec::new();
        while left > 0 {
            piece.clear();
            let octets = left.min(PIECE_OCTETS);
            // in the middle of a literal nothing else can be said: the connection ends
            drain.read_to(&mut piece, octets).await?;
            self.stream.write(&piece).await?;
            left -= octets;
        }
        Ok(())
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
