//! PURE: whether a message is what a SEARCH asks for (RFC 9051 §6.4.4).
//!
//! A key is decided with what is known of a message so far; `None` means that more of it must be
//! read.

use super::search_text::{BodyText, HeaderText, Needle};
use crate::codec::imap::date_time::Day;
use crate::codec::imap::search::SearchKey;
use crate::codec::imap::sequence_set::SequenceSet;
use crate::model::flag::Flag;
use crate::model::message::{Row, TimeMs};
use crate::model::uid::UidSet;

/// A message as far as it is known.
#[derive(Debug)]
pub struct Subject<'a> {
    /// Always.
    pub row: &'a Row,
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
    /// AND; cheap keys come first.
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
    Text(Needle),
}

/// The UIDs of a set, by UID or by sequence number; `None`: beyond the mailbox.
type Sets<'a> = &'a dyn Fn(&SequenceSet, bool) -> Option<UidSet>;

impl Key {
    /// Prepares a key; `None` if it names a sequence number that does not exist.
    pub fn new(key: &SearchKey, now: TimeMs, sets: Sets<'_>) -> Option<Self> {
        let seconds_ago = |seconds: u32| now.saturating_sub(i64::from(seconds) * 1000);
        let next = |day: Day| Day(day.0.saturating_add(1)).start();
        Some(match key {
            SearchKey::All | SearchKey::Old | SearchKey::SaveDateSupported => Self::Always(true),
            // \Recent is never set
            SearchKey::Recent | SearchKey::New => Self::Always(false),
            SearchKey::And(keys) => {
                let keys: Option<Vec<Self>> =
                    keys.iter().map(|key| Self::new(key, now, sets)).collect();
                Self::And(keys?)
            }
            SearchKey::Or(keys) => {
                let keys: Option<Vec<Self>> =
                    keys.iter().map(|key| Self::new(key, now, sets)).collect();
                Self::Or(keys?)
            }
            SearchKey::Not(key) => Self::Not(Box::new(Self::new(key, now, sets)?)),
            SearchKey::Sequence(set) => Self::Uids(sets(set, false)?),
            SearchKey::Uid(set) => Self::Uids(sets(set, true)?),
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
            SearchKey::Header { name, text } => Self::Header(name.clone(), Needle::new(text)),
            SearchKey::Body(text) => Self::Body(Needle::new(text)),
            SearchKey::Text(text) => Self::Text(Needle::new(text)),
            // OBJECTID is not offered yet
            SearchKey::EmailId(_) | SearchKey::ThreadId(_) => Self::Always(false),
        })
    }

    /// Whether the message matches; `None`: not known yet.
    pub fn decide(&self, subject: &Subject<'_>) -> Option<bool> {
        let row = subject.row;
        Some(match self {
            Self::Always(answer) => *answer,
            Self::And(keys) => return all(keys.iter().map(|key| key.decide(subject))),
            Self::Or(keys) => {
                // a or b is not (not a and not b)
                let none = keys.iter().map(|key| key.decide(subject).map(|is| !is));
                return all(none).map(|is| !is);
            }
            Self::Not(key) => return key.decide(subject).map(|is| !is),
            Self::Uids(uids) => uids.contains(row.uid),
            Self::Flag(flag, is_set) => row.flags.has(*flag) == *is_set,
            Self::Keyword(keyword, is_set) => row.flags.has_keyword(keyword) == *is_set,
            Self::Internal(from, before) => (*from..*before).contains(&row.internal_date),
            Self::Saved(from, before) => (*from..*before).contains(&row.saved_date),
            Self::Larger(octets) => row.octets > *octets,
            Self::Smaller(octets) => row.octets < *octets,
            Self::ModSeq(mod_seq) => row.mod_seq >= *mod_seq,
            Self::Sent(sent, day) => {
                let wanted = i64::from(day.0);
                match (sent, subject.header?.date_day()) {
                    (_, None) => false,
                    (Sent::Before, Some(own)) => own < wanted,
                    (Sent::On, Some(own)) => own == wanted,
                    (Sent::Since, Some(own)) => own >= wanted,
                }
            }
            Self::Header(name, needle) => subject.header?.has(name, needle),
            Self::Body(needle) => subject.body?.has(needle),
            Self::Text(needle) => {
                subject.header?.has_anywhere(needle) || subject.body?.has_anywhere(needle)
            }
        })
    }
}

/// AND of three values: one false decides, else one unknown leaves it open.
fn all(answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut is_open = false;
    for answer in answers {
        match answer {
            Some(false) => return Some(false),
            Some(true) => {}
            None => is_open = true,
        }
    }
    if is_open { None } else { Some(true) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::flag::FlagSet;

    fn decide(key: &SearchKey, row: &Row) -> Option<bool> {
        let sets = |set: &SequenceSet, _| Some(set.resolve(9));
        let key = Key::new(key, 100_000, &sets).unwrap();
        key.decide(&Subject { row, header: None, body: None })
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
        assert_eq!(decide(&seen(), &row), Some(true));
        assert_eq!(decide(&text(), &row), None);
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
    }
}
