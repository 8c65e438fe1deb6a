//! A connection to a server: greeting, EHLO, TLS, AUTH, and questions with their answers
//! (RFC 5321 §3.1, §4.1.1, RFC 3207, RFC 4954).

use super::Context;
use super::problem::{Problem, TlsFailure};
use super::route::{Password, Server};
use super::settings::Pool;
use crate::codec::smtp::client_command as command;
use crate::codec::smtp::extensions::Extensions;
use crate::codec::smtp::server_reply::{Read, ServerReply, read_reply};
use crate::net::stream::Stream;
use crate::net::tls_client::{Trust, fault_of};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// How a connection is protected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Security {
    /// Who the server must be.
    pub trust: Trust,
    /// Nothing goes without TLS.
    pub is_required: bool,
    /// From the first octet.
    pub is_at_once: bool,
}

/// Whom to connect to.
#[derive(Clone, Debug)]
pub struct Peer<'a> {
    /// The host's name.
    pub host: &'a str,
    /// Its address.
    pub address: SocketAddr,
    /// How.
    pub security: Security,
    /// A server somebody named, not the DNS.
    pub server: Option<&'a Server>,
    /// Where we connect from.
    pub pool: Option<&'a Pool>,
}

impl Peer<'_> {
    /// Our name to it.
    fn name<'a>(&'a self, ctx: &'a Context) -> &'a str {
        self.pool.and_then(|pool| pool.hostname.as_deref()).unwrap_or(&ctx.hostname)
    }
}

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    timeout: Duration,
    /// What the server offers.
    pub extensions: Extensions,
    /// Its name.
    pub host: String,
    /// It is the one it should be.
    pub is_verified: bool,
    /// A transaction was begun and not ended.
    pub has_begun: bool,
}

/// Why there is no connection.
#[derive(Debug)]
pub enum Unopened {
    /// The server is not there, or does not want us.
    Problem(Problem),
    /// TLS failed, which nobody demands.
    Tls(Problem),
}

impl From<Problem> for Unopened {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl Connection {
    /// Connects, up to the point where mail can be sent. With `with_tls` false, STARTTLS is not used.
    ///
    /// # Errors
    /// As [`Unopened`].
    pub async fn open(ctx: &Context, peer: &Peer<'_>, with_tls: bool) -> Result<Self, Unopened> {
        let timeout = Duration::from_secs(ctx.settings.timeout_s);
        let source = ctx.source(peer.pool, peer.address.ip());
        let stream = Stream::connect(peer.address, source, timeout / 10).await;
        let stream = stream
            .map_err(|error| Problem::temporary((4, 4, 1), format!("no connection: {error}")))?;
        let mut connection = Self {
            stream,
            timeout,
            extensions: Extensions::default(),
            host: peer.host.to_owned(),
            is_verified: false,
            has_begun: false,
        };
        if peer.security.is_at_once {
            connection.start_tls(ctx, &peer.security).await?;
        }
        connection.greet(ctx, peer).await?;
        let wants_tls = with_tls && !connection.stream.is_tls();
        if wants_tls && connection.extensions.has_starttls {
            let reply = connection.ask(b"STARTTLS\r\n").await?;
            if reply.code == 220 {
                connection.start_tls(ctx, &peer.security).await?;
                connection.hello(peer.name(ctx)).await?;
            }
        }
        if peer.security.is_required && !connection.stream.is_tls() {
            return Err(Problem::of_tls(TlsFailure::NotOffered, "it offers no TLS").into());
        }
        if let Some((user, password)) = peer.server.and_then(|server| server.login.as_ref()) {
            connection.login(user, password).await?;
        }
        Ok(connection)
    }

    async fn greet(&mut self, ctx: &Context, peer: &Peer<'_>) -> Result<(), Problem> {
        let greeting = self.reply(self.timeout).await?;
        if !greeting.is_positive() {
            // RFC 5321 §3.1: this host does not take mail; another one may
            return Err(Problem::reply(&greeting).passing());
        }
        let name = greeting.lines.first().and_then(|line| line.split(' ').next());
        let is_us = name.is_some_and(|name| name.eq_ignore_ascii_case(&ctx.hostname));
        if is_us && peer.server.is_none() {
            return Err(Problem::permanent((5, 4, 6), "mail for it would come back here"));
        }
        self.hello(peer.name(ctx)).await
    }

    /// RFC 5321 §3.2: a server that does not know EHLO gets HELO.
    async fn hello(&mut self, hostname: &str) -> Result<(), Problem> {
        let reply = self.ask(format!("EHLO {hostname}\r\n").as_bytes()).await?;
        if reply.is_positive() {
            self.extensions = Extensions::read(&reply);
            return Ok(());
        }
        self.extensions = Extensions::default();
        if !reply.is_permanent() {
            return Err(Problem::reply(&reply));
        }
        let reply = self.ask(format!("HELO {hostname}\r\n").as_bytes()).await?;
        if reply.is_positive() { Ok(()) } else { Err(Problem::reply(&reply).passing()) }
    }

    async fn start_tls(&mut self, ctx: &Context, security: &Security) -> Result<(), Unopened> {
        let (host, trust) = (self.host.clone(), &security.trust);
        let started = self.stream.start_client_tls(&ctx.tls, &host, trust, self.timeout).await;
        match started {
            Ok(()) => {
                self.is_verified = *trust != Trust::Any;
                Ok(())
            }
            Err(error) => {
                let fault = TlsFailure::from(fault_of(&error));
                let problem = Problem::of_tls(fault, format!("TLS failed: {error}"));
                let is_demanded = security.is_required || security.is_at_once;
                Err(if is_demanded { Unopened::Problem(problem) } else { Unopened::Tls(problem) })
            }
        }
    }

    /// AUTH, PLAIN or else LOGIN; without TLS only on this machine.
    async fn login(&mut self, user: &str, password: &Password) -> Result<(), Problem> {
        if !self.stream.is_tls() && !self.stream.peer().ip().to_canonical().is_loopback() {
            return Err(Problem::temporary((4, 7, 11), "passwords are not sent without TLS"));
        }
        let password = match password {
            Password::Text(text) => text.clone(),
            Password::File(path) => {
                let read = tokio::fs::read_to_string(path).await;
                let unread = |error| Problem::temporary((4, 3, 5), format!("password: {error}"));
                read.map_err(unread)?.trim_end_matches(['\r', '\n']).to_owned()
            }
        };
        let offers = |name: &str| self.extensions.mechanisms.iter().any(|known| known == name);
        let lines = if offers("PLAIN") || !offers("LOGIN") {
            vec![command::auth_plain(user, &password)]
        } else {
            command::auth_login(user, &password)
        };
        let last = lines.len().saturating_sub(1);
        for (index, line) in lines.iter().enumerate() {
            let reply = self.ask(line.as_bytes()).await?;
            let is_good = if index < last { reply.code == 334 } else { reply.is_positive() };
            if !is_good {
                // Somebody has to mend the settings: until then the mail waits
                return Err(Problem::reply(&reply).passing());
            }
        }
        Ok(())
    }

    /// The server's address.
    pub fn peer(&self) -> IpAddr {
        self.stream.peer().ip()
    }

    /// How the connection is protected, for people.
    pub fn tls(&self) -> Option<String> {
        self.stream.tls_description()
    }

    /// The output, for commands.
    pub fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }

    /// Writes what was pushed.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn flush(&mut self) -> Result<(), Problem> {
        self.stream.flush().await.map_err(|error| Problem::broken(&error))
    }

    /// Says a line and reads the answer.
    ///
    /// # Errors
    /// The connection broke or the server is silent; 421 is one too.
    pub async fn ask(&mut self, line: &[u8]) -> Result<ServerReply, Problem> {
        self.stream.push(line);
        self.flush().await?;
        self.reply(self.timeout).await
    }

    /// Reads an answer within the usual time.
    ///
    /// # Errors
    /// As [`Connection::ask`].
    pub async fn answer(&mut self) -> Result<ServerReply, Problem> {
        self.reply(self.timeout).await
    }

    /// Reads the answer to a message: RFC 5321 §4.5.3.2.6 gives more time.
    ///
    /// # Errors
    /// As [`Connection::ask`].
    pub async fn final_answer(&mut self) -> Result<ServerReply, Problem> {
        self.reply(self.timeout * 2).await
    }

    async fn reply(&mut self, timeout: Duration) -> Result<ServerReply, Problem> {
        let silent = || Problem::broken(&std::io::ErrorKind::TimedOut.into());
        let reply = tokio::time::timeout(timeout, self.read(timeout)).await;
        let reply = reply.map_err(|_| silent())??;
        if reply.code == 421 { Err(Problem::reply(&reply)) } else { Ok(reply) }
    }

    async fn read(&mut self, timeout: Duration) -> Result<ServerReply, Problem> {
        loop {
            match read_reply(self.stream.buffer()) {
                Read::Complete(reply, octets) => {
                    self.stream.consume(octets);
                    return Ok(reply);
                }
                Read::Broken(words) => {
                    let problem = Problem::temporary((4, 5, 0), words);
                    return Err(Problem { is_fatal: true, ..problem });
                }
                Read::Incomplete => {
                    let filled = self.stream.fill(timeout).await;
                    if filled.map_err(|error| Problem::broken(&error))? == 0 {
                        let closed = std::io::Error::other("the server closed it");
                        return Err(Problem::broken(&closed));
                    }
                }
            }
        }
    }

    /// Says goodbye; whether the server hears it does not matter.
    pub async fn quit(mut self) {
        self.timeout = self.timeout.min(Duration::from_secs(2));
        let _gone = self.ask(b"QUIT\r\n").await.is_err();
    }
}
