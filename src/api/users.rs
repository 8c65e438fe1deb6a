//! Users: list, create, show, change, delete, resolve; passwords and quotas are in their own file.

use super::Context;
use super::access::{Grant, Resource};
use super::extract::Call;
use super::listing::{Listing, own_only};
use super::page::{PageView, Position};
use super::params::{Params, Unknown};
use super::problem::{Problem, ProblemView, RefusalView};
use super::reply::{Answer, Created, Reply, Success};
use super::user_request::{CreateUserRequest, UpdateUserRequest};
use super::user_view::{UserRow, UserView};
use crate::auth::name::{new_username, normal_address};
use crate::auth::password::is_supported;
use crate::directory::user::{Around, NewPassword, NewUser, NewUserAddress, UserFilter};
use crate::model::error::Error;
use crate::model::id::UserId;
use crate::model::profile::{ProfileUpdate, UserNumber, normal_tags};
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// Parameters of features that do not exist here yet.
const NOT_SUPPORTED: &[&str] = &[
    "targets",
    "mtaRelay",
    "pubKey",
    "smimeCerts",
    "smimeCipher",
    "smimeKeyTransport",
    "encryptMessages",
    "encryptForwarded",
    "require2faEnabled",
    "featureFlags",
];

/// A page of users.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserList {
    /// Always true.
    pub success: bool,
    /// Paging.
    #[serde(flatten)]
    pub page: PageView,
    /// The search text, as it was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The users.
    pub results: Vec<UserRow>,
}

/// List users
///
/// In order of their identifiers. A user's own token shows that user only.
#[utoipa::path(
    get, path = "/users", tag = "Users", operation_id = "listUsers",
    params(
        ("query" = Option<String>, Query, description = "Substring of address or username"),
        ("tags" = Option<String>, Query, description = "Comma list; any of these tags"),
        ("requiredTags" = Option<String>, Query, description = "Comma list; all of these tags"),
        ("metaData" = Option<bool>, Query, description = "Show metaData"),
        ("internalData" = Option<bool>, Query, description = "Show internalData"),
        ("limit" = Option<u16>, Query, description = "Rows of a page, 1 to 250", example = 20),
        ("next" = Option<String>, Query, description = "nextCursor of the page before"),
        ("previous" = Option<String>, Query, description = "previousCursor of the page after")
    ),
    responses(
        (status = 200, description = "One page", body = UserList),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView)
    )
)]
pub async fn list(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    p.session();
    let query = p.text("query", 255).optional().map(|text| text.to_lowercase());
    let Listing { tags, required_tags, with_meta, with_internal, page } = Listing::read(&mut p);
    let caller = p.finish(Unknown::Ignored)?;
    let only = own_only(&caller, Resource::UserListing)?;
    let (position, number) = page.position()?;
    let around = match &position {
        Position::Start => Around::Start,
        Position::After(key) => Around::After(cursor_id(key)?),
        Position::Before(key) => Around::Before(cursor_id(key)?),
    };
    let filter = UserFilter { query: query.clone(), tags, required_tags, only };
    let found = ctx.directory.list_users(&filter, around, page.limit).await?;
    let key = |index: Option<&crate::model::profile::Profile>| Some(index?.user.id.to_string());
    let keys = key(found.rows.first()).zip(key(found.rows.last()));
    let sees_internal = caller.sees_internal_fields();
    let rows = found.rows.iter();
    Ok(Reply::json(&UserList {
        success: true,
        page: page.view(found.total, number, keys, found.has_more),
        query,
        results: rows
            .map(|profile| UserRow::new(profile, with_meta, with_internal && sees_internal))
            .collect(),
    }))
}

fn cursor_id(key: &str) -> Result<UserId, Problem> {
    key.parse().map_err(|_| super::page::foreign_cursor())
}

/// Create a user
///
/// With his main address and default mailboxes.
#[utoipa::path(
    post, path = "/users", tag = "Users", operation_id = "createUser",
    request_body = CreateUserRequest,
    responses(
        (status = 200, description = "Created", body = Created),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 500, description = "`UserExistsError`, `AddressExistsError`", body = ProblemView)
    )
)]
pub async fn create(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    p.session();
    let rule = "must have 1 to 128 letters, digits and -, joined by single . _ = : or one @";
    let username = p.parsed("username", rule, |value| new_username(value.as_str()?).ok());
    let username = username.required();
    let hashed = p.boolean("hashedPassword").or(false);
    let password = password(&mut p, hashed);
    if password.is_none() {
        p.fail("password", "\"password\" is required");
    }
    refuse_breach_check(&mut p);
    let address = p.parsed("address", "must be an email address", |value| {
        Some(normal_address(value.as_str()?).ok()?.to_string())
    });
    let address = address.optional();
    let address = match (p.boolean("emptyAddress").or(false), address) {
        (true, _) => NewUserAddress::None,
        (false, Some(address)) => NewUserAddress::Given(address),
        (false, None) => NewUserAddress::FromUsername,
    };
    let is_temporary = p.boolean("requirePasswordChange").or(false);
    let tags_to_address = p.boolean("addTagsToAddress").or(false);
    // accepted and without effect in the reference, too (quirk)
    p.object("mailboxes").optional();
    let update = update_of(&mut p);
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize_any(Resource::Users, Grant::Create)?;
    let mut new = NewUser::new(&username, password.unwrap_or(NewPassword::None));
    new.is_temporary = is_temporary;
    new.address = address;
    new.tags_to_address = tags_to_address;
    new.update = update;
    match ctx.directory.create_user(new).await {
        Ok(id) => Ok(Reply::created(id)),
        Err(error) => {
            let exists = matches!(error, Error::AlreadyExists { .. });
            let problem = Problem::from(error);
            if !exists {
                return Err(problem);
            }
            // the reference sends 500 here, and names the user
            let problem = problem.with_status(StatusCode::INTERNAL_SERVER_ERROR);
            Err(problem.with("username", json!(username)))
        }
    }
}

/// The password; `None`: not sent. Empty text and `false` mean "none".
fn password(p: &mut Params, is_hashed: bool) -> Option<NewPassword> {
    match p.take("password")? {
        Value::Bool(false) => Some(NewPassword::None),
        Value::String(text) if text.is_empty() => Some(NewPassword::None),
        Value::String(text) if is_hashed => {
            if !is_supported(&text) {
                p.fail("password", "\"password\" must be a hash of argon2, bcrypt or pbkdf2");
            }
            Some(NewPassword::Hashed(text))
        }
        Value::String(text) if text.chars().count() <= 256 => Some(NewPassword::Plain(text)),
        _ => {
            p.fail("password", "\"password\" must be text of at most 256 characters");
            Some(NewPassword::None)
        }
    }
}

/// `allowUnsafe: false` asks for a breach check that does not exist here: refused, not ignored.
fn refuse_breach_check(p: &mut Params) {
    if p.boolean("allowUnsafe").or(true) {
        return;
    }
    p.fail("allowUnsafe", "\"allowUnsafe\" false is not supported yet");
}

/// What creating and changing have in common.
fn update_of(p: &mut Params) -> ProfileUpdate {
    p.not_supported_yet(NOT_SUPPORTED);
    let mut numbers = Vec::new();
    for number in UserNumber::EVERY {
        let high = if number == UserNumber::SpamLevel { 100 } else { i64::MAX };
        if let Some(value) = p.integer(number.name(), 0..=high).optional() {
            numbers.push((number, u64::try_from(value).unwrap_or(0)));
        }
    }
    let scopes = p.texts("disabledScopes", 16).optional();
    let known = ["imap", "pop3", "smtp"];
    if scopes.iter().flatten().any(|scope| !known.contains(&scope.as_str())) {
        p.fail("disabledScopes", "\"disabledScopes\" knows imap, pop3 and smtp");
    }
    ProfileUpdate {
        name: p.text_or_empty("name", 256).optional(),
        language: p.text("language", 20).optional(),
        numbers,
        tags: p.texts("tags", 128).optional().map(|tags| normal_tags(&tags)),
        from_whitelist: p.texts("fromWhitelist", 128).optional(),
        disabled_scopes: scopes,
        meta_data: p.json("metaData").optional(),
        internal_data: p.json("internalData").optional(),
        upload_sent_messages: p.boolean("uploadSentMessages").optional(),
        disabled: None,
        suspended: None,
    }
}

/// A user's id.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResolvedUser {
    /// Always true.
    pub success: bool,
    /// The user.
    pub id: String,
}

/// Find a user's id by his name
///
/// Dots do not count; of an address the `+label` does not either.
#[utoipa::path(
    get, path = "/users/resolve/{username}", tag = "Users", operation_id = "resolveUser",
    params(("username" = String, Path, description = "Login name")),
    responses(
        (status = 200, description = "Found", body = ResolvedUser),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`UserNotFound`", body = ProblemView)
    )
)]
pub async fn resolve(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    p.session();
    let username = p.text("username", 128).required();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize_any(Resource::Users, Grant::Read)?;
    let user = ctx.directory.find_user_by_name(&username).await?;
    let user = user.ok_or(Error::NotFound { what: "user" })?;
    Ok(Reply::json(&ResolvedUser { success: true, id: user.id.to_string() }))
}

/// Show a user
#[utoipa::path(
    get, path = "/users/{user}", tag = "Users", operation_id = "showUser",
    params(("user" = String, Path, description = "The user's id, or `me`")),
    responses(
        (status = 200, description = "The user", body = UserView),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`UserNotFound`", body = ProblemView)
    )
)]
pub async fn show(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let user = p.user();
    p.session();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Users, Grant::Read, user)?;
    let profile = ctx.directory.load_user(user).await?;
    Ok(Reply::json(&UserView::new(&profile, caller.sees_internal_fields())))
}

/// Change a user
///
/// What is not sent stays. A user's own token may change name, language, password, retention,
/// spamLevel, uploadSentMessages and metaData; anything else is dropped.
#[utoipa::path(
    put, path = "/users/{user}", tag = "Users", operation_id = "updateUser",
    params(("user" = String, Path, description = "The user's id, or `me`")),
    request_body = UpdateUserRequest,
    responses(
        (status = 200, description = "Changed", body = Success),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 500, description = "`AuthFail`, `UserNotFound`", body = ProblemView)
    )
)]
pub async fn update(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let user = p.user();
    p.session();
    p.text("protocol", 255).optional();
    let existing = p.text("existingPassword", 256).optional();
    let hashed = p.boolean("hashedPassword").or(false);
    let mut password = password(&mut p, hashed);
    refuse_breach_check(&mut p);
    p.not_supported_yet(&["disable2fa"]);
    let mut change = update_of(&mut p);
    change.disabled = p.boolean("disabled").optional();
    change.suspended = p.boolean("suspended").optional();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Users, Grant::Update, user)?;
    if !caller.sees_internal_fields() {
        change = own_changes(change);
        if matches!(password, Some(NewPassword::Hashed(_))) {
            // §0.4: not among a user's own fields, so the text is a password like any other
            let plain = |new| match new {
                NewPassword::Hashed(text) => NewPassword::Plain(text),
                other => other,
            };
            password = password.map(plain);
        }
    }
    if let Some(existing) = existing
        && !ctx.authenticator.is_password(user, &existing).await.map_err(update_problem)?
    {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        return Err(Problem::new(status, "AuthFail", "Invalid existing password"));
    }
    let sets_password = password.is_some();
    ctx.directory.update_user(user, change, password).await.map_err(update_problem)?;
    if let Some(token) = caller.token().filter(|_| sets_password && caller.user() == Some(user)) {
        ctx.tokens.renew(user, token).await?;
    }
    Ok(Reply::success())
}

/// Of a change, what a user may do to himself (§0.4 note 1).
fn own_changes(change: ProfileUpdate) -> ProfileUpdate {
    let own = [UserNumber::Retention, UserNumber::SpamLevel];
    let numbers = change.numbers.into_iter().filter(|(number, _)| own.contains(number));
    ProfileUpdate {
        name: change.name,
        language: change.language,
        numbers: numbers.collect(),
        meta_data: change.meta_data,
        upload_sent_messages: change.upload_sent_messages,
        ..ProfileUpdate::default()
    }
}

/// The reference sends 500 where the user to change does not exist.
fn update_problem(error: Error) -> Problem {
    let is_missing = matches!(error, Error::NotFound { .. });
    let problem = Problem::from(error);
    if is_missing { problem.with_status(StatusCode::INTERNAL_SERVER_ERROR) } else { problem }
}

/// A deletion that was accepted.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeletedUser {
    /// Always true.
    pub success: bool,
    /// `TaskScheduled`
    pub code: &'static str,
    /// The user.
    pub user: String,
    /// What became of his addresses.
    pub addresses: DeletedAddresses,
    /// Always false: the mailboxes are removed at once.
    pub delete_after: bool,
    /// The task that removes the mailboxes.
    pub task: String,
}

/// Addresses of a deleted user.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeletedAddresses {
    /// How many are free again.
    pub deleted: u64,
}

/// Delete a user
///
/// He and his addresses are gone at once, his mailboxes a little later. Repeating it is a success.
#[utoipa::path(
    delete, path = "/users/{user}", tag = "Users", operation_id = "deleteUser",
    params(("user" = String, Path, description = "The user's id")),
    responses(
        (status = 200, description = "Deleted", body = DeletedUser),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView)
    )
)]
pub async fn delete(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let user = p.user();
    p.session();
    // a delayed purge would have to be restorable
    let later =
        p.take("deleteAfter").filter(|value| super::params::boolean_of(value) != Some(false));
    let later = later.filter(|value| value.as_str() != Some(""));
    if later.is_some_and(|at| super::params::date_of(&at).is_none_or(|at| at > ctx.clock.now_ms()))
    {
        p.fail("deleteAfter", "\"deleteAfter\" in the future is not supported yet");
    }
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Users, Grant::Delete, user)?;
    let deletion = ctx.directory.delete_user(user).await?;
    Ok(Reply::json(&DeletedUser {
        success: true,
        code: "TaskScheduled",
        user: user.to_string(),
        addresses: DeletedAddresses { deleted: deletion.addresses },
        delete_after: false,
        task: deletion.task.to_string(),
    }))
}
