//! A QRESYNC client over real sockets that applies only what it is told, while another session on
//! another node changes the mailbox: whenever it comes back, it has the truth (RFC 7162 §3.2.5).

use std::collections::BTreeMap;

use crate::support::corpus;
use crate::support::imap::{Answer, ImapClient};
use crate::support::store::{TestStore, unique};

struct Random(u64);

impl Random {
    fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) % below
    }
}

/// What a client keeps between its sessions.
#[derive(Default)]
struct Cache {
    validity: String,
    highest: u64,
    flags: BTreeMap<u64, String>,
}

/// The text between two others.
fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let rest = text.split_once(start)?.1;
    Some(rest.split_once(end)?.0)
}

fn numbers(set: &str) -> Vec<u64> {
    let bounds = set.split(',').map(|range| range.split_once(':').unwrap_or((range, range)));
    bounds.flat_map(|(a, b)| a.parse::<u64>().unwrap()..=b.parse().unwrap()).collect()
}

impl Cache {
    fn apply(&mut self, answer: &Answer) {
        let lines = answer.lines();
        for line in lines.iter().chain([&answer.status]) {
            if let Some(set) = line.strip_prefix("* VANISHED ") {
                let set = set.strip_prefix("(EARLIER) ").unwrap_or(set);
                numbers(set).iter().for_each(|uid| drop(self.flags.remove(uid)));
            }
            if let (Some(uid), Some(flags)) =
                (between(line, "(UID ", " "), between(line, "FLAGS (", ")"))
            {
                // RFC 3501 §2.3.2: of this session only, no state of the mailbox
                let flags = flags.split(' ').filter(|flag| *flag != "\\Recent");
                let mut flags: Vec<&str> = flags.collect();
                flags.sort_unstable();
                self.flags.insert(uid.parse().unwrap(), flags.join(" "));
            }
            if let Some(highest) = between(line, "[HIGHESTMODSEQ ", "]") {
                let highest = highest.parse().unwrap();
                assert!(highest >= self.highest, "HIGHESTMODSEQ fell: {line}");
                self.highest = highest;
            }
            if let Some(validity) = between(line, "[UIDVALIDITY ", "]") {
                self.validity = validity.to_owned();
            }
            assert!(!line.ends_with(" EXPUNGE"), "{line}");
        }
    }

    async fn run(&mut self, imap: &mut ImapClient, command: &str) {
        let answer = imap.command(command).await;
        assert!(!answer.status.starts_with("BAD"), "{command}: {}", answer.status);
        self.apply(&answer);
    }

    /// What came since the highest UID that is known.
    async fn fetch_new(&mut self, imap: &mut ImapClient) {
        let last = self.flags.keys().next_back().copied().unwrap_or(0);
        let answer = imap.ok(&format!("UID FETCH {}:* (FLAGS)", last + 1)).await;
        self.apply(&answer);
    }

    async fn come_back(&mut self, imap: &mut ImapClient, random: &mut Random) {
        imap.ok("ENABLE QRESYNC").await;
        if self.highest == 0 {
            return self.run(imap, "SELECT INBOX").await;
        }
        let known: Vec<String> = self.flags.keys().map(u64::to_string).collect();
        let known = match random.below(2) {
            0 if !known.is_empty() => format!(" {}", known.join(",")),
            _ => String::new(),
        };
        let select = format!("SELECT INBOX (QRESYNC ({} {}{known}))", self.validity, self.highest);
        self.run(imap, &select).await;
    }
}

/// Something that another session does.
async fn change(other: &mut ImapClient, random: &mut Random) {
    let number = random.below(12) + 1;
    match random.below(6) {
        0 | 1 => {
            other.append("INBOX", "", &corpus::message("new")).await;
        }
        2 => drop(other.command(&format!("STORE {number} FLAGS (\\Flagged)")).await),
        3 => drop(other.command(&format!("STORE {number} +FLAGS (kw{number})")).await),
        4 => drop(other.command(&format!("STORE {number} +FLAGS (\\Deleted)")).await),
        _ => drop(other.command("EXPUNGE").await),
    }
    other.ok("NOOP").await;
}

async fn play(nodes: &[TestStore; 2], user: &str, seed: u64) {
    let mut random = Random(seed);
    nodes[0].create_user(user).await;
    let mut other = nodes[0].imap(user).await;
    other.ok("SELECT INBOX").await;
    let mut cache = Cache::default();
    let mut online: Option<ImapClient> = None;
    for _ in 0..120 {
        let Some(imap) = &mut online else {
            for _ in 0..random.below(5) {
                change(&mut other, &mut random).await;
            }
            let mut imap = nodes[1].imap(user).await;
            cache.come_back(&mut imap, &mut random).await;
            cache.fetch_new(&mut imap).await;
            online = Some(imap);
            continue;
        };
        let uid = random.below(20) + 1;
        match random.below(9) {
            0..=2 => change(&mut other, &mut random).await,
            3 => cache.run(imap, "NOOP").await,
            4 => cache.run(imap, &format!("UID STORE {uid} +FLAGS (\\Seen)")).await,
            5 => cache.run(imap, "FETCH 1:* (UID FLAGS)").await,
            6 => {
                let tag = imap.start("IDLE").await;
                imap.send(b"DONE\r\n").await;
                let answer = imap.finish(&tag).await;
                cache.apply(&answer);
            }
            7 => cache.fetch_new(imap).await,
            _ => online = None,
        }
    }
    let mut imap = nodes[1].imap(user).await;
    cache.come_back(&mut imap, &mut random).await;
    cache.fetch_new(&mut imap).await;
    let mut truth = Cache::default();
    truth.apply(&other.ok("UID FETCH 1:* (FLAGS)").await);
    assert_eq!(cache.flags, truth.flags, "seed {seed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_applies_what_it_is_told_has_the_truth() {
    let database = unique("eider_test");
    let nodes = [TestStore::start_on(&database).await, TestStore::start_on(&database).await];
    for seed in 1..6 {
        play(&nodes, &format!("user{seed}"), seed).await;
    }
    let [a, b] = nodes;
    a.stop().await;
    b.stop().await;
}
