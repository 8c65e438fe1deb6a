//! Whether strangers know a password: a question to a list of stolen ones.
//!
//! The protocol is that of Have I Been Pwned's range queries: the server is told the first five
//! digits of the password's SHA-1 and answers with the rest of all that begin so. It is asked only
//! where an operator has named one (`api.breach_url`).

use super::Authenticator;
use crate::model::error::Result;
use crate::model::id::UserId;
use crate::model::profile::Breach;
use crate::net::http;
use crate::storage::users;
use sha1::{Digest as _, Sha1};
use std::time::Duration;

/// How long the list may take to answer; nobody's login waits longer.
const ANSWER: Duration = Duration::from_secs(3);
/// Octets of an answer: some 2,000 lines of 43 octets.
const ANSWER_OCTETS_MAX: usize = 1024 * 1024;
/// A password is looked up again after so long.
const PERIOD_MS: i64 = 14 * 24 * 3_600_000;
/// Digits that are told.
const PREFIX_DIGITS: usize = 5;

/// The list.
#[derive(Clone, Debug)]
pub struct Breaches {
    client: reqwest::Client,
    url: String,
}

impl Breaches {
    /// The list at this URL, to which the digits are appended.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(url: &str) -> reqwest::Result<Self> {
        let url = format!("{}/", url.trim_end_matches('/'));
        Ok(Self { client: http::client(ANSWER)?, url })
    }

    /// Whether a password is on the list; `None`: the list does not answer.
    pub async fn knows(&self, password: &str) -> Option<bool> {
        let digest = Sha1::digest(password.as_bytes());
        let digits: String = digest.iter().map(|octet| format!("{octet:02X}")).collect();
        let (prefix, rest) = digits.split_at_checked(PREFIX_DIGITS)?;
        let url = format!("{}{prefix}", self.url);
        match http::read_text(&self.client, &url, ANSWER_OCTETS_MAX).await {
            Ok(text) => Some(is_listed(&text, rest)),
            Err(error) => {
                tracing::warn!(error, "the list of stolen passwords does not answer");
                None
            }
        }
    }
}

/// Lines are `REST:count`; padding has the count 0.
fn is_listed(text: &str, rest: &str) -> bool {
    text.lines().filter_map(|line| line.trim().split_once(':')).any(|(listed, count)| {
        listed.eq_ignore_ascii_case(rest) && count.trim().parse::<u64>().is_ok_and(|n| n > 0)
    })
}

impl Authenticator {
    /// Whether strangers know the right password of a user, who has just typed it: as it was found
    /// not long ago, or as the list says now. One round trip then.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn check_breach(
        &self,
        list: &Breaches,
        user: UserId,
        password: &str,
        known: Breach,
    ) -> Result<bool> {
        let now = self.clock.now_ms();
        if known.checked_ms.is_some_and(|checked| now.saturating_sub(checked) < PERIOD_MS) {
            return Ok(known.is_known);
        }
        let Some(is_known) = list.knows(password).await else { return Ok(known.is_known) };
        let hash = users::load(&self.storage, user).await?.password;
        // a password that was changed meanwhile is another one
        if self.passwords.verify(password, &hash).await? {
            users::note_breach(&self.storage, user, &hash, is_known, now).await?;
        }
        Ok(is_known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_name_the_rest_of_the_digest() {
        let text = "0018A45C4D1DEF81644B54AB7F969B88D65:1\r\n00D4F6E8FA6EECAD2A3AA415EEC418D38EC:2\r\n\
            011053FD0102E94D6AE2F8B83D76FAF94F6:0\r\n";
        assert!(is_listed(text, "0018a45c4d1def81644b54ab7f969b88d65"));
        assert!(!is_listed(text, "011053FD0102E94D6AE2F8B83D76FAF94F6"), "padding");
        assert!(!is_listed(text, "0018A45C4D1DEF81644B54AB7F969B88D66"));
        assert!(!is_listed("", "x") && !is_listed("no lines\n:\n", "no lines"));
    }
}
