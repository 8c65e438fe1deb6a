//! POP3 clients nobody here wrote: poplib, mpop, getmail, fetchmail. What they did is looked up on
//! the server.

use std::path::{Path, PathBuf};

use crate::support::corpus;
use crate::support::judge;
use crate::support::pop3::Pop3Client;
use crate::support::store::{PASSWORD, TestStore, unique};

/// A store with messages `m1` to `m<count>` in anna's inbox.
async fn store_with(count: usize) -> TestStore {
    let store = TestStore::start().await;
    store.create_user("anna").await;
    deliver(&store, 1, count).await;
    store
}

async fn deliver(store: &TestStore, first: usize, last: usize) {
    let mut lmtp = store.lmtp().await;
    for number in first..=last {
        let message = corpus::message(&format!("m{number}"));
        let replies = lmtp.deliver(&["anna@example.com"], &message).await;
        assert!(replies[0].starts_with("250"), "{replies:?}");
    }
}

/// Messages left on the server.
async fn left(store: &TestStore) -> usize {
    let mut pop3 = Pop3Client::open(store.pop3_address(), "anna", PASSWORD).await;
    let stat = pop3.ok("STAT").await;
    pop3.ok("QUIT").await;
    stat.split(' ').nth(1).unwrap().parse().unwrap()
}

/// A folder of its own with a maildir in it.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(unique(&format!("eider-{name}")));
    for part in ["mail/cur", "mail/new", "mail/tmp"] {
        std::fs::create_dir_all(folder.join(part)).unwrap();
    }
    folder
}

/// Settings only their owner may read, as these programs demand.
fn settings(folder: &Path, text: &str) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join("settings");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path.to_string_lossy().into_owned()
}

/// The texts of the messages in the maildir, sorted.
fn texts(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder.join("mail/new")).unwrap().flatten();
    let mut texts: Vec<String> =
        files.map(|file| std::fs::read_to_string(file.path()).unwrap()).collect();
    texts.sort();
    texts
}

fn assert_complete(texts: &[String], count: usize) {
    assert_eq!(texts.len(), count);
    for number in 1..=count {
        let body = format!("Body of m{number}.\n.leading dot\n");
        let found = texts.iter().filter(|text| text.ends_with(&body)).count();
        assert_eq!(found, 1, "m{number}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poplib_walks_all_commands() {
    let store = store_with(5).await;
    let script = format!("{}/tests/judges/pop3_journey.py", env!("CARGO_MANIFEST_DIR"));
    let port = store.pop3_address().port().to_string();
    let said = judge::run("python3", &[&script, "127.0.0.1", &port, "anna", PASSWORD]).await;
    assert!(said.contains(" passed, 0 failed"), "{said}");
    store.stop().await;
}

/// mpop pipelines, and knows by unique-ids what it has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mpop_keeps_then_empties_the_maildrop() {
    let store = store_with(30).await;
    let folder = folder("mpop");
    let at = folder.display();
    let text = format!(
        "account eider\nhost 127.0.0.1\nport {}\nuser anna\npassword \"{PASSWORD}\"\ntls off\n\
         auth plain\npipelining on\nreceived_header off\nuidls_file {at}/uidls\n\
         delivery maildir {at}/mail\n",
        store.pop3_address().port()
    );
    let file = settings(&folder, &text);
    let mpop = ["-C", file.as_str(), "eider"];
    judge::run("mpop", &[&["--keep=on"], &mpop[..]].concat()).await;
    assert_complete(&texts(&folder), 30);
    assert_eq!(left(&store).await, 30);
    deliver(&store, 31, 33).await;
    judge::run("mpop", &[&["--keep=on"], &mpop[..]].concat()).await;
    assert_complete(&texts(&folder), 33);
    judge::run("mpop", &[&["--keep=off"], &mpop[..]].concat()).await;
    assert_complete(&texts(&folder), 33);
    assert_eq!(left(&store).await, 0);
    let _ = std::fs::remove_dir_all(&folder);
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn getmail_keeps_then_empties_the_maildrop() {
    let store = store_with(10).await;
    let folder = folder("getmail");
    let at = folder.display();
    let text = |delete: bool| {
        format!(
            "[retriever]\ntype = SimplePOP3Retriever\nserver = 127.0.0.1\nport = {}\n\
             username = anna\npassword = {PASSWORD}\n[destination]\ntype = MDA_external\n\
             path = /bin/sh\narguments = ('-c', 'cat > {at}/mail/new/$(mktemp -u m.XXXXXXXX)')\n\
             allow_root_commands = true\nunixfrom = false\n[options]\ndelete = {delete}\n\
             read_all = false\nreceived = false\n\
             delivered_to = false\n",
            store.pop3_address().port()
        )
    };
    let at = folder.to_string_lossy().into_owned();
    for (delete, on_server) in [(false, 10), (false, 10), (true, 0)] {
        let file = settings(&folder, &text(delete));
        judge::run("getmail", &["--getmaildir", &at, "--rcfile", &file]).await;
        assert_complete(&texts(&folder), 10);
        assert_eq!(left(&store).await, on_server);
    }
    let _ = std::fs::remove_dir_all(&folder);
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fetchmail_keeps_then_empties_the_maildrop() {
    let store = store_with(10).await;
    let folder = folder("fetchmail");
    let at = folder.to_string_lossy().into_owned();
    let text = |keep: &str| {
        format!(
            "set idfile \"{at}/ids\"\nset pidfile \"{at}/pid\"\n\
             poll 127.0.0.1 service {} proto pop3 uidl user \"anna\" password \"{PASSWORD}\" {keep}\n\
             sslproto \"\" fetchall mda \"/bin/sh -c 'cat > {at}/mail/new/$(mktemp -u m.XXXXXXXX)'\"\n",
            store.pop3_address().port()
        )
    };
    let file = settings(&folder, &text("keep"));
    judge::run("fetchmail", &["--nodetach", "--silent", "-f", &file]).await;
    assert_complete(&texts(&folder), 10);
    assert_eq!(left(&store).await, 10);
    std::fs::remove_dir_all(folder.join("mail/new")).unwrap();
    std::fs::create_dir_all(folder.join("mail/new")).unwrap();
    let file = settings(&folder, &text("nokeep"));
    judge::run("fetchmail", &["--nodetach", "--silent", "-f", &file]).await;
    assert_complete(&texts(&folder), 10);
    assert_eq!(left(&store).await, 0);
    let _ = std::fs::remove_dir_all(&folder);
    store.stop().await;
}
