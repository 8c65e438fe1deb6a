//! How many connections each next hop has on this node, and may have: fewer when it does not answer
//! or says 421, one more with each success.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How long a next hop is left alone that was not reached.
const REST: Duration = Duration::from_secs(1);
/// How long it is remembered that it gets fewer connections.
const REMEMBERED: Duration = Duration::from_secs(600);
/// Next hops that are passed over at the same time; others are tried all the same.
const BUSY_MAX: usize = 1000;

/// How a connection went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Went {
    /// Mail was taken, or refused with reasons.
    Well,
    /// It was not reached, or had enough.
    Badly,
}

#[derive(Debug)]
struct State {
    active: usize,
    limit: usize,
    /// Perhaps in the past.
    rests_until: Instant,
}

/// The next hops of a node; cheap to clone.
#[derive(Clone, Debug)]
pub struct Hops {
    /// Those with connections, limits or a rest. Held for a look-up only.
    states: Arc<Mutex<HashMap<String, State>>>,
    limit: usize,
    freed: Arc<Notify>,
}

impl Hops {
    /// At most so many connections to each.
    pub fn new(limit: usize) -> Self {
        Self { states: Arc::default(), limit, freed: Arc::default() }
    }

    /// Those that should get nothing at this moment.
    pub fn busy(&self, now: Instant) -> Vec<String> {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let is_limited =
            |state: &State| state.limit < self.limit && state.rests_until + REMEMBERED > now;
        states.retain(|_, state| state.active > 0 || is_limited(state));
        let is_busy = |state: &State| state.active >= state.limit || state.rests_until > now;
        let busy = states.iter().filter(|(_, state)| is_busy(state));
        busy.take(BUSY_MAX).map(|(domain, _)| domain.clone()).collect()
    }

    /// A connection begins.
    pub fn enter(&self, domain: &str, now: Instant) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || State { active: 0, limit: self.limit, rests_until: now };
        states.entry(domain.to_owned()).or_insert_with(new).active += 1;
    }

    /// It ended.
    pub fn leave(&self, domain: &str, went: Went, now: Instant) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = states.get_mut(domain) {
            state.active = state.active.saturating_sub(1);
            match went {
                Went::Well => state.limit = self.limit.min(state.limit + 1),
                Went::Badly => {
                    state.limit = (state.limit / 2).max(1);
                    state.rests_until = now + REST;
                }
            }
        }
        drop(states);
        self.freed.notify_one();
    }

    /// Waits until a connection has ended, or one has since the last time. For one waiter.
    pub async fn freed(&self) {
        self.freed.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_shrink_and_grow_again() {
        let (hops, start) = (Hops::new(4), Instant::now());
        for _ in 0..4 {
            assert!(hops.busy(start).is_empty());
            hops.enter("a", start);
        }
        assert_eq!(hops.busy(start), ["a"], "at its limit");
        hops.leave("a", Went::Badly, start);
        let later = start + REST;
        assert_eq!(hops.busy(later), ["a"], "two are allowed, three are there");
        hops.leave("a", Went::Well, later);
        assert!(hops.busy(later).is_empty(), "three are allowed, two are there");
        hops.leave("a", Went::Badly, later);
        assert_eq!(hops.busy(later), ["a"], "it rests");
        let later = later + REST;
        assert_eq!(hops.busy(later), ["a"], "one is allowed, one is there");
        hops.leave("a", Went::Well, later);
        assert!(hops.busy(later).is_empty());
        assert_eq!(hops.states.lock().unwrap().len(), 1, "its limit is remembered");
        assert!(hops.busy(later + REMEMBERED).is_empty());
        assert!(hops.states.lock().unwrap().is_empty(), "not for ever");
    }
}
