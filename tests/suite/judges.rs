//! Clients nobody here wrote: mbsync, Python's imaplib, imapflow, Node's fetch with nodemailer.

use crate::support::corpus;
use crate::support::judge;
use crate::support::store::{PASSWORD, ROOT_TOKEN, TestStore, unique};

fn script(name: &str) -> String {
    format!("{}/tests/judges/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imaplib_walks_the_base_commands() {
    let store = TestStore::start().await;
    store.create_user("anna").await;
    let port = store.imap_address().port().to_string();
    let said =
        judge::run("python3", &[&script("imap_journey.py"), "127.0.0.1", &port, "anna", PASSWORD])
            .await;
    assert!(said.contains(" passed, 0 failed"), "{said}");
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imaplib_shares_a_mailbox_and_asks_for_quota_and_annotations() {
    let store = TestStore::start().await;
    for user in ["anna", "berta"] {
        store.create_user(user).await;
    }
    let port = store.imap_address().port().to_string();
    let script = script("imap_sharing.py");
    let said =
        judge::run("python3", &[&script, "127.0.0.1", &port, "anna", "berta", PASSWORD]).await;
    assert!(said.contains(" passed, 0 failed"), "{said}");
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_section_of_the_corpus_is_judged() {
    let store = TestStore::start().await;
    store.create_user("anna").await;
    let (port, folder) = (store.imap_address().port().to_string(), corpus::folder());
    let folder = folder.to_string_lossy();
    let arguments =
        [&script("fetch_sections.py"), "127.0.0.1", &port, "anna", PASSWORD, folder.as_ref()];
    let said = judge::run("python3", &arguments).await;
    assert!(said.contains(" passed, 0 failed"), "{said}");
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_journey_of_a_script() {
    let store = TestStore::start().await;
    let base = format!("http://{}", store.running.addresses.api[0]);
    let said = judge::run("python3", &[&script("api_journey.py"), &base, ROOT_TOKEN]).await;
    assert!(said.contains(" passed, 0 failed"), "{said}");
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imapflow_lists_fetches_flags_moves_and_idles() {
    let store = TestStore::start().await;
    store.create_user("anna").await;
    let (imap, lmtp) = (store.imap_address().port(), store.lmtp_address().port());
    let said = judge::run(
        "node",
        &[&script("imapflow.mjs"), &imap.to_string(), &lmtp.to_string(), "anna", PASSWORD],
    )
    .await;
    assert!(said.contains(" passed, 0 failed"), "{said}");
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webmail_reads_answers_sorts_and_restores() {
    let store = TestStore::start().await;
    let base = format!("http://{}", store.running.addresses.api[0]);
    let lmtp = store.lmtp_address().port().to_string();
    let said =
        judge::run("node", &[&script("webmail_journey.mjs"), &base, &lmtp, ROOT_TOKEN]).await;
    assert!(said.contains(" passed, 0 failed"), "{said}");
    store.stop().await;
}

const MIRRORED: usize = 5000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mbsync_mirrors_both_ways() {
    let store = TestStore::start().await;
    store.create_user("anna").await;
    let mut lmtp = store.lmtp().await;
    let messages: Vec<Vec<u8>> =
        (0..MIRRORED).map(|number| corpus::message(&format!("mirror{number}"))).collect();
    for message in &messages {
        let replies = lmtp.deliver(&["anna@example.com"], message).await;
        assert!(replies[0].starts_with("250"), "{replies:?}");
    }
    let folder = std::env::temp_dir().join(unique("eider-mbsync"));
    std::fs::create_dir_all(folder.join("mail")).unwrap();
    let settings = folder.join("mbsyncrc");
    let text = format!(
        "IMAPAccount eider\nHost 127.0.0.1\nPort {}\nUser anna\nPass \"{PASSWORD}\"\n\
         SSLType None\nAuthMechs LOGIN\n\nIMAPStore far\nAccount eider\n\n\
         MaildirStore near\nPath {1}/mail/\nInbox {1}/mail/INBOX\nSubFolders Verbatim\n\n\
         Channel all\nFar :far:\nNear :near:\nPatterns INBOX\nCreate Both\nExpunge Both\n\
         SyncState *\n",
        store.imap_address().port(),
        folder.display(),
    );
    std::fs::write(&settings, text).unwrap();
    let settings = settings.to_string_lossy().into_owned();
    judge::run("mbsync", &["-q", "-c", &settings, "all"]).await;
    assert_eq!(local(&folder).len(), MIRRORED);

    // away there, new here, flagged here: after another run both sides agree
    let mut imap = store.imap("anna").await;
    imap.ok("SELECT INBOX").await;
    imap.ok("STORE 1:100 +FLAGS.SILENT (\\Deleted)").await;
    imap.ok("EXPUNGE").await;
    let new = folder.join("mail/INBOX/new/1.local");
    std::fs::write(
        &new,
        corpus::message("from-here").split(|o| *o == b'\r').collect::<Vec<_>>().concat(),
    )
    .unwrap();
    judge::run("mbsync", &["-q", "-c", &settings, "all"]).await;
    assert_eq!(local(&folder).len(), MIRRORED - 99);
    imap.ok("NOOP").await;
    let status = imap.ok("STATUS INBOX (MESSAGES)").await;
    let expected = format!("MESSAGES {}", MIRRORED - 99);
    assert!(status.find(&expected).is_some(), "{:?}", status.lines());
    let found = imap.ok("UID SEARCH SUBJECT from-here").await.find("SEARCH").unwrap();
    assert_eq!(found.split_whitespace().count(), 3, "{found}");
    let _ = std::fs::remove_dir_all(&folder);
    store.stop().await;
}

fn local(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    ["cur", "new"]
        .iter()
        .filter_map(|kind| std::fs::read_dir(folder.join("mail/INBOX").join(kind)).ok())
        .flat_map(|entries| entries.flatten().map(|entry| entry.path()))
        .collect()
}
