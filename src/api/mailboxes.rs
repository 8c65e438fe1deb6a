//! Mailboxes (`reference/http-api.md`, Mailboxes).

use super::Context;
use super::access::{Grant, Resource};
use super::extract::Call;
use super::mailbox_view::{self, MailboxList, MailboxShown};
use super::params::{Params, Unknown};
use super::problem::{Problem, ProblemView};
use super::reply::{Answer, Created, Reply, Success};
use crate::mailstore::Mailstore;
use crate::mailstore::mailbox::{MailboxUpdate, NewMailbox};
use crate::model::error::{Error, Result};
use crate::model::id::{MailboxId, UserId};
use crate::model::limits::{MAILBOX_LEVEL_CHARS_MAX, MAILBOX_LEVELS_MAX};
use crate::model::mailbox::{DELIMITER, Mailbox, MailboxName};
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value};
use unicode_normalization::UnicodeNormalization as _;
use utoipa::ToSchema;

/// Characters of a path.
const PATH_CHARS_MAX: usize = 65_663;

/// A mailbox to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes the body; `Params` reads it")]
pub struct CreateMailboxRequest {
    /// Name with `/` between levels.
    #[schema(example = "Projects/Eider")]
    path: String,
    /// Not shown over IMAP.
    hidden: Option<bool>,
    /// Milliseconds messages are kept.
    retention: Option<u64>,
    /// What is stored there is encrypted with the user's key.
    encrypt_messages: Option<bool>,
}

/// Changes of a mailbox.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes the body; `Params` reads it")]
pub struct UpdateMailboxRequest {
    /// New name; mailboxes below keep theirs.
    path: Option<String>,
    /// Milliseconds messages are kept; 0: for ever.
    retention: Option<u64>,
    /// Subscribed.
    subscribed: Option<bool>,
    /// Not shown over IMAP.
    hidden: Option<bool>,
    /// What is stored there is encrypted with the user's key.
    encrypt_messages: Option<bool>,
}

/// The name in `path`, normalised; depth and length are parts of its syntax.
fn name_of(params: &mut Params) -> Option<MailboxName> {
    let path: String = params.text("path", PATH_CHARS_MAX).optional()?.nfc().collect();
    let name = match path_failure(&path) {
        Some(failure) => Err(failure),
        None => MailboxName::new(&path)
            .map_err(|error| error.to_string().replacen("mailbox:", "\"path\":", 1)),
    };
    name.map_err(|failure| params.fail("path", failure)).ok()
}

/// What is wrong with a path, in the words that clients show.
fn path_failure(path: &str) -> Option<String> {
    if path.contains("//") || path.ends_with(DELIMITER) {
        let pattern = r"/\/{2,}|\/$/";
        return Some(format!(
            "\"path\" with value \"{path}\" matches the inverted pattern: {pattern}"
        ));
    }
    let path = path.strip_prefix(DELIMITER).unwrap_or(path);
    if path.split(DELIMITER).count() > MAILBOX_LEVELS_MAX {
        let max = MAILBOX_LEVELS_MAX;
        return Some(format!("The mailbox path cannot be more than {max} levels deep"));
    }
    if path.split(DELIMITER).any(|level| level.chars().count() > MAILBOX_LEVEL_CHARS_MAX) {
        let max = MAILBOX_LEVEL_CHARS_MAX;
        return Some(format!(
            "Any part of the mailbox path cannot be longer than {max} chars long"
        ));
    }
    None
}

fn disallowed(text: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "DisallowedMailboxMethod", text)
}

/// A mailbox, or 404 `NoSuchMailbox`.
async fn load(mailstore: &Mailstore, user: UserId, mailbox: MailboxId) -> Result<Mailbox> {
    let found = mailstore.find_mailbox(user, mailbox).await?;
    found.ok_or(Error::NotFound { what: "mailbox" })
}

/// 404 `UserNotFound` unless the user has an inbox, which every user has.
pub async fn check_user(mailstore: &Mailstore, user: UserId) -> Result<()> {
    let inbox = mailstore.find_mailbox_by_name(user, &MailboxName::inbox()).await?;
    inbox.map(|_| ()).ok_or(Error::NotFound { what: "user" })
}

/// List mailboxes
///
/// INBOX and what is below it, then subscribed mailboxes, then by name. Not paginated.
#[utoipa::path(
    get, path = "/users/{user}/mailboxes", tag = "Mailboxes", operation_id = "listMailboxes",
    params(
        ("user" = String, Path, description = "User id, or `me`"),
        ("specialUse" = Option<bool>, Query, description = "Only INBOX and special-use mailboxes"),
        ("showHidden" = Option<bool>, Query, description = "Hidden mailboxes too"),
        ("counters" = Option<bool>, Query, description = "With `total` and `unseen`"),
        ("sizes" = Option<bool>, Query, description = "With `size` in octets")
    ),
    responses(
        (status = 200, description = "The mailboxes", body = MailboxList),
        (status = 404, description = "`UserNotFound`", body = ProblemView)
    )
)]
pub async fn list(State(ctx): State<Context>, mut call: Call) -> Answer {
    let params = &mut call.params;
    let user = params.user();
    let is_special_only = params.boolean("specialUse").or(false);
    let shows_hidden = params.boolean("showHidden").or(false);
    let with_counts = params.boolean("counters").or(false);
    let with_sizes = params.boolean("sizes").or(false);
    params.session();
    let caller = call.params.finish(Unknown::Rejected)?;
    ctx.authorize(&caller, Resource::Mailboxes, Grant::Read, user)?;
    let mut mailboxes = ctx.mailstore.list_mailboxes(user).await?;
    if mailboxes.is_empty() {
        return Err(Error::NotFound { what: "user" }.into());
    }
    mailboxes.retain(|mailbox| shows_hidden || !mailbox.hidden);
    mailboxes.retain(|mailbox| {
        !is_special_only || mailbox.special_use.is_some() || mailbox.name.is_inbox()
    });
    mailbox_view::sort(&mut mailboxes);
    let kept_ms = ctx.mailstore.user_retention_ms(user).await?;
    let view = |mailbox: &Mailbox| mailbox_view::view(mailbox, kept_ms, with_counts, with_sizes);
    Ok(Reply::json(&MailboxList { success: true, results: mailboxes.iter().map(view).collect() }))
}

/// Create a mailbox
///
/// Mailboxes above it are not created.
#[utoipa::path(
    post, path = "/users/{user}/mailboxes", tag = "Mailboxes", operation_id = "createMailbox",
    params(("user" = String, Path, description = "User id, or `me`")),
    request_body = CreateMailboxRequest,
    responses(
        (status = 200, description = "Created", body = Created),
        (status = 400, description = "`MailboxExistsError`, `DisallowedMailboxMethod`",
            body = ProblemView),
        (status = 404, description = "`UserNotFound`", body = ProblemView)
    )
)]
pub async fn create(State(ctx): State<Context>, mut call: Call) -> Answer {
    let params = &mut call.params;
    let user = params.user();
    // who may not is told so, whatever else is wrong
    ctx.authorize(params.caller(), Resource::Mailboxes, Grant::Create, user)?;
    let name = name_of(params);
    if name.is_none() {
        params.fail("path", "\"path\" is required");
    }
    let hidden = params.boolean("hidden").or(false);
    let retention_ms = params.count("retention").optional();
    let encrypt_messages = params.boolean("encryptMessages").or(false);
    params.session();
    call.params.finish(Unknown::Rejected)?;
    let Some(name) = name else { return Err(Problem::invalid("path", "\"path\" is required")) };
    check_user(&ctx.mailstore, user).await?;
    let new = NewMailbox {
        name,
        special_use: None,
        subscribed: true,
        hidden,
        encrypt_messages,
        retention_ms,
    };
    let mailbox = ctx.mailstore.create_mailbox(user, new).await.map_err(name_problem)?;
    Ok(Reply::created(mailbox.id))
}

/// Errors of naming a mailbox have codes of their own.
fn name_problem(error: Error) -> Problem {
    match error {
        Error::LimitReached { limit } => disallowed(&format!("Limit reached: {limit}")),
        Error::Invalid { reason, .. } => disallowed(&reason),
        error => error.into(),
    }
}

/// A refusal in the words of the reference, which clients show: what failed, and the code.
fn failed(what: &str, error: Error) -> Problem {
    let mut problem = name_problem(error);
    if let Some(code) = problem.code() {
        let text = format!("Mailbox {what} failed with code {code}");
        problem.body.insert("error".into(), Value::String(text));
    }
    problem
}

/// Mailbox details
///
/// By id, or by name with `resolve` instead of the id and the name in `path`.
#[utoipa::path(
    get, path = "/users/{user}/mailboxes/{mailbox}", tag = "Mailboxes",
    operation_id = "showMailbox",
    params(
        ("user" = String, Path, description = "User id, or `me`"),
        ("mailbox" = String, Path, description = "Mailbox id, or `resolve`"),
        ("path" = Option<String>, Query, description = "Name, with `resolve`")
    ),
    responses(
        (status = 200, description = "The mailbox", body = MailboxShown),
        (status = 404, description = "`NoSuchMailbox`", body = ProblemView)
    )
)]
pub async fn show(State(ctx): State<Context>, mut call: Call) -> Answer {
    let params = &mut call.params;
    let user = params.user();
    let name = name_of(params);
    let asked = params.text("mailbox", 24).required();
    let id = asked.to_ascii_lowercase().parse::<MailboxId>().ok();
    let is_resolve = asked == "resolve";
    if id.is_none() && !is_resolve {
        params.fail("mailbox", "\"mailbox\" must be 24 hexadecimal digits");
    }
    if is_resolve && name.is_none() {
        params.fail("path", "\"path\" is required");
    }
    params.session();
    let caller = call.params.finish(Unknown::Rejected)?;
    ctx.authorize(&caller, Resource::Mailboxes, Grant::Read, user)?;
    let found = match (id, name) {
        (Some(id), _) => ctx.mailstore.find_mailbox(user, id).await?,
        (None, Some(name)) => ctx.mailstore.find_mailbox_by_name(user, &name).await?,
        (None, _) => None,
    };
    let Some(mailbox) = found else {
        check_user(&ctx.mailstore, user).await?;
        return Err(Error::NotFound { what: "mailbox" }.into());
    };
    let kept_ms = ctx.mailstore.user_retention_ms(user).await?;
    let mut mailbox = mailbox_view::view(&mailbox, kept_ms, true, false);
    // 0 for ever: lists leave it out, details do not
    mailbox.retention.get_or_insert(0);
    Ok(Reply::json(&MailboxShown { success: true, mailbox }))
}

/// Update a mailbox
///
/// Renames it or changes its settings. A rename leaves mailboxes below it where they are.
#[utoipa::path(
    put, path = "/users/{user}/mailboxes/{mailbox}", tag = "Mailboxes",
    operation_id = "updateMailbox",
    params(
        ("user" = String, Path, description = "User id, or `me`"),
        ("mailbox" = String, Path, description = "Mailbox id")
    ),
    request_body = UpdateMailboxRequest,
    responses(
        (status = 200, description = "Updated", body = Success),
        (status = 400, description = "`MailboxExistsError`, `DisallowedMailboxMethod`",
            body = ProblemView),
        (status = 404, description = "`NoSuchMailbox`", body = ProblemView)
    )
)]
pub async fn update(State(ctx): State<Context>, mut call: Call) -> Answer {
    let params = &mut call.params;
    let (user, id) = (params.user(), params.id("mailbox").required());
    let name = name_of(params);
    let change = MailboxUpdate {
        subscribed: params.boolean("subscribed").optional(),
        hidden: params.boolean("hidden").optional(),
        encrypt_messages: params.boolean("encryptMessages").optional(),
        retention_ms: params.count("retention").optional(),
    };
    params.session();
    let caller = call.params.finish(Unknown::Rejected)?;
    ctx.authorize(&caller, Resource::Mailboxes, Grant::Update, user)?;
    let has_settings = change.subscribed.is_some()
        || change.hidden.is_some()
        || change.encrypt_messages.is_some()
        || change.retention_ms.is_some();
    if name.is_none() && !has_settings {
        let mut body = Map::new();
        body.insert("error".into(), Value::String("Nothing was changed".into()));
        return Err(Problem { status: StatusCode::BAD_REQUEST, body });
    }
    let mailbox = load(&ctx.mailstore, user, id).await.map_err(|error| failed("update", error))?;
    if let Some(name) = name {
        rename(&ctx.mailstore, user, &mailbox, &name).await?;
    }
    if has_settings {
        ctx.mailstore.update_mailbox(user, id, change).await?;
    }
    Ok(Reply::success())
}

async fn rename(
    mailstore: &Mailstore,
    user: UserId,
    mailbox: &Mailbox,
    to: &MailboxName,
) -> Result<(), Problem> {
    if mailbox.name == *to {
        return Ok(());
    }
    if mailbox.name.is_inbox() || mailbox.hidden {
        return Err(failed("update", Error::invalid("mailbox", "it keeps its name")));
    }
    mailstore.rename_mailbox(user, mailbox.id, to, false).await.map_err(name_problem)
}

/// Delete a mailbox
///
/// With its messages; mailboxes below it stay.
#[utoipa::path(
    delete, path = "/users/{user}/mailboxes/{mailbox}", tag = "Mailboxes",
    operation_id = "deleteMailbox",
    params(
        ("user" = String, Path, description = "User id, or `me`"),
        ("mailbox" = String, Path, description = "Mailbox id")
    ),
    responses(
        (status = 200, description = "Deleted", body = Success),
        (status = 400, description = "`DisallowedMailboxMethod`", body = ProblemView),
        (status = 404, description = "`NoSuchMailbox`", body = ProblemView)
    )
)]
pub async fn delete(State(ctx): State<Context>, mut call: Call) -> Answer {
    let params = &mut call.params;
    let (user, id) = (params.user(), params.id("mailbox").required());
    params.session();
    let caller = call.params.finish(Unknown::Rejected)?;
    ctx.authorize(&caller, Resource::Mailboxes, Grant::Delete, user)?;
    let mailbox =
        load(&ctx.mailstore, user, id).await.map_err(|error| failed("deletion", error))?;
    if mailbox.name.is_inbox() || mailbox.special_use.is_some() || mailbox.hidden {
        return Err(failed("deletion", Error::invalid("mailbox", "it stays")));
    }
    ctx.mailstore.delete_mailbox(user, id).await?;
    Ok(Reply::success())
}
