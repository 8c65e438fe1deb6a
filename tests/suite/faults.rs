//! A crash in the middle: what was answered 250 is there afterwards, octet for octet.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Stdio;

use eider::storage::Storage;
use eider::storage::client::TRANSACTION_S_MAX;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::support::corpus;
use crate::support::lmtp::LmtpClient;
use crate::support::store::{TestStore, database_uri, unique};
use crate::support::within;

const KILLS: usize = 50;

/// The real binary as a process, LMTP only, on a free port.
async fn start_node(database: &str, data_dir: &std::path::Path) -> (Child, SocketAddr) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_eider"))
        .arg("serve")
        .env("EIDER_DATA_DIR", data_dir)
        .env("EIDER_ROLES", "lmtp")
        .env("EIDER_STORAGE__URI", database_uri())
        .env("EIDER_STORAGE__DATABASE", database)
        .env("EIDER_LMTP__LISTEN", "127.0.0.1:0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("the binary starts");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = within("the LMTP port", async {
        while let Some(line) = lines.next_line().await.expect("stdout") {
            let word = line.split_whitespace().find_map(|word| word.parse::<SocketAddr>().ok());
            if line.contains("LMTP")
                && let Some(address) = word
            {
                return address;
            }
        }
        panic!("the store ended without telling its LMTP port");
    })
    .await;
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (child, address)
}

/// As a sender does: tried again after 4xx. A transaction that a killed node left open holds the
/// mailbox until the database ends it.
async fn deliver_as_a_sender(lmtp: &mut LmtpClient, message: &[u8]) {
    let mut tries = 0;
    loop {
        let reply = lmtp.try_deliver("anna@example.com", message).await.expect("a reply");
        if reply.starts_with("250") {
            return;
        }
        tries += 1;
        assert!(reply.starts_with("451 4.3.0") && tries < 8, "{reply}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_survives_fifty_kills() {
    let database = unique("eider_test");
    let reader = TestStore::start_on(&database).await;
    reader.create_user("anna").await;
    let storage = Storage::connect(&database_uri(), &database).await.unwrap();
    storage.end_abandoned_transactions(TRANSACTION_S_MAX).await.unwrap();
    let data_dir = std::env::temp_dir().join(unique("eider-kill"));
    let mut promised = BTreeMap::new();
    let mut unanswered = Vec::new();
    for kill in 0..KILLS {
        let (mut node, address) = start_node(&database, &data_dir).await;
        let mut lmtp = LmtpClient::connect(address).await;
        // The kill falls at another place each time: after `kill % 7` answers and some octets.
        for number in 0..=(kill % 7) {
            let subject = format!("k{kill}n{number}");
            let message = corpus::with_attachment(&subject, subject.repeat(8000).as_bytes());
            if number == kill % 7 {
                let id = node.id().expect("running");
                let delay = std::time::Duration::from_micros(u64::try_from(kill).unwrap() * 137);
                let killer = tokio::spawn(async move {
                    tokio::time::sleep(delay).await;
                    Command::new("kill").args(["-9", &id.to_string()]).status().await
                });
                match lmtp.try_deliver("anna@example.com", &message).await {
                    Some(reply) if reply.starts_with("250") => {
                        promised.insert(subject, message);
                    }
                    _ => unanswered.push(subject),
                }
                assert!(killer.await.unwrap().expect("kill runs").success());
            } else {
                deliver_as_a_sender(&mut lmtp, &message).await;
                promised.insert(subject, message);
            }
        }
        within("the killed node", node.wait()).await.unwrap();
    }
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    let mut imap = reader.imap("anna").await;
    imap.ok("SELECT INBOX").await;
    let uids = imap.ok("UID SEARCH ALL").await.find("SEARCH").unwrap();
    for uid in uids.split_whitespace().filter_map(|word| word.parse::<u32>().ok()) {
        let body = imap.body(uid).await;
        let text = String::from_utf8_lossy(&body);
        let subject = text.split("Subject: ").nth(1).unwrap().split("\r\n").next().unwrap();
        if let Some(message) = promised.get(subject) {
            assert!(body.ends_with(message), "{subject}: octets differ");
        } else {
            assert!(unanswered.iter().any(|known| known == subject), "unknown message {subject}");
        }
        *found.entry(subject.to_owned()).or_default() += 1;
    }
    for subject in promised.keys() {
        assert_eq!(found.get(subject), Some(&1), "{subject} was answered 250");
    }
    for subject in &unanswered {
        assert!(found.get(subject).copied().unwrap_or(0) <= 1, "{subject} is there twice");
    }
    let _ = std::fs::remove_dir_all(&data_dir);
    reader.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_database_the_sender_keeps_the_message() {
    let data_dir = std::env::temp_dir().join(unique("eider-nodb"));
    // a closed loopback port: bound, then freed
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let output = Command::new(env!("CARGO_BIN_EXE_eider"))
        .arg("serve")
        .env("EIDER_DATA_DIR", &data_dir)
        .env("EIDER_STORAGE__URI", format!("mongodb://127.0.0.1:{port}/"))
        .output();
    let output = within("the refusal to start", output).await.unwrap();
    assert!(!output.status.success(), "a store without its database does not pretend to run");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("database"), "{text}");
    let _ = std::fs::remove_dir_all(&data_dir);
}
