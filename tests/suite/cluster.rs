//! Two nodes on one database: doorbells, order, exact counters.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::corpus;
use crate::support::store::{TestStore, unique};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_in_at_one_node_rings_idle_at_the_other() {
    let database = unique("eider_test");
    let a = TestStore::start_on(&database).await;
    let b = TestStore::start_on(&database).await;
    a.create_user("anna").await;
    let mut idle = b.imap("anna").await;
    idle.ok("SELECT INBOX").await;
    let tag = idle.start("IDLE").await;
    assert!(idle.response().await.starts_with(b"+"));
    let replies = a.lmtp().await.deliver(&["anna@example.com"], &corpus::message("ring")).await;
    assert!(replies[0].starts_with("250"), "{replies:?}");
    let line = idle.response().await;
    assert_eq!(String::from_utf8_lossy(&line), "* 1 EXISTS");
    idle.send(b"DONE\r\n").await;
    idle.finish(&tag).await;
    // flags and expunges cross too
    let mut other = a.imap("anna").await;
    other.ok("SELECT INBOX").await;
    other.ok("STORE 1 +FLAGS (\\Deleted $Work)").await;
    let seen = idle.ok("NOOP").await;
    assert!(seen.find("$Work").is_some(), "{:?}", seen.lines());
    other.ok("EXPUNGE").await;
    let gone = idle.ok("NOOP").await;
    assert!(gone.find("1 EXPUNGE").is_some(), "{:?}", gone.lines());
    a.stop().await;
    b.stop().await;
}

const WRITERS: usize = 64;
const EACH: usize = 8;

/// 64 writers on two nodes append to one mailbox while readers look: UIDs are dense in commit order, no reader
/// sees UID n+1 before n, ModSeq is monotone, counters are exact.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_writers_keep_uids_in_commit_order() {
    let database = unique("eider_test");
    let nodes = [TestStore::start_on(&database).await, TestStore::start_on(&database).await];
    nodes[0].create_user("anna").await;
    let mut readers = Vec::new();
    for node in &nodes {
        let mut imap = node.imap("anna").await;
        imap.ok("ENABLE CONDSTORE").await;
        readers.push(tokio::spawn(observe(imap)));
    }
    let mut writers = Vec::new();
    for number in 0..WRITERS {
        let mut imap = nodes[number % 2].imap("anna").await;
        writers.push(tokio::spawn(async move {
            let mut uids = Vec::new();
            for round in 0..EACH {
                let subject = format!("w{number}r{round}");
                let answer = imap.append("INBOX", "", &corpus::message(&subject)).await;
                uids.push((appended_uid(&answer.status), subject));
            }
            uids
        }));
    }
    let mut by_uid = BTreeMap::new();
    for writer in writers {
        for (uid, subject) in writer.await.unwrap() {
            assert!(by_uid.insert(uid, subject).is_none(), "UID {uid} was given twice");
        }
    }
    for reader in readers {
        reader.await.unwrap();
    }
    let total = u32::try_from(WRITERS * EACH).unwrap();
    assert_eq!(by_uid.keys().copied().collect::<Vec<_>>(), (1..=total).collect::<Vec<_>>());
    let mut imap = nodes[1].imap("anna").await;
    let status = imap.ok("STATUS INBOX (MESSAGES UNSEEN UIDNEXT)").await;
    let line = status.find("STATUS").unwrap();
    assert!(line.contains(&format!("MESSAGES {total}")), "{line}");
    assert!(line.contains(&format!("UNSEEN {total}")), "{line}");
    assert!(line.contains(&format!("UIDNEXT {}", total + 1)), "{line}");
    imap.ok("SELECT INBOX").await;
    let subjects = imap.ok("UID FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)])").await;
    for (index, line) in subjects.lines().iter().enumerate() {
        let uid = u32::try_from(index).unwrap() + 1;
        assert!(line.contains(&format!("Subject: {}\r\n", by_uid[&uid])), "UID {uid}: {line}");
    }
    let [a, b] = nodes;
    a.stop().await;
    b.stop().await;
}

/// `OK [APPENDUID validity uid] …`
fn appended_uid(status: &str) -> u32 {
    let code = status.split("APPENDUID ").nth(1).unwrap_or_else(|| panic!("{status}"));
    code.split([' ', ']'])
        .nth(1)
        .and_then(|uid| uid.parse().ok())
        .unwrap_or_else(|| panic!("{status}"))
}

/// Looks again and again until all messages are there; every look must extend the last one.
async fn observe(mut imap: crate::support::imap::ImapClient) {
    imap.ok("SELECT INBOX").await;
    let total = WRITERS * EACH;
    let mut highest = 0u64;
    let mut known = BTreeSet::new();
    // bounded: each look waits for the server, and the writers end
    for _ in 0..100_000 {
        imap.ok("NOOP").await;
        let answer = imap.ok("UID FETCH 1:* (UID MODSEQ)").await;
        let mut seen = BTreeSet::new();
        for line in answer.lines().iter().filter(|line| line.contains("FETCH (")) {
            let number = |key: &str| -> u64 {
                let rest = line.split(key).nth(1).unwrap_or_else(|| panic!("{line}"));
                rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
            };
            let (uid, mod_seq) = (number("UID "), number("MODSEQ ("));
            if !known.contains(&uid) {
                assert!(mod_seq >= highest, "ModSeq {mod_seq} of new UID {uid} is below {highest}");
            }
            seen.insert((uid, mod_seq));
        }
        let uids: BTreeSet<u64> = seen.iter().map(|(uid, _)| *uid).collect();
        let dense: BTreeSet<u64> = (1..=u64::try_from(uids.len()).unwrap()).collect();
        assert_eq!(uids, dense, "a UID is seen before the one below it");
        assert!(uids.is_superset(&known), "a message that was seen is gone");
        highest = seen.iter().map(|(_, mod_seq)| *mod_seq).max().unwrap_or(0).max(highest);
        known = uids;
        if known.len() == total {
            return;
        }
    }
    panic!("not all messages appeared: {} of {total}", known.len());
}
