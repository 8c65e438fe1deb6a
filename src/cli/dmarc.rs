//! `eider dmarc …`: what DMARC said of mail that came, beside a running store or without one.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{block_on, say};
use crate::config::Config;
use crate::server::Operations;

#[derive(Debug, Subcommand)]
pub(super) enum DmarcCommand {
    /// Results of the last days that are counted for a domain's aggregate report, one JSON object a
    /// line
    Results {
        /// The domain of From
        domain: String,
        /// So many days back
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(i64).range(0..=7))]
        days: i64,
    },
    /// Failure reports about a domain's mail of the last week, one JSON object a line
    Failures {
        /// The domain of From
        domain: String,
    },
}

pub(super) fn run(config: Config, command: DmarcCommand) -> anyhow::Result<()> {
    let opened = config.clone();
    block_on(&config, async move {
        let operations = Operations::open_beside(&opened).await?;
        let done = execute(&operations, command).await;
        operations.close().await;
        done
    })
}

async fn execute(operations: &Operations, command: DmarcCommand) -> anyhow::Result<()> {
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap_or(Value::Null);
    match command {
        DmarcCommand::Results { domain, days } => {
            for counted in operations.screening.list_results(&domain, days).await? {
                say(json!({
                    "day": counted.day,
                    "messages": counted.count,
                    "to": counted.to,
                    "policy": read(&counted.policy),
                    "result": read(&counted.row),
                }));
            }
        }
        DmarcCommand::Failures { domain } => {
            for report in operations.screening.list_failures(&domain).await? {
                let state = match (report.is_waiting, report.is_refused) {
                    (true, _) => "waiting",
                    (false, true) => "not wanted there",
                    (false, false) => "sent",
                };
                say(json!({
                    "id": report.id.to_string(),
                    "to": report.to,
                    "state": state,
                    "report": String::from_utf8_lossy(&report.content),
                }));
            }
        }
    }
    Ok(())
}
