//! Literals of a command: which are accepted, and where large ones wait.
//!
//! A message that is small stays in the framer's buffer. Of a large one a session holds a megabyte
//! until it is there (`spool`); then the command is put together, while the node's share of large
//! commands allows.

use super::reply::{Outcome, Reply};
use super::session::Session;
use crate::codec::imap::framing::Literal;
use crate::codec::imap::response_code::ResponseCode;
use crate::model::error::Error;
use crate::model::limits::{
    IMAP_COMMAND_MESSAGES_OCTETS_MAX, IMAP_LARGE_COMMANDS_OCTETS_MAX, IMAP_LITERALS_MEMORY_OCTETS,
};
use crate::spool::Spool;
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Octets of one permit.
const PERMIT_OCTETS: u64 = 1024;

/// The literals of a command that are not in the framer's buffer.
#[derive(Debug)]
pub struct Diverted {
    spool: Spool,
    /// Where each belongs, and its octets.
    gaps: Vec<(usize, u64)>,
    has_failed: bool,
}

/// A node's share of memory for large commands.
#[derive(Clone, Debug)]
pub struct LargeCommands {
    permits: Arc<Semaphore>,
}

/// A part of it; it is given back when dropped.
pub type Share = OwnedSemaphorePermit;

impl LargeCommands {
    /// All of it.
    pub fn new() -> Self {
        let permits = usize::try_from(IMAP_LARGE_COMMANDS_OCTETS_MAX / PERMIT_OCTETS);
        Self { permits: Arc::new(Semaphore::new(permits.unwrap_or(Semaphore::MAX_PERMITS))) }
    }

    fn permits(octets: u64) -> u32 {
        let octets = octets.min(IMAP_LARGE_COMMANDS_OCTETS_MAX);
        u32::try_from(octets / PERMIT_OCTETS + 1)
            .unwrap_or(u32::MAX)
            .min(u32::try_from(IMAP_LARGE_COMMANDS_OCTETS_MAX / PERMIT_OCTETS).unwrap_or(u32::MAX))
    }

    /// Waits for so many octets. To be asked for once at a time: who holds some and waits for more
    /// may wait for ever.
    async fn wait(&self, octets: u64) -> Option<Share> {
        Arc::clone(&self.permits).acquire_many_owned(Self::permits(octets)).await.ok()
    }

    /// So many octets more, or NO: for a command that may hold some already.
    pub fn take(&self, octets: u64) -> Outcome<Share> {
        let share = Arc::clone(&self.permits).try_acquire_many_owned(Self::permits(octets));
        share.map_err(|_| {
            let text = "Too many large messages are stored at this moment, try again";
            Reply::no(ResponseCode::Unavailable, text).into()
        })
    }
}

impl Session {
    /// Accepts or refuses an announced literal.
    pub fn take_literal(&mut self, literal: &Literal) {
        let octets_max = self.context.settings.message_octets_max;
        // Nobody stores a message before login, so a stranger cannot make us hold one.
        let is_welcome = !literal.is_message || self.login.is_some();
        if is_welcome && literal.fits(octets_max) {
            let in_memory = literal.before.saturating_add(literal.octets);
            if literal.is_message && in_memory > IMAP_LITERALS_MEMORY_OCTETS {
                self.divert(literal);
            } else {
                self.framer.accept_literal();
            }
            if literal.synchronising {
                self.writer().continuation("Ready for literal data");
            }
            return;
        }
        // RFC 7888 §4 and RFC 7889 §4: refused before a client that waits has sent it
        self.framer.refuse_literal();
        self.diverted = None;
        let reply = if !literal.is_message || !is_welcome {
            Reply::bad("The literal is too large")
        } else if literal.octets > octets_max {
            let text = format!("Messages of at most {octets_max} octets are accepted");
            Reply::no(ResponseCode::TooBig, text)
        } else {
            // RFC 3502 §6.3.11: a server may limit what it takes at once
            let text = "The messages of one command have at most 134217728 octets together";
            Reply::no(ResponseCode::Limit, text)
        };
        self.answer(literal.tag.as_deref(), &reply);
    }

    fn divert(&mut self, literal: &Literal) {
        self.framer.divert_literal();
        let diverted = self.diverted.get_or_insert_with(|| {
            let spool = Spool::new(&self.context.spool_dir, IMAP_COMMAND_MESSAGES_OCTETS_MAX);
            Box::new(Diverted { spool, gaps: Vec::new(), has_failed: false })
        });
        diverted.gaps.push((literal.at, literal.octets));
    }

    /// Takes octets of a diverted literal. A failure is told when the command is there.
    pub async fn spool_octets(&mut self, octets: &[u8]) {
        let Some(diverted) = &mut self.diverted else { return };
        if !diverted.has_failed
            && let Err(error) = diverted.spool.push(octets).await
        {
            tracing::error!(%error, "cannot spool a message");
            diverted.has_failed = true;
        }
    }

    /// The command with its diverted literals where they belong, and the share of memory it takes.
    ///
    /// # Errors
    /// `Unavailable` when the spool could not be written or read.
    pub async fn complete_command(
        &mut self,
        command: Bytes,
    ) -> Result<(Bytes, Option<Share>), Error> {
        let Some(diverted) = self.diverted.take() else { return Ok((command, None)) };
        if diverted.has_failed {
            return Err(Error::Unavailable { reason: "no room for large messages", source: None });
        }
        let octets = diverted.spool.octets().saturating_add(command.len() as u64);
        let share = self.context.large_commands.wait(octets).await;
        let failed = |error| Error::unavailable("no room for large messages", error);
        let mut whole = Vec::with_capacity(usize::try_from(octets).unwrap_or_default());
        let mut drain = diverted.spool.drain().await.map_err(failed)?;
        let mut done = 0;
        for (at, octets) in diverted.gaps {
            whole.extend_from_slice(command.get(done..at).unwrap_or_default());
            drain.read_to(&mut whole, octets).await.map_err(failed)?;
            done = at;
        }
        whole.extend_from_slice(command.get(done..).unwrap_or_default());
        Ok((whole.into(), share))
    }
}
