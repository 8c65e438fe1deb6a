//! The LMTP role (RFC 2033): its greeting, its extensions, and one reply per recipient.

use super::Context;
use super::reply_line::reply_to_error;
use super::session::Session;
use super::transaction::Transaction;
use crate::codec::smtp::reply::Reply;
use crate::delivery::accept::Outcome;
use crate::model::dsn::MessageOptions;
use crate::model::transaction::MailTransaction;
use crate::net::listener::{Listener, Permits, serve as serve_listeners};
use crate::net::stream::Stream;
use bytes::Bytes;
use std::borrow::Cow;
use std::sync::Arc;

/// What one connection too many is told.
pub const REFUSAL: &[u8] = b"421 4.3.2 too many connections\r\n";

/// Serves LMTP on these listeners until the tasks stop.
pub fn serve(context: Context, listeners: Vec<Listener>) {
    let permits = Permits::new(context.settings.connections_max, REFUSAL);
    let tasks = context.tasks.clone();
    let context = Arc::new(context);
    serve_listeners("lmtp", listeners, permits, &tasks, move |stream| {
        serve_connection(Arc::clone(&context), stream)
    });
}

/// Serves one connection to its end.
pub async fn serve_connection(context: Arc<Context>, stream: Stream) {
    Session::new(context, stream).run().await;
}

pub(super) fn greeting(hostname: &str) -> Reply {
    Reply::plain(220, format!("{hostname} LMTP Eider ready"))
}

/// The reply to LHLO (RFC 2033 §4.1, RFC 5321 §4.1.1.1).
pub(super) fn capabilities(context: &Context, is_tls: bool) -> Reply {
    let mut lines: Vec<Cow<'static, str>> = vec![
        context.hostname.to_string().into(),
        "PIPELINING".into(),
        "ENHANCEDSTATUSCODES".into(),
        "8BITMIME".into(),
        "SMTPUTF8".into(),
        "CHUNKING".into(),
        "BINARYMIME".into(),
        format!("SIZE {}", context.settings.message_octets_max).into(),
    ];
    // RFC 3207 §4.2: not offered once TLS is in force
    if context.tls.is_some() && !is_tls {
        lines.push("STARTTLS".into());
    }
    Reply::multiline(250, lines)
}

/// RFC 2033 §4.1: HELO and EHLO never succeed.
pub(super) fn wrong_greeting() -> Reply {
    Reply::new(500, (5, 5, 1), "this is LMTP: use LHLO")
}

/// Delivers and answers for each recipient, in the order of their RCPT (RFC 2033 §4.2).
pub(super) async fn deliver(
    session: &Session,
    transaction: &Transaction,
    content: Bytes,
) -> Vec<Reply> {
    // One session may bring many messages: the id in Received tells them apart.
    let id = format!("{}.{}", session.id, session.messages);
    let mail = MailTransaction {
        reverse_path: transaction.reverse_path.clone(),
        helo: session.helo.clone().unwrap_or_default(),
        peer: session.stream.peer().ip().to_canonical(),
        with: with_protocol(transaction.parameters.smtp_utf8, session.stream.is_tls()),
        session: id.clone(),
        trace: session.context.delivery.new_trace(),
        options: MessageOptions {
            is_utf8: transaction.parameters.smtp_utf8,
            ..MessageOptions::default()
        },
        lines: Vec::new(),
    };
    let recipients = &transaction.recipients;
    let outcomes = session.context.delivery.accept(&mail, recipients, content).await;
    let replies = recipients.iter().zip(&outcomes).map(|(recipient, outcome)| match outcome {
        Outcome::Delivered(_) => {
            let address = &recipient.path().address;
            Reply::new(250, (2, 0, 0), format!("<{address}> stored {id}"))
        }
        Outcome::Dropped => {
            let address = &recipient.path().address;
            Reply::new(250, (2, 0, 0), format!("<{address}> dropped by the user's rules {id}"))
        }
        Outcome::PassedOn => {
            let address = &recipient.path().address;
            Reply::new(250, (2, 0, 0), format!("<{address}> passed on {id}"))
        }
        // RFC 3463 §3.5: X.4.6 routing loop detected
        Outcome::Looping => Reply::new(554, (5, 4, 6), "the message is looping"),
        Outcome::Failed(error) => reply_to_error(error),
    });
    replies.collect()
}

/// The protocol in the Received line (RFC 3848, RFC 6531 §4.3).
fn with_protocol(smtp_utf8: bool, is_tls: bool) -> &'static str {
    match (smtp_utf8, is_tls) {
        (false, false) => "LMTP",
        (false, true) => "LMTPS",
        (true, false) => "UTF8LMTP",
        (true, true) => "UTF8LMTPS",
    }
}
