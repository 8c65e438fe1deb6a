//! PURE: messages to threads (RFC 5256 §3, draft-ietf-morg-inthread).
//!
//! Messages are added in the order of the mailbox, and the references between them are linked as
//! they come (RFC 5256 §3, REFERENCES step 1), so that of each only a few numbers are kept. All
//! walks are loops: a thread may be as deep as the mailbox is large.

use crate::codec::imap::thread::{Algorithm, Place};
use std::collections::HashMap;

/// No container, no message, no parent.
const NONE: u32 = u32::MAX;
/// References of one message that are linked: the first and the last ones.
const REFERENCES_MAX: usize = 16;
/// Ancestors that are looked at for a loop; a link deeper inside old links is left out.
const ANCESTORS_MAX: usize = 10_000;

/// A message to be threaded.
#[derive(Clone, Debug)]
pub struct Member<'a> {
    /// Its sequence number or UID.
    pub number: u32,
    /// When it was sent.
    pub sent: i64,
    /// When it arrived.
    pub internal_date: i64,
    /// Its base subject as it is compared; empty if there is none.
    pub subject: &'a str,
    /// Whether the subject is that of a reply or forward.
    pub is_reply: bool,
    /// Its Message-ID, may be empty.
    pub message_id: &'a str,
    /// The ids it refers to, oldest first; its parent is the last.
    pub references: &'a [String],
}

#[derive(Clone, Copy, Debug)]
struct Message {
    number: u32,
    sent: i64,
    internal_date: i64,
    /// 0: none.
    subject: u32,
    is_reply: bool,
}

/// Messages on their way into threads.
#[derive(Default, Debug)]
pub struct Threader {
    messages: Vec<Message>,
    subjects: HashMap<u128, u32>,
    ids: HashMap<u128, u32>,
    /// Of each container: the one above it.
    parents: Vec<u32>,
    /// Whether something is below it: only then can a link close a loop.
    has_child: Vec<bool>,
    /// The message in it, if it is there.
    holds: Vec<u32>,
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn get(table: &[u32], at: u32) -> u32 {
    table.get(index(at)).copied().unwrap_or(NONE)
}

fn set(table: &mut [u32], at: u32, value: u32) {
    if let Some(slot) = table.get_mut(index(at)) {
        *slot = value;
    }
}

fn count_of<T>(items: &[T]) -> u32 {
    u32::try_from(items.len()).unwrap_or(NONE)
}

/// A text in sixteen octets; equal texts only have equal ones.
fn digest(text: &str) -> u128 {
    let hash = blake3::hash(text.as_bytes());
    let half: [u8; 16] = hash.as_bytes().first_chunk().copied().unwrap_or_default();
    u128::from_be_bytes(half)
}

/// A Message-ID in the form in which it is compared: quotes that are not needed are no difference
/// (RFC 5256 §3, REFERENCES, normalisation).
fn digest_of_id(id: &str) -> u128 {
    let inner = id.strip_prefix("<\"").and_then(|rest| rest.split_once("\"@"));
    match inner.filter(|(local, _)| local.chars().all(is_atom_or_dot)) {
        Some((local, rest)) => digest(&format!("<{local}@{rest}")),
        None => digest(id),
    }
}

fn is_atom_or_dot(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c)
}

impl Threader {
    /// Adds a message.
    pub fn add(&mut self, member: &Member<'_>, algorithm: Algorithm) {
        let subject = self.subject(member.subject);
        let message = Message {
            number: member.number,
            sent: member.sent,
            internal_date: member.internal_date,
            subject,
            is_reply: member.is_reply,
        };
        let at = count_of(&self.messages);
        self.messages.push(message);
        if algorithm != Algorithm::OrderedSubject {
            self.link(at, member);
        }
    }

    fn subject(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        let next = u32::try_from(self.subjects.len() + 1).unwrap_or(NONE);
        *self.subjects.entry(digest(text)).or_insert(next)
    }

    fn new_container(&mut self) -> u32 {
        let at = count_of(&self.parents);
        self.parents.push(NONE);
        self.has_child.push(false);
        self.holds.push(NONE);
        at
    }

    fn container(&mut self, id: u128) -> u32 {
        if let Some(at) = self.ids.get(&id) {
            return *at;
        }
        let at = self.new_container();
        self.ids.insert(id, at);
        at
    }

    /// REFERENCES step 1: links the references with each other and the message with the last.
    fn link(&mut self, message: u32, member: &Member<'_>) {
        let known = (!member.message_id.is_empty())
            .then(|| self.container(digest_of_id(member.message_id)));
        // an id that another message has too counts for the first one only
        let own = match known.filter(|at| get(&self.holds, *at) == NONE) {
            Some(at) => at,
            None => self.new_container(),
        };
        set(&mut self.holds, own, message);
        let skipped = member.references.len().saturating_sub(REFERENCES_MAX);
        let mut above = NONE;
        for (place, id) in member.references.iter().enumerate() {
            if place > 0 && place <= skipped {
                continue;
            }
            let at = self.container(digest_of_id(id));
            // (A): what is linked already stays
            if above != NONE && get(&self.parents, at) == NONE {
                self.attach(at, above);
            }
            above = at;
        }
        // (B): the message itself knows best
        set(&mut self.parents, own, NONE);
        if above != NONE {
            self.attach(own, above);
        }
    }

    /// Puts a container below another, unless that would make a loop.
    fn attach(&mut self, child: u32, parent: u32) {
        if child == parent
            || self.has_child.get(index(child)) == Some(&true) && self.is_below(parent, child)
        {
            return;
        }
        set(&mut self.parents, child, parent);
        if let Some(has_child) = self.has_child.get_mut(index(parent)) {
            *has_child = true;
        }
    }

    fn is_below(&self, mut at: u32, above: u32) -> bool {
        for _ in 0..ANCESTORS_MAX {
            at = get(&self.parents, at);
            if at == NONE {
                return false;
            }
            if at == above {
                return true;
            }
        }
        true
    }

    /// The threads, depth first.
    pub fn finish(self, algorithm: Algorithm) -> Vec<Place> {
        let mut forest = match algorithm {
            Algorithm::OrderedSubject => Forest::of_subjects(self.messages),
            Algorithm::References | Algorithm::Refs => self.prune(),
        };
        if algorithm == Algorithm::References {
            forest.join_subjects();
        }
        forest.written(algorithm == Algorithm::Refs)
    }

    /// REFERENCES steps 2 and 3: messages that are not there leave, except one that holds together
    /// several at the root.
    fn prune(self) -> Forest {
        let Self { messages, parents, holds, .. } = self;
        let mut forest = Forest { parents: vec![NONE; messages.len()], messages };
        // the nearest container above each that holds a message, or else the topmost one
        let mut nearest = vec![NONE; parents.len()];
        let mut path = Vec::new();
        for start in 0..count_of(&parents) {
            let mut at = start;
            path.clear();
            while get(&nearest, at) == NONE {
                path.push(at);
                let parent = get(&parents, at);
                if parent == NONE {
                    set(&mut nearest, at, at);
                    break;
                }
                if get(&holds, parent) != NONE {
                    set(&mut nearest, at, parent);
                    break;
                }
                at = parent;
            }
            let found = get(&nearest, at);
            path.iter().for_each(|each| set(&mut nearest, *each, found));
        }
        let mut groups: HashMap<u32, Vec<u32>> = HashMap::new();
        for (container, message) in (0u32..).zip(&holds).filter(|(_, held)| **held != NONE) {
            let above = get(&nearest, container);
            match get(&holds, above) {
                NONE => groups.entry(above).or_default().push(*message),
                parent if parent != *message => set(&mut forest.parents, *message, parent),
                _ => {}
            }
        }
        for group in groups.into_values().filter(|group| group.len() > 1) {
            let dummy = forest.new_dummy();
            group.iter().for_each(|message| set(&mut forest.parents, *message, dummy));
        }
        forest
    }
}

/// Threads as links: nodes below `messages.len()` are messages, those above are dummies.
#[derive(Debug)]
struct Forest {
    messages: Vec<Message>,
    parents: Vec<u32>,
}

/// Earliest first, then in the order of the mailbox.
type Rank = (i64, u32);

impl Forest {
    /// ORDEREDSUBJECT: the first message of each subject is above the others.
    fn of_subjects(messages: Vec<Message>) -> Self {
        let mut firsts: HashMap<u32, (Rank, u32)> = HashMap::new();
        for (at, message) in (0u32..).zip(&messages) {
            let rank = ((message.sent, at), at);
            let first = firsts.entry(message.subject).or_insert(rank);
            *first = rank.min(*first);
        }
        let parents = (0u32..)
            .zip(&messages)
            .map(|(at, message)| {
                let first = firsts.get(&message.subject).map_or(at, |first| first.1);
                if first == at { NONE } else { first }
            })
            .collect();
        Self { messages, parents }
    }

    fn new_dummy(&mut self) -> u32 {
        let at = count_of(&self.parents);
        self.parents.push(NONE);
        at
    }

    fn message(&self, node: u32) -> Option<&Message> {
        self.messages.get(index(node))
    }

    /// Where each node stands among its siblings: a dummy where its first child does.
    fn ranks(&self) -> Vec<Rank> {
        let mut ranks: Vec<Rank> =
            (0u32..).zip(&self.messages).map(|(at, message)| (message.sent, at)).collect();
        ranks.resize(self.parents.len(), (i64::MAX, NONE));
        let messages = self.messages.len();
        for at in 0..messages {
            let (Some(rank), Some(parent)) = (ranks.get(at).copied(), self.parents.get(at)) else {
                continue;
            };
            if index(*parent) >= messages
                && let Some(dummy) = ranks.get_mut(index(*parent))
            {
                *dummy = rank.min(*dummy);
            }
        }
        ranks
    }

    /// REFERENCES step 5: threads of one subject become one.
    fn join_subjects(&mut self) {
        // step 4: the order in which they are looked at
        let ranks = self.ranks();
        let rank = |node: &u32| ranks.get(index(*node)).copied().unwrap_or((i64::MAX, NONE));
        let mut roots: Vec<u32> =
            (0..count_of(&self.parents)).filter(|at| get(&self.parents, *at) == NONE).collect();
        roots.sort_unstable_by_key(rank);
        let is_dummy = |forest: &Self, node: u32| forest.message(node).is_none();
        // the message that speaks for a root: itself or its first child
        let voice = |forest: &Self, node: u32| {
            let speaker = if is_dummy(forest, node) { rank(&node).1 } else { node };
            forest.message(speaker).copied()
        };
        let mut table: HashMap<u32, u32> = HashMap::new();
        for &root in &roots {
            let Some(own) = voice(self, root).filter(|own| own.subject != 0) else { continue };
            let entry = table.entry(own.subject).or_insert(root);
            if let Some(held) = self.message(*entry)
                && (is_dummy(self, root) || held.is_reply && !own.is_reply)
            {
                *entry = root;
            }
        }
        let mut moved: HashMap<u32, u32> = HashMap::new();
        for &root in &roots {
            let Some(own) = voice(self, root).filter(|own| own.subject != 0) else { continue };
            let Some(&held) = table.get(&own.subject) else { continue };
            if held == root || get(&self.parents, root) != NONE {
                continue;
            }
            match (self.message(held).copied(), is_dummy(self, root)) {
                // two dummies become one; the children of the one that leaves follow below
                (None, true) => {
                    moved.insert(root, held);
                }
                (None, false) => set(&mut self.parents, root, held),
                (Some(message), _) if own.is_reply && !message.is_reply => {
                    set(&mut self.parents, root, held);
                }
                (Some(_), _) => {
                    let dummy = self.new_dummy();
                    set(&mut self.parents, root, dummy);
                    set(&mut self.parents, held, dummy);
                    table.insert(own.subject, dummy);
                }
            }
        }
        if !moved.is_empty() {
            for parent in self.parents.iter_mut() {
                *parent = moved.get(parent).copied().unwrap_or(*parent);
            }
        }
    }

    /// Step 6: siblings by the date they were sent; the roots of REFS by the newest arrival below
    /// them.
    fn written(&self, is_refs: bool) -> Vec<Place> {
        let mut ranks = self.ranks();
        if is_refs {
            self.rank_by_arrival(&mut ranks);
        }
        let mut order: Vec<u32> = (0..count_of(&self.parents)).collect();
        // one run of siblings for each parent, the roots at the end
        order.sort_unstable_by_key(|node| (get(&self.parents, *node), ranks.get(index(*node))));
        let mut starts = vec![(0usize, 0u32); self.parents.len()];
        let mut roots = order.len();
        for (place, node) in order.iter().enumerate() {
            let parent = get(&self.parents, *node);
            if parent == NONE {
                roots = roots.min(place);
            } else if let Some((start, count)) = starts.get_mut(index(parent)) {
                *start = if *count == 0 { place } else { *start };
                *count += 1;
            }
        }
        let below = |node: u32| starts.get(index(node)).copied().unwrap_or_default();
        let mut places = Vec::with_capacity(self.messages.len());
        let mut stack: Vec<(u32, u32)> =
            order.get(roots..).unwrap_or_default().iter().rev().map(|root| (*root, 0)).collect();
        while let Some((node, depth)) = stack.pop() {
            let (start, children) = below(node);
            let number = self.message(node).map_or(0, |message| message.number);
            if number == 0 && children == 0 {
                // a dummy whose children went to another
                continue;
            }
            places.push(Place { number, depth, children });
            let nodes = order.get(start..start + index(children)).unwrap_or_default();
            stack.extend(nodes.iter().rev().map(|child| (*child, depth + 1)));
        }
        places
    }

    /// Gives every root the newest INTERNALDATE of its thread.
    fn rank_by_arrival(&self, ranks: &mut [Rank]) {
        let mut tops = vec![NONE; self.parents.len()];
        let mut newest: HashMap<u32, i64> = HashMap::new();
        let mut path = Vec::new();
        for (start, message) in (0u32..).zip(&self.messages) {
            let mut at = start;
            path.clear();
            while get(&tops, at) == NONE && get(&self.parents, at) != NONE {
                path.push(at);
                at = get(&self.parents, at);
            }
            let top = if get(&tops, at) == NONE { at } else { get(&tops, at) };
            path.iter().for_each(|each| set(&mut tops, *each, top));
            let latest = newest.entry(top).or_insert(i64::MIN);
            *latest = message.internal_date.max(*latest);
        }
        for (root, date) in newest {
            if let Some(rank) = ranks.get_mut(index(root)) {
                rank.0 = date;
            }
        }
    }
}

#[cfg(test)]
mod tests;
