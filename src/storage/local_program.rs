//! Which program is the local database, and how it is started.

use crate::model::error::{Error, Result};
use bson::{Document, doc};
use mongodb::Client;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime};
use tokio::process::Command;

/// How long `mongod` may take to make itself the primary.
const PRIMARY: Duration = Duration::from_secs(30);

/// A MongoDB-compatible server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Program {
    /// MongoDB.
    Mongod,
    /// SecantusDB.
    Secantusd(PathBuf),
}

/// The program a directory was begun with, else the first of the candidates.
pub(super) async fn find_program(data_dir: &Path) -> Result<Program> {
    let begun = data_dir.join("database.kind");
    let kind = std::fs::read_to_string(&begun).unwrap_or_default();
    let mut candidates = vec![Program::Mongod, Program::Secantusd("secantusd-rs".into())];
    // Where programs are is, like PATH, a matter of the environment and no setting
    candidates.extend(std::env::var_os("EIDER_SECANTUSD").map(|p| Program::Secantusd(p.into())));
    candidates.extend(newest_cached().map(Program::Secantusd));
    for program in candidates {
        // The files of one are nothing for the other
        if (kind.is_empty() || kind == program.kind()) && program.runs().await {
            std::fs::write(begun, program.kind())
                .map_err(|error| Error::unavailable("the data directory is not writable", error))?;
            return Ok(program);
        }
    }
    Err(Error::Unavailable {
        reason: "no mongod or secantusd-rs is installed: install one, or configure storage.uri",
        source: None,
    })
}

fn newest_cached() -> Option<PathBuf> {
    let home = PathBuf::from(std::env::var_os("HOME")?);
    let folders = std::fs::read_dir(home.join(".cache/eider")).ok()?;
    let programs = folders.flatten().map(|folder| folder.path().join("bin/secantusd-rs"));
    let age = |path: &PathBuf| {
        let modified = path.metadata().and_then(|metadata| metadata.modified());
        modified.unwrap_or(SystemTime::UNIX_EPOCH)
    };
    programs.filter(|path| path.is_file()).max_by_key(age)
}

impl Program {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Mongod => "mongod",
            Self::Secantusd(_) => "secantusd",
        }
    }

    /// What to execute.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Mongod => Path::new("mongod"),
            Self::Secantusd(path) => path,
        }
    }

    async fn runs(&self) -> bool {
        let mut command = Command::new(self.path());
        command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().await.is_ok_and(|status| status.success())
    }

    /// Its command line. Everything acknowledged is on disk: `mongod` does that for `j: true`, the
    /// other for the flag.
    pub(super) fn arguments(&self, database: &Path, port: u16, cache_mib: u32) -> Vec<OsString> {
        let port = port.to_string();
        let gigabytes = format!("{:.3}", f64::from(cache_mib) / 1024.0);
        let megabytes = format!("{cache_mib}M");
        let words: &[&str] = match self {
            Self::Mongod => &[
                "--bind_ip",
                "127.0.0.1",
                "--port",
                &port,
                "--replSet",
                "eider",
                "--wiredTigerCacheSizeGB",
                &gigabytes,
                "--quiet",
                "--dbpath",
            ],
            Self::Secantusd(_) => &[
                "--host",
                "127.0.0.1",
                "--port",
                &port,
                "--sync-on-commit",
                "--cache-size",
                &megabytes,
                "--log-file-max",
                "16MB",
                "--log-level",
                "WARNING",
                "--storage-path",
            ],
        };
        let mut arguments: Vec<OsString> = words.iter().map(Into::into).collect();
        arguments.push(database.into());
        arguments
    }

    /// Makes a `mongod` the primary of a replica set of itself; transactions and change streams
    /// need one.
    pub(super) async fn prepare(&self, port: u16) -> Result<()> {
        if matches!(self, Self::Secantusd(_)) {
            return Ok(());
        }
        let uri = format!("mongodb://127.0.0.1:{port}/?directConnection=true");
        let admin = Client::with_uri_str(uri).await?.database("admin");
        let host = format!("127.0.0.1:{port}");
        let first = doc! { "_id": "eider", "members": [{ "_id": 0, "host": &host }] };
        // Fails when it was done before; then only the port may have changed
        if admin.run_command(doc! { "replSetInitiate": first }).await.is_err() {
            let config = admin.run_command(doc! { "replSetGetConfig": 1 }).await?;
            if let Some(moved) = moved(&config, &host) {
                admin.run_command(doc! { "replSetReconfig": moved, "force": true }).await?;
            }
        }
        let deadline = tokio::time::Instant::now() + PRIMARY;
        while tokio::time::Instant::now() < deadline {
            let hello = admin.run_command(doc! { "hello": 1 }).await?;
            if hello.get_bool("isWritablePrimary").unwrap_or(false) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err(Error::Unavailable { reason: "mongod does not become primary", source: None })
    }
}

/// The configuration with the new address, if that differs.
fn moved(reply: &Document, host: &str) -> Option<Document> {
    let mut config = reply.get_document("config").ok()?.clone();
    let members = config.get_array_mut("members").ok()?;
    let member = members.first_mut()?.as_document_mut()?;
    if member.get_str("host").is_ok_and(|known| known == host) {
        return None;
    }
    member.insert("host", host);
    let version = super::field::get_int(&config, "version") + 1;
    config.insert("version", version);
    Some(config)
}
