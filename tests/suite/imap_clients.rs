//! IMAP clients that people use, driven as people do: neomutt, mutt, offlineimap, imapfilter,
//! getmail, fetchmail, IMAPClient, alpine, Thunderbird; and eight random ones. What they did is
//! looked up on the server.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::corpus;
use crate::support::judge;
use crate::support::store::{PASSWORD, TestStore, unique};
use crate::support::within;

fn script(name: &str) -> String {
    format!("{}/tests/judges/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// A store with messages `m1` to `m10` in anna's inbox, and a folder of the test's own.
async fn start(name: &str) -> (TestStore, u16, PathBuf) {
    let store = TestStore::start().await;
    store.create_user("anna").await;
    let mut lmtp = store.lmtp().await;
    for number in 1..=10 {
        let message = corpus::message(&format!("m{number}"));
        let replies = lmtp.deliver(&["anna@example.com"], &message).await;
        assert!(replies[0].starts_with("250"), "{replies:?}");
    }
    let folder = std::env::temp_dir().join(unique(&format!("eider-{name}")));
    std::fs::create_dir_all(&folder).unwrap();
    let port = store.imap_address().port();
    (store, port, folder)
}

async fn stop(store: TestStore, folder: &Path) {
    let _ = std::fs::remove_dir_all(folder);
    store.stop().await;
}

/// Settings only their owner may read.
fn settings(folder: &Path, text: &str) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join("settings");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path.to_string_lossy().into_owned()
}

/// Subject to flags of each message of a mailbox, as the server has them.
async fn messages(store: &TestStore, mailbox: &str) -> BTreeMap<String, String> {
    let mut imap = store.imap("anna").await;
    if imap.ok(&format!("EXAMINE \"{mailbox}\"")).await.find(" 0 EXISTS").is_some() {
        return BTreeMap::new();
    }
    let answer = imap.ok("UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])").await;
    let lines = answer.lines();
    let fetched = lines.iter().filter(|line| line.contains("Subject: "));
    let read = |line: &String| {
        let subject = line.split("Subject: ").nth(1).unwrap().split("\r\n").next().unwrap();
        let flags = line.split("FLAGS (").nth(1).unwrap().split(')').next().unwrap();
        (subject.to_owned(), flags.to_owned())
    };
    fetched.map(read).collect()
}

fn subjects(messages: &BTreeMap<String, String>) -> Vec<&str> {
    messages.keys().map(String::as_str).collect()
}

/// Opens the inbox by the line of the README's tour, saves three messages to a new mailbox, flags
/// one.
async fn mutt_saves_and_flags(program: &str) {
    let (store, port, folder) = start(program).await;
    let text = format!(
        "set folder=\"imap://anna@127.0.0.1:{port}/\"\nset imap_pass=\"{PASSWORD}\"\n\
         set ssl_starttls=no\nset ssl_force_tls=no\nset confirmappend=no\nset confirmcreate=no\n\
         set delete=yes\nset quit=yes\nset sleep_time=0\nset wait_key=no\nset header_cache=\"\"\n"
    );
    let file = settings(&folder, &text);
    let keys = "<tag-pattern>~s m[1-3]$<enter><tag-prefix><save-message>=Saved<enter>\
                <tag-pattern>~s m5<enter><tag-prefix><set-flag>!<sync-mailbox><quit>";
    let line = format!(
        "{program} -n -F {file} -f imap://anna@127.0.0.1:{port}/INBOX -e 'push \"{keys}\"'"
    );
    let log = folder.join("screen").to_string_lossy().into_owned();
    let run = "TERM=xterm HOME=$1 exec script -qec \"$2\" \"$3\" </dev/null >/dev/null";
    let home = folder.to_string_lossy().into_owned();
    judge::run("sh", &["-c", run, "sh", &home, &line, &log]).await;
    assert_eq!(subjects(&messages(&store, "Saved").await), ["m1", "m2", "m3"]);
    let inbox = messages(&store, "INBOX").await;
    assert_eq!(inbox.len(), 7);
    assert!(inbox["m5"].contains("\\Flagged") && !inbox["m6"].contains("\\Flagged"), "{inbox:?}");
    stop(store, &folder).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neomutt_saves_and_flags() {
    mutt_saves_and_flags("neomutt").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutt_does_the_same() {
    mutt_saves_and_flags("mutt").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offlineimap_mirrors_both_ways() {
    let (store, port, folder) = start("offlineimap").await;
    let at = folder.display();
    let text = format!(
        "[general]\naccounts = a\nmetadata = {at}/meta\nui = quiet\n[Account a]\n\
         localrepository = near\nremoterepository = far\n[Repository near]\ntype = Maildir\n\
         localfolders = {at}/mail\n[Repository far]\ntype = IMAP\nremotehost = 127.0.0.1\n\
         remoteport = {port}\nremoteuser = anna\nremotepass = {PASSWORD}\nssl = no\n\
         starttls = no\nauth_mechanisms = PLAIN\n"
    );
    let file = settings(&folder, &text);
    judge::run("offlineimap", &["-o", "-c", &file]).await;
    let inbox = folder.join("mail/INBOX");
    let files = || std::fs::read_dir(inbox.join("new")).unwrap().flatten().map(|file| file.path());
    assert_eq!(files().count(), 10);
    assert!(folder.join("mail/Sent Mail/cur").is_dir());
    // away here, read here, new here
    let has = |path: &PathBuf, subject: &str| {
        std::fs::read_to_string(path).unwrap().contains(&format!("Subject: {subject}\n"))
    };
    std::fs::remove_file(files().find(|path| has(path, "m1")).unwrap()).unwrap();
    let read = files().find(|path| has(path, "m2")).unwrap();
    let name = read.file_name().unwrap().to_string_lossy().into_owned();
    let name = name.split(":2,").next().unwrap().to_owned();
    std::fs::rename(&read, inbox.join("cur").join(format!("{name}:2,S"))).unwrap();
    std::fs::write(inbox.join("new/1.here"), "Subject: here\n\nfrom here\n").unwrap();
    judge::run("offlineimap", &["-o", "-c", &file]).await;
    let there = messages(&store, "INBOX").await;
    assert!(there.len() == 10 && !there.contains_key("m1") && there.contains_key("here"));
    assert!(there["m2"].contains("\\Seen") && !there["m3"].contains("\\Seen"), "{there:?}");
    stop(store, &folder).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imapfilter_searches_moves_and_marks() {
    let (store, port, folder) = start("imapfilter").await;
    let text = format!(
        "options.timeout = 60\noptions.starttls = false\noptions.create = true\n\
         a = IMAP {{ server = '127.0.0.1', port = {port}, username = 'anna', \
         password = '{PASSWORD}' }}\n\
         found = a.INBOX:contain_subject('m6') + a.INBOX:contain_body('Body of m7')\n\
         found:move_messages(a['Filtered'])\n\
         both = a.INBOX:contain_from('sender@example.org') * a.INBOX:contain_subject('m4')\n\
         both:mark_flagged()\n\
         a.INBOX:contain_subject('m5'):add_flags({{ '$Work', '\\\\Seen' }})\n\
         a.INBOX:contain_subject('m9'):delete_messages()\n"
    );
    let file = settings(&folder, &text);
    judge::run("imapfilter", &["-c", &file]).await;
    assert_eq!(subjects(&messages(&store, "Filtered").await), ["m6", "m7"]);
    let inbox = messages(&store, "INBOX").await;
    assert_eq!(subjects(&inbox), ["m1", "m10", "m2", "m3", "m4", "m5", "m8"]);
    assert!(inbox["m4"].contains("\\Flagged") && inbox["m5"].contains("$Work"), "{inbox:?}");
    stop(store, &folder).await;
}

/// A command that stores each message in a file of its own.
fn filing(folder: &Path) -> String {
    std::fs::create_dir_all(folder.join("got")).unwrap();
    format!("cat > {}/got/$(mktemp -u m.XXXXXXXX)", folder.display())
}

fn got(folder: &Path) -> usize {
    let files = std::fs::read_dir(folder.join("got")).unwrap().flatten();
    let is_whole = |path: PathBuf| std::fs::read_to_string(path).unwrap().contains("\nBody of m");
    files.filter(|file| is_whole(file.path())).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn getmail_keeps_then_empties_the_inbox() {
    let (store, port, folder) = start("getmail").await;
    let filing = filing(&folder);
    let at = folder.to_string_lossy().into_owned();
    for (delete, left) in [(false, 10), (true, 0)] {
        let text = format!(
            "[retriever]\ntype = SimpleIMAPRetriever\nserver = 127.0.0.1\nport = {port}\n\
             username = anna\npassword = {PASSWORD}\nmailboxes = (\"INBOX\",)\n[destination]\n\
             type = MDA_external\npath = /bin/sh\narguments = ('-c', '{filing}')\n\
             allow_root_commands = true\nunixfrom = false\n[options]\ndelete = {delete}\n\
             read_all = false\nreceived = false\ndelivered_to = false\n"
        );
        let file = settings(&folder, &text);
        judge::run("getmail", &["--getmaildir", &at, "--rcfile", &file]).await;
        assert_eq!(got(&folder), 10);
        assert_eq!(messages(&store, "INBOX").await.len(), left);
    }
    stop(store, &folder).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fetchmail_marks_then_empties_the_inbox() {
    let (store, port, folder) = start("fetchmail").await;
    let filing = filing(&folder);
    for (keep, all, expected) in [("keep", "", 10), ("nokeep", "fetchall", 20)] {
        let text = format!(
            "set pidfile \"{}/pid\"\npoll 127.0.0.1 service {port} proto imap user \"anna\" \
             password \"{PASSWORD}\" {keep} {all} sslproto \"\" mda \"/bin/sh -c '{filing}'\"\n",
            folder.display()
        );
        let file = settings(&folder, &text);
        judge::run("fetchmail", &["--nodetach", "--silent", "-f", &file]).await;
        assert_eq!(got(&folder), expected);
        let inbox = messages(&store, "INBOX").await;
        assert_eq!(inbox.len(), if keep == "keep" { 10 } else { 0 });
        assert!(inbox.values().all(|flags| flags.contains("\\Seen")), "{inbox:?}");
    }
    stop(store, &folder).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imapclient_walks_its_methods() {
    let (store, port, folder) = start("imapclient").await;
    let python = std::env::var("EIDER_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let arguments = [&script("imapclient_journey.py"), &port.to_string(), "anna", PASSWORD];
    let said = judge::run(&python, &arguments).await;
    assert!(said.contains("IMAPClient is done"), "{said}");
    stop(store, &folder).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alpine_opens_saves_and_expunges() {
    let (store, port, folder) = start("alpine").await;
    let home = folder.to_string_lossy().into_owned();
    let arguments = [&script("alpine.py"), &port.to_string(), "anna", PASSWORD, &home];
    let said = judge::run("python3", &arguments).await;
    assert!(said.contains("alpine is done"), "{said}");
    assert_eq!(subjects(&messages(&store, "Saved").await), ["m1"]);
    let inbox = messages(&store, "INBOX").await;
    assert!(inbox.len() == 9 && !inbox.contains_key("m1"), "{inbox:?}");
    stop(store, &folder).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thunderbird_opens_reads_flags_moves_and_searches() {
    let (store, port, folder) = start("thunderbird").await;
    let profile = folder.to_string_lossy().into_owned();
    let arguments = [&script("thunderbird.py"), &port.to_string(), "anna", PASSWORD, &profile];
    let said = judge::run("python3", &arguments).await;
    for expected in ["folders Drafts,INBOX,Junk,Sent Mail,Trash", "read true", "moved", "found m8"]
    {
        assert!(said.lines().any(|line| line == expected), "no `{expected}`: {said}");
    }
    assert_eq!(subjects(&messages(&store, "Moved").await), ["m5", "m6"]);
    let inbox = messages(&store, "INBOX").await;
    assert_eq!(inbox.len(), 8);
    assert!(inbox["m3"].contains("\\Seen") && inbox["m4"].contains("\\Flagged"), "{inbox:?}");
    stop(store, &folder).await;
}

/// Eight random clients on two nodes, each with a model of its own: 20 seconds here, ten minutes by
/// hand (`tests/judges/imap_stress.py HOST PORT,PORT USER PASSWORD 600 8`).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_random_clients_never_disagree() {
    let database = unique("eider_test");
    let nodes = [TestStore::start_on(&database).await, TestStore::start_on(&database).await];
    nodes[0].create_user("anna").await;
    let ports = nodes.iter().map(|node| node.imap_address().port().to_string());
    let ports = ports.collect::<Vec<_>>().join(",");
    let arguments = [&script("imap_stress.py"), "127.0.0.1", &ports, "anna", PASSWORD, "20", "8"];
    let said = judge::run("python3", &arguments).await;
    assert!(said.ends_with("\n0 disagreements\n"), "{said}");
    // no session is left: both nodes count in the same process
    within("the end of all sessions", async {
        let api = nodes[0].api();
        loop {
            let (_, body) = api.raw("GET", "/metrics", "", b"").await;
            let text = String::from_utf8_lossy(&body).into_owned();
            let open = "eider_connections_open{door=\"imap\"} ";
            if text.lines().any(|line| line.strip_prefix(open) == Some("0")) {
                return;
            }
        }
    })
    .await;
    for node in nodes {
        node.stop().await;
    }
}
