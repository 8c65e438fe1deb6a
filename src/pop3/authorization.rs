//! The AUTHORIZATION state: USER, PASS, AUTH, STLS (RFC 1939 §4, RFC 5034, RFC 2595 §4), and what
//! opens a maildrop.

use super::maildrop::{Entry, Maildrop};
use super::reply::{Failure, Outcome, Reply};
use super::session::{End, Session};
use super::transaction::{Download, Transaction};
use crate::auth::allowance::Counter;
use crate::auth::authenticate::Protocol;
use crate::auth::mechanism::{Connection, Exchange, Mechanism, Step};
use crate::codec::pop3::reply::{ResponseCode, write_challenge};
use crate::codec::sasl::{LINE_OCTETS_MAX, LineError, decode_line, encode_challenge};
use crate::mailstore::view::View;
use crate::model::error::{Error, Result};
use crate::model::mailbox::MailboxName;
use crate::model::profile::UserNumber;
use crate::model::user::User;
use std::io;
use std::time::Duration;

/// A maildrop is free so long after its node died.
const LEASE: Duration = Duration::from_secs(60);

impl Session {
    /// STLS: the handshake follows the reply.
    pub fn stls(&mut self) -> Outcome {
        if self.stream.is_tls() {
            return Ok(Reply::Bad("TLS is in force already"));
        }
        if self.context.tls.is_none() {
            return Ok(Reply::Bad("TLS is not available"));
        }
        self.is_stls_due = true;
        Ok(Reply::ok("begin TLS now"))
    }

    /// USER: any name is taken, so that nobody learns who exists.
    pub fn user(&mut self, name: String) -> Outcome {
        if !self.may_send_password() {
            return Ok(use_tls());
        }
        self.username = Some(name);
        Ok(Reply::ok("now the password"))
    }

    /// PASS.
    pub async fn pass(&mut self, password: &str) -> Outcome {
        if !self.may_send_password() {
            return Ok(use_tls());
        }
        // RFC 1939 §7: after a refused PASS the client begins with USER
        let Some(username) = self.username.take() else {
            return Ok(Reply::Bad("USER comes first"));
        };
        self.log_in(&username, password).await
    }

    /// AUTH.
    pub async fn auth(&mut self, mechanism: &str, initial: Option<Vec<u8>>) -> Outcome {
        let Some(mechanism) = Mechanism::from_name(mechanism) else {
            return Ok(Reply::refused("unsupported mechanism"));
        };
        if !self.may_send_password() {
            return Ok(use_tls());
        }
        let connection = Connection {
            protocol: Protocol::Pop3,
            peer: self.stream.peer().ip(),
            bindings: self.stream.channel_bindings(),
        };
        let mut exchange = Exchange::new(mechanism, connection);
        let mut challenge = exchange.first_challenge().to_vec();
        let mut next = initial;
        loop {
            let response = match next.take() {
                Some(response) => response,
                None => match self.challenge(&challenge).await? {
                    Ok(response) => response,
                    Err(refusal) => return Ok(refusal),
                },
            };
            match self.context.authenticator.respond(&mut exchange, response).await? {
                Step::Challenge(next) => challenge = next,
                Step::Done(login) => return self.enter(login.user).await,
            }
        }
    }

    /// Sends a challenge and reads the response, or says why it is none.
    async fn challenge(&mut self, challenge: &[u8]) -> Outcome<Result<Vec<u8>, Reply>> {
        write_challenge(&encode_challenge(challenge), self.stream.output());
        let line = match self.read_line(LINE_OCTETS_MAX).await {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(Err(Reply::Bad("the response is too long"))),
            Err(End::Broken(error)) => return Err(Failure::Connection(error)),
            Err(End::Idle) => return Err(Failure::Connection(io::ErrorKind::TimedOut.into())),
            Err(_) => return Err(Failure::Connection(io::ErrorKind::ConnectionAborted.into())),
        };
        Ok(decode_line(line.trim_ascii_end()).map_err(|error| {
            // RFC 5034 §4: `*` cancels the exchange
            Reply::Bad(match error {
                LineError::Cancelled => "authentication cancelled",
                LineError::NotBase64 => "the response is not base64",
                LineError::TooLong => "the response is too long",
            })
        }))
    }

    async fn log_in(&mut self, username: &str, password: &str) -> Outcome {
        let peer = self.stream.peer().ip();
        let authenticator = &self.context.authenticator;
        let user = authenticator.authenticate(username, password, Protocol::Pop3, peer).await?;
        self.enter(user).await
    }

    /// What follows from a login.
    async fn enter(&mut self, user: User) -> Outcome {
        tracing::Span::current().record("user.id", tracing::field::display(user.id));
        let delay_s = self.context.settings.login_delay_s;
        if delay_s > 0 {
            let last = self.context.allowances.used(user.id, Counter::Pop3Login).await?;
            if last.count > 0 {
                let text = format!("log in again in {} seconds", last.left_s);
                return Ok(Reply::with_code(ResponseCode::LoginDelay, text));
            }
        }
        let (id, transaction) = (user.id, self.open(user).await?);
        if delay_s > 0 {
            self.context.allowances.add(id, Counter::Pop3Login, 1, delay_s).await?;
        }
        let maildrop = &transaction.maildrop;
        let text = format!("{} messages ({} octets)", maildrop.count(), maildrop.octets());
        self.transaction = Some(Box::new(transaction));
        Ok(Reply::ok(text))
    }

    /// Locks the maildrop and takes its snapshot: the inbox as it is now. Six round trips, one
    /// commit; reading the rows when the node has no view of the inbox yet.
    async fn open(&self, login: User) -> Result<Transaction> {
        let (context, user) = (&self.context, login.id);
        let ends = context.notifier.subscribe_sessions(user);
        let lease = context.leases.acquire(&format!("pop3:{user}"), LEASE).await?;
        // RFC 2449 §8.1.2
        let in_use = Error::Conflict { reason: "the maildrop is open in another session" };
        let lease = lease.ok_or(in_use)?;
        let profile = context.directory.load_user(user).await?;
        let found = context.mailstore.find_mailbox_by_name(user, &MailboxName::inbox()).await?;
        let inbox = found.ok_or(Error::NotFound { what: "mailbox" })?;
        let view = context.mailstore.view(user, inbox.id).await?;
        let or_default = |number: UserNumber, default: u64| match profile.number(number) {
            0 => default,
            own => own,
        };
        let settings = &context.settings;
        let messages_max = or_default(UserNumber::Pop3MaxMessages, settings.messages_max);
        let download_max = or_default(UserNumber::Pop3MaxDownload, settings.download_octets_max);
        let used = context.allowances.used(user, Counter::Pop3Download).await?;
        Ok(Transaction {
            login,
            ends,
            mailbox: inbox.id,
            maildrop: Maildrop::new(inbox.uid_validity, entries(&view, messages_max)),
            lease,
            kept_ms: inbox.kept_ms(profile.number(UserNumber::Retention)),
            download: Download { octets_max: download_max, used, unsaved: 0 },
        })
    }
}

fn use_tls() -> Reply {
    Reply::refused("use TLS first")
}

/// The newest messages of the inbox, all when the limit is 0.
fn entries(view: &View, messages_max: u64) -> Vec<Entry> {
    let uids = view.state().uids;
    let mut entries = Vec::with_capacity(usize::try_from(uids.len()).unwrap_or(0));
    view.for_each(&uids, &mut |row| {
        let octets = u32::try_from(row.octets).unwrap_or(u32::MAX);
        entries.push(Entry { uid: row.uid, octets });
    });
    match usize::try_from(messages_max) {
        Ok(max) if max > 0 => entries.split_off(entries.len().saturating_sub(max)),
        _ => entries,
    }
}
