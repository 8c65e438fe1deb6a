//! The end of the data with LMTP: one reply per recipient (RFC 2033 §4.2).

use super::reply_line::reply_to_error;
use super::session::Session;
use super::transaction::Transaction;
use crate::codec::smtp::reply::Reply;
use crate::delivery::accept::Outcome;
use bytes::Bytes;

/// Delivers and answers for each recipient, in the order of their RCPT.
pub(super) async fn deliver(
    session: &Session,
    transaction: &Transaction,
    content: Bytes,
) -> Vec<Reply> {
    let Transaction { mail, recipients, .. } = transaction;
    let outcomes = session.context.delivery.accept(mail, recipients, content).await;
    let replies = recipients.iter().zip(&outcomes).map(|(recipient, outcome)| {
        let address = &recipient.path().address;
        reply_to_outcome(outcome, &format!("<{address}>"), &mail.session)
    });
    replies.collect()
}

/// The reply about a recipient, or about all of them.
pub(super) fn reply_to_outcome(outcome: &Outcome, whom: &str, id: &str) -> Reply {
    let accepted = |what: &str| Reply::new(250, (2, 0, 0), format!("{whom} {what} {id}"));
    match outcome {
        Outcome::Delivered(_) => accepted("stored"),
        Outcome::Dropped => accepted("dropped by the user's rules"),
        Outcome::PassedOn => accepted("passed on"),
        // RFC 3463 §3.5: X.4.6 routing loop detected
        Outcome::Looping => Reply::new(554, (5, 4, 6), "the message is looping"),
        Outcome::Failed(error) => reply_to_error(error),
    }
}
