//! How many IMAP sessions each user has on this node.

use crate::model::error::{Error, Result};
use crate::model::id::UserId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts sessions; cheap to clone.
#[derive(Clone, Default, Debug)]
pub struct UserSessions {
    /// Sessions of each user that has any. Held for one look-up, never across an await.
    counts: Arc<Mutex<HashMap<UserId, u64>>>,
}

impl UserSessions {
    /// How many there are.
    pub fn count(&self, user: UserId) -> u64 {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.get(&user).copied().unwrap_or(0)
    }

    /// Counts a session as long as the permit lives.
    ///
    /// # Errors
    /// `LimitReached` when the user has as many as this.
    pub fn enter(&self, user: UserId, max: u64) -> Result<UserPermit> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(user).or_default();
        if *count >= max {
            let limit = format!("{max} connections of one user");
            return Err(Error::LimitReached { limit });
        }
        *count += 1;
        Ok(UserPermit { sessions: self.clone(), user })
    }
}

/// One counted session.
#[derive(Debug)]
pub struct UserPermit {
    sessions: UserSessions,
    user: UserId,
}

impl Drop for UserPermit {
    fn drop(&mut self) {
        let mut counts = self.sessions.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.user) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_a_bound() {
        let sessions = UserSessions::default();
        let (one, two) = (UserId::from_octets([1; 12]), UserId::from_octets([2; 12]));
        let first = sessions.enter(one, 2).unwrap();
        let _second = sessions.enter(one, 2).unwrap();
        assert!(sessions.enter(one, 2).is_err());
        assert!(sessions.enter(two, 2).is_ok());
        assert_eq!((sessions.count(one), sessions.count(two)), (2, 0));
        drop(first);
        assert!(sessions.enter(one, 2).is_ok());
    }
}
