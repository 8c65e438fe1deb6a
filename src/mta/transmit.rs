//! One message to some recipients over a connection (RFC 5321 §3.3), commands in one go where the
//! server has PIPELINING (RFC 2920), the content as one chunk where it has CHUNKING (RFC 3030).

use super::connection::Connection;
use super::content::{Content, unreadable};
use super::problem::Problem;
use crate::codec::smtp::client_command::{self as command, Mail};
use crate::codec::smtp::data::DataEncoder;
use crate::codec::smtp::server_reply::ServerReply;
use crate::model::dsn::MessageOptions;
use crate::model::queue::Entry;
use std::time::Duration;

/// A message to send.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Reverse-path, empty for the null path.
    pub sender: &'a str,
    /// What its sender asked for.
    pub options: &'a MessageOptions,
    /// What is sent.
    pub content: &'a Content,
    /// To whom.
    pub recipients: &'a [Entry],
}

/// What became of the message for a recipient.
pub type Answer = Result<ServerReply, Problem>;

/// Sends a message. One answer for each recipient, in their order; after a fatal problem the
/// connection is of no more use.
pub async fn transmit(connection: &mut Connection, message: &Message<'_>) -> Vec<Answer> {
    let mut answers: Vec<Option<Answer>> = vec![None; message.recipients.len()];
    let is_utf8 = needs_utf8(message);
    let ended = match unfit(connection, message, is_utf8) {
        Some(problem) => Err(problem),
        None => dialogue(connection, message, is_utf8, &mut answers).await,
    };
    let left = ended.err().unwrap_or_else(|| Problem::temporary((4, 5, 0), "no answer"));
    answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(left.clone()))).collect()
}

/// RFC 6531 §3.4: SMTPUTF8 is for addresses and headers that need it. A domain can be said in ASCII.
fn needs_utf8(message: &Message<'_>) -> bool {
    let is_local_ascii =
        |address: &str| address.rsplit_once('@').is_none_or(|(local, _)| local.is_ascii());
    message.content.is_header_utf8
        || !is_local_ascii(message.sender)
        || message.recipients.iter().any(|entry| !is_local_ascii(&entry.recipient))
}

/// Why the message cannot be given to this server.
fn unfit(connection: &Connection, message: &Message<'_>, is_utf8: bool) -> Option<Problem> {
    let extensions = &connection.extensions;
    let octets = message.content.octets;
    if extensions.octets_max.is_some_and(|max| octets > max) {
        return Some(Problem::permanent((5, 3, 4), "the message is too large for the server"));
    }
    // RFC 8689 §4.2.1
    if message.options.requires_tls && !(connection.is_verified && extensions.has_requiretls) {
        return Some(Problem::permanent((5, 7, 30), "REQUIRETLS is not supported by the server"));
    }
    // RFC 6531 §3.2
    if is_utf8 && !extensions.has_utf8 {
        return Some(Problem::permanent((5, 6, 7), "the server does not take UTF-8 addresses"));
    }
    // RFC 3030 §3 and RFC 6152 §3: converting would break signatures, so it is returned
    if message.content.is_binary && !(extensions.has_binary && extensions.has_chunking) {
        return Some(Problem::permanent((5, 6, 3), "the server does not take binary content"));
    }
    if message.content.is_eight_bit && !message.content.is_binary && !extensions.has_eight_bit {
        return Some(Problem::permanent((5, 6, 3), "the server does not take 8-bit content"));
    }
    let mut addresses = message.recipients.iter().map(|entry| entry.recipient.as_str());
    if !command::is_sendable(message.sender) || !addresses.all(command::is_sendable) {
        return Some(Problem::permanent((5, 1, 3), "that address cannot be said in SMTP"));
    }
    None
}

async fn dialogue(
    connection: &mut Connection,
    message: &Message<'_>,
    is_utf8: bool,
    answers: &mut [Option<Answer>],
) -> Result<(), Problem> {
    if std::mem::replace(&mut connection.has_begun, true) {
        connection.ask(b"RSET\r\n").await?;
    }
    let mut lines = lines(connection, message, is_utf8).into_iter();
    let is_pipelined = connection.extensions.has_pipelining;
    let is_chunked = connection.extensions.has_chunking;
    if is_pipelined {
        for line in lines.clone() {
            connection.stream().push(&line);
        }
        connection.flush().await?;
    }
    let mut next = async || match (lines.next(), is_pipelined) {
        (Some(line), false) => connection.ask(&line).await,
        _ => connection.answer().await,
    };
    let mail = next().await?;
    if !mail.is_positive() && !is_pipelined {
        return Err(Problem::reply(&mail));
    }
    let mut accepted = Vec::new();
    for (index, answer) in answers.iter_mut().enumerate() {
        let reply = next().await?;
        if reply.is_positive() {
            accepted.push(index);
        } else if mail.is_positive() {
            *answer = Some(Err(recipient_problem(&reply)));
        }
    }
    if accepted.is_empty() && !is_pipelined {
        return Ok(());
    }
    let last = if is_chunked {
        if !mail.is_positive() {
            return Err(Problem::reply(&mail));
        }
        if accepted.is_empty() {
            return Ok(());
        }
        let command = format!("BDAT {} LAST\r\n", message.content.octets);
        connection.stream().push(command.as_bytes());
        write_content(connection, message.content, None).await?
    } else {
        let data = next().await?;
        if !mail.is_positive() || accepted.is_empty() {
            // RFC 2920 §3.1: a server may take the DATA all the same; the message is empty then
            if data.code == 354 {
                connection.ask(b".\r\n").await?;
            }
            return if mail.is_positive() { Ok(()) } else { Err(Problem::reply(&mail)) };
        }
        match data.code {
            354 => write_content(connection, message.content, Some(DataEncoder::default())).await?,
            200..400 => return Err(Problem::temporary((4, 5, 0), "an odd reply to DATA")),
            _ => data,
        }
    };
    for index in accepted {
        let said = if last.is_positive() { Ok(last.clone()) } else { Err(Problem::reply(&last)) };
        if let Some(answer) = answers.get_mut(index) {
            *answer = Some(said);
        }
    }
    Ok(())
}

/// MAIL, each RCPT, DATA unless it goes as a chunk.
fn lines(connection: &Connection, message: &Message<'_>, is_utf8: bool) -> Vec<Vec<u8>> {
    let extensions = &connection.extensions;
    let about = Mail {
        sender: message.sender,
        octets: message.content.octets,
        is_eight_bit: message.content.is_eight_bit,
        is_binary: message.content.is_binary,
        is_utf8,
        options: message.options,
    };
    let mut mail = Vec::new();
    command::mail(extensions, &about, &mut mail);
    let mut lines = vec![mail];
    for entry in message.recipients {
        let mut rcpt = Vec::new();
        command::rcpt(extensions, is_utf8, &entry.recipient, &entry.dsn, &mut rcpt);
        lines.push(rcpt);
    }
    if !extensions.has_chunking {
        lines.push(b"DATA\r\n".to_vec());
    }
    lines
}

/// RFC 5321 §4.5.3.1.10: 552 to RCPT means too many recipients, and is to be taken for 452.
fn recipient_problem(reply: &ServerReply) -> Problem {
    let problem = Problem::reply(reply);
    if reply.code == 552 && reply.status.is_none() { problem.passing() } else { problem }
}

/// The content, and the answer to it. `encoder`: of DATA, else as it is.
async fn write_content(
    connection: &mut Connection,
    content: &Content,
    encoder: Option<DataEncoder>,
) -> Result<ServerReply, Problem> {
    if let Err(broken) = write_pieces(connection, content, encoder).await {
        // A server that closed may have said why
        let last_words = tokio::time::timeout(Duration::from_secs(2), connection.answer()).await;
        return Err(match last_words {
            Ok(Ok(reply)) if !reply.is_positive() => {
                Problem { is_fatal: true, ..Problem::reply(&reply) }
            }
            Ok(Err(problem)) if problem.is_reply => problem,
            _ => broken,
        });
    }
    let reply = connection.final_answer().await?;
    connection.has_begun = false;
    Ok(reply)
}

async fn write_pieces(
    connection: &mut Connection,
    content: &Content,
    mut encoder: Option<DataEncoder>,
) -> Result<(), Problem> {
    let broken = |error: std::io::Error| Problem::broken(&error);
    // Half a message is none: the connection goes with it
    let gone = |error| Problem { is_fatal: true, ..unreadable(&error) };
    let (mut pieces, mut wire) = (content.pieces(), Vec::new());
    while let Some(piece) = pieces.next().await.map_err(gone)? {
        match &mut encoder {
            Some(encoder) => {
                wire.clear();
                encoder.encode(&piece, &mut wire);
                connection.stream().write(&wire).await.map_err(broken)?;
            }
            None => connection.stream().write(&piece).await.map_err(broken)?,
        }
    }
    if let Some(encoder) = encoder {
        wire.clear();
        encoder.end(&mut wire);
        connection.stream().write(&wire).await.map_err(broken)?;
    }
    connection.stream().flush().await.map_err(broken)
}
