//! Many mailboxes and many messages: everything is there, once. Counts, no clocks.

use std::collections::BTreeSet;

use crate::support::corpus;
use crate::support::imap::ImapClient;
use crate::support::store::TestStore;
use crate::support::within;

const MAILBOXES: usize = 300;
const MESSAGES: usize = 3000;
const CONNECTIONS: usize = 4;
/// Commands in flight at once on a connection.
const PIPELINE: usize = 50;

/// Responses that begin with these words.
fn count(answer: &crate::support::imap::Answer, start: &str) -> usize {
    answer.untagged.iter().filter(|line| line.starts_with(start.as_bytes())).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_mailboxes_are_listed_with_their_status() {
    let store = TestStore::start().await;
    let user = store.create_user("anna").await;
    let mut imap = store.imap("anna").await;
    let given = count(&imap.ok("LIST \"\" \"*\"").await, "* LIST ");
    let names: Vec<String> = (0..MAILBOXES).map(|n| format!("box{:02}/sub{n}", n % 20)).collect();
    // The parents first: a name below one that is not there would make it
    for parent in 0..20 {
        imap.ok(&format!("CREATE box{parent:02}")).await;
    }
    for names in names.chunks(PIPELINE) {
        let mut tags = Vec::new();
        for name in names {
            tags.push(imap.start(&format!("CREATE {name}")).await);
        }
        for tag in tags {
            let answer = imap.finish(&tag).await;
            assert!(answer.status.starts_with("OK"), "{}", answer.status);
        }
    }
    let all = given + 20 + MAILBOXES;
    let listed = imap.ok("LIST \"\" \"*\"").await;
    assert_eq!(count(&listed, "* LIST "), all);
    let text = listed.lines().join("\n") + "\n";
    for name in &names {
        assert!(text.contains(&format!(" {name}\n")) || text.contains(&format!("\"{name}\"\n")));
    }
    assert_eq!(count(&imap.ok("LIST \"\" \"%\"").await, "* LIST "), given + 20);
    assert_eq!(count(&imap.ok("LIST \"\" \"box07/%\"").await, "* LIST "), MAILBOXES / 20);
    let replies = imap.append("box07/sub7", "", &corpus::message("one")).await;
    assert!(replies.status.starts_with("OK"), "{}", replies.status);
    let with_status = imap.ok("LIST \"\" \"*\" RETURN (STATUS (MESSAGES UNSEEN))").await;
    assert_eq!((count(&with_status, "* LIST "), count(&with_status, "* STATUS ")), (all, all));
    assert!(with_status.find("(MESSAGES 1 UNSEEN 1)").is_some(), "the one with a message");
    let (status, boxes) = store.api().get(&format!("/users/{user}/mailboxes")).await;
    assert_eq!((status, boxes["results"].as_array().unwrap().len()), (200, all));
    store.stop().await;
}

/// Appends to INBOX with many commands in flight.
async fn append(mut imap: ImapClient, numbers: std::ops::Range<usize>) {
    let numbers: Vec<usize> = numbers.collect();
    for numbers in numbers.chunks(PIPELINE) {
        let mut tags = Vec::new();
        let mut octets = Vec::new();
        for number in numbers {
            let message = corpus::message(&format!("many{number}"));
            let tag = format!("a{number}");
            let line = format!("{tag} APPEND INBOX {{{}+}}\r\n", message.len());
            octets.extend_from_slice(line.as_bytes());
            octets.extend_from_slice(&message);
            octets.extend_from_slice(b"\r\n");
            tags.push(tag);
        }
        imap.send(&octets).await;
        for tag in tags {
            let answer = imap.finish(&tag).await;
            assert!(answer.status.starts_with("OK"), "{}", answer.status);
        }
    }
}

/// Appends that many messages to INBOX over several connections.
async fn fill(store: &TestStore, messages: usize) {
    let share = messages / CONNECTIONS;
    let mut writers = Vec::new();
    for writer in 0..CONNECTIONS {
        let imap = store.imap("anna").await;
        writers.push(tokio::spawn(append(imap, writer * share..(writer + 1) * share)));
    }
    for writer in writers {
        within("the messages", writer).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_command_for_more_messages_than_a_transaction_takes() {
    const MESSAGES: usize = 2200;
    let store = TestStore::start().await;
    store.create_user("anna").await;
    fill(&store, MESSAGES).await;
    let mut imap = store.imap("anna").await;
    imap.ok("SELECT INBOX").await;
    imap.ok("CREATE copies").await;
    let copied = imap.ok("UID COPY 1:* copies").await;
    let code = format!(" 1:{MESSAGES} 1:{MESSAGES}]");
    assert!(copied.status.contains(&code), "{}", copied.status);
    let stored = imap.ok("STORE 1:* +FLAGS (\\Seen \\Deleted)").await;
    assert_eq!(count(&stored, "* "), MESSAGES);
    let status = imap.ok("STATUS INBOX (MESSAGES UNSEEN DELETED)").await;
    let expected = format!("(MESSAGES {MESSAGES} UNSEEN 0 DELETED {MESSAGES})");
    assert!(status.find(&expected).is_some(), "{:?}", status.lines());
    let expunged = imap.ok("EXPUNGE").await;
    let gone = expunged.lines().iter().filter(|line| line.ends_with(" EXPUNGE")).count();
    assert_eq!(gone, MESSAGES);
    imap.ok("SELECT copies").await;
    let moved = imap.ok("MOVE 1:* INBOX").await;
    let code = format!(" 1:{MESSAGES} {}:{}]", MESSAGES + 1, 2 * MESSAGES);
    assert!(moved.find(&code).is_some() || moved.status.contains(&code), "{}", moved.status);
    for (mailbox, messages) in [("INBOX", MESSAGES), ("copies", 0)] {
        let status = imap.ok(&format!("STATUS {mailbox} (MESSAGES UNSEEN)")).await;
        let expected = format!("(MESSAGES {messages} UNSEEN {messages})");
        assert!(status.find(&expected).is_some(), "{:?}", status.lines());
    }
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_thousand_messages_are_each_seen_once() {
    let store = TestStore::start().await;
    let user = store.create_user("anna").await;
    fill(&store, MESSAGES).await;
    let mut imap = store.imap("anna").await;
    let selected = imap.ok("SELECT INBOX").await;
    assert!(selected.find(&format!("* {MESSAGES} EXISTS")).is_some(), "{:?}", selected.lines());
    let fetched = imap.ok("FETCH 1:* FLAGS").await;
    let rows = fetched.lines().iter().filter(|line| line.contains(" FETCH (FLAGS (")).count();
    assert_eq!(rows, MESSAGES);
    let found = imap.ok("UID SEARCH UNSEEN").await.find("SEARCH").unwrap();
    let uids: Vec<u64> = found.split(' ').filter_map(|word| word.parse().ok()).collect();
    assert_eq!(uids, (1..=MESSAGES as u64).collect::<Vec<_>>());

    let api = store.api();
    let (_, boxes) = api.get(&format!("/users/{user}/mailboxes")).await;
    let boxes = boxes["results"].as_array().unwrap();
    let inbox = boxes.iter().find(|mailbox| mailbox["path"] == "INBOX").unwrap();
    let path = format!("/users/{user}/mailboxes/{}/messages", inbox["id"].as_str().unwrap());
    let (status, first) = api.get(&path).await;
    assert_eq!((status, &first["total"]), (200, &MESSAGES.into()), "{first}");
    assert_eq!(first["results"].as_array().unwrap().len(), 20);
    // Many of them have the same internal date to the millisecond: the UID decides
    for order in ["desc", "asc"] {
        let mut seen = BTreeSet::new();
        let mut cursor = String::new();
        for page in 1.. {
            assert!(page <= MESSAGES / 250, "the last page has no next one");
            let (status, answer) =
                api.get(&format!("{path}?limit=250&order={order}{cursor}")).await;
            assert_eq!((status, &answer["page"]), (200, &page.into()), "{answer}");
            for row in answer["results"].as_array().unwrap() {
                assert!(seen.insert(row["id"].as_u64().unwrap()), "twice: {}", row["id"]);
            }
            let Some(next) = answer["nextCursor"].as_str() else { break };
            cursor = format!("&next={next}");
        }
        assert_eq!(seen.len(), MESSAGES, "{order}");
    }
    store.stop().await;
}
