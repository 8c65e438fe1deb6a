//! What a request costs: commands sent to the database, whatever the size of what they look into.

use serde_json::json;

use crate::support::api::ApiClient;
use crate::support::database::Relay;
use crate::support::store::{PASSWORD, TestStore, config, unique};

/// Collections that only requests use, so that jobs in the background do not count.
const COUNTED: &[&str] = &[
    "users",
    "tokens",
    "addresses",
    "mailboxes",
    "mailbox_counters",
    "messages",
    "threads",
    "contents",
    "content_chunks",
    "attachments",
    "attachment_chunks",
];

/// The commands of a request: the least of some, since jobs may run meanwhile.
async fn commands(relay: &Relay, api: &ApiClient, path: &str) -> Vec<String> {
    let mut least: Option<Vec<String>> = None;
    for _ in 0..4 {
        relay.take();
        let (status, answer) = api.get(path).await;
        assert_eq!(status, 200, "{path}: {answer}");
        let mut seen = relay.take();
        seen.retain(|command| {
            command.split(' ').nth(1).is_some_and(|name| COUNTED.contains(&name))
        });
        least = Some(match least {
            Some(before) if before.len() <= seen.len() => before,
            _ => seen,
        });
    }
    let mut least = least.unwrap();
    least.sort();
    least
}

/// The commands of a list. On the local stand-in a page is found in two steps (`storage::page`), which
/// count as one here.
fn paged(mut commands: Vec<String>) -> Vec<String> {
    assert!(commands.len() <= 3, "{commands:?}");
    commands.dedup();
    commands
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_and_messages_cost_the_same_in_small_and_large_mailboxes() {
    let relay = Relay::start().await;
    let mut config = config(&unique("eider_test"));
    config.storage.uri = Some(relay.uri.clone());
    let store = TestStore::start_with(config).await;
    let (api, anna) = (store.api(), store.create_user("anna").await);
    let path = format!("/users/{anna}/mailboxes/resolve?path=INBOX");
    let inbox = api.get(&path).await.1["id"].as_str().unwrap().to_owned();
    let messages = format!("/users/{anna}/mailboxes/{inbox}/messages");
    let mut found = Vec::new();
    for upto in [2, 150] {
        loop {
            let message = json!({ "subject": "measured", "html": "<p>x</p>", "text": "x" });
            let (status, answer) = api.post(&messages, &message).await;
            assert_eq!(status, 200, "{answer}");
            if answer["message"]["id"] == upto {
                break;
            }
        }
        let list = commands(&relay, &api, &messages).await;
        let full = commands(&relay, &api, &format!("{messages}?limit=100")).await;
        let message = commands(&relay, &api, &format!("{messages}/1")).await;
        found.push((list, full, message));
    }
    assert_eq!(found[0], found[1]);
    let (list, full, message) = &found[0];
    assert_eq!(full, list);
    assert_eq!(paged(list.clone()), ["find mailboxes", "find messages"]);
    assert_eq!(message, &["find messages"]);
    // who asks costs at most his token and himself
    let login = json!({ "username": "anna", "password": PASSWORD, "token": true });
    let (_, answer) = api.post("/authenticate", &login).await;
    let token = answer["token"].as_str().expect("a token");
    let own = ApiClient::new(store.running.addresses.api[0], Some(token));
    let mut list = commands(&relay, &own, &messages).await;
    list.retain(|command| !["find tokens", "find users"].contains(&command.as_str()));
    assert_eq!(paged(list), ["find mailboxes", "find messages"]);
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_users_costs_the_same_for_few_and_many() {
    let relay = Relay::start().await;
    let mut config = config(&unique("eider_test"));
    config.storage.uri = Some(relay.uri.clone());
    let store = TestStore::start_with(config).await;
    let api = store.api();
    store.create_user("user0").await;
    let few = commands(&relay, &api, "/users?limit=20").await;
    for number in 1..25 {
        store.create_user(&format!("user{number}")).await;
    }
    let many = commands(&relay, &api, "/users?limit=20").await;
    assert_eq!(few, ["count users", "find users"]);
    assert_eq!(many, few);
    store.stop().await;
}
