//! Users: list, create, show, change, resolve; what else is done to them is in files of its own.

use super::Context;
use super::access::{Grant, Resource};
use super::extract::Call;
use super::listing::{Listing, own_only};
use super::page::{PageView, Position};
use super::params::{Params, Unknown};
use super::problem::{Problem, ProblemView, RefusalView};
use super::reply::{Answer, Created, Reply, Success};
use super::user_fields::{OWN_FIELDS, password, refuse_breached, update_of, wants_breach_check};
use super::user_request::{CreateUserRequest, UpdateUserRequest};
use super::user_view::{UserRow, UserView, limits};
use crate::auth::log::AuthEvent;
use crate::auth::name::{new_username, normal_address};
use crate::directory::user::{Around, NewPassword, NewUser, NewUserAddress, UserFilter};
use crate::model::error::Error;
use crate::model::id::UserId;
use crate::model::principal::Role;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use utoipa::ToSchema;

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
        ("forward" = Option<String>, Query, description = "Substring of a target"),
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
    let forward = p.text("forward", 255).optional().map(|text| text.to_lowercase());
    let Listing { tags, required_tags, with_meta, with_internal, page } = Listing::read(&mut p);
    let caller = p.finish(Unknown::Ignored)?;
    let only = own_only(&caller, Resource::UserListing)?;
    let (position, number) = page.position()?;
    let around = match &position {
        Position::Start => Around::Start,
        Position::After(key) => Around::After(cursor_id(key)?),
        Position::Before(key) => Around::Before(cursor_id(key)?),
    };
    let filter = UserFilter { query: query.clone(), forward, tags, required_tags, only };
    let found = ctx.directory.list_users(&filter, around, page.limit).await?;
    let key = |index: Option<&crate::model::profile::Profile>| Some(index?.user.id.to_string());
    let keys = key(found.rows.first()).zip(key(found.rows.last()));
    let sees_internal = caller.sees_internal_fields();
    let rows = found.rows.iter();
    let quota = ctx.directory.default_quota().await?;
    Ok(Reply::json(&UserList {
        success: true,
        page: page.view(found.total, number, keys, found.has_more),
        query,
        results: rows
            .map(|profile| UserRow::new(profile, quota, with_meta, with_internal, sees_internal))
            .collect(),
    }))
}

/// What a username is.
const USERNAME_RULE: &str =
    "must have 1 to 128 letters, digits and -, joined by single . _ = : or one @";

/// Names of the first mailboxes: checked, and otherwise without effect, as in the reference.
fn mailbox_names(p: &mut Params) {
    let names = p.object("mailboxes").optional().unwrap_or_default();
    let mut seen = BTreeSet::new();
    for name in names.values().filter_map(Value::as_str) {
        if !seen.insert(name.to_lowercase()) {
            p.fail("mailboxes", format!("Two mailboxes have the name {name:?}"));
        }
    }
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
        (status = 403, description = "Not permitted, no valid token, `InsecurePasswordError`",
            body = RefusalView),
        (status = 500, description = "`UserExistsError`, `AddressExistsError`", body = ProblemView)
    )
)]
pub async fn create(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let session = p.session();
    let username = p.parsed("username", USERNAME_RULE, |value| new_username(value.as_str()?).ok());
    let username = username.required();
    let hashed = p.boolean("hashedPassword").or(false);
    let password = password(&mut p, hashed);
    if password.is_none() {
        p.fail("password", "\"password\" is required");
    }
    let checks = wants_breach_check(&mut p, ctx.breaches.is_some());
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
    mailbox_names(&mut p);
    let update = update_of(&mut p, ctx.clock.now_ms());
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize_any(Resource::Users, Grant::Create)?;
    refuse_breached(ctx.breaches.as_deref().filter(|_| checks), password.as_ref()).await?;
    let mut new = NewUser::new(&username, password.unwrap_or(NewPassword::None));
    new.is_temporary = is_temporary;
    new.address = address;
    new.tags_to_address = tags_to_address;
    new.update = update;
    match ctx.directory.create_user(new).await {
        Ok(id) => {
            ctx.authenticator.log(id, session.event("account created"));
            Ok(Reply::created(id))
        }
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
    let username = p.parsed("username", USERNAME_RULE, |value| {
        // a +label counts no more than dots do
        let text = value.as_str()?.to_lowercase();
        let (local, domain) = text.split_once('@').unwrap_or((&text, ""));
        let base = if domain.is_empty() { local } else { local.split('+').next()? };
        let name = if domain.is_empty() { base.to_owned() } else { format!("{base}@{domain}") };
        new_username(&name).ok()
    });
    let username = username.required();
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
    let windows = ctx.directory.windows_of(&profile).await?;
    let filters = ctx.directory.filters_of(&profile).await?;
    let quota = ctx.directory.default_quota().await?;
    let connections = ctx.authenticator.sessions().count(user);
    let limits = limits(&profile, &windows, (filters, quota), (ctx.bounds, connections));
    Ok(Reply::json(&UserView::new(&profile, limits, caller.sees_internal_fields())))
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
    let session = p.session();
    if p.caller().role() == Role::User {
        p.keep(OWN_FIELDS);
    }
    let protocol = p.text("protocol", 255).or("API".to_owned());
    let existing = p.text("existingPassword", 256).optional();
    let hashed = p.boolean("hashedPassword").or(false);
    let password = password(&mut p, hashed);
    let checks = wants_breach_check(&mut p, ctx.breaches.is_some());
    let disables_second_factors = p.boolean("disable2fa").or(false);
    let mut change = update_of(&mut p, ctx.clock.now_ms());
    change.disabled = p.boolean("disabled").optional();
    change.suspended = p.boolean("suspended").optional();
    change.disables_second_factors = disables_second_factors;
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Users, Grant::Update, user)?;
    if let Some(existing) = existing
        && !ctx.authenticator.is_password(user, &existing).await.map_err(update_problem)?
    {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        return Err(Problem::new(status, "AuthFail", "Invalid existing password"));
    }
    refuse_breached(ctx.breaches.as_deref().filter(|_| checks), password.as_ref()).await?;
    let sets_password = password.is_some();
    ctx.directory.update_user(user, change, password).await.map_err(update_problem)?;
    if sets_password {
        let event = AuthEvent { protocol: Some(protocol), ..session.event("password change") };
        ctx.authenticator.log(user, event);
    }
    if disables_second_factors {
        ctx.authenticator.log(user, session.event("disable 2fa"));
    }
    if let Some(token) = caller.token().filter(|_| sets_password && caller.user() == Some(user)) {
        ctx.tokens.renew(user, token).await?;
    }
    Ok(Reply::success())
}

/// The reference sends 500 where the user to change does not exist.
pub(super) fn update_problem(error: Error) -> Problem {
    let is_missing = matches!(error, Error::NotFound { .. });
    let problem = Problem::from(error);
    if is_missing { problem.with_status(StatusCode::INTERNAL_SERVER_ERROR) } else { problem }
}
