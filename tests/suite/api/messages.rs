//! Messages over the API: `tests/judges/api_journey.py`, `tests/suite/messages_api.rs` and
//! `tests/suite/updates.rs` walk them; here are their rows and mistakes.

use serde_json::{Value, json};

use super::registry::{Row, row};
use crate::support::store::TestStore;

pub const ROWS: &[Row] = &[
    row("listMessages", "{}"),
    row("updateMessages", r#"{"message":"1","seen":true}"#),
    row("uploadMessage", r#"{"subject":"hello"}"#),
    row("deleteMessages", "{}"),
    row("showMessage", "{}"),
    row("updateMessage", r#"{"seen":true}"#),
    row("deleteMessage", "{}"),
    row("showAttachment", "{}"),
    row("showMessageSource", "{}"),
    row("listArchivedMessages", "{}"),
    row("restoreArchivedMessage", "{}"),
    row("restoreArchivedMessages", r#"{"start":"2020-01-01","end":"2030-01-01"}"#),
    row("searchMessages", "{}"),
    row("searchApplyMessages", r#"{"action":{"seen":true}}"#),
    row("listFiles", "{}"),
    row("uploadFile", r#"{"content":"hello"}"#),
    row("deleteFile", "{}"),
    row("showFile", "{}"),
    row("updates", "{}"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_parameters_of_archive_search_files_and_updates_are_named() {
    let store = TestStore::start().await;
    let (api, anna) = (store.api(), store.create_user("anna").await);
    let none = "a".repeat(24);
    for (method, path, body, code) in [
        ("GET", "archived/messages?limit=251", json!({}), "InputValidationError"),
        ("POST", "archived/restore", json!({ "start": "2020-01-01" }), "InputValidationError"),
        ("POST", "archived/messages/x/restore", json!({}), "InputValidationError"),
        ("GET", "search?mailbox=x", json!({}), "InputValidationError"),
        ("POST", "search", json!({}), "InputValidationError"),
        ("POST", "search", json!({ "action": { "moveTo": "x" } }), "InputValidationError"),
        ("GET", "storage?limit=0", json!({}), "InputValidationError"),
        ("POST", "storage", json!({}), "InputValidationError"),
        (
            "POST",
            "storage",
            json!({ "content": "?", "encoding": "base64" }),
            "InputValidationError",
        ),
        ("GET", "storage/x", json!({}), "InputValidationError"),
        ("GET", &format!("storage/{none}"), json!({}), "FileNotFound"),
        ("DELETE", &format!("storage/{none}"), json!({}), "FileNotFound"),
        ("GET", "updates?nonsense=1", json!({}), "InputValidationError"),
    ] {
        let (path, body) = (format!("/users/{anna}/{path}"), body.to_string());
        let (status, answer) = api.raw(method, &path, "application/json", body.as_bytes()).await;
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(answer["code"], code, "{method} {path} {body}: {status} {answer}");
        assert_eq!(status, if code == "FileNotFound" { 404 } else { 400 }, "{path}: {answer}");
    }
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_and_deleted_messages_of_another_user_do_not_exist() {
    let store = TestStore::start().await;
    let api = store.api();
    let (anna, berta) = (store.create_user("anna").await, store.create_user("berta").await);
    let (status, answer) =
        api.post(&format!("/users/{anna}/storage"), &json!({ "content": "mine" })).await;
    assert_eq!(status, 200, "{answer}");
    let file = answer["id"].as_str().unwrap().to_owned();
    let (_, listed) = api.get(&format!("/users/{anna}/mailboxes/resolve?path=INBOX")).await;
    let inbox = format!("/users/{anna}/mailboxes/{}/messages", listed["id"].as_str().unwrap());
    let (status, answer) = api.post(&inbox, &json!({ "subject": "mine", "text": "x" })).await;
    assert_eq!(status, 200, "{answer}");
    let (status, answer) = api.delete(&format!("{inbox}/{}", answer["message"]["id"])).await;
    assert_eq!(status, 200, "{answer}");
    let (_, archived) = api.get(&format!("/users/{anna}/archived/messages")).await;
    let message = archived["results"][0]["id"].as_str().expect("it is archived").to_owned();

    for path in ["archived/messages", "storage", "search"] {
        let (status, answer) = api.get(&format!("/users/{berta}/{path}")).await;
        assert_eq!((status, &answer["total"]), (200, &json!(0)), "{path}: {answer}");
    }
    let restore = format!("archived/messages/{message}/restore");
    let (status, answer) = api.post(&format!("/users/{berta}/{restore}"), &json!({})).await;
    assert_eq!((status, &answer["code"]), (404, &json!("MessageNotFound")), "{answer}");
    let (status, answer) = api.get(&format!("/users/{berta}/storage/{file}")).await;
    assert_eq!((status, &answer["code"]), (404, &json!("FileNotFound")), "{answer}");
    let (status, answer) = api.delete(&format!("/users/{berta}/storage/{file}")).await;
    assert_eq!((status, &answer["code"]), (404, &json!("FileNotFound")), "{answer}");
    let (status, octets) =
        api.raw("GET", &format!("/users/{anna}/storage/{file}"), "text/plain", b"").await;
    assert_eq!((status, octets.as_slice()), (200, &b"mine"[..]));
    let (status, answer) = api.post(&format!("/users/{anna}/{restore}"), &json!({})).await;
    assert_eq!((status, &answer["success"]), (200, &json!(true)), "{answer}");
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_in_html_is_an_attachment_with_its_hashes() {
    let store = TestStore::start().await;
    let (api, anna) = (store.api(), store.create_user("anna").await);
    let (_, listed) = api.get(&format!("/users/{anna}/mailboxes")).await;
    let inbox = listed["results"][0]["id"].as_str().unwrap();
    let path = format!("/users/{anna}/mailboxes/{inbox}/messages");
    // 60 octets are 80 characters: a line of 76, its end, and 4 more
    let picture = "QUFB".repeat(20);
    let html = format!("<img src=\"data:image/png;base64,{picture}\">");
    let (status, stored) = api.post(&path, &json!({ "subject": "x", "html": html })).await;
    assert_eq!(status, 200, "{stored}");
    let (_, shown) = api.get(&format!("{path}/{}", stored["message"]["id"])).await;
    let attachment = &shown["attachments"][0];
    assert_eq!(attachment["filename"], "attachment-1.png", "{attachment}");
    assert_eq!(attachment["size"], 82, "without the line end of the boundary");
    let encoded = format!("{}\r\n{}", &picture[..76], &picture[76..]);
    let hex = |octets: &[u8]| {
        let digest = <sha2::Sha256 as sha2::Digest>::digest(octets);
        digest.iter().map(|octet| format!("{octet:02x}")).collect::<String>()
    };
    assert_eq!(attachment["hash"], hex(encoded.as_bytes()));
    assert_eq!(attachment["fileContentHash"], "xfsjW+/YdbkV+mxHAqeruTys89fEFLccvv+eGwqfvUE=");
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_wrote_an_uploaded_message_is_completed_afterwards() {
    let store = TestStore::start().await;
    let (api, anna) = (store.api(), store.create_user("anna").await);
    let (_, listed) = api.get(&format!("/users/{anna}/mailboxes")).await;
    let id_of = |name: &str| {
        let mut rows = listed["results"].as_array().unwrap().iter();
        rows.find(|row| row["path"] == name).unwrap()["id"].as_str().unwrap().to_owned()
    };
    let message = |from: &str, is_draft: bool| {
        json!({
            "from": { "name": "Bö", "address": from },
            "to": [{ "name": "Carl", "address": format!("to-{from}") }],
            "subject": "x", "text": "y", "draft": is_draft,
        })
    };
    for (mailbox, from, is_draft) in [
        ("INBOX", "b\u{f6}@b\u{fc}cher.example", false),
        ("INBOX", "no-reply@bot.example", false),
        ("Drafts", "draft@draft.example", true),
        ("Junk", "junk@junk.example", false),
        ("Sent Mail", "sent@sent.example", false),
    ] {
        let path = format!("/users/{anna}/mailboxes/{}/messages", id_of(mailbox));
        let (status, answer) = api.post(&path, &message(from, is_draft)).await;
        assert_eq!(status, 200, "{answer}");
    }
    for (query, expected) in [
        ("b%C3%BCch", json!(["b\u{f6}@b\u{fc}cher.example"])),
        ("bot", json!([])),
        ("draft", json!([])),
        ("junk", json!([])),
        ("sent", json!(["to-sent@sent.example"])),
    ] {
        let (_, found) = api.get(&format!("/users/{anna}/addressregister?query={query}")).await;
        let rows = found["results"].as_array().unwrap().iter();
        let addresses: Vec<&Value> = rows.map(|row| &row["address"]).collect();
        assert_eq!(json!(addresses), expected, "{query}: {found}");
    }
    store.stop().await;
}
