//! Clients of SMTP nobody here wrote: smtplib, nodemailer, swaks, msmtp. What they sent is looked up
//! on the server.

use std::os::unix::fs::PermissionsExt as _;

use crate::support::judge;
use crate::support::store::{PASSWORD, TestStore, unique};
use crate::support::until;

fn script(name: &str) -> String {
    format!("{}/tests/judges/{name}", env!("CARGO_MANIFEST_DIR"))
}

async fn store() -> TestStore {
    let store = TestStore::start().await;
    for name in ["anna", "berta"] {
        store.create_user(name).await;
    }
    store
}

/// So many messages are in berta's inbox.
async fn arrived(store: &TestStore, count: usize) {
    let (mut imap, expected) = (store.imap("berta").await, format!("MESSAGES {count})"));
    until("messages", async || imap.ok("STATUS INBOX (MESSAGES)").await.find(&expected).is_some())
        .await;
}

/// Ports of relay-in, submission, submission with TLS.
fn ports(store: &TestStore) -> [String; 3] {
    let addresses = &store.running.addresses;
    [&addresses.smtp, &addresses.submission, &addresses.submission_tls]
        .map(|bound| bound[0].port().to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn smtplib_delivers_and_submits() {
    let store = store().await;
    let [smtp, submission, tls] = ports(&store);
    let ca = store.data_dir.join("ca.pem");
    let arguments = [
        &script("smtp_journey.py"),
        &smtp,
        &submission,
        &tls,
        "anna",
        PASSWORD,
        &ca.to_string_lossy(),
    ];
    let said = judge::run("python3", &arguments).await;
    assert!(said.contains(" passed, 0 failed"), "{said}");
    arrived(&store, 4).await;
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodemailer_submits() {
    let store = store().await;
    let [_, submission, tls] = ports(&store);
    let arguments = [&script("nodemailer.mjs"), &submission, &tls, "anna", PASSWORD];
    let said = judge::run("node", &arguments).await;
    assert!(said.contains(" passed, 0 failed"), "{said}");
    arrived(&store, 3).await;
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swaks_delivers_and_submits() {
    let store = store().await;
    let [smtp, submission, _] = ports(&store);
    let to = ["--to", "berta@example.com", "--server", "127.0.0.1"];
    let user = ["--auth-user", "anna", "--auth-password", PASSWORD, "--from", "anna@example.com"];
    let strange = ["--from", "a@example.org"];
    let runs: [(&str, &[&str], &[&str]); 4] = [
        (&smtp, &strange, &["--pipeline"]),
        (&submission, &user, &["--auth", "PLAIN"]),
        (&submission, &user, &["--auth", "LOGIN"]),
        (&smtp, &strange, &["--protocol", "SMTP"]),
    ];
    for (port, who, how) in runs {
        let arguments = [&to, who, how, &["--port", port]].concat();
        judge::run("swaks", &arguments).await;
    }
    arrived(&store, 4).await;
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn msmtp_submits() {
    let store = store().await;
    let [_, submission, _] = ports(&store);
    let (settings, letter) = (unique("msmtprc"), unique("letter"));
    let [settings, letter] = [settings, letter].map(|name| store.data_dir.join(name));
    let (ca, shown) = (store.data_dir.join("ca.pem"), settings.to_string_lossy().into_owned());
    let text = format!(
        "defaults\nhost localhost\nport {submission}\ntls on\ntls_starttls on\n\
         tls_trust_file {}\nauth plain\nuser anna\npassword {PASSWORD}\nfrom anna@example.com\n\
         account default\n",
        ca.display(),
    );
    std::fs::write(&settings, text).unwrap();
    std::fs::set_permissions(&settings, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&letter, "To: berta@example.com\nSubject: by msmtp\n\nhello\n").unwrap();
    let line = format!("msmtp -C '{shown}' -t < '{}'", letter.display());
    judge::run("sh", &["-c", &line]).await;
    arrived(&store, 1).await;
    store.stop().await;
}
