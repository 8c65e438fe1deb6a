//! GETMETADATA and SETMETADATA (RFC 5464 §4), and the annotations of LIST (RFC 9590).

use super::reply::{Failure, Outcome, Reply};
use super::rights::{Reached, no_permission};
use super::select::mailbox_name;
use super::session::Session;
use crate::codec::imap::metadata::{Depth, Metadata, MetadataQuery};
use crate::codec::imap::response_code::ResponseCode;
use crate::mailstore::metadata::{Annotated, Below, is_private};
use crate::model::error::Error;
use crate::model::id::MailboxId;
use crate::model::limits::METADATA_VALUE_OCTETS_MAX;
use crate::model::rights::Rights;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Any of these, beside `l`, makes a mailbox's annotations readable (RFC 5464 §3.3).
const READING: Rights =
    Rights::READ.with(Rights::SEEN).with(Rights::WRITE).with(Rights::INSERT).with(Rights::POST);

/// Entries and values of one mailbox.
type Values<'a> = Vec<(&'a str, Option<Vec<u8>>)>;

impl Session {
    /// The commands of METADATA.
    pub async fn metadata(&mut self, command: Metadata) -> Outcome {
        match command {
            Metadata::Get { mailbox, query } => self.get_metadata(&mailbox, &query).await,
            Metadata::Set { mailbox, values } => self.set_metadata(&mailbox, &values).await,
        }
    }

    /// Where the annotations of a name are, and the rights there; the server's for an empty name.
    async fn annotated(&self, name: &str) -> Outcome<(Annotated, Rights)> {
        let user = self.user()?;
        if name.is_empty() {
            // what all users share of the server is the operator's
            return Ok((Annotated { user, mailbox: None }, READING.without(Rights::WRITE)));
        }
        let Reached { mailbox, rights } = self.find_mailbox(&mailbox_name(name)?).await?;
        if !rights.has_any(READING) {
            return Err(no_permission());
        }
        Ok((Annotated { user, mailbox: Some((mailbox.user, mailbox.id)) }, rights))
    }

    async fn get_metadata(&mut self, name: &str, query: &MetadataQuery) -> Outcome {
        let (of, _) = self.annotated(name).await?;
        let below = if query.depth == Depth::Zero { Below::Nothing } else { Below::Everything };
        let mut found = self.context.mailstore.find_metadata(of, &query.entries, below).await?;
        if query.depth == Depth::One {
            found.retain(|entry, _| is_near(entry, &query.entries));
        }
        // RFC 5464 §4.2.1: left out when too long; the longest of them is told
        let octets_max = query.octets_max.unwrap_or(u64::MAX);
        let too_long = found.values().map(|value| value.len() as u64);
        let longest = too_long.filter(|octets| *octets > octets_max).max();
        let known: BTreeSet<String> = found.keys().cloned().collect();
        found.retain(|_, value| value.len() as u64 <= octets_max);
        let mut values: Vec<(&str, Option<&[u8]>)> =
            found.iter().map(|(entry, value)| (entry.as_str(), Some(value.as_slice()))).collect();
        if query.depth == Depth::Zero {
            let missing = query.entries.iter().filter(|entry| !known.contains(*entry));
            values.extend(missing.map(|entry| (entry.as_str(), None)));
        }
        if !values.is_empty() {
            let shown = self.shown_name(name)?;
            self.writer().metadata(&shown, values);
            self.stream.flush_if_full().await?;
        }
        let reply = Reply::ok("Annotations told");
        Ok(match longest {
            Some(octets) => reply.with(ResponseCode::MetadataLongEntries(octets)),
            None => reply,
        })
    }

    fn shown_name(&self, name: &str) -> Outcome<String> {
        Ok(if name.is_empty() { String::new() } else { mailbox_name(name)?.to_string() })
    }

    async fn set_metadata(&mut self, name: &str, values: &[(String, Option<Vec<u8>>)]) -> Outcome {
        let (of, rights) = self.annotated(name).await?;
        if values.iter().any(|(entry, _)| !is_private(entry)) && !rights.has(Rights::WRITE) {
            return Err(no_permission());
        }
        if values.iter().any(|(entry, _)| entry == "/private" || entry == "/shared") {
            return Err(Reply::no(ResponseCode::Cannot, "This is no entry").into());
        }
        let octets_max = METADATA_VALUE_OCTETS_MAX;
        let too_long = |(_, value): &(String, Option<Vec<u8>>)| {
            value.as_ref().is_some_and(|value| value.len() as u64 > octets_max)
        };
        if values.iter().any(too_long) {
            let code = ResponseCode::MetadataMaxSize(octets_max);
            return Err(Reply::no(code, "The value is too long").into());
        }
        match self.context.mailstore.set_metadata(of, values).await {
            Ok(()) => Ok(Reply::ok("Annotations set")),
            Err(Error::LimitReached { .. }) => {
                let text = "The mailbox has too many annotations";
                let refused: Failure = Reply::no(ResponseCode::MetadataTooMany, text).into();
                Err(refused)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The values of the entries for some mailboxes of a listing; nothing when none is asked for. A
    /// query for private, one for shared entries.
    pub async fn load_metadata_of<'e>(
        &self,
        mailboxes: &[&Reached],
        entries: &'e [String],
    ) -> Outcome<HashMap<MailboxId, Values<'e>>> {
        if entries.is_empty() {
            return Ok(HashMap::new());
        }
        let readable = mailboxes.iter().filter(|reached| reached.rights.has_any(READING));
        let mailboxes: Vec<_> = readable.map(|reached| &reached.mailbox).collect();
        let user = self.user()?;
        let mut found: BTreeMap<(MailboxId, String), Vec<u8>> =
            self.context.mailstore.find_metadata_of_many(user, &mailboxes, entries).await?;
        let of_one = |mailbox: MailboxId| {
            let value =
                |entry: &'e String| (entry.as_str(), found.remove(&(mailbox, entry.clone())));
            (mailbox, entries.iter().map(value).collect())
        };
        Ok(mailboxes.iter().map(|mailbox| mailbox.id).map(of_one).collect())
    }
}

/// Whether an entry is one of those asked for or one level below.
fn is_near(entry: &str, asked: &[String]) -> bool {
    asked.iter().any(|asked| match entry.strip_prefix(asked.as_str()) {
        Some("") => true,
        Some(rest) => rest.strip_prefix('/').is_some_and(|rest| !rest.contains('/')),
        None => false,
    })
}
