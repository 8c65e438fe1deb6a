//! `eider user …`: add, list, show, passwd, rm, beside a running store or without one.
//!
//! Passwords come from standard input or are made here: never from the command line, which others
//! can see.

use std::io::BufRead as _;

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::{Value, json};

use super::{block_on, say};
use crate::auth::token::new_token;
use crate::config::Config;
use crate::directory::user::{Around, NewPassword, NewUser, NewUserAddress, UserFilter};
use crate::model::id::UserId;
use crate::model::profile::{Profile, ProfileUpdate, UserNumber};
use crate::server::Operations;

/// Users read from the database at a time.
const PAGE: usize = 250;

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Create a user; prints the password unless it is given on standard input
    Add {
        /// Login name
        username: String,
        /// Main address; default: the username if it is an address
        #[arg(long)]
        address: Option<String>,
        /// Name shown to people
        #[arg(long)]
        name: Option<String>,
        /// Storage in octets; default: no limit of his own
        #[arg(long, value_name = "OCTETS")]
        quota: Option<u64>,
        /// Read the password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// List users
    List,
    /// Show one user
    Show {
        /// Login name or id
        user: String,
    },
    /// Set a new password; prints it unless it is given on standard input
    Passwd {
        /// Login name or id
        user: String,
        /// Read the password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Delete a user with his addresses, mailboxes and messages
    Rm {
        /// Login name or id
        user: String,
    },
}

pub(super) fn run(config: Config, command: UserCommand, as_json: bool) -> anyhow::Result<()> {
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
    command: UserCommand,
    as_json: bool,
) -> anyhow::Result<()> {
    match command {
        UserCommand::Add { username, address, name, quota, password_stdin } => {
            let (password, made) = password(password_stdin)?;
            let mut new = NewUser::new(&username, NewPassword::Plain(password));
            if let Some(address) = address {
                new.address = NewUserAddress::Given(address);
            }
            new.update.name = name;
            new.update.numbers.extend(quota.map(|octets| (UserNumber::Quota, octets)));
            let id = operations.directory.create_user(new).await?;
            let mut value = json!({ "id": id.to_string(), "username": username });
            tell_password(&mut value, made);
            print_one(&value, as_json);
        }
        UserCommand::List => list(operations, as_json).await?,
        UserCommand::Show { user } => {
            let id = find(operations, &user).await?;
            print_one(&view(&operations.directory.load_user(id).await?), as_json);
        }
        UserCommand::Passwd { user, password_stdin } => {
            let id = find(operations, &user).await?;
            let (password, made) = password(password_stdin)?;
            let new = Some(NewPassword::Plain(password));
            operations.directory.update_user(id, ProfileUpdate::default(), new).await?;
            let mut value = json!({ "id": id.to_string() });
            tell_password(&mut value, made);
            print_one(&value, as_json);
        }
        UserCommand::Rm { user } => {
            let id = find(operations, &user).await?;
            let deletion = operations.directory.delete_user(id, None).await?;
            let value = json!({ "id": id.to_string(), "addresses": deletion.addresses });
            print_one(&value, as_json);
        }
    }
    Ok(())
}

/// The password, and the same again if it was made here and has to be told.
fn password(from_stdin: bool) -> anyhow::Result<(String, Option<String>)> {
    if !from_stdin {
        let made: String = new_token().chars().take(20).collect();
        return Ok((made.clone(), Some(made)));
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("standard input")?;
    let given = line.trim_end_matches(['\r', '\n']).to_owned();
    anyhow::ensure!(!given.is_empty(), "standard input has no password on its first line");
    Ok((given, None))
}

fn tell_password(value: &mut Value, made: Option<String>) {
    if let (Some(object), Some(made)) = (value.as_object_mut(), made) {
        object.insert("password".into(), made.into());
    }
}

/// The user of a login name or an id.
async fn find(operations: &Operations, text: &str) -> anyhow::Result<UserId> {
    if let Ok(id) = text.parse::<UserId>() {
        return Ok(operations.directory.load_user(id).await?.user.id);
    }
    let found = operations.directory.find_user_by_name(text).await?;
    found.map(|user| user.id).with_context(|| format!("no user {text:?}"))
}

async fn list(operations: &Operations, as_json: bool) -> anyhow::Result<()> {
    if !as_json {
        say(format_args!("{:<24}  {:<24}  {:<32}  {:>12}", "ID", "USERNAME", "ADDRESS", "OCTETS"));
    }
    let mut around = Around::Start;
    loop {
        let page = operations.directory.list_users(&UserFilter::default(), around, PAGE).await?;
        for profile in &page.rows {
            let user = &profile.user;
            if as_json {
                say(view(profile));
            } else {
                say(format_args!(
                    "{:<24}  {:<24}  {:<32}  {:>12}",
                    user.id, user.username, user.address, user.used_octets
                ));
            }
        }
        match page.rows.last() {
            Some(last) if page.has_more => around = Around::After(last.user.id),
            _ => return Ok(()),
        }
    }
}

fn view(profile: &Profile) -> Value {
    let user = &profile.user;
    json!({
        "id": user.id.to_string(),
        "username": user.username,
        "address": user.address,
        "used_octets": user.used_octets,
        "quota_octets": user.quota_octets,
        "disabled": user.disabled,
        "suspended": user.suspended,
    })
}

/// One object: a line of JSON, or `key: value` lines.
fn print_one(value: &Value, as_json: bool) {
    match value.as_object() {
        Some(object) if !as_json => {
            for (key, value) in object {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                say(format_args!("{key:<14} {text}"));
            }
        }
        _ => say(value),
    }
}
