//! `eider queue …`: look at what waits to be sent, and steer it, beside a running store or without
//! one.

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde_json::json;

use super::when::{When, at_ms};
use super::{block_on, say};
use crate::api::queue::QueueSummaryView;
use crate::api::queue_view::QueueEntryView;
use crate::config::Config;
use crate::model::id::{ObjectId, UserId};
use crate::model::queue::{Entry, Query, State, Steer};
use crate::model::target::{ForwardTarget, TargetKind};
use crate::queue::Queue;
use crate::server::Operations;

/// Entries read or changed at a time.
const PAGE: usize = 250;
/// Tries shown of one entry.
const ATTEMPTS_MAX: usize = 100;

#[derive(Debug, Subcommand)]
pub(super) enum QueueCommand {
    /// List entries, in the order they were enqueued
    List(Box<Selection>),
    /// Show one entry with its tries
    Show {
        /// Its id
        entry: ObjectId,
    },
    /// Show how many entries there are, by state, age, error and next hop
    Summary,
    /// Do not try them until they are resumed
    Pause(Box<Selection>),
    /// Try them when they would have been tried
    Resume(Box<Selection>),
    /// Try them at once
    Retry(Box<Selection>),
    /// Send them to another server
    Reroute {
        /// smtp://host:port, smtps://host:port, or mx for the recipients' own servers
        #[arg(long, value_name = "TARGET")]
        via: String,
        #[command(flatten)]
        selection: Box<Selection>,
    },
    /// Give them up and tell their senders
    Bounce(Box<Selection>),
    /// Remove them; nobody is told
    Delete(Box<Selection>),
}

/// Entries by their ids, or all that meet some conditions.
#[derive(Debug, Args)]
pub(super) struct Selection {
    /// Ids of entries
    entries: Vec<ObjectId>,
    /// Next hop
    #[arg(long)]
    domain: Option<String>,
    /// Reverse-path; empty: the null path
    #[arg(long, value_name = "ADDRESS")]
    from: Option<String>,
    /// Forward-path
    #[arg(long, value_name = "ADDRESS")]
    to: Option<String>,
    /// Id of the user on whose behalf they are sent
    #[arg(long, value_name = "ID")]
    user: Option<UserId>,
    /// The message
    #[arg(long, value_name = "ID")]
    queue_id: Option<ObjectId>,
    /// active, ready, scheduled, deferred or paused
    #[arg(long, value_parser = read_state)]
    state: Option<State>,
    /// Enqueued not before: a time, or so long ago as 30m, 12h, 7d
    #[arg(long, value_name = "WHEN")]
    since: Option<When>,
    /// Enqueued before
    #[arg(long, value_name = "WHEN")]
    until: Option<When>,
    /// A reply of the last tries has this text
    #[arg(long, value_name = "TEXT")]
    reply: Option<String>,
    /// Without ids and conditions: the whole queue is meant
    #[arg(long)]
    all: bool,
}

fn read_state(text: &str) -> Result<State, String> {
    State::named(text).ok_or_else(|| "active, ready, scheduled, deferred or paused".to_owned())
}

impl Selection {
    fn query(&self, now: i64) -> Query {
        Query {
            domain: self.domain.as_ref().map(|domain| domain.to_lowercase()),
            sender: self.from.clone(),
            recipient: self.to.clone(),
            user: self.user,
            queue_id: self.queue_id,
            reason: None,
            state: self.state,
            since_ms: self.since.map(|when| at_ms(when, now)),
            until_ms: self.until.map(|when| at_ms(when, now)),
            reply: self.reply.clone(),
        }
    }
}

pub(super) fn run(config: Config, command: QueueCommand, as_json: bool) -> anyhow::Result<()> {
    let opened = config.clone();
    block_on(&config, async move {
        let operations = Operations::open_beside(&opened).await?;
        let done = execute(&operations, command, as_json).await;
        operations.close().await;
        done
    })
}

async fn execute(
    operations: &Operations,
    command: QueueCommand,
    as_json: bool,
) -> anyhow::Result<()> {
    let (delivery, now) = (&operations.delivery, operations.clock.now_ms());
    let queue = delivery.queue();
    let steer = async |selection: &Selection, how: Steer| {
        let is_all = selection.all;
        if selection.entries.is_empty() && selection.query(now) == Query::default() && !is_all {
            bail!("name entries or conditions, or say --all");
        }
        let (mut matched, mut changed) = (0, 0);
        for_pages(queue, selection, now, async |entries| {
            matched += entries.len();
            changed += delivery.steer(entries, &how).await?;
            Ok(())
        })
        .await?;
        say(json!({ "action": how.name(), "matched": matched, "changed": changed }));
        Ok(())
    };
    match command {
        QueueCommand::List(selection) => {
            for_pages(queue, &selection, now, async |entries| {
                entries.iter().try_for_each(|entry| print(entry, now, as_json))
            })
            .await
        }
        QueueCommand::Show { entry } => {
            let entry = queue.load(entry).await.context("the entry")?;
            let view = QueueEntryView::new(&entry, now, ATTEMPTS_MAX);
            say(if as_json {
                serde_json::to_string(&view)?
            } else {
                serde_json::to_string_pretty(&view)?
            });
            Ok(())
        }
        QueueCommand::Summary => {
            let view = QueueSummaryView::new(&*queue.summary().await?);
            say(serde_json::to_string_pretty(&view)?);
            Ok(())
        }
        QueueCommand::Pause(selection) => steer(&selection, Steer::Pause).await,
        QueueCommand::Resume(selection) => steer(&selection, Steer::Resume).await,
        QueueCommand::Retry(selection) => steer(&selection, Steer::Retry).await,
        QueueCommand::Reroute { via, selection } => {
            steer(&selection, Steer::Reroute(read_target(&via)?)).await
        }
        QueueCommand::Bounce(selection) => steer(&selection, Steer::Bounce).await,
        QueueCommand::Delete(selection) => steer(&selection, Steer::Delete).await,
    }
}

fn read_target(via: &str) -> anyhow::Result<Option<ForwardTarget>> {
    if via == "mx" {
        return Ok(None);
    }
    let target = ForwardTarget::new(via).ok().filter(|target| target.kind == TargetKind::Relay);
    target.map(Some).context("--via: mx, smtp://host:port or smtps://host:port")
}

/// Calls `work` with the entries of a selection, a page at a time.
async fn for_pages(
    queue: &Queue,
    selection: &Selection,
    now: i64,
    mut work: impl AsyncFnMut(&[Entry]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    if !selection.entries.is_empty() {
        for id in &selection.entries {
            let entry = queue.load(*id).await.with_context(|| format!("entry {id}"))?;
            work(&[entry]).await?;
        }
        return Ok(());
    }
    let (query, mut after) = (selection.query(now), None);
    loop {
        let entries = queue.list(&query, after, PAGE).await?;
        work(&entries).await?;
        match entries.last() {
            Some(last) if entries.len() == PAGE => after = Some(last.id),
            _ => return Ok(()),
        }
    }
}

/// A line: id, state, when it is tried, sender and recipient, next hop, tries, the last reply.
fn print(entry: &Entry, now: i64, as_json: bool) -> anyhow::Result<()> {
    let view = QueueEntryView::new(entry, now, 1);
    if as_json {
        say(serde_json::to_string(&view)?);
        return Ok(());
    }
    let reply = view.attempts.last().map_or("", |tried| tried.reply.as_str());
    say(format_args!(
        "{}  {:9}  {}  <{}> -> {}  via {}  tries={}  {}",
        view.id,
        view.state,
        view.due,
        view.sender,
        view.recipient,
        view.next_hop,
        entry.attempts.len(),
        json!(reply)
    ));
    Ok(())
}
