//! Settings that operators change, health, and what browsers ask.

use serde_json::json;

use super::registry::{Row, row};
use crate::support::api::ApiClient;
use crate::support::store::TestStore;

pub const ROWS: &[Row] = &[
    row("listSettings", "{}"),
    row("showSetting", "{}"),
    row("setSetting", r#"{"value":1}"#),
    row("showHealth", "{}"),
    row("answerAcmeChallenge", "{}"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_are_listed_shown_and_set() {
    let store = TestStore::start().await;
    let api = store.api();
    let (status, answer) = api.get("/settings?filter=storage").await;
    assert_eq!((status, answer["settings"].as_array().unwrap().len()), (200, 1), "{answer}");
    let row = &answer["settings"][0];
    assert_eq!(
        (&row["key"], &row["value"], &row["custom"], &row["type"]),
        (&json!("const:max:storage"), &json!(1 << 30), &json!(false), &json!("size"))
    );
    let (status, answer) = api.post("/settings/const:max:storage", &json!({ "value": 5000 })).await;
    assert_eq!((status, &answer["key"]), (200, &json!("const:max:storage")), "{answer}");
    let (_, answer) = api.get("/settings/const:max:storage").await;
    assert_eq!((&answer["success"], &answer["value"]), (&json!(true), &json!(5000)), "{answer}");
    let (status, answer) = api.get("/settings/const:none").await;
    assert_eq!((status, &answer["success"]), (200, &json!(false)), "{answer}");
    for (key, value) in [
        ("const:max:storage", json!(-1)),
        ("const:max:storage", json!("much")),
        ("const:sender:defer_times", json!("5m, soon")),
        ("const:none", json!(1)),
    ] {
        let path = format!("/settings/{key}");
        let (status, answer) = api.post(&path, &json!({ "value": value })).await;
        assert_eq!((status, &answer["code"]), (400, &json!("InputValidationError")), "{answer}");
    }
    let times = json!({ "value": "5m, 2h" });
    assert_eq!(api.post("/settings/const:sender:defer_times", &times).await.0, 200);
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_other_origins_may_call_and_acme_answers_without_a_token() {
    let store = TestStore::start().await;
    let address = store.running.addresses.api[0];
    let (status, answer) = ApiClient::new(address, None).get("/.well-known/acme-challenge/x").await;
    assert_eq!((status, answer["error"].is_string()), (404, true), "{answer}");
    let head = "OPTIONS /users HTTP/1.1\r\nHost: a\r\nOrigin: https://mail.example\r\n\
                Access-Control-Request-Method: GET\r\nConnection: close\r\n\r\n";
    let answer = ApiClient::new(address, None).exchange(head.as_bytes()).await;
    let answer = String::from_utf8(answer).unwrap().to_lowercase();
    assert!(answer.starts_with("http/1.1 204"), "{answer}");
    assert!(answer.contains("access-control-allow-origin: https://mail.example"), "{answer}");
    assert!(answer.contains("x-access-token"), "{answer}");
    store.stop().await;
}
