//! The session: reads command lines, answers them, ends (RFC 5321 §3, §4; RFC 2920 pipelining).
//!
//! Replies gather in the stream's buffer and are written when no complete command is left to read,
//! so
//! that a pipelined group costs one write.

use super::Context;
use super::reply_line::{bad_sequence, reply_to_syntax_error};
use super::role::Role;
use super::transaction::Transaction;
use crate::codec::smtp::command::{Command, SyntaxErrorKind, parse};
use crate::codec::smtp::framing::{Line, line};
use crate::codec::smtp::reply::Reply;
use crate::model::error::Error;
use crate::model::limits::SMTP_LINE_OCTETS_MAX;
use crate::model::user::User;
use crate::net::stream::Stream;
use crate::screening::visit::Visit;
use bytes::BytesMut;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Commands that are wrong in themselves before we end the session; a client this confused is not a
/// mailer.
const BAD_COMMANDS_MAX: u32 = 50;
/// Time for a TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);

/// Why a session ends.
#[derive(Debug)]
pub(super) enum Ending {
    /// QUIT.
    Quit,
    /// The client closed the connection.
    Gone,
    /// The client was silent for too long.
    Idle,
    /// The node is stopping.
    Stopping,
    /// Too many bad commands.
    BadCommands,
    /// The checks do not want the client; the reply has said so.
    SentAway,
    /// What follows cannot be told from commands any more.
    OutOfStep(Reply),
    /// The socket failed.
    Broken(io::Error),
}

/// One connection.
pub(super) struct Session {
    pub(super) context: Arc<Context>,
    pub(super) stream: Stream,
    pub(super) id: String,
    /// Who connected, whatever XCLIENT says since.
    pub(super) origin: IpAddr,
    /// The client's name; `None` before its greeting.
    pub(super) helo: Option<String>,
    /// It was EHLO or LHLO.
    pub(super) is_extended: bool,
    /// What the client of a trusted client said in its greeting (XCLIENT).
    pub(super) told_helo: Option<String>,
    /// Who has logged in.
    pub(super) user: Option<User>,
    pub(super) transaction: Option<Transaction>,
    /// With relay-in: the checks on the client.
    pub(super) visit: Option<Box<Visit>>,
    /// The session ends after the reply.
    pub(super) is_sent_away: bool,
    pub(super) stopping: CancellationToken,
    bad_commands: u32,
    /// Transactions that reached the end of their data.
    pub(super) messages: u64,
}

impl Session {
    pub(super) fn new(context: Arc<Context>, stream: Stream) -> Self {
        Self {
            stopping: context.tasks.stopping(),
            context,
            origin: stream.peer().ip(),
            stream,
            id: format!("{:016x}", rand::random::<u64>()),
            helo: None,
            is_extended: false,
            told_helo: None,
            user: None,
            transaction: None,
            visit: None,
            is_sent_away: false,
            bad_commands: 0,
            messages: 0,
        }
    }

    /// Runs the session to its end.
    pub(super) async fn run(mut self) {
        let started = Instant::now();
        let refusal = self.screen_connection().await;
        let is_refused = refusal.is_some();
        let greeting = refusal.unwrap_or_else(|| self.greeting());
        self.reply(&greeting);
        let ending = loop {
            if is_refused || self.is_sent_away {
                break Ending::SentAway;
            }
            let next = match self.read_line(SMTP_LINE_OCTETS_MAX).await {
                // Boxed, so that a waiting session does not carry the state of a delivery.
                Ok(octets) => Box::pin(self.handle(&octets)).await,
                Err(ending) => Err(ending),
            };
            if let Err(ending) = next {
                break ending;
            }
        };
        if let Some(reply) = last_reply(&ending) {
            self.reply(&reply);
        }
        let reason = ending_name(&ending);
        tracing::info!(
            session.id = self.id,
            door = self.context.role.name(),
            user.id = self.user.as_ref().map(|user| tracing::field::display(user.id)),
            peer = %self.stream.peer(),
            tls = self.stream.tls_description(),
            messages = self.messages,
            octets_in = self.stream.octets_in(),
            octets_out = self.stream.octets_out(),
            duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            reason,
            "session ended"
        );
        self.stream.close().await;
    }

    /// The next command line, with its CRLF. Lines that are none are answered here.
    pub(super) async fn read_line(&mut self, octets_max: usize) -> Result<BytesMut, Ending> {
        let mut is_too_long = false;
        loop {
            match line(self.stream.buffer(), octets_max) {
                Line::Complete(octets) | Line::BareLineFeed(octets) if is_too_long => {
                    self.stream.consume(octets);
                    is_too_long = false;
                    self.bad_command(&Reply::new(500, (5, 5, 6), "line too long"))?;
                }
                Line::Complete(octets) => return Ok(self.stream.take(octets)),
                Line::BareLineFeed(octets) => {
                    self.stream.consume(octets);
                    // RFC 5321 §2.3.8: a bare LF is not a line end; taking it for one invites
                    // smuggling
                    self.bad_command(&Reply::new(500, (5, 5, 2), "lines end with CRLF"))?;
                }
                Line::TooLong(octets) => {
                    self.stream.consume(octets);
                    is_too_long = true;
                }
                Line::Incomplete => self.wait().await?,
            }
        }
    }

    /// Writes what was answered and waits for more input.
    pub(super) async fn wait(&mut self) -> Result<(), Ending> {
        self.stream.flush().await.map_err(Ending::Broken)?;
        let idle_timeout = Duration::from_secs(self.context.settings.idle_timeout_s);
        let filled = tokio::select! {
            biased;
            filled = self.stream.fill(idle_timeout) => filled,
            () = self.stopping.cancelled() => return Err(Ending::Stopping),
        };
        match filled {
            Ok(0) => Err(Ending::Gone),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Err(Ending::Idle),
            Err(error) => Err(Ending::Broken(error)),
        }
    }

    /// Puts a reply into the output.
    pub(super) fn reply(&mut self, reply: &Reply) {
        reply.write(self.stream.output());
    }

    pub(super) fn bad_command(&mut self, reply: &Reply) -> Result<(), Ending> {
        self.reply(reply);
        self.bad_commands += 1;
        if self.bad_commands > BAD_COMMANDS_MAX { Err(Ending::BadCommands) } else { Ok(()) }
    }

    async fn handle(&mut self, octets: &[u8]) -> Result<(), Ending> {
        if self.stopping.is_cancelled() {
            return Err(Ending::Stopping);
        }
        let started = Instant::now();
        let command = match parse(octets) {
            Ok(command) => command,
            Err(error) => {
                let reply = reply_to_syntax_error(error.kind);
                // RFC 3030 §2: octets follow, but who knows how many
                let is_bdat = octets.get(..4).is_some_and(|v| v.eq_ignore_ascii_case(b"BDAT"));
                if is_bdat && error.kind == SyntaxErrorKind::Arguments {
                    return Err(Ending::OutOfStep(reply));
                }
                return self.bad_command(&reply);
            }
        };
        let name = command.name();
        tracing::trace!(session.id = self.id, command = name, "command");
        let door = self.context.role.name();
        let done = self.dispatch(command).await;
        metrics::histogram!("eider_command_duration_seconds", "door" => door, "command" => name)
            .record(started.elapsed().as_secs_f64());
        done
    }

    async fn dispatch(&mut self, command: Command) -> Result<(), Ending> {
        let is_lmtp = self.context.role == Role::Lmtp;
        let reply = match command {
            Command::Lhlo(name) if is_lmtp => self.greet(name, true).await,
            Command::Ehlo(name) if !is_lmtp => self.greet(name, true).await,
            Command::Helo(name) if !is_lmtp => self.greet(name, false).await,
            Command::Lhlo(_) | Command::Ehlo(_) | Command::Helo(_) => self.wrong_greeting(),
            Command::Mail { path, parameters } => self.mail(path, parameters).await,
            Command::Rcpt { path, parameters } => self.rcpt(path, parameters).await,
            Command::Data => return self.data().await,
            Command::Bdat { octets, is_last } => return self.bdat(octets, is_last).await,
            Command::Burl { url, is_last } => return self.burl(&url, is_last).await,
            Command::Rset => {
                self.transaction = None;
                if let Some(visit) = &mut self.visit {
                    visit.reset().await;
                }
                Reply::new(250, (2, 0, 0), "reset")
            }
            Command::Noop => Reply::new(250, (2, 0, 0), "nothing done"),
            Command::Quit => return Err(Ending::Quit),
            // RFC 5321 §3.5.3, §7.3: VRFY without telling who exists
            Command::Vrfy => Reply::new(252, (2, 0, 0), "cannot verify; use RCPT"),
            Command::Expn => Reply::new(502, (5, 5, 1), "not implemented"),
            Command::Help => Reply::new(214, (2, 0, 0), "see RFC 2033 and RFC 5321"),
            Command::StartTls => return self.start_tls().await,
            Command::Auth { mechanism, initial } => self.auth(&mechanism, initial).await?,
            Command::Xclient(told) => self.xclient(told).await,
        };
        if matches!(reply.code, 500..=504 | 535 | 555) {
            return self.bad_command(&reply);
        }
        self.reply(&reply);
        Ok(())
    }

    async fn greet(&mut self, name: String, is_extended: bool) -> Reply {
        self.helo = Some(self.told_helo.clone().unwrap_or(name));
        self.is_extended = is_extended;
        // RFC 5321 §4.1.4: a greeting in the middle resets
        self.transaction = None;
        if let Some(refusal) = self.screen_greeting().await {
            self.helo = None;
            return refusal;
        }
        if is_extended {
            return self.capabilities();
        }
        Reply::plain(250, self.context.hostname.to_string())
    }

    async fn start_tls(&mut self) -> Result<(), Ending> {
        let Some(acceptor) = self.context.tls.clone() else {
            return self.bad_command(&Reply::new(502, (5, 5, 1), "TLS is not offered"));
        };
        if self.stream.is_tls() {
            return self.bad_command(&bad_sequence("TLS is in force already"));
        }
        self.reply(&Reply::new(220, (2, 0, 0), "ready for TLS"));
        // Flushes the reply, and discards what was pipelined behind the command (RFC 3207 §4.2).
        self.stream.start_tls(&acceptor, HANDSHAKE_TIMEOUT).await.map_err(Ending::Broken)?;
        // RFC 3207 §4.2: back to the state before the greeting
        self.helo = None;
        self.transaction = None;
        self.user = None;
        Ok(())
    }

    /// Logs an error that is being answered, if somebody ought to look at it.
    pub(super) fn log_error(&self, error: &Error) {
        if matches!(error, Error::Unavailable { .. } | Error::Internal { .. }) {
            let cause = std::error::Error::source(error).map(tracing::field::display);
            tracing::warn!(session.id = self.id, %error, cause, "a recipient was put off");
        }
    }
}

fn last_reply(ending: &Ending) -> Option<Reply> {
    match ending {
        Ending::Quit => Some(Reply::new(221, (2, 0, 0), "bye")),
        Ending::Idle => Some(Reply::new(421, (4, 4, 2), "idle for too long")),
        Ending::Stopping => Some(Reply::new(421, (4, 3, 2), "the server is stopping")),
        Ending::BadCommands => Some(Reply::new(421, (4, 7, 0), "too many bad commands")),
        Ending::OutOfStep(reply) => Some(reply.clone()),
        Ending::SentAway | Ending::Gone | Ending::Broken(_) => None,
    }
}

fn ending_name(ending: &Ending) -> &'static str {
    match ending {
        Ending::Quit => "quit",
        Ending::Gone => "client closed",
        Ending::Idle => "idle",
        Ending::Stopping => "stopping",
        Ending::BadCommands => "too many bad commands",
        Ending::SentAway => "sent away",
        Ending::OutOfStep(_) => "out of step",
        Ending::Broken(error) => {
            tracing::debug!(%error, "connection broken");
            "connection broken"
        }
    }
}
