//! Logins over the API, and what they mean at the other doors.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::registry::{Row, row};
use crate::support::api::ApiClient;
use crate::support::imap::ImapClient;
use crate::support::store::{PASSWORD, TestStore};

pub const ROWS: &[Row] = &[
    row("authenticate", r#"{"username":"anna","password":"x"}"#),
    row("preauthenticate", r#"{"username":"anna"}"#),
    row("probeToken", "{}"),
    row("revokeToken", "{}"),
    row("listAuthLog", "{}"),
    row("showAuthEvent", "{}"),
    row("listAppPasswords", "{}"),
    row("createAppPassword", r#"{"description":"x"}"#),
    row("showAppPassword", "{}"),
    row("deleteAppPassword", "{}"),
    row("setUpTotp", r#"{"issuer":"x"}"#),
    row("enableTotp", r#"{"token":"123456"}"#),
    row("disableTotp", "{}"),
    row(
        "checkTotp",
        r#"{"token":"123456","totpNonce":"0123456789012345678901234567890123456789"}"#,
    ),
    row("enableCustom2fa", "{}"),
    row("disableCustom2fa", "{}"),
    row("disable2fa", "{}"),
];

async fn imap_login(store: &TestStore, password: &str) -> String {
    let mut client = ImapClient::connect(store.imap_address()).await;
    client.command(&format!("LOGIN anna \"{password}\"")).await.status
}

/// The code of a secret now.
fn code(seed: &str) -> String {
    let secret = totp_rs::Secret::try_from_base32(seed).unwrap();
    totp_rs::Builder::new().with_secret(secret).build().unwrap().generate_current().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn application_passwords_open_the_doors_they_are_for() {
    let store = TestStore::start().await;
    let api = store.api();
    let anna = store.create_user("anna").await;
    let path = format!("/users/{anna}/asps");
    let new = json!({ "description": "Phone", "scopes": ["imap", "smtp"] });
    let (status, created) = api.post(&path, &new).await;
    assert_eq!(status, 200, "{created}");
    let letters = created["password"].as_str().unwrap().to_owned();
    assert!(letters.len() == 16 && letters.bytes().all(|c| c.is_ascii_lowercase()), "{letters}");
    assert!(imap_login(&store, &letters).await.contains("OK"));
    assert!(imap_login(&store, &letters.to_uppercase()).await.contains("OK"), "in any case");
    let login = |scope: &str| json!({ "username": "anna", "password": letters, "scope": scope });
    let (status, answer) = api.post("/authenticate", &login("smtp")).await;
    assert_eq!((status, &answer["require2fa"]), (200, &json!(false)), "{answer}");
    assert!(answer.get("address").is_none(), "{answer}");
    assert!(answer.get("requirePasswordChange").is_none(), "{answer}");
    let own = json!({ "username": "anna", "password": PASSWORD });
    let (_, answer) = api.post("/authenticate", &own).await;
    assert_eq!(answer["requirePasswordChange"], false, "{answer}");
    for (scope, code) in
        [("pop3", "InvalidAuthScope"), ("master", "AuthFailed"), ("x", "InvalidAuthScope")]
    {
        let (status, answer) = api.post("/authenticate", &login(scope)).await;
        assert_eq!((status, &answer["code"]), (403, &json!(code)), "{scope} {answer}");
    }
    let one = format!("{path}/{}", created["id"].as_str().unwrap());
    let (_, shown) = api.get(&one).await;
    assert_eq!(shown["scopes"], json!(["imap", "smtp"]), "{shown}");
    assert!(shown["lastUse"].is_object() && shown.get("password").is_none(), "{shown}");

    let own =
        json!({ "description": "Old", "password": "abcdefghijklmnop", "ttl": 60, "scopes": "*" });
    let (status, answer) = api.post(&path, &own).await;
    assert_eq!((status, &answer["password"]), (200, &json!("abcdefghijklmnop")), "{answer}");
    let count = async |query: &str| {
        let (_, answer) = api.get(&format!("{path}{query}")).await;
        answer["results"].as_array().unwrap().len()
    };
    assert_eq!((count("").await, count("?showAll=yes").await), (1, 2));
    for bad in [
        json!({}),
        json!({ "description": "x", "scopes": ["master"] }),
        json!({ "description": "x", "password": "short" }),
    ] {
        let (status, answer) = api.post(&path, &bad).await;
        assert_eq!((status, &answer["code"]), (400, &json!("InputValidationError")), "{answer}");
    }
    let foreign = json!({ "description": "x", "address": "other@example.com" });
    let (status, answer) = api.post(&path, &foreign).await;
    assert_eq!((status, &answer["code"]), (404, &json!("AddressNotFound")), "{answer}");
    api.post("/settings/const:asp:limit", &json!({ "value": 2 })).await;
    let (status, answer) = api.post(&path, &new).await;
    assert_eq!(
        (status, &answer["code"], &answer["allowed"]),
        (403, &json!("TooMany"), &json!(2)),
        "{answer}"
    );
    assert_eq!(api.delete(&one).await.0, 200);
    let (status, answer) = api.get(&one).await;
    assert_eq!((status, &answer["code"]), (404, &json!("AspNotFound")), "{answer}");
    assert!(!imap_login(&store, &letters).await.contains("OK"));
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_time_codes_finish_logins_and_close_other_doors() {
    let store = TestStore::start().await;
    let api = store.api();
    let anna = store.create_user("anna").await;
    let base = format!("/users/{anna}/2fa");
    let totp = format!("{base}/totp");
    let check = format!("{totp}/check");
    let login = json!({ "username": "anna", "password": PASSWORD, "token": true });
    let (_, answer) = api.post("/authenticate", &login).await;
    let before = answer["token"].as_str().expect("a token").to_owned();
    let own = ApiClient::new(store.running.addresses.api[0], Some(&before));
    let setup = json!({ "issuer": "Test: Mail", "label": "anna" });
    let (status, answer) = own.post("/users/me/2fa/totp/setup", &setup).await;
    assert_eq!(status, 200, "{answer}");
    assert!(answer["qrcode"].as_str().unwrap().starts_with("data:image/png;base64,"), "{answer}");
    let seed = answer["seed"].as_str().unwrap().to_owned();
    let wrong = json!({ "token": "000000" });
    let (status, answer) = own.post("/users/me/2fa/totp/enable", &wrong).await;
    assert_eq!((status, &answer["code"]), (400, &json!("InvalidToken")), "{answer}");
    let right = json!({ "token": code(&seed) });
    let (status, answer) = own.post("/users/me/2fa/totp/enable", &right).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(own.get("/users/me").await.0, 200, "the token it was made with goes on");
    let (status, answer) = api.post(&format!("{totp}/setup"), &setup).await;
    assert_eq!((status, &answer["code"]), (400, &json!("TotpEnabled")), "{answer}");

    assert!(!imap_login(&store, PASSWORD).await.contains("OK"), "the master password is refused");
    let (_, answer) = api.post("/preauth", &json!({ "username": "anna" })).await;
    assert_eq!(answer["require2fa"], json!(["totp"]), "{answer}");
    let (status, answer) = api.post("/authenticate", &login).await;
    assert_eq!((status, &answer["require2fa"]), (200, &json!(["totp"])), "{answer}");
    assert!(answer.get("token").is_none(), "{answer}");
    assert_eq!(answer["totpNonce"], answer["twoFactorNonce"], "{answer}");
    let nonce = answer["totpNonce"].clone();
    let (status, answer) =
        api.post(&check, &json!({ "token": "000000", "totpNonce": nonce })).await;
    assert_eq!((status, &answer["code"]), (403, &json!("InvalidToken")), "{answer}");
    let now = code(&seed);
    let (status, answer) = api.post(&check, &json!({ "token": now, "totpNonce": nonce })).await;
    assert_eq!((status, answer["token"].is_string()), (200, true), "{answer}");
    let (status, answer) = api.post(&check, &json!({ "token": now, "totpNonce": nonce })).await;
    assert_eq!((status, &answer["code"]), (403, &json!("InvalidTotpNonce")), "{answer}");
    let (_, answer) = api.post("/authenticate", &login).await;
    let again = json!({ "token": now, "totpNonce": answer["totpNonce"] });
    let (status, answer) = api.post(&check, &again).await;
    assert_eq!((status, &answer["code"]), (403, &json!("RateLimitedError")), "reused: {answer}");

    assert_eq!(api.put(&format!("{base}/custom"), &Value::Null).await.0, 200);
    let (status, answer) = api.put(&format!("{base}/custom"), &Value::Null).await;
    assert_eq!((status, &answer["code"]), (400, &json!("CustomEnabled")), "{answer}");
    let (_, shown) = api.get(&format!("/users/{anna}")).await;
    assert_eq!(shown["enabled2fa"], json!(["totp", "custom"]), "{shown}");
    assert_eq!(api.delete(&totp).await.0, 200);
    let (status, answer) = api.delete(&totp).await;
    assert_eq!((status, &answer["code"]), (400, &json!("TotpDisabled")), "{answer}");
    let (_, answer) = api.post("/authenticate", &login).await;
    assert!(answer["token"].is_string(), "others check it: {answer}");
    assert_eq!(api.delete(&format!("{base}/custom")).await.0, 200);
    let (status, answer) = api.delete(&format!("{base}/custom")).await;
    assert_eq!((status, &answer["code"]), (400, &json!("CustomDisabled")), "{answer}");
    assert_eq!(api.delete(&base).await.0, 200);
    assert!(imap_login(&store, PASSWORD).await.contains("OK"));
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_counts_like_events_of_every_door() {
    let store = TestStore::start().await;
    let api = store.api();
    let anna = store.create_user("anna").await;
    let path = format!("/users/{anna}/authlog");
    for _ in 0..3 {
        assert!(imap_login(&store, PASSWORD).await.contains("OK"));
    }
    let wrong = json!({
        "username": "an.na@example.com", "password": "wrong", "sess": "s1", "ip": "192.0.2.7",
        "protocol": "Web", "appId": "https://example.com",
    });
    assert_eq!(api.post("/authenticate", &wrong).await.0, 403);
    let listed = crate::support::within("the log", async {
        loop {
            let (status, answer) = api.get(&format!("{path}?action=Authentication")).await;
            assert_eq!(status, 200, "{answer}");
            let rows = answer["results"].as_array().unwrap().clone();
            if rows.iter().map(|row| row["events"].as_i64().unwrap()).sum::<i64>() == 4 {
                return rows;
            }
            tokio::task::yield_now().await;
        }
    });
    let rows = listed.await;
    assert_eq!(rows.len(), 2, "{rows:?}");
    let failed = rows.iter().find(|row| row["result"] == "fail").unwrap();
    let fields = ["protocol", "sess", "ip", "requiredScope", "appId"].map(|name| &failed[name]);
    assert_eq!(
        fields.map(|field| field.as_str().unwrap()),
        ["Web", "s1", "192.0.2.7", "master", "https://example.com"],
        "{failed}"
    );
    let good = rows.iter().find(|row| row["result"] == "success").unwrap();
    assert_eq!((&good["protocol"], &good["source"]), (&json!("IMAP"), &json!("master")), "{good}");
    let one = format!("{path}/{}", failed["id"].as_str().unwrap());
    let (_, shown) = api.get(&one).await;
    assert_eq!((&shown["success"], &shown["key"]), (&json!(true), &failed["key"]), "{shown}");
    let (_, answer) = api.get(&format!("{path}?filterip=192.0.2.7")).await;
    assert_eq!(answer["total"], 1, "{answer}");
    let (_, first) = api.get(&format!("{path}?limit=1")).await;
    let next = first["nextCursor"].as_str().unwrap();
    let (_, second) = api.get(&format!("{path}?limit=1&next={next}")).await;
    assert_eq!(second["page"], 2, "{second}");
    assert_ne!(first["results"][0]["id"], second["results"][0]["id"]);
    let (status, answer) = api.get(&format!("{path}/{}", "a".repeat(24))).await;
    assert_eq!((status, &answer["code"]), (404, &json!("EventNotFound")), "{answer}");
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn temporary_passwords_and_closed_doors() {
    let store = TestStore::start().await;
    let api = store.api();
    let anna = store.create_user("anna").await;
    let reset = format!("/users/{anna}/password/reset");
    let login = |password: &Value, scope: &str| json!({ "username": "anna", "password": password, "scope": scope });
    let (status, answer) = api.post(&reset, &json!({ "validAfter": "2100-01-01" })).await;
    assert_eq!(status, 200, "{answer}");
    let (status, answer) = api.post("/authenticate", &login(&answer["password"], "master")).await;
    assert_eq!((status, &answer["code"]), (403, &json!("TempPasswordNotYetValid")), "{answer}");
    let (_, answer) = api.post(&reset, &json!({})).await;
    let temporary = answer["password"].clone();
    assert_eq!(temporary.as_str().unwrap().len(), 12);
    let (status, answer) = api.post("/authenticate", &login(&temporary, "master")).await;
    assert_eq!((status, &answer["requirePasswordChange"]), (200, &json!(true)), "{answer}");
    let (status, answer) = api.post("/authenticate", &login(&temporary, "imap")).await;
    assert_eq!((status, &answer["code"]), (403, &json!("InvalidAuthScope")), "{answer}");
    assert!(imap_login(&store, PASSWORD).await.contains("OK"), "the real one works");

    let user = format!("/users/{anna}");
    api.put(&user, &json!({ "disabledScopes": ["imap"] })).await;
    assert!(!imap_login(&store, PASSWORD).await.contains("OK"));
    let (status, answer) = api.post("/authenticate", &login(&json!(PASSWORD), "imap")).await;
    assert_eq!((status, &answer["code"]), (403, &json!("InvalidAuthScope")), "{answer}");
    api.put(&user, &json!({ "disabledScopes": [], "suspended": true })).await;
    let (status, answer) = api.post("/authenticate", &login(&json!(PASSWORD), "master")).await;
    assert_eq!((status, &answer["code"]), (403, &json!("AuthFailed")), "{answer}");
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_profile_for_apples_programs_comes_with_an_application_password() {
    let store = TestStore::start().await;
    let (api, anna) = (store.api(), store.create_user("anna").await);
    let path = format!("/users/{anna}/asps");
    let new = |scopes: &[&str]| json!({ "description": "<Phone>", "scopes": scopes, "generateMobileconfig": true });
    for scopes in [["imap", "pop3"].as_slice(), &["smtp"]] {
        let (status, answer) = api.post(&path, &new(scopes)).await;
        assert_eq!((status, &answer["code"]), (400, &json!("InvalidAuthScope")), "{answer}");
    }
    for (scopes, kind) in [(["imap", "smtp"], "EmailTypeIMAP"), (["pop3", "smtp"], "EmailTypePOP")]
    {
        let (status, made) = api.post(&path, &new(&scopes)).await;
        assert_eq!((status, &made["address"]), (200, &json!("anna@example.com")), "{made}");
        let profile = STANDARD.decode(made["mobileconfig"].as_str().unwrap()).unwrap();
        let text = String::from_utf8_lossy(&profile);
        let password = made["password"].as_str().unwrap();
        for wanted in [kind, password, "&lt;Phone&gt;", "com.apple.mail.managed"] {
            assert!(text.contains(wanted), "{wanted}: {text}");
        }
    }
    let (_, listed) = api.get(&path).await;
    assert_eq!(listed["results"].as_array().unwrap().len(), 2, "none of the refused: {listed}");
    store.stop().await;
}
