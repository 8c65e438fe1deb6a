//! `eider suppression …`: addresses nothing is sent to, beside a running store or without one.

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::json;

use super::{block_on, say};
use crate::api::suppressions::SuppressionView;
use crate::config::Config;
use crate::delivery::suppression::NewSuppression;
use crate::model::address::EmailAddress;
use crate::model::id::{ObjectId, UserId};
use crate::model::suppression::Cause;
use crate::server::Operations;

/// Rows read at a time.
const PAGE: usize = 250;

#[derive(Debug, Subcommand)]
pub(super) enum SuppressionCommand {
    /// List addresses, one JSON object a line
    List {
        /// Only those of this user
        #[arg(long, value_name = "ID")]
        user: Option<UserId>,
    },
    /// Put an address on the list
    Add {
        /// The address
        #[arg(value_parser = read_address)]
        address: EmailAddress,
        /// For mail of this user only
        #[arg(long, value_name = "ID")]
        user: Option<UserId>,
        /// Why
        #[arg(long, default_value = "")]
        reason: String,
        /// For so many days; 0: for ever
        #[arg(long, default_value_t = 0)]
        days: u32,
    },
    /// Take an address off the list
    Rm {
        /// Id of the row
        id: ObjectId,
    },
}

fn read_address(text: &str) -> Result<EmailAddress, String> {
    EmailAddress::new(text).map_err(|error| error.to_string())
}

pub(super) fn run(config: Config, command: SuppressionCommand) -> anyhow::Result<()> {
    let opened = config.clone();
    block_on(&config, async move {
        let operations = Operations::open_beside(&opened).await?;
        let done = execute(&operations, command).await;
        operations.close().await;
        done
    })
}

async fn execute(operations: &Operations, command: SuppressionCommand) -> anyhow::Result<()> {
    let delivery = &operations.delivery;
    match command {
        SuppressionCommand::List { user } => {
            let mut after = None;
            loop {
                let rows = delivery.list_suppressions(user, None, after, PAGE).await?;
                for row in &rows {
                    say(serde_json::to_string(&SuppressionView::new(row))?);
                }
                match rows.last() {
                    Some(last) if rows.len() == PAGE => after = Some(last.id),
                    _ => return Ok(()),
                }
            }
        }
        SuppressionCommand::Add { address, user, reason, days } => {
            let (cause, trace) = (Cause::Manual, None);
            let new = NewSuppression { user, address, cause, reason, trace, days };
            say(json!({ "id": delivery.suppress(new).await?.to_string() }));
            Ok(())
        }
        SuppressionCommand::Rm { id } => {
            delivery.unsuppress(id).await.context("the address")?;
            say(json!({ "id": id.to_string() }));
            Ok(())
        }
    }
}
