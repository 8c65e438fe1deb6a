//! The HTTP interface: its document, its doors for strangers, its journey.

mod addresses;
mod allowances;
mod authentication;
mod compatibility;
mod data;
mod domains;
mod mailboxes;
mod messages;
mod registry;
mod rules;
mod settings;
mod transport;
mod users;
mod webauthn;

use crate::support::api::ApiClient;
use crate::support::store::TestStore;

#[test]
fn the_committed_document_is_what_the_code_says() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("api-spec/openapi.json");
    let committed = std::fs::read_to_string(path).expect("api-spec/openapi.json");
    assert!(
        committed.trim() == eider::api::openapi::document().trim(),
        "api-spec/openapi.json is stale: run scripts/openapi and review the difference"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_get_nothing_but_health() {
    let store = TestStore::start().await;
    let api = ApiClient::new(store.running.addresses.api[0], None);
    let (status, answer) = api.get("/health").await;
    assert_eq!((status, &answer["success"]), (200, &true.into()), "{answer}");
    let (status, answer) = api.get("/users").await;
    assert_eq!((status, &answer["code"]), (403, &"InvalidToken".into()), "{answer}");
    let api = ApiClient::new(store.running.addresses.api[0], Some(&"f".repeat(40)));
    let (status, answer) = api.get("/users").await;
    assert_eq!((status, &answer["code"]), (403, &"InvalidToken".into()), "{answer}");
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mistakes_are_named() {
    let store = TestStore::start().await;
    let api = store.api();
    let (status, answer) = api.post("/users", &serde_json::json!({ "usernam": "x" })).await;
    assert_eq!((status, &answer["code"]), (400, &"InputValidationError".into()), "{answer}");
    assert!(answer["details"]["username"].is_string(), "{answer}");
    let (status, answer) = api.get("/no/such/path").await;
    assert_eq!((status, &answer["code"]), (404, &"ResourceNotFound".into()), "{answer}");
    let (status, body) = api.raw("POST", "/users", "application/json", b"{").await;
    assert_eq!(status, 400, "{}", String::from_utf8_lossy(&body));
    let anna = store.create_user("anna").await;
    let again = serde_json::json!({ "username": "an.na", "password": "x" });
    let (status, answer) = api.post("/users", &again).await;
    assert_eq!((status, &answer["code"]), (500, &"UserExistsError".into()), "{answer}");
    let (status, answer) = api.delete(&format!("/users/{anna}")).await;
    assert_eq!((status, &answer["success"]), (200, &true.into()), "{answer}");
    let (status, answer) = api.get(&format!("/users/{anna}")).await;
    assert_eq!((status, &answer["code"]), (404, &"UserNotFound".into()), "{answer}");
    store.stop().await;
}
