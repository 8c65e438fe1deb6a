//! Mailboxes shared between users on two nodes, quota, and what never repeats.

use std::collections::BTreeSet;

use serde_json::json;

use crate::support::corpus;
use crate::support::imap::{Answer, ImapClient};
use crate::support::store::{TestStore, unique};

/// The number after a word of a STATUS response.
fn number(answer: &Answer, word: &str) -> u64 {
    let line = answer.find("* STATUS").expect("a STATUS");
    let rest = line.split(&format!("{word} ")).nth(1).expect("the item");
    rest.split([' ', ')']).next().unwrap().parse().expect("a number")
}

async fn idle(imap: &mut ImapClient) -> String {
    let tag = imap.start("IDLE").await;
    assert!(imap.response().await.starts_with(b"+"));
    tag
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_shared_on_one_node_is_there_on_the_other_until_it_is_taken_back() {
    let database = unique("eider_test");
    let a = TestStore::start_on(&database).await;
    let b = TestStore::start_on(&database).await;
    a.create_user("anna").await;
    a.create_user("berta").await;
    let (mut anna, mut berta) = (a.imap("anna").await, b.imap("berta").await);
    let shared = "\"Other Users/anna/INBOX\"";
    berta.refused(&format!("SELECT {shared}"), "NO [NONEXISTENT]").await;
    anna.ok("SETACL INBOX berta lrs").await;
    berta.ok(&format!("SELECT {shared}")).await;
    // a message for the owner rings the other's IDLE
    let tag = idle(&mut berta).await;
    anna.append("INBOX", "", &corpus::message("ring")).await;
    assert_eq!(String::from_utf8_lossy(&berta.response().await), "* 1 EXISTS");
    berta.send(b"DONE\r\n").await;
    berta.finish(&tag).await;
    // what the other marks, the owner sees
    anna.ok("SELECT INBOX").await;
    berta.ok("STORE 1 +FLAGS (\\Seen)").await;
    let told = anna.ok("NOOP").await;
    assert!(told.find("\\Seen").is_some(), "{:?}", told.lines());
    // taken back while she waits: nothing more is told, and nothing more is done
    let tag = idle(&mut berta).await;
    anna.ok("DELETEACL INBOX berta").await;
    anna.append("INBOX", "", &corpus::message("not for her")).await;
    berta.send(b"DONE\r\n").await;
    let answer = berta.finish(&tag).await;
    assert!(answer.find("EXISTS").is_none(), "{:?}", answer.lines());
    berta.refused("FETCH 1 FLAGS", "NO [NOPERM]").await;
    let told = berta.ok("NOOP").await;
    assert!(told.untagged.is_empty(), "{:?}", told.lines());
    berta.refused(&format!("SELECT {shared}"), "NO [NONEXISTENT]").await;
    a.stop().await;
    b.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quota_is_the_owners() {
    let store = TestStore::start().await;
    let anna = store.create_user("anna").await;
    store.create_user("berta").await;
    let limits = json!({ "quota": 4096, "quotaMessages": 3 });
    let (status, answer) = store.api().put(&format!("/users/{anna}"), &limits).await;
    assert_eq!(status, 200, "{answer}");
    let mut imap = store.imap("anna").await;
    let told = imap.ok("GETQUOTA \"\"").await;
    assert!(told.find("(STORAGE 0 4 MESSAGE 0 3 MAILBOX 5 1500)").is_some(), "{:?}", told.lines());
    imap.ok("SETACL INBOX berta lri").await;
    let mut berta = store.imap("berta").await;
    let shared = "\"Other Users/anna/INBOX\"";
    let large = corpus::message(&"x".repeat(5000));
    let answer = berta.append(shared, "", &large).await;
    assert!(answer.status.starts_with("NO [OVERQUOTA]"), "{}", answer.status);
    for subject in ["one", "two"] {
        let answer = berta.append(shared, "", &corpus::message(subject)).await;
        assert!(answer.status.starts_with("OK"), "{}", answer.status);
    }
    let told = berta.ok(&format!("GETQUOTAROOT {shared}")).await;
    assert!(told.find("STORAGE 1 4 MESSAGE 2 3").is_some(), "{:?}", told.lines());
    imap.ok("SELECT INBOX").await;
    // two more are one too many: nothing is copied
    imap.refused("COPY 1:2 \"Sent Mail\"", "NO [OVERQUOTA]").await;
    imap.ok("COPY 1 \"Sent Mail\"").await;
    imap.refused("COPY 1 \"Sent Mail\"", "NO [OVERQUOTA]").await;
    // a move changes no sum
    imap.ok("MOVE 2 Drafts").await;
    let status = imap.ok("STATUS \"Sent Mail\" (MESSAGES)").await;
    assert_eq!(number(&status, "MESSAGES"), 1);
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uid_validity_never_repeats_on_two_nodes() {
    const ROUNDS: usize = 20;
    let database = unique("eider_test");
    let nodes = [TestStore::start_on(&database).await, TestStore::start_on(&database).await];
    nodes[0].create_user("anna").await;
    let mut tasks = Vec::new();
    for (number_of, node) in nodes.iter().enumerate() {
        let mut imap = node.imap("anna").await;
        tasks.push(tokio::spawn(async move {
            let mut seen = Vec::new();
            let name = format!("box{number_of}");
            for _ in 0..ROUNDS {
                imap.ok(&format!("CREATE {name}")).await;
                let status = imap.ok(&format!("STATUS {name} (UIDVALIDITY)")).await;
                seen.push(number(&status, "UIDVALIDITY"));
                imap.ok(&format!("DELETE {name}")).await;
            }
            seen
        }));
    }
    let mut all = BTreeSet::new();
    for task in tasks {
        let seen = task.await.unwrap();
        assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "{seen:?}");
        all.extend(seen);
    }
    assert_eq!(all.len(), 2 * ROUNDS);
    for node in nodes {
        node.stop().await;
    }
}
