//! `eider trace`: what happened to messages, beside a running store or without one.

use anyhow::Context as _;
use clap::Args;
use serde_json::json;
use std::net::IpAddr;

use super::when::{When, at_ms};
use super::{block_on, say};
use crate::api::trace::TraceEventView;
use crate::config::Config;
use crate::model::id::{ObjectId, UserId};
use crate::model::trace::{Recorded, Search, SearchKey};
use crate::server::Operations;

/// Which events are shown.
#[derive(Debug, Args)]
pub(super) struct TraceArguments {
    /// Show this story, oldest event first
    trace: Option<ObjectId>,
    /// Reverse-path
    #[arg(long, value_name = "ADDRESS")]
    from: Option<String>,
    /// Forward-path
    #[arg(long, value_name = "ADDRESS")]
    to: Option<String>,
    /// Message-ID
    #[arg(long, value_name = "ID")]
    message_id: Option<String>,
    /// Name in the queue
    #[arg(long, value_name = "ID")]
    queue_id: Option<ObjectId>,
    /// IP address of the client or the next hop
    #[arg(long, value_name = "IP")]
    address: Option<IpAddr>,
    /// Id of the user
    #[arg(long, value_name = "ID")]
    user: Option<UserId>,
    /// Not before: a time, or so long ago as 30m, 12h, 7d
    #[arg(long, value_name = "WHEN")]
    since: Option<When>,
    /// Before
    #[arg(long, value_name = "WHEN")]
    until: Option<When>,
    /// Events shown at most, newest first
    #[arg(long, default_value_t = 100, value_name = "COUNT")]
    limit: usize,
    /// JSON, one object a line, for scripts
    #[arg(long)]
    json: bool,
}

impl TraceArguments {
    fn search(&self, now: i64) -> Search {
        let keys = [
            self.from.as_deref().map(SearchKey::sender),
            self.to.as_deref().map(SearchKey::recipient),
            self.message_id.as_deref().map(SearchKey::message_id),
            self.queue_id.map(SearchKey::queue_id),
            self.user.map(SearchKey::user),
            self.address.map(SearchKey::peer),
        ];
        Search {
            keys: keys.into_iter().flatten().collect(),
            since_ms: self.since.map(|when| at_ms(when, now)),
            until_ms: self.until.map(|when| at_ms(when, now)),
            ..Search::default()
        }
    }
}

pub(super) fn run(config: Config, arguments: TraceArguments) -> anyhow::Result<()> {
    let opened = config.clone();
    block_on(&config, async move {
        let operations = Operations::open_beside(&opened).await?;
        let found = find(&operations, &arguments).await;
        operations.close().await;
        for recorded in &found? {
            print(recorded, arguments.json)?;
        }
        Ok(())
    })
}

async fn find(
    operations: &Operations,
    arguments: &TraceArguments,
) -> anyhow::Result<Vec<Recorded>> {
    let trace = operations.delivery.trace();
    if let Some(story) = arguments.trace {
        return trace.load(story, None).await.context("the story");
    }
    let search = arguments.search(operations.clock.now_ms());
    Ok(trace.search(&search, arguments.limit.clamp(1, 100_000)).await?)
}

/// A line: time, event, story, sender and recipient, what else is known.
fn print(recorded: &Recorded, as_json: bool) -> anyhow::Result<()> {
    let view = TraceEventView::new(recorded);
    if as_json {
        say(serde_json::to_string(&view)?);
        return Ok(());
    }
    let names = [("queueId", &view.queue_id), ("messageId", &view.message_id)];
    let others = [("address", &view.address), ("user", &view.user)];
    let names = names.into_iter().chain(others);
    let mut words: Vec<String> =
        names.filter_map(|(name, text)| Some(format!("{name}={}", text.as_ref()?))).collect();
    words.extend(view.details.iter().map(|(name, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), |text| json!(text).to_string());
        format!("{name}={text}")
    }));
    let (sender, recipient) = (view.sender.as_deref(), view.recipient.as_deref().unwrap_or("-"));
    say(format_args!(
        "{}  {:14}  {}  <{}> -> {recipient}  {}",
        view.time,
        view.event,
        view.trace,
        sender.unwrap_or("?"),
        words.join(" ")
    ));
    Ok(())
}
