//! A user sees only his own: every operation of the spine on another user's objects.

use serde_json::json;

use crate::support::api::ApiClient;
use crate::support::corpus;
use crate::support::store::{PASSWORD, TestStore};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_users_objects_do_not_exist() {
    let store = TestStore::start().await;
    let anna = store.create_user("anna").await;
    let eve = store.create_user("eve").await;
    store.lmtp().await.deliver(&["anna@example.com"], &corpus::message("secret")).await;
    let root = store.api();
    let (_, answer) = root.get(&format!("/users/{anna}/mailboxes")).await;
    let inbox = answer["results"][0]["id"].as_str().unwrap().to_owned();
    let login = json!({ "username": "eve", "password": PASSWORD, "token": true });
    let (status, answer) = root.post("/authenticate", &login).await;
    assert_eq!(status, 200, "{answer}");
    let token = answer["token"].as_str().unwrap();
    let api = ApiClient::new(store.running.addresses.api[0], Some(token));

    let messages = format!("/users/{anna}/mailboxes/{inbox}/messages");
    let foreign = [
        ("GET", format!("/users/{anna}")),
        ("PUT", format!("/users/{anna}")),
        ("DELETE", format!("/users/{anna}")),
        ("GET", format!("/users/{anna}/mailboxes")),
        ("POST", format!("/users/{anna}/mailboxes")),
        ("GET", format!("/users/{anna}/mailboxes/{inbox}")),
        ("PUT", format!("/users/{anna}/mailboxes/{inbox}")),
        ("DELETE", format!("/users/{anna}/mailboxes/{inbox}")),
        ("GET", format!("/users/{anna}/addresses")),
        ("POST", format!("/users/{anna}/addresses")),
        ("GET", messages.clone()),
        ("GET", format!("{messages}/1")),
        ("GET", format!("{messages}/1/message.eml")),
        ("PUT", format!("{messages}/1")),
        ("DELETE", format!("{messages}/1")),
        ("DELETE", messages.clone()),
        ("POST", messages.clone()),
    ];
    for (method, path) in &foreign {
        let body = match (*method, path.rsplit('/').next()) {
            ("POST", Some("addresses")) => r#"{"address":"eve2@example.com"}"#,
            ("POST", Some("mailboxes")) => r#"{"path":"new"}"#,
            ("POST", _) => r#"{"subject":"forged"}"#,
            ("PUT", Some("1")) => r#"{"seen":true}"#,
            ("PUT", _) => r#"{"name":"forged"}"#,
            _ => "",
        };
        let body =
            if path.ends_with(&inbox) && *method == "PUT" { r#"{"path":"x"}"# } else { body };
        let (status, body) = api.raw(method, path, "application/json", body.as_bytes()).await;
        assert_eq!(status, 403, "{method} {path}: {}", String::from_utf8_lossy(&body));
    }
    // her own path with his mailbox: not found, and nothing of it is shown
    let mixed = format!("/users/{eve}/mailboxes/{inbox}/messages");
    let own_paths = [
        ("GET", format!("/users/{eve}/mailboxes/{inbox}")),
        ("DELETE", format!("/users/{eve}/mailboxes/{inbox}")),
        ("GET", mixed.clone()),
        ("GET", format!("{mixed}/1")),
        ("GET", format!("{mixed}/1/message.eml")),
        ("DELETE", format!("{mixed}/1")),
    ];
    for (method, path) in &own_paths {
        let (status, body) = api.raw(method, path, "application/json", b"").await;
        assert_eq!(status, 404, "{method} {path}: {}", String::from_utf8_lossy(&body));
    }
    let nobody = ApiClient::new(store.running.addresses.api[0], None);
    let (status, _) = nobody.raw("GET", "/users", "", b"").await;
    assert_eq!(status, 403, "no token, no access");
    // over IMAP there is no way to name it; a guess is answered like any unknown name
    let mut imap = store.imap("eve").await;
    imap.refused(&format!("SELECT {inbox}"), "NO").await;
    let status = store.imap("anna").await.ok("STATUS INBOX (MESSAGES)").await;
    assert!(status.find("MESSAGES 1").is_some(), "{:?}", status.lines());
    store.stop().await;
}
