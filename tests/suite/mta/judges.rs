//! Transport judged by Debian's postfix.

use std::path::PathBuf;

use serde_json::json;

use super::{Scene, mta_config, set_pauses, zone_of};
use crate::support::dns::DnsServer;
use crate::support::judge;
use crate::support::smtp_sink::{Options, SmtpSink};
use crate::support::store::{TestStore, unique};
use crate::support::until;

/// Debian's postfix in folders of its own; it ends when this is dropped.
struct Postfix {
    dir: PathBuf,
}

impl Postfix {
    /// Listens on 127.0.0.1:`port` for `p.example`, keeps what comes in files (for `bounced@` it
    /// says no), and sends everything else to 127.0.0.1:`next`.
    async fn start(port: u16, next: u16) -> Self {
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
        let main = format!(
            "compatibility_level = 3.6\nqueue_directory = {queue}\ndata_directory = {data}\n\
             command_directory = /usr/sbin\ndaemon_directory = /usr/lib/postfix/sbin\n\
             mail_owner = postfix\nsetgid_group = postdrop\nmyhostname = mx.p.example\n\
             mydestination =\ninet_interfaces = 127.0.0.1\ninet_protocols = ipv4\n\
             mynetworks = 127.0.0.0/8\nrelayhost = [127.0.0.1]:{next}\n\
             virtual_mailbox_domains = p.example\nvirtual_mailbox_base = {mail}\n\
             virtual_mailbox_maps = texthash:{etc}/virtual\nvirtual_minimum_uid = 1\n\
             virtual_uid_maps = static:65534\nvirtual_gid_maps = static:65534\n\
             smtp_host_lookup = native\nmaillog_file = /dev/stdout\nalias_maps =\n\
             smtpd_relay_restrictions = permit_mynetworks, reject\n\
             maillog_file_prefixes = /dev, /tmp\n",
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
    fn mails(&self, name: &str) -> Vec<String> {
        let folder = self.dir.join("mail").join(name).join("new");
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        let read = |entry: std::fs::DirEntry| std::fs::read(entry.path()).unwrap_or_default();
        let texts = entries.flatten().map(read);
        texts.map(|octets| String::from_utf8_lossy(&octets).into_owned()).collect()
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
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postfix_receives_what_we_send_and_sends_to_us() {
    let port = free_port();
    let dns = DnsServer::start(&zone_of(&["p.example"])).await;
    let config = mta_config(&unique("eider_mta"), &dns, port);
    let store = TestStore::start_with(config).await;
    let user = store.create_user("me").await;
    let postfix = Postfix::start(port, store.smtp_address().port()).await;
    let unused = SmtpSink::start(Options::default()).await;
    let it = Scene { store, dns, sink: unused, user };
    set_pauses(&it.store, "100,100,100").await;
    for number in 0..20 {
        let text = format!(".\r\n..\r\nline {number}\r\n");
        let to = ["ok@p.example", "many@p.example"];
        it.submit(&to, &format!("n{number}"), json!({ "text": text })).await;
    }
    it.submit(&["unknown@p.example"], "returned", json!({})).await;
    until("all are in postfix's files", async || {
        postfix.mails("ok").len() == 20 && postfix.mails("many").len() == 20
    })
    .await;
    let ok = postfix.mails("ok").concat();
    assert!(ok.contains("\n.\n..\nline 7\n") && ok.contains("Return-Path: <me@example.com>"));
    until("the refused one is reported", async || it.inbox().await.len() == 1).await;
    let report = it.inbox().await.remove(0);
    assert!(report.contains("Status: 5.1.1\r\n") && report.contains("mx.p.example"), "{report}");
    // The other way: postfix relays to our door
    let said = judge::run(
        "swaks",
        &[
            "--server",
            &format!("127.0.0.1:{port}"),
            "--from",
            "ok@p.example",
            "--to",
            "me@example.com",
            "--body",
            "from postfix",
        ],
    )
    .await;
    assert!(said.contains("250"), "{said}");
    until("it is in the inbox", async || it.inbox().await.len() == 2).await;
    let all = it.inbox().await.concat();
    assert!(all.contains("from postfix") && all.contains("mx.p.example (Postfix)"), "{all}");
    it.store.stop().await;
}
