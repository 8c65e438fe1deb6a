//! Who is it: passwords, tokens, and how often one may try.

pub mod allowance;
pub mod app_password;
pub mod authenticate;
pub mod breach;
pub mod certificate;
mod exchange;
pub mod log;
pub mod mechanism;
pub mod name;
pub mod password;
pub mod scram;
pub mod second_factor;
mod standing;
pub mod throttle;
pub mod token;
pub mod traffic;
pub mod user_sessions;
pub mod webauthn;

use crate::clock::Clock;
use crate::model::event::Event;
use crate::storage::{Storage, webhooks};
use crate::tasks::Tasks;
use crate::tasks::batch::Batch;
use password::Passwords;
use std::sync::Arc;
use throttle::Throttle;
use token::Tokens;
use tokio::sync::OnceCell;
use user_sessions::UserSessions;

/// Logins; cheap to clone.
#[derive(Clone, Debug)]
pub struct Authenticator {
    storage: Storage,
    passwords: Passwords,
    throttle: Throttle,
    clock: Clock,
    tasks: Tasks,
    tokens: Option<Tokens>,
    /// What SCRAM's salts are made from; shared by all nodes.
    scram_secret: Arc<OnceCell<[u8; 32]>>,
    sessions: UserSessions,
    traffic: Batch<traffic::Moved>,
}

impl Authenticator {
    /// Logins against the users of this database. The node's tasks wait for what is still to be
    /// written.
    pub fn new(storage: Storage, passwords: Passwords, clock: Clock, tasks: Tasks) -> Self {
        Self {
            throttle: Throttle::new(storage.clone(), clock.clone()),
            traffic: traffic::counter(&storage, &clock, &tasks),
            storage,
            passwords,
            clock,
            tasks,
            tokens: None,
            scram_secret: Arc::default(),
            sessions: UserSessions::default(),
        }
    }

    /// The same with tokens that may stand for a password.
    pub fn with_tokens(mut self, tokens: Tokens) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// Tells those who listen, after a change that is acknowledged already.
    async fn emit(&self, event: Event) {
        webhooks::tell(&self.storage, &event, self.clock.now_ms()).await;
    }
}
