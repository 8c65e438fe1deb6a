//! Large messages in APPEND: what waits for its sender waits in a file, and comes out as it came.

use crate::support::imap::ImapClient;
use crate::support::store::{PASSWORD, TestStore, config, unique};

const SESSIONS: usize = 8;
/// More than sockets hold.
const OCTETS: usize = 20 * 1024 * 1024;

/// Resident memory of this process, where store and clients run, in octets.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

/// A message of lines, the same in every session but for its subject.
fn content(subject: usize) -> Vec<u8> {
    let mut content = format!("Subject: large {subject}\r\n\r\n").into_bytes();
    while content.len() < OCTETS {
        content.extend_from_slice(b"A line of a message that is larger than others, again.\r\n");
    }
    content
}

async fn login(store: &TestStore) -> ImapClient {
    let mut imap = ImapClient::connect(store.imap_address()).await;
    imap.ok(&format!("LOGIN anna \"{PASSWORD}\"")).await;
    imap
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_messages_wait_in_files() {
    let mut config = config(&unique("eider_test"));
    config.imap.connections_per_user_max = 2 * SESSIONS;
    let store = TestStore::start_with(config).await;
    store.create_user("anna").await;
    let message = content(1);
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        sessions.push(login(&store).await);
    }
    let before = resident();
    for imap in &mut sessions {
        let line = format!("big APPEND INBOX (\\Seen) {{{}}}\r\n", message.len());
        imap.send(line.as_bytes()).await;
        assert!(imap.response().await.starts_with(b"+ "));
        imap.send(&message[..message.len() - 1]).await;
    }
    // a megabyte each, and what the sockets hold is not ours
    let grown = resident().saturating_sub(before);
    assert!(grown < SESSIONS * OCTETS / 4, "{grown} octets for {SESSIONS} that wait");
    let mut last = sessions.pop().unwrap();
    last.send(&message[message.len() - 1..]).await;
    last.send(b"\r\n").await;
    assert!(last.finish("big").await.status.starts_with("OK [APPENDUID "));
    drop(sessions);
    last.ok("SELECT INBOX").await;
    let body = last.body(1).await;
    assert!(body == message, "{} octets came back", body.len());
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_and_small_messages_of_one_command_keep_their_order() {
    let store = TestStore::start().await;
    store.create_user("anna").await;
    let mut imap = login(&store).await;
    let large: Vec<Vec<u8>> = (0..3).map(|n| content(n)[..500_000 * (n + 1)].to_vec()).collect();
    let small = b"Subject: small\r\n\r\nx".to_vec();
    let messages = [&small, &large[0], &small, &large[1], &large[2], &small];
    imap.send(b"m APPEND INBOX").await;
    for message in messages {
        imap.send(format!(" (\\Seen) {{{}+}}\r\n", message.len()).as_bytes()).await;
        imap.send(message).await;
    }
    imap.send(b"\r\nn NOOP\r\n").await;
    let answer = imap.finish("m").await;
    assert!(answer.status.ends_with(" 1:6] Stored"), "{}", answer.status);
    imap.finish("n").await;
    imap.ok("SELECT INBOX").await;
    for (uid, message) in (1..).zip(messages) {
        assert!(imap.body(uid).await == **message, "message {uid}");
    }
    // what does not fit is refused before it is sent, and nothing of the command is kept
    imap.send(format!("o APPEND INBOX {{{}+}}\r\n", large[2].len()).as_bytes()).await;
    imap.send(&large[2]).await;
    imap.send(b" {99999999}\r\n").await;
    assert!(imap.finish("o").await.status.starts_with("NO [TOOBIG]"));
    let status = imap.ok("STATUS INBOX (MESSAGES)").await;
    assert!(status.find("MESSAGES 6").is_some(), "{:?}", status.lines());
    store.stop().await;
}
