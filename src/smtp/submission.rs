//! The end of the data of a message a user submits (RFC 6409).

use super::reply_line::reply_to_error;
use super::session::Session;
use super::transaction::Transaction;
use crate::codec::smtp::reply::Reply;
use crate::delivery::submit::{Copy, Submission, completed};
use crate::model::error::{Error, Result};
use crate::model::flag::{Flag, FlagSet};
use crate::model::id::{MailboxId, UserId};
use crate::model::mailbox::SpecialUse;
use crate::model::queue::QueueId;
use bytes::Bytes;
use serde_json::Map;

/// Sends, and answers.
pub(super) async fn submit(session: &Session, transaction: &Transaction, content: Bytes) -> Reply {
    match try_submit(session, transaction, content).await {
        Ok(queue_id) => Reply::new(250, (2, 0, 0), format!("queued as {queue_id}")),
        Err(error) => {
            session.log_error(&error);
            let reply = reply_to_error(&error);
            for path in &transaction.paths {
                let delivery = &session.context.delivery;
                delivery.tell_rejected(&transaction.mail, &path.address, &reply.text());
            }
            reply
        }
    }
}

async fn try_submit(
    session: &Session,
    transaction: &Transaction,
    content: Bytes,
) -> Result<QueueId> {
    let Transaction { mail, paths, parameters, .. } = transaction;
    let context = &session.context;
    let user = session.user.as_ref().ok_or(Error::Unauthenticated)?.id;
    // anew: what he may do can have changed since he logged in
    let sender = context.delivery.sender(user).await?;
    let has_from = sender.check_from(&content)?;
    let reverse_path = mail.reverse_path.as_ref().map(ToString::to_string);
    let own = reverse_path.as_ref().unwrap_or(&sender.own.address);
    let domain = own.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
    let domain = idna::domain_to_ascii(domain).unwrap_or_else(|_| "localhost".to_owned());
    let id = format!("{:032x}@{domain}", rand::random::<u128>());
    let from = (!has_from).then_some(own.as_str());
    let content = completed(content, from, context.clock.now_ms(), &id);
    let copy = match sender.keeps_copies {
        true => copy_of(session, user).await?,
        false => None,
    };
    let submission = Submission {
        user,
        sender: mail.reverse_path.clone(),
        with: mail.with,
        recipients: paths.clone(),
        options: mail.options.clone(),
        content,
        due_ms: session.due_ms(parameters),
        copy,
    };
    let submitted = context.delivery.submit(submission).await?;
    if let Some(Err(error)) = &submitted.copy {
        tracing::warn!(user.id = %user, %error, "no copy of a sent message");
    }
    Ok(submitted.queue_id)
}

/// The copy in the mailbox for sent messages, if the user has one.
async fn copy_of(session: &Session, user: UserId) -> Result<Option<Copy>> {
    let all = session.context.mailstore.list_mailboxes(user).await?;
    let sent = all.iter().find(|mailbox| mailbox.special_use == Some(SpecialUse::Sent));
    Ok(sent.map(|mailbox| copy_into(mailbox.id)))
}

fn copy_into(mailbox: MailboxId) -> Copy {
    let flags = FlagSet::new(Flag::Seen.bit(), Vec::new());
    Copy { mailbox, flags, meta: None, info: Map::new() }
}
