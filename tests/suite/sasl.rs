//! SCRAM and tokens at the doors: Python's cryptography, msmtp with GNU SASL.

use serde_json::json;

use crate::support::imap::ImapClient;
use crate::support::judge;
use crate::support::store::{PASSWORD, TestStore, unique};
use crate::support::until;

/// What `tests/judges/scram.py` says of a password.
async fn judged(store: &TestStore, name: &str, password: &str, is_right: bool) -> String {
    let addresses = &store.running.addresses;
    let [imap, pop3, submission] =
        [&addresses.imap_tls, &addresses.pop3_tls, &addresses.submission_tls]
            .map(|bound| bound[0].port().to_string());
    let script = format!("{}/tests/judges/scram.py", env!("CARGO_MANIFEST_DIR"));
    let expected = if is_right { "yes" } else { "no" };
    judge::run("python3", &[&script, &imap, &pop3, &submission, name, password, expected]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scram_works_for_what_was_set_or_typed() {
    let store = TestStore::start().await;
    let anna = store.create_user("anna").await;
    let said = judged(&store, "anna", PASSWORD, true).await;
    assert!(said.contains(" passed, 0 failed"), "{said}");
    let (api, path) = (store.api(), format!("/users/{anna}"));
    // a new password: the old proofs are void
    assert_eq!(api.put(&path, &json!({ "password": "another one" })).await.0, 200);
    let said = judged(&store, "anna", PASSWORD, false).await;
    assert!(said.contains(" passed, 0 failed"), "{said}");
    let said = judged(&store, "anna@example.com", "another one", true).await;
    assert!(said.contains(" passed, 0 failed"), "{said}");
    // an application's password
    let (status, made) =
        api.post(&format!("{path}/asps"), &json!({ "description": "x", "scopes": ["*"] })).await;
    assert_eq!(status, 200, "{made}");
    let said = judged(&store, "anna", made["password"].as_str().unwrap(), true).await;
    assert!(said.contains(" passed, 0 failed"), "{said}");
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imported_passwords_learn_scram_when_they_are_typed() {
    let store = TestStore::start().await;
    // passlib: pbkdf2_sha256.hash("password", rounds=1000, salt=b"saltsaltsaltsalt")
    let hash = "$pbkdf2-sha256$1000$\
        c2FsdHNhbHRzYWx0c2FsdA$8nX7hwFEzIB8aPajJTYK8weHQc5Ngz0pFVAKvSu4jQA";
    let body = json!({ "username": "carl", "password": hash, "hashedPassword": true });
    let (status, answer) = store.api().post("/users", &body).await;
    assert_eq!(status, 200, "{answer}");
    let said = judged(&store, "carl", "password", false).await;
    assert!(said.contains(" passed, 0 failed"), "{said}");
    ImapClient::connect(store.imap_address()).await.ok("LOGIN carl password").await;
    let said = judged(&store, "carl", "password", true).await;
    assert!(said.contains(" passed, 0 failed"), "{said}");
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn msmtp_proves_a_password_and_shows_a_token() {
    let store = TestStore::start().await;
    for name in ["anna", "berta"] {
        store.create_user(name).await;
    }
    let asked =
        json!({ "username": "anna", "password": PASSWORD, "scope": "master", "token": true });
    let (status, answer) = store.api().post("/authenticate", &asked).await;
    assert_eq!(status, 200, "{answer}");
    let token = answer["token"].as_str().unwrap();
    let port = store.running.addresses.submission[0].port();
    let ways = [("scram-sha-256", PASSWORD), ("oauthbearer", token), ("xoauth2", token)];
    for (method, secret) in ways {
        let settings = store.data_dir.join(unique("msmtprc"));
        let text = format!(
            "defaults\nhost localhost\nport {port}\ntls on\ntls_starttls on\ntls_trust_file {}\n\
             auth {method}\nuser anna@example.com\npassword {secret}\nfrom anna@example.com\n\
             account default\n",
            store.data_dir.join("ca.pem").display(),
        );
        std::fs::write(&settings, text).unwrap();
        let only_ours = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&settings, only_ours).unwrap();
        let line = format!(
            "printf 'To: berta@example.com\\nSubject: {method}\\n\\nhello\\n' | msmtp -C '{}' -t",
            settings.display()
        );
        judge::run("sh", &["-c", &line]).await;
    }
    let mut imap = store.imap("berta").await;
    until("three messages", async || {
        imap.ok("STATUS INBOX (MESSAGES)").await.find("MESSAGES 3)").is_some()
    })
    .await;
    store.stop().await;
}
