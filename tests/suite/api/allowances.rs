//! What a user may do and how much of it he has done, in the door that does it and in the answers
//! that show it; passwords that strangers know.

use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::corpus;
use crate::support::imap::ImapClient;
use crate::support::store::{PASSWORD, TestStore, config, unique};
use crate::support::until;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn octets_and_connections_over_imap_are_counted_and_end() {
    let store = TestStore::start().await;
    let (api, anna) = (store.api(), store.create_user("anna").await);
    let path = format!("/users/{anna}");
    let (_, shown) = api.get(&path).await;
    let settings = eider::imap::settings::Settings::default();
    let connections = json!({"allowed": settings.connections_per_user_max, "used": 0});
    assert_eq!(shown["limits"]["imapMaxConnections"], connections, "{shown}");
    let limits = json!({"imapMaxConnections": 1, "imapMaxDownload": 300, "imapMaxUpload": 50_000});
    assert_eq!(api.put(&path, &limits).await.0, 200);
    let mut imap = store.imap("anna").await;
    let mut second = ImapClient::connect(store.imap_address()).await;
    second.refused(&format!("LOGIN anna \"{PASSWORD}\""), "NO [LIMIT]").await;
    let (_, shown) = api.get(&path).await;
    assert_eq!(shown["limits"]["imapMaxConnections"], json!({"allowed": 1, "used": 1}), "{shown}");
    // a session that has just ended still counts for a moment
    assert_eq!(api.put(&path, &json!({"imapMaxConnections": 0})).await.0, 200);
    imap.append("INBOX", "", &corpus::message(&"x".repeat(2000))).await;
    imap.ok("SELECT INBOX").await;
    imap.ok("FETCH 1 BODY[]").await;
    imap.ok("LOGOUT").await;
    let used = async |window: &str| {
        let (_, shown) = api.get(&path).await;
        shown["limits"][window]["used"].as_u64().unwrap()
    };
    until("the traffic is counted", async || {
        used("imapDownload").await > 2000 && used("imapUpload").await > 2000
    })
    .await;
    // the next session knows it soon after its login
    let mut imap = store.imap("anna").await;
    imap.ok("SELECT INBOX").await;
    let mut refused = false;
    let ends = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !refused && std::time::Instant::now() < ends {
        refused = imap.command("FETCH 1 BODY[]").await.status.contains("NO [LIMIT]");
    }
    assert!(refused, "downloads end");
    imap.ok("LOGOUT").await;
    store.stop().await;
}

/// A list of stolen passwords that knows this one; the URL to ask it by.
async fn list_with(password: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/range", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 4096];
            let octets = stream.read(&mut asked).await.unwrap();
            let asked = String::from_utf8_lossy(&asked[..octets]).into_owned();
            let digits: String =
                Sha1::digest(password).iter().map(|octet| format!("{octet:02X}")).collect();
            let rest = match asked.starts_with(&format!("GET /range/{} ", &digits[..5])) {
                true => format!("{}:7\r\n", &digits[5..]),
                false => "0018A45C4D1DEF81644B54AB7F969B88D65:1\r\n".to_owned(),
            };
            let reply = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{rest}",
                rest.len()
            );
            stream.write_all(reply.as_bytes()).await.unwrap();
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passwords_that_strangers_know_are_named() {
    let mut config = config(&unique("eider_test"));
    config.api.breach_url = Some(list_with(PASSWORD).await);
    let store = TestStore::start_with(config).await;
    let (api, anna) = (store.api(), store.create_user("anna").await);
    let path = format!("/users/{anna}");
    let log_in = async |password: &str| {
        let body = json!({ "username": "anna", "password": password });
        let (status, answer) = api.post("/authenticate", &body).await;
        assert_eq!(status, 200, "{answer}");
        answer["passwordPwned"].clone()
    };
    assert_eq!(api.get(&path).await.1["passwordPwned"], false);
    assert_eq!(log_in(PASSWORD).await, true);
    let (_, shown) = api.get(&path).await;
    assert_eq!(
        (&shown["passwordPwned"], shown["lastPwnedCheck"].is_string()),
        (&json!(true), true)
    );
    let with = |password: &str| json!({ "password": password, "allowUnsafe": false });
    let (status, answer) = api.put(&path, &with(PASSWORD)).await;
    assert_eq!((status, &answer["code"]), (403, &json!("InsecurePasswordError")), "{answer}");
    let mut new = with(PASSWORD);
    new["username"] = json!("bert");
    let (status, answer) = api.post("/users", &new).await;
    assert_eq!((status, &answer["code"]), (403, &json!("InsecurePasswordError")), "{answer}");
    let (status, answer) = api.put(&path, &with("nobody knows this one")).await;
    assert_eq!(status, 200, "{answer}");
    let (_, shown) = api.get(&path).await;
    assert_eq!((&shown["passwordPwned"], &shown["lastPwnedCheck"]), (&json!(false), &Value::Null));
    assert_eq!(log_in("nobody knows this one").await, Value::Null);
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_list_nobody_asks_and_whoever_wants_to_is_told() {
    let store = TestStore::start().await;
    let (api, anna) = (store.api(), store.create_user("anna").await);
    let wish = json!({ "password": "x", "allowUnsafe": false });
    let (status, answer) = api.put(&format!("/users/{anna}"), &wish).await;
    assert_eq!((status, answer["details"]["allowUnsafe"].is_string()), (400, true), "{answer}");
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_signs_no_profiles_makes_no_password() {
    let mut config = config(&unique("eider_test"));
    let folder = std::env::temp_dir().join(unique("eider-ed25519"));
    std::fs::create_dir_all(&folder).unwrap();
    let (key, certificate) = (folder.join("key.pem"), folder.join("certificate.pem"));
    let arguments =
        ["req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "9", "-subj", "/CN=x"];
    let made = std::process::Command::new("openssl")
        .args(arguments)
        .args(["-addext", "subjectAltName=DNS:x", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    (config.tls.certificate, config.tls.key) = (Some(certificate), Some(key));
    let store = TestStore::start_with(config).await;
    let (api, anna) = (store.api(), store.create_user("anna").await);
    let path = format!("/users/{anna}/asps");
    let new = json!({ "description": "Phone", "generateMobileconfig": true });
    let (status, answer) = api.post(&path, &new).await;
    assert_eq!((status, &answer["code"]), (500, &json!("InternalConfigError")), "{answer}");
    assert_eq!(api.get(&path).await.1["results"], json!([]));
    std::fs::remove_dir_all(&folder).unwrap();
    store.stop().await;
}
