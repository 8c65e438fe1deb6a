//! The answers of SEARCH, SORT and ESEARCH: `* SEARCH`, `* SORT`, `* ESEARCH` (RFC 3501 §7.2.5,
//! RFC 9051 §7.3.4, RFC 5256 §4, RFC 5267, RFC 6203 §4, RFC 7377 §2.1, RFC 9394).

use super::response::Writer;
use super::search_return::SearchReturn;
use crate::model::uid::{ModSeq, UidSet, UidValidity};

/// Messages that were found, by number.
#[derive(Clone, Copy, Debug)]
pub enum Found<'a> {
    /// In the order of the mailbox.
    Set(&'a UidSet),
    /// In the order of a SORT.
    List(&'a [u32]),
}

impl Found<'_> {
    /// How many.
    pub fn count(&self) -> usize {
        match self {
            Self::Set(set) => usize::try_from(set.len()).unwrap_or(usize::MAX),
            Self::List(list) => list.len(),
        }
    }

    /// The first in this order.
    pub fn first(&self) -> Option<u32> {
        match self {
            Self::Set(set) => set.first(),
            Self::List(list) => list.first().copied(),
        }
    }

    /// The last in this order.
    pub fn last(&self) -> Option<u32> {
        match self {
            Self::Set(set) => set.last(),
            Self::List(list) => list.last().copied(),
        }
    }

    /// Runs of ascending numbers between two places counted from 0, for a `sequence-set`.
    pub fn runs(&self, places: std::ops::Range<usize>) -> Vec<(u32, u32)> {
        match self {
            Self::Set(set) => runs_of_set(set, &places),
            Self::List(list) => {
                let mut runs: Vec<(u32, u32)> = Vec::new();
                for number in list.get(places).unwrap_or_default() {
                    match runs.last_mut() {
                        Some(run) if run.1.checked_add(1) == Some(*number) => run.1 = *number,
                        _ => runs.push((*number, *number)),
                    }
                }
                runs
            }
        }
    }
}

fn runs_of_set(set: &UidSet, places: &std::ops::Range<usize>) -> Vec<(u32, u32)> {
    let (from, to) = (places.start as u64, places.end as u64);
    let mut before = 0u64;
    let mut runs = Vec::new();
    for &(first, last) in set.ranges() {
        let count = u64::from(last - first) + 1;
        let (low, high) = (from.max(before), to.min(before + count));
        if low < high {
            let at = |place: u64| u32::try_from(u64::from(first) + place - before).unwrap_or(last);
            runs.push((at(low), at(high - 1)));
        }
        before += count;
    }
    runs
}

/// What ESEARCH tells.
#[derive(Clone, Copy, Debug)]
pub struct Esearch<'a> {
    /// The tag of the command.
    pub tag: &'a str,
    /// The mailbox, when it is not the selected one of a SEARCH (RFC 7377 §2.1).
    pub mailbox: Option<(&'a str, UidValidity)>,
    /// The numbers are UIDs.
    pub uid: bool,
    /// What was asked for.
    pub returns: SearchReturn,
    /// All that were found.
    pub found: Found<'a>,
    /// How well each of them matches, 1 to 100, in the same order; may be empty.
    pub relevancy: &'a [u8],
    /// The highest ModSeq among them, if MODSEQ was searched for.
    pub mod_seq: Option<ModSeq>,
}

/// A step of an updated context (RFC 5267 §4.3): messages added or removed at a place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContextStep {
    /// ADDTO, else REMOVEFROM.
    pub adds: bool,
    /// Place from 1; 0: anywhere.
    pub place: u32,
    /// Runs of ascending numbers.
    pub runs: Vec<(u32, u32)>,
}

impl Writer<'_> {
    /// `sequence-set` of runs in their order.
    pub fn runs(&mut self, runs: &[(u32, u32)]) -> &mut Self {
        for (index, (first, last)) in runs.iter().enumerate() {
            self.raw(if index > 0 { b"," } else { b"" }).number(u64::from(*first));
            if first != last {
                self.raw(b":").number(u64::from(*last));
            }
        }
        self
    }

    /// `* SEARCH n n … (MODSEQ n)` (RFC 3501 §7.2.5, RFC 7162 §3.1.5), `* SORT` alike
    pub fn search(&mut self, found: Found<'_>, mod_seq: Option<ModSeq>) -> &mut Self {
        match found {
            Found::Set(set) => {
                self.raw(b"* SEARCH");
                set.iter().for_each(|number| {
                    self.raw(b" ").number(u64::from(number));
                });
            }
            Found::List(list) => {
                self.raw(b"* SORT");
                for number in list {
                    self.raw(b" ").number(u64::from(*number));
                }
            }
        }
        if let Some(mod_seq) = mod_seq
            && found.count() > 0
        {
            self.raw(b" (MODSEQ ").number(mod_seq).raw(b")");
        }
        self.end_line()
    }

    /// `* ESEARCH (TAG "…") UID MIN n …` (RFC 9051 §7.3.4)
    pub fn esearch(&mut self, answer: &Esearch<'_>) -> &mut Self {
        self.begin_esearch(answer.tag, answer.mailbox, answer.uid);
        let (returns, found, count) = (answer.returns, answer.found, answer.found.count());
        // RFC 4731 §3.1: nothing found, no MIN, MAX and ALL
        if let (Some(first), Some(last)) = (found.first(), found.last()) {
            if returns.min {
                self.raw(b" MIN ").number(u64::from(first));
            }
            if returns.max {
                self.raw(b" MAX ").number(u64::from(last));
            }
            if returns.all {
                self.raw(b" ALL ").runs(&found.runs(0..count));
            }
        }
        if returns.count {
            self.raw(b" COUNT ").number(count as u64);
        }
        let window = returns.partial.map_or(0..count, |partial| partial.of(count));
        if let Some(partial) = returns.partial {
            let sign: &[u8] = if partial.from_end { b"-" } else { b"" };
            self.raw(b" PARTIAL (").raw(sign).number(u64::from(partial.from));
            self.raw(b":").raw(sign).number(u64::from(partial.to)).raw(b" ");
            // RFC 9394 §3.1: NIL if the window lies beyond the result
            match found.runs(window.clone()) {
                runs if runs.is_empty() => self.raw(b"NIL"),
                runs => self.runs(&runs),
            };
            self.raw(b")");
        }
        if returns.relevancy {
            // one score for each number told
            let scores = answer.relevancy.get(window).unwrap_or_default();
            self.raw(b" RELEVANCY (");
            for (index, score) in scores.iter().enumerate() {
                self.raw(if index > 0 { b" " } else { b"" }).number(u64::from(*score));
            }
            self.raw(b")");
        }
        if let Some(mod_seq) = answer.mod_seq
            && count > 0
        {
            self.raw(b" MODSEQ ").number(mod_seq);
        }
        self.end_line()
    }

    fn begin_esearch(
        &mut self,
        tag: &str,
        mailbox: Option<(&str, UidValidity)>,
        uid: bool,
    ) -> &mut Self {
        self.raw(b"* ESEARCH (TAG ").string(tag.as_bytes());
        if let Some((name, uid_validity)) = mailbox {
            self.raw(b" MAILBOX ").mailbox(name);
            self.raw(b" UIDVALIDITY ").number(u64::from(uid_validity));
        }
        self.raw(b")").raw(if uid { b" UID" } else { b"" })
    }

    /// `* ESEARCH (TAG "…") UID REMOVEFROM (0 n) ADDTO (0 n)` (RFC 5267 §4.3.3, §4.3.4), in the
    /// order of the steps.
    pub fn context(&mut self, tag: &str, uid: bool, steps: &[ContextStep]) -> &mut Self {
        self.begin_esearch(tag, None, uid);
        let mut open = None;
        for step in steps {
            if open == Some(step.adds) {
                self.raw(b" ");
            } else {
                self.raw(if open.is_some() { b")" } else { b"" });
                self.raw(if step.adds { b" ADDTO (" } else { b" REMOVEFROM (" });
            }
            open = Some(step.adds);
            self.number(u64::from(step.place)).raw(b" ").runs(&step.runs);
        }
        self.raw(b")").end_line()
    }
}

#[cfg(test)]
mod tests {
    use super::super::search_return::Partial;
    use super::*;

    fn esearch(found: Found<'_>, returns: SearchReturn, relevancy: &[u8]) -> String {
        let mut out = Vec::new();
        let mailbox = None;
        let answer =
            Esearch { tag: "A", mailbox, uid: true, returns, found, relevancy, mod_seq: None };
        Writer::new(&mut out, false).esearch(&answer);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn sorted_results_keep_their_order() {
        // RFC 5267 §3.3: descending runs are written out
        let list = [23765, 23764, 23763, 23761, 23, 24, 25];
        let found = Found::List(&list);
        assert_eq!(
            esearch(found, SearchReturn::ALL, &[]),
            "* ESEARCH (TAG \"A\") UID ALL 23765,23764,23763,23761,23:25\r\n"
        );
        let ends = SearchReturn { min: true, max: true, count: true, ..SearchReturn::default() };
        assert_eq!(
            esearch(found, ends, &[]),
            "* ESEARCH (TAG \"A\") UID MIN 23765 MAX 25 COUNT 7\r\n"
        );
    }

    #[test]
    fn windows_and_scores() {
        let set = UidSet::from_ranges(vec![(1, 3), (7, 7), (9, 12)]);
        let window = |from, to, from_end| {
            let partial = Some(Partial { from, to, from_end });
            SearchReturn { partial, relevancy: true, ..SearchReturn::default() }
        };
        let scores = [1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(
            esearch(Found::Set(&set), window(3, 6, false), &scores),
            "* ESEARCH (TAG \"A\") UID PARTIAL (3:6 3,7,9:10) RELEVANCY (3 4 5 6)\r\n"
        );
        assert_eq!(
            esearch(Found::Set(&set), window(1, 2, true), &scores),
            "* ESEARCH (TAG \"A\") UID PARTIAL (-1:-2 11:12) RELEVANCY (7 8)\r\n"
        );
        assert_eq!(
            esearch(Found::Set(&set), window(9, 10, false), &scores),
            "* ESEARCH (TAG \"A\") UID PARTIAL (9:10 NIL) RELEVANCY ()\r\n"
        );
    }

    #[test]
    fn contexts_of_rfc_5267() {
        let step =
            |adds, place, runs: &[(u32, u32)]| ContextStep { adds, place, runs: runs.into() };
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out, false);
        writer.context("B01", true, &[step(true, 0, &[(32768, 32769)])]);
        writer.context(
            "C01",
            true,
            &[step(true, 1, &[(2733, 2733)]), step(true, 1, &[(2732, 2732)])],
        );
        writer.context("C01", false, &[step(false, 3, &[(7, 7)]), step(true, 1, &[(7, 7)])]);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "* ESEARCH (TAG \"B01\") UID ADDTO (0 32768:32769)\r\n\
             * ESEARCH (TAG \"C01\") UID ADDTO (1 2733 1 2732)\r\n\
             * ESEARCH (TAG \"C01\") REMOVEFROM (3 7) ADDTO (1 7)\r\n"
        );
    }
}
