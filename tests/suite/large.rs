//! A large mailbox: everything is told, nothing is copied a session, a client that does not read
//! costs one buffer.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::corpus;
use crate::support::imap::{Answer, ImapClient};
use crate::support::store::{PASSWORD, TestStore};

/// Messages of one COPY while filling.
const COPIED: u32 = 2000;
const SESSIONS: usize = 30;
const SLOW: usize = 20;

/// Messages in the mailbox; more by hand.
fn messages() -> u32 {
    std::env::var("EIDER_LARGE_MAILBOX").ok().and_then(|n| n.parse().ok()).unwrap_or(20_000)
}

/// Octets of memory of this process.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

fn count(answer: &Answer, part: &str) -> usize {
    let is_wanted = |line: &&Vec<u8>| line.windows(part.len()).any(|w| w == part.as_bytes());
    answer.untagged.iter().filter(is_wanted).count()
}

/// Fills INBOX by copying it into itself: the copies share one content.
async fn fill(imap: &mut ImapClient, total: u32) {
    imap.append("INBOX", "(\\Seen) ", &corpus::message("first")).await;
    imap.append("INBOX", "", &corpus::message("second")).await;
    imap.ok("SELECT INBOX").await;
    let mut have = 2;
    while have < total {
        let next = have.min(COPIED).min(total - have);
        imap.ok(&format!("UID COPY 1:{next} INBOX")).await;
        have += next;
    }
}

#[expect(clippy::print_stdout, reason = "the figures, for who runs it by hand")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_mailbox_is_told_whole_and_costs_little() {
    let total = messages();
    let store = TestStore::start().await;
    store.create_user("anna").await;
    let mut imap = store.imap("anna").await;
    let started = std::time::Instant::now();
    fill(&mut imap, total).await;
    let mut took = vec![("fill", started.elapsed())];
    let mut timed = async |imap: &mut ImapClient, command: &'static str| {
        let started = std::time::Instant::now();
        let answer = imap.ok(command).await;
        took.push((command, started.elapsed()));
        answer
    };
    let mut imap = store.imap("anna").await;
    let selected = timed(&mut imap, "SELECT INBOX").await;
    assert!(selected.find(&format!("* {total} EXISTS")).is_some(), "{:?}", selected.lines());
    let flags = timed(&mut imap, "FETCH 1:* FLAGS").await;
    assert_eq!(count(&flags, " FETCH (FLAGS ("), total as usize);
    let unseen = timed(&mut imap, "UID SEARCH RETURN (COUNT) UNSEEN").await;
    assert!(unseen.find(&format!("COUNT {}", total / 2)).is_some(), "{:?}", unseen.lines());
    let uids = timed(&mut imap, "UID FETCH 1:* (UID RFC822.SIZE INTERNALDATE)").await;
    assert_eq!(count(&uids, " FETCH (UID "), total as usize);
    timed(&mut imap, "NOOP").await;
    timed(&mut imap, "SELECT INBOX").await;

    // sessions hold runs of UIDs, not messages
    let before = resident();
    let mut others = Vec::new();
    for _ in 0..SESSIONS {
        let mut other = store.imap("anna").await;
        other.ok("EXAMINE INBOX").await;
        others.push(other);
    }
    let grown = resident().saturating_sub(before);
    let a_session = grown / SESSIONS as u64;
    println!("{total} messages: {took:?}; {a_session} octets a session");
    assert!(a_session < 256 * 1024, "{a_session} octets a session");
    drop(others);
    slow_readers_cost_a_buffer(&store, &mut imap).await;
    store.stop().await;
}

/// Clients that ask for much and read nothing.
async fn slow_readers_cost_a_buffer(store: &TestStore, imap: &mut ImapClient) {
    let before = resident();
    let mut slow = Vec::new();
    for _ in 0..SLOW {
        let mut stream = TcpStream::connect(store.imap_address()).await.unwrap();
        let login = format!("a LOGIN anna \"{PASSWORD}\"\r\nb EXAMINE INBOX\r\n");
        let commands = "c UID FETCH 1:* (FLAGS RFC822.SIZE INTERNALDATE)\r\n".repeat(100);
        stream.write_all((login + &commands).as_bytes()).await.unwrap();
        slow.push(stream);
    }
    // the node goes on meanwhile
    for _ in 0..20 {
        imap.ok("UID SEARCH RETURN (COUNT) SEEN").await;
        imap.ok("UID FETCH 1:1000 FLAGS").await;
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 48 << 20, "{grown} octets for {SLOW} clients that do not read");
    drop(slow);
    imap.ok("NOOP").await;
}
