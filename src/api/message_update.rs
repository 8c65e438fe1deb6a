//! Flagging, moving and deleting messages (`reference/http-api.md`, Messages).

use super::Context;
use super::access::{Grant, Resource};
use super::extract::Call;
use super::params::{Params, Unknown, date_of};
use super::problem::{Problem, ProblemView};
use super::reply::{Answer, Reply};
use super::search::ScheduledView;
use crate::mailstore::Mailstore;
use crate::mailstore::fetch::Fields;
use crate::mailstore::marks::Mark;
use crate::mailstore::retention::Notes;
use crate::model::error::{Error, Result};
use crate::model::flag::{Flag, FlagChange, FlagSet};
use crate::model::id::{MailboxId, UserId};
use crate::model::search::Query;
use crate::model::uid::{Uid, UidSet};
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// UIDs that are looked up one by one; for larger sets the mailbox's view is asked.
const LOOKUPS_MAX: u64 = 1000;

/// What an update does.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes the body; `Params` reads it")]
pub struct UpdateMessagesRequest {
    /// UID, list `1,4,9`, or range `3:7`, `3:*`; in the path or here.
    message: Option<String>,
    /// Mailbox id to move to.
    move_to: Option<String>,
    /// Set or clear `\Seen`.
    seen: Option<bool>,
    /// Set or clear `\Deleted`.
    deleted: Option<bool>,
    /// Set or clear `\Flagged`.
    flagged: Option<bool>,
    /// Set or clear `\Draft`.
    draft: Option<bool>,
    /// Tell that it is no spam.
    mark_ham: Option<bool>,
    /// When the messages are removed; false: never.
    #[schema(value_type = Option<String>)]
    expires: Option<Value>,
    /// The caller's own data; replaces what was there.
    #[schema(value_type = Option<Object>)]
    meta_data: Option<Value>,
    /// All messages of the same threads in the mailbox as well; only with flags and moves.
    update_thread: Option<bool>,
}

/// How many messages were updated.
#[derive(Debug, Serialize, ToSchema)]
pub struct UpdatedView {
    /// Always true.
    pub success: bool,
    /// Messages.
    pub updated: u64,
}

/// Where messages were moved.
#[derive(Debug, Serialize, ToSchema)]
pub struct MovedView {
    /// Always true.
    pub success: bool,
    /// The target mailbox.
    pub mailbox: String,
    /// Old and new UIDs.
    pub id: Vec<(Uid, Uid)>,
}

/// How many messages were deleted.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeletedView {
    /// Always true.
    pub success: bool,
    /// Messages.
    pub deleted: u64,
    /// Messages that could not be deleted.
    pub errors: u64,
}

/// A read update.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Update {
    uids: UidSet,
    target: Option<MailboxId>,
    set: u8,
    cleared: u8,
    is_ham: bool,
    notes: Notes,
    has_threads: bool,
}

impl Update {
    fn read(params: &mut Params) -> Self {
        let (mut set, mut cleared) = (0, 0);
        let flags = [
            ("seen", Flag::Seen),
            ("deleted", Flag::Deleted),
            ("flagged", Flag::Flagged),
            ("draft", Flag::Draft),
        ];
        for (name, flag) in flags {
            match params.boolean(name).optional() {
                Some(true) => set |= flag.bit(),
                Some(false) => cleared |= flag.bit(),
                None => {}
            }
        }
        let is_ham = params.boolean("markHam").or(false);
        let notes = Notes {
            meta: params.json("metaData").optional(),
            expires_ms: params.parsed("expires", "must be a date or false", expiry_of).optional(),
        };
        let uids = params.uid_set("message").required();
        let target = params.id("moveTo").optional();
        if target.is_none() && params.has("moveTo") {
            params.fail("moveTo", "\"moveTo\" is not allowed to be empty");
        }
        let has_threads = params.boolean("updateThread").or(false);
        if has_threads && (notes != Notes::default() || (set | cleared) & Flag::Draft.bit() != 0) {
            let text = "\"updateThread\" goes with seen, flagged, deleted and moveTo only";
            params.fail("updateThread", text);
        }
        Self { uids, target, set, cleared, is_ham, notes, has_threads }
    }

    /// Whoever flags a message wants it.
    fn marks_ham(&self) -> bool {
        self.is_ham || self.set & Flag::Flagged.bit() != 0
    }

    fn changes_something(&self) -> bool {
        let has_notes = self.notes != Notes::default();
        self.target.is_some() || self.set | self.cleared != 0 || self.is_ham || has_notes
    }
}

/// A date, or false (and its spellings, but for the numbers, which are dates) for never.
fn expiry_of(value: &Value) -> Option<Option<i64>> {
    let is_never = match value {
        Value::Bool(value) => !value,
        Value::String(text) => {
            matches!(text.to_ascii_lowercase().as_str(), "false" | "no" | "n" | "off")
        }
        _ => false,
    };
    if is_never { Some(None) } else { date_of(value).map(Some) }
}

/// Update messages
///
/// Changes flags of messages, or moves them; with both, the flags are changed first.
#[utoipa::path(
    put, path = "/users/{user}/mailboxes/{mailbox}/messages/{message}",
    tag = "Messages", operation_id = "updateMessage",
    params(
        ("user" = String, Path, description = "User id, or `me`"),
        ("mailbox" = String, Path, description = "Mailbox id"),
        ("message" = String, Path, description = "UID, list `1,4,9`, or range `3:7`, `3:*`")
    ),
    request_body = UpdateMessagesRequest,
    responses(
        (status = 200, description = "Updated; with `moveTo` the answer has `mailbox` and `id`",
            body = UpdatedView),
        (status = 404, description = "`MessageNotFound`", body = ProblemView)
    )
)]
pub async fn update(State(ctx): State<Context>, call: Call) -> Answer {
    run_update(&ctx, call).await
}

/// Update many messages
///
/// The same with the UIDs in the body, for long lists.
#[utoipa::path(
    put, path = "/users/{user}/mailboxes/{mailbox}/messages",
    tag = "Messages", operation_id = "updateMessages",
    params(
        ("user" = String, Path, description = "User id, or `me`"),
        ("mailbox" = String, Path, description = "Mailbox id")
    ),
    request_body = UpdateMessagesRequest,
    responses(
        (status = 200, description = "Updated, or moved if `moveTo` was given", body = MovedView),
        (status = 404, description = "`MessageNotFound`", body = ProblemView)
    )
)]
pub async fn update_many(State(ctx): State<Context>, call: Call) -> Answer {
    run_update(&ctx, call).await
}

async fn run_update(ctx: &Context, mut call: Call) -> Answer {
    let params = &mut call.params;
    let (user, mailbox) = (params.user(), params.id("mailbox").required());
    // who may not is told so, whatever else is wrong
    ctx.authorize(params.caller(), Resource::Messages, Grant::Update, user)?;
    let update = Update::read(params);
    params.session();
    call.params.finish(Unknown::Rejected)?;
    if !update.changes_something() {
        return Err(uncoded(StatusCode::INTERNAL_SERVER_ERROR, "Nothing was changed"));
    }
    if let Some(target) = update.target
        && ctx.mailstore.find_mailbox(user, target).await?.is_none()
    {
        let text = "The target mailbox does not exist";
        return Err(uncoded(StatusCode::INTERNAL_SERVER_ERROR, text));
    }
    let mut uids = existing(&ctx.mailstore, user, mailbox, &update.uids).await?;
    if uids.is_empty() {
        return Err(Error::NotFound { what: "message" }.into());
    }
    if update.has_threads {
        uids = with_threads(&ctx.mailstore, user, mailbox, &uids).await?;
    }
    for (bits, is_set) in [(update.set, true), (update.cleared, false)] {
        let flags = FlagSet::new(bits, Vec::new());
        let change = if is_set { FlagChange::Add(flags) } else { FlagChange::Remove(flags) };
        if bits != 0 {
            ctx.mailstore.store_flags(user, mailbox, &uids, &change, None).await?;
        }
    }
    if update.notes != Notes::default() {
        ctx.mailstore.annotate(user, mailbox, &uids, &update.notes).await?;
    }
    let Some(target) = update.target else {
        if update.marks_ham() {
            ctx.mailstore.mark(user, mailbox, uids.clone(), Mark::Ham);
        }
        return Ok(Reply::json(&UpdatedView { success: true, updated: uids.len() }));
    };
    let moved = ctx.mailstore.move_messages(user, mailbox, &uids, target).await?;
    if moved.uids.is_empty() {
        return Err(Error::NotFound { what: "message" }.into());
    }
    if update.marks_ham() {
        let uids = moved.uids.iter().map(|pair| pair.1).collect();
        ctx.mailstore.mark(user, target, uids, Mark::Ham);
    }
    Ok(Reply::json(&MovedView { success: true, mailbox: target.to_string(), id: moved.uids }))
}

/// The UIDs of a set that exist in the mailbox; empty if there is no such mailbox.
async fn existing(
    mailstore: &Mailstore,
    user: UserId,
    mailbox: MailboxId,
    uids: &UidSet,
) -> Result<UidSet> {
    if uids.len() > LOOKUPS_MAX {
        let view = match mailstore.view(user, mailbox).await {
            Err(Error::NotFound { .. }) => return Ok(UidSet::new()),
            view => view?,
        };
        return Ok(view.refresh().await?.uids.intersection(uids));
    }
    let mut stream = mailstore.fetch(user, mailbox, uids, Fields::default()).await?;
    let mut found = UidSet::new();
    while let Some(message) = stream.next().await? {
        found.insert(message.row.uid);
    }
    Ok(found)
}

/// The UIDs, and those of the messages in the same threads and mailbox.
async fn with_threads(
    mailstore: &Mailstore,
    user: UserId,
    mailbox: MailboxId,
    uids: &UidSet,
) -> Result<UidSet> {
    let mut stream = mailstore.fetch(user, mailbox, uids, Fields::default()).await?;
    let mut threads = BTreeSet::new();
    while let Some(message) = stream.next().await? {
        threads.insert(message.thread);
    }
    let threads = threads.into_iter().map(Query::Thread).collect();
    let query = Query::All(vec![Query::Mailbox(mailbox), Query::Any(threads)]);
    let found = mailstore.find_all(user, &query).await?;
    Ok(found.iter().map(|found| found.uid).collect::<UidSet>().union(uids))
}

/// `{error}` without a code.
fn uncoded(status: StatusCode, text: &str) -> Problem {
    let mut body = Map::new();
    body.insert("error".into(), Value::String(text.to_owned()));
    Problem { status, body }
}

/// Delete a message
///
/// Removes the message at once, into the archive; this is not a move to Trash.
#[utoipa::path(
    delete, path = "/users/{user}/mailboxes/{mailbox}/messages/{message}",
    tag = "Messages", operation_id = "deleteMessage",
    params(
        ("user" = String, Path, description = "User id, or `me`"),
        ("mailbox" = String, Path, description = "Mailbox id"),
        ("message" = u32, Path, description = "UID"),
        ("updateThread" = Option<bool>, Query,
            description = "All messages of its thread in the mailbox")
    ),
    responses(
        (status = 200, description = "Deleted", body = DeletedView),
        (status = 404, description = "`MessageNotFound`, `NoSuchMailbox`", body = ProblemView)
    )
)]
pub async fn delete(State(ctx): State<Context>, mut call: Call) -> Answer {
    let params = &mut call.params;
    let (user, mailbox) = (params.user(), params.id("mailbox").required());
    let uid = params.uid("message").required();
    params.session();
    let has_threads = params.boolean("updateThread").or(false);
    let caller = call.params.finish(Unknown::Rejected)?;
    ctx.authorize(&caller, Resource::Messages, Grant::Delete, user)?;
    let (mailstore, named) = (&ctx.mailstore, UidSet::from_range(uid, uid));
    if existing(mailstore, user, mailbox, &named).await?.is_empty() {
        let has_mailbox = mailstore.find_mailbox(user, mailbox).await?.is_some();
        let what = if has_mailbox { "message" } else { "mailbox" };
        return Err(Error::NotFound { what }.into());
    }
    let along = match has_threads {
        true => with_threads(mailstore, user, mailbox, &named).await?.difference(&named),
        false => UidSet::new(),
    };
    let mut deleted = mailstore.remove(user, mailbox, &named).await?.len();
    if deleted == 0 {
        return Err(Error::NotFound { what: "message" }.into());
    }
    if !along.is_empty() {
        deleted += mailstore.remove_along(user, mailbox, &along).await?.len();
    }
    Ok(Reply::json(&DeletedView { success: true, deleted, errors: 0 }))
}

/// Delete all messages of a mailbox
///
/// Removes them at once, or by a task; into the archive, or for good.
#[utoipa::path(
    delete, path = "/users/{user}/mailboxes/{mailbox}/messages",
    tag = "Messages", operation_id = "deleteMessages",
    params(
        ("user" = String, Path, description = "User id, or `me`"),
        ("mailbox" = String, Path, description = "Mailbox id"),
        ("async" = Option<bool>, Query, description = "By a task; then the answer names it"),
        ("skipArchive" = Option<bool>, Query, description = "For good: they cannot be restored")
    ),
    responses(
        (status = 200, description = "Deleted; with `async` the answer has `existing` and \
            `scheduled`", body = DeletedView),
        (status = 404, description = "`NoSuchMailbox`", body = ProblemView)
    )
)]
pub async fn delete_all(State(ctx): State<Context>, mut call: Call) -> Answer {
    let params = &mut call.params;
    let (user, mailbox) = (params.user(), params.id("mailbox").required());
    let is_async = params.boolean("async").or(false);
    let skips_archive = params.boolean("skipArchive").or(false);
    params.session();
    let caller = call.params.finish(Unknown::Rejected)?;
    ctx.authorize(&caller, Resource::Messages, Grant::Delete, user)?;
    if ctx.mailstore.find_mailbox(user, mailbox).await?.is_none() {
        return Err(Error::NotFound { what: "mailbox" }.into());
    }
    if is_async {
        let (task, existing) = ctx.mailstore.defer_clear(user, mailbox, !skips_archive).await?;
        let scheduled = task.to_string();
        return Ok(Reply::json(&ScheduledView { success: true, existing, scheduled }));
    }
    let all = UidSet::from_range(1, Uid::MAX);
    let removed = match skips_archive {
        true => ctx.mailstore.remove_for_good(user, mailbox, &all).await?,
        false => ctx.mailstore.remove(user, mailbox, &all).await?,
    };
    Ok(Reply::json(&DeletedView { success: true, deleted: removed.len(), errors: 0 }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::access::Caller;
    use serde_json::json;
    use std::collections::BTreeMap;

    fn read(values: Value) -> (Update, bool) {
        let Value::Object(values) = values else { panic!("an object") };
        let mut params = Params::new(Caller::root(), values, BTreeMap::new(), None);
        let update = Update::read(&mut params);
        (update, params.finish(Unknown::Rejected).is_ok())
    }

    #[test]
    fn updates_are_read() {
        let (update, is_valid) = read(json!({"message": "1:3", "seen": "yes", "draft": 0}));
        assert!(is_valid);
        assert_eq!((update.set, update.cleared), (Flag::Seen.bit(), Flag::Draft.bit()));
        assert_eq!(update.uids.to_string(), "1:3");
        let notes = |values: Value| read(values).0.notes.expires_ms;
        assert_eq!(notes(json!({"message": "1", "expires": "1970-01-02"})), Some(Some(86_400_000)));
        assert_eq!(notes(json!({"message": "1", "expires": "false"})), Some(None));
        assert_eq!(notes(json!({"message": "1"})), None);
        assert!(!read(json!({"message": "1", "expires": "soon"})).1);
        assert!(read(json!({"message": "1", "markHam": true})).0.changes_something());
        assert!(!read(json!({"message": "1", "markHam": false})).0.changes_something());
        assert!(!read(json!({"message": "0", "seen": true})).1);
        assert!(!read(json!({"seen": true})).1);
        assert!(!read(json!({"message": "1", "moveTo": "x"})).1);
    }
}
