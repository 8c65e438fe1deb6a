//! Posting events to webhooks (`reference/behaviours.md` §14).
//!
//! A node looks for a hook whose event is due, takes its turn, and posts its events one after the
//! other in a task of its own: a slow hook delays nobody. 2xx is an arrival, 410 removes the hook,
//! all else is tried again later.

use crate::directory::Directory;
use crate::model::error::{Error, Result};
use crate::model::webhook::{Notice, Turn};
use crate::net::http;
use crate::tasks::Tasks;
use reqwest::{Client, StatusCode};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Hooks posted to at the same time by one node.
const HOOKS_MAX: usize = 32;
/// How long a hook may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// How often a node without anything to post looks.
const PAUSE: Duration = Duration::from_secs(1);

/// What became of a post.
enum Posted {
    Arrived,
    /// The hook wants no more events.
    Gone,
    Failed(String),
}

/// Starts posting; it ends when the tasks stop.
pub(super) fn start(directory: &Directory, tasks: &Tasks) {
    let (directory, workers, stopping) = (directory.clone(), tasks.clone(), tasks.stopping());
    tasks.spawn("webhooks", async move {
        let client = match http::client(ANSWER) {
            Ok(client) => client,
            Err(error) => {
                tracing::error!(%error, "no webhooks are posted: there is no HTTP client");
                return;
            }
        };
        tokio::select! {
            () = stopping.cancelled() => {}
            () = look(&directory, &client, &workers) => {}
        }
    });
}

/// Looks for turns, for ever.
async fn look(directory: &Directory, client: &Client, tasks: &Tasks) {
    let places = Arc::new(Semaphore::new(HOOKS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match directory.claim_turn().await {
            Ok(Some(turn)) => {
                let (directory, client) = (directory.clone(), client.clone());
                let stopping = tasks.stopping();
                tasks.spawn("webhook", async move {
                    let _place = place;
                    let hook = turn.hook.id;
                    let outcome = tokio::select! {
                        () = stopping.cancelled() => return,
                        outcome = run(&directory, &client, turn) => outcome,
                    };
                    if let Err(error) = outcome {
                        tracing::warn!(webhook.id = %hook, %error, "a webhook's turn broke off");
                    }
                });
            }
            Ok(None) => tokio::time::sleep(PAUSE).await,
            Err(error) => {
                tracing::warn!(%error, "webhooks wait for the database");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Posts what is due for one hook, until nothing is.
async fn run(directory: &Directory, client: &Client, turn: Turn) -> Result<()> {
    let mut turn = turn;
    loop {
        for notice in directory.due_notices(&turn).await? {
            let Some(kept) = directory.keep_turn(&turn).await? else { return Ok(()) };
            turn = kept;
            if !handle(directory, client, &turn, &notice).await? {
                return Ok(());
            }
        }
        if directory.end_turn(&turn).await? {
            return Ok(());
        }
        // an event came meanwhile
        let Some(kept) = directory.keep_turn(&turn).await? else { return Ok(()) };
        turn = kept;
    }
}

/// Posts one event; `false`: the hook is gone.
async fn handle(
    directory: &Directory,
    client: &Client,
    turn: &Turn,
    notice: &Notice,
) -> Result<bool> {
    let posted = post(client, &turn.hook.url, &notice.body).await;
    let result = match &posted {
        Posted::Arrived => "arrived",
        Posted::Gone => "gone",
        Posted::Failed(_) => "failed",
    };
    metrics::counter!("eider_webhook_posts_total", "result" => result).increment(1);
    match posted {
        Posted::Arrived => directory.notice_posted(notice).await?,
        Posted::Gone => {
            tracing::info!(webhook.id = %turn.hook.id, "a webhook answered 410 and is removed");
            return match directory.delete_webhook(turn.hook.id).await {
                Ok(()) | Err(Error::NotFound { .. }) => Ok(false),
                Err(error) => Err(error),
            };
        }
        Posted::Failed(reason) => {
            tracing::info!(webhook.id = %turn.hook.id, reason, "an event did not arrive");
            directory.notice_failed(notice, &reason).await?;
        }
    }
    Ok(true)
}

async fn post(client: &Client, url: &str, body: &str) -> Posted {
    let request = client.post(url).header("content-type", "application/json; charset=utf-8");
    match request.body(body.to_owned()).send().await {
        Ok(answer) if answer.status().is_success() => Posted::Arrived,
        Ok(answer) if answer.status() == StatusCode::GONE => Posted::Gone,
        Ok(answer) => Posted::Failed(format!("the hook answered {}", answer.status())),
        // the URL may hold a secret
        Err(error) => Posted::Failed(error.without_url().to_string()),
    }
}
