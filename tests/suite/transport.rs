//! The whole way of mail under faults: two nodes and their database as processes that are killed and
//! started again, a postfix, a server that fails at random, and relays that put other replies in
//! the place of true ones, cut connections or fall silent between all of them.
//!
//! Each recipient of each message ends in exactly one of delivered, bounced (to its sender) and
//! refused (to its client); nothing is lost; what comes twice is explained by a 250 that its client
//! never saw, or by the kill of a node between the other's 250 and its note of it. Says how many
//! of each. `EIDER_TRANSPORT_MESSAGES` says how many messages.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use eider::storage::Storage;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;

use crate::mta::zone_of;
use crate::support::api::ApiClient;
use crate::support::chaos::{Book, ChaosRelay};
use crate::support::dns::DnsServer;
use crate::support::imap::{ImapClient, literal};
use crate::support::lmtp::LmtpClient;
use crate::support::postfix::{Postfix, free_port};
use crate::support::process::{Database, Node};
use crate::support::smtp_sink::{Act, Options, SmtpSink, Step};
use crate::support::store::{PASSWORD, ROOT_TOKEN};

const USERS: usize = 8;
const SENDERS: usize = 16;
/// How long a client waits for a reply.
const PATIENCE: Duration = Duration::from_secs(10);
/// Seconds after which the database ends what a killed node has begun.
const TRANSACTION_S: i32 = 5;
/// Between the other's 250 and our note of it.
const CRASH_WINDOW: Duration = Duration::from_secs(5);

/// Random acts, one step in `one_in`.
fn acts(seed: u64, one_in: u32) -> impl Fn(&Step) -> Act + Send + Sync + 'static {
    let random = Mutex::new(StdRng::seed_from_u64(seed));
    move |step| {
        let mut random = random.lock().unwrap();
        if random.random_range(0..one_in) > 0 {
            return Act::Go;
        }
        match (random.random_range(0..10), step.verb.as_str()) {
            (0..4, _) => Act::Cut,
            (4, _) => Act::Silent,
            (5, _) => Act::Say("421 4.3.2 closing".into()),
            (6, "RCPT") => Act::Say("550 5.1.1 nobody, says chaos".into()),
            (_, "MAIL" | "RCPT" | "CONTENT") => Act::Say("451 4.3.0 later".into()),
            _ => Act::Go,
        }
    }
}

/// How a message goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    /// A user submits it, for servers that fail.
    Out,
    /// A user submits it, for postfix.
    OutToPostfix,
    /// A stranger brings it.
    In,
    /// Postfix brings it.
    InFromPostfix,
}

struct Message {
    subject: String,
    way: Way,
    to: Vec<String>,
}

fn message(number: usize) -> Message {
    let way = [Way::Out, Way::OutToPostfix, Way::In, Way::InFromPostfix][number % 4];
    let round = number / 4;
    let user = |index: usize| format!("user{}@example.com", (round + index) % USERS);
    let to = match way {
        // one or two recipients, of one domain or of two
        Way::Out => (0..1 + round % 2)
            .map(|index| {
                format!("u{number}x{index}@d{}.example", (round + index * (round % 3)) % 7)
            })
            .collect(),
        Way::OutToPostfix if round % 20 == 1 => vec![format!("nobody{number}@p.example")],
        Way::OutToPostfix => vec![format!("u{number}x0@p.example")],
        Way::In | Way::InFromPostfix if round % 20 == 1 => {
            vec![format!("nobody{number}@example.com")]
        }
        Way::In => (0..1 + round % 2).map(user).collect(),
        Way::InFromPostfix => vec![user(0)],
    };
    Message { subject: format!("n{number}"), way, to }
}

/// A kill, and until when it was felt.
struct Outage {
    what: &'static str,
    from: Instant,
    until: Instant,
    /// The same in seconds since 1970.
    from_s: i64,
    until_s: i64,
}

/// The town: everybody who takes part.
struct Town {
    database: Database,
    storage: Storage,
    nodes: Vec<Node>,
    /// In front of each node's doors.
    smtp: Vec<ChaosRelay>,
    submission: Vec<ChaosRelay>,
    /// In front of postfix.
    to_postfix: ChaosRelay,
    postfix: Postfix,
    postfix_address: SocketAddr,
    sink: SmtpSink,
    _dns: DnsServer,
}

impl Town {
    async fn build(seed: u64) -> Self {
        let database = Database::start().await;
        let sink_options = Options { script: Box::new(acts(seed, 15)), ..Options::default() };
        let sink = SmtpSink::start(sink_options).await;
        let postfix_address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let listen = format!("127.0.0.2:{}", sink.port());
        let to_postfix = ChaosRelay::start(&listen, postfix_address, acts(seed + 1, 20)).await;
        let domains: Vec<String> = (0..7).map(|number| format!("d{number}.example")).collect();
        let domains: Vec<&str> = domains.iter().map(String::as_str).collect();
        let zone = zone_of(&domains)
            + "p.example. 60 IN MX 10 mx.p.example.\nmx.p.example. 60 IN A 127.0.0.2\n";
        let dns = DnsServer::start(&zone).await;
        let config = config(&database, &dns, sink.port());
        let nodes = vec![Node::start(&config).await, Node::start(&config).await];
        let storage = Storage::connect(&database.uri(), "eider").await.unwrap();
        storage.end_abandoned_transactions(TRANSACTION_S).await.unwrap();
        let (mut smtp, mut submission) = (Vec::new(), Vec::new());
        for (node, seed) in nodes.iter().zip([seed + 2, seed + 4]) {
            let (to_smtp, to_submission) = (node.address(SMTP), node.address(SUBMISSION));
            smtp.push(ChaosRelay::start("127.0.0.1:0", to_smtp, acts(seed, 20)).await);
            let acts = acts(seed + 1, 20);
            submission.push(ChaosRelay::start("127.0.0.1:0", to_submission, acts).await);
        }
        let nexts: Vec<SocketAddr> = smtp.iter().map(|relay| relay.address).collect();
        let postfix = Postfix::start(postfix_address.port(), &nexts).await;
        Self {
            database,
            storage,
            nodes,
            smtp,
            submission,
            to_postfix,
            postfix,
            postfix_address,
            sink,
            _dns: dns,
        }
    }

    fn api(&self) -> ApiClient {
        ApiClient::new(self.nodes[0].address("API (HTTP)"), Some(ROOT_TOKEN))
    }

    async fn populate(&self) {
        let api = self.api();
        let pauses = json!({ "value": vec!["300"; 400].join(",") });
        let (status, answer) = api.post("/settings/const:sender:defer_times", &pauses).await;
        assert_eq!(status, 200, "{answer}");
        for name in (0..USERS).map(|number| format!("user{number}")).chain(["me".into()]) {
            let body = json!({
                "username": name, "password": PASSWORD, "address": format!("{name}@example.com"),
                "recipients": 10_000_000, "receivedMax": 10_000_000, "quota": 0,
            });
            let (status, answer) = api.post("/users", &body).await;
            assert_eq!(status, 200, "{answer}");
        }
    }

    /// Kills one after the other, and starts it again.
    async fn strike(&mut self, turn: usize) -> Outage {
        let (from, from_s) = (Instant::now(), jiff::Timestamp::now().as_second());
        let what = match turn % 4 {
            0 | 2 => {
                let index = turn % 4 / 2;
                let node = &mut self.nodes[index];
                node.kill().await;
                node.start_again().await;
                self.smtp[index].lead_to(node.address(SMTP));
                self.submission[index].lead_to(node.address(SUBMISSION));
                "node"
            }
            _ => {
                self.database.kill().await;
                self.database.start_again().await;
                until_slowly("the database is back", Duration::from_secs(60), async || {
                    self.storage.end_abandoned_transactions(TRANSACTION_S).await.is_ok()
                })
                .await;
                "database"
            }
        };
        let until_s = jiff::Timestamp::now().as_second();
        Outage { what, from, until: Instant::now(), from_s, until_s }
    }

    async fn is_quiet(&self) -> bool {
        let (status, answer) = self.api().get("/queue?limit=1").await;
        status == 200
            && answer["results"].as_array().is_some_and(Vec::is_empty)
            && self.postfix.queued() == 0
    }

    async fn imap(&self, user: &str) -> ImapClient {
        let mut imap = ImapClient::connect(self.nodes[0].address("IMAP (STARTTLS)")).await;
        imap.ok(&format!("LOGIN {user} \"{PASSWORD}\"")).await;
        imap.ok("SELECT INBOX").await;
        imap
    }
}

const SMTP: &str = "SMTP (STARTTLS)";
const SUBMISSION: &str = "Submission (STARTTLS)";

fn config(database: &Database, dns: &DnsServer, port: u16) -> String {
    format!(
        "hostname = \"store.example\"\n\
         [log]\nlevel = \"warn\"\n\
         [storage]\nuri = \"{}\"\n\
         [imap]\nlisten = [\"127.0.0.1:0\"]\nlisten_tls = []\n\
         [pop3]\nlisten = []\nlisten_tls = []\n\
         [smtp]\nlisten = [\"127.0.0.1:0\"]\n\
         [submission]\nlisten = [\"127.0.0.1:0\"]\nlisten_tls = []\n\
         [lmtp]\nlisten = [\"127.0.0.1:0\"]\n\
         [api]\nlisten = [\"127.0.0.1:0\"]\nroot_token = \"{ROOT_TOKEN}\"\n\
         [dns]\nservers = [\"{}\"]\n\
         [mta]\nport = {port}\ntimeout_s = 5\nmta_sts = false\nallow_networks = [\"127.0.0.0/8\"]\n",
        database.uri(),
        dns.address,
    )
}

/// Asks a few times a second: others need the processor.
async fn until_slowly(what: &str, longest: Duration, mut holds: impl AsyncFnMut() -> bool) {
    let mut ticks = tokio::time::interval(Duration::from_millis(300));
    let waited = tokio::time::timeout(longest, async {
        while !holds().await {
            ticks.tick().await;
        }
    });
    assert!(waited.await.is_ok(), "{what}: not within {longest:?}");
}

/// What a client that tries again and again has learned.
#[derive(Default)]
struct Learned {
    refused: Vec<String>,
}

/// Where a client goes, and as whom.
struct Door {
    address: SocketAddr,
    from: &'static str,
    has_login: bool,
}

/// One try; who has it, who never will. `None` at any time: it is tried again.
async fn attempt(
    door: &Door,
    subject: &str,
    left: &mut Vec<String>,
    learned: &mut Learned,
) -> Option<()> {
    let mut client = LmtpClient::connect_any(door.address).await;
    expect(&mut client, "", "220").await?;
    expect(&mut client, "EHLO client.example\r\n", "250").await?;
    if door.has_login {
        let plain = format!("\0me\0{PASSWORD}");
        let plain = base64::engine::general_purpose::STANDARD.encode(plain);
        expect(&mut client, &format!("AUTH PLAIN {plain}\r\n"), "235").await?;
    }
    expect(&mut client, &format!("MAIL FROM:<{}>\r\n", door.from), "250").await?;
    let mut accepted = Vec::new();
    for recipient in left.clone() {
        let reply = say(&mut client, &format!("RCPT TO:<{recipient}>\r\n")).await?;
        if reply.starts_with("250") {
            accepted.push(recipient);
        } else if reply.starts_with('5') {
            let is_fair = reply.contains("chaos") || recipient.starts_with("nobody");
            assert!(is_fair, "{recipient} was refused: {reply}");
            left.retain(|other| *other != recipient);
            learned.refused.push(recipient);
        }
    }
    if accepted.is_empty() {
        return Some(());
    }
    expect(&mut client, "DATA\r\n", "354").await?;
    let text = format!("From: <{}>\r\nSubject: {subject}\r\n\r\nHello\r\n.\r\n", door.from);
    expect(&mut client, &text, "250").await?;
    left.retain(|recipient| !accepted.contains(recipient));
    let _bye = say(&mut client, "QUIT\r\n").await;
    Some(())
}

async fn say(client: &mut LmtpClient, text: &str) -> Option<String> {
    client.send(text.as_bytes()).await;
    tokio::time::timeout(PATIENCE, client.try_reply()).await.ok()?
}

/// `None` for 4xx and silence; anything else but the code is a mistake of ours.
async fn expect(client: &mut LmtpClient, text: &str, code: &str) -> Option<()> {
    let reply = say(client, text).await?;
    assert!(reply.starts_with(code) || reply.starts_with('4'), "{text:?}: {reply}");
    reply.starts_with(code).then_some(())
}

/// Sends a message as long as it takes; who was refused.
async fn send(doors: &[Door], number: usize) -> Vec<String> {
    let Message { subject, to: mut left, .. } = message(number);
    let mut learned = Learned::default();
    let mut ticks = tokio::time::interval(Duration::from_millis(200));
    for tries in number.. {
        let door = &doors[tries % doors.len()];
        let _tried = attempt(door, &subject, &mut left, &mut learned).await;
        if left.is_empty() {
            break;
        }
        ticks.tick().await;
    }
    learned.refused
}

/// What has arrived where, by subject and recipient.
#[derive(Default)]
struct Arrived {
    /// With the times, where they are known.
    taken: BTreeMap<(String, String), Vec<Option<Instant>>>,
    /// With the seconds since 1970 that the reports tell.
    reported: BTreeMap<(String, String), Vec<i64>>,
    /// The sink took it, and its 250 was cut off.
    unanswered: usize,
}

impl Arrived {
    fn take(&mut self, subject: &str, recipient: &str, at: Option<Instant>) {
        self.taken.entry((subject.to_owned(), recipient.to_owned())).or_default().push(at);
    }

    /// A report to a sender: about whom, and about what.
    fn report(&mut self, text: &str) {
        let text = text.replace("\r\n", "\n");
        let after = |name: &'static str| {
            text.split(name).skip(1).filter_map(|rest| rest.lines().next()).map(str::trim)
        };
        let at = after("\nDate: ").next().and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
        let at = at.map_or(0, |at| at.timestamp().as_second());
        let subject = after("\nSubject: n").next().unwrap_or_else(|| panic!("{text}"));
        for recipient in after("\nFinal-Recipient: rfc822; ") {
            let key = (format!("n{subject}"), recipient.to_owned());
            self.reported.entry(key).or_default().push(at);
        }
    }
}

async fn look(town: &Town) -> Arrived {
    let mut arrived = Arrived::default();
    for mail in town.sink.mails() {
        let subject = mail.content.lines().find_map(|line| line.strip_prefix("Subject: "));
        arrived.unanswered += usize::from(!mail.is_answered);
        for to in mail.to.iter().filter(|_| mail.is_answered) {
            arrived.take(subject.unwrap().trim(), to, Some(mail.at));
        }
    }
    let header = |text: &str, name: &str| {
        let found = text.lines().find_map(|line| line.strip_prefix(name));
        found.unwrap_or_else(|| panic!("no {name} in {text}")).trim().to_owned()
    };
    for mail in town.postfix.mails("ok") {
        let to = header(&mail, "Delivered-To: ");
        match to.as_str() {
            "ok@p.example" => arrived.report(&mail),
            to => arrived.take(&header(&mail, "Subject: "), to, None),
        }
    }
    for user in 0..USERS {
        let mut imap = town.imap(&format!("user{user}")).await;
        let found = imap.ok("FETCH 1:* BODY.PEEK[HEADER.FIELDS (Subject)]").await;
        for fields in found.untagged.iter().filter_map(|line| literal(line)) {
            let subject = header(&String::from_utf8(fields).unwrap(), "Subject: ");
            arrived.take(&subject, &format!("user{user}@example.com"), None);
        }
    }
    let mut imap = town.imap("me").await;
    let found = imap.ok("UID SEARCH ALL").await.lines().concat();
    for uid in found.split_ascii_whitespace().filter_map(|word| word.parse().ok()) {
        arrived.report(&String::from_utf8(imap.body(uid).await).unwrap());
    }
    arrived
}

/// How messages ended, for the eye.
#[derive(Default, Debug)]
struct Count {
    recipients: usize,
    delivered: usize,
    bounced: usize,
    refused: usize,
    /// More than once, because the client of ours or the relay never saw a 250.
    doubled_unseen: usize,
    /// The same, because a node was killed between the other's 250 and its note of it.
    doubled_by_kill: usize,
    /// The same, because the database was away when a message had been stored.
    doubled_by_database: usize,
    /// Bounced with two reports, because of a kill between the report and the end of its entry.
    reported_twice: usize,
}

fn judge(town: &Town, refused: &[Vec<String>], outages: &[Outage], arrived: &Arrived) -> Count {
    let mut count = Count::default();
    let mut wrong = Vec::new();
    for (number, refused) in refused.iter().enumerate() {
        let Message { subject, way, to } = message(number);
        let entries: &[ChaosRelay] = match way {
            Way::Out | Way::OutToPostfix => &town.submission,
            Way::In | Way::InFromPostfix => &town.smtp,
        };
        let at_exit = (way == Way::OutToPostfix).then_some(&town.to_postfix);
        let relays = || entries.iter().chain(at_exit);
        let lost = |book: &Book| book.lost.get(&subject).copied().unwrap_or(0);
        let unseen: usize = relays().map(|relay| relay.book(lost)).sum();
        for recipient in to {
            let key = (subject.clone(), recipient.clone());
            let taken = arrived.taken.get(&key).map_or(0, Vec::len);
            let reports = arrived.reported.get(&key).map(Vec::as_slice).unwrap_or_default();
            let reported = reports.len();
            let was_refused = usize::from(refused.contains(&recipient));
            count.recipients += 1;
            count.delivered += usize::from(taken > 0);
            count.bounced += usize::from(taken == 0 && reported > 0);
            count.refused += usize::from(taken + reported == 0) * was_refused;
            let ends = taken + reported + was_refused;
            let extra = ends.saturating_sub(1);
            let by_kill = explained(town, way, &subject, &key, outages, arrived);
            let put_off = outages.iter().filter(|outage| outage.what == "database").any(|outage| {
                relays().any(|relay| {
                    relay.book(|book| {
                        let times = book.put_off.get(&subject);
                        let is_then = |at: &Instant| *at >= outage.from;
                        times.is_some_and(|times| times.iter().any(is_then))
                    })
                })
            });
            match extra {
                0 if ends == 1 => {}
                0 => wrong.push(format!("{subject} {way:?} to {recipient} is lost")),
                extra if extra <= unseen => count.doubled_unseen += 1,
                1 if taken + was_refused == 0 && reported_before(reports, outages) => {
                    count.reported_twice += 1;
                }
                _ if by_kill => count.doubled_by_kill += 1,
                _ if put_off => count.doubled_by_database += 1,
                _ => wrong.push(format!(
                    "{subject} {way:?} to {recipient}: {taken} taken, {reported} reported, \
                     {was_refused} refused, {unseen} unseen"
                )),
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}\n{count:#?}", wrong.len(), wrong.join("\n"));
    count
}

/// Whether something was killed just after a report (`delivery::settle`: a crash between may report
/// twice, never not at all).
fn reported_before(reports: &[i64], outages: &[Outage]) -> bool {
    let window = i64::try_from(CRASH_WINDOW.as_secs()).unwrap();
    reports.iter().any(|at| {
        outages.iter().any(|outage| *at <= outage.until_s && *at + window >= outage.from_s)
    })
}

/// Whether a node was killed just after somebody had said 250 to it, or reported.
fn explained(
    town: &Town,
    way: Way,
    subject: &str,
    key: &(String, String),
    outages: &[Outage],
    arrived: &Arrived,
) -> bool {
    let mut times: Vec<Instant> =
        arrived.taken.get(key).into_iter().flatten().filter_map(|at| *at).collect();
    if way == Way::OutToPostfix {
        let accepted = town.to_postfix.book(|book| book.accepted.get(subject).cloned());
        times.extend(accepted.into_iter().flatten());
    }
    let killed = || outages.iter().filter(|outage| outage.what == "node");
    times
        .iter()
        .any(|at| killed().any(|outage| *at <= outage.until && *at + CRASH_WINDOW >= outage.from))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_ends_once_whatever_is_killed() {
    let count: usize = std::env::var("EIDER_TRANSPORT_MESSAGES")
        .map_or(300, |text| text.parse().expect("a number"));
    let seed: u64 = rand::random_range(0..1_000_000);
    eprintln!("seed {seed}");
    let mut town = Town::build(seed).await;
    town.populate().await;
    let (next, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let refused = Arc::new(Mutex::new(vec![Vec::new(); count]));
    let doors = doors(&town);
    let started = Instant::now();
    let senders: Vec<_> = (0..SENDERS)
        .map(|_| {
            let (next, refused, doors) = (next.clone(), refused.clone(), doors.clone());
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    let way = message(number).way;
                    let to_whom = doors.iter().find(|(of, _)| *of == way).map(|(_, doors)| doors);
                    let who = send(to_whom.unwrap(), number).await;
                    refused.lock().unwrap()[number] = who;
                }
            })
        })
        .collect();
    let watcher = {
        let done = done.clone();
        tokio::spawn(async move {
            for sender in senders {
                sender.await.unwrap();
            }
            done.store(true, Ordering::Relaxed);
        })
    };
    // some kills for the small run, and one every half minute for a large one
    let period = Duration::from_secs(if count > 1000 { 30 } else { 5 });
    let mut outages = Vec::new();
    while !done.load(Ordering::Relaxed) {
        let ends = Instant::now() + period;
        until_slowly("the next strike", period * 2, async || {
            Instant::now() > ends || done.load(Ordering::Relaxed)
        })
        .await;
        outages.push(town.strike(outages.len()).await);
        eprintln!(
            "{:?}: {} sent, {} killed",
            started.elapsed(),
            next.load(Ordering::Relaxed),
            outages.last().unwrap().what
        );
    }
    watcher.await.unwrap();
    let sent = started.elapsed();
    let longest = Duration::from_secs(240 + count as u64 / 5);
    until_slowly("the queues are empty", longest, async || town.is_quiet().await).await;
    let arrived = look(&town).await;
    let refused = refused.lock().unwrap().clone();
    let counted = judge(&town, &refused, &outages, &arrived);
    let sessions: usize = town.smtp.iter().chain(&town.submission).map(ChaosRelay::sessions).sum();
    eprintln!(
        "{count} messages sent in {sent:?}, all at an end after {:?}; {} kills, {sessions} sessions, \
         {} times a server's 250 was cut off: {counted:#?}",
        started.elapsed(),
        outages.len(),
        arrived.unanswered
    );
    for node in &town.nodes {
        assert!(!node.log().contains("panicked"), "{}", node.log());
    }
}

type Doors = Arc<Vec<(Way, Vec<Door>)>>;

fn doors(town: &Town) -> Doors {
    let at = |relays: &[ChaosRelay], from: &'static str, has_login: bool| {
        let addresses = relays.iter().map(|relay| relay.address);
        addresses.map(|address| Door { address, from, has_login }).collect::<Vec<_>>()
    };
    let me = "me@example.com";
    let postfix = Door { address: town.postfix_address, from: "ok@p.example", has_login: false };
    Arc::new(vec![
        (Way::Out, at(&town.submission, me, true)),
        (Way::OutToPostfix, at(&town.submission, me, true)),
        (Way::In, at(&town.smtp, "a@far.example", false)),
        (Way::InFromPostfix, vec![postfix]),
    ])
}
