//! Threads of RFC 5256, and random mailboxes against a naive model.

use super::*;
use crate::codec::imap::response::Writer;
use crate::codec::imap::thread::ThreadsWritten;
use crate::codec::mime::sort_subject::base_subject;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;

/// number, sent, subject, Message-ID, references
type Mail = (u32, i64, String, String, Vec<String>);

fn mail(number: u32, sent: i64, subject: &str, id: &str, references: &str) -> Mail {
    let references = references.split_whitespace().map(str::to_owned).collect();
    (number, sent, subject.to_owned(), id.to_owned(), references)
}

fn threads(mails: &[Mail], algorithm: Algorithm) -> Vec<Place> {
    let mut threader = Threader::default();
    for (number, sent, subject, id, references) in mails {
        let base = base_subject(subject);
        let member = Member {
            number: *number,
            sent: *sent,
            internal_date: *sent,
            subject: &base.text,
            is_reply: base.is_reply,
            message_id: id,
            references,
        };
        threader.add(&member, algorithm);
    }
    threader.finish(algorithm)
}

fn written(mails: &[Mail], algorithm: Algorithm) -> String {
    let (mut out, mut state) = (Vec::new(), ThreadsWritten::default());
    let mut writer = Writer::new(&mut out, false);
    for place in threads(mails, algorithm) {
        writer.thread_place(&mut state, place);
    }
    writer.end_thread(&mut state);
    String::from_utf8(out).unwrap().trim().to_owned()
}

#[test]
fn subjects_in_order() {
    let mails = [
        mail(1, 50, "b", "", ""),
        mail(2, 10, "Re: a", "", ""),
        mail(3, 40, "a", "", ""),
        mail(4, 60, "Re: b", "", ""),
        mail(5, 20, "fwd: a", "", ""),
    ];
    assert_eq!(written(&mails, Algorithm::OrderedSubject), "(2 (5)(3))(1 4)");
}

#[test]
fn references_and_missing_messages() {
    let both = [
        mail(1, 1, "x", "<1@a>", "<0@a>"),
        mail(2, 2, "y", "<2@a>", "<0@a>"),
        mail(3, 3, "z", "<3@a>", "<0@a> <1@a>"),
    ];
    // a message that is not there holds two threads together
    assert_eq!(written(&both, Algorithm::References), "((1 3)(2))");
    assert_eq!(written(&both, Algorithm::Refs), "((1 3)(2))");
    // but not one alone, and inside a thread it leaves
    let alone = [mail(1, 1, "x", "<1@a>", "<0@a>"), mail(2, 2, "y", "<2@a>", "<0@a> <1@a> <9@a>")];
    assert_eq!(written(&alone, Algorithm::References), "(1 2)");
}

#[test]
fn loops_and_doubles_are_no_loops() {
    let mails = [
        mail(1, 1, "a", "<1@a>", "<2@a>"),
        mail(2, 2, "b", "<2@a>", "<1@a>"),
        mail(3, 3, "c", "<3@a>", "<3@a>"),
        mail(4, 4, "d", "<1@a>", ""),
        mail(5, 5, "e", "", "<1@a> <2@a> <1@a>"),
        mail(6, 6, "f", "<\"3\"@a>", "<\"2\"@a>"),
    ];
    let all = written(&mails, Algorithm::References);
    assert_eq!(all, "(2 (1 5)(6))(3)(4)");
}

#[test]
fn threads_of_one_subject_are_joined() {
    let reply = [mail(1, 1, "a", "<1@a>", ""), mail(2, 2, "Re: a", "<2@a>", "")];
    assert_eq!(written(&reply, Algorithm::References), "(1 2)");
    assert_eq!(written(&reply, Algorithm::Refs), "(1)(2)");
    let equal = [mail(1, 2, "a", "<1@a>", ""), mail(2, 1, "a", "<2@a>", "")];
    assert_eq!(written(&equal, Algorithm::References), "((2)(1))");
    let empty = [mail(1, 1, "", "<1@a>", ""), mail(2, 2, "Re:", "<2@a>", "")];
    assert_eq!(written(&empty, Algorithm::References), "(1)(2)");
    let dummies = [
        mail(1, 1, "a", "<1@a>", "<x@a>"),
        mail(2, 2, "b", "<2@a>", "<x@a>"),
        mail(3, 3, "a", "<3@a>", "<y@a>"),
        mail(4, 4, "c", "<4@a>", "<y@a>"),
        mail(5, 5, "a", "<5@a>", ""),
    ];
    assert_eq!(written(&dummies, Algorithm::References), "((1)(2)(3)(4)(5))");
    // the original comes after the reply
    let late = [mail(1, 1, "Re: a", "<1@a>", ""), mail(2, 2, "a", "<2@a>", "")];
    assert_eq!(written(&late, Algorithm::References), "(2 1)");
}

#[test]
fn refs_puts_the_newest_thread_last() {
    let mails = [
        mail(1, 1, "a", "<1@a>", ""),
        mail(2, 2, "b", "<2@a>", ""),
        mail(3, 3, "Re: a", "<3@a>", "<1@a>"),
    ];
    assert_eq!(written(&mails, Algorithm::Refs), "(2)(1 3)");
    assert_eq!(written(&mails, Algorithm::References), "(1 3)(2)");
}

#[test]
fn a_chain_as_long_as_the_mailbox() {
    let id = |number: u32| format!("<{number}@a>");
    let mails: Vec<Mail> = (1..=30_000)
        .map(|number| mail(number, i64::from(number), "x", &id(number), &id(number - 1)))
        .collect();
    for algorithm in [Algorithm::References, Algorithm::Refs] {
        let places = threads(&mails, algorithm);
        assert_eq!(places.last().unwrap().depth, 29_999);
    }
}

/// RFC 5256's REFERENCES as it is written there, with maps of names and without any thought of
/// speed: the parent of each message, `None` at the root; dummies have negative numbers.
mod naive {
    use super::*;

    type Node = i64;

    pub struct Naive {
        pub parents: BTreeMap<Node, Option<Node>>,
    }

    pub fn links(mails: &[Mail]) -> Naive {
        let mut parents: BTreeMap<String, Option<String>> = BTreeMap::new();
        let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
        let is_above = |parents: &BTreeMap<String, Option<String>>, above: &str, at: &str| {
            let mut at = Some(at.to_owned());
            while let Some(name) = at {
                if name == above {
                    return true;
                }
                at = parents.get(&name).cloned().flatten();
            }
            false
        };
        for (number, _, _, id, references) in mails {
            let own = match id.is_empty() || numbers.contains_key(id) {
                true => format!("own {number}"),
                false => id.clone(),
            };
            parents.entry(own.clone()).or_default();
            numbers.insert(own.clone(), *number);
            for reference in references {
                parents.entry(reference.clone()).or_default();
            }
            for pair in references.windows(2) {
                if parents[&pair[1]].is_none() && !is_above(&parents, &pair[1], &pair[0]) {
                    parents.insert(pair[1].clone(), Some(pair[0].clone()));
                }
            }
            parents.insert(own.clone(), None);
            if let Some(last) = references.last()
                && !is_above(&parents, &own, last)
            {
                parents.insert(own, Some(last.clone()));
            }
        }
        prune(&parents, &numbers)
    }

    fn prune(parents: &BTreeMap<String, Option<String>>, numbers: &BTreeMap<String, u32>) -> Naive {
        let mut tree: BTreeMap<Node, Option<Node>> = BTreeMap::new();
        let names: Vec<&String> = parents.keys().collect();
        let node = |name: &String| match numbers.get(name) {
            Some(number) => i64::from(*number),
            None => {
                -1 - i64::try_from(names.iter().position(|each| *each == name).unwrap()).unwrap()
            }
        };
        for (name, parent) in parents {
            tree.insert(node(name), parent.as_ref().map(&node));
        }
        loop {
            let dummy = tree.keys().copied().find(|dummy| {
                let below = tree.values().filter(|parent| **parent == Some(*dummy)).count();
                *dummy < 0 && (below < 2 || tree[dummy].is_some())
            });
            let Some(dummy) = dummy else { return Naive { parents: tree } };
            let above = tree.remove(&dummy).unwrap();
            for parent in tree.values_mut().filter(|parent| **parent == Some(dummy)) {
                *parent = above;
            }
        }
    }
}

#[test]
fn random_references_equal_the_naive_model() {
    let seed: u64 = rand::random();
    eprintln!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..3000 {
        let count = random.random_range(1..12u32);
        let id = |random: &mut StdRng| format!("<{}@a>", random.random_range(0..14));
        let mails: Vec<Mail> = (1..=count)
            .map(|number| {
                let references = (0..random.random_range(0..5)).map(|_| id(&mut random)).collect();
                let own = if random.random_bool(0.1) { String::new() } else { id(&mut random) };
                (number, random.random_range(0..6), format!("s{number}"), own, references)
            })
            .collect();
        let places = threads(&mails, Algorithm::Refs);
        // parents of the places, dummies by the set of what is below them
        let mut stack: Vec<u32> = Vec::new();
        let mut found: BTreeMap<u32, Option<u32>> = BTreeMap::new();
        let mut groups: Vec<Vec<u32>> = Vec::new();
        for place in &places {
            stack.truncate(place.depth as usize);
            if place.number == 0 {
                groups.push(Vec::new());
            } else {
                let parent = stack.last().copied();
                if parent == Some(0) {
                    groups.last_mut().unwrap().push(place.number);
                }
                found.insert(place.number, parent.filter(|parent| *parent > 0));
            }
            stack.push(place.number);
        }
        let model = naive::links(&mails).parents;
        let mut model_groups: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
        let mut expected: BTreeMap<u32, Option<u32>> = BTreeMap::new();
        for (node, parent) in &model {
            let Ok(number) = u32::try_from(*node) else { continue };
            if let Some(dummy) = parent.filter(|parent| *parent < 0) {
                model_groups.entry(dummy).or_default().push(number);
            }
            expected.insert(number, parent.and_then(|parent| u32::try_from(parent).ok()));
        }
        assert_eq!(found, expected, "{mails:?}");
        let mut model_groups: Vec<Vec<u32>> = model_groups.into_values().collect();
        groups.iter_mut().for_each(|group| group.sort_unstable());
        groups.sort_unstable();
        model_groups.sort_unstable();
        assert_eq!(groups, model_groups, "{mails:?}");
    }
}

#[test]
fn random_threads_hold_every_message_once() {
    let seed: u64 = rand::random();
    eprintln!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let subjects = ["a", "Re: a", "b", "Fwd: b", "", "[x] c (fwd)", "c"];
    for round in 0..3000 {
        let mails: Vec<Mail> = (1..=random.random_range(1..30u32))
            .map(|number| {
                let mut id = || format!("<{}@a>", random.random_range(0..40));
                let references = (0..number % 4).map(|_| id()).collect();
                let own = id();
                let subject = subjects[random.random_range(0..subjects.len())].to_owned();
                (number, random.random_range(0..9), subject, own, references)
            })
            .collect();
        let algorithm = [Algorithm::OrderedSubject, Algorithm::References, Algorithm::Refs];
        let algorithm = algorithm[round % 3];
        let places = threads(&mails, algorithm);
        let mut numbers: Vec<u32> =
            places.iter().map(|place| place.number).filter(|number| *number > 0).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=count_of(&mails)).collect::<Vec<_>>(), "{mails:?}");
        for place in places.iter().filter(|place| place.number == 0) {
            assert!(place.depth == 0 && place.children > 1, "{mails:?}");
        }
    }
}
