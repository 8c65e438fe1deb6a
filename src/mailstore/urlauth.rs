//! Authorised URLs: tokens over the text of a URL, one key for each user and mailbox (RFC 4467
//! §4, §5).

use super::Mailstore;
use crate::model::error::Result;
use crate::model::id::{MailboxId, UserId};
use crate::storage::url_keys::{self, Key};

/// The first octets of a token, in hex: which algorithm (RFC 4467 §5 asks for room to change it).
const VERSION: &str = "01";

impl Mailstore {
    /// The token that authorises a URL up to its access identifier. Makes the key if there is none.
    /// One round trip; three and a commit for the first of a mailbox.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn sign_url(&self, user: UserId, mailbox: MailboxId, rump: &str) -> Result<String> {
        let storage = self.storage();
        loop {
            if let Some(key) = url_keys::find(storage, user, mailbox).await? {
                return Ok(token(&key, rump));
            }
            url_keys::insert(storage, user, mailbox, &rand::random()).await?;
        }
    }

    /// Whether the token was made by [`Mailstore::sign_url`] and its key still holds. One round
    /// trip.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn is_url_signed(
        &self,
        user: UserId,
        mailbox: MailboxId,
        rump: &str,
        given: &str,
    ) -> Result<bool> {
        let key = url_keys::find(self.storage(), user, mailbox).await?;
        // compared as hashes, in constant time
        let hash = |text: &str| blake3::hash(text.as_bytes());
        Ok(key.is_some_and(|key| hash(&token(&key, rump)) == hash(given)))
    }

    /// Voids what was signed for a mailbox, or for all. One round trip and commit.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn reset_url_keys(&self, user: UserId, mailbox: Option<MailboxId>) -> Result<()> {
        match mailbox {
            Some(mailbox) => url_keys::delete(self.storage(), user, mailbox).await,
            None => url_keys::delete_all(self.storage(), user).await,
        }
    }
}

fn token(key: &Key, rump: &str) -> String {
    format!("{VERSION}{}", blake3::keyed_hash(key, rump.as_bytes()).to_hex())
}
