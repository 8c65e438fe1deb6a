//! PURE: results that are kept up to date (RFC 5267 §4.3).
//!
//! A context remembers which messages it has told. It is given what left the mailbox and what
//! matches now, and says by which steps the client gets from the one to the other.

use super::key::Key;
use super::sort::Ranked;
use crate::codec::collation::Collation;
use crate::codec::imap::search_response::ContextStep;
use crate::codec::imap::sort::Criterion;
use crate::model::uid::{ModSeq, Uid, UidSet};
use std::sync::Arc;

/// Contexts of one session. RFC 5267 §4.3.1 asks for one at least.
const CONTEXTS_MAX: usize = 16;
/// Messages in a sorted context: the key of each is kept.
const RANKED_MAX: usize = 100_000;

/// The messages of a context.
#[derive(Debug)]
pub enum Members {
    /// In the order of the mailbox: of SEARCH.
    Set(UidSet),
    /// Sorted: of SORT.
    Ranked(Vec<Ranked>),
}

/// One result that is kept up to date.
#[derive(Debug)]
pub struct Context {
    /// The tag of its command.
    pub tag: String,
    /// It is told in UIDs.
    pub uid: bool,
    /// What is looked for.
    pub key: Arc<Key>,
    /// How it compares strings.
    pub collation: Collation,
    /// How it is sorted, of SORT.
    pub order: Vec<Criterion>,
    /// What the client has been told.
    pub members: Members,
}

/// The contexts of a selected mailbox.
#[derive(Default, Debug)]
pub struct Contexts {
    /// All of them.
    pub all: Vec<Context>,
    /// Up to which ModSeq they are right.
    pub mod_seq: ModSeq,
}

impl Contexts {
    /// Whether a tag names one.
    pub fn has(&self, tag: &str) -> bool {
        self.all.iter().any(|context| context.tag == tag)
    }

    /// Adds a context; false if there is no room for it.
    pub fn add(&mut self, context: Context) -> bool {
        let fits = match &context.members {
            Members::Set(_) => true,
            Members::Ranked(ranked) => ranked.len() <= RANKED_MAX,
        };
        let has_room = self.all.len() < CONTEXTS_MAX && fits;
        if has_room {
            self.all.push(context);
        }
        has_room
    }

    /// Forgets the contexts of these tags; false, and nothing is forgotten, if there is no such
    /// one.
    pub fn cancel(&mut self, tags: &[String]) -> bool {
        let are_known = tags.iter().all(|tag| self.has(tag));
        if are_known {
            self.all.retain(|context| !tags.contains(&context.tag));
        }
        are_known
    }
}

impl Context {
    /// Removes messages that left the mailbox. `number` turns UIDs into what the client is told.
    pub fn remove(
        &mut self,
        gone: &UidSet,
        number: &dyn Fn(Uid) -> Option<u32>,
    ) -> Vec<ContextStep> {
        match &mut self.members {
            Members::Set(members) => {
                let removed = members.intersection(gone);
                *members = members.difference(&removed);
                steps_of_set(false, &removed, number)
            }
            Members::Ranked(ranked) => remove_ranked(ranked, gone, number),
        }
    }

    /// Takes over that, of the messages in `changed`, just those in `now` match.
    pub fn update(
        &mut self,
        changed: &UidSet,
        now: Vec<Ranked>,
        number: &dyn Fn(Uid) -> Option<u32>,
    ) -> Vec<ContextStep> {
        let matching: UidSet = now.iter().map(|(_, uid)| *uid).collect();
        let mut steps = self.remove(&changed.difference(&matching), number);
        match &mut self.members {
            Members::Set(members) => {
                let added = matching.difference(members);
                *members = members.union(&added);
                steps.extend(steps_of_set(true, &added, number));
            }
            Members::Ranked(ranked) => steps.extend(add_ranked(ranked, now, number)),
        }
        steps
    }
}

/// RFC 5267 §4.3.3: place 0, in the order of the mailbox.
fn steps_of_set(
    adds: bool,
    uids: &UidSet,
    number: &dyn Fn(Uid) -> Option<u32>,
) -> Vec<ContextStep> {
    let numbers: UidSet = uids.iter().filter_map(number).collect();
    if numbers.is_empty() {
        return Vec::new();
    }
    vec![ContextStep { adds, place: 0, runs: numbers.ranges().to_vec() }]
}

/// Removes from the end, so that the places before stay what they are.
fn remove_ranked(
    ranked: &mut Vec<Ranked>,
    gone: &UidSet,
    number: &dyn Fn(Uid) -> Option<u32>,
) -> Vec<ContextStep> {
    let mut steps = Vec::new();
    for (at, (_, uid)) in
        ranked.iter().enumerate().rev().filter(|(_, (_, uid))| gone.contains(*uid))
    {
        let place = u32::try_from(at + 1).unwrap_or(u32::MAX);
        if let Some(number) = number(*uid) {
            steps.push(ContextStep { adds: false, place, runs: vec![(number, number)] });
        }
    }
    ranked.retain(|(_, uid)| !gone.contains(*uid));
    steps
}

/// Adds from the start: each message at the place where it stays.
fn add_ranked(
    ranked: &mut Vec<Ranked>,
    mut now: Vec<Ranked>,
    number: &dyn Fn(Uid) -> Option<u32>,
) -> Vec<ContextStep> {
    now.sort_unstable();
    now.retain(|each| ranked.binary_search(each).is_err());
    let mut steps: Vec<ContextStep> = Vec::new();
    let mut next = 0;
    for each in now {
        let Err(at) = ranked.binary_search(&each) else { continue };
        let told = number(each.1);
        ranked.insert(at, each);
        let Some(told) = told else { continue };
        let place = u32::try_from(at + 1).unwrap_or(u32::MAX);
        match steps.last_mut().and_then(|step| step.runs.last_mut()) {
            // RFC 5267 §4.3.3: a run is the preferred representation
            Some(run) if next == at && run.1.checked_add(1) == Some(told) => run.1 = told,
            _ => steps.push(ContextStep { adds: true, place, runs: vec![(told, told)] }),
        }
        next = at + 1;
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    fn context(members: Members) -> Context {
        Context {
            tag: "A".into(),
            uid: true,
            key: Arc::new(Key::Always(true)),
            collation: Collation::default(),
            order: Vec::new(),
            members,
        }
    }

    /// What RFC 5267 tells a client to do with its list.
    fn apply(list: &mut Vec<u32>, steps: &[ContextStep]) {
        for step in steps {
            let numbers: Vec<u32> = step.runs.iter().flat_map(|run| run.0..=run.1).collect();
            match (step.adds, step.place) {
                (true, 0) => {
                    list.extend(numbers);
                    list.sort_unstable();
                }
                (false, 0) => list.retain(|number| !numbers.contains(number)),
                (true, place) => {
                    let at = place as usize - 1;
                    list.splice(at..at, numbers);
                }
                (false, place) => {
                    let at = place as usize - 1;
                    assert_eq!(list[at..at + numbers.len()], numbers);
                    list.drain(at..at + numbers.len());
                }
            }
        }
    }

    #[test]
    fn a_client_that_applies_the_steps_has_the_result() {
        let seed: u64 = rand::random();
        eprintln!("seed {seed}");
        let mut random = StdRng::seed_from_u64(seed);
        let key = |uid: u32| -> Ranked { (Box::new([u8::try_from(uid * 7 % 5).unwrap()]), uid) };
        for sorted in [false, true] {
            for _ in 0..300 {
                let members =
                    if sorted { Members::Ranked(Vec::new()) } else { Members::Set(UidSet::new()) };
                let mut context = context(members);
                let (mut list, mut truth) = (Vec::new(), UidSet::new());
                for _ in 0..20 {
                    let mut some =
                        || -> UidSet { (1..=20u32).filter(|_| random.random_bool(0.3)).collect() };
                    let gone = some();
                    truth = truth.difference(&gone);
                    apply(&mut list, &context.remove(&gone, &Some));
                    let (changed, matching) = (some(), some());
                    let matching = matching.intersection(&changed);
                    truth = truth.difference(&changed).union(&matching);
                    let now = matching.iter().map(key).collect();
                    apply(&mut list, &context.update(&changed, now, &Some));
                    let mut expected: Vec<Ranked> = truth.iter().map(key).collect();
                    if sorted {
                        expected.sort_unstable();
                    }
                    let expected: Vec<u32> = expected.iter().map(|(_, uid)| *uid).collect();
                    assert_eq!(list, expected);
                }
            }
        }
    }

    #[test]
    fn runs_are_one_step() {
        let mut context = context(Members::Ranked(vec![(Box::new([5]), 9)]));
        let now = [3, 4, 5].map(|uid| -> Ranked { (Box::new([1]), uid) }).to_vec();
        let steps = context.update(&UidSet::from_range(3, 5), now, &Some);
        assert_eq!(steps, [ContextStep { adds: true, place: 1, runs: vec![(3, 5)] }]);
        let mut contexts = Contexts::default();
        assert!(contexts.add(context) && !contexts.cancel(&["B".into()]) && contexts.has("A"));
        assert!(contexts.cancel(&["A".into()]) && !contexts.has("A"));
    }
}
