//! The order of SORT (RFC 5256 §3, RFC 5957, RFC 6203 §6).
//!
//! Of each message one key is kept that compares octet by octet as the criteria say, so the
//! mailbox is read in one stream and sorted once. Equal messages stay in the order of the mailbox.

use super::scan::{Matches, Scan};
use crate::codec::collation::Collation;
use crate::codec::imap::sort::{Criterion, SortKey};
use crate::codec::mime::envelope_read::{self, EnvelopeFields};
use crate::codec::mime::sort_subject::base_subject;
use crate::imap::uid_chunks::chunks;
use crate::mailstore::fetch::Fields;
use crate::mailstore::view::View;
use crate::model::error::Result;
use crate::model::message::Row;
use crate::model::uid::{Uid, UidSet};

/// Octets of a text that are compared; longer ones differ before.
const TEXT_OCTETS_MAX: usize = 256;

/// Where a message stands: its key, then its place in the mailbox.
pub type Ranked = (Box<[u8]>, Uid);

/// What a criterion may ask of a message.
struct Sortable<'a> {
    row: &'a Row,
    envelope: &'a EnvelopeFields,
    score: u8,
}

/// The messages that were found in the order asked for.
///
/// # Errors
/// `Unavailable`, `Internal`.
pub async fn sorted(
    scan: &Scan,
    view: &View,
    matches: &Matches,
    order: &[Criterion],
) -> Result<Vec<Ranked>> {
    let mut ranked = rank(scan, view, matches, order).await?;
    ranked.sort_unstable();
    Ok(ranked)
}

/// The keys of the messages that were found, not sorted yet.
///
/// # Errors
/// `Unavailable`, `Internal`.
pub async fn rank(
    scan: &Scan,
    view: &View,
    matches: &Matches,
    order: &[Criterion],
) -> Result<Vec<Ranked>> {
    let key_of = |row: &Row, envelope: &EnvelopeFields| {
        let sortable = Sortable { row, envelope, score: matches.score(row.uid) };
        key(&sortable, order, scan.collation)
    };
    let mut ranked = Vec::new();
    if order.iter().all(|criterion| is_in_view(criterion.key)) {
        let envelope = EnvelopeFields::default();
        for chunk in chunks(&matches.uids, 4096) {
            view.for_each(&chunk, &mut |row| ranked.push((key_of(row, &envelope), row.uid)));
            tokio::task::yield_now().await;
        }
        return Ok(ranked);
    }
    let fields = Fields { envelope: true, ..Fields::default() };
    let (owner, mailbox) = (scan.owner, scan.mailbox);
    let mut messages = scan.mailstore.fetch(owner, mailbox, &matches.uids, fields).await?;
    loop {
        let batch = messages.next_batch().await?;
        if batch.is_empty() {
            return Ok(ranked);
        }
        for message in batch {
            let envelope = envelope_read::read(&message.envelope);
            ranked.push((key_of(&message.row, &envelope), message.row.uid));
        }
        tokio::task::yield_now().await;
    }
}

const fn is_in_view(key: SortKey) -> bool {
    matches!(key, SortKey::Arrival | SortKey::Size | SortKey::Relevancy)
}

/// One key for all criteria. Each part ends before the next begins: numbers have one width, texts
/// end with NUL, which they do not hold.
fn key(message: &Sortable<'_>, order: &[Criterion], collation: Collation) -> Box<[u8]> {
    let mut key = Vec::new();
    for criterion in order {
        let start = key.len();
        match criterion.key {
            SortKey::Arrival => push_time(&mut key, message.row.internal_date),
            SortKey::Size => key.extend(message.row.octets.to_be_bytes()),
            // RFC 5256 §3: without a sent date it is INTERNALDATE
            SortKey::Date => {
                let sent = message.envelope.date_ms.unwrap_or(message.row.internal_date);
                push_time(&mut key, sent);
            }
            SortKey::Subject => {
                let base = base_subject(&message.envelope.subject).text;
                push_text(&mut key, &collation.key(&base));
            }
            SortKey::From => push_text(&mut key, &collation.key(&message.envelope.from.mailbox)),
            SortKey::To => push_text(&mut key, &collation.key(&message.envelope.to.mailbox)),
            SortKey::Cc => push_text(&mut key, &collation.key(&message.envelope.cc.mailbox)),
            SortKey::DisplayFrom => {
                push_text(&mut key, &collation.key(&message.envelope.from.display));
            }
            SortKey::DisplayTo => {
                push_text(&mut key, &collation.key(&message.envelope.to.display));
            }
            // RFC 6203 §6: the highest score first
            SortKey::Relevancy => key.push(u8::MAX - message.score),
        }
        if criterion.reverse {
            key.iter_mut().skip(start).for_each(|octet| *octet = !*octet);
        }
    }
    key.into_boxed_slice()
}

/// A number with a sign, so that its octets compare as it does.
fn push_time(key: &mut Vec<u8>, time: i64) {
    key.extend((time ^ i64::MIN).to_be_bytes());
}

fn push_text(key: &mut Vec<u8>, text: &str) {
    key.extend(text.bytes().filter(|octet| *octet != 0).take(TEXT_OCTETS_MAX));
    key.push(0);
}

/// The UIDs in their order.
pub fn uids(ranked: &[Ranked]) -> Vec<Uid> {
    ranked.iter().map(|(_, uid)| *uid).collect()
}

/// The numbers of UIDs in any order, by a table of both in ascending order.
pub fn numbers_of(
    uids: &[Uid],
    known: &UidSet,
    selected: &crate::imap::selected::Selected,
) -> Vec<u32> {
    let mut numbers = selected.numbers();
    let table: Vec<(Uid, u32)> =
        known.iter().filter_map(|uid| Some((uid, numbers.of(uid)?))).collect();
    let number = |uid: &Uid| {
        let at = table.binary_search_by_key(uid, |(uid, _)| *uid).ok()?;
        table.get(at).map(|(_, number)| *number)
    };
    uids.iter().filter_map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::mime::envelope_read::FirstAddress;
    use crate::model::flag::FlagSet;

    fn ranked(mails: &[(&str, i64, u64)], order: &[(SortKey, bool)]) -> Vec<usize> {
        let order: Vec<Criterion> =
            order.iter().map(|(key, reverse)| Criterion { key: *key, reverse: *reverse }).collect();
        let mut keys: Vec<(Box<[u8]>, usize)> = mails
            .iter()
            .enumerate()
            .map(|(at, (subject, date, octets))| {
                let row = Row {
                    uid: 1,
                    mod_seq: 1,
                    flags: FlagSet::default(),
                    internal_date: *date,
                    saved_date: 0,
                    octets: *octets,
                };
                let from = FirstAddress { mailbox: (*subject).to_owned(), display: String::new() };
                let envelope =
                    EnvelopeFields { subject: (*subject).to_owned(), from, ..Default::default() };
                let sortable = Sortable { row: &row, envelope: &envelope, score: 50 };
                (key(&sortable, &order, Collation::default()), at)
            })
            .collect();
        keys.sort_unstable();
        keys.into_iter().map(|(_, at)| at).collect()
    }

    #[test]
    fn keys_compare_as_the_criteria_say() {
        let mails = [("b", 5, 1), ("Re: B", -7, 1), ("a", 5, 9), ("ab", 0, 2), ("", 1, 1)];
        assert_eq!(ranked(&mails, &[(SortKey::Date, false)]), [1, 3, 4, 0, 2]);
        assert_eq!(ranked(&mails, &[(SortKey::Date, true)]), [0, 2, 4, 3, 1]);
        assert_eq!(ranked(&mails, &[(SortKey::Subject, false)]), [4, 2, 3, 0, 1]);
        assert_eq!(ranked(&mails, &[(SortKey::Subject, true)]), [0, 1, 3, 2, 4]);
        let both = [(SortKey::Size, true), (SortKey::Subject, false), (SortKey::Arrival, false)];
        assert_eq!(ranked(&mails, &both), [2, 3, 4, 1, 0]);
        assert_eq!(ranked(&mails, &[(SortKey::From, false)]), [4, 2, 3, 0, 1]);
        assert_eq!(ranked(&mails, &[(SortKey::Relevancy, false)]), [0, 1, 2, 3, 4]);
    }
}
