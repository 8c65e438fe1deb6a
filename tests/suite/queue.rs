//! Trace and queue on the command line, beside nodes that run; a queue of many recipients.

use std::process::Output;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::store::{TestStore, config, database_uri, unique};
use crate::support::{corpus, until};

/// Runs the binary beside the nodes of a database; its lines as JSON.
async fn eider(database: &str, arguments: &[&str]) -> Vec<Value> {
    let output = run(database, arguments).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

async fn run(database: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eider"));
    command.env("EIDER_STORAGE__URI", database_uri()).env("EIDER_STORAGE__DATABASE", database);
    command.args(arguments).output().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_traces_and_steers_what_two_nodes_do() {
    let mut config = config(&unique("eider_test"));
    config.roles = vec![eider::config::Role::Api, eider::config::Role::Lmtp];
    let database = config.storage.database.clone();
    let store = TestStore::start_with(config.clone()).await;
    let mut second = config.clone();
    second.data_dir = std::env::temp_dir().join(unique("eider-data"));
    let other = TestStore::start_with(second).await;
    let anna = store.create_user("anna").await;
    let target = json!({ "targets": ["away@b.example", "off@c.example"] });
    let (status, answer) = store.api().put(&format!("/users/{anna}"), &target).await;
    assert_eq!(status, 200, "{answer}");
    // it comes to one node, and the other looks at it
    let replies = other.lmtp().await.deliver(&["anna@example.com"], &corpus::message("on")).await;
    assert!(replies[0].starts_with("250"), "{replies:?}");
    let mut rows = Vec::new();
    until("the story", async || {
        rows = eider(&database, &["trace", "--to", "away@b.example", "--json"]).await;
        !rows.is_empty()
    })
    .await;
    assert_eq!(
        (&rows[0]["event"], &rows[0]["details"]["reason"]),
        (&json!("queued"), &json!("forward"))
    );
    let story = eider(&database, &["trace", rows[0]["trace"].as_str().unwrap(), "--json"]).await;
    let names: Vec<&str> = story.iter().map(|row| row["event"].as_str().unwrap()).collect();
    for name in ["received", "stored", "queued"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let text = run(&database, &["trace", "--from", "sender@example.org", "--since", "1h"]).await;
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("<sender@example.org> -> away@b.example"), "{text}");
    let queued = eider(&database, &["queue", "list", "--domain", "c.example", "--json"]).await;
    assert_eq!(queued.len(), 1, "{queued:?}");
    let done = eider(&database, &["queue", "pause", "--all"]).await;
    assert_eq!(done[0], json!({ "action": "pause", "matched": 2, "changed": 2 }));
    let id = queued[0]["id"].as_str().unwrap();
    eider(&database, &["queue", "reroute", id, "--via", "smtp://relay.example"]).await;
    let shown = eider(&database, &["queue", "show", id, "--json"]).await;
    assert_eq!(
        (&shown[0]["state"], &shown[0]["nextHop"]),
        (&json!("paused"), &json!("relay.example"))
    );
    let done = eider(&database, &["queue", "delete", "--state", "paused"]).await;
    assert_eq!(done[0]["changed"], 2, "{done:?}");
    for bad in [&["queue", "delete"][..], &["queue", "show", id], &["trace", "--since", "soon"]] {
        assert!(!run(&database, bad).await.status.success(), "{bad:?}");
    }
    store.stop().await;
    other.stop().await;
}
