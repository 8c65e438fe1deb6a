//! Every operation of the document has a row, and refuses strangers, other roles, other users.
//!
//! The file of a resource lists its operations as `ROWS`: the operation's id and a body that passes
//! validation, since parameters are checked before privileges. Successes and mistakes are tested
//! beside the rows.

use std::collections::BTreeMap;

use eider::model::principal::Role;
use eider::server::Operations;
use serde_json::Value;

use crate::support::api::ApiClient;
use crate::support::store::{PASSWORD, TestStore, config, unique};

/// One operation.
pub struct Row {
    id: &'static str,
    body: &'static str,
}

/// An operation, and a body (any parameters but those of the path) that is valid.
pub const fn row(id: &'static str, body: &'static str) -> Row {
    Row { id, body }
}

/// All rows; add the rows of a new file here.
const ROWS: &[&[Row]] = &[
    super::addresses::ROWS,
    super::authentication::ROWS,
    super::data::ROWS,
    super::domains::ROWS,
    super::mailboxes::ROWS,
    super::messages::ROWS,
    super::rules::ROWS,
    super::settings::ROWS,
    super::transport::ROWS,
    super::users::ROWS,
    super::webauthn::ROWS,
];

/// Operations that any token may use.
const FOR_ANY_TOKEN: &[&str] = &["revokeToken"];

/// An operation of the document.
struct Operation {
    id: String,
    method: String,
    path: String,
    is_public: bool,
}

fn operations() -> Vec<Operation> {
    let document: Value = serde_json::from_str(&eider::api::openapi::document()).unwrap();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            found.push(Operation {
                id: operation["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase(),
                path: path.clone(),
                is_public: operation["security"] == serde_json::json!([{}]),
            });
        }
    }
    found
}

/// The path with values for its parameters.
fn filled(path: &str, user: &str) -> String {
    let value = |name: &str| match name {
        "user" => user.to_owned(),
        "message" => "1".to_owned(),
        "attachment" => "ATT00001".to_owned(),
        "key" => "const:max:storage".to_owned(),
        "username" => "anna".to_owned(),
        "servername" => "mail.example.com".to_owned(),
        "queueId" => "a".repeat(18),
        _ => "a".repeat(24),
    };
    let segment = |segment: &str| match segment.strip_prefix('{') {
        Some(name) => value(name.trim_end_matches('}')),
        None => segment.to_owned(),
    };
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

fn bodies() -> BTreeMap<&'static str, &'static str> {
    ROWS.iter().flat_map(|rows| rows.iter()).map(|row| (row.id, row.body)).collect()
}

#[test]
fn every_operation_has_a_row_and_every_row_an_operation() {
    let rows = bodies();
    let operations: Vec<String> = operations().into_iter().map(|operation| operation.id).collect();
    let without: Vec<_> = operations.iter().filter(|id| !rows.contains_key(id.as_str())).collect();
    assert!(without.is_empty(), "no row in tests/suite/api for {without:?}");
    let stale: Vec<_> = rows.keys().filter(|id| !operations.iter().any(|o| o == *id)).collect();
    assert!(stale.is_empty(), "rows without an operation: {stale:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_refuses_strangers_other_roles_and_other_users() {
    let config = config(&unique("eider_test"));
    let store = TestStore::start_with(config.clone()).await;
    let beside = Operations::open_beside(&config).await.unwrap();
    let anna = store.create_user("anna").await;
    store.create_user("berta").await;
    let address = store.running.addresses.api[0];
    let settings = beside.tokens.issue_for_role(Role::Settings).await.unwrap();
    let downloader = beside.tokens.issue_for_role(Role::Downloader).await.unwrap();
    let login = serde_json::json!({ "username": "berta", "password": PASSWORD, "token": true });
    let (_, answer) = store.api().post("/authenticate", &login).await;
    let berta = answer["token"].as_str().expect("a token").to_owned();
    let rows = bodies();
    let mut wrong = Vec::new();
    for operation in operations().iter().filter(|operation| !operation.is_public) {
        let Some(body) = rows.get(operation.id.as_str()) else { continue };
        let path = filled(&operation.path, &anna);
        let role = if path.starts_with("/settings") { &downloader } else { &settings };
        let mut callers = vec![(None, "InvalidToken")];
        if !FOR_ANY_TOKEN.contains(&operation.id.as_str()) {
            callers.push((Some(role), "MissingPrivileges"));
        }
        if operation.path.contains("{user}") {
            callers.push((Some(&berta), "MissingPrivileges"));
        }
        for (token, code) in callers {
            let api = ApiClient::new(address, token.map(String::as_str));
            let kind = if body.starts_with('{') { "application/json" } else { "text/plain" };
            let sent = api.raw(&operation.method, &path, kind, body.as_bytes());
            let (status, answer) = sent.await;
            let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
            if status != 403 || answer["code"] != code {
                let (id, method) = (&operation.id, &operation.method);
                wrong.push(format!("{id} {method} {path}: {code} expected: {status} {answer}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    beside.close().await;
    store.stop().await;
}
