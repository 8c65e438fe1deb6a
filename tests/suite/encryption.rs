//! Mail encrypted for its owner, judged by GnuPG and OpenSSL, which hold the secret keys.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::api::ApiClient;
use crate::support::corpus;
use crate::support::store::{TestStore, unique};

/// A folder with secret keys, and what uses them.
struct Judge(PathBuf);

impl Judge {
    fn new() -> Self {
        let path = std::env::temp_dir().join(unique("eider-keys"));
        fs::create_dir_all(&path).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        Self(path)
    }

    fn run(&self, program: &str, arguments: &str) -> Vec<u8> {
        let output = Command::new(program)
            .args(arguments.split_whitespace())
            .current_dir(&self.0)
            .env("GNUPGHOME", &self.0)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {arguments}: {errors}");
        output.stdout
    }

    fn pgp_key(&self, address: &str) -> String {
        let make = "--batch --pinentry-mode loopback --passphrase-file none --quick-generate-key";
        fs::write(self.0.join("none"), "").unwrap();
        self.run("gpg", &format!("{make} {address}"));
        String::from_utf8(self.run("gpg", &format!("--armor --export {address}"))).unwrap()
    }

    fn certificate(&self) -> String {
        let make = "req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -subj /CN=x";
        self.run("openssl", make);
        fs::read_to_string(self.0.join("cert.pem")).unwrap()
    }

    fn open_pgp(&self, message: &[u8]) -> Vec<u8> {
        fs::write(self.0.join("sealed"), message).unwrap();
        self.run("gpg", "--batch --decrypt sealed")
    }

    fn open_smime(&self, message: &[u8]) -> Vec<u8> {
        fs::write(self.0.join("sealed"), message).unwrap();
        self.run("openssl", "cms -decrypt -binary -in sealed -inkey key.pem -recip cert.pem")
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        let gpgconf =
            Command::new("gpgconf").args(["--kill", "all"]).env("GNUPGHOME", &self.0).status();
        drop((gpgconf, fs::remove_dir_all(&self.0)));
    }
}

async fn ok(answer: (u16, Value)) -> Value {
    assert_eq!((answer.0, &answer.1["success"]), (200, &true.into()), "{}", answer.1);
    answer.1
}

async fn mailboxes(api: &ApiClient, user: &str) -> Vec<(String, String)> {
    let answer = ok(api.get(&format!("/users/{user}/mailboxes")).await).await;
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (text(row, "path"), text(row, "id")))
        .collect()
}

/// The octets of a message, and whether the API says that it is encrypted.
async fn message(api: &ApiClient, user: &str, mailbox: &str, uid: u64) -> (Vec<u8>, bool) {
    let path = format!("/users/{user}/mailboxes/{mailbox}/messages/{uid}");
    let shown = ok(api.get(&path).await).await;
    let (status, body) = api.raw("GET", &format!("{path}/message.eml"), "", b"").await;
    assert_eq!(status, 200);
    (body, shown["encrypted"] == true)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_is_encrypted_for_a_pgp_key() {
    let (store, judge) = (TestStore::start().await, Judge::new());
    let (api, anna) = (store.api(), store.create_user("anna").await);
    let key = judge.pgp_key("anna@example.com");
    let path = format!("/users/{anna}");
    ok(api.put(&path, &json!({ "pubKey": key, "encryptMessages": true })).await).await;
    let shown = ok(api.get(&path).await).await;
    assert_eq!(shown["keyInfo"]["address"], "anna@example.com", "{shown}");
    assert_eq!(shown["keyInfo"]["fingerprint"].as_str().unwrap().len(), 40, "{shown}");
    let sent = corpus::message("secret");
    store.lmtp().await.deliver(&["anna@example.com"], &sent).await;
    let all = mailboxes(&api, &anna).await;
    let id = |name: &str| all.iter().find(|(path, _)| path == name).unwrap().1.clone();
    let inbox = id("INBOX");
    let (sealed, is_encrypted) = message(&api, &anna, &inbox, 1).await;
    assert!(is_encrypted);
    assert_eq!(judge.open_pgp(&sealed), sent);
    // by IMAP, but no draft
    let mut imap = store.imap("anna").await;
    imap.append("INBOX", "", &sent).await;
    imap.append("INBOX", "(\\Draft) ", &sent).await;
    imap.append("INBOX", "", &sealed).await;
    assert_eq!(judge.open_pgp(&message(&api, &anna, &inbox, 2).await.0), sent);
    assert_eq!(message(&api, &anna, &inbox, 3).await.0, sent);
    assert_eq!(message(&api, &anna, &inbox, 4).await.0, sealed, "encrypted once");
    // by the API
    let upload = json!({ "raw": String::from_utf8(sent.clone()).unwrap() });
    let path = format!("/users/{anna}/mailboxes/{inbox}/messages");
    ok(api.post(&path, &upload).await).await;
    assert_eq!(judge.open_pgp(&message(&api, &anna, &inbox, 5).await.0), sent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_into_a_mailbox_is_encrypted_for_certificates() {
    let (store, judge) = (TestStore::start().await, Judge::new());
    let (api, anna) = (store.api(), store.create_user("anna").await);
    let change = json!({ "smimeCerts": [judge.certificate()], "smimeCipher": "AES-GCM",
        "smimeKeyTransport": "OAEP" });
    ok(api.put(&format!("/users/{anna}"), &change).await).await;
    let new = json!({ "path": "Sealed", "encryptMessages": true });
    ok(api.post(&format!("/users/{anna}/mailboxes"), &new).await).await;
    let sent = [corpus::message("one"), corpus::message("two"), corpus::message("three")];
    let mut imap = store.imap("anna").await;
    for message in &sent {
        imap.append("INBOX", "(\\Flagged word) ", message).await;
    }
    let all = mailboxes(&api, &anna).await;
    let id = |name: &str| all.iter().find(|(path, _)| path == name).unwrap().1.clone();
    let (inbox, sealed) = (id("INBOX"), id("Sealed"));
    assert_eq!(message(&api, &anna, &inbox, 1).await, (sent[0].clone(), false));
    imap.ok("SELECT INBOX").await;
    let copied = imap.ok("COPY 1:2 Sealed").await;
    assert!(copied.status.contains("1:2 1:2"), "{}", copied.status);
    let moved = imap.ok("MOVE 3 Sealed").await;
    assert!(moved.find("COPYUID").unwrap().contains("3 3"), "{:?}", moved.lines());
    for (uid, sent) in (1..).zip(&sent) {
        let (octets, is_encrypted) = message(&api, &anna, &sealed, uid).await;
        assert!(is_encrypted);
        assert_eq!(&judge.open_smime(&octets), sent);
    }
    imap.ok("SELECT Sealed").await;
    let flags = imap.ok("FETCH 1:3 (FLAGS)").await;
    assert_eq!(flags.lines().iter().filter(|line| line.contains("word")).count(), 3);
    // what is encrypted is only moved
    ok(api
        .put(
            &format!("/users/{anna}/mailboxes/{sealed}/messages"),
            &json!({ "message": "1", "moveTo": inbox }),
        )
        .await)
    .await;
    let answer = api.get(&format!("/users/{anna}/mailboxes/{inbox}/messages")).await.1;
    assert_eq!(answer["total"], 3, "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_forwarded_is_encrypted() {
    let database = unique("eider_test");
    let (store, judge) = (TestStore::start_on(&database).await, Judge::new());
    let (api, anna) = (store.api(), store.create_user("anna").await);
    let bob = store.create_user("bob").await;
    let change = json!({ "pubKey": judge.pgp_key("anna@example.com"), "encryptForwarded": true,
        "targets": ["bob@example.com"] });
    ok(api.put(&format!("/users/{anna}"), &change).await).await;
    let sent = corpus::message("onwards");
    store.lmtp().await.deliver(&["anna@example.com"], &sent).await;
    let find =
        async |user: &str| mailboxes(&api, user).await.into_iter().find(|row| row.0 == "INBOX");
    let (annas, bobs) = (find(&anna).await.unwrap().1, find(&bob).await.unwrap().1);
    let (plain, is_encrypted) = message(&api, &anna, &annas, 1).await;
    assert!(plain.ends_with(&sent) && !is_encrypted);
    let (sealed, is_encrypted) = message(&api, &bob, &bobs, 1).await;
    assert!(is_encrypted);
    assert_eq!(judge.open_pgp(&sealed), sent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_checked_and_exclude_each_other() {
    let (store, judge) = (TestStore::start().await, Judge::new());
    let (api, anna) = (store.api(), store.create_user("anna").await);
    let path = format!("/users/{anna}");
    let (key, certificate) = (judge.pgp_key("anna@example.com"), judge.certificate());
    for bad in [
        json!({ "pubKey": "no key" }),
        json!({ "smimeCerts": ["no certificate"] }),
        json!({ "smimeCerts": vec![&certificate; 17] }),
        json!({ "pubKey": key, "smimeCerts": [certificate] }),
        json!({ "smimeCipher": "ROT13" }),
    ] {
        let (status, answer) = api.put(&path, &bad).await;
        assert_eq!((status, &answer["code"]), (400, &"InputValidationError".into()), "{answer}");
    }
    ok(api.put(&path, &json!({ "pubKey": key })).await).await;
    ok(api.put(&path, &json!({ "smimeCerts": [certificate] })).await).await;
    let shown = ok(api.get(&path).await).await;
    assert_eq!((&shown["keyInfo"], &shown["pubKey"]), (&false.into(), &"".into()), "{shown}");
    assert_eq!(shown["smimeCertInfo"].as_array().unwrap().len(), 1, "{shown}");
    ok(api.put(&path, &json!({ "pubKey": key })).await).await;
    let shown = ok(api.get(&path).await).await;
    assert_eq!(shown["smimeCerts"], json!([]), "{shown}");
    ok(api.put(&path, &json!({ "pubKey": "" })).await).await;
    assert_eq!(ok(api.get(&path).await).await["keyInfo"], false);
}
