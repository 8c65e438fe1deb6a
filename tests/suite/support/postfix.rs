//! Debian's postfix, as somebody else's mail server.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::judge;
use super::store::unique;
use super::until;

/// Debian's postfix in folders of its own; it ends when this is dropped.
pub struct Postfix {
    dir: PathBuf,
}

impl Postfix {
    /// Listens on 127.0.0.1:`port` for `p.example`, keeps what comes for `ok`, `many` and `u1x2`
    /// (whatever the numbers) in files, says no to others, and sends everything else to one of
    /// `nexts`. It tries again every few seconds.
    pub async fn start(port: u16, nexts: &[SocketAddr]) -> Self {
        let dir = PathBuf::from("/tmp").join(unique("eider-postfix"));
        let (etc, queue, data) = (dir.join("etc"), dir.join("queue"), dir.join("data"));
        for folder in [&etc, &queue, &data] {
            std::fs::create_dir_all(folder).unwrap();
        }
        judge::run("chmod", &["755", dir.to_str().unwrap(), queue.to_str().unwrap()]).await;
        judge::run("chown", &["postfix", data.to_str().unwrap()]).await;
        judge::run("mkdir", &["-p", dir.join("mail").to_str().unwrap()]).await;
        judge::run("chmod", &["1777", dir.join("mail").to_str().unwrap()]).await;
        std::fs::write(etc.join("virtual"), "ok@p.example ok/\nmany@p.example many/\n").unwrap();
        std::fs::write(etc.join("numbered"), "/^u[0-9]+x[0-9]@p\\.example$/ ok/\n").unwrap();
        let nexts: Vec<String> =
            nexts.iter().map(|next| format!("[{}]:{}", next.ip(), next.port())).collect();
        let main = format!(
            "compatibility_level = 3.6\nqueue_directory = {queue}\ndata_directory = {data}\n\
             command_directory = /usr/sbin\ndaemon_directory = /usr/lib/postfix/sbin\n\
             mail_owner = postfix\nsetgid_group = postdrop\nmyhostname = mx.p.example\n\
             mydestination =\ninet_interfaces = 127.0.0.1\ninet_protocols = ipv4\n\
             mynetworks = 127.0.0.0/8\nrelayhost = {nexts}\n\
             virtual_mailbox_domains = p.example\nvirtual_mailbox_base = {mail}\n\
             virtual_mailbox_maps = texthash:{etc}/virtual, regexp:{etc}/numbered\n\
             minimal_backoff_time = 1s\nmaximal_backoff_time = 3s\nqueue_run_delay = 1s\n\
             smtp_destination_concurrency_failed_cohort_limit = 0\n\
             smtp_helo_timeout = 5s\nsmtp_mail_timeout = 5s\nsmtp_rcpt_timeout = 5s\n\
             smtp_data_init_timeout = 5s\nsmtp_data_done_timeout = 30s\n\
             smtp_rset_timeout = 5s\nsmtp_quit_timeout = 5s\n\
             virtual_minimum_uid = 1\n\
             virtual_uid_maps = static:65534\nvirtual_gid_maps = static:65534\n\
             smtp_host_lookup = native\nmaillog_file = /dev/stdout\nalias_maps =\n\
             smtpd_relay_restrictions = permit_mynetworks, reject\n\
             maillog_file_prefixes = /dev, /tmp\n",
            nexts = nexts.join(", "),
            queue = queue.display(),
            data = data.display(),
            mail = dir.join("mail").display(),
            etc = etc.display(),
        );
        std::fs::write(etc.join("main.cf"), main).unwrap();
        let services = format!(
            "127.0.0.1:{port} inet n - n - - smtpd\npickup unix n - n 60 1 pickup\n\
             cleanup unix n - n - 0 cleanup\nqmgr unix n - n 300 1 qmgr\n\
             tlsmgr unix - - n 1000? 1 tlsmgr\nrewrite unix - - n - - trivial-rewrite\n\
             bounce unix - - n - 0 bounce\ndefer unix - - n - 0 bounce\n\
             trace unix - - n - 0 bounce\nverify unix - - n - 1 verify\n\
             flush unix n - n 1000? 0 flush\nproxymap unix - - n - - proxymap\n\
             smtp unix - - n - - smtp\nrelay unix - - n - - smtp\n\
             showq unix n - n - - showq\nerror unix - - n - - error\n\
             retry unix - - n - - error\ndiscard unix - - n - - discard\n\
             virtual unix - n n - - virtual\nanvil unix - - n - 1 anvil\n\
             scache unix - - n - 1 scache\npostlog unix-dgram n - n - 1 postlogd\n"
        );
        std::fs::write(etc.join("master.cf"), services).unwrap();
        let postfix = Self { dir };
        judge::run("postfix", &["-c", etc.to_str().unwrap(), "start"]).await;
        let reached = async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok();
        until("postfix listens", reached).await;
        postfix
    }

    /// Messages of a maildir.
    pub fn mails(&self, name: &str) -> Vec<String> {
        let folder = self.dir.join("mail").join(name).join("new");
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        let read = |entry: std::fs::DirEntry| std::fs::read(entry.path()).unwrap_or_default();
        let texts = entries.flatten().map(read);
        texts.map(|octets| String::from_utf8_lossy(&octets).into_owned()).collect()
    }

    /// Messages that it has and has not delivered.
    pub fn queued(&self) -> usize {
        fn files(folder: &Path) -> usize {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            entries.map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { 1 }).sum()
        }
        let folders = ["maildrop", "incoming", "active", "deferred"];
        folders.iter().map(|name| files(&self.dir.join("queue").join(name))).sum()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let etc = self.dir.join("etc");
        let _ = std::process::Command::new("postfix").arg("-c").arg(etc).arg("stop").status();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
