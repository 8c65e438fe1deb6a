//! Filters beside the store: real rspamd, clamd and opendkim in folders of their own, and a milter
//! that says what a test tells it.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use super::store::unique;
use super::within;

/// A running program with a folder of its own, which anybody may write to.
pub struct Daemon {
    pub address: SocketAddr,
    folder: PathBuf,
    _child: Child,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Starts a program whose files have `@DIR@` and `@PORT@` filled in, and waits until it listens.
async fn start(program: &str, arguments: &[&str], files: &[(&str, String)]) -> Daemon {
    let folder = std::env::temp_dir().join(unique("eider-filter"));
    std::fs::create_dir_all(folder.join("db")).unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(&folder, open).unwrap();
    let address = free_address().await;
    let fill = |text: &str| {
        let port = address.port().to_string();
        text.replace("@DIR@", folder.to_str().unwrap()).replace("@PORT@", &port)
    };
    for (name, text) in files {
        std::fs::write(folder.join(name), fill(text)).unwrap();
    }
    let log = std::fs::File::create(folder.join("output")).unwrap();
    let child = Command::new(program)
        .args(arguments.iter().map(|argument| fill(argument)))
        .stdout(Stdio::from(log.try_clone().unwrap()))
        .stderr(Stdio::from(log))
        .kill_on_drop(true)
        .spawn();
    let child =
        child.unwrap_or_else(|error| panic!("{program}: {error}; scripts/setup test installs it"));
    let mut daemon = Daemon { address, folder, _child: child };
    within(program, async {
        while TcpStream::connect(address).await.is_err() {
            let ended = daemon._child.try_wait().unwrap();
            let output = std::fs::read_to_string(daemon.folder.join("output"));
            assert!(ended.is_none(), "{program} ended: {output:?}");
            tokio::task::yield_now().await;
        }
    })
    .await;
    daemon
}

async fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    listener.local_addr().unwrap()
}

const RSPAMD: &str = r#"
options {
  pidfile = "@DIR@/pid"; tempdir = "@DIR@"; hs_cache_dir = "@DIR@"; url_tld = "@DIR@/tld";
  filters = ""; disable_monitoring = true; local_addrs = [];
  dns { nameserver = ["127.0.0.1:9:1"]; timeout = 1s; retransmits = 1; }
}
logging { type = "console"; level = "warning"; }
worker "normal" { bind_socket = "127.0.0.1:@PORT@"; count = 1; }
actions { reject = 15; rewrite_subject = 10; add_header = 6; greylist = 4; }
lua = "@DIR@/rules.lua";
"#;

/// Subjects score, and a client, HELO, sender and recipient that only we can have told it.
const RULES: &str = r#"
local function subject(name, score, wanted)
  rspamd_config:register_symbol({ name = name, score = score, callback = function(task)
    return task:get_header('Subject') == wanted end })
end
subject('SUSPICIOUS', 4.5, 'suspicious')
subject('UGLY', 7.0, 'ugly')
subject('AWFUL', 20.0, 'awful')
rspamd_config:register_symbol({ name = 'TOLD_ALL', score = 0.1, callback = function(task)
  local from, to = task:get_from('smtp'), task:get_recipients('smtp')
  return task:get_from_ip():to_string() == '192.0.2.1' and task:get_helo() == 'h.example'
    and from[1].addr == 'a@b.example' and to[1].addr == 'anna@here.example' end })
"#;

/// Rspamd with the rules above only.
pub async fn rspamd() -> Daemon {
    let files = [
        ("rspamd.conf", RSPAMD.to_owned()),
        ("rules.lua", RULES.to_owned()),
        ("tld", "example\n".to_owned()),
    ];
    let user = ["--user", "nobody", "--group", "nogroup"];
    let plain = ["-f", "-c", "@DIR@/rspamd.conf"];
    // As root it wants to become somebody else
    let is_root = std::fs::metadata("/proc/self")
        .is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    let arguments: Vec<&str> =
        plain.into_iter().chain(user.into_iter().filter(|_| is_root)).collect();
    start("rspamd", &arguments, &files).await
}

/// The harmless file that every scanner takes for a virus, in two halves: this file is scanned, too.
pub fn eicar() -> String {
    ["X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-", "ANTIVIRUS-TEST-FILE!$H+H*"].concat()
}

/// clamd that knows one virus.
pub async fn clamd() -> Daemon {
    let conf = "DatabaseDirectory @DIR@/db\nTCPSocket @PORT@\nTCPAddr 127.0.0.1\nForeground yes\n\
                TemporaryDirectory @DIR@\nPidFile @DIR@/pid\nStreamMaxLength 100K\nMaxThreads 2\n";
    let hex: String = eicar().bytes().map(|octet| format!("{octet:02x}")).collect();
    let signature = format!("Eider.Test.Signature:0:*:{hex}\n");
    let files = [("clamd.conf", conf.to_owned()), ("db/test.ndb", signature)];
    start("clamd", &["-c", "@DIR@/clamd.conf"], &files).await
}

/// opendkim as a verifier, with the DNS it is to believe: lines `name text`.
pub async fn opendkim(dns: &str) -> Daemon {
    let conf = "Mode v\nSocket inet:@PORT@@127.0.0.1\nSyslog no\nAlwaysAddARHeader yes\n\
                AuthservID filter.example\nTestDNSData file:@DIR@/dns\nOn-BadSignature reject\n";
    let files = [("conf", conf.to_owned()), ("dns", dns.to_owned())];
    start("opendkim", &["-f", "-x", "@DIR@/conf"], &files).await
}

/// Packets of a milter's answer to a command: each a command octet and its data.
pub type Script = HashMap<u8, Vec<Vec<u8>>>;

/// What a milter was told: commands and their data.
pub type Heard = Arc<Mutex<Vec<(u8, Vec<u8>)>>>;

/// A milter that follows a script; commands that are not in it are answered with "continue".
pub struct FakeMilter {
    pub address: SocketAddr,
    pub heard: Heard,
    task: tokio::task::JoinHandle<()>,
}

impl FakeMilter {
    pub async fn start(script: &[(u8, &[&[u8]])]) -> Self {
        let script: Script = script
            .iter()
            .map(|(command, packets)| (*command, packets.iter().map(|p| p.to_vec()).collect()))
            .collect();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Heard::default();
        let heard_too = Arc::clone(&heard);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let talk = talk(stream, script.clone(), Arc::clone(&heard_too));
                tokio::spawn(talk);
            }
        });
        Self { address, heard, task }
    }

    /// The commands it was told, in order.
    pub fn commands(&self) -> String {
        self.heard.lock().unwrap().iter().map(|(command, _)| char::from(*command)).collect()
    }
}

impl Drop for FakeMilter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn talk(mut stream: TcpStream, script: Script, heard: Heard) {
    while let Ok(octets) = stream.read_u32().await {
        let mut packet = vec![0; octets as usize];
        if stream.read_exact(&mut packet).await.is_err() {
            return;
        }
        let (command, data) = (packet[0], packet[1..].to_vec());
        heard.lock().unwrap().push((command, data.clone()));
        let answers = match (command, script.get(&command)) {
            (_, Some(answers)) => answers.clone(),
            (b'D' | b'A', None) => continue,
            // Version 6, all we offer, and every step
            (b'O', None) => vec![[b"O", &data[..8], &[0; 4]].concat()],
            (b'Q', None) => return,
            (_, None) => vec![b"c".to_vec()],
        };
        if answers.is_empty() {
            return;
        }
        for answer in answers {
            let octets = u32::try_from(answer.len()).unwrap().to_be_bytes();
            if stream.write_all(&[&octets, answer.as_slice()].concat()).await.is_err() {
                return;
            }
        }
    }
}
