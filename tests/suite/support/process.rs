//! Processes of the tests' own that can be killed and started again: a database, nodes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::store::unique;
use super::{until, within};

/// A database for one test alone; its folder is removed when this is dropped.
pub struct Database {
    child: Child,
    dir: PathBuf,
    port: u16,
}

impl Database {
    pub async fn start() -> Self {
        let dir = std::env::temp_dir().join(unique("eider-database"));
        std::fs::create_dir_all(&dir).unwrap();
        let (child, port) = Self::spawn(&dir, 0).await;
        Self { child, dir, port }
    }

    pub fn uri(&self) -> String {
        format!("mongodb://127.0.0.1:{}/?directConnection=true", self.port)
    }

    /// As a crash does it.
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Starts it again where it was.
    pub async fn start_again(&mut self) {
        (self.child, _) = Self::spawn(&self.dir, self.port).await;
    }

    async fn spawn(dir: &std::path::Path, port: u16) -> (Child, u16) {
        let path = dir.join("log");
        let log = std::fs::File::create(&path).unwrap();
        let program = std::env::var("EIDER_SECANTUSD").expect("scripts/test sets EIDER_SECANTUSD");
        let mut child = Command::new(program)
            .args(["--host", "127.0.0.1", "--port", &port.to_string(), "--storage-path"])
            .arg(dir)
            .args(["--cache-size", "256M", "--log-file-max", "16MB", "--sync-on-commit"])
            .args(["--log-level", "WARNING"])
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("the database starts");
        let mut port = None;
        until("the database's port", async || {
            let said = tokio::fs::read_to_string(&path).await.unwrap();
            let address = said.split_once("listening on ").map_or("", |(_, address)| address);
            let address = address.split_once(char::is_whitespace).map_or("", |(first, _)| first);
            port = address.parse::<SocketAddr>().ok().map(|address| address.port());
            assert!(child.try_wait().unwrap().is_none(), "the database ended: {said}");
            port.is_some()
        })
        .await;
        (child, port.unwrap())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = self.child.start_kill();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// The real binary as a process.
pub struct Node {
    child: Child,
    dir: PathBuf,
    /// By the names that `eider serve` prints.
    addresses: BTreeMap<String, SocketAddr>,
}

impl Node {
    /// Starts with this configuration (TOML; `data_dir` is added).
    pub async fn start(config: &str) -> Self {
        let dir = std::env::temp_dir().join(unique("eider-node"));
        std::fs::create_dir_all(&dir).unwrap();
        // a link, so that a build meanwhile changes nothing for its next lives
        let program = dir.join("eider");
        if std::fs::hard_link(env!("CARGO_BIN_EXE_eider"), &program).is_err() {
            std::fs::copy(env!("CARGO_BIN_EXE_eider"), &program).unwrap();
        }
        let config = format!("data_dir = \"{}\"\n{config}", dir.join("data").display());
        std::fs::write(dir.join("eider.toml"), config).unwrap();
        let (child, addresses) = Self::spawn(&dir).await;
        Self { child, dir, addresses }
    }

    /// The address of a door, as `SMTP (STARTTLS)`.
    pub fn address(&self, door: &str) -> SocketAddr {
        self.addresses[door]
    }

    /// As a crash does it.
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Starts it again; its ports are others.
    pub async fn start_again(&mut self) {
        (self.child, self.addresses) = Self::spawn(&self.dir).await;
    }

    /// What it wrote to its log, all lives.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    async fn spawn(dir: &std::path::Path) -> (Child, BTreeMap<String, SocketAddr>) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(dir.join("log"));
        let mut child = Command::new(dir.join("eider"))
            .arg("--config")
            .arg(dir.join("eider.toml"))
            .arg("serve")
            .stdout(Stdio::piped())
            .stderr(log.unwrap())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary starts");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut addresses = BTreeMap::new();
        within("the node's addresses", async {
            while let Some(line) = lines.next_line().await.unwrap() {
                let words = line.trim().rsplit_once(' ');
                match words.and_then(|(name, word)| Some((name, word.parse().ok()?))) {
                    Some((name, address)) => {
                        addresses.insert(name.trim().to_owned(), address);
                    }
                    None if line.contains("API document") => return,
                    None => {}
                }
            }
            let log = std::fs::read_to_string(dir.join("log")).unwrap_or_default();
            panic!("the node ended at its start:\n{log}");
        })
        .await;
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        (child, addresses)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.start_kill();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
