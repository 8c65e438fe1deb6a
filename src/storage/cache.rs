//! A bounded cache of immutable stored octets, least recently used first out.
//!
//! It needs no invalidation, but one: a content that was removed and stored again has its chunks
//! elsewhere.

use crate::model::id::ContentHash;
use crate::storage::contents::Content;
use bson::oid::ObjectId;
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// What is found under a key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Key {
    /// A content's document.
    Content(ContentHash),
    /// One decompressed chunk of a run.
    Chunk(ObjectId, u32),
}

#[derive(Clone, Debug)]
enum Value {
    Content(Arc<Content>),
    Chunk(Bytes),
}

/// The cache of a node.
#[derive(Debug)]
pub(super) struct Cache {
    octets_max: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<Key, Entry>,
    /// Time of last use to key.
    order: BTreeMap<u64, Key>,
    now: u64,
    octets: usize,
}

#[derive(Debug)]
struct Entry {
    value: Value,
    octets: usize,
    used: u64,
}

impl Cache {
    /// A cache of at most so many octets.
    pub(super) fn new(octets_max: usize) -> Self {
        Self { octets_max, state: Mutex::default() }
    }

    fn get(&self, key: Key) -> Option<Value> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        state.now += 1;
        let entry = state.entries.get_mut(&key)?;
        state.order.remove(&entry.used);
        entry.used = state.now;
        state.order.insert(state.now, key);
        Some(entry.value.clone())
    }

    fn put(&self, key: Key, value: Value, octets: usize) {
        // One entry may not push out everything else
        if octets > self.octets_max / 4 {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        state.now += 1;
        let entry = Entry { value, octets, used: state.now };
        if let Some(old) = state.entries.insert(key, entry) {
            state.order.remove(&old.used);
            state.octets -= old.octets;
        }
        state.order.insert(state.now, key);
        state.octets += octets;
        while state.octets > self.octets_max {
            let Some((_, oldest)) = state.order.pop_first() else { break };
            if let Some(entry) = state.entries.remove(&oldest) {
                state.octets -= entry.octets;
            }
        }
    }

    pub(super) fn content(&self, hash: ContentHash) -> Option<Arc<Content>> {
        match self.get(Key::Content(hash))? {
            Value::Content(content) => Some(content),
            Value::Chunk(_) => None,
        }
    }

    pub(super) fn put_content(&self, hash: ContentHash, content: &Arc<Content>) {
        let octets = content.cost();
        self.put(Key::Content(hash), Value::Content(Arc::clone(content)), octets);
    }

    pub(super) fn remove_content(&self, hash: ContentHash) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = state.entries.remove(&Key::Content(hash)) {
            state.order.remove(&entry.used);
            state.octets -= entry.octets;
        }
    }

    pub(super) fn chunk(&self, run: ObjectId, index: u32) -> Option<Bytes> {
        match self.get(Key::Chunk(run, index))? {
            Value::Chunk(chunk) => Some(chunk),
            Value::Content(_) => None,
        }
    }

    pub(super) fn put_chunk(&self, run: ObjectId, index: u32, chunk: &Bytes) {
        self.put(Key::Chunk(run, index), Value::Chunk(chunk.clone()), chunk.len() + 64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_goes_first() {
        let cache = Cache::new(4 * 1064);
        let run = ObjectId::new();
        for index in 0..4 {
            cache.put_chunk(run, index, &Bytes::from(vec![0; 1000]));
        }
        assert!(cache.chunk(run, 0).is_some());
        cache.put_chunk(run, 4, &Bytes::from(vec![0; 1000]));
        assert!(cache.chunk(run, 0).is_some() && cache.chunk(run, 1).is_none());
        cache.put_chunk(run, 9, &Bytes::from(vec![0; 5000]));
        assert!(cache.chunk(run, 9).is_none(), "too large to keep");
    }
}
