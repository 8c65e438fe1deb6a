//! How many sessions each user has on this node.

use crate::model::error::{Error, Result};
use crate::model::id::UserId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts sessions; cheap to clone.
#[derive(Clone, Debug)]
pub struct UserSessions {
    /// Sessions of each user that has any. Held for one look-up, never across an await.
    counts: Arc<Mutex<HashMap<UserId, usize>>>,
    per_user_max: usize,
}

impl UserSessions {
    /// At most this many sessions of one user.
    pub fn new(per_user_max: usize) -> Self {
        Self { counts: Arc::default(), per_user_max: per_user_max.max(1) }
    }

    /// Counts a session as long as the permit lives.
    ///
    /// # Errors
    /// `LimitReached` when the user has too many.
    pub fn enter(&self, user: UserId) -> Result<UserPermit> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(user).or_default();
        if *count >= self.per_user_max {
            let limit = format!("{} connections of one user", self.per_user_max);
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
        let sessions = UserSessions::new(2);
        let (one, two) = (UserId::from_octets([1; 12]), UserId::from_octets([2; 12]));
        let first = sessions.enter(one).unwrap();
        let _second = sessions.enter(one).unwrap();
        assert!(sessions.enter(one).is_err());
        assert!(sessions.enter(two).is_ok());
        drop(first);
        assert!(sessions.enter(one).is_ok());
    }
}
