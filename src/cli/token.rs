//! `eider token …`: tokens of operators for the HTTP API, which the API itself never issues.

use anyhow::Context as _;
use clap::Subcommand;

use super::{block_on, say};
use crate::config::Config;
use crate::model::principal::Role;
use crate::server::Operations;

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Create a token; prints it once, and it works until it is revoked
    Create {
        /// What it may do: root, manager, webmail, auth, tokenAuth, settings, audit, auditclient,
        /// attachments, downloader, export
        #[arg(long)]
        role: String,
    },
    /// Revoke the token on the first line of standard input
    Revoke,
}

pub(super) fn run(config: Config, command: TokenCommand) -> anyhow::Result<()> {
    let opened = config.clone();
    block_on(&config, async move {
        let operations = Operations::open_beside(&opened).await?;
        let done = execute(&operations, command).await;
        operations.close().await;
        done
    })
}

async fn execute(operations: &Operations, command: TokenCommand) -> anyhow::Result<()> {
    match command {
        TokenCommand::Create { role } => {
            let role = Role::of(&role).with_context(|| format!("no role {role:?}"))?;
            say(operations.tokens.issue_for_role(role).await?);
        }
        TokenCommand::Revoke => {
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).context("standard input")?;
            operations.tokens.revoke(line.trim()).await?;
            say("revoked");
        }
    }
    Ok(())
}
