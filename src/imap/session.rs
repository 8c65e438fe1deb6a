//! One session: the loop and the four states (RFC 9051 §3).
//!
//! A session is one task that owns its connection. Between commands it holds no buffers and no
//! view, so
//! that an idle connection costs little more than its TLS state.

use super::Context;
use super::capability::capabilities;
use super::literals::Diverted;
use super::reply::{Failure, Outcome, Reply, Status};
use super::search::context::Contexts;
use super::selected::Selected;
use super::status_line;
use super::watch::Watch;
use crate::auth::traffic::Traffic;
use crate::auth::user_sessions::UserPermit;
use crate::cluster::notifier::Subscription;
use crate::codec::collation::Collation;
use crate::codec::imap::command::{self, Command};
use crate::codec::imap::command_table::States;
use crate::codec::imap::error::{ErrorKind, ParseError};
use crate::codec::imap::fetch_response::Style;
use crate::codec::imap::framing::{Frame, Framer};
use crate::codec::imap::lexer;
use crate::codec::imap::response::{Condition, Writer};
use crate::codec::imap::response_code::ResponseCode;
use crate::mailstore::recent::Recent;
use crate::mailstore::view::View;
use crate::model::id::{MailboxId, UserId};
use crate::model::limits::IMAP_BAD_COMMANDS_MAX;
use crate::model::mailbox::MailboxName;
use crate::model::rights::Rights;
use crate::model::user::User;
use crate::net::stream::Stream;
use bytes::Bytes;
use futures_util::FutureExt;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::Weak;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// What the client has enabled (RFC 5161).
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Enabled {
    /// CONDSTORE, by ENABLE or by a command that uses it (RFC 7162 §3.1).
    pub condstore: bool,
    /// QRESYNC: VANISHED instead of EXPUNGE (RFC 7162 §3.2).
    pub qresync: bool,
    /// UIDONLY: no sequence numbers in either direction (RFC 9586).
    pub uid_only: bool,
    /// UTF8=ACCEPT (RFC 6855).
    pub utf8: bool,
    /// IMAP4rev2.
    pub rev2: bool,
}

impl Enabled {
    /// Whether mailbox names are UTF-8 in both directions (RFC 6855 §3, RFC 9051 §5.1).
    pub const fn utf8_names(self) -> bool {
        self.utf8 || self.rev2
    }

    /// How FETCH responses are written.
    pub const fn style(self) -> Style {
        Style { utf8: self.utf8_names(), uid_only: self.uid_only }
    }
}

/// Who has logged in.
#[derive(Debug)]
pub struct Login {
    /// The user.
    pub user: User,
    /// Rings when it may have to end.
    pub(super) ends: Subscription,
    /// When it was last looked at.
    pub(super) checked: Instant,
    /// What is known of the user's allowances.
    pub(super) traffic: Arc<Traffic>,
    /// Octets in and out of the connection that are counted already.
    pub(super) counted: (u64, u64),
    _permit: UserPermit,
}

impl Login {
    /// A user with his place among the user's sessions.
    pub fn new(user: User, ends: Subscription, permit: UserPermit) -> Self {
        let (traffic, counted) = (Arc::default(), (0, 0));
        Self { user, ends, checked: Instant::now(), traffic, counted, _permit: permit }
    }
}

/// The selected mailbox.
#[derive(Debug)]
pub struct Opened {
    /// Which.
    pub id: MailboxId,
    /// Whose: every operation on it takes this user's id, not that of who logged in.
    pub owner: UserId,
    /// What the user may do with it.
    pub rights: Rights,
    /// Its name when it was selected.
    pub name: MailboxName,
    /// It was EXAMINEd.
    pub examined: bool,
    /// EXAMINE, or no right to change anything.
    pub read_only: bool,
    /// What the client knows of it.
    pub selected: Selected,
    /// Not held: an idle session must not keep a view in memory.
    pub view: Weak<View>,
    /// Its doorbell.
    pub subscription: Subscription,
    /// Results that are kept up to date (RFC 5267).
    pub contexts: Contexts,
    /// For `\Recent`; `None` with IMAP4rev2, which has none.
    pub recent: Option<Recent>,
}

/// One client's session.
#[derive(Debug)]
pub struct Session {
    pub(super) context: Context,
    pub(super) stream: Stream,
    pub(super) framer: Framer,
    /// Large literals of the command that is being received.
    pub(super) diverted: Option<Box<Diverted>>,
    pub(super) stop: CancellationToken,
    pub(super) login: Option<Login>,
    pub(super) opened: Option<Opened>,
    pub(super) enabled: Enabled,
    /// How strings are compared (RFC 5255 §4).
    pub(super) collation: Collation,
    /// What NOTIFY watches.
    pub(super) watch: Option<Box<Watch>>,
    /// Set by LOGOUT: the loop ends after its reply.
    pub(super) is_over: bool,
    /// Set by STARTTLS: the handshake follows its reply.
    pub(super) is_starttls_due: bool,
    /// Set by COMPRESS: both directions are compressed behind its reply.
    pub(super) is_compress_due: bool,
    /// Since when nobody is logged in.
    pub(super) stranger_since: Instant,
    /// What the client says it is (RFC 2971), for the log.
    pub(super) client: Option<Box<str>>,
    started: Instant,
    bad_commands: u32,
    commands: u64,
}

/// Runs a session to its end.
pub async fn run(context: Context, stream: Stream, stop: CancellationToken) {
    let id = format!("{:012x}", rand::random::<u64>() >> 16);
    let span = tracing::info_span!("imap", session.id = id, user.id = tracing::field::Empty);
    let mut session = Session {
        context,
        stream,
        framer: Framer::new(),
        diverted: None,
        stop,
        login: None,
        opened: None,
        enabled: Enabled::default(),
        collation: Collation::default(),
        watch: None,
        is_over: false,
        is_starttls_due: false,
        is_compress_due: false,
        stranger_since: Instant::now(),
        client: None,
        started: Instant::now(),
        bad_commands: 0,
        commands: 0,
    };
    let served = AssertUnwindSafe(session.serve()).catch_unwind().instrument(span.clone()).await;
    session.count_traffic();
    let _entered = span.entered();
    let end = match &served {
        Ok(end) => end.describe(),
        Err(_) => "panic".into(),
    };
    if served.is_err() {
        metrics::counter!("eider_imap_panics_total").increment(1);
        tracing::error!("a session panicked");
    }
    tracing::info!(
        peer = %session.stream.peer(),
        commands = session.commands,
        octets_in = session.stream.octets_in(),
        octets_out = session.stream.octets_out(),
        duration_ms = u64::try_from(session.started.elapsed().as_millis()).unwrap_or(u64::MAX),
        client = session.client.as_deref().unwrap_or_default(),
        end = %end,
        "session ended"
    );
    drop(_entered);
    let bye = match served {
        Ok(End::Bye(text)) => Some(text.to_owned()),
        Ok(End::Ended(text)) => Some(text),
        Err(_) => Some("Internal error".to_owned()),
        Ok(End::Logout | End::Closed | End::Broken(_)) => None,
    };
    if let Some(text) = bye {
        session.writer().status(None, Condition::Bye, None, &text);
    }
    session.stream.close().await;
}

/// How a session ends.
enum End {
    Logout,
    Closed,
    Bye(&'static str),
    Ended(String),
    Broken(io::Error),
}

impl End {
    fn describe(&self) -> std::borrow::Cow<'static, str> {
        match self {
            Self::Logout => "logout".into(),
            Self::Closed => "closed by client".into(),
            Self::Bye(text) => (*text).into(),
            Self::Ended(text) => text.clone().into(),
            Self::Broken(error) => error.to_string().into(),
        }
    }
}

impl End {
    /// What a failure that ends the session makes of it.
    fn of(failure: Failure) -> Self {
        match failure {
            Failure::Connection(error) => error.into(),
            Failure::Bye(text) => Self::Bye(text),
            Failure::Ended(text) => Self::Ended(text),
            Failure::Refused(reply) => Self::Ended(reply.text.into_owned()),
            Failure::Meaning(error) | Failure::Target(error) => Self::Ended(error.to_string()),
        }
    }
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::TimedOut {
            return Self::Bye("Idle for too long");
        }
        Self::Broken(error)
    }
}

impl Session {
    /// The state of RFC 9051 §3.
    pub fn state(&self) -> States {
        match (&self.login, &self.opened) {
            (None, _) => States::NOT_AUTHENTICATED,
            (Some(_), None) => States::AUTHENTICATED,
            (Some(_), Some(_)) => States::SELECTED,
        }
    }

    /// The user's id; an error only if our own table of states is wrong.
    pub fn user(&self) -> Outcome<UserId> {
        let login = self.login.as_ref();
        login.map(|login| login.user.id).ok_or_else(|| Reply::bad("Not logged in").into())
    }

    async fn serve(&mut self) -> End {
        match self.serve_commands().await {
            Ok(end) | Err(end) => end,
        }
    }

    async fn serve_commands(&mut self) -> Result<End, End> {
        let greeting = ResponseCode::Capability(capabilities(self));
        self.untagged_ok(Some(&greeting), "Eider ready");
        loop {
            match self.framer.next_frame() {
                Frame::Incomplete => {
                    self.stream.flush().await?;
                    match self.wait_for_command().await {
                        Ok(true) => {}
                        Ok(false) => return Ok(End::Closed),
                        Err(failure) => return Err(End::of(failure)),
                    }
                }
                Frame::Literal(literal) => self.take_literal(&literal),
                Frame::Diverted(octets) => self.spool_octets(&octets).await,
                Frame::TooLong { tag } => {
                    self.diverted = None;
                    self.answer(tag.as_deref(), &Reply::bad("The line is too long"));
                }
                Frame::Command(octets) => self.run_command(octets).await?,
            }
            self.stream.flush_if_full().await?;
            if self.is_over {
                return Ok(End::Logout);
            }
            if self.bad_commands > IMAP_BAD_COMMANDS_MAX {
                return Ok(End::Bye("Too many bad commands"));
            }
        }
    }

    /// How long the client may be silent now.
    pub fn patience(&self) -> Duration {
        let settings = &self.context.settings;
        if self.login.is_some() {
            return Duration::from_secs(settings.idle_timeout_s);
        }
        // a stranger has so long in all, whatever he sends
        Duration::from_secs(settings.login_timeout_s).saturating_sub(self.stranger_since.elapsed())
    }

    /// Reads more; false when the client has closed.
    pub async fn read(&mut self) -> Result<bool, io::Error> {
        let patience = self.patience();
        let octets = tokio::select! {
            biased;
            // the caller looks at `stop` when nothing has come
            () = self.stop.cancelled() => return Ok(true),
            octets = self.stream.fill(patience) => octets?,
        };
        self.framer.feed(self.stream.buffer());
        self.stream.consume(usize::MAX);
        Ok(octets > 0)
    }

    async fn run_command(&mut self, octets: Bytes) -> Result<(), End> {
        let tag = lexer::leading_tag(&octets).map(str::to_owned);
        let (octets, _share) = match self.complete_command(octets).await {
            Ok(complete) => complete,
            Err(error) => {
                self.answer(tag.as_deref(), &status_line::reply_of(&error));
                return Ok(());
            }
        };
        let tagged = match command::parse(&octets, self.enabled.utf8_names()) {
            Ok(tagged) => tagged,
            Err(error) => {
                self.answer(error.tag.as_deref(), &reply_of_syntax(&error));
                return Ok(());
            }
        };
        let rule = tagged.command.rule();
        let started = Instant::now();
        self.commands += 1;
        let outcome = if !rule.states.contains(self.state()) {
            let text = match self.state() {
                States::NOT_AUTHENTICATED => "Log in first",
                States::AUTHENTICATED => "Select a mailbox first",
                _ => "Not in this state",
            };
            Err(Reply::bad(text).into())
        } else if rule.uses_seqnums && self.enabled.uid_only {
            Err(uid_required().into())
        } else if let Err(failure) = self.check_standing_if_due().await {
            Err(failure)
        } else if matches!(tagged.command, Command::Idle) {
            // Not boxed with the others: an idle session holds the future of this alone.
            self.idle().await
        } else {
            Box::pin(self.execute(&tagged.tag, tagged.command, rule)).await
        };
        let reply = match outcome {
            Ok(reply) | Err(Failure::Refused(reply)) => reply,
            Err(Failure::Meaning(error)) => status_line::reply_of(&error),
            Err(Failure::Target(error)) => status_line::reply_of_target(&error),
            Err(fatal) => return Err(End::of(fatal)),
        };
        measure(rule.name, reply.status, started.elapsed());
        self.answer(Some(&tagged.tag), &reply);
        if self.is_starttls_due {
            self.start_tls().await?;
        }
        if std::mem::take(&mut self.is_compress_due) {
            self.stream.flush().await?;
            self.stream.start_deflate();
        }
        Ok(())
    }

    /// Writes a tagged response; untagged if the tag could not be read.
    pub fn answer(&mut self, tag: Option<&str>, reply: &Reply) {
        if reply.status == Status::Bad {
            self.bad_commands += 1;
        }
        let condition = match reply.status {
            Status::Ok => Condition::Ok,
            Status::No => Condition::No,
            Status::Bad => Condition::Bad,
        };
        self.writer().status(tag, condition, reply.code.as_ref(), &reply.text);
    }

    /// The writer of responses to the connection's bounded buffer.
    pub fn writer(&mut self) -> Writer<'_> {
        let utf8 = self.enabled.utf8_names();
        Writer::new(self.stream.output(), utf8)
    }

    /// `* OK [code] text`
    pub fn untagged_ok(&mut self, code: Option<&ResponseCode>, text: &str) {
        self.writer().status(None, Condition::Ok, code, text);
    }

    async fn start_tls(&mut self) -> Result<(), End> {
        self.is_starttls_due = false;
        let Some(acceptor) = self.context.tls.clone() else { return Ok(()) };
        // RFC 9051 §6.2.1: what came in plaintext behind STARTTLS is not part of the protected
        // session
        self.framer.clear();
        self.stream.start_tls(&acceptor, self.patience()).await?;
        Ok(())
    }
}

/// RFC 9586 §3.1: sequence numbers after ENABLE UIDONLY.
pub fn uid_required() -> Reply {
    Reply::bad("Sequence numbers are not in use, UIDONLY is enabled")
        .with(ResponseCode::UidRequired)
}

fn reply_of_syntax(error: &ParseError) -> Reply {
    match error.kind {
        ErrorKind::Charset => Reply::no(ResponseCode::BadCharset, "Unknown charset"),
        ErrorKind::Label => Reply::no(ResponseCode::Cannot, error.to_string()),
        ErrorKind::MailboxName => Reply::no(ResponseCode::Cannot, "Invalid mailbox name"),
        _ => Reply::bad(error.to_string()),
    }
}

fn measure(command: &'static str, status: Status, took: Duration) {
    let result = match status {
        Status::Ok => "ok",
        Status::No => "no",
        Status::Bad => "bad",
    };
    metrics::counter!("eider_imap_commands_total", "command" => command, "result" => result)
        .increment(1);
    metrics::histogram!("eider_imap_command_seconds", "command" => command)
        .record(took.as_secs_f64());
}
