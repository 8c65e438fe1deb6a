//! Mailboxes over the API: `tests/judges/api_journey.py` walks them; here are their rows.

use serde_json::json;

use super::registry::{Row, row};
use crate::support::store::TestStore;

pub const ROWS: &[Row] = &[
    row("listMailboxes", "{}"),
    row("createMailbox", r#"{"path":"Work"}"#),
    row("showMailbox", "{}"),
    row("updateMailbox", r#"{"path":"Play"}"#),
    row("deleteMailbox", "{}"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_are_told_in_the_words_clients_show() {
    let store = TestStore::start().await;
    let (api, anna) = (store.api(), store.create_user("anna").await);
    let path = format!("/users/{anna}/mailboxes");
    let (_, listed) = api.get(&path).await;
    let inbox = format!("{path}/{}", listed["results"][0]["id"].as_str().unwrap());
    let none = format!("{path}/{}", "a".repeat(24));
    let renamed = json!({ "path": "New" });
    for (what, code, (status, answer)) in [
        ("update", "DisallowedMailboxMethod", api.put(&inbox, &renamed).await),
        ("update", "NoSuchMailbox", api.put(&none, &renamed).await),
        ("deletion", "DisallowedMailboxMethod", api.delete(&inbox).await),
        ("deletion", "NoSuchMailbox", api.delete(&none).await),
    ] {
        assert_eq!(status, if code == "NoSuchMailbox" { 404 } else { 400 }, "{answer}");
        let text = format!("Mailbox {what} failed with code {code}");
        assert_eq!((&answer["code"], &answer["error"]), (&json!(code), &json!(text)));
    }
    let long = format!("a/{}", "x".repeat(513));
    for (name, text) in [
        ("a/b/", r#""path" with value "a/b/" matches the inverted pattern: /\/{2,}|\/$/"#),
        ("a//b", r#""path" with value "a//b" matches the inverted pattern: /\/{2,}|\/$/"#),
        (&["a"; 129].join("/"), "The mailbox path cannot be more than 128 levels deep"),
        (&long, "Any part of the mailbox path cannot be longer than 512 chars long"),
    ] {
        for (status, answer) in [
            api.post(&path, &json!({ "path": name })).await,
            api.put(&inbox, &json!({ "path": name })).await,
        ] {
            assert_eq!((status, &answer["code"]), (400, &json!("InputValidationError")));
            assert_eq!(answer["details"]["path"], text, "{answer}");
        }
    }
    store.stop().await;
}
