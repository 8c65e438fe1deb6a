//! The TRANSACTION state: STAT, LIST, UIDL, DELE, RSET, and the UPDATE that QUIT begins (RFC 1939
//! §5, §6).

use super::maildrop::{Entry, Maildrop};
use super::reply::{Outcome, Reply};
use super::session::Session;
use super::{Context, status_line};
use crate::auth::allowance::{Counter, Used};
use crate::auth::authenticate::Protocol;
use crate::cluster::lease::Lease;
use crate::cluster::notifier::Subscription;
use crate::codec::pop3::reply::{ResponseCode, write_ok};
use crate::model::error::{Error, Result};
use crate::model::flag::{Flag, FlagChange, FlagSet};
use crate::model::id::MailboxId;
use crate::model::user::User;

/// Lines of a listing gathered before they are written.
const LINES: usize = 500;
/// Octets downloaded before they are counted in the database.
const UNSAVED_OCTETS_MAX: u64 = 16 * 1024 * 1024;
/// The window of the download limit (`reference/behaviours.md` §8).
const DAY_S: u64 = 86_400;

/// What a user may still download.
#[derive(Clone, Copy, Debug)]
pub struct Download {
    /// In 24 hours; 0: no limit.
    pub octets_max: u64,
    /// Before this session, by any node.
    pub used: Used,
    /// In this session, not counted in the database yet.
    pub unsaved: u64,
}

/// An open maildrop.
#[derive(Debug)]
pub struct Transaction {
    /// Whose, as he was when he logged in.
    pub login: User,
    /// Rings when the session may have to end.
    pub ends: Subscription,
    /// His inbox.
    pub mailbox: MailboxId,
    /// What the client sees.
    pub maildrop: Maildrop,
    /// No other session has it.
    pub lease: Lease,
    /// How long messages stay.
    pub kept_ms: Option<u64>,
    /// His allowance.
    pub download: Download,
}

impl Transaction {
    /// Whether nothing more may be downloaded; the seconds until it may.
    pub const fn is_exhausted(&self) -> Option<u64> {
        let Download { octets_max, used, unsaved } = self.download;
        let is_over = octets_max > 0 && used.count.saturating_add(unsaved) >= octets_max;
        if is_over { Some(if used.left_s > 0 { used.left_s } else { DAY_S }) } else { None }
    }

    /// Counts octets that were sent. One round trip per 16 MiB.
    pub async fn count(&mut self, context: &Context, octets: u64) -> Result<()> {
        self.download.unsaved = self.download.unsaved.saturating_add(octets);
        if self.download.unsaved < UNSAVED_OCTETS_MAX { Ok(()) } else { self.save(context).await }
    }

    async fn save(&mut self, context: &Context) -> Result<()> {
        let Download { octets_max, unsaved, .. } = self.download;
        if unsaved > 0 && octets_max > 0 {
            let counter = Counter::Pop3Download;
            context.allowances.add(self.login.id, counter, unsaved, DAY_S).await?;
        }
        self.download.used.count = self.download.used.count.saturating_add(unsaved);
        self.download.unsaved = 0;
        Ok(())
    }

    /// Why this session may not go on; `None`: it may. One round trip.
    pub async fn reason_to_end(&self, context: &Context) -> Result<Option<String>> {
        context.authenticator.reason_to_end(&self.login, Protocol::Pop3).await
    }

    /// The UPDATE state: all changes of the session, committed when this returns.
    async fn update(&self, context: &Context) -> Result<()> {
        let (seen, deleted) = (self.maildrop.seen(), self.maildrop.deleted());
        let marks_seen = context.settings.marks_seen && !seen.is_empty();
        if !marks_seen && deleted.is_empty() {
            return Ok(());
        }
        // the bell may have been lost
        if self.reason_to_end(context).await?.is_some() {
            return Err(Error::Unauthenticated);
        }
        if !self.lease.confirm().await? {
            return Err(Error::Unavailable {
                reason: "the maildrop's lock was lost",
                source: None,
            });
        }
        if marks_seen {
            let change = FlagChange::Add(FlagSet::from_names([Flag::Seen.name()]));
            context
                .mailstore
                .store_flags(self.login.id, self.mailbox, &seen, &change, None)
                .await?;
        }
        context.mailstore.remove(self.login.id, self.mailbox, deleted).await?;
        Ok(())
    }

    /// Ends a session without QUIT: nothing changes.
    pub async fn abandon(mut self, context: &Context) {
        if let Err(error) = self.save(context).await {
            tracing::warn!(%error, "a download was not counted");
        }
        self.lease.release().await;
    }
}

impl Session {
    /// STAT.
    pub fn stat(&mut self) -> Outcome {
        let Some(transaction) = &self.transaction else { return Ok(log_in_first()) };
        let maildrop = &transaction.maildrop;
        Ok(Reply::ok(format!("{} {}", maildrop.count(), maildrop.octets())))
    }

    /// LIST.
    pub async fn list(&mut self, number: Option<u32>) -> Outcome {
        self.listing(number, |_, entry| entry.octets.to_string()).await
    }

    /// UIDL.
    pub async fn uidl(&mut self, number: Option<u32>) -> Outcome {
        self.listing(number, Maildrop::unique_id).await
    }

    /// One line, or a line for each message; written in pieces, so that a slow client of a large
    /// maildrop costs one buffer.
    async fn listing(
        &mut self,
        number: Option<u32>,
        describe: fn(&Maildrop, Entry) -> String,
    ) -> Outcome {
        let Some(transaction) = &self.transaction else { return Ok(log_in_first()) };
        let maildrop = &transaction.maildrop;
        if let Some(number) = number {
            let Some(entry) = maildrop.find(number) else { return Ok(no_such_message()) };
            return Ok(Reply::ok(format!("{number} {}", describe(maildrop, entry))));
        }
        let text = format!("{} messages ({} octets)", maildrop.count(), maildrop.octets());
        write_ok(&text, self.stream.output());
        let mut next = 1;
        loop {
            let mut lines = String::new();
            let mut written = 0;
            for (number, entry) in maildrop.from(next).take(LINES) {
                lines.push_str(&format!("{number} {}\r\n", describe(maildrop, entry)));
                (next, written) = (number.saturating_add(1), written + 1);
            }
            if written < LINES {
                lines.push_str(".\r\n");
            }
            self.stream.write(lines.as_bytes()).await?;
            if written < LINES {
                return Ok(Reply::Written);
            }
        }
    }

    /// DELE.
    pub fn dele(&mut self, number: u32) -> Outcome {
        let Some(transaction) = &mut self.transaction else { return Ok(log_in_first()) };
        if transaction.maildrop.delete(number) {
            return Ok(Reply::ok(format!("message {number} is marked")));
        }
        Ok(no_such_message())
    }

    /// RSET.
    pub fn rset(&mut self) -> Outcome {
        let Some(transaction) = &mut self.transaction else { return Ok(log_in_first()) };
        transaction.maildrop.reset();
        let maildrop = &transaction.maildrop;
        Ok(Reply::ok(format!("{} messages ({} octets)", maildrop.count(), maildrop.octets())))
    }

    /// QUIT, in any state. After login it is the UPDATE; its reply is a promise.
    pub async fn quit(&mut self) -> Outcome {
        self.is_over = true;
        let Some(transaction) = self.transaction.take() else { return Ok(Reply::ok("bye")) };
        let updated = transaction.update(&self.context).await;
        transaction.abandon(&self.context).await;
        match updated {
            Ok(()) => Ok(Reply::ok("bye")),
            Err(error) => Ok(match status_line::reply_of(&error) {
                // RFC 1939 §6: some of them may still be there
                Reply::Refused(code, text) => Reply::Refused(
                    code.or(Some(ResponseCode::SysTemp)),
                    format!("some deleted messages not removed: {text}").into(),
                ),
                other => other,
            }),
        }
    }
}

/// What the session's table of states has refused already.
pub(super) const fn log_in_first() -> Reply {
    Reply::Bad("log in first")
}

/// The number is none of this maildrop's, or deleted.
pub(super) fn no_such_message() -> Reply {
    Reply::refused("no such message")
}
