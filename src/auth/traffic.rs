//! Octets that a user's IMAP sessions move in a day, counted for all nodes.
//!
//! Nobody waits for it: a session hands over what it has counted; what all sessions of a user have
//! handed over is written together, and they are told whether the day's allowance is used up. One
//! large transfer may overshoot (`reference/behaviours.md` §8).

use super::Authenticator;
use super::user_sessions::UserSessions;
use crate::clock::Clock;
use crate::model::error::Result;
use crate::model::id::UserId;
use crate::model::message::TimeMs;
use crate::model::user::User;
use crate::model::window::Window;
use crate::storage::{Storage, rate_limits};
use crate::tasks::Tasks;
use crate::tasks::batch::Batch;
use futures_util::{StreamExt, stream};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long what sessions hand over is gathered.
const GATHERED: Duration = Duration::from_millis(100);
/// Users counted at the same time.
const CONCURRENT_MAX: usize = 8;

/// What a session knows of its user's allowances.
#[derive(Default, Debug)]
pub struct Traffic {
    upload_is_full: AtomicBool,
    download_is_full: AtomicBool,
}

impl Traffic {
    /// Whether the user has used up this window, as far as is known.
    pub fn is_full(&self, window: Window) -> bool {
        self.flag(window).load(Ordering::Relaxed)
    }

    fn flag(&self, window: Window) -> &AtomicBool {
        if window == Window::ImapUpload { &self.upload_is_full } else { &self.download_is_full }
    }
}

/// What one session hands over.
#[derive(Debug)]
pub(super) struct Moved {
    user: UserId,
    upload: Share,
    download: Share,
    traffic: Arc<Traffic>,
}

impl Moved {
    fn share(&self, window: Window) -> Share {
        if window == Window::ImapUpload { self.upload } else { self.download }
    }
}

/// Of one window.
#[derive(Clone, Copy, Debug)]
struct Share {
    octets: u64,
    /// The user's own limit; 0: the store's.
    limit: u64,
}

impl Authenticator {
    /// The IMAP sessions of this node.
    pub const fn sessions(&self) -> &UserSessions {
        &self.sessions
    }

    /// Counts octets that came from and went to a user, soon, and then knows whether that was all
    /// he may.
    pub fn count_traffic(&self, user: &User, came: u64, went: u64, traffic: &Arc<Traffic>) {
        self.traffic.push(Moved {
            user: user.id,
            upload: Share { octets: came, limit: user.rules.imap_upload_max },
            download: Share { octets: went, limit: user.rules.imap_download_max },
            traffic: Arc::clone(traffic),
        });
    }
}

/// Starts the task that counts.
pub(super) fn counter(storage: &Storage, clock: &Clock, tasks: &Tasks) -> Batch<Moved> {
    let (storage, clock) = (storage.clone(), clock.clone());
    Batch::new(tasks, "traffic", GATHERED, move |items: Vec<Moved>| {
        let (storage, now) = (storage.clone(), clock.now_ms());
        let mut of_users: HashMap<UserId, Vec<Moved>> = HashMap::new();
        for moved in items {
            of_users.entry(moved.user).or_default().push(moved);
        }
        async move {
            let counts = of_users.into_iter().map(|(user, moved)| {
                let storage = storage.clone();
                async move {
                    if let Err(error) = count(&storage, user, &moved, now).await {
                        tracing::warn!(user.id = %user, %error, "traffic was not counted");
                    }
                }
            });
            stream::iter(counts).for_each_concurrent(CONCURRENT_MAX, |count| count).await;
        }
    })
}

/// Counts what a user's sessions have moved, and tells them: at most four round trips.
async fn count(storage: &Storage, user: UserId, moved: &[Moved], now: TimeMs) -> Result<()> {
    for window in [Window::ImapUpload, Window::ImapDownload] {
        let share = |moved: &Moved| moved.share(window);
        let octets = moved.iter().map(|moved| share(moved).octets).fold(0, u64::saturating_add);
        if octets > 0 {
            let (key, length_ms) = (window.key(user), window.length_ms());
            rate_limits::add(storage, &key, octets, now, length_ms).await?;
        }
        let limit = moved.last().map_or(0, |moved| share(moved).limit);
        let used = rate_limits::find_window(storage, window, user, limit, now).await?;
        let is_full = used.allowed > 0 && used.is_full();
        for moved in moved {
            moved.traffic.flag(window).store(is_full, Ordering::Relaxed);
        }
    }
    Ok(())
}
