//! The real binary without a database of its operator: a local database beside it, and the command
//! line.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

use crate::support::api::ApiClient;
use crate::support::corpus;
use crate::support::imap::ImapClient;
use crate::support::lmtp::LmtpClient;
use crate::support::pop3::Pop3Client;
use crate::support::store::{PASSWORD, unique};
use crate::support::within;

/// The binary with a data directory of its own on free ports, and no database URI.
fn eider(data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eider"));
    command.env_remove("EIDER_STORAGE__URI").env("EIDER_DATA_DIR", data_dir).kill_on_drop(true);
    let doors = [
        "IMAP__LISTEN",
        "IMAP__LISTEN_TLS",
        "POP3__LISTEN",
        "POP3__LISTEN_TLS",
        "SMTP__LISTEN",
        "SUBMISSION__LISTEN",
        "SUBMISSION__LISTEN_TLS",
        "LMTP__LISTEN",
        "API__LISTEN",
    ];
    for door in doors {
        command.env(format!("EIDER_{door}"), "127.0.0.1:0");
    }
    command
}

/// A serving store.
struct Node {
    child: Child,
    doors: BTreeMap<String, SocketAddr>,
    data_dir: PathBuf,
    token: String,
}

impl Node {
    async fn start(data_dir: &Path) -> Self {
        let mut command = eider(data_dir);
        command.arg("serve").stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the binary starts");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut doors = BTreeMap::new();
        within("the greeting", async {
            while let Some(line) = lines.next_line().await.expect("stdout") {
                if line.starts_with("To create a user") {
                    return;
                }
                if let Some((name, address)) = line.trim().rsplit_once(' ')
                    && let Ok(address) = address.parse::<SocketAddr>()
                {
                    doors.insert(name.trim().to_owned(), address);
                }
            }
            panic!("the store ended before it served");
        })
        .await;
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let file = data_dir.join("root-token");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&file), 0o600, "the root token is for its owner only");
        assert_eq!(mode(&data_dir.join("key.pem")), 0o600, "so is the private key");
        assert_eq!(mode(&data_dir.join("database")), 0o700, "so are the messages");
        let token = std::fs::read_to_string(&file).unwrap().trim().to_owned();
        Self { child, doors, data_dir: data_dir.to_owned(), token }
    }

    fn api(&self) -> ApiClient {
        ApiClient::new(self.doors["API (HTTP)"], Some(&self.token))
    }

    async fn create_user(&self, name: &str) {
        let user = json!({
            "username": name, "password": PASSWORD, "address": format!("{name}@example.com"),
        });
        let (status, answer) = self.api().post("/users", &user).await;
        assert_eq!(status, 200, "{answer}");
    }

    async fn lmtp(&self) -> LmtpClient {
        LmtpClient::connect(self.doors["LMTP (STARTTLS)"]).await
    }

    async fn imap(&self, name: &str) -> ImapClient {
        let mut imap = ImapClient::connect(self.doors["IMAP (STARTTLS)"]).await;
        imap.ok(&format!("LOGIN {name} \"{PASSWORD}\"")).await;
        imap
    }

    async fn deliver(&self, message: &[u8]) {
        let replies = self.lmtp().await.deliver(&["anna@example.com"], message).await;
        assert!(replies[0].starts_with("250"), "{replies:?}");
    }

    /// Whether INBOX holds just these messages, octet for octet.
    async fn assert_inbox(&self, messages: &[Vec<u8>]) {
        let mut imap = self.imap("anna").await;
        let selected = imap.ok("SELECT INBOX").await;
        let exists = format!("* {} EXISTS", messages.len());
        assert!(selected.find(&exists).is_some(), "{:?}", selected.lines());
        for (message, uid) in messages.iter().zip(1..) {
            assert!(imap.body(uid).await.ends_with(message), "UID {uid}: octets differ");
        }
    }

    fn database_pid(&self) -> String {
        std::fs::read_to_string(self.data_dir.join("database.pid")).unwrap()
    }

    async fn kill_database(&self) -> String {
        let pid = self.database_pid();
        signal("-9", &pid).await;
        pid
    }

    /// SIGTERM; the store and its database end in order.
    async fn terminate(mut self) {
        let database = self.database_pid();
        assert!(is_running(&database), "the database runs");
        signal("-TERM", &self.child.id().unwrap().to_string()).await;
        let status = within("the end after SIGTERM", self.child.wait()).await.unwrap();
        assert_eq!(status.code(), Some(0), "{status}");
        assert!(!is_running(&database), "the database ended with its store");
    }
}

async fn signal(name: &str, pid: &str) {
    let status = Command::new("kill").args([name, pid]).status().await.expect("kill runs");
    assert!(status.success(), "kill {name} {pid}");
}

/// A process that is no zombie.
fn is_running(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

/// Runs `eider …` to its end.
async fn run(data_dir: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = eider(data_dir);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    let mut stdin = child.stdin.take().unwrap();
    // A command that does not read has closed it.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    within("the command's end", child.wait_with_output()).await.unwrap()
}

/// The JSON lines a command printed.
async fn run_json(data_dir: &Path, arguments: &[&str], input: &str) -> Vec<Value> {
    let output = run(data_dir, arguments, input).await;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    let read = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
    text.lines().map(read).collect()
}

/// Until the database is back the sender shall keep the message: 451, never 5xx.
async fn deliver_in_the_end(lmtp: &mut LmtpClient, message: &[u8]) {
    loop {
        let reply = lmtp.try_deliver("anna@example.com", message).await;
        let reply = reply.expect("the connection stays");
        if reply.starts_with("250") {
            return;
        }
        assert!(reply.starts_with("451"), "{reply}");
        assert!(lmtp.command("RSET").await.starts_with("250"));
    }
}

/// Until the database is back the session stays, and is told why (RFC 5530 §3).
async fn status_in_the_end(imap: &mut ImapClient) {
    loop {
        let answer = imap.command("STATUS INBOX (MESSAGES)").await;
        if answer.status.starts_with("OK") {
            return;
        }
        assert!(answer.status.starts_with("NO [UNAVAILABLE]"), "{}", answer.status);
    }
}

/// Until the database is back the session stays, and is told why (RFC 3206 §4).
async fn retrieve_in_the_end(pop3: &mut Pop3Client) {
    loop {
        let reply = pop3.command("RETR 1").await;
        if reply.starts_with("+OK") {
            while pop3.line().await != b".\r\n" {}
            return;
        }
        assert!(reply.starts_with("-ERR [SYS/TEMP]"), "{reply}");
    }
}

/// Until the database is back requests are answered 503.
async fn users_in_the_end(api: ApiClient) {
    loop {
        let (status, answer) = api.get("/users").await;
        if status == 200 {
            assert_eq!(answer["total"], 1, "{answer}");
            return;
        }
        assert_eq!(status, 503, "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_database_comes_back_with_its_messages() {
    let data_dir = std::env::temp_dir().join(unique("eider-local"));
    let node = Node::start(&data_dir).await;
    node.create_user("anna").await;
    let mut messages = vec![corpus::message("before-the-kill")];
    node.deliver(&messages[0]).await;
    node.assert_inbox(&messages).await;
    let mut idle = node.imap("anna").await;
    idle.ok("SELECT INBOX").await;
    let idle_tag = idle.start("IDLE").await;
    assert!(idle.response().await.starts_with(b"+"));

    let (mut lmtp, mut imap) = (node.lmtp().await, node.imap("anna").await);
    let mut pop3 = Pop3Client::connect(node.doors["POP3 (STLS)"]).await;
    assert!(pop3.log_in("anna", PASSWORD).await.starts_with("+OK 1 "));
    let message = corpus::message("after-the-kill");
    let killed = node.kill_database().await;
    tokio::join!(
        within("a delivery after the kill", deliver_in_the_end(&mut lmtp, &message)),
        within("IMAP after the kill", status_in_the_end(&mut imap)),
        within("POP3 after the kill", retrieve_in_the_end(&mut pop3)),
        within("the API after the kill", users_in_the_end(node.api())),
    );
    // its lease has outlived the database
    assert_eq!(pop3.ok("QUIT").await, "+OK bye");
    assert_ne!(node.database_pid(), killed, "a new process");
    // Who was there before hears of it
    let told = idle.response().await;
    assert_eq!(told, b"* 2 EXISTS", "{}", String::from_utf8_lossy(&told));
    idle.send(b"DONE\r\n").await;
    assert!(idle.finish(&idle_tag).await.status.starts_with("OK"));
    assert!(idle.body(2).await.ends_with(&message));
    messages.push(message);
    // Long enough to lie in a file while it comes in
    messages.push(corpus::with_attachment("large", &vec![0xa5; 5_000_000]));
    node.deliver(&messages[2]).await;
    node.assert_inbox(&messages).await;
    let token = node.token.clone();
    node.terminate().await;

    let node = Node::start(&data_dir).await;
    assert_eq!(node.token, token, "the root token stays");
    node.assert_inbox(&messages).await;
    node.terminate().await;
    let _ = std::fs::remove_dir_all(&data_dir);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_store_finds_the_database_it_left() {
    let data_dir = std::env::temp_dir().join(unique("eider-orphan"));
    let mut node = Node::start(&data_dir).await;
    node.create_user("anna").await;
    let messages = vec![corpus::message("before-the-kill")];
    node.deliver(&messages[0]).await;
    let orphan = node.database_pid();
    node.child.kill().await.unwrap();
    assert!(is_running(&orphan), "SIGKILL ends the store alone");

    let node = Node::start(&data_dir).await;
    assert!(!is_running(&orphan), "the next store ended it first");
    node.assert_inbox(&messages).await;
    node.terminate().await;
    let _ = std::fs::remove_dir_all(&data_dir);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_are_managed_beside_a_running_store() {
    let data_dir = std::env::temp_dir().join(unique("eider-cli"));
    let node = Node::start(&data_dir).await;
    let second = run(&data_dir, &["serve"], "").await;
    assert!(!second.status.success(), "one store a data directory");
    let text = String::from_utf8_lossy(&second.stderr);
    assert!(text.contains("another process uses this data directory"), "{text}");

    let add = ["user", "add", "bert", "--address", "bert@example.com", "--password-stdin"];
    let added = run_json(&data_dir, &[&add[..], &["--json"]].concat(), "first-password\n").await;
    let id = added[0]["id"].as_str().unwrap();
    assert_eq!(added[0].get("password"), None, "what was given is not told: {}", added[0]);
    let (status, seen) = node.api().get(&format!("/users/{id}")).await;
    assert_eq!((status, &seen["username"]), (200, &json!("bert")), "{seen}");
    let mut imap = ImapClient::connect(node.doors["IMAP (STARTTLS)"]).await;
    imap.ok("LOGIN bert first-password").await;

    let again = run(&data_dir, &add, "x\n").await;
    assert!(!again.status.success(), "the name is taken");
    let listed = run_json(&data_dir, &["user", "list", "--json"], "").await;
    assert_eq!(listed.len(), 1, "{listed:?}");
    let shown = run_json(&data_dir, &["user", "show", "bert", "--json"], "").await;
    assert_eq!(shown[0]["address"], "bert@example.com", "{shown:?}");
    assert_eq!(shown[0]["id"], id, "{shown:?}");
    let passwd = ["user", "passwd", "bert", "--password-stdin", "--json"];
    run_json(&data_dir, &passwd, "second-password\n").await;
    let mut imap = ImapClient::connect(node.doors["IMAP (STARTTLS)"]).await;
    imap.refused("LOGIN bert first-password", "NO [AUTHENTICATIONFAILED]").await;
    imap.ok("LOGIN bert second-password").await;
    run_json(&data_dir, &["user", "rm", "bert", "--json"], "").await;
    let missing = run(&data_dir, &["user", "show", "bert"], "").await;
    assert!(!missing.status.success(), "bert is gone");
    assert!(run_json(&data_dir, &["user", "list", "--json"], "").await.is_empty());
    node.terminate().await;

    // without a store the command starts the database for itself, and ends it
    let made = run_json(&data_dir, &["user", "add", "cleo@example.com", "--json"], "").await;
    assert!(made[0]["password"].as_str().is_some_and(|made| made.len() >= 16), "{made:?}");
    assert!(!data_dir.join("database.pid").exists(), "nothing is left running");
    let _ = std::fs::remove_dir_all(&data_dir);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_configuration_is_checked_and_printed() {
    let data_dir = std::env::temp_dir().join(unique("eider-config"));
    std::fs::create_dir_all(&data_dir).unwrap();
    let file = data_dir.join("eider.toml");
    let path = file.to_string_lossy().into_owned();
    std::fs::write(&file, "[imap]\nlisten = [\"127.0.0.1:0\"]\nidle_timeut_s = 1800\n").unwrap();
    let check = run(&data_dir, &["config", "check", "--config", &path], "").await;
    assert!(!check.status.success(), "an unknown key is an error");
    let text = String::from_utf8_lossy(&check.stderr);
    let place = format!("{path}:3: unknown key `idle_timeut_s`");
    assert!(text.contains(&place) && text.contains("`idle_timeout_s`"), "{text}");

    let secrets = "[api]\nroot_token = \"do-not-tell-me\"\n\n\
                   [storage]\nuri = \"mongodb://eider:nor-me@127.0.0.1:1/\"\n";
    std::fs::write(&file, secrets).unwrap();
    let check = run(&data_dir, &["--config", &path, "config", "check"], "").await;
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
    let print = run(&data_dir, &["--config", &path, "config", "print"], "").await;
    assert!(print.status.success(), "{}", String::from_utf8_lossy(&print.stderr));
    let text = String::from_utf8_lossy(&print.stdout);
    assert!(text.contains("root_token = \"[redacted]\""), "{text}");
    assert!(!text.contains("do-not-tell-me") && !text.contains("nor-me"), "{text}");
    let _ = std::fs::remove_dir_all(&data_dir);
}
