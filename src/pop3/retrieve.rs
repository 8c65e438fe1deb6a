//! RETR and TOP: a message in pieces, never whole in memory (RFC 1939 §5, §7).

use super::reply::{Outcome, Reply};
use super::session::Session;
use super::transaction::{log_in_first, no_such_message};
use crate::codec::pop3::multiline::{Multiline, Top};
use crate::codec::pop3::reply::{ResponseCode, write_ok};
use crate::mailstore::fetch::Fields;
use crate::model::error::{Error, Result};
use crate::model::id::UserId;
use crate::model::message::Message;
use crate::model::structure::ByteRange;
use bytes::Bytes;
use std::io;

/// Octets of a message that are loaded before its first line is written.
const AHEAD_OCTETS: u64 = 128 * 1024;
/// Octets loaded at once afterwards.
const PIECE_OCTETS: u64 = 1024 * 1024;
/// Octets encoded at once.
const ENCODED_OCTETS: usize = 16 * 1024;

/// What is being written of a message.
struct Text {
    multiline: Multiline,
    /// For TOP.
    top: Option<Top>,
    octets: u64,
}

impl Text {
    fn is_over(&self) -> bool {
        self.top.as_ref().is_some_and(Top::is_over)
    }
}

impl Session {
    /// RETR, or TOP with so many lines of the body. One round trip for the message and those of its
    /// content: one for a small one.
    pub async fn retrieve(&mut self, number: u32, lines: Option<u32>) -> Outcome {
        let Some(transaction) = &self.transaction else { return Ok(log_in_first()) };
        let Some(entry) = transaction.maildrop.find(number) else { return Ok(no_such_message()) };
        if let Some(left_s) = transaction.is_exhausted() {
            let text = format!("the download limit is reached, try again in {left_s} seconds");
            return Ok(Reply::with_code(ResponseCode::SysTemp, text));
        }
        let (user, mailbox) = (transaction.login.id, transaction.mailbox);
        let fields = Fields::default();
        let found = self.context.mailstore.find_message(user, mailbox, entry.uid, fields).await?;
        let Some(message) = found else {
            // no lock of ours keeps an IMAP client from removing it
            return Ok(Reply::refused("the message was removed meanwhile"));
        };
        let prefix_octets = u64::try_from(message.prefix.len()).unwrap_or(u64::MAX);
        let end = message.row.octets.saturating_sub(prefix_octets);
        let content = ByteRange { start: 0, end };
        let beginning = self.load(user, &message, content.partial(0, AHEAD_OCTETS)).await?;
        let text = match lines {
            None => format!("{} octets", entry.octets),
            Some(_) => "top of the message follows".to_owned(),
        };
        write_ok(&text, self.stream.output());
        let top = lines.map(Top::new);
        let mut text = Text { multiline: Multiline::default(), top, octets: 0 };
        self.write_piece(&mut text, &message.prefix).await?;
        self.write_piece(&mut text, &beginning).await?;
        drop(beginning);
        let mut at = AHEAD_OCTETS;
        while at < content.octets() && !text.is_over() {
            // In the middle of a text nothing true can follow: the connection ends
            let piece = content.partial(at, PIECE_OCTETS);
            let octets = self.load(user, &message, piece).await.map_err(io::Error::other)?;
            self.write_piece(&mut text, &octets).await?;
            at += PIECE_OCTETS;
        }
        text.multiline.end(self.stream.output());
        self.stream.flush_if_full().await?;
        if let Some(transaction) = &mut self.transaction {
            if lines.is_none() {
                transaction.maildrop.retrieve(entry);
            }
            if let Err(error) = transaction.count(&self.context, text.octets).await {
                // the client has its message; the count is tried again with the next
                tracing::warn!(%error, "a download was not counted");
            }
        }
        Ok(Reply::Written)
    }

    async fn load(&self, user: UserId, message: &Message, range: ByteRange) -> Result<Bytes> {
        if range.octets() == 0 {
            return Ok(Bytes::new());
        }
        let octets = self.context.mailstore.load_octets(user, message, range).await?;
        if u64::try_from(octets.len()) == Ok(range.octets()) {
            return Ok(octets);
        }
        Err(Error::Internal { reason: "content is shorter than its message", source: None })
    }

    async fn write_piece(&mut self, text: &mut Text, octets: &[u8]) -> io::Result<()> {
        let taken = text.top.as_mut().map_or(octets.len(), |top| top.take(octets));
        let octets = octets.get(..taken).unwrap_or_default();
        for piece in octets.chunks(ENCODED_OCTETS) {
            text.multiline.write(piece, self.stream.output());
            self.stream.flush_if_full().await?;
        }
        text.octets += u64::try_from(taken).unwrap_or(u64::MAX);
        Ok(())
    }
}
