//! Relay-in asks the checks on strangers at each step, and does what they say.

use super::role::Role;
use super::session::Session;
use super::transaction::Transaction;
use crate::codec::smtp::reply::Reply;
use crate::model::address::EmailAddress;
use crate::model::user::User;
use crate::screening::verdict::Verdict;
use bytes::Bytes;

/// A message after the checks.
pub(super) enum Screened {
    /// It is delivered, with these octets.
    Taken(Bytes),
    /// It is answered, and goes no further.
    Answered(Reply),
}

impl Session {
    /// A client has connected, or another is spoken for. `Some`: he is sent away.
    pub(super) async fn screen_connection(&mut self) -> Option<Reply> {
        if self.context.role != Role::Relay {
            return None;
        }
        let peer = self.stream.peer().ip();
        // the place of the one before is free first
        self.visit = None;
        let mut visit = self.context.screening.visit(peer, self.stream.local());
        let verdict = visit.connected().await;
        self.visit = Some(Box::new(visit));
        self.obey(verdict).await
    }

    /// He has greeted.
    pub(super) async fn screen_greeting(&mut self) -> Option<Reply> {
        let helo = self.helo.as_deref().unwrap_or_default();
        let verdict = self.visit.as_mut()?.greeted(helo).await;
        self.obey(verdict).await
    }

    /// A transaction begins.
    pub(super) async fn screen_sender(&mut self, transaction: &Transaction) -> Option<Reply> {
        let mail = &transaction.mail;
        let verdict = self.visit.as_mut()?.sender(mail.reverse_path.as_ref(), mail.trace).await;
        self.obey(verdict).await
    }

    /// He names a recipient who exists.
    pub(super) async fn screen_recipient(
        &mut self,
        address: &EmailAddress,
        user: Option<&User>,
    ) -> Option<Reply> {
        let verdict = self.visit.as_mut()?.recipient(address, user).await;
        self.obey(verdict).await
    }

    /// He names a recipient who does not exist.
    pub(super) async fn screen_unknown(&mut self) -> Option<Reply> {
        let verdict = self.visit.as_mut()?.unknown_recipient().await;
        self.obey(verdict).await
    }

    /// The message is there. What the checks found is put in front of it.
    pub(super) async fn screen_message(
        &mut self,
        transaction: &mut Transaction,
        content: Bytes,
    ) -> Screened {
        let Some(visit) = &mut self.visit else { return Screened::Taken(content) };
        let screened = visit.message(content).await;
        transaction.mail.lines = screened.lines;
        if let Some(refusal) = self.obey(screened.verdict).await {
            for recipient in &transaction.recipients {
                let delivery = &self.context.delivery;
                let address = &recipient.path().address;
                delivery.tell_rejected(&transaction.mail, address, &refusal.text());
            }
            return Screened::Answered(refusal);
        }
        if screened.is_discarded {
            let text = format!("accepted as {}", transaction.mail.session);
            return Screened::Answered(Reply::new(250, (2, 0, 0), text));
        }
        Screened::Taken(screened.content)
    }

    /// Does what a verdict says; the refusal, if it is one.
    async fn obey(&mut self, verdict: Verdict) -> Option<Reply> {
        match verdict {
            Verdict::Pass => None,
            Verdict::Delay(delay) => {
                tokio::select! {
                    () = self.stopping.cancelled() => {}
                    () = tokio::time::sleep(delay) => {}
                }
                None
            }
            Verdict::Refuse(refusal) => {
                self.is_sent_away |= refusal.hang_up;
                Some(Reply::new(refusal.code, refusal.enhanced, refusal.text))
            }
        }
    }
}
