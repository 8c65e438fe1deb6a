//! The end of the data of mail that comes in: one reply for all recipients (RFC 5321 §4.2.5).

use super::lmtp::reply_to_outcome;
use super::session::Session;
use super::transaction::Transaction;
use crate::codec::smtp::reply::Reply;
use crate::delivery::whole::Whole;
use bytes::Bytes;

/// Delivers, and answers for all.
pub(super) async fn deliver(session: &Session, transaction: &Transaction, content: Bytes) -> Reply {
    let Transaction { mail, recipients, .. } = transaction;
    match session.context.delivery.accept_whole(mail, recipients, content).await {
        Whole::Accepted => Reply::new(250, (2, 0, 0), format!("accepted as {}", mail.session)),
        Whole::Refused(outcome) => reply_to_outcome(&outcome, "message", &mail.session),
    }
}
