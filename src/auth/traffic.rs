//! Octets that a user's IMAP sessions move in a day, counted for all nodes.
//!
//! Nobody waits for it: a session hands over what it has counted, a task of its own writes it and
//! notes whether the day's allowance is used up. One large transfer may overshoot
//! (`reference/behaviours.md` §8).

use super::Authenticator;
use super::user_sessions::UserSessions;
use crate::model::error::Result;
use crate::model::user::User;
use crate::model::window::Window;
use crate::storage::rate_limits;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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

impl Authenticator {
    /// The IMAP sessions of this node.
    pub const fn sessions(&self) -> &UserSessions {
        &self.sessions
    }

    /// Counts octets that came from and went to a user, soon, and then knows whether that was all
    /// he may.
    pub fn count_traffic(&self, user: &User, came: u64, went: u64, traffic: &Arc<Traffic>) {
        let (own, user, traffic) = (self.clone(), user.clone(), traffic.clone());
        self.tasks.spawn("traffic", async move {
            let rules = &user.rules;
            for (window, octets, limit) in [
                (Window::ImapUpload, came, rules.imap_upload_max),
                (Window::ImapDownload, went, rules.imap_download_max),
            ] {
                match own.count_window(&user, window, octets, limit).await {
                    Ok(is_full) => traffic.flag(window).store(is_full, Ordering::Relaxed),
                    Err(error) => {
                        tracing::warn!(user.id = %user.id, %error, "traffic was not counted");
                    }
                }
            }
        });
    }

    async fn count_window(
        &self,
        user: &User,
        window: Window,
        octets: u64,
        limit: u64,
    ) -> Result<bool> {
        let now = self.clock.now_ms();
        if octets > 0 {
            let (key, length_ms) = (window.key(user.id), window.length_ms());
            rate_limits::add(&self.storage, &key, octets, now, length_ms).await?;
        }
        let used = rate_limits::find_window(&self.storage, window, user.id, limit, now).await?;
        Ok(used.allowed > 0 && used.is_full())
    }
}
