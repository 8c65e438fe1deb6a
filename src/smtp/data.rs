//! DATA and BDAT: the content comes in (RFC 5321 §4.1.1.4, RFC 3030 §2).
//!
//! Whatever is wrong with a message, its octets are read to their end before the refusal: they must
//! never be taken for commands.

use super::reply_line::{bad_sequence, too_large};
use super::role::Role;
use super::screen::Screened;
use super::session::{Ending, Session};
use super::transaction::{Receiving, Transaction};
use super::{lmtp, relay, submission};
use crate::codec::smtp::data::{DataDecoder, has_bare_line_ends};
use crate::codec::smtp::parameters::Body;
use crate::codec::smtp::reply::Reply;
use crate::spool::Spool;
use bytes::Bytes;

/// How many times the size limit we read of a message that is too large, before we end the session.
const DRAINED_TIMES_MAX: u64 = 8;

impl Session {
    fn new_receiving(&self) -> Receiving {
        let octets_max = self.context.settings.message_octets_max;
        Receiving { spool: Spool::new(&self.context.spool_dir, octets_max), has_failed: false }
    }

    /// DATA: content up to `<CRLF>.<CRLF>`, then the replies.
    pub(super) async fn data(&mut self) -> Result<(), Ending> {
        if let Some(refusal) = self.refuse_data() {
            self.reply(&refusal);
            return Ok(());
        }
        self.reply(&Reply::plain(354, "end with <CRLF>.<CRLF>"));
        let mut receiving = self.new_receiving();
        let mut decoder = DataDecoder::default();
        loop {
            let mut done = 0;
            let is_end = loop {
                let rest = self.stream.buffer().get(done..).unwrap_or_default();
                if rest.is_empty() {
                    break false;
                }
                let step = decoder.step(rest);
                receiving.push(step.content).await;
                done += step.consumed;
                if step.is_end {
                    break true;
                }
            };
            self.stream.consume(done);
            if is_end {
                break;
            }
            self.bound_drain(&receiving)?;
            self.wait().await?;
        }
        self.finish(receiving).await;
        Ok(())
    }

    fn refuse_data(&self) -> Option<Reply> {
        let Some(transaction) = &self.transaction else {
            return Some(bad_sequence("MAIL first"));
        };
        if transaction.chunks.is_some() {
            // RFC 3030 §2: DATA and BDAT do not mix
            return Some(bad_sequence("go on with BDAT"));
        }
        if transaction.count() == 0 {
            // RFC 2033 §4.2: without a recipient DATA fails with 503
            return Some(bad_sequence("no valid recipients"));
        }
        // RFC 3030 §3: BINARYMIME needs BDAT
        (transaction.parameters.body == Body::Binary).then(|| bad_sequence("BINARYMIME needs BDAT"))
    }

    /// BDAT: one chunk; after the last one the replies as after DATA.
    pub(super) async fn bdat(&mut self, octets: u64, is_last: bool) -> Result<(), Ending> {
        let has_recipients =
            self.transaction.as_ref().is_some_and(|transaction| transaction.count() > 0);
        let mut receiving = self.take_receiving();
        // Even a chunk out of sequence is read: it is on its way (RFC 3030 §2).
        self.receive_chunk(octets, has_recipients.then_some(&mut receiving)).await?;
        if !has_recipients {
            self.reply(&bad_sequence("no valid recipients"));
            return Ok(());
        }
        self.end_chunk(receiving, is_last, format!("{octets} octets received")).await;
        Ok(())
    }

    /// What has come so far, for the next chunk.
    pub(super) fn take_receiving(&mut self) -> Receiving {
        let chunks = self.transaction.as_mut().and_then(|transaction| transaction.chunks.take());
        chunks.unwrap_or_else(|| self.new_receiving())
    }

    /// A chunk is there: the next one is awaited, or the message is whole.
    pub(super) async fn end_chunk(&mut self, receiving: Receiving, is_last: bool, text: String) {
        if is_last {
            self.finish(receiving).await;
            return;
        }
        let reply = self.refuse_received(&receiving);
        self.reply(&reply.unwrap_or_else(|| Reply::new(250, (2, 0, 0), text)));
        if let Some(transaction) = &mut self.transaction {
            transaction.chunks = Some(receiving);
        }
    }

    async fn receive_chunk(
        &mut self,
        octets: u64,
        mut receiving: Option<&mut Receiving>,
    ) -> Result<(), Ending> {
        let most = self.context.settings.message_octets_max.saturating_mul(DRAINED_TIMES_MAX);
        if octets > most {
            let reply = too_large(self.context.settings.message_octets_max);
            return Err(Ending::OutOfStep(reply));
        }
        let mut missing = octets;
        while missing > 0 {
            if self.stream.buffer().is_empty() {
                self.wait().await?;
            }
            let here = usize::try_from(missing).unwrap_or(usize::MAX);
            let piece = self.stream.take(here);
            missing = missing.saturating_sub(piece.len() as u64);
            if let Some(receiving) = &mut receiving {
                receiving.push(&piece).await;
                self.bound_drain(receiving)?;
            }
        }
        Ok(())
    }

    fn bound_drain(&self, receiving: &Receiving) -> Result<(), Ending> {
        let octets_max = self.context.settings.message_octets_max;
        if receiving.spool.octets() > octets_max.saturating_mul(DRAINED_TIMES_MAX) {
            return Err(Ending::OutOfStep(too_large(octets_max)));
        }
        Ok(())
    }

    fn refuse_received(&self, receiving: &Receiving) -> Option<Reply> {
        if receiving.spool.is_too_large() {
            return Some(too_large(self.context.settings.message_octets_max));
        }
        // RFC 3463 §3.4: X.3.1 mail system full
        receiving.has_failed.then(|| Reply::new(452, (4, 3, 1), "insufficient storage"))
    }

    /// The transaction is over: delivers and answers, with LMTP for each recipient.
    async fn finish(&mut self, receiving: Receiving) {
        let Some(mut transaction) = self.transaction.take() else { return };
        self.messages += 1;
        let replies = match self.refuse_received(&receiving) {
            Some(refusal) => self.for_all(&transaction, refusal),
            None => self.deliver(&mut transaction, receiving).await,
        };
        for reply in &replies {
            self.reply(reply);
        }
    }

    fn for_all(&self, transaction: &Transaction, reply: Reply) -> Vec<Reply> {
        let count = if self.context.role == Role::Lmtp { transaction.count() } else { 1 };
        vec![reply; count]
    }

    async fn deliver(&mut self, transaction: &mut Transaction, receiving: Receiving) -> Vec<Reply> {
        let content: Bytes = match receiving.spool.finish().await {
            Ok(content) => content,
            Err(error) => {
                tracing::error!(session.id = self.id, %error, "cannot read a spooled message");
                let refusal = Reply::new(451, (4, 3, 0), "temporarily unavailable");
                return self.for_all(transaction, refusal);
            }
        };
        let role = self.context.role;
        // RFC 5321 §2.3.8: others may take a bare CR or LF for the end of a line, and what follows
        // for a message of its own
        let may_be_binary = role == Role::Lmtp || transaction.parameters.body == Body::Binary;
        if !may_be_binary && has_bare_line_ends(&content) {
            return vec![Reply::new(550, (5, 5, 2), "the message has a bare CR or LF")];
        }
        match role {
            Role::Lmtp => lmtp::deliver(self, transaction, content).await,
            Role::Relay => match self.screen_message(transaction, content).await {
                Screened::Taken(content) => {
                    vec![relay::deliver(self, transaction, content).await]
                }
                Screened::Answered(reply) => vec![reply],
            },
            Role::Submission => vec![submission::submit(self, transaction, content).await],
        }
    }
}
