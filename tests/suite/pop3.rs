//! POP3 over real sockets: what transcripts cannot say.

use serde_json::json;

use crate::support::corpus;
use crate::support::pop3::Pop3Client;
use crate::support::store::{PASSWORD, TestStore, config, unique};
use crate::support::within;

async fn deliver(store: &TestStore, name: &str, message: &[u8]) {
    let replies = store.lmtp().await.deliver(&[&format!("{name}@example.com")], message).await;
    assert!(replies[0].starts_with("250"), "{replies:?}");
}

async fn open(store: &TestStore, name: &str) -> Pop3Client {
    Pop3Client::open(store.pop3_address(), name, PASSWORD).await
}

/// RFC 1939 §6: without QUIT nothing is removed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_session_removes_nothing() {
    let store = TestStore::start().await;
    store.create_user("anna").await;
    deliver(&store, "anna", &corpus::message("kept")).await;
    let mut first = open(&store, "anna").await;
    first.ok("DELE 1").await;
    drop(first);
    let mut second = open(&store, "anna").await;
    assert!(second.ok("STAT").await.starts_with("+OK 1 "));
    second.ok("DELE 1").await;
    second.ok("QUIT").await;
    assert_eq!(open(&store, "anna").await.ok("STAT").await, "+OK 0 0");
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_share_one_maildrop() {
    let database = unique("eider_test");
    let a = TestStore::start_on(&database).await;
    let b = TestStore::start_on(&database).await;
    a.create_user("anna").await;
    for subject in ["one", "two", "three"] {
        deliver(&a, "anna", &corpus::message(subject)).await;
    }
    let mut on_a = open(&a, "anna").await;
    let ids = on_a.text("UIDL").await;
    let mut on_b = Pop3Client::connect(b.pop3_address()).await;
    let reply = on_b.log_in("anna", PASSWORD).await;
    assert!(reply.starts_with("-ERR [IN-USE]"), "{reply}");
    on_a.ok("DELE 2").await;
    on_a.ok("QUIT").await;
    // free at once, with the same ids
    let reply = on_b.log_in("anna", PASSWORD).await;
    assert!(reply.starts_with("+OK 2 "), "{reply}");
    let left = String::from_utf8(on_b.text("UIDL").await).unwrap();
    let ids = String::from_utf8(ids).unwrap();
    let id = |text: &str, line: usize| text.lines().nth(line).unwrap()[2..].to_owned();
    assert_eq!((id(&left, 0), id(&left, 1)), (id(&ids, 0), id(&ids, 2)));
    // a node that stops gives its maildrops back
    b.stop().await;
    assert!(open(&a, "anna").await.ok("STAT").await.starts_with("+OK 2 "));
    a.stop().await;
}

/// Every message comes back octet for octet, and LIST has said how many there are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_comes_back_as_it_came() {
    let store = TestStore::start().await;
    store.create_user("anna").await;
    let mut imap = store.imap("anna").await;
    let samples = corpus::samples();
    let samples: Vec<_> = samples.iter().take(150).chain(samples.iter().rev().take(5)).collect();
    for sample in &samples {
        let answer = imap.append("INBOX", "", &sample.octets).await;
        assert!(answer.status.starts_with("OK"), "{}: {}", sample.name, answer.status);
    }
    let mut pop3 = open(&store, "anna").await;
    for (index, sample) in samples.iter().enumerate() {
        let number = index + 1;
        let size = pop3.ok(&format!("LIST {number}")).await;
        assert_eq!(size, format!("+OK {number} {}", sample.octets.len()), "{}", sample.name);
        let text = pop3.text(&format!("RETR {number}")).await;
        assert!(text == sample.octets, "{} differs", sample.name);
        let top = pop3.text(&format!("TOP {number} 3")).await;
        assert!(sample.octets.starts_with(&top), "TOP of {} differs", sample.name);
    }
    pop3.ok("QUIT").await;
    store.stop().await;
}

/// A last line without CRLF gets one; a dot behind a bare LF does not end the text.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_line_ends_keep_the_session_in_step() {
    let store = TestStore::start().await;
    store.create_user("anna").await;
    let mut imap = store.imap("anna").await;
    for odd in [&b"A: b\r\n\r\nno end"[..], b"A: b\n\nx\n.\r\n+OK forged\n"] {
        let answer = imap.append("INBOX", "", odd).await;
        assert!(answer.status.starts_with("OK"), "{}", answer.status);
    }
    let mut pop3 = open(&store, "anna").await;
    assert_eq!(pop3.text("RETR 1").await, b"A: b\r\n\r\nno end\r\n");
    assert_eq!(pop3.text("RETR 2").await, b"A: b\n\nx\n.\r\n+OK forged\n\r\n");
    assert_eq!(pop3.ok("NOOP").await, "+OK");
    store.stop().await;
}

/// RFC 1939 §5: QUIT marks what was retrieved, as most stores do; TOP is not retrieving.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quit_marks_what_was_retrieved_as_seen() {
    let store = TestStore::start().await;
    store.create_user("anna").await;
    for subject in ["one", "two", "three"] {
        deliver(&store, "anna", &corpus::message(subject)).await;
    }
    let mut pop3 = open(&store, "anna").await;
    pop3.text("RETR 1").await;
    pop3.text("TOP 2 10").await;
    pop3.text("RETR 3").await;
    pop3.ok("DELE 3").await;
    let mut imap = store.imap("anna").await;
    imap.ok("SELECT INBOX").await;
    let before = imap.ok("UID SEARCH SEEN").await.find("SEARCH").unwrap();
    assert!(before.trim_end().ends_with("SEARCH"), "{before}");
    pop3.ok("QUIT").await;
    imap.ok("NOOP").await;
    let after = imap.ok("UID SEARCH SEEN").await.find("SEARCH").unwrap();
    assert!(after.trim_end().ends_with("SEARCH 1"), "{after}");
    let status = imap.ok("STATUS INBOX (MESSAGES)").await;
    assert!(status.find("MESSAGES 2").is_some(), "{:?}", status.lines());
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_have_limits_of_their_own() {
    let database = unique("eider_test");
    let store = TestStore::start_on(&database).await;
    let user = store.create_user("anna").await;
    for number in 0..5 {
        deliver(&store, "anna", &corpus::message(&format!("m{number}"))).await;
    }
    let path = format!("/users/{user}");
    let (status, answer) = store.api().put(&path, &json!({ "pop3MaxMessages": 2 })).await;
    assert_eq!(status, 200, "{answer}");
    let mut pop3 = open(&store, "anna").await;
    assert!(pop3.ok("STAT").await.starts_with("+OK 2 "));
    let newest = pop3.text("TOP 2 0").await;
    assert!(String::from_utf8_lossy(&newest).contains("Subject: m4"));
    pop3.ok("QUIT").await;
    // the limit may be passed by the message that reaches it, on any node, and then no further
    let limits = json!({ "pop3MaxMessages": 0, "pop3MaxDownload": 10 });
    let (status, answer) = store.api().put(&path, &limits).await;
    assert_eq!(status, 200, "{answer}");
    let mut pop3 = open(&store, "anna").await;
    pop3.text("RETR 1").await;
    let reply = pop3.command("RETR 2").await;
    assert!(reply.starts_with("-ERR [SYS/TEMP] the download limit"), "{reply}");
    pop3.ok("DELE 1").await;
    pop3.ok("QUIT").await;
    let other = TestStore::start_on(&database).await;
    let mut pop3 = open(&other, "anna").await;
    assert!(pop3.ok("STAT").await.starts_with("+OK 4 "));
    let reply = pop3.command("RETR 1").await;
    assert!(reply.starts_with("-ERR [SYS/TEMP] the download limit"), "{reply}");
    other.stop().await;
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logins_are_refused_in_the_words_of_rfc_3206() {
    let mut config = config(&unique("eider_test"));
    config.pop3.login_delay_s = 3600;
    let store = TestStore::start_with(config).await;
    for name in ["anna", "bert", "carl"] {
        store.create_user(name).await;
    }
    // RFC 2449 §6.5
    let mut pop3 = open(&store, "anna").await;
    let capabilities = String::from_utf8(pop3.text("CAPA").await).unwrap();
    assert!(capabilities.contains("\r\nLOGIN-DELAY 3600\r\n"), "{capabilities}");
    pop3.ok("QUIT").await;
    let mut again = Pop3Client::connect(store.pop3_address()).await;
    let reply = again.log_in("anna", PASSWORD).await;
    assert!(reply.starts_with("-ERR [LOGIN-DELAY] log in again in "), "{reply}");
    // a closed door
    let (_, found) = store.api().get("/users/resolve/bert").await;
    let path = format!("/users/{}", found["id"].as_str().unwrap());
    let (status, answer) = store.api().put(&path, &json!({ "disabledScopes": ["pop3"] })).await;
    assert_eq!(status, 200, "{answer}");
    let mut closed = Pop3Client::connect(store.pop3_address()).await;
    let reply = closed.log_in("bert", PASSWORD).await;
    assert!(reply.starts_with("-ERR [AUTH] "), "{reply}");
    // too many attempts
    let mut guesser = Pop3Client::connect(store.pop3_address()).await;
    for _ in 0..12 {
        let reply = guesser.log_in("carl", "guess").await;
        assert!(reply.starts_with("-ERR [AUTH] "), "{reply}");
    }
    let reply = guesser.log_in("carl", PASSWORD).await;
    assert!(reply.starts_with("-ERR [LOGIN-DELAY] too many attempts"), "{reply}");
    store.stop().await;
}

/// RFC 1939 §3: an idle session ends without a word and without UPDATE; a stranger has his time in
/// all; confused clients go.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_and_confused_clients_are_let_go() {
    let mut config = config(&unique("eider_test"));
    (config.pop3.login_timeout_s, config.pop3.idle_timeout_s) = (5, 1);
    let store = TestStore::start_with(config).await;
    store.create_user("anna").await;
    deliver(&store, "anna", &corpus::message("kept")).await;
    let mut idle = open(&store, "anna").await;
    idle.ok("DELE 1").await;
    assert_eq!(idle.line().await, b"");
    assert!(open(&store, "anna").await.ok("STAT").await.starts_with("+OK 1 "));
    let mut confused = Pop3Client::connect(store.pop3_address()).await;
    confused.send("FOO\r\n".repeat(100).as_bytes()).await;
    let mut refusals = 0;
    while confused.line().await == b"-ERR unknown command\r\n" {
        refusals += 1;
    }
    assert_eq!(refusals, 51);
    let mut stranger = Pop3Client::connect(store.pop3_address()).await;
    within("the end of a stranger", async {
        while stranger.command("CAPA").await.starts_with("+OK") {
            while ![b".\r\n".to_vec(), Vec::new()].contains(&stranger.line().await) {}
        }
    })
    .await;
    store.stop().await;
}

/// IMAP needs no lock: what it removes meanwhile keeps its number and is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_removed_over_imap_is_refused_and_the_session_goes_on() {
    let store = TestStore::start().await;
    store.create_user("anna").await;
    for subject in ["one", "two"] {
        deliver(&store, "anna", &corpus::message(subject)).await;
    }
    let mut pop3 = open(&store, "anna").await;
    let stat = pop3.ok("STAT").await;
    let mut imap = store.imap("anna").await;
    imap.ok("SELECT INBOX").await;
    imap.ok("STORE 1 +FLAGS (\\Deleted)").await;
    imap.ok("EXPUNGE").await;
    let refused = "-ERR the message was removed meanwhile";
    assert_eq!(pop3.command("RETR 1").await, refused);
    assert_eq!(pop3.command("TOP 1 0").await, refused);
    assert_eq!(pop3.ok("STAT").await, stat);
    assert!(String::from_utf8_lossy(&pop3.text("RETR 2").await).contains("Body of two."));
    pop3.ok("DELE 1").await;
    pop3.ok("DELE 2").await;
    assert_eq!(pop3.ok("QUIT").await, "+OK bye");
    assert_eq!(open(&store, "anna").await.ok("STAT").await, "+OK 0 0");
    store.stop().await;
}

/// RFC 2449 §6.7: EXPIRE says how long messages stay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expire_is_the_retention_in_days() {
    let store = TestStore::start().await;
    let user = store.create_user("anna").await;
    let week = json!({ "retention": 7 * 86_400_000 });
    let (status, answer) = store.api().put(&format!("/users/{user}"), &week).await;
    assert_eq!(status, 200, "{answer}");
    let capabilities = open(&store, "anna").await.text("CAPA").await;
    let capabilities = String::from_utf8(capabilities).unwrap();
    assert!(capabilities.contains("\r\nEXPIRE 7\r\n"), "{capabilities}");
    store.stop().await;
}

/// A new password ends the sessions of the old one, and they remove nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_password_ends_the_session() {
    let store = TestStore::start().await;
    let user = store.create_user("anna").await;
    deliver(&store, "anna", &corpus::message("kept")).await;
    let mut pop3 = open(&store, "anna").await;
    pop3.ok("DELE 1").await;
    let change = json!({ "password": "another one" });
    let (status, answer) = store.api().put(&format!("/users/{user}"), &change).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(pop3.line().await, b"", "closed without a word");
    let mut pop3 = Pop3Client::open(store.pop3_address(), "anna", "another one").await;
    assert!(pop3.ok("STAT").await.starts_with("+OK 1 "));
    store.stop().await;
}

/// Nobody reads another's maildrop, whatever he names.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_sees_only_his_own_maildrop() {
    let store = TestStore::start().await;
    store.create_user("anna").await;
    store.create_user("eve").await;
    deliver(&store, "anna", &corpus::message("secret")).await;
    let mut eve = open(&store, "eve").await;
    assert_eq!(eve.ok("STAT").await, "+OK 0 0");
    for command in ["RETR 1", "TOP 1 1", "DELE 1", "UIDL 1", "LIST 1"] {
        assert!(eve.command(command).await.starts_with("-ERR"), "{command}");
    }
    eve.ok("QUIT").await;
    let mut eve = Pop3Client::connect(store.pop3_address()).await;
    use base64::Engine as _;
    let response = format!("anna\0eve\0{PASSWORD}");
    let response = base64::engine::general_purpose::STANDARD.encode(response);
    let reply = eve.command(&format!("AUTH PLAIN {response}")).await;
    assert!(reply.starts_with("-ERR [AUTH]"), "{reply}");
    assert!(open(&store, "anna").await.ok("STAT").await.starts_with("+OK 1 "));
    store.stop().await;
}

const MANY: usize = 3000;

/// A client that pipelines everything gets it all in order (RFC 2449 §6.6).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipelined_maildrop_of_thousands_is_emptied() {
    let store = TestStore::start().await;
    store.create_user("anna").await;
    let mut imap = store.imap("anna").await;
    imap.append("INBOX", "", &corpus::message("many")).await;
    imap.ok("SELECT INBOX").await;
    let mut count = 1;
    while count < MANY {
        let more = count.min(MANY - count);
        imap.ok(&format!("COPY 1:{more} INBOX")).await;
        imap.ok("NOOP").await;
        count += more;
    }
    let mut pop3 = open(&store, "anna").await;
    let list = String::from_utf8(pop3.text("LIST").await).unwrap();
    assert_eq!(list.lines().count(), MANY);
    let ids = String::from_utf8(pop3.text("UIDL").await).unwrap();
    let distinct: std::collections::BTreeSet<_> =
        ids.lines().map(|line| line.split(' ').nth(1).unwrap()).collect();
    assert_eq!(distinct.len(), MANY);
    let commands: String = (1..=MANY).map(|number| format!("DELE {number}\r\n")).collect();
    pop3.send(commands.as_bytes()).await;
    for number in 1..=MANY {
        assert_eq!(pop3.line().await, format!("+OK message {number} is marked\r\n").as_bytes());
    }
    pop3.ok("QUIT").await;
    assert_eq!(open(&store, "anna").await.ok("STAT").await, "+OK 0 0");
    store.stop().await;
}
