//! One session: the loop, and which command may run in which state (RFC 1939 §3).
//!
//! Replies gather in the stream's buffer and are written when no complete line is left to read, so
//! that a pipelined group costs one write (RFC 2449 §6.6).

use super::Context;
use super::reply::{Failure, Outcome, Reply};
use super::status_line;
use super::transaction::Transaction;
use crate::codec::pop3::command::{Command, SyntaxError, parse};
use crate::codec::pop3::reply::{write_err, write_ok};
use crate::codec::smtp::framing::{Line, line};
use crate::model::limits::{POP3_BAD_COMMANDS_MAX, POP3_LINE_OCTETS_MAX};
use crate::net::network::any_contains;
use crate::net::stream::Stream;
use bytes::BytesMut;
use futures_util::FutureExt;
use std::io;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// One client's session.
#[derive(Debug)]
pub struct Session {
    pub(super) context: Context,
    pub(super) stream: Stream,
    /// What USER said, until PASS.
    pub(super) username: Option<String>,
    /// There after login.
    pub(super) transaction: Option<Box<Transaction>>,
    /// Set by STLS: the handshake follows its reply.
    pub(super) is_stls_due: bool,
    /// Set by QUIT: the session ends after its reply.
    pub(super) is_over: bool,
    stop: CancellationToken,
    started: Instant,
    bad_commands: u32,
    commands: u64,
}

/// How a session ends.
#[derive(Debug)]
pub enum End {
    /// QUIT.
    Quit,
    /// The client closed the connection.
    Closed,
    /// The user may no longer be here; why.
    Ended(String),
    /// The client was silent for too long.
    Idle,
    /// The node is stopping.
    Stopping,
    /// Too many bad commands.
    BadCommands,
    /// The socket failed, or what follows would be wrong.
    Broken(io::Error),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::TimedOut { Self::Idle } else { Self::Broken(error) }
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Quit => f.write_str("quit"),
            Self::Closed => f.write_str("closed by client"),
            Self::Ended(reason) => f.write_str(reason),
            Self::Idle => f.write_str("idle"),
            Self::Stopping => f.write_str("stopping"),
            Self::BadCommands => f.write_str("too many bad commands"),
            Self::Broken(error) => error.fmt(f),
        }
    }
}

/// Runs a session to its end.
pub async fn run(context: Context, stream: Stream, stop: CancellationToken) {
    let id = format!("{:012x}", rand::random::<u64>() >> 16);
    let span = tracing::info_span!("pop3", session.id = id, user.id = tracing::field::Empty);
    let mut session = Session {
        context,
        stream,
        username: None,
        transaction: None,
        is_stls_due: false,
        is_over: false,
        stop,
        started: Instant::now(),
        bad_commands: 0,
        commands: 0,
    };
    async {
        let served = AssertUnwindSafe(session.serve()).catch_unwind().await;
        let end = served.map_or_else(
            |_| {
                metrics::counter!("eider_panics_total", "task" => "pop3").increment(1);
                tracing::error!("a session panicked");
                "panic".to_owned()
            },
            |end| end.to_string(),
        );
        tracing::info!(
            peer = %session.stream.peer(),
            commands = session.commands,
            octets_in = session.stream.octets_in(),
            octets_out = session.stream.octets_out(),
            duration_ms = u64::try_from(session.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            end,
            "session ended"
        );
        // RFC 1939 §6: without QUIT nothing is removed
        if let Some(transaction) = session.transaction.take() {
            transaction.abandon(&session.context).await;
        }
        session.stream.close().await;
    }
    .instrument(span)
    .await;
}

impl Session {
    async fn serve(&mut self) -> End {
        match self.serve_commands().await {
            Ok(end) | Err(end) => end,
        }
    }

    async fn serve_commands(&mut self) -> Result<End, End> {
        write_ok("Eider ready", self.stream.output());
        loop {
            match self.read_line(POP3_LINE_OCTETS_MAX).await? {
                // Boxed, so that a waiting session does not carry the state of a command
                Some(line) => Box::pin(self.run_command(&line)).await?,
                None => self.answer(&Reply::Bad("the line is too long")),
            }
            self.stream.flush_if_full().await?;
            if self.is_over {
                return Ok(End::Quit);
            }
            if self.bad_commands > POP3_BAD_COMMANDS_MAX {
                return Ok(End::BadCommands);
            }
        }
    }

    /// How long the client may be silent now.
    fn patience(&self) -> Duration {
        let settings = &self.context.settings;
        if self.transaction.is_some() {
            return Duration::from_secs(settings.idle_timeout_s);
        }
        // a stranger has so long in all, whatever he sends
        Duration::from_secs(settings.login_timeout_s).saturating_sub(self.started.elapsed())
    }

    /// The next line with its end; `None`: it was too long and is dropped.
    ///
    /// A bare LF ends a line too: people and old scripts send that, and no message is ever received
    /// here, so there is nothing to smuggle.
    pub(super) async fn read_line(&mut self, octets_max: usize) -> Result<Option<BytesMut>, End> {
        let mut is_too_long = false;
        loop {
            match line(self.stream.buffer(), octets_max) {
                Line::Complete(octets) | Line::BareLineFeed(octets) => {
                    let line = self.stream.take(octets);
                    return Ok((!is_too_long).then_some(line));
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
    async fn wait(&mut self) -> Result<(), End> {
        self.stream.flush().await?;
        let patience = self.patience();
        let ends = self.transaction.as_mut().map(|transaction| &mut transaction.ends);
        let bell = async {
            match ends {
                Some(ends) => ends.woken().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(End::Stopping),
            octets = self.stream.fill(patience) => match octets? {
                0 => Err(End::Closed),
                _ => Ok(()),
            },
            () = bell => self.check_standing().await,
        }
    }

    /// Ends the session of a user who may no longer be here. POP3 has no way to say it unasked.
    async fn check_standing(&self) -> Result<(), End> {
        let Some(transaction) = &self.transaction else { return Ok(()) };
        match transaction.reason_to_end(&self.context).await {
            Ok(Some(reason)) => Err(End::Ended(reason)),
            Ok(None) => Ok(()),
            // asked again before anything changes
            Err(error) => {
                tracing::warn!(%error, "the user was not looked up");
                Ok(())
            }
        }
    }

    async fn run_command(&mut self, line: &[u8]) -> Result<(), End> {
        let command = match parse(line) {
            Ok(command) => command,
            Err(error) => {
                self.answer(&Reply::Bad(match error {
                    SyntaxError::UnknownCommand => "unknown command",
                    SyntaxError::Arguments => "wrong arguments",
                }));
                return Ok(());
            }
        };
        let name = command.name();
        let since = Instant::now();
        self.commands += 1;
        let reply = match self.handle(command).await {
            Ok(reply) => reply,
            Err(Failure::Meaning(error)) => status_line::reply_of(&error),
            Err(Failure::Connection(error)) => return Err(error.into()),
        };
        measure(name, &reply, since.elapsed());
        self.answer(&reply);
        if self.is_stls_due {
            self.start_tls().await?;
        }
        Ok(())
    }

    /// RFC 1939 §4 to §7, RFC 2449 §5, RFC 2595 §4, RFC 6856 §2, §3: each command in its states.
    async fn handle(&mut self, command: Command) -> Outcome {
        let is_authorized = self.transaction.is_some();
        match command {
            Command::Capa => self.capa(),
            Command::Lang(tag) => self.lang(tag.as_deref()),
            Command::Quit => self.quit().await,
            Command::User(name) if !is_authorized => self.user(name),
            Command::Pass(password) if !is_authorized => self.pass(&password).await,
            Command::Mechanisms if !is_authorized => self.list_mechanisms(),
            Command::Auth { mechanism, initial } if !is_authorized => {
                self.auth(&mechanism, initial).await
            }
            Command::Stls if !is_authorized => self.stls(),
            Command::Utf8 if !is_authorized => Ok(Reply::ok("UTF-8 is in force")),
            Command::User(_)
            | Command::Pass(_)
            | Command::Mechanisms
            | Command::Auth { .. }
            | Command::Stls
            | Command::Utf8 => Ok(Reply::Bad("you are logged in")),
            _ if !is_authorized => Ok(Reply::Bad("log in first")),
            Command::Stat => self.stat(),
            Command::List(number) => self.list(number).await,
            Command::Uidl(number) => self.uidl(number).await,
            Command::Retr(number) => self.retrieve(number, None).await,
            Command::Top { number, lines } => self.retrieve(number, Some(lines)).await,
            Command::Dele(number) => self.dele(number),
            Command::Rset => self.rset(),
            Command::Noop => Ok(Reply::ok("")),
        }
    }

    fn answer(&mut self, reply: &Reply) {
        match reply {
            Reply::Ok(text) => write_ok(text, self.stream.output()),
            Reply::Refused(code, text) => write_err(*code, text, self.stream.output()),
            Reply::Bad(text) => {
                self.bad_commands += 1;
                write_err(None, text, self.stream.output());
            }
            Reply::Written => {}
        }
    }

    /// Whether a password may be sent on this connection.
    pub(super) fn may_send_password(&self) -> bool {
        let peer = self.stream.peer().ip();
        self.stream.is_tls() || any_contains(&self.context.settings.plaintext_auth_from, peer)
    }

    async fn start_tls(&mut self) -> Result<(), End> {
        self.is_stls_due = false;
        let Some(acceptor) = self.context.tls.clone() else { return Ok(()) };
        // RFC 2595 §4: what the client said before does not count; the stream drops what it
        // pipelined
        self.username = None;
        self.stream.start_tls(&acceptor, self.patience()).await?;
        Ok(())
    }
}

fn measure(command: &'static str, reply: &Reply, took: Duration) {
    let result = match reply {
        Reply::Ok(_) | Reply::Written => "ok",
        Reply::Refused(..) => "no",
        Reply::Bad(_) => "bad",
    };
    metrics::counter!("eider_pop3_commands_total", "command" => command, "result" => result)
        .increment(1);
    metrics::histogram!("eider_command_duration_seconds", "door" => "pop3", "command" => command)
        .record(took.as_secs_f64());
}
