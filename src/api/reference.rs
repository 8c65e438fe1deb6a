//! The message that a new one answers or forwards (`reference/http-api.md` §0.10, Ref).

use super::compose::Sender;
use super::message_source::{load_fields, tree_of};
use super::params::{Params, integer_of};
use super::problem::Problem;
use crate::codec::mime::build::{Draft, Encoding, NewAttachment};
use crate::codec::mime::display::Layout;
use crate::codec::mime::fields::{Fields as HeaderFields, Recipient};
use crate::codec::mime::text::decode_body;
use crate::mailstore::Mailstore;
use crate::mailstore::fetch::Fields;
use crate::model::error::Result;
use crate::model::flag::{Flag, FlagChange, FlagSet};
use crate::model::id::{MailboxId, UserId};
use crate::model::message::Message;
use crate::model::structure::{NamedAddress, Part};
use crate::model::uid::{Uid, UidSet};
use serde_json::{Map, Value, json};

/// What is done with the message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Its sender is answered.
    Reply,
    /// All its recipients are, too.
    ReplyAll,
    /// It is sent on.
    Forward,
}

/// Attachments that are taken over.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Taken {
    None,
    All,
    These(Vec<String>),
}

/// A message by its place, and what is done with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reference {
    mailbox: MailboxId,
    uid: Uid,
    action: Action,
    taken: Taken,
}

/// What a new message takes from it.
#[derive(Debug)]
pub struct Referenced {
    action: Action,
    message_id: Option<String>,
    references: Vec<String>,
    subject: String,
    senders: Vec<NamedAddress>,
    to: Vec<NamedAddress>,
    cc: Vec<NamedAddress>,
    attachments: Vec<NewAttachment>,
}

/// Reads `reference`; with attachments where drafts are stored.
pub fn read(params: &mut Params, with_attachments: bool) -> Option<Reference> {
    let expected = "must have mailbox, id and action (reply, replyAll or forward)";
    let read = |value: &Value| of_value(value, with_attachments);
    params.parsed("reference", expected, read).optional()
}

fn of_value(value: &Value, with_attachments: bool) -> Option<Reference> {
    let fields = value.as_object()?;
    let known = |name: &String| {
        ["mailbox", "id", "action"].contains(&name.as_str())
            || (with_attachments && name == "attachments")
    };
    let taken = match fields.get("attachments") {
        Some(Value::Array(ids)) => {
            let ids = ids.iter().map(|id| id.as_str().map(str::to_ascii_uppercase));
            Taken::These(ids.collect::<Option<_>>()?)
        }
        Some(value) if super::params::boolean_of(value)? => Taken::All,
        _ => Taken::None,
    };
    let action = match fields.get("action")?.as_str()? {
        "reply" => Action::Reply,
        "replyAll" => Action::ReplyAll,
        "forward" => Action::Forward,
        _ => return None,
    };
    fields.keys().all(known).then_some(())?;
    Some(Reference {
        mailbox: fields.get("mailbox")?.as_str()?.to_ascii_lowercase().parse().ok()?,
        uid: Uid::try_from(integer_of(fields.get("id")?)?).ok().filter(|uid| *uid > 0)?,
        action,
        taken,
    })
}

impl Reference {
    fn value(&self) -> Value {
        let action = match self.action {
            Action::Reply => "reply",
            Action::ReplyAll => "replyAll",
            Action::Forward => "forward",
        };
        json!({ "mailbox": self.mailbox.to_string(), "id": self.uid, "action": action })
    }

    /// The key of `delivery::info` that keeps it.
    pub fn info_fields(&self) -> Map<String, Value> {
        Map::from_iter([("reference".to_owned(), self.value())])
    }

    /// The text of `delivery::info` that keeps it.
    pub fn info(&self) -> String {
        Value::Object(self.info_fields()).to_string()
    }

    /// The reference that was kept with a draft.
    pub fn of_info(info: Option<&str>) -> Option<Self> {
        let value: Value = serde_json::from_str(info?).ok()?;
        of_value(value.get("reference")?, false)
    }

    /// Reads the message. `None`: it is gone, and the new one is just a new one.
    ///
    /// # Errors
    /// As the mail store's.
    pub async fn load(
        &self,
        mailstore: &Mailstore,
        user: UserId,
    ) -> Result<Option<Referenced>, Problem> {
        let fields = Fields { tree: true, summary: true, ..Fields::default() };
        let found = mailstore.find_message(user, self.mailbox, self.uid, fields).await?;
        let Some(message) = found else { return Ok(None) };
        let root = tree_of(&message)?;
        let header = load_fields(mailstore, user, &message, &root).await?;
        let reply_to = addresses(&header, "reply-to");
        let senders = if reply_to.is_empty() { addresses(&header, "from") } else { reply_to };
        let summary = &message.summary;
        Ok(Some(Referenced {
            action: self.action,
            message_id: Some(summary.message_id.clone()).filter(|id| !id.is_empty()),
            references: header.message_ids("references"),
            subject: summary.subject.clone(),
            senders,
            to: addresses(&header, "to"),
            cc: addresses(&header, "cc"),
            attachments: self.attachments(mailstore, user, &message, &root).await?,
        }))
    }

    async fn attachments(
        &self,
        mailstore: &Mailstore,
        user: UserId,
        message: &Message,
        root: &Part,
    ) -> Result<Vec<NewAttachment>> {
        let mut taken = Vec::new();
        for attachment in Layout::of(root).attachments {
            let is_taken = match &self.taken {
                Taken::None => false,
                Taken::All => true,
                Taken::These(ids) => ids.contains(&attachment.id()),
            };
            if !is_taken {
                continue;
            }
            let part = attachment.part;
            let octets = mailstore.load_octets(user, message, part.body).await?;
            taken.push(NewAttachment {
                filename: Some(attachment.filename()),
                content_type: Some(attachment.content_type()),
                cid: part.content_id.clone(),
                is_inline: attachment.is_related,
                encoding: Encoding::Fitting,
                octets: decode_body(&part.encoding, &octets),
            });
        }
        Ok(taken)
    }

    /// Flags the message as answered or forwarded, once that is true.
    ///
    /// # Errors
    /// As the mail store's; a message that is gone is no error.
    pub async fn mark(&self, mailstore: &Mailstore, user: UserId) -> Result<()> {
        let keywords = match self.action {
            Action::Forward => vec!["$Forwarded".to_owned()],
            Action::Reply | Action::ReplyAll => Vec::new(),
        };
        // the reference sets both for a forward: readers tell it by $Forwarded
        let change = FlagChange::Add(FlagSet::new(Flag::Answered.bit(), keywords));
        let uids = UidSet::from_range(self.uid, self.uid);
        match mailstore.store_flags(user, self.mailbox, &uids, &change, None).await {
            Ok(_) | Err(crate::model::error::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn addresses(header: &HeaderFields, name: &str) -> Vec<NamedAddress> {
    let recipients = header.recipients(name).unwrap_or_default();
    let members = |recipient: Recipient| match recipient {
        Recipient::One(one) => vec![one],
        Recipient::Group { members, .. } => members,
    };
    recipients.into_iter().flat_map(members).collect()
}

impl Referenced {
    /// Completes a draft: what it says itself stays (RFC 5322 §3.6.3 and §3.6.4).
    pub fn apply(self, draft: &mut Draft, sender: &Sender) {
        let has = |draft: &Draft, name: &str| {
            draft.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
        };
        if let Some(id) = &self.message_id {
            if !has(draft, "In-Reply-To") {
                draft.headers.push(("In-Reply-To".to_owned(), id.clone()));
            }
            if !has(draft, "References") {
                let earlier = self.references.iter().filter(|earlier| *earlier != id);
                let all: Vec<&str> = earlier.map(String::as_str).chain([id.as_str()]).collect();
                draft.headers.push(("References".to_owned(), all.join(" ")));
            }
        }
        let mark = if self.action == Action::Forward { "Fwd: " } else { "Re: " };
        draft.subject.get_or_insert_with(|| {
            let is_marked = self.subject.to_lowercase().starts_with(&mark.to_lowercase());
            if is_marked { self.subject.clone() } else { format!("{mark}{}", self.subject) }
        });
        let is_addressed = !(draft.to.is_empty() && draft.cc.is_empty() && draft.bcc.is_empty());
        if self.action != Action::Forward && !is_addressed {
            let is_other = |named: &NamedAddress| !sender.may_send_from(&named.address);
            draft.to = self.senders;
            if self.action == Action::ReplyAll {
                draft.to.extend(self.to.into_iter().filter(is_other));
                draft.cc = self.cc.into_iter().filter(is_other).collect();
            }
        }
        draft.attachments.extend(self.attachments);
    }
}
