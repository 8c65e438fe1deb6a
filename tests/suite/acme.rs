//! Certificates by ACME, from an authority of the tests' own (`tests/judges/acme_server.py`).

use std::path::PathBuf;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::support::store::{TestStore, config, unique};
use crate::support::{judge, until, within};

/// The authority, ended with the test.
struct Authority {
    folder: PathBuf,
    port: u16,
    _process: Child,
}

impl Authority {
    async fn start() -> Self {
        let folder = std::env::temp_dir().join(unique("eider-acme"));
        std::fs::create_dir_all(&folder).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/judges/acme_server.py");
        let mut process = Command::new("python3")
            .args([script, folder.to_str().unwrap()])
            .stdout(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("python3");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let line = within("the authority's port", lines.next_line()).await.unwrap();
        Self { folder, port: line.expect("a port").parse().unwrap(), _process: process }
    }

    fn root(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }
}

async fn ok(answer: (u16, Value)) -> Value {
    assert_eq!((answer.0, &answer.1["success"]), (200, &true.into()), "{}", answer.1);
    answer.1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_obtained_and_shown_at_handshakes() {
    let authority = Authority::start().await;
    let mut config = config(&unique("eider_test"));
    let url = format!("https://localhost:{}/directory", authority.port);
    config.acme.directory_url = Some(url);
    config.acme.email = Some("admin@example.com".to_owned());
    config.acme.root_certificate = Some(authority.root());
    let store = TestStore::start_with(config).await;
    let api_port = store.running.addresses.api[0].port();
    std::fs::write(authority.folder.join("store-port"), api_port.to_string()).unwrap();
    let api = store.api();
    let wish = json!({ "servername": "mail.example.com", "acme": true, "description": "Main" });
    let asked = ok(api.post("/certs", &wish).await).await;
    assert_eq!((&asked["acme"], asked.get("fingerprint")), (&json!(true), None), "{asked}");
    let elsewhere = json!({ "servername": "elsewhere.example.com", "acme": true });
    let other = ok(api.post("/certs", &elsewhere).await).await;
    let path = format!("/certs/{}", asked["id"].as_str().unwrap());
    until("a certificate", async || ok(api.get(&path).await).await["hasCert"] == true).await;
    let shown = ok(api.get(&path).await).await;
    assert_eq!(shown["altNames"], json!(["mail.example.com"]), "{shown}");
    assert_eq!((&shown["acme"], &shown["description"]), (&json!(true), &json!("Main")), "{shown}");
    // somebody else's client takes it for that name
    let imap = store.running.addresses.imap_tls[0].to_string();
    let root = authority.root();
    let arguments = [
        "s_client",
        "-connect",
        &imap,
        "-servername",
        "mail.example.com",
        "-verify_return_error",
        "-verify_hostname",
        "mail.example.com",
        "-CAfile",
        root.to_str().unwrap(),
        "-brief",
    ];
    judge::run("sh", &["-c", &format!("echo | openssl {}", arguments.join(" "))]).await;
    // a name that is not ours gets none, and waits
    let path = format!("/certs/{}", other["id"].as_str().unwrap());
    let shown = ok(api.get(&path).await).await;
    assert_eq!((&shown["hasCert"], shown.get("expires")), (&json!(false), None), "{shown}");
    let list = ok(api.get("/certs").await).await;
    assert_eq!(list["total"], 2, "{list}");
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_authority_the_wish_is_refused() {
    let store = TestStore::start().await;
    let wish = json!({ "servername": "mail.example.com", "acme": true });
    let (status, answer) = store.api().post("/certs", &wish).await;
    assert_eq!((status, &answer["code"]), (400, &json!("InputValidationError")), "{answer}");
    let nothing = json!({ "servername": "mail.example.com" });
    let (status, answer) = store.api().post("/certs", &nothing).await;
    assert_eq!((status, &answer["details"]["cert"].is_string()), (400, &true), "{answer}");
    store.stop().await;
}
