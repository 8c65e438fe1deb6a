//! The local database: a supervised child process, for when no URI is configured.
//!
//! `mongod` of the PATH as a replica set of one, else `secantusd-rs` (PATH, `$EIDER_SECANTUSD`, the
//! newest below
//! `~/.cache/eider`), with its files below `<data_dir>/database` and its output in
//! `<data_dir>/database.log`. It
//! listens on the loopback address at a port that stays the same (`database.port`) unless somebody
//! else took it. It
//! is started again when it dies. A store that was killed leaves it running: the next one, which
//! holds
//! `database.lock`, stops it first by `database.pid` after checking that this process is it.

use crate::model::error::{Error, Result};
use crate::storage::local_program::{Program, find_program};
use crate::tasks::Tasks;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// How long a start may take: recovery after a crash reads the log.
const START: Duration = Duration::from_secs(90);
/// How long a clean end may take: a checkpoint.
const STOP: Duration = Duration::from_secs(30);
/// The longest pause before it is started again.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// The output file is put aside at a start when it is longer.
const LOG_OCTETS_MAX: u64 = 8 * 1024 * 1024;

/// A running local database.
#[derive(Debug)]
pub struct LocalDatabase {
    uri: String,
    stop: CancellationToken,
    tasks: Tasks,
    /// Held as long as the database may run.
    _lock: File,
}

impl LocalDatabase {
    /// Starts the database of a data directory, its cache of `cache_mib` MiB, and waits until it
    /// answers.
    ///
    /// # Errors
    /// `Conflict` when another store uses the directory, `Unavailable` when there is no program or
    /// it does not start.
    pub async fn start(data_dir: &Path, cache_mib: u32) -> Result<Self> {
        let data_dir = std::path::absolute(data_dir).map_err(io)?;
        std::fs::create_dir_all(&data_dir).map_err(io)?;
        // Messages are in it: for its owner only
        let mut private = DirBuilder::new();
        private.recursive(true).mode(0o700).create(data_dir.join("database")).map_err(io)?;
        let lock = lock(&data_dir.join("database.lock"))?;
        let program = find_program(&data_dir).await?;
        stop_orphan(&data_dir).await?;
        let port = choose_port(&data_dir.join("database.port"))?;
        let server = Server { data_dir, program, port, cache_mib };
        let mut child = server.spawn()?;
        if let Err(error) = server.wait_ready(&mut child).await {
            end(&mut child).await;
            return Err(error);
        }
        let (stop, tasks) = (CancellationToken::new(), Tasks::new());
        let uri = uri_of(port);
        tasks.spawn("local database", supervise(server, child, stop.clone()));
        Ok(Self { uri, stop, tasks, _lock: lock })
    }

    /// Where the database of a store that runs on this data directory listens; `None`: no store
    /// runs there.
    pub fn find_running(data_dir: &Path) -> Option<String> {
        let file = OpenOptions::new().write(true).open(data_dir.join("database.lock")).ok()?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {}
            Ok(()) | Err(TryLockError::Error(_)) => return None,
        }
        let port = std::fs::read_to_string(data_dir.join("database.port")).ok()?;
        port.trim().parse().ok().map(uri_of)
    }

    /// Where it listens.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Ends it cleanly and waits. Everything that uses it has ended before.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.shutdown(STOP * 2).await;
    }
}

fn uri_of(port: u16) -> String {
    format!("mongodb://127.0.0.1:{port}/?directConnection=true")
}

fn io(error: std::io::Error) -> Error {
    Error::unavailable("the local database's files cannot be used", error)
}

/// The kernel gives the lock back when the process ends, however it ends.
fn lock(path: &Path) -> Result<File> {
    let file =
        OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(Error::Conflict { reason: "another process uses this data directory" })
        }
        Err(TryLockError::Error(error)) => Err(io(error)),
    }
}

/// The port of the last time, else a free one.
fn choose_port(path: &Path) -> Result<u16> {
    let last = std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok());
    let bind = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let listener = match last.map(bind) {
        Some(Ok(listener)) => listener,
        _ => bind(0).map_err(io)?,
    };
    let port = listener.local_addr().map_err(io)?.port();
    std::fs::write(path, port.to_string()).map_err(io)?;
    Ok(port)
}

struct Server {
    data_dir: PathBuf,
    program: Program,
    port: u16,
    cache_mib: u32,
}

impl Server {
    fn spawn(&self) -> Result<Child> {
        let log_path = self.data_dir.join("database.log");
        if std::fs::metadata(&log_path).is_ok_and(|log| log.len() > LOG_OCTETS_MAX) {
            std::fs::rename(&log_path, self.data_dir.join("database.log.1")).map_err(io)?;
        }
        let log = OpenOptions::new().create(true).append(true).open(log_path).map_err(io)?;
        let errors = log.try_clone().map_err(io)?;
        let child = Command::new(self.program.path())
            .args(self.program.arguments(
                &self.data_dir.join("database"),
                self.port,
                self.cache_mib,
            ))
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            // A Ctrl-C at the terminal is for the store, which ends the database when it has
            // written all
            .process_group(0)
            .spawn()
            .map_err(io)?;
        let pid = child.id().unwrap_or_default();
        std::fs::write(self.data_dir.join("database.pid"), pid.to_string()).map_err(io)?;
        Ok(child)
    }

    async fn wait_ready(&self, child: &mut Child) -> Result<()> {
        let deadline = Instant::now() + START;
        loop {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await.is_ok() {
                return self.program.prepare(self.port).await;
            }
            if let Some(status) = child.try_wait().map_err(io)? {
                let reason = "the local database ended at start; see database.log";
                return Err(Error::unavailable(reason, status.to_string()));
            }
            if Instant::now() > deadline {
                return Err(Error::Unavailable {
                    reason: "the local database does not answer; see database.log",
                    source: None,
                });
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Keeps the database running until it is asked to stop.
async fn supervise(server: Server, child: Child, stop: CancellationToken) {
    let mut running = Some(child);
    let mut pause = Duration::from_millis(200);
    while !stop.is_cancelled() {
        let since = Instant::now();
        if let Some(child) = &mut running {
            tokio::select! {
                () = stop.cancelled() => break,
                status = child.wait() => {
                    let status = status.map_or_else(|error| error.to_string(), |s| s.to_string());
                    tracing::error!(status, "the local database ended; starting it again");
                }
            }
        }
        // After a while of good work the next failure is a new story
        if since.elapsed() > PAUSE_MAX {
            pause = Duration::from_millis(200);
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(pause) => {}
        }
        pause = (pause * 2).min(PAUSE_MAX);
        running = match server.spawn() {
            Ok(child) => Some(child),
            Err(error) => {
                tracing::error!(%error, "the local database cannot be started");
                None
            }
        };
    }
    if let Some(child) = &mut running {
        end(child).await;
        // Nothing is left to stop at the next start; a file that stays is checked there anyway
        let _ = std::fs::remove_file(server.data_dir.join("database.pid"));
    }
}

/// SIGTERM, time for a checkpoint, then SIGKILL, which loses nothing that was acknowledged.
async fn end(child: &mut Child) {
    if let Some(pid) = child.id() {
        terminate(pid).await;
    }
    if timeout(STOP, child.wait()).await.is_err() {
        tracing::warn!("the local database did not end in time and was killed");
        if let Err(error) = child.kill().await {
            tracing::error!(%error, "the local database cannot be killed");
        }
    }
}

/// Sends SIGTERM. By a shell: the standard library can only send SIGKILL, and this crate has no
/// unsafe code.
async fn terminate(pid: u32) {
    let kill = Command::new("sh").args(["-c", "kill -TERM \"$0\"", &pid.to_string()]).status();
    if let Err(error) = kill.await {
        tracing::warn!(%error, "no shell to send a signal with");
    }
}

/// Ends the database of a store that was killed.
async fn stop_orphan(data_dir: &Path) -> Result<()> {
    let path = data_dir.join("database.pid");
    let Ok(text) = std::fs::read_to_string(&path) else { return Ok(()) };
    let Ok(pid) = text.trim().parse::<u32>() else { return Ok(()) };
    let is_ours = || {
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let database = data_dir.join("database");
        let name =
            |argument: &[u8]| argument.ends_with(b"mongod") || argument.ends_with(b"secantusd-rs");
        let mut arguments = command.split(|octet| *octet == 0);
        arguments.next().is_some_and(name)
            && arguments.any(|argument| argument == database.as_os_str().as_encoded_bytes())
    };
    if !is_ours() {
        return Ok(());
    }
    tracing::warn!(pid, "stopping the local database of a store that was killed");
    terminate(pid).await;
    let deadline = Instant::now() + STOP;
    while is_ours() {
        if Instant::now() > deadline {
            return Err(Error::Unavailable {
                reason: "the local database of a store that was killed does not end",
                source: None,
            });
        }
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Storage;
    use bson::doc;

    fn temporary(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("eider-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    #[tokio::test]
    async fn it_survives_kills_and_keeps_its_data_and_port() {
        let data_dir = temporary("local");
        let local = LocalDatabase::start(&data_dir, 64).await.unwrap();
        let uri = local.uri().to_owned();
        assert!(matches!(LocalDatabase::start(&data_dir, 64).await, Err(Error::Conflict { .. })));
        let storage = Storage::connect(&uri, "eider").await.unwrap();
        storage.settings().insert_one(doc! { "_id": "kept" }).await.unwrap();
        let pid = || std::fs::read_to_string(data_dir.join("database.pid")).unwrap();
        let before = pid();
        assert!(Command::new("kill").args(["-9", &before]).status().await.unwrap().success());
        for _ in 0..200 {
            if pid() != before && storage.ping().await.is_ok() {
                break;
            }
            sleep(Duration::from_millis(50)).await;
        }
        assert_ne!(pid(), before, "started again");
        let kept = storage.settings().find_one(doc! { "_id": "kept" }).await.unwrap();
        assert!(kept.is_some());
        // A store that is killed runs no destructors: its child goes on, its lock is free
        let orphan = pid();
        let LocalDatabase { tasks, _lock: lock, .. } = local;
        let _ = timeout(Duration::from_secs(3), tasks.shutdown(Duration::ZERO)).await;
        drop(lock);
        assert!(Path::new(&format!("/proc/{orphan}")).exists());
        let local = LocalDatabase::start(&data_dir, 64).await.unwrap();
        assert_eq!(local.uri(), uri);
        assert!(!Path::new(&format!("/proc/{orphan}/cmdline")).exists() || pid() != orphan);
        storage.ping().await.unwrap();
        let last = pid();
        local.stop().await;
        assert!(!Path::new(&format!("/proc/{last}")).exists());
        std::fs::remove_dir_all(&data_dir).unwrap();
    }
}
