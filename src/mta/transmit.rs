//! One message to some recipients over a connection (RFC 5321 §3.3), commands in one go where the
//! server has PIPELINING (RFC 2920).

use super::connection::Connection;
use super::content::Content;
use super::problem::Problem;
use crate::codec::smtp::client_command::{self as command, Mail};
use crate::codec::smtp::data::DataEncoder;
use crate::codec::smtp::server_reply::ServerReply;
use crate::model::dsn::MessageOptions;
use crate::model::queue::Entry;
use std::time::Duration;

/// Octets encoded and written at once.
const PIECE_OCTETS: usize = 64 * 1024;

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
    let octets = message.content.octets.len();
    if extensions.octets_max.is_some_and(|max| u64::try_from(octets).unwrap_or(u64::MAX) > max) {
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
    // RFC 6152 §3: converting would break signatures, so it is returned
    if message.content.is_eight_bit && !extensions.has_eight_bit {
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
    let data = next().await?;
    if !mail.is_positive() || accepted.is_empty() {
        // RFC 2920 §3.1: a server may take the DATA all the same; the message is empty then
        if data.code == 354 {
            connection.ask(b".\r\n").await?;
        }
        return if mail.is_positive() { Ok(()) } else { Err(Problem::reply(&mail)) };
    }
    let last = match data.code {
        354 => write_content(connection, message.content).await?,
        200..400 => return Err(Problem::temporary((4, 5, 0), "an odd reply to DATA")),
        _ => data,
    };
    for index in accepted {
        let said = if last.is_positive() { Ok(last.clone()) } else { Err(Problem::reply(&last)) };
        if let Some(answer) = answers.get_mut(index) {
            *answer = Some(said);
        }
    }
    Ok(())
}

/// MAIL, each RCPT, DATA.
fn lines(connection: &Connection, message: &Message<'_>, is_utf8: bool) -> Vec<Vec<u8>> {
    let extensions = &connection.extensions;
    let about = Mail {
        sender: message.sender,
        octets: u64::try_from(message.content.octets.len()).unwrap_or(u64::MAX),
        is_eight_bit: message.content.is_eight_bit,
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
    lines.push(b"DATA\r\n".to_vec());
    lines
}

/// RFC 5321 §4.5.3.1.10: 552 to RCPT means too many recipients, and is to be taken for 452.
fn recipient_problem(reply: &ServerReply) -> Problem {
    let problem = Problem::reply(reply);
    if reply.code == 552 && reply.status.is_none() { problem.passing() } else { problem }
}

/// The content, and the answer to it.
async fn write_content(
    connection: &mut Connection,
    content: &Content,
) -> Result<ServerReply, Problem> {
    if let Err(error) = write_pieces(connection, content).await {
        // A server that closed may have said why
        let last_words = tokio::time::timeout(Duration::from_secs(2), connection.answer()).await;
        let broken = Problem::broken(&error);
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

async fn write_pieces(connection: &mut Connection, content: &Content) -> std::io::Result<()> {
    let (mut encoder, mut wire) = (DataEncoder::default(), Vec::with_capacity(PIECE_OCTETS));
    for piece in content.octets.chunks(PIECE_OCTETS) {
        encoder.encode(piece, &mut wire);
        connection.stream().write(&wire).await?;
        wire.clear();
    }
    encoder.end(&mut wire);
    connection.stream().write(&wire).await?;
    connection.stream().flush().await
}
