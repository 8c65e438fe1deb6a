//! The command line: serve, look at the configuration, manage users, tokens and the queue, trace
//! messages.

mod dmarc;
mod queue;
mod serve;
mod suppression;
mod token;
mod trace;
mod user;
mod when;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::config::{self, Config};

/// What is printed for people and scripts goes through here.
#[expect(clippy::print_stdout, reason = "the command line speaks on standard output")]
pub(crate) fn say(line: impl std::fmt::Display) {
    println!("{line}");
}

#[derive(Debug, Parser)]
#[command(
    name = "eider",
    version,
    about = "A mail system in one binary, over MongoDB: SMTP and LMTP in, IMAP, POP3 and an \
HTTP API, a queue and SMTP out",
    after_help = "Start with `eider serve`: it needs no configuration, starts a local database below \
./eider-data and prints what to do next.\nEvery configuration key may be given by the environment: \
EIDER_<SECTION>__<KEY>, e.g. EIDER_IMAP__LISTEN=0.0.0.0:143."
)]
struct Arguments {
    /// Configuration file (TOML); without it defaults and the environment decide
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the store and serve until SIGTERM or SIGINT
    Serve,
    /// Look at the configuration
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Manage users (works beside a running store)
    User {
        #[command(subcommand)]
        command: user::UserCommand,
        /// JSON, one object a line, for scripts
        #[arg(long, global = true)]
        json: bool,
    },
    /// Manage operators' tokens for the HTTP API (works beside a running store)
    Token {
        #[command(subcommand)]
        command: token::TokenCommand,
    },
    /// Show what happened to messages (works beside a running store)
    Trace(Box<trace::TraceArguments>),
    /// Look at the queue of outgoing mail and steer it (works beside a running store)
    Queue {
        #[command(subcommand)]
        command: queue::QueueCommand,
        /// JSON, one object a line, for scripts
        #[arg(long, global = true)]
        json: bool,
    },
    /// Manage the addresses nothing is sent to (works beside a running store)
    Suppression {
        #[command(subcommand)]
        command: suppression::SuppressionCommand,
    },
    /// Show what DMARC said of mail that came (works beside a running store)
    Dmarc {
        #[command(subcommand)]
        command: dmarc::DmarcCommand,
    },
    /// Print the OpenAPI document of the HTTP API
    Openapi,
    /// Print the version
    Version,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Say whether the configuration is right, and where it is not
    Check,
    /// Print the configuration in force as TOML, secrets redacted
    Print,
}

/// Runs the command of the process's arguments.
///
/// # Errors
/// What went wrong, in words for the operator.
pub fn run() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let load = || config::load(arguments.config.as_deref());
    match arguments.command {
        Command::Serve => serve::run(load()?),
        Command::Config { command: ConfigCommand::Check } => {
            load()?;
            say("the configuration is right");
            Ok(())
        }
        Command::Config { command: ConfigCommand::Print } => {
            say(load()?.print()?);
            Ok(())
        }
        Command::User { command, json } => user::run(load()?, command, json),
        Command::Token { command } => token::run(load()?, command),
        Command::Trace(arguments) => trace::run(load()?, *arguments),
        Command::Queue { command, json } => queue::run(load()?, command, json),
        Command::Suppression { command } => suppression::run(load()?, command),
        Command::Dmarc { command } => dmarc::run(load()?, command),
        Command::Openapi => {
            say(crate::api::openapi::document().trim_end());
            Ok(())
        }
        Command::Version => {
            say(format_args!("eider {}", env!("CARGO_PKG_VERSION")));
            Ok(())
        }
    }
}

/// A runtime for commands that talk to the database.
fn block_on<F: Future<Output = anyhow::Result<()>>>(
    config: &Config,
    future: F,
) -> anyhow::Result<()> {
    crate::telemetry::start_logs(&config.log);
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(future)
}
