//! PURE: whether and how well a message is what a SEARCH asks for (RFC 9051 §6.4.4, RFC 6203).
//!
//! A key is decided with what is known of a message so far; `None` means that more of it must be
//! read.

use super::needle::{EXACT, Needle};
use super::text::{BodyText, HeaderText};
use crate::codec::collation::Collation;
use crate::codec::imap::date_time::Day;
use crate::codec::imap::search::SearchKey;
use crate::codec::imap::sequence_set::SequenceSet;
use crate::model::flag::Flag;
use crate::model::mailbox::{MailboxName, SpecialUse};
use crate::model::message::{Message, Row, TimeMs};
use crate::model::uid::{Uid, UidSet};

/// A message as far as it is known.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Always.
    pub row: &'a Row,
    /// Its document, if read.
    pub message: Option<&'a Message>,
    /// Its header, if read.
    pub header: Option<&'a HeaderText>,
    /// Its text, if read.
    pub body: Option<&'a BodyText>,
}

/// What is asked of a header's day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sent {
    /// SENTBEFORE
    Before,
    /// SENTON
    On,
    /// SENTSINCE
    Since,
}

/// A search key with its sets resolved and its strings folded.
#[derive(Debug)]
pub enum Key {
    /// The same for all.
    Always(bool),
    /// AND
    And(Vec<Key>),
    /// OR
    Or(Vec<Key>),
    /// NOT
    Not(Box<Key>),
    /// UIDs, whether named by UID or by sequence number.
    Uids(UidSet),
    /// A system flag is set or not.
    Flag(Flag, bool),
    /// A keyword is set or not.
    Keyword(String, bool),
    /// INTERNALDATE in a range: from, before.
    Internal(TimeMs, TimeMs),
    /// SAVEDATE in a range.
    Saved(TimeMs, TimeMs),
    /// The day of the Date field.
    Sent(Sent, Day),
    /// Larger than.
    Larger(u64),
    /// Smaller than.
    Smaller(u64),
    /// ModSeq at least.
    ModSeq(u64),
    /// A header field has a string.
    Header(String, Needle),
    /// BODY
    Body(Needle),
    /// TEXT
    Text(Needle, Collation),
    /// EMAILID
    EmailId(String),
    /// THREADID
    ThreadId(String),
    /// X-GM-MSGID
    GmailMessageId(u64),
    /// X-GM-THRID
    GmailThreadId(u64),
    /// Something is attached.
    HasAttachment,
}

/// What must be read of messages that the view leaves undecided.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Depth {
    /// Nothing.
    View,
    /// The document.
    Document,
    /// The content.
    Content,
}

/// The UIDs of a set, by UID or by sequence number.
type Sets<'a> = &'a (dyn Fn(&SequenceSet, bool) -> UidSet + Sync);

/// What a key means depends on when and where it is asked.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The time.
    pub now: TimeMs,
    /// The active collation.
    pub collation: Collation,
    /// The mailbox.
    pub mailbox: &'a MailboxName,
    /// What the mailbox is for.
    pub special_use: Option<SpecialUse>,
    /// Its sets.
    pub sets: Sets<'a>,
    /// Inside FUZZY.
    pub fuzzy: bool,
    /// What is recent in this session.
    pub recent: &'a UidSet,
}

impl Asked<'_> {
    fn needle(&self, text: &str) -> Needle {
        Needle::new(text, self.collation, self.fuzzy)
    }

    /// A label of X-GM-EXT-1. A message lies in one mailbox here: labels are that mailbox, flags
    /// and keywords.
    fn label(&self, label: &str) -> Key {
        let is_for = |wanted| Key::Always(self.special_use == Some(wanted));
        match label.to_ascii_lowercase().as_str() {
            "\\inbox" => Key::Always(self.mailbox.is_inbox()),
            "\\starred" | "\\flagged" => Key::Flag(Flag::Flagged, true),
            // RFC 8457
            "\\important" => Key::Keyword("$Important".into(), true),
            "\\draft" | "\\drafts" => {
                Key::Or(vec![is_for(SpecialUse::Drafts), Key::Flag(Flag::Draft, true)])
            }
            "\\sent" => is_for(SpecialUse::Sent),
            "\\trash" => is_for(SpecialUse::Trash),
            "\\spam" | "\\junk" => is_for(SpecialUse::Junk),
            "\\all" | "\\allmail" => Key::Always(true),
            _ => Key::Or(vec![
                Key::Always(self.mailbox.as_str().eq_ignore_ascii_case(label)),
                Key::Keyword(label.to_owned(), true),
            ]),
        }
    }
}

impl Key {
    /// Prepares a key.
    pub fn new(key: &SearchKey, asked: &Asked<'_>) -> Self {
        let seconds_ago = |seconds: u32| asked.now.saturating_sub(i64::from(seconds) * 1000);
        let next = |day: Day| Day(day.0.saturating_add(1)).start();
        let every = |keys: &[SearchKey]| keys.iter().map(|key| Self::new(key, asked)).collect();
        match key {
            SearchKey::All | SearchKey::SaveDateSupported => Self::Always(true),
            SearchKey::Recent => Self::Uids(asked.recent.clone()),
            SearchKey::Old => Self::Not(Box::new(Self::Uids(asked.recent.clone()))),
            SearchKey::New => {
                Self::And(vec![Self::Uids(asked.recent.clone()), Self::Flag(Flag::Seen, false)])
            }
            SearchKey::And(keys) => Self::And(every(keys)),
            SearchKey::Or(keys) => Self::Or(every(keys)),
            SearchKey::Not(key) => Self::Not(Box::new(Self::new(key, asked))),
            // RFC 6203 §3: all strings inside may be misspelt; §5: other keys are exact
            SearchKey::Fuzzy(key) => Self::new(key, &Asked { fuzzy: true, ..*asked }),
            SearchKey::Sequence(set) => Self::Uids((asked.sets)(set, false)),
            SearchKey::UidAfter(uid) => Self::Uids(UidSet::from_range(1, Uid::MAX).above(*uid)),
            SearchKey::UidBefore(uid) => Self::Uids(UidSet::from_range(1, Uid::MAX).below(*uid)),
            SearchKey::Uid(set) => Self::Uids((asked.sets)(set, true)),
            SearchKey::Flag(flag, is_set) => Self::Flag(*flag, *is_set),
            SearchKey::Keyword(keyword, is_set) => Self::Keyword(keyword.clone(), *is_set),
            SearchKey::Before(day) => Self::Internal(TimeMs::MIN, day.start()),
            SearchKey::On(day) => Self::Internal(day.start(), next(*day)),
            SearchKey::Since(day) => Self::Internal(day.start(), TimeMs::MAX),
            SearchKey::SavedBefore(day) => Self::Saved(TimeMs::MIN, day.start()),
            SearchKey::SavedOn(day) => Self::Saved(day.start(), next(*day)),
            SearchKey::SavedSince(day) => Self::Saved(day.start(), TimeMs::MAX),
            // RFC 5032 §2: YOUNGER includes the moment itself, OLDER too
            SearchKey::Younger(seconds) => Self::Internal(seconds_ago(*seconds), TimeMs::MAX),
            SearchKey::Older(seconds) => {
                Self::Internal(TimeMs::MIN, seconds_ago(*seconds).saturating_add(1))
            }
            SearchKey::SentBefore(day) => Self::Sent(Sent::Before, *day),
            SearchKey::SentOn(day) => Self::Sent(Sent::On, *day),
            SearchKey::SentSince(day) => Self::Sent(Sent::Since, *day),
            SearchKey::Larger(octets) => Self::Larger(*octets),
            SearchKey::Smaller(octets) => Self::Smaller(*octets),
            SearchKey::ModSeq(mod_seq) => Self::ModSeq(*mod_seq),
            SearchKey::Header { name, text } => Self::Header(name.clone(), asked.needle(text)),
            SearchKey::Body(text) => Self::Body(asked.needle(text)),
            SearchKey::Text(text) => Self::Text(asked.needle(text), asked.collation),
            SearchKey::EmailId(id) => Self::EmailId(id.clone()),
            SearchKey::ThreadId(id) => Self::ThreadId(id.clone()),
            SearchKey::GmailMessageId(id) => Self::GmailMessageId(*id),
            SearchKey::GmailThreadId(id) => Self::GmailThreadId(*id),
            SearchKey::GmailLabel(label) => asked.label(label),
            SearchKey::HasAttachment => Self::HasAttachment,
        }
    }

    /// The deepest that may have to be read.
    pub fn depth(&self) -> Depth {
        match self {
            Self::And(keys) | Self::Or(keys) => {
                keys.iter().map(Self::depth).max().unwrap_or(Depth::View)
            }
            Self::Not(key) => key.depth(),
            Self::Sent(..) | Self::Header(..) | Self::Body(_) | Self::Text(..) => Depth::Content,
            Self::EmailId(_)
            | Self::ThreadId(_)
            | Self::GmailMessageId(_)
            | Self::GmailThreadId(_)
            | Self::HasAttachment => Depth::Document,
            Self::Always(_)
            | Self::Uids(_)
            | Self::Flag(..)
            | Self::Keyword(..)
            | Self::Internal(..)
            | Self::Saved(..)
            | Self::Larger(_)
            | Self::Smaller(_)
            | Self::ModSeq(_) => Depth::View,
        }
    }

    /// How well the message matches, 0 not at all and 100 exactly; `None`: not known yet.
    pub fn score(&self, subject: &Subject<'_>) -> Option<u8> {
        let row = subject.row;
        let matches = match self {
            Self::Always(answer) => *answer,
            Self::And(keys) => return worst(keys.iter().map(|key| key.score(subject))),
            Self::Or(keys) => return best(keys.iter().map(|key| key.score(subject))),
            Self::Not(key) => key.score(subject)? == 0,
            Self::Uids(uids) => uids.contains(row.uid),
            Self::Flag(flag, is_set) => row.flags.has(*flag) == *is_set,
            Self::Keyword(keyword, is_set) => row.flags.has_keyword(keyword) == *is_set,
            Self::Internal(from, before) => (*from..*before).contains(&row.internal_date),
            Self::Saved(from, before) => (*from..*before).contains(&row.saved_date),
            Self::Larger(octets) => row.octets > *octets,
            Self::Smaller(octets) => row.octets < *octets,
            Self::ModSeq(mod_seq) => row.mod_seq >= *mod_seq,
            Self::EmailId(id) => subject.message?.content.to_string() == *id,
            Self::ThreadId(id) => subject.message?.thread.to_string() == *id,
            Self::GmailMessageId(id) => subject.message?.content.number() == *id,
            Self::GmailThreadId(id) => subject.message?.thread.number() == *id,
            Self::HasAttachment => subject.message?.summary.has_attachments,
            Self::Sent(sent, day) => {
                let wanted = i64::from(day.0);
                match (sent, subject.header?.date_day()) {
                    (_, None) => false,
                    (Sent::Before, Some(own)) => own < wanted,
                    (Sent::On, Some(own)) => own == wanted,
                    (Sent::Since, Some(own)) => own >= wanted,
                }
            }
            Self::Header(name, needle) => return Some(subject.header?.score(name, needle)),
            // the empty string is in every text
            Self::Body(needle) | Self::Text(needle, _) if needle.is_empty() => true,
            Self::Body(needle) => return Some(subject.body?.score(needle)),
            Self::Text(needle, collation) => {
                let header = subject.header?.score_anywhere(needle, *collation);
                if header == EXACT {
                    return Some(header);
                }
                return Some(header.max(subject.body?.score_anywhere(needle)));
            }
        };
        Some(if matches { EXACT } else { 0 })
    }
}

/// AND: one that does not match decides, else one unknown leaves it open.
fn worst(scores: impl Iterator<Item = Option<u8>>) -> Option<u8> {
    let mut worst = Some(EXACT);
    for score in scores {
        if score == Some(0) {
            return score;
        }
        worst = worst.zip(score).map(|(a, b)| a.min(b));
    }
    worst
}

/// OR: one that matches exactly decides, else one unknown leaves it open.
fn best(scores: impl Iterator<Item = Option<u8>>) -> Option<u8> {
    let mut best = Some(0);
    for score in scores {
        if score == Some(EXACT) {
            return score;
        }
        best = best.zip(score).map(|(a, b)| a.max(b));
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::flag::FlagSet;

    fn decide(key: &SearchKey, row: &Row) -> Option<bool> {
        let inbox = MailboxName::inbox();
        let asked = Asked {
            now: 100_000,
            collation: Collation::default(),
            mailbox: &inbox,
            special_use: None,
            sets: &|set, _| set.resolve(9),
            fuzzy: false,
            recent: &UidSet::from_range(7, 7),
        };
        let key = Key::new(key, &asked);
        let subject = Subject { row, message: None, header: None, body: None };
        key.score(&subject).map(|score| score > 0)
    }

    #[test]
    fn the_view_decides_what_it_can() {
        let flags = FlagSet::from_names(["\\Seen", "work"]);
        let row =
            Row { uid: 7, mod_seq: 5, flags, internal_date: 90_000, saved_date: 0, octets: 10 };
        let seen = || SearchKey::Flag(Flag::Seen, true);
        let text = || SearchKey::Text("x".into());
        let not = |key| SearchKey::Not(Box::new(key));
        let or = |a, b| SearchKey::Or(vec![a, b]);
        let label = |label: &str| SearchKey::GmailLabel(label.into());
        assert_eq!(decide(&seen(), &row), Some(true));
        assert_eq!(decide(&text(), &row), None);
        assert_eq!(decide(&SearchKey::Text(String::new()), &row), Some(true));
        assert_eq!(decide(&or(seen(), text()), &row), Some(true));
        assert_eq!(decide(&or(not(seen()), text()), &row), None);
        assert_eq!(decide(&SearchKey::And(vec![text(), not(seen())]), &row), Some(false));
        assert_eq!(decide(&not(SearchKey::And(vec![text(), seen()])), &row), None);
        assert_eq!(decide(&SearchKey::Keyword("WORK".into(), true), &row), Some(true));
        assert_eq!(decide(&SearchKey::Younger(10), &row), Some(true));
        assert_eq!(decide(&SearchKey::Older(10), &row), Some(true));
        assert_eq!(decide(&SearchKey::Younger(9), &row), Some(false));
        assert_eq!(decide(&SearchKey::Older(11), &row), Some(false));
        assert_eq!(decide(&SearchKey::On(Day(0)), &row), Some(true));
        assert_eq!(decide(&SearchKey::Before(Day(0)), &row), Some(false));
        assert_eq!(decide(&SearchKey::Larger(10), &row), Some(false));
        assert_eq!(decide(&SearchKey::New, &row), Some(false));
        assert_eq!(decide(&SearchKey::Recent, &row), Some(true));
        assert_eq!(decide(&SearchKey::Old, &row), Some(false));
        assert_eq!(decide(&label("\\Inbox"), &row), Some(true));
        assert_eq!(decide(&label("work"), &row), Some(true));
        assert_eq!(decide(&label("\\Starred"), &row), Some(false));
        assert_eq!(decide(&label("\\Sent"), &row), Some(false));
    }
}
