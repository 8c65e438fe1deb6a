//! Who is it: passwords, tokens, and how often one may try.

pub mod allowance;
pub mod authenticate;
pub mod mechanism;
pub mod name;
pub mod password;
mod standing;
pub mod throttle;
pub mod token;

use crate::clock::Clock;
use crate::storage::Storage;
use password::Passwords;
use throttle::Throttle;

/// Logins; cheap to clone.
#[derive(Clone, Debug)]
pub struct Authenticator {
    storage: Storage,
    passwords: Passwords,
    throttle: Throttle,
    clock: Clock,
}

impl Authenticator {
    /// Logins against the users of this database.
    pub fn new(storage: Storage, passwords: Passwords, clock: Clock) -> Self {
        let throttle = Throttle::new(storage.clone(), clock.clone());
        Self { storage, passwords, throttle, clock }
    }
}
