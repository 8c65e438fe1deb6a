//! Users over the API.

use serde_json::json;

use super::registry::{Row, row};
use crate::support::api::ApiClient;
use crate::support::corpus;
use crate::support::store::{PASSWORD, TestStore};

pub const ROWS: &[Row] = &[
    row("listUsers", "{}"),
    row("createUser", r#"{"username":"x","password":"y"}"#),
    row("resolveUser", "{}"),
    row("showUser", "{}"),
    row("updateUser", r#"{"name":"X"}"#),
    row("deleteUser", "{}"),
    row("resetPassword", "{}"),
    row("resetQuota", "{}"),
    row("resetAllQuotas", "{}"),
    row("logOutUser", "{}"),
    row("showDeletedUser", "{}"),
    row("restoreUser", "{}"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_field_of_a_user_is_kept() {
    let store = TestStore::start().await;
    let api = store.api();
    let new = json!({
        "username": "Anna.B", "password": PASSWORD, "address": "anna@example.com", "name": "Anna",
        "language": "et", "retention": 86_400_000, "targets": ["x@example.org", "smtp://mx.example"],
        "mtaRelay": "smtps://relay.example:465", "spamLevel": 30, "quota": 5000, "recipients": 7,
        "forwards": 8, "filters": 9, "imapMaxUpload": 10, "imapMaxDownload": 11,
        "pop3MaxDownload": 12, "pop3MaxMessages": 13, "imapMaxConnections": 14, "receivedMax": 15,
        "fromWhitelist": ["*@example.com"], "tags": ["b", "A"], "addTagsToAddress": true,
        "disabledScopes": ["pop3"], "metaData": { "a": 1 }, "internalData": "{\"b\":2}",
        "smimeCipher": "AES-GCM", "smimeKeyTransport": "OAEP", "encryptMessages": true,
        "require2faEnabled": true, "featureFlags": { "indexing": true }, "sess": "s", "ip": "::1",
    });
    let (status, answer) = api.post("/users", &new).await;
    assert_eq!(status, 200, "{answer}");
    let path = format!("/users/{}", answer["id"].as_str().unwrap());
    let (_, shown) = api.get(&path).await;
    let expected = json!({
        "username": "anna.b", "name": "Anna", "address": "anna@example.com", "language": "et",
        "retention": 86_400_000, "targets": ["x@example.org", "smtp://mx.example"],
        "mtaRelay": "smtps://relay.example:465", "spamLevel": 30, "fromWhitelist": ["*@example.com"],
        "tags": ["A", "b"], "disabledScopes": ["pop3"], "metaData": { "a": 1 },
        "internalData": { "b": 2 }, "smimeCipher": "AES-GCM", "smimeKeyTransport": "OAEP",
        "encryptMessages": true, "encryptForwarded": false, "require2faEnabled": true,
        "featureFlags": { "indexing": true }, "activated": true, "disabled": false,
        "suspended": false, "hasPasswordSet": true, "enabled2fa": [], "autoreply": false,
        "keyInfo": false, "pubKey": "", "smimeCerts": [], "passwordPwned": false,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&shown[name], value, "{name}");
    }
    let limits = &shown["limits"];
    assert_eq!(limits["quota"], json!({ "allowed": 5000, "used": 0 }), "{limits}");
    assert_eq!(limits["filters"]["allowed"], 9, "{limits}");
    for (name, allowed) in [("recipients", 7), ("forwards", 8), ("received", 15)] {
        assert_eq!(limits[name], json!({ "allowed": allowed, "used": 0, "ttl": false }));
    }
    assert_eq!(limits["pop3MaxMessages"]["allowed"], 13, "{limits}");

    let change = json!({ "targets": [], "mtaRelay": "", "quota": 0, "receivedMax": 0, "name": "" });
    let (status, answer) = api.put(&path, &change).await;
    assert_eq!(status, 200, "{answer}");
    let (_, shown) = api.get(&path).await;
    assert_eq!((&shown["targets"], &shown["name"]), (&json!([]), &json!("")), "{shown}");
    assert!(shown.get("mtaRelay").is_none(), "{shown}");
    let limits = &shown["limits"];
    let of_store = (&limits["quota"]["allowed"], &limits["received"]["allowed"]);
    assert_eq!(of_store, (&json!(1 << 30), &json!(60)), "{limits}");
    for (field, value) in [
        ("targets", json!(["nonsense"])),
        ("mtaRelay", json!("https://example.com")),
        ("spamLevel", json!(101)),
        ("disabledScopes", json!(["api"])),
        ("smimeCerts", json!(["no certificate"])),
        ("pubKey", json!("-----BEGIN PGP PUBLIC KEY BLOCK-----")),
        ("featureFlags", json!({ "flying": true })),
        ("nonsense", json!(1)),
    ] {
        let (status, answer) = api.put(&path, &json!({ field: value })).await;
        assert_eq!((status, &answer["code"]), (400, &json!("InputValidationError")), "{answer}");
    }
    let wrong = json!({ "existingPassword": "wrong", "name": "x" });
    let (status, answer) = api.put(&path, &wrong).await;
    assert_eq!((status, &answer["code"]), (500, &json!("AuthFail")), "{answer}");
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_users_own_token_changes_what_is_his() {
    let store = TestStore::start().await;
    let api = store.api();
    let anna = store.create_user("anna").await;
    let login = json!({ "username": "anna", "password": PASSWORD, "token": true });
    let (_, answer) = api.post("/authenticate", &login).await;
    let token = answer["token"].as_str().unwrap();
    let own = ApiClient::new(store.running.addresses.api[0], Some(token));
    let change = json!({
        "name": "Anna", "quota": 1, "tags": ["x"], "suspended": true, "internalData": { "x": 1 },
        "targets": ["a@example.org"],
    });
    let (status, answer) = own.put("/users/me", &change).await;
    assert_eq!(status, 200, "{answer}");
    let (_, shown) = api.get(&format!("/users/{anna}")).await;
    assert_eq!((&shown["name"], &shown["targets"]), (&json!("Anna"), &json!(["a@example.org"])));
    assert_eq!((&shown["tags"], &shown["suspended"]), (&json!([]), &json!(false)), "{shown}");
    assert_eq!(shown["internalData"], json!({}), "{shown}");
    let (_, mine) = own.get("/users/me").await;
    for hidden in ["tags", "disabledScopes", "internalData"] {
        assert!(mine.get(hidden).is_none(), "{hidden}: {mine}");
    }
    let (_, listed) = own.get("/users").await;
    assert_eq!(listed["total"], 1, "{listed}");
    let (status, answer) = api.put(&format!("/users/{anna}/logout"), &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(own.get("/users/me").await.0, 200, "a logout does not end tokens");
    let (status, answer) = api.put(&format!("/users/{}/logout", "a".repeat(24)), &json!({})).await;
    assert_eq!((status, &answer["code"]), (500, &json!("UserNotFound")), "{answer}");
    assert_eq!(own.delete("/authenticate").await.0, 200);
    let (status, answer) = own.get("/users/me").await;
    assert_eq!((status, &answer["code"]), (403, &json!("InvalidToken")), "{answer}");
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_user_can_be_restored_with_his_mail() {
    let store = TestStore::start().await;
    let api = store.api();
    let anna = store.create_user("anna").await;
    store.lmtp().await.deliver(&["anna@example.com"], &corpus::message("kept")).await;
    let second = json!({ "address": "second@example.com" });
    api.post(&format!("/users/{anna}/addresses"), &second).await;
    let restore = format!("/users/{anna}/restore");
    let (status, answer) = api.post(&restore, &json!({})).await;
    assert_eq!((status, &answer["code"]), (500, &json!("AccountFound")), "{answer}");
    let (status, answer) = api.delete(&format!("/users/{anna}?deleteAfter=2100-01-01")).await;
    assert_eq!((status, &answer["code"]), (200, &json!("TaskScheduled")), "{answer}");
    assert_eq!(answer["addresses"], json!({ "deleted": 2 }), "{answer}");
    assert_eq!(answer["deleteAfter"], "2100-01-01T00:00:00.000Z", "{answer}");
    let task = answer["task"].clone();
    let (status, answer) = api.get(&format!("/users/{anna}")).await;
    assert_eq!((status, &answer["code"]), (404, &json!("UserNotFound")), "{answer}");
    let again = format!("/users/{anna}?deleteAfter=2101-01-01");
    let (_, answer) = api.delete(&again).await;
    assert_eq!(answer["task"], task, "{answer}");
    // somebody takes the main address meanwhile
    let other = json!({ "username": "other", "password": "x", "address": "anna@example.com" });
    assert_eq!(api.post("/users", &other).await.0, 200);
    let (_, shown) = api.get(&restore).await;
    let free = json!(["second@example.com"]);
    assert_eq!((&shown["username"], &shown["recoverableAddresses"]), (&json!("anna"), &free));
    assert!(shown["storageUsed"].as_u64().unwrap() > 0, "{shown}");
    let (status, answer) = api.post(&restore, &json!({})).await;
    assert_eq!((status, &answer["code"]), (200, &json!("TaskCancelled")), "{answer}");
    assert_eq!(answer["addresses"], json!({ "recovered": 1, "main": "second@example.com" }));
    let mut imap = store.imap("anna").await;
    assert!(imap.ok("SELECT INBOX").await.find("1 EXISTS").is_some());
    let (status, answer) = api.get(&restore).await;
    assert_eq!((status, &answer["code"]), (404, &json!("AccountNotFound")), "{answer}");
    let (status, answer) =
        api.post(&format!("/users/{}/restore", "a".repeat(24)), &json!({})).await;
    assert_eq!((status, &answer["code"]), (500, &json!("AccountNotFound")), "{answer}");
    let (status, answer) = api.post("/quota/reset", &json!({})).await;
    assert_eq!((status, answer["task"].is_string()), (200, true), "{answer}");
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imported_hashes_log_in_and_are_made_anew() {
    let store = TestStore::start().await;
    let api = store.api();
    for (number, (password, hash)) in [
        ("password", "$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/"),
        ("Hello world!", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
        ("rasmuslerdorf", "rl.3StKT.4T8M"),
    ]
    .into_iter()
    .enumerate()
    {
        let username = format!("imported{number}");
        let new = json!({ "username": username, "password": hash, "hashedPassword": true });
        let (status, answer) = api.post("/users", &new).await;
        assert_eq!(status, 200, "{hash} {answer}");
        for _ in 0..2 {
            let login = json!({ "username": username, "password": password });
            let (status, answer) = api.post("/authenticate", &login).await;
            assert_eq!(status, 200, "{hash} {answer}");
        }
    }
    let new = json!({ "username": "bad", "password": "{PLAIN}x", "hashedPassword": true });
    assert_eq!(api.post("/users", &new).await.0, 400);
    store.stop().await;
}
