//! A relay between an SMTP client and a server that does what its script says: puts another reply
//! in the place of the server's, cuts the connection, falls silent. What it replaces, the server has
//! never seen; so whoever keeps books of messages knows what each side believes.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use super::smtp_sink::{Act, Script, Step};

/// What the relay has seen of the ends of messages, by their subjects.
#[derive(Default)]
pub struct Book {
    /// Ends of data whose reply the client never saw, or saw differently.
    pub lost: BTreeMap<String, usize>,
    /// When a client was told 250.
    pub accepted: BTreeMap<String, Vec<Instant>>,
    /// When the server itself put off a message that was there.
    pub put_off: BTreeMap<String, Vec<Instant>>,
}

struct State {
    target: Mutex<SocketAddr>,
    script: Box<Script>,
    book: Mutex<Book>,
    sessions: AtomicUsize,
}

/// The relay; it ends when this is dropped.
pub struct ChaosRelay {
    pub address: SocketAddr,
    state: Arc<State>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for ChaosRelay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl ChaosRelay {
    /// Listens there, and leads to `target`.
    pub async fn start(
        listen: &str,
        target: SocketAddr,
        script: impl Fn(&Step) -> Act + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(listen).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            target: Mutex::new(target),
            script: Box::new(script),
            book: Mutex::default(),
            sessions: AtomicUsize::new(0),
        });
        let serving = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let state = Arc::clone(&serving);
                tokio::spawn(async move {
                    let target = *state.target.lock().unwrap();
                    // a server that is away: the client's connection just ends
                    if let Ok(far) = TcpStream::connect(target).await {
                        Session::new(&state, near, far).run().await;
                    }
                });
            }
        });
        Self { address, state, task }
    }

    /// From now on it leads there.
    pub fn lead_to(&self, target: SocketAddr) {
        *self.state.target.lock().unwrap() = target;
    }

    /// Looks into the book.
    pub fn book<T>(&self, look: impl FnOnce(&Book) -> T) -> T {
        look(&self.state.book.lock().unwrap())
    }

    pub fn sessions(&self) -> usize {
        self.state.sessions.load(Ordering::Relaxed)
    }
}

/// A command that waits for its reply.
struct Pending {
    verb: String,
    /// Of `CONTENT`.
    subject: String,
    act: Act,
}

struct Session<'a> {
    state: &'a State,
    number: usize,
    near_in: BufReader<OwnedReadHalf>,
    near_out: OwnedWriteHalf,
    far_in: BufReader<OwnedReadHalf>,
    far_out: OwnedWriteHalf,
    pending: VecDeque<Pending>,
    /// Between DATA's 354 and the end of the content.
    is_content: bool,
    subject: String,
}

/// The session is over.
struct Over;

enum Heard {
    Client(Vec<u8>),
    Server(Vec<u8>),
}

impl<'a> Session<'a> {
    fn new(state: &'a State, near: TcpStream, far: TcpStream) -> Self {
        let number = state.sessions.fetch_add(1, Ordering::Relaxed);
        let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
        let mut session = Self {
            state,
            number,
            near_in: BufReader::new(near_in),
            near_out,
            far_in: BufReader::new(far_in),
            far_out,
            pending: VecDeque::new(),
            is_content: false,
            subject: String::new(),
        };
        session.expect("CONNECT", "");
        session
    }

    fn expect(&mut self, verb: &str, line: &str) -> Act {
        let (verb, line) = (verb.to_owned(), line.to_owned());
        let step = Step { session: self.number, verb: verb.clone(), line };
        let act = (self.state.script)(&step);
        let subject = self.subject.clone();
        self.pending.push_back(Pending { verb, subject, act: act.clone() });
        act
    }

    async fn run(mut self) {
        let (mut from_client, mut from_server) = (Vec::new(), Vec::new());
        loop {
            let heard = tokio::select! {
                read = self.near_in.read_until(b'\n', &mut from_client) => match read {
                    Ok(octets) if octets > 0 => Heard::Client(std::mem::take(&mut from_client)),
                    _ => break,
                },
                read = self.far_in.read_until(b'\n', &mut from_server) => match read {
                    Ok(octets) if octets > 0 => {
                        // lines of one reply stay together
                        let start = from_server[..from_server.len() - 1]
                            .iter()
                            .rposition(|octet| *octet == b'\n')
                            .map_or(0, |at| at + 1);
                        if from_server.get(start + 3) == Some(&b'-') {
                            continue;
                        }
                        Heard::Server(std::mem::take(&mut from_server))
                    }
                    _ => break,
                },
            };
            let went_on = match heard {
                Heard::Client(line) => self.command(line).await,
                Heard::Server(reply) => self.reply(reply).await,
            };
            if went_on.is_err() {
                break;
            }
        }
        for waiting in self.pending.iter().filter(|waiting| waiting.verb == "CONTENT") {
            self.lose(&waiting.subject);
        }
    }

    fn lose(&self, subject: &str) {
        *self.state.book.lock().unwrap().lost.entry(subject.to_owned()).or_default() += 1;
    }

    async fn command(&mut self, line: Vec<u8>) -> Result<(), Over> {
        if self.is_content {
            return self.content(line).await;
        }
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        let verb = text.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        if verb == "BDAT" {
            return self.chunk(line, &text).await;
        }
        if verb == "MAIL" {
            self.subject.clear();
        }
        match self.expect(&verb, &text) {
            // the server never hears of it; the reply takes its turn
            Act::Say(_) => self.synthesize().await,
            _ => self.far_out.write_all(&line).await.map_err(|_| Over),
        }
    }

    fn note_subject(&mut self, line: &[u8]) {
        if self.subject.is_empty()
            && let Some(subject) = line.strip_prefix(b"Subject: ")
        {
            self.subject = String::from_utf8_lossy(subject).trim().to_owned();
        }
    }

    /// RFC 3030 §2: the octets follow the command, whatever is in them.
    async fn chunk(&mut self, mut line: Vec<u8>, text: &str) -> Result<(), Over> {
        let octets = text.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or(Over)?;
        let mut chunk = vec![0; octets];
        let read = tokio::io::AsyncReadExt::read_exact(&mut self.near_in, &mut chunk).await;
        read.map_err(|_| Over)?;
        for line in chunk.split_inclusive(|octet| *octet == b'\n') {
            self.note_subject(line);
        }
        line.extend_from_slice(&chunk);
        let is_last = text.to_ascii_uppercase().ends_with(" LAST");
        let subject = self.subject.clone();
        self.end_of(&line, if is_last { "CONTENT" } else { "BDAT" }, &subject).await
    }

    async fn content(&mut self, line: Vec<u8>) -> Result<(), Over> {
        self.note_subject(&line);
        if line != b".\r\n" {
            return self.far_out.write_all(&line).await.map_err(|_| Over);
        }
        self.is_content = false;
        let subject = self.subject.clone();
        self.end_of(&line, "CONTENT", &subject).await
    }

    /// Hands on the end of content.
    async fn end_of(&mut self, line: &[u8], verb: &str, subject: &str) -> Result<(), Over> {
        if let Act::Say(reply) = self.expect(verb, subject) {
            // without its end the server has no message, and after this no connection
            self.pending.clear();
            let _gone = self.near_out.write_all(format!("{reply}\r\n").as_bytes()).await;
            return Err(Over);
        }
        self.far_out.write_all(line).await.map_err(|_| Over)
    }

    /// Says what is said in the server's place, as far as it is its turn.
    async fn synthesize(&mut self) -> Result<(), Over> {
        while let Some(Act::Say(reply)) = self.pending.front().map(|front| front.act.clone()) {
            self.pending.pop_front();
            let said = self.near_out.write_all(format!("{reply}\r\n").as_bytes()).await;
            said.map_err(|_| Over)?;
            if reply.starts_with("421") {
                return Err(Over);
            }
        }
        Ok(())
    }

    async fn reply(&mut self, reply: Vec<u8>) -> Result<(), Over> {
        // a server that says something unasked is closing
        let Some(front) = self.pending.front() else {
            let _gone = self.near_out.write_all(&reply).await;
            return Err(Over);
        };
        let (act, verb) = (front.act.clone(), front.verb.clone());
        match act {
            Act::Cut => return Err(Over),
            Act::Silent => {
                // until the client has had enough
                let mut rest = Vec::new();
                let _end = tokio::io::AsyncReadExt::read_to_end(&mut self.near_in, &mut rest).await;
                return Err(Over);
            }
            Act::Late(time) => tokio::time::sleep(time).await,
            // of CONNECT: everything else has been said
            Act::Say(reply) => {
                let _gone = self.near_out.write_all(format!("{reply}\r\n").as_bytes()).await;
                return Err(Over);
            }
            Act::Go => {}
        }
        if verb == "DATA" && reply.starts_with(b"354") {
            self.is_content = true;
            self.subject.clear();
        }
        // on failure it is still pending, that is, lost
        self.near_out.write_all(&reply).await.map_err(|_| Over)?;
        let front = self.pending.pop_front();
        if let Some(front) = front.filter(|front| front.verb == "CONTENT") {
            let mut book = self.state.book.lock().unwrap();
            let now = Instant::now();
            match reply.first() {
                Some(b'2') => book.accepted.entry(front.subject).or_default().push(now),
                _ => book.put_off.entry(front.subject).or_default().push(now),
            }
        }
        self.synthesize().await
    }
}
