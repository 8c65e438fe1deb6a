//! A mail server that does what its script says: takes mail, refuses it, is slow or silent, cuts the
//! connection at any step. It reads the protocol by itself, not with Eider's code.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt, BufReader,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// What the server does at a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// What a good server does.
    Go,
    /// Another reply; the step has no effect.
    Say(String),
    /// The connection ends before the reply; content that came is kept.
    Cut,
    /// No reply, for ever.
    Silent,
    /// What a good server does, but later.
    Late(Duration),
}

/// Where a session is.
#[derive(Clone, Debug)]
pub struct Step {
    /// Sessions before this one.
    pub session: usize,
    /// `CONNECT`, the command's verb, or `CONTENT` after a message.
    pub verb: String,
    /// The line, or for `CONTENT` the subject of the message.
    pub line: String,
}

/// A message that came.
#[derive(Clone, Debug)]
pub struct Mail {
    pub from: String,
    pub to: Vec<String>,
    pub content: String,
    pub is_tls: bool,
    /// Who brought it, and what he called himself.
    pub peer: std::net::IpAddr,
    pub helo: String,
    /// The server said 250 to it.
    pub is_answered: bool,
    pub at: std::time::Instant,
}

pub type Script = dyn Fn(&Step) -> Act + Send + Sync;

pub struct Options {
    pub offers: Vec<&'static str>,
    pub script: Box<Script>,
    pub tls: Option<TlsAcceptor>,
    pub name: &'static str,
    /// Mails and lines are kept; else only counted.
    pub is_keeping: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            offers: vec!["PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 50000000"],
            script: Box::new(|_| Act::Go),
            tls: None,
            name: "sink.example",
            is_keeping: true,
        }
    }
}

struct State {
    options: Options,
    mails: Mutex<Vec<Mail>>,
    lines: Mutex<Vec<String>>,
    sessions: AtomicUsize,
    recipients: AtomicUsize,
}

/// The server; it ends when this is dropped.
pub struct SmtpSink {
    pub address: SocketAddr,
    state: Arc<State>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for SmtpSink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl SmtpSink {
    pub async fn start(options: Options) -> Self {
        Self::start_at("127.0.0.1:0", options).await
    }

    /// On this address, `127.0.0.2:0` for another host.
    pub async fn start_at(address: &str, options: Options) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            options,
            mails: Mutex::default(),
            lines: Mutex::default(),
            sessions: AtomicUsize::new(0),
            recipients: AtomicUsize::new(0),
        });
        let serving = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let state = Arc::clone(&serving);
                tokio::spawn(async move { serve(&state, tcp).await });
            }
        });
        Self { address, state, task }
    }

    /// A server that does what this says at each step.
    pub async fn scripted(script: impl Fn(&Step) -> Act + Send + Sync + 'static) -> Self {
        Self::start(Options { script: Box::new(script), ..Options::default() }).await
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What came, with or without our 250.
    pub fn mails(&self) -> Vec<Mail> {
        self.state.mails.lock().unwrap().clone()
    }

    /// Messages that were answered 250.
    pub fn answered(&self) -> Vec<Mail> {
        self.mails().into_iter().filter(|mail| mail.is_answered).collect()
    }

    /// All commands so far.
    pub fn lines(&self) -> Vec<String> {
        self.state.lines.lock().unwrap().clone()
    }

    /// Recipients of messages that came.
    pub fn recipients(&self) -> usize {
        self.state.recipients.load(Ordering::Relaxed)
    }

    pub fn sessions(&self) -> usize {
        self.state.sessions.load(Ordering::Relaxed)
    }
}

/// A certificate for names, from an authority of its own.
pub struct Certificate {
    pub acceptor: TlsAcceptor,
    /// PEM of the authority.
    pub authority: String,
    /// SHA-256 of the server's public key, in hexadecimal digits.
    pub key_hash: String,
    /// SHA-256 of the authority's certificate.
    pub authority_hash: String,
}

pub fn certificate(names: &[&str]) -> Certificate {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PublicKeyData};
    let ca_key = KeyPair::generate().unwrap();
    let mut ca_params = CertificateParams::default();
    ca_params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = ca_params.self_signed(&ca_key).unwrap();
    let issuer = Issuer::new(ca_params, ca_key);
    let key = KeyPair::generate().unwrap();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let leaf = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    let digest = |octets: &[u8]| {
        let digest = <sha2::Sha256 as sha2::Digest>::digest(octets);
        digest.iter().map(|octet| format!("{octet:02x}")).collect()
    };
    let chain = format!("{}{}", leaf.pem(), ca.pem());
    let private = key.serialize_pem();
    let identity = eider::net::tls::config_of_pem(chain.as_bytes(), private.as_bytes()).unwrap();
    Certificate {
        acceptor: TlsAcceptor::from(identity.config()),
        authority: ca.pem(),
        key_hash: digest(&key.subject_public_key_info()),
        authority_hash: digest(ca.der()),
    }
}

trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Socket for T {}

struct Session<'a> {
    state: &'a State,
    number: usize,
    stream: BufReader<Box<dyn Socket>>,
    is_tls: bool,
    peer: std::net::IpAddr,
    helo: String,
    from: Option<String>,
    to: Vec<String>,
}

/// The session is over.
struct Over;

async fn serve(state: &State, tcp: TcpStream) {
    let number = state.sessions.fetch_add(1, Ordering::Relaxed);
    let peer = tcp.peer_addr().unwrap().ip();
    let stream = BufReader::new(Box::new(tcp) as Box<dyn Socket>);
    let (from, to, helo) = (None, Vec::new(), String::new());
    let mut session = Session { state, number, stream, is_tls: false, peer, helo, from, to };
    let _over = session.run().await;
}

impl Session<'_> {
    async fn run(&mut self) -> Result<(), Over> {
        let greeting = format!("220 {} ESMTP", self.state.options.name);
        self.step("CONNECT", "", &greeting).await?;
        loop {
            let mut line = String::new();
            match self.stream.read_line(&mut line).await {
                Ok(octets) if octets > 0 => {}
                _ => return Err(Over),
            }
            let line = line.trim_end().to_owned();
            if self.state.options.is_keeping {
                self.state.lines.lock().unwrap().push(line.clone());
            }
            let verb = line.split([' ', ':']).next().unwrap().to_ascii_uppercase();
            self.command(&verb, &line).await?;
        }
    }

    async fn command(&mut self, verb: &str, line: &str) -> Result<(), Over> {
        match verb {
            "EHLO" => {
                self.helo = line.split(' ').nth(1).unwrap_or_default().to_owned();
                let mut lines = vec![self.state.options.name.to_owned()];
                lines.extend(self.state.options.offers.iter().map(|offer| (*offer).to_owned()));
                if self.state.options.tls.is_some() && !self.is_tls {
                    lines.push("STARTTLS".to_owned());
                }
                let last = lines.len() - 1;
                let reply = lines.iter().enumerate().map(|(index, text)| {
                    format!("250{}{text}", if index < last { '-' } else { ' ' })
                });
                let reply: Vec<String> = reply.collect();
                self.step(verb, line, &reply.join("\r\n")).await?;
            }
            "MAIL" if self.step(verb, line, "250 2.1.0 ok").await? => {
                self.from = Some(line.to_owned());
                self.to.clear();
            }
            "RCPT" if self.from.is_none() => self.say("503 5.5.1 no MAIL").await?,
            "RCPT" if self.step(verb, line, "250 2.1.5 ok").await? => {
                self.to.push(between(line).to_owned());
            }
            "BDAT" => self.chunk(line).await?,
            "DATA" if self.to.is_empty() => self.say("554 5.5.1 no recipients").await?,
            "DATA" if self.step(verb, line, "354 go on").await? => self.content().await?,
            "STARTTLS" if self.step(verb, line, "220 2.0.0 go on").await? => {
                let acceptor = self.state.options.tls.clone().ok_or(Over)?;
                let (empty, _) = tokio::io::duplex(1);
                let stream: Box<dyn Socket> = Box::new(empty);
                let plain = std::mem::replace(&mut self.stream, BufReader::new(stream));
                let tls = acceptor.accept(plain.into_inner()).await.map_err(|_| Over)?;
                self.stream = BufReader::new(Box::new(tls));
                self.is_tls = true;
            }
            "AUTH" => drop(self.step(verb, line, "235 2.7.0 ok").await?),
            "RSET" => {
                self.from = None;
                self.to.clear();
                self.step(verb, line, "250 2.0.0 ok").await?;
            }
            "QUIT" => {
                self.step(verb, line, "221 2.0.0 bye").await?;
                return Err(Over);
            }
            "MAIL" | "RCPT" | "DATA" | "STARTTLS" => {}
            "HELO" | "NOOP" => drop(self.step(verb, line, "250 ok").await?),
            _ => drop(self.step(verb, line, "502 5.5.2 what").await?),
        }
        Ok(())
    }

    async fn content(&mut self) -> Result<(), Over> {
        let mut content = Vec::new();
        loop {
            let start = content.len();
            match self.stream.read_until(b'\n', &mut content).await {
                Ok(octets) if octets > 0 => {}
                _ => return Err(Over),
            }
            match &content[start..] {
                b".\r\n" => {
                    content.truncate(start);
                    break;
                }
                [b'.', ..] => drop(content.remove(start)),
                _ => {}
            }
        }
        self.take(content).await
    }

    /// RFC 3030 §2; only whole messages.
    async fn chunk(&mut self, line: &str) -> Result<(), Over> {
        let words: Vec<&str> = line.split(' ').collect();
        let ["BDAT", octets, "LAST"] = words.as_slice() else { panic!("{line}") };
        let mut content = vec![0; octets.parse().unwrap()];
        self.stream.read_exact(&mut content).await.map_err(|_| Over)?;
        self.take(content).await
    }

    async fn take(&mut self, content: Vec<u8>) -> Result<(), Over> {
        self.state.recipients.fetch_add(self.to.len(), Ordering::Relaxed);
        if !self.state.options.is_keeping {
            self.from = None;
            self.to.clear();
            return self.step("CONTENT", "", "250 2.0.0 taken").await.map(|_| ());
        }
        let content = String::from_utf8_lossy(&content).into_owned();
        let subject = content.lines().find_map(|line| line.strip_prefix("Subject: "));
        let subject = subject.unwrap_or_default().trim().to_owned();
        let (from, to) = (self.from.take().unwrap(), std::mem::take(&mut self.to));
        let from = between(&from).to_owned();
        let (peer, helo, at) = (self.peer, self.helo.clone(), std::time::Instant::now());
        let (is_tls, is_answered) = (self.is_tls, false);
        let mail = Mail { from, to, content, is_tls, peer, helo, is_answered, at };
        let index = {
            let mut mails = self.state.mails.lock().unwrap();
            mails.push(mail);
            mails.len() - 1
        };
        if self.step("CONTENT", &subject, "250 2.0.0 taken").await? {
            self.state.mails.lock().unwrap()[index].is_answered = true;
        }
        Ok(())
    }

    /// Follows the script; `true`: the good reply was said.
    async fn step(&mut self, verb: &str, line: &str, good: &str) -> Result<bool, Over> {
        let (verb, line) = (verb.to_owned(), line.to_owned());
        match (self.state.options.script)(&Step { session: self.number, verb, line }) {
            Act::Go => self.say(good).await.map(|()| true),
            Act::Say(reply) => {
                self.say(&reply).await?;
                if reply.starts_with("421") { Err(Over) } else { Ok(false) }
            }
            Act::Cut => Err(Over),
            Act::Silent => std::future::pending().await,
            Act::Late(time) => {
                tokio::time::sleep(time).await;
                self.say(good).await.map(|()| true)
            }
        }
    }

    async fn say(&mut self, reply: &str) -> Result<(), Over> {
        let line = format!("{reply}\r\n");
        let stream = self.stream.get_mut();
        stream.write_all(line.as_bytes()).await.map_err(|_| Over)?;
        stream.flush().await.map_err(|_| Over)
    }
}

/// What stands between angle brackets.
fn between(line: &str) -> &str {
    let inner = line.split_once('<').map_or("", |(_, rest)| rest);
    inner.split_once('>').map_or("", |(inner, _)| inner)
}
